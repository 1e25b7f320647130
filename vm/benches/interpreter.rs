//! Nanoseconds per executed instruction, beside other interpreters that check their accesses, on the same bytecode in one run.
//!
//! Criterion's `thrpt` counts instructions: `ns per instruction = 1000 / (Melem/s)`.
#![allow(missing_docs)] // criterion's macros make public functions

use std::collections::BTreeMap;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skep::{Arch, Closure, Input, Instance, ProgType, Program, Release, Target, raw};
use skep_isa::RawInsn;
use skep_isa::asm::kernel::assemble;
use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::declare_builtin_function;
use solana_sbpf::ebpf::hash_symbol_name;
use solana_sbpf::elf::Executable;
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::vm::{Config, ContextObject, EbpfVm};

/// Bytes that every program gets.
const INPUT: usize = 1500;
/// Name of the helper that every engine offers: solana-sbpf makes the number from it.
const HELPER: &str = "sum";

/// A program by name. `r1` points to the input.
struct Workload {
    name: &'static str,
    insns: Vec<RawInsn>,
}

impl Workload {
    fn new(name: &'static str, text: &str) -> Workload {
        Workload { name, insns: assemble(text).unwrap_or_else(|error| panic!("{name}: {error}")) }
    }

    fn bytes(&self) -> Vec<u8> {
        self.insns.iter().flat_map(|insn| insn.to_le_bytes()).collect()
    }
}

/// Loads, arithmetic, stores to the stack and branches: sums bytes of the input, mixes them, and counts on the stack.
const MIX: &str = "
    r2 = 1500
    r6 = r1
    r2 += r1
    r0 = 0
    *(u64 *)(r10 -8) = r0
again:
    r3 = *(u8 *)(r6 +0)
    r0 += r3
    r4 = r0
    r4 <<= 13
    r0 ^= r4
    if r3 != 0 goto other
    r5 = *(u64 *)(r10 -8)
    goto both
other:
    r5 = *(u64 *)(r10 -8)
both:
    r5 += 1
    *(u64 *)(r10 -8) = r5
    r6 += 1
    if r6 < r2 goto again
    exit
";

/// Arithmetic and a branch alone.
const ARITHMETIC: &str = "
    r0 = 0
    r1 = 2000
    r3 = 7
again:
    r0 += r1
    r0 *= 31
    r3 >>= 3
    r3 ^= r0
    r1 -= 1
    if r1 != 0 goto again
    exit
";

/// The one's complement sum of the input, two bytes at a time.
const CHECKSUM: &str = "
    r2 = r1
    r2 += 1500
    r0 = 0
again:
    r3 = *(u16 *)(r1 +0)
    r0 += r3
    r1 += 2
    if r1 < r2 goto again
    r3 = r0
    r3 >>= 16
    r0 &= 0xffff
    r0 += r3
    exit
";

/// Sorts 32 words of the input on the stack by insertion.
const SORT: &str = "
    r2 = 0
copy:
    r3 = r1
    r3 += r2
    r4 = *(u64 *)(r3 +0)
    r5 = r10
    r5 += -256
    r5 += r2
    *(u64 *)(r5 +0) = r4
    r2 += 8
    if r2 != 256 goto copy
    r2 = 8
outer:
    r5 = r10
    r5 += -256
    r5 += r2
    r4 = *(u64 *)(r5 +0)
    r3 = r2
inner:
    r0 = *(u64 *)(r5 -8)
    if r4 >= r0 goto placed
    *(u64 *)(r5 +0) = r0
    r5 += -8
    r3 -= 8
    if r3 != 0 goto inner
placed:
    *(u64 *)(r5 +0) = r4
    r2 += 8
    if r2 != 256 goto outer
    r0 = *(u64 *)(r10 -256)
    exit
";

/// Calls a function of the program that stores and loads on its own stack.
const LOCAL_CALLS: &str = "
    r6 = 500
    r7 = 0
again:
    r1 = r6
    call double
    r7 += r0
    r6 -= 1
    if r6 != 0 goto again
    r0 = r7
    exit
double:
    *(u64 *)(r10 -8) = r1
    r0 = *(u64 *)(r10 -8)
    r0 += r1
    exit
";

/// Calls a helper.
const HELPER_CALLS: &str = "
    r6 = 500
    r7 = 0
again:
    r1 = r6
    r2 = r7
    call 1
    r7 = r0
    r6 -= 1
    if r6 != 0 goto again
    r0 = r7
    exit
";

fn workloads() -> Vec<Workload> {
    let mut helper_calls = Workload::new("helper calls", HELPER_CALLS);
    for insn in helper_calls.insns.iter_mut().filter(|insn| insn.code == 0x85) {
        insn.imm = hash_symbol_name(HELPER.as_bytes()) as i32;
    }
    vec![
        Workload::new("mix", MIX),
        Workload::new("arithmetic", ARITHMETIC),
        Workload::new("checksum", CHECKSUM),
        Workload::new("sort", SORT),
        Workload::new("local calls", LOCAL_CALLS),
        helper_calls,
    ]
}

declare_builtin_function!(
    /// The helper, for solana-sbpf.
    Sum,
    fn rust(
        _context: &mut Meter,
        a: u64,
        b: u64,
        _c: u64,
        _d: u64,
        _e: u64,
        _memory: &mut MemoryMapping,
    ) -> Result<u64, Box<dyn std::error::Error>> {
        Ok(a.wrapping_add(b))
    }
);

