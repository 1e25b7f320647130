//! Map operations, from programs and from the application. rbpf and solana-sbpf have no maps; what a helper call alone costs in each
//! engine is in `interpreter.rs`.
//!
//! Criterion's `thrpt` counts operations: `ns per operation = 1000 / (Melem/s)`. The loop around the call takes 8 to 12 instructions.
#![allow(missing_docs)] // criterion's macros make public functions

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use skep::{Arch, Input, Instance, MapDef, MapType, ProgType, Program, Release, Target};
use skep_isa::asm::kernel::assemble;

/// Keys that are in the maps.
const ENTRIES: u32 = 1024;

const TYPES: [(&str, MapType); 5] = [
    ("array", MapType::Array),
    ("per-CPU array", MapType::PercpuArray),
    ("hash", MapType::Hash),
    ("per-CPU hash", MapType::PercpuHash),
    ("LRU hash", MapType::LruHash),
];

/// A program that does something with each key from 0 to 1023; `r6` is the key, which lies at `r10 -4`, a value at `r10 -16`.
fn each_key(body: &str) -> String {
    format!(
        "r6 = 0\n*(u64 *)(r10 -16) = r6\nagain:\n*(u32 *)(r10 -4) = r6\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\n{body}\n\
         r6 += 1\nif r6 != {ENTRIES} goto again\nr0 = 0\nexit\n"
    )
}

const LOOKUP: &str = "call 1\nif r0 == 0 goto missed\nr1 = *(u64 *)(r0 +0)\nmissed:";
const UPDATE: &str = "r3 = r10\nr3 += -16\nr4 = 0\ncall 2";
const DELETE_AND_INSERT: &str = "call 3\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = 0\ncall 2";

fn instance(map_type: MapType, text: &str) -> Instance {
    let map = MapDef { key_size: 4, value_size: 8, max_entries: ENTRIES, ..MapDef::new("m", map_type) };
    let insns = assemble(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let program = Program { maps: vec![map.into()], ..Program::bare("main", ProgType::SocketFilter, insns) };
    let instance = Instance::builder(Target::new(Release::new(6, 18), Arch::X86_64)).program(program).build().unwrap();
    let map = instance.map("m").unwrap();
    for key in 0..ENTRIES {
        map.set(&key.to_le_bytes(), &[1; 8]).unwrap();
    }
    instance
}

fn programs(c: &mut Criterion) {
    let input = Input::packet(&[0; 64]);
    for (operation, body) in [("lookup", LOOKUP), ("update", UPDATE), ("delete and insert", DELETE_AND_INSERT)] {
        let mut group = c.benchmark_group(format!("{operation} by a program"));
        group.throughput(Throughput::Elements(ENTRIES.into()));
        for (name, map_type) in TYPES {
            let fixed = matches!(map_type, MapType::Array | MapType::PercpuArray);
            if fixed && operation == "delete and insert" {
                continue; // elements of arrays cannot be deleted
            }
            let mut instance = instance(map_type, &each_key(body));
            let mut program = instance.program("main").unwrap();
            assert_eq!(program.run(&input).unwrap().value, 0);
            group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| program.run(&input).unwrap().executed));
        }
        group.finish();
    }
}

fn application(c: &mut Criterion) {
    for operation in ["lookup", "update"] {
        let mut group = c.benchmark_group(format!("{operation} by the application"));
        group.throughput(Throughput::Elements(ENTRIES.into()));
        for (name, map_type) in TYPES {
            let map = instance(map_type, "r0 = 0\nexit").map("m").unwrap();
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    for key in 0..ENTRIES {
                        match operation {
                            "lookup" => drop(map.get(&key.to_le_bytes()).unwrap()),
                            _update => map.set(&key.to_le_bytes(), &[2; 8]).unwrap(),
                        }
                    }
                })
            });
        }
        group.finish();
    }
}

criterion_group!(benches, programs, application);
criterion_main!(benches);
