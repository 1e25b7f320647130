//! Nanoseconds per executed instruction, beside other interpreters that check their accesses, on the same bytecode in one run.
//!
//! Criterion's `thrpt` counts instructions: `ns per instruction = 1000 / (Melem/s)`.
#![allow(missing_docs)] // criterion's macros make public functions

use std::collections::BTreeMap;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skep::raw;
use skep_isa::RawInsn;
use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::elf::Executable;
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::vm::{Config, ContextObject, EbpfVm};

/// Bytes that every program gets.
const INPUT: usize = 1500;

/// A program by name. `r1` points to the input, `r2` is its length.
struct Workload {
    name: &'static str,
    insns: Vec<RawInsn>,
}

const fn op(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> RawInsn {
    RawInsn::new(code, dst, src, off, imm)
}

/// Loads, arithmetic, stores to the stack and branches: sums bytes of the input, mixes them, and keeps a table on the stack.
fn mix() -> Workload {
    let insns = vec![
        op(0xb7, 2, 0, 0, INPUT as i32), // r2 = length
        op(0xbf, 6, 1, 0, 0),            // r6 = r1
        op(0x0f, 2, 1, 0, 0),            // r2 += r1: the end
        op(0xb7, 0, 0, 0, 0),            // r0 = 0
        op(0x7b, 10, 0, -8, 0),          // *(u64 *)(r10 - 8) = r0
        op(0x71, 3, 6, 0, 0),            // loop: r3 = *(u8 *)(r6 + 0)
        op(0x0f, 0, 3, 0, 0),            // r0 += r3
        op(0xbf, 4, 0, 0, 0),            // r4 = r0
        op(0x67, 4, 0, 0, 13),           // r4 <<= 13
        op(0xaf, 0, 4, 0, 0),            // r0 ^= r4
        op(0x55, 3, 0, 2, 0),            // if r3 != 0 goto +2
        op(0x79, 5, 10, -8, 0),          // r5 = *(u64 *)(r10 - 8)
        op(0x05, 0, 0, 2, 0),            // goto +2
        op(0x79, 5, 10, -8, 0),          // r5 = *(u64 *)(r10 - 8)
        op(0x07, 5, 0, 0, 1),            // r5 += 1
        op(0x7b, 10, 5, -8, 0),          // *(u64 *)(r10 - 8) = r5
        op(0x07, 6, 0, 0, 1),            // r6 += 1
        op(0xad, 6, 2, -13, 0),          // if r6 < r2 goto loop
        op(0x95, 0, 0, 0, 0),            // exit
    ];
    Workload { name: "mix", insns }
}

/// Arithmetic and a branch alone.
fn arithmetic() -> Workload {
    let insns = vec![
        op(0xb7, 0, 0, 0, 0),    // r0 = 0
        op(0xb7, 1, 0, 0, 2000), // r1 = 2000
        op(0xb7, 3, 0, 0, 7),    // r3 = 7
        op(0x0f, 0, 1, 0, 0),    // loop: r0 += r1
        op(0x27, 0, 0, 0, 31),   // r0 *= 31
        op(0x77, 3, 0, 0, 3),    // r3 >>= 3
        op(0xaf, 3, 0, 0, 0),    // r3 ^= r0
        op(0x17, 1, 0, 0, 1),    // r1 -= 1
        op(0x55, 1, 0, -6, 0),   // if r1 != 0 goto loop
        op(0x95, 0, 0, 0, 0),    // exit
    ];
    Workload { name: "arithmetic", insns }
}

/// The one's complement sum of the input, two bytes at a time.
fn checksum() -> Workload {
    let insns = vec![
        op(0xbf, 2, 1, 0, 0),            // r2 = r1
        op(0x07, 2, 0, 0, INPUT as i32), // r2 += length: the end
        op(0xb7, 0, 0, 0, 0),            // r0 = 0
        op(0x69, 3, 1, 0, 0),            // loop: r3 = *(u16 *)(r1 + 0)
        op(0x0f, 0, 3, 0, 0),            // r0 += r3
        op(0x07, 1, 0, 0, 2),            // r1 += 2
        op(0xad, 1, 2, -4, 0),           // if r1 < r2 goto loop
        op(0xbf, 3, 0, 0, 0),            // r3 = r0
        op(0x77, 3, 0, 0, 16),           // r3 >>= 16
        op(0x57, 0, 0, 0, 0xffff),       // r0 &= 0xffff
        op(0x0f, 0, 3, 0, 0),            // r0 += r3
        op(0x95, 0, 0, 0, 0),            // exit
    ];
    Workload { name: "checksum", insns }
}

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

fn sbpf(bytes: &[u8], input: &mut [u8]) -> u64 {
    let config = Config { enable_instruction_meter: true, ..Config::default() };
    let loader = Arc::new(BuiltinProgram::<Meter>::new_loader(config));
    let executable =
        Executable::<Meter>::from_text_bytes(bytes, loader.clone(), SBPFVersion::V0, FunctionRegistry::default()).unwrap();
    run_sbpf(&executable, input)
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
    for workload in [mix(), arithmetic(), checksum()] {
        let mut input: Vec<u8> = (0..INPUT).map(|i| (i * 7) as u8).collect();
        let bytes: Vec<u8> = workload.insns.iter().flat_map(|insn| insn.to_le_bytes()).collect();
        let mut machine = raw::Machine::new(&workload.insns, &BTreeMap::new()).unwrap();
        let outcome = machine.run(&input, u64::MAX).unwrap();
        let rbpf = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
        // All engines compute the same; pointers differ between them, so no workload returns one.
        assert_eq!(rbpf.execute_program(&mut input).unwrap(), outcome.value, "rbpf, {}", workload.name);
        assert_eq!(sbpf(&bytes, &mut input), outcome.value, "solana-sbpf, {}", workload.name);

        let mut group = c.benchmark_group(workload.name);
        group.throughput(Throughput::Elements(outcome.executed));
        group.bench_function("skep", |b| b.iter(|| machine.run(&input, u64::MAX).unwrap().value));
        group.bench_function("rbpf", |b| b.iter(|| rbpf.execute_program(&mut input).unwrap()));
        let loader = Arc::new(BuiltinProgram::<Meter>::new_loader(Config::default()));
        let executable =
            Executable::<Meter>::from_text_bytes(&bytes, loader, SBPFVersion::V0, FunctionRegistry::default()).unwrap();
        group.bench_function("solana-sbpf", |b| b.iter(|| run_sbpf(&executable, &mut input)));
        group.finish();
    }
}

criterion_group!(benches, interpreters);
criterion_main!(benches);
