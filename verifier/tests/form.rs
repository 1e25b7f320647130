//! What is refused before any path is followed, held against the kernel: small programs with fields, slots and jumps changed at random.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_btf::Btf;
use skep_isa::RawInsn;
use skep_isa::asm::kernel::assemble;
use skep_kernel::{Kernel, Load, LoadError, Loaded, LogLevel};
use skep_linux::{Arch, MapType, ProgType, Release, Target};
use skep_program::{MapDef, Program};
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
        Err(LoadError::Refused { log, .. }) => refused_at_once(&log),
        Err(error) => panic!("{error}"),
    }
}

fn refused_at_once(log: &str) -> Result<(), String> {
    if !log.is_empty() && !log.contains("processed 0 insns") {
        return Ok(());
    }
    let counts = ["processed ", "stack depth ", "verification time "];
    let words = log.lines().rfind(|line| !counts.iter().any(|count| line.starts_with(count)));
    Err(words.unwrap_or_default().to_owned())
}

/// `None` where skep does not know.
fn ours(insns: &[RawInsn], target: &Target) -> Option<Result<(), String>> {
    ours_of(&Program::bare("test", ProgType::SocketFilter, insns), target)
}

/// As [`ours`].
fn ours_of(program: &Program, target: &Target) -> Option<Result<(), String>> {
    let options = Options::default();
    let setting = Setting::new(program, target, &options).unwrap();
    match prepare(&setting) {
        Ok(_) => Some(Ok(())),
        Err(At { fault: Fault::Refused(why), .. }) => Some(Err(why.to_string().lines().last().unwrap_or_default().to_owned())),
        Err(_) => None,
    }
}

/// As [`kernel`], of a program with maps.
fn kernel_with_maps(program: &Program) -> Result<(), String> {
    match Loaded::create(program, LogLevel::Stats) {
        Ok(_) => Ok(()),
        Err(LoadError::Refused { log, .. }) => refused_at_once(&log),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn addresses_in_map_values() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let map = |map_type, key_size, value_size, max_entries, flags| {
        let map = MapDef { key_size, value_size, max_entries, flags, ..MapDef::new("map", map_type) };
        Arc::new(map)
    };
    let maps = [
        map(MapType::Array, 4, 12, 1, 0),
        map(MapType::Array, 4, 12, 2, 0),
        map(MapType::Hash, 4, 12, 1, 0),
        map(MapType::PercpuArray, 4, 12, 1, 0),
        map(MapType::Queue, 0, 12, 1, 0),
    ];
    let mut counts = BTreeMap::new();
    for map in &maps {
        for offset in [0, 4, 11, 12, 13, 1 << 28, (1 << 29) - 1, 1 << 29, -1] {
            for (pseudo, second) in [(6, offset), (5, offset), (5, 0), (7, offset)] {
                let wide = [RawInsn::new(0x18, 1, pseudo, 0, 0), RawInsn::new(0, 0, 0, 0, second)];
                let insns = [wide[0], wide[1], RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)];
                let program = Program { maps: vec![map.clone()], ..Program::bare("test", ProgType::SocketFilter, insns) };
                let said = kernel_with_maps(&program);
                *counts.entry(said.as_ref().map_or_else(|words| kind(words), |()| "followed".to_owned())).or_insert(0) += 1;
                assert_eq!(ours_of(&program, &target), Some(said), "{map:?} {pseudo} {second}");
            }
        }
    }
    println!("{counts:#?}");
    assert_eq!(counts.len(), 5);
}

#[test]
fn more_maps_than_a_program_may_name() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    for (count, taken) in [(64, true), (65, false)] {
        let map = || Arc::new(MapDef { key_size: 4, value_size: 4, max_entries: 1, ..MapDef::new("map", MapType::Array) });
        // Each map twice: the second time, it is no other.
        let wide = |index| [RawInsn::new(0x18, 1, 5, 0, index), RawInsn::default()];
        let mut insns: Vec<RawInsn> = (0..count).chain(0..count).flat_map(wide).collect();
        insns.extend([RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)]);
        let maps = (0..count).map(|_| map()).collect();
        let program = Program { maps, ..Program::bare("test", ProgType::SocketFilter, insns) };
        let said = kernel_with_maps(&program);
        assert_eq!((ours_of(&program, &target), said.is_ok()), (Some(said), taken));
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

/// Fields that mean nothing where they are, one at a time: found when a path comes there, and told by the kind of instruction.
#[test]
fn fields_without_meaning() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let refused = |insns: &[RawInsn]| {
        let load = Load { log_level: LogLevel::Stats, ..Load::raw(ProgType::SocketFilter, insns) };
        let Err(LoadError::Refused { log, .. }) = load.load_with_log() else { return None };
        log.lines().find(|line| line.ends_with("uses reserved fields")).map(str::to_owned)
    };
    let mut counts = BTreeMap::new();
    for code in 0..=255u8 {
        for changed in [RawInsn::new(code, 0, 0, -8, 0), RawInsn::new(code, 0, 0, 0, 3), RawInsn::new(code, 0, 1, 0, 3)] {
            let after = if code == 0x18 { RawInsn::default() } else { RawInsn::new(0xb7, 0, 0, 0, 0) };
            let insns =
                [RawInsn::new(0xb7, 0, 0, 0, 0), changed, after, RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)];
            let Some(said) = refused(&insns) else { continue };
            let report =
                skep_verifier::verify(&Program::bare("test", ProgType::SocketFilter, insns), &target, &Options::default());
            let skep_verifier::Verdict::Reject(ours) = report.verdict else { panic!("{changed:?}: {said}") };
            assert_eq!(ours.why.to_string(), said, "{changed:?}");
            *counts.entry(said).or_insert(0) += 1;
        }
    }
    println!("{counts:#?}");
    assert!(counts.len() > 6, "{counts:?}");
}
