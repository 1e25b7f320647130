//! The stack of nested calls, held against the kernel: programs of small functions that call each other, where which function needs how
//! much is known beforehand.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_btf::{Btf, BtfBuilder, IntEncoding, Kind, Linkage, TypeDef};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::{Func, Program};
use skep_verifier::prep::prepare;
use skep_verifier::prep::stack_depth::{Frame, check};
use skep_verifier::{At, Fault, Options, Setting};

const FUNCTIONS: usize = 9;

/// What a function does to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Call,
    /// A call that no path comes to.
    DeadCall,
    /// `bpf_loop` with the function.
    Loop,
    /// `bpf_throw` on one of two paths, and nothing to another function.
    Throw,
}

#[derive(Debug, Clone)]
struct Function {
    /// Words of stack that it writes to.
    words: u16,
    /// What it does to functions after it: so many further on.
    acts: Vec<(Act, usize)>,
}

fn function() -> impl Strategy<Value = Function> {
    let act = prop_oneof![8 => Just(Act::Call), 2 => Just(Act::DeadCall), 2 => Just(Act::Loop), 1 => Just(Act::Throw)];
    let words = prop_oneof![4 => 0..16u16, 2 => 16..32u16, 1 => 32..=64u16];
    (words, prop::collection::vec((act, 1..4usize), 0..3)).prop_map(|(words, acts)| Function { words, acts })
}

struct Built {
    program: Program,
    frames: Vec<Frame>,
}

/// Lays the functions out; all but the first are called by at least one before.
fn build(prog_type: ProgType, functions: &[Function], throw: i32) -> Built {
    let mut functions = functions.to_vec();
    for index in 1..functions.len() {
        let calls = |caller: usize, act: &(Act, usize)| act.0 != Act::Throw && caller + act.1 == index;
        let called = functions[..index].iter().enumerate().any(|(caller, f)| f.acts.iter().any(|act| calls(caller, act)));
        if !called {
            functions[index - 1].acts.push((Act::Call, 1));
        }
    }
    let mut insns = Vec::new();
    let mut fixups: Vec<(usize, usize)> = Vec::new();
    let mut starts = Vec::new();
    let mut frames = vec![Frame::default(); functions.len()];
    let mut live = vec![false; functions.len()];
    live[0] = true;
    for (index, function) in functions.iter().enumerate() {
        starts.push(insns.len());
        if function.words > 0 {
            insns.push(RawInsn::new(0x7a, 10, 0, -8 * function.words as i16, 0));
        }
        for (act, further) in &function.acts {
            let callee = index + further;
            if callee >= functions.len() {
                continue;
            }
            match act {
                Act::Call => {
                    live[callee] |= live[index];
                    fixups.push((insns.len(), callee));
                    insns.push(RawInsn::new(0x85, 0, 1, 0, 0));
                }
                Act::DeadCall => {
                    insns.push(RawInsn::new(0xb7, 0, 0, 0, 0));
                    insns.push(RawInsn::new(0x15, 0, 0, 1, 0));
                    fixups.push((insns.len(), callee));
                    insns.push(RawInsn::new(0x85, 0, 1, 0, 0));
                }
                Act::Throw => insns.extend([
                    RawInsn::new(0x85, 0, 0, 0, 7),
                    RawInsn::new(0x15, 0, 0, 2, 0),
                    RawInsn::new(0xb7, 1, 0, 0, 0),
                    RawInsn::new(0x85, 0, 2, 0, throw),
                ]),
                Act::Loop => {
                    live[callee] |= live[index];
                    frames[callee].callback |= live[index];
                    insns.push(RawInsn::new(0xb7, 1, 0, 0, 1));
                    fixups.push((insns.len(), callee));
                    insns.push(RawInsn::new(0x18, 2, 4, 0, 0));
                    insns.push(RawInsn::default());
                    insns.push(RawInsn::new(0xb7, 3, 0, 0, 0));
                    insns.push(RawInsn::new(0xb7, 4, 0, 0, 0));
                    insns.push(RawInsn::new(0x85, 0, 0, 0, 181));
                }
            }
        }
        insns.push(RawInsn::new(0xb7, 0, 0, 0, 0));
        insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
    }
    for (slot, callee) in fixups {
        insns[slot].imm = starts[callee] as i32 - slot as i32 - 1;
    }
    for (index, function) in functions.iter().enumerate() {
        frames[index].depth = if live[index] { u32::from(function.words) * 8 } else { 0 };
    }
    Built { program: typed(Program::bare("test", prog_type, insns), &starts), frames }
}

/// Callbacks must have types: every function is a static one that takes nothing and returns an integer.
fn typed(program: Program, starts: &[usize]) -> Program {
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, IntEncoding::Signed);
    let proto = types.add(TypeDef::FuncProto { ret: int, params: Vec::new() });
    let mut funcs = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let name = format!("f{index}");
        let id = types.add(TypeDef::Func { name: name.clone(), proto, linkage: Linkage::Static });
        funcs.push(Func { start: *start, name, type_id: id.0, global: false });
    }
    Program { btf: Some(Arc::new(types.build().unwrap())), funcs, ..program }
}

/// What the kernel says: nothing, if it takes the program.
fn kernel(program: &Program) -> Option<String> {
    match Loaded::create(program, LogLevel::OnFailure) {
        Ok(_) => None,
        Err(LoadError::Refused { log, .. }) => {
            let counts = ["processed ", "stack depth ", "verification time "];
            let words = log.lines().rfind(|line| !line.is_empty() && !counts.iter().any(|count| line.starts_with(count)));
            Some(words.unwrap_or_default().to_owned())
        }
        Err(error) => panic!("{error}"),
    }
}

fn ours(built: &Built, target: &Target) -> Option<String> {
    let options = Options::default();
    let setting = Setting::new(&built.program, target, &options).unwrap();
    let prep = prepare(&setting).unwrap();
    match check(&setting, &prep, &built.frames) {
        Ok(()) => None,
        Err(At { fault: Fault::Refused(why), .. }) => Some(why.to_string()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn calls_that_fit_and_those_that_do_not() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let types = Btf::parse(&types).unwrap();
    let throw = types.find("bpf_throw", Kind::Func).unwrap().0 as i32;
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(Arc::new(types));
    let types = prop_oneof![Just(ProgType::SchedCls), Just(ProgType::Tracepoint)];
    let inputs = (types, prop::collection::vec(function(), 1..=FUNCTIONS));
    let mut counts = std::collections::BTreeMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..3000 {
        let (prog_type, functions): (ProgType, Vec<Function>) = inputs.new_tree(&mut runner).unwrap().current();
        let built = build(prog_type, &functions, throw);
        let said = kernel(&built.program);
        // Chains that are too long for the paths are refused on the way.
        let before = said.as_deref().is_some_and(|said| said.ends_with("too deep"));
        let kind = said.as_deref().map_or("taken", |said| said.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default());
        *counts.entry(if before { "before".to_owned() } else { kind.to_owned() }).or_insert(0) += 1;
        if !before {
            assert_eq!(ours(&built, &target), said, "{prog_type:?} {functions:?}");
        }
    }
    println!("{counts:?}");
    assert!(counts["taken"] > 100 && counts["combined stack size of "] > 100, "{counts:?}");
}