/// Counts instructions for solana-sbpf, and sets no limit.
struct Meter(u64);

impl ContextObject for Meter {
    fn trace(&mut self, _: [u64; 12]) {}

    fn consume(&mut self, amount: u64) {
        self.0 = self.0.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.0
    }
}

/// A program for solana-sbpf: it finds functions in a registry, and helpers in its loader, by the immediate of the call.
fn executable(workload: &Workload) -> Executable<Meter> {
    let config = Config { enable_instruction_meter: true, ..Config::default() };
    let mut loader = BuiltinProgram::<Meter>::new_loader(config);
    loader.register_function(HELPER, Sum::vm).unwrap();
    let mut functions = FunctionRegistry::default();
    for (slot, insn) in workload.insns.iter().enumerate() {
        if insn.code == 0x85 && insn.src() == 1 {
            functions.register_function(insn.imm as u32, "function", slot + 1 + insn.imm as usize).unwrap();
        }
    }
    Executable::from_text_bytes(&workload.bytes(), Arc::new(loader), SBPFVersion::V0, functions).unwrap()
}

fn run_sbpf(executable: &Executable<Meter>, input: &mut [u8]) -> u64 {
    let mut meter = Meter(u64::MAX >> 1);
    let (config, version) = (executable.get_config().clone(), executable.get_sbpf_version());
    let mut stack = AlignedMemory::<{ solana_sbpf::ebpf::HOST_ALIGN }>::zero_filled(config.stack_size());
    let mut heap = AlignedMemory::<{ solana_sbpf::ebpf::HOST_ALIGN }>::with_capacity(0);
    let stack_len = stack.len();
    let regions = vec![
        executable.get_ro_region(),
        MemoryRegion::new_writable_gapped(
            stack.as_slice_mut(),
            solana_sbpf::ebpf::MM_STACK_START,
            config.stack_frame_size as u64,
        ),
        MemoryRegion::new_writable(heap.as_slice_mut(), solana_sbpf::ebpf::MM_HEAP_START),
        MemoryRegion::new_writable(input, solana_sbpf::ebpf::MM_INPUT_START),
    ];
    let mapping = MemoryMapping::new(regions, &config, version).unwrap();
    let mut vm = EbpfVm::new(executable.get_loader().clone(), version, &mut meter, mapping, stack_len);
    vm.registers[1] = solana_sbpf::ebpf::MM_INPUT_START;
    let (_, result) = vm.execute_program(executable, true);
    result.unwrap()
}

fn interpreters(c: &mut Criterion) {
    let helper = hash_symbol_name(HELPER.as_bytes());
    let sum: Closure = Arc::new(|_, args| Ok(args[0].wrapping_add(args[1])));
    let helpers = BTreeMap::from([(helper as i32, sum)]);
    for workload in workloads() {
        let name = workload.name;
        let mut input: Vec<u8> = (0..INPUT).map(|i| (i * 7) as u8).collect();
        let bytes = workload.bytes();
        let mut machine = raw::Machine::new(&workload.insns, &helpers).unwrap();
        let outcome = machine.run(&input, u64::MAX).unwrap();
        let mut rbpf = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
        rbpf.register_helper(helper, |a, b, _, _, _| a.wrapping_add(b)).unwrap();
        let sbpf = executable(&workload);
        // All engines compute the same; pointers differ between them, so no workload returns one.
        assert_eq!(rbpf.execute_program(&mut input).unwrap(), outcome.value, "rbpf, {name}");
        assert_eq!(run_sbpf(&sbpf, &mut input), outcome.value, "solana-sbpf, {name}");

        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(outcome.executed));
        group.bench_function("skep", |b| b.iter(|| machine.run(&input, u64::MAX).unwrap().value));
        group.bench_function("rbpf", |b| b.iter(|| rbpf.execute_program(&mut input).unwrap()));
        group.bench_function("solana-sbpf", |b| b.iter(|| run_sbpf(&sbpf, &mut input)));
        group.finish();
    }
}

/// What a run costs that does nothing: of bare instructions in each engine, and of a program on a packet.
fn entry(c: &mut Criterion) {
    let workload = Workload::new("empty", "r0 = 0\nexit\n");
    let bytes = workload.bytes();
    let mut input = vec![0; 64];
    let mut group = c.benchmark_group("empty program");
    let mut machine = raw::Machine::new(&workload.insns, &BTreeMap::new()).unwrap();
    group.bench_function("skep, bare", |b| b.iter(|| machine.run(&input, u64::MAX).unwrap().value));
    let program = Program::bare("empty", ProgType::Xdp, workload.insns.clone());
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let mut instance = Instance::builder(target).program(program).build().unwrap();
    let packet = Input::packet(&input);
    group.bench_function("skep, on a packet", |b| b.iter(|| instance.program("empty").unwrap().run(&packet).unwrap().value));
    let rbpf = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
    group.bench_function("rbpf", |b| b.iter(|| rbpf.execute_program(&mut input).unwrap()));
    let sbpf = executable(&workload);
    group.bench_function("solana-sbpf", |b| b.iter(|| run_sbpf(&sbpf, &mut input)));
    group.finish();
}

criterion_group!(benches, interpreters, entry);
criterion_main!(benches);
