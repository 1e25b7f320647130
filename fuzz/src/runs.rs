//! Programs that both verifiers accept, run in both: results are compared, and while skep runs one, every instruction is held against what
//! verification left.

use std::sync::Arc;
use std::time::Duration;

use skep_conformance::diff::{self, Inputs, Verdict};
use skep_conformance::judge::{self, Limits, Unjudged};
use skep_conformance::oracle::{Set, shape};
use skep_isa::{Callee, Code, Insn, Wide};
use skep_linux::{HelperRow, Target};
use skep_program::Program;
use skep_verifier::{Keep, Options};

/// What came of running a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// Nothing: why.
    Not(String),
    /// Both did the same.
    Same,
    /// They differ.
    Differ(String),
    /// It left what verification claims, or trapped.
    Lost(String),
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Runs {
    target: Arc<Target>,
    inputs: usize,
}

/// Calls that reach the process that runs the program: it would end, or lose its files.
const REACHES_OUT: [&str; 8] = [
    "bpf_send_signal",
    "bpf_send_signal_thread",
    "bpf_send_signal_task",
    "bpf_sys_bpf",
    "bpf_sys_close",
    "bpf_override_return",
    "bpf_probe_write_user",
    "crash_kexec",
];
/// Instructions of all runs of a program.
const INSTRUCTIONS: u64 = 200_000;

impl Runs {
    /// So many inputs for each program.
    pub fn new(target: Target, inputs: usize) -> Runs {
        Runs { target: Arc::new(target), inputs }
    }

    /// Runs a program that both accept. The calling thread should be one that [`diff::apart`] made.
    pub fn run(&self, program: &Program, seed: u64) -> Ran {
        if shape(program.prog_type).is_none() {
            return Ran::Not(format!("{} programs are not run on request", program.prog_type.name()));
        }
        if let Some(why) = stays_in_place(program) {
            return Ran::Not(why);
        }
        let program = Arc::new(with_its_maps(program));
        let limits = Limits { cases: self.inputs, seed, all: INSTRUCTIONS, ..Limits::default() };
        // The states that claim most; some loops never end with them.
        let kept = |keep| judge::program(&program, &self.target, &Options { keep, ..Options::default() }, &limits);
        let judged = match kept(Keep::Numbers) {
            Err(Unjudged::Keep(_)) => kept(Keep::Everywhere),
            judged => judged,
        };
        match judged {
            Ok(judgement) => {
                if let Some((case, ending)) = judgement.found {
                    return Ran::Lost(format!("case {case}: {ending}"));
                }
            }
            Err(Unjudged::Run(error)) => return Ran::Not(error.to_string().split(',').next().unwrap_or_default().to_owned()),
            Err(other) => return Ran::Not(other.to_string()),
        }
        let options = diff::Options {
            inputs: Inputs::Generated { count: self.inputs, seed },
            instructions: INSTRUCTIONS,
            kernel_time: Duration::from_secs(1),
            ..diff::Options::new(self.target.clone())
        };
        let set = Set { programs: vec![program], others: Vec::new() };
        match diff::set(set, &options).verdict {
            Verdict::Agree => Ran::Same,
            Verdict::Differ(found) => Ran::Differ(format!("input {}: {}", found.index, found.difference)),
            Verdict::NotComparable(why) | Verdict::SkepRefuses(why) | Verdict::KernelRefuses(why) => {
                Ran::Not(why.lines().next().unwrap_or_default().to_owned())
            }
        }
    }
}

/// Why a program is not run: what it calls, or how long it may take.
fn stays_in_place(program: &Program) -> Option<String> {
    for (_, insn) in Code::decode_each(&program.insns).iter() {
        let name = match insn {
            Insn::Call(Callee::Helper(id)) => {
                u32::try_from(id).ok().and_then(skep_linux::helper).map_or("", |row: &HelperRow| row.name)
            }
            Insn::Call(Callee::Kfunc { id, .. }) => {
                program.kfuncs.iter().find(|kfunc| kfunc.id == id).map_or("", |kfunc| &kfunc.name)
            }
            // The kernel goes round for a quarter of a second.
            Insn::MayGoto { .. } => return Some("may_goto".to_owned()),
            _other => continue,
        };
        if REACHES_OUT.contains(&name) {
            return Some(format!("{name} reaches out"));
        }
    }
    None
}

/// The program with the maps alone that it names.
pub(crate) fn with_its_maps(program: &Program) -> Program {
    let mut made = program.clone();
    made.maps.clear();
    let mut numbers: Vec<Option<i32>> = vec![None; program.maps.len()];
    for (slot, insn) in Code::decode_each(&program.insns).iter() {
        if let Insn::LoadWide { value: Wide::MapIndex(index) | Wide::MapIndexValue { index, .. }, .. } = insn
            && let Some((def, number)) =
                usize::try_from(index).ok().and_then(|at| Some((program.maps.get(at)?, numbers.get_mut(at)?)))
        {
            let number = *number.get_or_insert_with(|| {
                made.maps.push(def.clone());
                made.maps.len() as i32 - 1
            });
            made.insns[slot].imm = number;
        }
    }
    made
}
