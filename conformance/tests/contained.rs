//! Runs of accepted programs stay within what the verifier claimed, and none traps.
//!
//! `SKEP_JUDGE_INPUTS` says how many cases each program is run on, `SKEP_JUDGE_ONLY` is a part of the name that programs must have,
//! `SKEP_JUDGE_MOST` how many processed instructions a program may have, `SKEP_JUDGE_LIST` lists what was not judged.

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use skep::{Arch, Object, ProgType, Release, Target};
use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::judge::{Ending, Hole, Judgement, Limits, Unjudged, accepted, contained, program};
use skep_conformance::{oracle, parallel};
use skep_isa::asm::kernel::assemble;
use skep_program::Program;
use skep_verifier::{Keep, Options, Privileges, verify};

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn limits(cases: usize) -> Limits {
    let number = |name, or: u32| setting(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")));
    let cases = number("SKEP_JUDGE_INPUTS", cases as u32) as usize;
    Limits { cases, processed: number("SKEP_JUDGE_MOST", 4000), ..Limits::default() }
}

fn keep(keep: Keep) -> Options {
    Options { keep, ..Options::default() }
}

/// What came of many programs.
#[derive(Default)]
struct Sum {
    programs: usize,
    all: Judgement,
    not: BTreeMap<String, Vec<String>>,
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, name: &str, came: Result<Judgement, Unjudged>) {
        match came {
            Err(Unjudged::Refused) => {}
            Err(why) => self.not.entry(why.to_string()).or_default().push(name.to_owned()),
            Ok(judgement) => {
                self.programs += 1;
                self.all.add(&judgement);
                if let Some((case, ending)) = &judgement.found {
                    self.wrong.push(format!("{name}, case {case}: {ending}"));
                }
            }
        }
    }

    fn show(&self, name: &str, keep: Keep) {
        let Judgement { runs, instructions, tally, cut, slots, later, holes, .. } = &self.all;
        println!(
            "{name} ({keep:?}): {} programs in {runs} runs of {instructions} instructions; {later} called later",
            self.programs
        );
        let open: u64 = tally.open.values().sum();
        let all = tally.judged + tally.free + open;
        let share = |part: u64| 100.0 * part as f64 / all.max(1) as f64;
        let [judged, free, not] = [tally.judged, tally.free, open].map(share);
        println!("  {} of {} slots that the verifier came to; {} states", slots.1, slots.0, tally.states);
        println!(
            "  {all} registers and slots that are read later: {judged:.1} % judged, {free:.1} % free, {not:.2} % not judged"
        );
        for (what, count) in &tally.open {
            println!("    {count}: {what}");
        }
        let list = setting("SKEP_JUDGE_LIST").is_some();
        for (why, programs) in &self.not {
            println!("    {} programs: {why}{}", programs.len(), if list { format!(" {programs:?}") } else { String::new() });
        }
        for (why, count) in cut {
            println!("    {count} runs: {why}");
        }
        for (hole, count) in holes {
            println!("    {count} runs into a hole of Linux: {hole}");
        }
        self.wrong.iter().for_each(|wrong| println!("  {wrong}"));
    }
}

fn corpus(options: &Options) {
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let target = Arc::new(corpus.types().target());
    let only = setting("SKEP_JUDGE_ONLY").unwrap_or_default();
    let limits = limits(2);
    let mut wrong = Vec::new();
    for set in Set::ALL {
        // Records of programs over other programs, and with maps that no kernel makes, are not simulated: the reader says so.
        let loads = corpus.loads(set).unwrap().filter_map(Result::ok).filter(|load| load.id.contains(&only));
        let programs: Vec<(String, Arc<Program>)> = loads.map(|load| (load.id, Arc::new(load.program))).collect();
        let one = |index: usize| program(&programs[index].1, &target, options, &limits);
        let mut sum = Sum::default();
        let done = parallel::ordered(programs.len(), parallel::cores(), one, |index, came| {
            sum.add(&programs[index].0, came);
            Ok::<(), Infallible>(())
        });
        done.unwrap();
        sum.show(set.name(), options.keep);
        assert!(!only.is_empty() || options.privileges != Privileges::ALL || sum.programs > 200, "{}", sum.programs);
        wrong.extend(sum.wrong);
    }
    assert!(wrong.is_empty(), "{} programs escape", wrong.len());
}

