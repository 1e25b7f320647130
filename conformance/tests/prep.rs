//! What the verifier finds out before it follows paths, held against the kernel over the recorded corpus: its log says of every slot which
//! registers are live and which loop it is in, and what it refuses at once is recorded.

mod common;

use std::collections::HashMap;

use skep_conformance::corpus::{Corpus, Load, Set, Truth, Verdict};
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};
use skep_verifier::prep::{Prep, prepare};
use skep_verifier::{At, Fault, Options, Setting};

fn open() -> Option<Corpus> {
    let root = common::shared("corpus")?;
    Some(Corpus::open(&root).unwrap_or_else(|error| panic!("{error}")))
}

fn loads(corpus: &Corpus, set: Set) -> impl Iterator<Item = Load> + '_ {
    corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}")))
}

fn truth(corpus: &Corpus, set: Set) -> HashMap<String, Truth> {
    let lines = corpus.truth(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}")));
    lines.map(|truth| (truth.id.clone(), truth)).collect()
}

/// The table is the beginning of a log that says what becomes of every instruction after it: where there are more, the kernel takes long.
const MOST_PROCESSED: u64 = 20_000;

/// A line of the kernel's table of live registers: the loop, the slot, and a bit for each of `r0` to `r9`.
fn live_line(line: &str) -> Option<(u32, usize, u16)> {
    let (before, after) = line.split_once(": ")?;
    let registers = after.get(..10).filter(|text| text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()))?;
    let mut numbers = before.split_whitespace();
    let (first, second) = (numbers.next()?, numbers.next());
    let (scc, slot) = match second {
        Some(slot) => (first.parse().ok()?, slot.parse().ok()?),
        None => (0, first.parse().ok()?),
    };
    let live = registers.bytes().enumerate().filter(|(_, byte)| *byte != b'.').map(|(bit, _)| 1 << bit).sum();
    Some((scc, slot, live))
}

fn live_table(log: &str) -> Vec<(u32, usize, u16)> {
    let Some((_, table)) = log.split_once("Live regs before insn:\n") else { return Vec::new() };
    table.lines().map_while(live_line).collect()
}

fn found(prep: &Prep) -> Vec<(u32, usize, u16)> {
    let is_first = |slot: &usize| prep.code.get(*slot) != Some(&skep_isa::Slot::Second);
    let row = |slot: usize| (prep.marks[slot].scc, slot, prep.marks[slot].live_regs & 0x3ff);
    (0..prep.code.len()).filter(is_first).map(row).collect()
}

#[test]
fn live_registers_and_loops_are_the_kernels() {
    let Some(corpus) = open() else { return };
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let host = match skep::host() {
        Ok(target) if Kernel::release().starts_with("6.18.") => target,
        Ok(_) | Err(_) => return println!("skipped: needs a kernel of release 6.18"),
    };
    let Some(types) = host.btf().cloned() else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let (mut programs, mut slots, mut wrong, mut skipped) = (0, 0, 0, 0);
    for set in Set::ALL {
        let truth = truth(&corpus, set);
        for load in loads(&corpus, set) {
            if truth[&load.id].processed.unwrap_or(0) > MOST_PROCESSED {
                skipped += 1;
                continue;
            }
            let program = load.retarget(corpus.vmlinux(), &types).unwrap_or_else(|error| panic!("{}: {error}", load.id));
            let log = match Loaded::create(&program, LogLevel::FirstStates) {
                Ok(loaded) => loaded.log,
                Err(LoadError::Refused { log, .. }) => log,
                Err(_) => continue,
            };
            let kernel = live_table(&log);
            if kernel.is_empty() {
                continue; // it did not come so far
            }
            let options = Options::default();
            let setting = Setting::new(&program, &host, &options).unwrap();
            let ours = match prepare(&setting) {
                Ok(prep) => found(&prep),
                Err(at) => panic!("{}: {at:?}", load.id),
            };
            programs += 1;
            slots += kernel.len();
            if ours != kernel {
                wrong += 1;
                let place = ours.iter().zip(&kernel).position(|(ours, kernel)| ours != kernel);
                let at = place.unwrap_or(ours.len().min(kernel.len()));
                println!("{}: {:x?}, the kernel {:x?}", load.id, ours.get(at), kernel.get(at));
            }
        }
    }
    println!("{programs} programs with {slots} instructions; {wrong} programs differ; {skipped} are long to log");
    assert_eq!(wrong, 0);
    assert!(programs > 1500, "{programs}");
}

/// The last line of the log that is no count and no source.
fn last_words(message: &str) -> &str {
    message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

#[test]
fn what_is_refused_at_once_is_what_the_kernel_refuses() {
    let Some(corpus) = open() else { return };
    let target =
        skep_linux::Target::new(skep_linux::Release::new(6, 18), skep_linux::Arch::X86_64).with_btf(corpus.vmlinux().clone());
    let (mut found, mut missing, mut false_rejects) = (0, Vec::new(), Vec::new());
    for set in Set::ALL {
        let truth = truth(&corpus, set);
        for load in loads(&corpus, set) {
            let truth = &truth[&load.id];
            if truth.verdict == Verdict::Noload {
                continue; // the verifier was not asked
            }
            let options = Options::default();
            let setting = Setting::new(&load.program, &target, &options).unwrap();
            let kernel = (truth.verdict == Verdict::Reject).then(|| last_words(truth.message.as_deref().unwrap_or_default()));
            let at_once = kernel.filter(|_| truth.processed.unwrap_or(0) == 0);
            match prepare(&setting) {
                Ok(_) if at_once.is_some() => missing.push(format!("{}: {}", load.id, at_once.unwrap())),
                Ok(_) => {}
                Err(At { fault: Fault::Refused(why), .. }) if at_once == Some(last_words(&why.to_string())) => found += 1,
                Err(at) => false_rejects.push(format!("{}: {at:?}, the kernel {:?} {kernel:?}", load.id, truth.verdict)),
            }
        }
    }
    for line in missing.iter().chain(&false_rejects) {
        println!("{line}");
    }
    println!("{found} refusals found, {} missing, {} wrong", missing.len(), false_rejects.len());
    assert!(false_rejects.is_empty());
    assert!(missing.is_empty());
    assert!(found > 0);
}
