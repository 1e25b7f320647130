//! `--top-lines`: which lines of the source the budget goes to.

use std::collections::HashMap;

use serde::Serialize;

use super::answer::Answer;

/// A line, and how many processed instructions were of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Top {
    /// Processed instructions.
    pub(super) count: u64,
    /// The file; none without source.
    pub(super) file: Option<String>,
    /// The line; without source, the slot.
    pub(super) line: usize,
    /// The line; without source, nothing.
    pub(super) text: String,
}

/// The lines with the most processed instructions, at most `most`.
pub(super) fn top(answer: &Answer, most: usize) -> Vec<Top> {
    let counts = answer.report().map_or(&[][..], |report| &report.insn_counts);
    let mut found: HashMap<(Option<&str>, usize), Top> = HashMap::new();
    for (slot, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let line = answer.line(slot);
        let (file, number) = line.map_or((None, slot), |line| (Some(&*line.file), line.line as usize));
        let entry = found.entry((file, number)).or_insert_with(|| Top {
            count: 0,
            file: file.map(str::to_owned),
            line: number,
            text: line.map_or_else(String::new, |line| line.text.trim().to_owned()),
        });
        entry.count += u64::from(*count);
    }
    let mut lines: Vec<Top> = found.into_values().collect();
    lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line))));
    lines.truncate(most);
    lines
}