#[test]
fn runs_lie_in_states_that_are_kept_anyway() {
    corpus(&keep(Keep::States));
}

#[test]
fn runs_lie_in_a_state_at_every_instruction() {
    corpus(&keep(Keep::Everywhere));
}

#[test]
fn numbers_lie_in_their_bounds_at_every_instruction() {
    corpus(&keep(Keep::Numbers));
}

#[test]
fn runs_lie_in_states_of_programs_that_anybody_may_load() {
    corpus(&Options { privileges: Privileges::NONE, ..keep(Keep::Numbers) });
}

#[test]
fn our_own_programs_stay_within_their_states() {
    let target = Arc::new(Target::of(Release::new(6, 18), Arch::X86_64));
    for keep in [Keep::States, Keep::Everywhere, Keep::Numbers].map(keep) {
        let mut sum = Sum::default();
        for folder in ["programs", "verdicts", "verdicts/bugs"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths.iter().filter(|path| path.to_string_lossy().ends_with(".bpf.o")) {
                let object = Object::open(path, &skep::Options::default()).unwrap();
                for program in object.programs() {
                    let Ok(set) = oracle::Set::new(&object, &program, &target) else { continue };
                    let name = format!("{}@{}", path.file_name().unwrap().to_string_lossy(), program.name());
                    sum.add(&name, accepted(&set, &target, &keep, &limits(20)));
                }
            }
        }
        sum.show("our own", keep.keep);
        assert!(sum.wrong.is_empty(), "{} programs escape", sum.wrong.len());
        // Where a state is kept, there all holes of Linux show.
        let holes = [Hole::HighHalf, Hole::AtFramePointer, Hole::RecordSlice];
        let shown = holes.map(|hole| sum.all.holes.contains_key(&hole) || hole == Hole::HighHalf && keep.keep == Keep::States);
        assert_eq!(shown, [true; 3], "{:?}", sum.all.holes);
        assert!(sum.programs > 50, "{}", sum.programs);
    }
}

/// What runs of one program show in what verification left of another.
fn in_states_of(run: &str, of: &str, keep: Keep) -> Option<Ending> {
    let target = Arc::new(Target::new(Release::new(6, 18), Arch::X86_64));
    let make = |text: &str| Arc::new(Program::bare("p", ProgType::Xdp, assemble(text).unwrap()));
    let kept = verify(&make(of), &target, &Options { keep, ..Options::default() }).kept.unwrap();
    let set = oracle::Set { programs: vec![make(run)], others: Vec::new() };
    contained(&set, &target, &kept, &limits(20)).unwrap().found.map(|(_, ending)| ending)
}

/// A verifier that knows one thing too much is found out.
#[test]
fn a_claim_that_does_not_hold_is_found() {
    let packet = |mask: u64, reads: u64| {
        format!(
            "r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 +0)\n\
             r5 &= {mask}\nr2 += r5\nr4 = r2\nr4 += {reads}\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 +0)\nout:\nr0 = 1\nexit"
        )
    };
    let loops = |rounds: u64| format!("r6 = 0\nagain:\nr6 += 1\nif r6 < {rounds} goto again\nr0 = r6\nexit");
    let spills =
        |first: u64| format!("r6 = {first}\n*(u64 *)(r10 -8) = r6\ncall 7\nr6 = *(u64 *)(r10 -8)\nr10 = r10\nr0 = r6\nexit");
    let spills = |first: u64| spills(first).replace("r10 = r10\n", "r7 = r10\nr7 += r6\n*(u8 *)(r7 -8) = 1\n");
    for keep in [Keep::States, Keep::Everywhere, Keep::Numbers] {
        for same in [packet(3, 1), loops(9), spills(3)] {
            assert_eq!(in_states_of(&same, &same, keep), None);
        }
        for (run, of) in
            [(packet(3, 1), packet(2, 1)), (packet(3, 1), packet(3, 50)), (loops(9), loops(8)), (spills(3), spills(4))]
        {
            let found = in_states_of(&run, &of, keep);
            let expected = matches!(found, Some(Ending::Lost(_))) || keep == Keep::States;
            assert!(expected, "{keep:?}: {found:?}\n{run}\n{of}");
        }
    }
}
