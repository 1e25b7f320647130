//! The verifier on every recorded load, held against the kernel's verdicts.
//!
//! `SKEP_VERDICTS_ONLY` is a part of the id that programs must have, `SKEP_VERDICTS_LIST` a kind of difference of which all are listed:
//! false-accept, false-reject, undecided, missing, insns, states, stack, message, selftest-message.

mod common;

use skep_conformance::corpus::{Corpus, Set, Truth};
use skep_conformance::parallel;
use skep_conformance::verdicts::{Kind, Table, judge};

/// What has been reached, and is not given up.
struct Floor {
    set: Set,
    /// Programs with a verdict of the kernel.
    programs: usize,
    /// How many of these must be equal.
    verdicts: usize,
    insns: usize,
    states: usize,
    messages: usize,
    expected: usize,
    /// How many there may be at most: this number goes down.
    false_rejects: usize,
}

const FLOORS: [Floor; 3] = [
    Floor {
        set: Set::Selftests,
        programs: 1322,
        verdicts: 1322,
        insns: 1322,
        states: 1322,
        messages: 508,
        expected: 478,
        false_rejects: 0,
    },
    Floor {
        set: Set::Samples,
        programs: 289,
        verdicts: 289,
        insns: 289,
        states: 289,
        messages: 21,
        expected: 0,
        false_rejects: 0,
    },
    Floor {
        set: Set::LibbpfTools,
        programs: 283,
        verdicts: 283,
        insns: 283,
        states: 283,
        messages: 3,
        expected: 0,
        false_rejects: 0,
    },
];

/// Of each kind, so many differences are shown unless one kind is asked for.
const SHOWN: usize = 5;

fn show(table: &Table, kind: Option<Kind>) {
    print!("{table}");
    for shown in Kind::ALL.into_iter().filter(|shown| kind.is_none_or(|kind| kind == *shown)) {
        let most = if kind.is_some() { usize::MAX } else { SHOWN };
        table.list(shown).take(most).for_each(|line| println!("    {}: {line}", shown.name()));
    }
}

#[test]
fn verdicts_are_the_kernels() {
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let only = std::env::var("SKEP_VERDICTS_ONLY").unwrap_or_default();
    let list = std::env::var("SKEP_VERDICTS_LIST").ok();
    let list = list.map(|name| Kind::named(&name).unwrap_or_else(|| panic!("SKEP_VERDICTS_LIST: no kind is called {name}")));
    let mut wrong = Vec::new();
    for floor in &FLOORS {
        let truths = corpus.truth(floor.set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}")));
        let truths: Vec<Truth> = truths.filter(|truth| truth.id.contains(&only)).collect();
        let mut loads = corpus.loads_of(floor.set).unwrap_or_else(|error| panic!("{error}"));
        loads.retain(&only);
        let table = judge(floor.set.name(), &truths, &loads, corpus.types(), parallel::cores());
        let table = table.unwrap_or_else(|error| panic!("{error}"));
        show(&table, list);
        let name = floor.set.name();
        if table.count(Kind::FalseAccept) > 0 {
            wrong.push(format!("{name}: {} false accepts", table.count(Kind::FalseAccept)));
        }
        if !only.is_empty() {
            continue;
        }
        assert_eq!(table.verdicts.of, floor.programs, "{name}");
        if table.count(Kind::FalseReject) > floor.false_rejects {
            wrong.push(format!("{name}: {} false rejects, and {} before", table.count(Kind::FalseReject), floor.false_rejects));
        }
        let reached = [
            ("verdicts", table.verdicts.same, floor.verdicts),
            ("processed instructions", table.insns.same, floor.insns),
            ("states", table.states.same, floor.states),
            ("messages", table.messages.same, floor.messages),
            ("expected messages", table.expected.same, floor.expected),
        ];
        for (what, same, floor) in reached {
            if same < floor {
                wrong.push(format!("{name}: {same} {what} are equal, and {floor} were before"));
            } else if same > floor {
                println!("  {what}: {same} are equal; the floor of {floor} can be raised");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
