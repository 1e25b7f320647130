//! Programs as skep relocates them, held against what libbpf gave the kernel.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use skep_isa::RawInsn;
use skep_linux::{ProgType, Target};
use skep_object::{Linker, Object};
use skep_program::Program;

/// The recorded instructions with maps named by index in the order of the instructions, and the descriptors in that order.
fn recorded_insns(record: &Value) -> (Vec<RawInsn>, Vec<i32>) {
    let bytes = common::hex(record["insns"].as_str().unwrap());
    let mut insns: Vec<RawInsn> = bytes.as_chunks::<8>().0.iter().map(|b| RawInsn::from_le_bytes(*b)).collect();
    let maps = record["maps"].as_object().unwrap();
    let mut fds = Vec::new();
    let mut slot = 0;
    while slot < insns.len() {
        let insn = insns[slot];
        if insn.code == 0x18 {
            // A descriptor that was no map is a number that the program's own code holds.
            let is_map = maps.get(&insn.imm.to_string()).is_some_and(|m| !m.is_null());
            if matches!(insn.src(), 1 | 2) && is_map {
                let index = fds.iter().position(|fd| *fd == insn.imm).unwrap_or_else(|| {
                    fds.push(insn.imm);
                    fds.len() - 1
                });
                insns[slot].regs = insn.dst() | (insn.src() + 4) << 4;
                insns[slot].imm = index as i32;
            }
            slot += 1;
        }
        slot += 1;
    }
    (insns, fds)
}

fn relocate<'a>(object: &'a Object, linker: &mut Linker<'a>, record: &Value, name: &str) -> Result<Program, String> {
    let mut program = object.program(name).map_err(|e| e.to_string())?;
    if program.prog_type().is_none() {
        let number = record["prog_type"].as_u64().unwrap() as u32;
        program = program.as_type(ProgType::from_u32(number).unwrap(), None);
    }
    program.relocate_in(linker).map_err(|e| e.to_string())
}

fn first_difference(ours: &[RawInsn], theirs: &[RawInsn]) -> Option<String> {
    if let Some(slot) = ours.iter().zip(theirs).position(|(a, b)| a != b) {
        return Some(format!("slot {slot}: {:?} instead of {:?}", ours[slot], theirs[slot]));
    }
    (ours.len() != theirs.len()).then(|| format!("{} instructions instead of {}", ours.len(), theirs.len()))
}

fn compare(program: &Program, record: &Value) -> Option<String> {
    let (theirs, _) = recorded_insns(record);
    first_difference(&program.insns, &theirs)
}

fn check_set(corpus: &Path, target: &Target, set: &str) -> (usize, BTreeMap<String, Vec<String>>) {
    let mut objects = common::Objects::default();
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut equal = 0;
    let records = common::records(&corpus.join(format!("loads/{set}.jsonl")));
    let mut by_object: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for record in &records {
        let (object, _, _) = common::split_id(record["id"].as_str().unwrap());
        by_object.entry(object.to_owned()).or_default().push(record);
    }
    for (name, records) in by_object {
        let object = match objects.get(corpus, &name) {
            Ok(object) => object,
            Err(error) => {
                differences.entry(format!("object: {error}")).or_default().push(name);
                continue;
            }
        };
        let mut linker = Linker::new(object, target);
        for record in records {
            let id = record["id"].as_str().unwrap();
            let (_, program, _) = common::split_id(id);
            let difference = match relocate(object, &mut linker, record, program) {
                Ok(program) => compare(&program, record),
                Err(error) => Some(error),
            };
            match difference {
                Some(text) => differences.entry(text).or_default().push(id.to_owned()),
                None => equal += 1,
            }
        }
    }
    (equal, differences)
}

#[test]
fn instructions_are_libbpfs() {
    let Some(corpus) = common::corpus() else { return };
    let target = common::target(&corpus);
    let mut wrong = 0;
    for set in ["ebpf-samples", "libbpf-tools", "selftests-6.12"] {
        let (equal, differences) = check_set(&corpus, &target, set);
        println!("{set}: {equal} programs equal");
        for (what, ids) in &differences {
            println!("  {} times, such as {}: {what}", ids.len(), ids[0]);
            wrong += ids.len();
        }
    }
    assert_eq!(wrong, 0);
}
