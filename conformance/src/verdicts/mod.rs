//! The verifier's verdicts, held against those that the kernel gave.
//!
//! [`ask`] is the verifier with a net below it; [`judge`] asks about recorded loads and fills a [`Table`].

mod ask;
mod expected;
mod table;
mod user;

pub use ask::ask;
pub use table::{Kind, Share, Table};
pub use user::User;

use std::collections::HashMap;

use skep_linux::Target;
use skep_verifier::{NotModelled, Options, Report, Verdict};

use crate::LineError;
use crate::corpus::{Load, LoadProblem, Loads, Truth, Types, Verdict as Recorded};
use crate::parallel;

/// The level at which selftests look at the log where they do not say one.
const LOG_LEVEL: u8 = 1;

/// What the verifier says of a load: a load that is beyond skep is undecided.
///
/// # Errors
/// A line that cannot be read.
pub fn of_load(
    load: Result<Load, LineError<LoadProblem>>,
    target: &Target,
    options: &Options,
) -> Result<(Option<Load>, Report), LineError<LoadProblem>> {
    match load {
        Ok(load) => {
            let report = ask(&load.program, target, options);
            Ok((Some(load), report))
        }
        Err(LineError { problem: problem @ LoadProblem::OverProgram, .. }) => {
            Ok((None, ask::undecided(NotModelled::Feature(problem.to_string()))))
        }
        Err(error) => Err(error),
    }
}

/// Asks about every load of which the kernel's verdict is known, on `jobs` threads. Verdicts without a load are missing.
///
/// # Errors
/// A line that cannot be read.
pub fn judge(name: &str, truths: &[Truth], loads: &Loads, types: &Types, jobs: usize) -> Result<Table, LineError<LoadProblem>> {
    let target = types.target();
    let mut open: HashMap<&str, &Truth> = truths.iter().map(|truth| (truth.id.as_str(), truth)).collect();
    open.retain(|_, truth| truth.verdict != Recorded::Noload);
    let mut table = Table::new(name);
    let work = |index: usize| {
        let load = loads.get(index, types)?;
        let Some(truth) = open.get(load.id.as_str()) else { return Ok(None) };
        let (load, report) = of_load(Ok(load), &target, &Options::default())?;
        let text = load.map(|load| words(truth, &load, &report, &target));
        Ok(Some((truth.id.as_str(), report, text.unwrap_or_default())))
    };
    let mut answers = Vec::new();
    parallel::ordered(loads.len(), jobs, work, |_, answer| {
        answers.extend(answer?);
        Ok(())
    })?;
    for (id, report, text) in answers {
        if let Some(truth) = open.remove(id) {
            table.add(truth, &report, &text);
        }
    }
    truths.iter().filter(|truth| open.contains_key(truth.id.as_str())).for_each(|truth| table.missing(truth));
    Ok(table)
}

/// The text in which a test looks for the messages that it expects. Time is not spent on a log where the message alone has them.
fn words(truth: &Truth, load: &Load, report: &Report, target: &Target) -> String {
    let Verdict::Reject(reject) = &report.verdict else { return String::new() };
    let message = reject.why.to_string();
    let expected = expected::messages(truth);
    if expected.iter().all(|wanted| expected::is_in(wanted, &message)) {
        return message;
    }
    let level = truth.tags.iter().find_map(|tag| tag.strip_prefix("test_log_level=")?.parse().ok());
    let options = Options { log_level: level.unwrap_or(LOG_LEVEL), ..Options::default() };
    ask(&load.program, target, &options).log + "\n" + &message
}
