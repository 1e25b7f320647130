//! The answer for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Sum;
use super::answer::{Answer, Word};

const ACCEPTED: Style = AnsiColor::Green.on_default().bold();
const REJECTED: Style = AnsiColor::Red.on_default().bold();
const UNDECIDED: Style = AnsiColor::Yellow.on_default().bold();

/// The limit on processed instructions that shares are of.
const BUDGET: f64 = 1_000_000.0;

/// The verdict of a program, and what it took.
pub(super) fn answer(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let (style, word) = match answer.word() {
        Word::Accept => (ACCEPTED, "accepted"),
        Word::Reject => (REJECTED, "rejected"),
        Word::Undecided => (UNDECIDED, "undecided"),
        Word::NoLoad => (REJECTED, "not loadable"),
    };
    let kind = answer.prog_type.as_deref().unwrap_or("unknown type");
    write!(out, "{style}{word}{style:#} {}: {} ({kind})", answer.object, answer.name)?;
    if let Some(report) = answer.report() {
        let stats = &report.stats;
        let share = 100.0 * f64::from(stats.insns_processed) / BUDGET;
        write!(
            out,
            ": {} instructions processed ({share:.2} %), {} states, stack {}, {:.0?}",
            stats.insns_processed,
            stats.total_states,
            answer.stack_depth().unwrap_or_default(),
            stats.time
        )?;
    }
    writeln!(out)?;
    if let Some(message) = answer.message() {
        for line in message.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(line) = answer.source() {
        writeln!(out, "  --> {}:{}:{}", line.file, line.line, line.column)?;
        writeln!(out, "   |  {}", line.text.trim())?;
    }
    Ok(())
}

/// How many programs there were of each verdict.
pub(super) fn summary(out: &mut dyn Write, sum: &Sum) -> io::Result<()> {
    let accepted = sum.all - sum.rejected - sum.undecided;
    writeln!(out, "{} programs: {accepted} accepted, {} rejected, {} undecided", sum.all, sum.rejected, sum.undecided)
}
