//! The verifier on every recorded load, held against the kernel's verdicts.
//!
//! `SKEP_VERDICTS_ONLY` is a part of the id that programs must have, `SKEP_VERDICTS_LIST` a kind of difference of which all are listed:
//! false-accept, false-reject, undecided, missing, insns, states, stack, message, selftest-message.

mod common;

use std::collections::BTreeMap;

use skep_conformance::corpus::{Corpus, Set, Truth};
use skep_conformance::parallel;
use skep_conformance::verdicts::{Kind, Table, ask, judge};
use skep_object::Object;
use skep_verifier::{Options, Report, Verdict};

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

/// More processed instructions than this are not worth a second time.
const LONG: u32 = 200_000;

/// Objects go through our own loader to the same verdict as what libbpf gave the kernel. Objects of old compilers and other loaders are
/// repaired as they were when the loads were recorded.
#[test]
fn objects_have_the_verdicts_of_their_loads() {
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    // What objects of the corpus ask of the configuration.
    let target = corpus.types().target().with_kconfig("CONFIG_HZ", "250").with_kconfig("CONFIG_KASAN", "n");
    let options = skep_object::Options { repairs: skep_object::Repairs::ALL, ..Default::default() };
    let mut objects: BTreeMap<String, Object> = BTreeMap::new();
    let mut work = Vec::new();
    for set in [Set::Samples, Set::LibbpfTools] {
        for load in corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))) {
            let object = objects.entry(load.object.clone());
            let object = object.or_insert_with(|| Object::open(corpus.object(set, &load.object), &options).unwrap());
            let mut found = object.programs().nth(load.index as usize).unwrap();
            assert_eq!(found.name(), load.program.name, "{}", load.id);
            if found.prog_type() != Some(load.program.prog_type) {
                found = found.as_type(load.program.prog_type, load.program.attach_type);
            }
            let mut program = found.relocate(&target).unwrap_or_else(|error| panic!("{}: {error}", load.id));
            // The recording added flags of its own.
            program.flags = load.program.flags;
            work.push((load, program));
        }
    }
    let mut wrong = Vec::new();
    let both = |index: usize| {
        let (load, program) = &work[index];
        let first = ask(&load.program, &target, &Options::default());
        let second = (first.stats.insns_processed < LONG).then(|| ask(program, &target, &Options::default()));
        (first, second)
    };
    parallel::ordered(work.len(), parallel::cores(), both, |index, (first, second)| {
        let said = |report: &Report| match &report.verdict {
            Verdict::Accept => "accept".to_owned(),
            Verdict::Reject(reject) => reject.why.to_string(),
            Verdict::Undecided(undecided) => undecided.what.to_string(),
        };
        let Some(second) = second else { return Ok::<_, ()>(()) };
        let (a, b) = ((said(&first), first.stats.insns_processed), (said(&second), second.stats.insns_processed));
        if a != b {
            wrong.push(format!("{}: load {a:?}, object {b:?}", work[index].0.id));
        }
        Ok(())
    })
    .unwrap();
    println!("{} programs, {} differ", work.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
