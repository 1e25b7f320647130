//! The answer for people: in the manner of compilers.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::answer::{Answer, Word};
use super::explain::{Explanation, Shown};
use super::place;
use super::render::Sum;
use super::top::Top;

const ACCEPTED: Style = AnsiColor::Green.on_default().bold();
const REJECTED: Style = AnsiColor::Red.on_default().bold();
const UNDECIDED: Style = AnsiColor::Yellow.on_default().bold();
const MARGIN: Style = AnsiColor::Blue.on_default().bold();
const BOLD: Style = Style::new().bold();

/// The limit on processed instructions that shares are of.
const BUDGET: f64 = 1_000_000.0;

fn style(word: Word) -> (Style, &'static str) {
    match word {
        Word::Accept => (ACCEPTED, "accepted"),
        Word::Reject => (REJECTED, "rejected"),
        Word::Undecided => (UNDECIDED, "undecided"),
        Word::NoLoad => (REJECTED, "not loadable"),
    }
}

/// The verdict of a program, what it took, and why it is not accepted.
pub(super) fn answer(out: &mut dyn Write, answer: &Answer, explanation: Option<&Explanation>) -> io::Result<()> {
    let (style, word) = style(answer.word());
    let kind = answer.prog_type.as_deref().unwrap_or("unknown type");
    write!(out, "{style}{word:>12}{style:#} {} {BOLD}{}{BOLD:#} ({kind})", answer.object, answer.name)?;
    if let Some(report) = answer.report() {
        let stats = &report.stats;
        write!(out, ": {}, {} states", insns(stats.insns_processed), stats.total_states)?;
        match answer.stack_depth().as_deref() {
            None | Some("") => {}
            Some(stack) => write!(out, ", stack {stack}")?,
        }
        write!(out, ", {}", time(stats.time))?;
    }
    writeln!(out)?;
    match explanation {
        Some(explanation) => explained(out, answer, explanation),
        None => Ok(()),
    }
}

/// `54 instructions (0.01 % of the budget)`.
fn insns(count: u32) -> String {
    let share = 100.0 * f64::from(count) / BUDGET;
    if share < 0.1 { format!("{count} instructions") } else { format!("{count} instructions ({share:.1} % of the limit)") }
}

