//! `--compare`: what changed against an earlier run.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::table::{Row, change};

const WORSE: Style = AnsiColor::Red.on_default();
const BETTER: Style = AnsiColor::Green.on_default();
const HEAD: Style = Style::new().bold();

/// Names of the columns, as veristat has them.
const HEADS: [&str; 10] = [
    "File",
    "Program",
    "Verdict (A)",
    "Verdict (B)",
    "Insns (A)",
    "Insns (B)",
    "Insns (DIFF)",
    "States (A)",
    "States (B)",
    "States (DIFF)",
];

/// Whether a row is better or worse than before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Better,
    Worse,
    Other,
}

/// Writes the programs that differ from an earlier run (A) to this one (B), and counts the others.
pub(super) fn write(out: &mut dyn Write, before: Vec<Row>, after: Vec<Row>) -> io::Result<()> {
    let joined = join(before, after);
    let mut same = 0;
    let mut lines = Vec::new();
    for (a, b) in joined.values() {
        match kind(a.as_ref(), b.as_ref()) {
            Change::Same => same += 1,
            kind => lines.push((kind, cells(a.as_ref(), b.as_ref()))),
        }
    }
    let mut widths = HEADS.map(str::len);
    for (_, cells) in &lines {
        widths.iter_mut().zip(cells).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    if !lines.is_empty() {
        line(out, &HEADS.map(str::to_owned), &widths, HEAD)?;
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(out, &rule, &widths, Style::new())?;
    }
    for (kind, cells) in &lines {
        let style = match kind {
            Change::Worse => WORSE,
            Change::Better => BETTER,
            Change::Same | Change::Other => Style::new(),
        };
        line(out, cells, &widths, style)?;
    }
    let word = if lines.len() == 1 { "program differs" } else { "programs differ" };
    writeln!(out, "{} {word}, {same} {} the same", lines.len(), if same == 1 { "is" } else { "are" })
}

/// File, program, and which of those with the same names.
type Key = (String, String, usize);

/// Rows by file and program; programs of one name in one file are told apart by their order.
fn join(before: Vec<Row>, after: Vec<Row>) -> BTreeMap<Key, (Option<Row>, Option<Row>)> {
    let mut joined: BTreeMap<Key, (Option<Row>, Option<Row>)> = BTreeMap::new();
    for (earlier, rows) in [(true, before), (false, after)] {
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for row in rows {
            let nth = seen.entry((row.file.clone(), row.program.clone())).or_default();
            let pair = joined.entry((row.file.clone(), row.program.clone(), *nth)).or_default();
            *nth += 1;
            *(if earlier { &mut pair.0 } else { &mut pair.1 }) = Some(row);
        }
    }
    joined
}

fn kind(a: Option<&Row>, b: Option<&Row>) -> Change {
    let (Some(a), Some(b)) = (a, b) else { return Change::Other };
    match (a.verdict == "success", b.verdict == "success") {
        (true, false) => Change::Worse,
        (false, true) => Change::Better,
        (_, _) if a == b => Change::Same,
        (_, _) if a.insns == b.insns => Change::Other,
        (_, _) => {
            if a.insns < b.insns {
                Change::Worse
            } else {
                Change::Better
            }
        }
    }
}

fn cells(a: Option<&Row>, b: Option<&Row>) -> Vec<String> {
    let absent = || "N/A".to_owned();
    let named = a.or(b);
    let number = |row: Option<&Row>, of: fn(&Row) -> Option<u64>| row.and_then(of);
    let mut cells = vec![
        named.map_or_else(absent, |row| row.file.clone()),
        named.map_or_else(absent, |row| row.program.clone()),
        a.map_or_else(absent, |row| row.verdict.clone()),
        b.map_or_else(absent, |row| row.verdict.clone()),
    ];
    let columns: [fn(&Row) -> Option<u64>; 2] = [|row| row.insns, |row| row.states];
    for of in columns {
        let (a, b) = (number(a, of), number(b, of));
        cells.push(a.map_or_else(absent, |number| number.to_string()));
        cells.push(b.map_or_else(absent, |number| number.to_string()));
        cells.push(a.zip(b).map_or_else(absent, |(a, b)| change(a, b)));
    }
    cells
}

/// Texts to the left, numbers to the right.
fn line(out: &mut dyn Write, cells: &[String], widths: &[usize], style: Style) -> io::Result<()> {
    write!(out, "{style}")?;
    for (nth, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let space = if nth > 0 { "  " } else { "" };
        match nth {
            0..4 => write!(out, "{space}{cell:<width$}")?,
            _ => write!(out, "{space}{cell:>width$}")?,
        }
    }
    writeln!(out, "{style:#}")
}
