//! What engines are told of programs that are accepted.

use std::sync::Arc;

use skep_isa::asm::kernel::assemble;
use skep_linux::{Arch, MapType, ProgType, Release, Target};
use skep_program::{Fact, Facts, MapDef, Program, Through};
use skep_verifier::{Options, Verdict, verified};

fn array(name: &str, max_entries: u32) -> Arc<MapDef> {
    Arc::new(MapDef { key_size: 4, value_size: 8, max_entries, ..MapDef::new(name, MapType::Array) })
}

fn program(prog_type: ProgType, text: &str) -> Program {
    let insns = assemble(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Program { maps: vec![array("one", 4), array("two", 4), array("value", 1)], ..Program::bare("p", prog_type, insns) }
}

fn facts(prog_type: ProgType, text: &str) -> Facts {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let (report, verified) = verified(program(prog_type, text), &target, &Options::default());
    match verified {
        Some(verified) => verified.facts().clone(),
        None => panic!("{:?}", report.verdict),
    }
}

fn through(facts: &Facts, slots: &[usize]) -> Vec<Through> {
    slots.iter().map(|slot| facts[*slot].through).collect()
}

#[test]
fn nothing_is_vouched_for_that_is_refused() {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let (report, verified) = verified(program(ProgType::SocketFilter, "r0 = r5\nexit"), &target, &Options::default());
    assert!(matches!(report.verdict, Verdict::Reject(_)) && verified.is_none());
}

#[test]
fn pointers_are_told_apart() {
    let text = "
        r6 = *(u32 *)(r1 +0)
        r2 = *(u32 *)(r1 +4)
        r3 = r6
        r3 += 8
        if r3 > r2 goto pc+2
        r0 = *(u8 *)(r6 +7)
        *(u64 *)(r10 -8) = r0
        r0 = 0
        exit";
    let facts = facts(ProgType::Xdp, text);
    assert_eq!(through(&facts, &[0, 1, 5, 6]), [Through::Context, Through::Context, Through::Plain, Through::Stack]);
    assert_eq!(facts[2].through, Through::Nothing);
    assert_eq!(facts.stack_depths(), [8]);
}

#[test]
fn paths_that_differ_are_joined() {
    // r1 is the stack or a value of a map.
    let text = "
        *(u64 *)(r10 -8) = 0
        r6 = *(u32 *)(r1 +0)
        r1 = r10
        r1 += -8
        if r6 > 5 goto pc+2
        r1 = map[idx:2]+0
        r0 = *(u64 *)(r1 +0)
        exit";
    assert_eq!(facts(ProgType::SocketFilter, text)[7].through, Through::Plain);
}

#[test]
fn code_that_no_path_reaches_is_dead() {
    let text = "
        r0 = 1
        if r0 == 1 goto pc+1
        r0 = 2
        exit";
    let facts = facts(ProgType::SocketFilter, text);
    assert_eq!([0, 1, 2, 3].map(|slot: usize| facts[slot].reached), [true, true, false, true]);
}

#[test]
fn the_map_of_a_lookup_and_its_key() {
    let text = |choice: &str, key: &str| {
        format!(
            "
            r6 = *(u32 *)(r1 +0)
            {key}
            *(u32 *)(r10 -8) = r7
            r2 = r10
            r2 += -8
            r1 = map[idx:0]
            {choice}
            call 1
            r0 = 0
            exit"
        )
    };
    let call = |text: &str| {
        let facts = facts(ProgType::SocketFilter, text);
        let found = facts.insns().iter().copied().find(|fact| fact.map.is_some() || fact.key.is_some());
        found.unwrap_or_default()
    };
    let nothing = Fact::default();
    let one = call(&text("", "r7 = 2"));
    assert_eq!((one.map, one.key), (Some(0), Some(2)));
    let any = call(&text("", "r7 = r6"));
    assert_eq!((any.map, any.key), (Some(0), None));
    // Another map on one path, and the same key; another key, and the same map.
    let maps = call(&text("if r6 > 5 goto pc+2\nr1 = map[idx:1]", "r7 = 2"));
    assert_eq!((maps.map, maps.key), (None, Some(2)));
    let keys = call(&text("", "r7 = 2\nif r6 > 5 goto pc+1\nr7 = 3"));
    assert_eq!((keys.map, keys.key), (Some(0), None));
    assert_ne!(one, nothing);
}

#[test]
fn upper_halves_are_zero_where_somebody_reads_them() {
    let text = "
        w2 = 5
        w3 = w2
        w4 = w3
        r0 = r4
        exit";
    let facts = facts(ProgType::SocketFilter, text);
    assert_eq!([0, 1, 2].map(|slot: usize| facts[slot].zero_extend), [false, false, true]);
}

/// The sum is what is read at the end; what it began with, and the count, are read in 32 bits only.
#[test]
fn upper_halves_in_a_loop() {
    let text = "
        w2 = 5
        w3 = 0
        w3 += w2
        w2 += -1
        if w2 != 0 goto pc-3
        r1 = r10
        r1 += -8
        *(u64 *)(r1 +0) = r3
        r0 = 0
        exit";
    let facts = facts(ProgType::SocketFilter, text);
    assert_eq!([0, 1, 2, 3].map(|slot: usize| facts[slot].zero_extend), [false, false, true, false]);
}
