//! Loading: from the bytes of an object to an instance, step by step; and a straight-line program beside rbpf and solana-sbpf, which take
//! bare instructions.
#![allow(missing_docs)] // criterion's macros make public functions

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skep::{Arch, Instance, Object, Options, Release, Repairs, Target, raw};
use skep_isa::RawInsn;
use solana_sbpf::elf::Executable;
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::vm::{Config, ContextObject};

/// Slots of the straight-line program.
const SLOTS: usize = 4000;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

/// Objects by name: ours, one of libbpf-tools, and two of the corpus that are large: by instructions and by maps.
fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let ours = |name: &str| std::fs::read(format!("{}/../conformance/programs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut objects = vec![("firewall", ours("firewall.bpf.o"))];
    let corpus = [
        ("opensnoop", "libbpf-tools/opensnoop-libbpf.bpf.o"),
        ("klockstat", "libbpf-tools/klockstat-libbpf.bpf.o"),
        ("cilium bpf_xdp_dsr_linux", "ebpf-samples/cilium/bpf_xdp_dsr_linux.o"),
    ];
    for (name, path) in corpus {
        match shared("corpus/objects") {
            Some(root) => objects.push((name, std::fs::read(root.join(path)).unwrap())),
            None => println!("skipped: {name} needs ../shared/corpus"),
        }
    }
    objects
}

fn target() -> Arc<Target> {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let btf = shared("corpus/btf/vmlinux-6.18.44.btf").map(|path| skep::btf(path.to_str().unwrap()).unwrap());
    Arc::new(btf.into_iter().fold(target, Target::with_btf))
}

fn steps(c: &mut Criterion) {
    let target = target();
    let options = Options { repairs: Repairs::ALL, ..Options::default() };
    for (name, bytes) in objects() {
        let mut group = c.benchmark_group(name);
        let object = Object::parse_with(&bytes, &options).unwrap();
        let builder = || Instance::builder(target.clone()).object(&object).unwrap().allow_absent();
        group.bench_function("parse", |b| b.iter(|| Object::parse_with(&bytes, &options).unwrap()));
        group.bench_function("relocate", |b| b.iter(builder));
        group.bench_function("relocate and instantiate", |b| b.iter(|| builder().build().unwrap()));
        group.finish();
    }
}

/// What solana-sbpf wants to load a program.
struct Meter;

impl ContextObject for Meter {
    fn trace(&mut self, _: [u64; 12]) {}

    fn consume(&mut self, _: u64) {}

    fn get_remaining(&self) -> u64 {
        0
    }
}

fn bare(c: &mut Criterion) {
    // r0 = 0; r0 += r0; ...; exit
    let mut insns = vec![RawInsn::new(0xb7, 0, 0, 0, 0)];
    insns.resize(SLOTS - 1, RawInsn::new(0x0f, 0, 0, 0, 0));
    insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
    let bytes: Vec<u8> = insns.iter().flat_map(|insn| insn.to_le_bytes()).collect();
    let loader = Arc::new(BuiltinProgram::<Meter>::new_loader(Config::default()));
    let mut group = c.benchmark_group("4000 instructions");
    group.throughput(Throughput::Elements(SLOTS as u64));
    group.bench_function("skep", |b| b.iter(|| raw::Machine::new(black_box(&insns), &BTreeMap::new()).unwrap()));
    // It verifies on the way.
    group.bench_function("rbpf", |b| b.iter(|| drop(black_box(rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap()))));
    group.bench_function("solana-sbpf", |b| {
        b.iter(|| {
            let functions = FunctionRegistry::default();
            Executable::<Meter>::from_text_bytes(black_box(&bytes), loader.clone(), SBPFVersion::V0, functions).unwrap()
        })
    });
    group.finish();
}

criterion_group!(benches, steps, bare);
criterion_main!(benches);