fn time(time: std::time::Duration) -> String {
    match time.as_micros() {
        0..1_000 => format!("{} us", time.as_micros()),
        1_000..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

fn explained(out: &mut dyn Write, answer: &Answer, explanation: &Explanation) -> io::Result<()> {
    let (style, word) = match answer.word() {
        Word::Undecided => (UNDECIDED, "undecided"),
        Word::Accept | Word::Reject | Word::NoLoad => (REJECTED, "error"),
    };
    let mut title = explanation.title.lines();
    if explanation.lines.is_empty() && explanation.linux.is_none() {
        writeln!(out, "{:12} {style}{word}{style:#}: {}", "", title.next().unwrap_or_default())?;
        return title.try_for_each(|line| writeln!(out, "{:14} {line}", ""));
    }
    writeln!(out, "\n{style}{word}{style:#}{BOLD}: {}{BOLD:#}", title.next().unwrap_or_default())?;
    let numbers = explanation.lines.iter().map(|line| line.number).max().unwrap_or(0);
    let width = numbers.to_string().len();
    title.try_for_each(|line| writeln!(out, "{:width$}   {line}", ""))?;
    if let Some(last) = explanation.lines.last() {
        writeln!(out, "{:width$}{MARGIN}-->{MARGIN:#} {}", "", place(answer, last))?;
        writeln!(out, "{:width$} {MARGIN}|{MARGIN:#}", "")?;
        let indent = explanation.lines.iter().filter(|line| !line.text.trim().is_empty()).map(|line| indent(&line.text)).min();
        let mut file = last.file.as_ref();
        for (at, line) in explanation.lines.iter().enumerate() {
            if line.file.as_ref() != file {
                writeln!(out, "{:width$}{MARGIN}:::{MARGIN:#} {}", "", place(answer, line))?;
                file = line.file.as_ref();
            }
            let primary = at + 1 == explanation.lines.len();
            source(out, line, width, indent.unwrap_or(0), primary.then_some(style))?;
        }
        writeln!(out, "{:width$} {MARGIN}|{MARGIN:#}", "")?;
    }
    let mut note = |kind: &str, text: &str| -> io::Result<()> {
        let mut lines = text.lines();
        writeln!(out, "{:width$} {MARGIN}={MARGIN:#} {BOLD}{kind}{BOLD:#}: {}", "", lines.next().unwrap_or_default())?;
        let deep = width + 5 + kind.len();
        lines.try_for_each(|line| writeln!(out, "{:deep$}{line}", ""))
    };
    explanation.held.iter().try_for_each(|text| note("note", text))?;
    explanation.help.iter().try_for_each(|text| note("help", text))?;
    if let Some(words) = &explanation.linux {
        note("linux", words)?;
    }
    writeln!(out)
}

/// `file.c:12:5`; without source, the object and the instruction.
fn place(answer: &Answer, line: &Shown) -> String {
    match (line.file.as_ref().map(|file| place::file(file, &answer.object)), line.column) {
        (Some(file), 0) => format!("{file}:{}", line.number),
        (Some(file), column) => format!("{file}:{}:{column}", line.number),
        (None, _) => format!("{}: {}, instruction {}", answer.object, answer.name, line.number),
    }
}

/// Columns before the first character, a tab being four wide.
fn indent(text: &str) -> usize {
    text.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// A line of source, and below it what happens there, with marks where it begins.
fn source(out: &mut dyn Write, line: &Shown, width: usize, cut: usize, primary: Option<Style>) -> io::Result<()> {
    let (primary, style) = (primary.is_some(), primary.unwrap_or(MARGIN));
    let shift = indent(&line.text).saturating_sub(cut);
    writeln!(out, "{MARGIN}{:>width$} |{MARGIN:#} {:shift$}{}", line.number, "", line.text.trim().replace('\t', "    "))?;
    let before: String = line.text.chars().take((line.column as usize).saturating_sub(1)).collect();
    let at = match before.trim().is_empty() {
        true => shift,
        false => before.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum::<usize>().saturating_sub(cut),
    };
    for (nth, label) in line.labels.iter().enumerate() {
        let mark = match (nth, primary) {
            (0, true) => "^",
            (0, false) => "-",
            (_, _) => " ",
        };
        writeln!(out, "{:width$} {MARGIN}|{MARGIN:#} {:at$}{style}{mark} {label}{style:#}", "", "")?;
    }
    Ok(())
}

/// The lines that cost most.
pub(super) fn top(out: &mut dyn Write, lines: &[Top]) -> io::Result<()> {
    let width = lines.iter().map(|line| line.count.to_string().len()).max().unwrap_or(0);
    for line in lines {
        let place = match &line.file {
            Some(file) => format!("{}:{}", file.rsplit('/').next().unwrap_or(file), line.line),
            None => format!("instruction {}", line.line),
        };
        writeln!(out, "{:12} {:>width$}  {place}: {}", "", line.count, line.text)?;
    }
    Ok(())
}

/// How many programs there were of each verdict.
pub(super) fn summary(out: &mut dyn Write, sum: &Sum) -> io::Result<()> {
    let accepted = sum.all - sum.rejected - sum.undecided;
    let programs = if sum.all == 1 { "1 program".to_owned() } else { format!("{} programs", sum.all) };
    let parts = [(accepted, "accepted", ACCEPTED), (sum.rejected, "rejected", REJECTED), (sum.undecided, "undecided", UNDECIDED)];
    write!(out, "{programs}:")?;
    for (nth, (count, word, style)) in parts.iter().filter(|(count, _, _)| *count > 0).enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        write!(out, "{comma} {style}{count} {word}{style:#}")?;
    }
    writeln!(out)
}
