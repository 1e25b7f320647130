//! What is refused before any path is followed, held against the kernel: small programs with fields, slots and jumps changed at random.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_btf::Btf;
use skep_isa::RawInsn;
use skep_isa::asm::kernel::assemble;
use skep_kernel::{Kernel, Load, LoadError, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::Program;
use skep_verifier::prep::prepare;
use skep_verifier::{At, Fault, Options, Setting};

const PROGRAMS: [&str; 4] = [
    "call 7\nagain:\nr1 = 0\nif r0 < 10 goto again\nexit",
    "r2 = 0x100000005 ll\nr0 = r2\nif r0 == 0 goto out\nr0 = *(u32 *)(r1 +0)\nout:\nexit",
    "r6 = r1\ncall first\nr0 = *(u8 *)skb[4]\ncall second\nexit\nfirst:\nr0 = 0\nexit\nsecond:\ncall first\nr0 += 7\nexit",
    "r1 = 1\nr2 = subprog[body]\nr3 = 0\nr4 = 0\ncall 181\nr0 = 0\nexit\nbody:\nr0 = 0\nmay_goto next\nnext:\nexit",
];

/// A change of one slot.
#[derive(Debug, Clone)]
enum Change {
    Code(u8),
    Regs(u8),
    Off(i16),
    Imm(i32),
    Whole(RawInsn),
    Remove,
    Insert(RawInsn),
}

fn raw() -> impl Strategy<Value = RawInsn> {
    let code = prop_oneof![2 => any::<u8>(), 1 => Just(0x18), 1 => Just(0x85), 1 => Just(0x95), 1 => Just(0x05)];
    (code, 0..11u8, 0..5u8, -4..5i16, -4..8i32).prop_map(|(code, dst, src, off, imm)| RawInsn::new(code, dst, src, off, imm))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<u8>().prop_map(Change::Code),
        any::<u8>().prop_map(Change::Regs),
        (-6..7i16).prop_map(Change::Off),
        prop_oneof![-6..7i32, any::<i32>()].prop_map(Change::Imm),
        raw().prop_map(Change::Whole),
        Just(Change::Remove),
        raw().prop_map(Change::Insert),
    ]
}

fn changed(text: &str, changes: &[(prop::sample::Index, Change)]) -> Vec<RawInsn> {
    let mut insns = assemble(text).unwrap();
    for (at, change) in changes {
        if insns.is_empty() {
            break;
        }
        let at = at.index(insns.len());
        match change {
            Change::Code(code) => insns[at].code = *code,
            Change::Regs(regs) => insns[at].regs = *regs,
            Change::Off(off) => insns[at].off = *off,
            Change::Imm(imm) => insns[at].imm = *imm,
            Change::Whole(insn) => insns[at] = *insn,
            Change::Remove => drop(insns.remove(at)),
            Change::Insert(insn) => insns.insert(at, *insn),
        }
    }
    insns
}

/// What the kernel refuses at once, and how: `Ok` if paths were followed.
fn kernel(insns: &[RawInsn]) -> Result<(), String> {
    let load = Load { log_level: LogLevel::Stats, ..Load::raw(ProgType::SocketFilter, insns) };
    match load.load_with_log() {
        Ok(_) => Ok(()),
        Err(LoadError::Refused { log, .. }) if !log.is_empty() && !log.contains("processed 0 insns") => Ok(()),
        Err(LoadError::Refused { log, .. }) => {
            let counts = ["processed ", "stack depth ", "verification time "];
            let words = log.lines().rfind(|line| !counts.iter().any(|count| line.starts_with(count)));
            Err(words.unwrap_or_default().to_owned())
        }
        Err(error) => panic!("{error}"),
    }
}

/// `None` where skep does not know.
fn ours(insns: &[RawInsn], target: &Target) -> Option<Result<(), String>> {
    let program = Program::bare("test", ProgType::SocketFilter, insns);
    let options = Options::default();
    let setting = Setting::new(&program, target, &options).unwrap();
    match prepare(&setting) {
        Ok(_) => Some(Ok(())),
        Err(At { fault: Fault::Refused(why), .. }) => Some(Err(why.to_string().lines().last().unwrap_or_default().to_owned())),
        Err(_) => None,
    }
}

/// The first words.
fn kind(words: &str) -> String {
    words.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn changed_programs_are_refused_as_the_kernel_does() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(Arc::new(Btf::parse(&types).unwrap()));
    let text = prop::sample::select(PROGRAMS.to_vec());
    let inputs = (text, prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut counts, mut wrong, mut unknown) = (BTreeMap::new(), 0, 0);
    for _ in 0..8_000 {
        let (text, changes) = inputs.new_tree(&mut runner).unwrap().current();
        let insns = changed(text, &changes);
        let named = insns.iter().any(|insn| insn.code == 0x18 && matches!(insn.src(), 5 | 6));
        if insns.is_empty() || named {
            continue; // maps by index are the loader's
        }
        let said = kernel(&insns);
        let Some(ours) = ours(&insns, &target) else {
            unknown += 1;
            continue;
        };
        *counts.entry(said.as_ref().map_or_else(|words| kind(words), |()| "followed".to_owned())).or_insert(0) += 1;
        if ours != said {
            wrong += 1;
            println!("{insns:?}: {ours:?}, the kernel {said:?}");
        }
    }
    println!("{counts:#?}\n{unknown} not known");
    assert_eq!(wrong, 0);
    assert!(counts.len() > 10, "{counts:?}");
}
