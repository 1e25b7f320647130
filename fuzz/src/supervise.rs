//! Runs the cases of a subject in a process of its own, which may hang or die, and starts it again behind the case that did it.
//!
//! The worker writes lines: `c 17` before case 17; `f` and a finding as JSON; `s` and a summary as JSON, from time to time; `r` and its
//! greatest resident size in KiB.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::driver::{Driver, Finding, LONGEST, Problem, Summary};
use crate::subjects::Subject;

/// Cases from summary to summary.
const BATCH: u64 = 1_000;
/// Findings after which a subject is not run on.
const ENOUGH: usize = 40;

/// The cases that one subject is to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The subject.
    pub subject: String,
    /// Number of the first case.
    pub first: u64,
    /// Number after the last case.
    pub end: u64,
    /// Seed number.
    pub seed: u64,
}

/// What came of a plan.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cases that were begun.
    pub cases: u64,
    /// All cases together. Of a worker that died, the counts of the last cases are missing; its findings are not.
    pub summary: Summary,
    /// Greatest resident size of a worker, in KiB.
    pub resident: u64,
    /// How long it took.
    pub took: Duration,
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The worker's side: runs the plan in this process with at most so many bytes of address space (0: no limit), and writes to `out`.
///
/// # Errors
/// Where the limit cannot be set or nobody reads.
pub fn work(plan: &Plan, subject: &dyn Subject, address_space: u64, out: &mut impl Write) -> std::io::Result<()> {
    if address_space != 0 {
        // A stricter limit that is in force stays: nobody may lift it.
        let least = getrlimit(Resource::As).maximum.map_or(address_space, |most| most.min(address_space));
        setrlimit(Resource::As, Rlimit { current: Some(least), maximum: Some(least) })?;
    }
    let driver = Driver::new(&plan.subject, subject, plan.seed);
    let mut summary = Summary::default();
    for case in plan.first..plan.end {
        writeln!(out, "c {case}")?;
        out.flush()?;
        driver.run(case, &mut summary);
        for finding in summary.findings.drain(..) {
            writeln!(out, "f {}", serde_json::to_string(&finding)?)?;
        }
        if (case + 1) % BATCH == 0 || case + 1 == plan.end {
            writeln!(out, "s {}", serde_json::to_string(&std::mem::take(&mut summary))?)?;
            writeln!(out, "r {}", resident())?;
            out.flush()?;
        }
    }
    Ok(())
}

/// What a worker has said so far.
#[derive(Default)]
struct Heard {
    case: AtomicU64,
    /// Milliseconds since the start of the last line.
    at: AtomicU64,
    report: Mutex<Report>,
}

impl Heard {
    fn line(&self, line: &str) {
        let mut report = self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some((what, rest)) = line.split_once(' ') else { return };
        match what {
            "c" => {
                self.case.store(rest.parse().unwrap_or(0), Ordering::Relaxed);
                report.cases += 1;
            }
            "f" => report.summary.findings.extend(serde_json::from_str::<Finding>(rest).ok()),
            "s" => report.summary.merge(serde_json::from_str(rest).unwrap_or_default()),
            "r" => report.resident = report.resident.max(rest.parse().unwrap_or(0)),
            _ => {}
        }
    }
}

/// Reads what a worker says until it ends or hangs. `None` if it hung and was ended.
fn follow(child: &mut Child, heard: &Heard) -> std::io::Result<Option<ExitStatus>> {
    let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("the worker has no output"))?;
    let started = Instant::now();
    heard.at.store(0, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                heard.at.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
                heard.line(&line);
            }
        });
        while !reader.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            let silent = started.elapsed().saturating_sub(Duration::from_millis(heard.at.load(Ordering::Relaxed)));
            // Beyond the limit that the worker itself keeps to.
            if silent > 2 * LONGEST {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
        }
        child.wait().map(Some)
    })
}

fn how(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or(-1)),
    }
}

/// Runs a plan in workers that `command` starts; it gets the range of cases that is left. `case_of` names the seed of a case.
///
/// # Errors
/// Where workers cannot be started.
pub fn supervise(plan: &Plan, command: impl Fn(&Plan) -> Command, case_of: impl Fn(u64) -> String) -> std::io::Result<Report> {
    let started = Instant::now();
    let heard = Heard::default();
    let mut left = plan.clone();
    while left.first < left.end {
        heard.case.store(left.first, Ordering::Relaxed);
        let mut child = command(&left).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let ended = follow(&mut child, &heard)?;
        let mut report = heard.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let problem = match ended {
            Some(status) if status.success() => break,
            Some(status) => Problem::Died(how(status)),
            None => Problem::Hang,
        };
        let case = heard.case.load(Ordering::Relaxed);
        report.summary.findings.push(Finding { case, seed: case_of(case), problem });
        left.first = case + 1;
        if report.summary.findings.len() >= ENOUGH {
            break;
        }
    }
    let mut report = heard.report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.took = started.elapsed();
    Ok(report)
}
