//! The answer in the kernel's words, framed as libbpf frames the log of a load.

use std::io::{self, Write};

use skep_linux::limits::MAX_PROCESSED_INSNS;

use super::answer::{Answer, Outcome, Word};

/// The log of a program, with the lines of statistics at its end.
pub(super) fn answer(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let name = &answer.name;
    let report = match &answer.outcome {
        Outcome::NoLoad(why) => return writeln!(out, "prog '{name}': not loaded: {why}"),
        Outcome::Report(report) => report,
    };
    writeln!(out, "prog '{name}': -- BEGIN PROG LOAD LOG --")?;
    let message = answer.message().unwrap_or_default();
    let undecided = if answer.word() == Word::Undecided { "undecided: " } else { "" };
    for text in [report.log.as_str(), message.as_str()] {
        // A log ends with the message.
        if text == message && !message.is_empty() && report.log.trim_end().ends_with(message.as_str()) {
            continue;
        }
        text.lines().try_for_each(|line| writeln!(out, "{undecided}{line}"))?;
    }
    let stats = &report.stats;
    writeln!(out, "verification time {} usec", stats.time.as_micros())?;
    writeln!(out, "stack depth {}", answer.stack_depth().unwrap_or_default())?;
    writeln!(
        out,
        "processed {} insns (limit {MAX_PROCESSED_INSNS}) max_states_per_insn {} total_states {} peak_states {} mark_read 0",
        stats.insns_processed, stats.max_states_per_insn, stats.total_states, stats.peak_states
    )?;
    writeln!(out, "prog '{name}': -- END PROG LOAD LOG --")
}
