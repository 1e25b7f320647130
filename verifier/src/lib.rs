//! *What it is*: the verdict of Linux on a program, in userspace.
//!
//! *Invariant*: what is not modelled is "undecided", and never accepted. Abstract values at full width are exactly those that Linux
//! keeps, since another domain reaches other verdicts.
//!
//! *Start here*: [`verify`]; then [`prep`] (what is found out before any path is followed) and [`domain`].
#![deny(unsafe_code)]

pub mod domain;
mod explore;
mod facts;
mod fault;
pub mod kept;
mod log;
mod options;
pub mod prep;
mod report;
mod setting;
pub mod state;
mod step;
pub mod types;
mod verified;
pub mod why;

use std::time::Instant;

use skep_linux::Target;
use skep_program::{Facts, Program};

pub use fault::{At, Fault};
pub use options::{Keep, Options, Policies, Privileges};
pub use report::{NotModelled, Reject, Report, Stats, Trail, Undecided, Verdict};
pub use setting::{Setting, flags};
pub use verified::verified;

/// What the kernel would say of the program.
pub fn verify(program: &Program, target: &Target, options: &Options) -> Report {
    run(program, target, options, &mut None)
}

/// The report; and the facts, where they are asked for and the program is accepted.
fn run(program: &Program, target: &Target, options: &Options, facts: &mut Option<&mut Facts>) -> Report {
    let start = Instant::now();
    let mut report =
        Report { verdict: Verdict::Accept, stats: Stats::default(), log: String::new(), insn_counts: Vec::new(), kept: None };
    if let Err((at, trail)) = decide(program, target, options, &mut report, facts) {
        report.verdict = at.fault.verdict(at.pc, trail);
        // What is wrong with a program as a whole is said before any path is followed, or after all.
        if let (Verdict::Reject(reject), true) = (&report.verdict, options.log_level > 0)
            && reject.trail.path.is_empty()
        {
            report.log.push_str(&reject.why.to_string());
            report.log.push('\n');
        }
    }
    report.stats.time = start.elapsed();
    report
}

fn decide(
    program: &Program,
    target: &Target,
    options: &Options,
    report: &mut Report,
    facts: &mut Option<&mut Facts>,
) -> Result<(), (At, Trail)> {
    let setting = Setting::new(program, target, options).map_err(|fault| (At::whole(fault), Trail::default()))?;
    let mut early = prep::Early::default();
    let prep = prep::prepare_counting(&setting, &mut early);
    report.stats.stack_depth = vec![0; early.functions];
    let mut log = log::Log::new(options.log_level);
    if let Some(log) = &mut log {
        log.functions(&early.starts);
    }
    match prep {
        Ok((prep, attach)) => explore::explore(&setting, &prep, attach.as_ref(), log, report, facts),
        Err(at) => {
            report.log = log.map_or_else(String::new, |log| log.text);
            Err((at, Trail::default()))
        }
    }
}
