//! The answer as JSON: one object a line.

use serde::Serialize;

use super::answer::Answer;
use super::explain::{Explanation, Shown};
use super::top::Top;

/// The contract for verdicts.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    object: &'a str,
    section: Option<&'a str>,
    program: &'a str,
    index: u32,
    program_type: Option<&'a str>,
    verdict: &'static str,
    insns_processed: Option<u32>,
    total_states: Option<u32>,
    peak_states: Option<u32>,
    max_states_per_insn: Option<u32>,
    stack_depth: Option<String>,
    /// Microseconds of verification alone.
    time_us: Option<f64>,
    message: Option<String>,
    class: Option<String>,
    pc: Option<usize>,
    source: Option<Source<'a>>,
    /// What is wrong, in words for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// What to change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    help: Vec<String>,
    /// What registers held that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<String>,
    /// The lines that led there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_lines: Option<Vec<Top>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    text: &'a str,
}

/// A line of the path.
#[derive(Debug, Serialize)]
struct Step {
    file: Option<String>,
    line: usize,
    column: u32,
    text: String,
    labels: Vec<String>,
}

/// The answer; with the log where one was asked for.
pub(super) fn answer(answer: &Answer, explanation: Option<Explanation>, log: bool, top_lines: Option<Vec<Top>>) -> Json<'_> {
    let report = answer.report();
    let stats = report.map(|report| &report.stats);
    // The kernel's words are there already where nothing is said in others.
    let explanation = explanation.filter(|explanation| explanation.linux.is_some());
    let (title, help, held, lines) = match explanation {
        Some(Explanation { title, help, held, lines, .. }) => (Some(title), help, held, lines),
        None => Default::default(),
    };
    let step = |line: Shown| Step {
        file: line.file,
        line: line.number,
        column: line.column,
        text: line.text.trim().to_owned(),
        labels: line.labels,
    };
    Json {
        id: answer.id.as_deref(),
        object: &answer.object,
        section: answer.section.as_deref(),
        program: &answer.name,
        index: answer.index,
        program_type: answer.prog_type.as_deref(),
        verdict: answer.word().text(),
        insns_processed: stats.map(|stats| stats.insns_processed),
        total_states: stats.map(|stats| stats.total_states),
        peak_states: stats.map(|stats| stats.peak_states),
        max_states_per_insn: stats.map(|stats| stats.max_states_per_insn),
        stack_depth: answer.stack_depth(),
        time_us: stats.map(|stats| stats.time.as_nanos() as f64 / 1000.0),
        message: answer.message(),
        class: answer.class(),
        pc: answer.pc(),
        source: answer.source().map(|line| Source {
            file: &line.file,
            line: line.line,
            column: line.column,
            text: line.text.trim(),
        }),
        title,
        help,
        held,
        path: lines.into_iter().map(step).collect(),
        top_lines,
        log: report.filter(|_| log).map(|report| report.log.as_str()),
    }
}
