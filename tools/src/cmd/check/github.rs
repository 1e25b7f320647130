//! Annotations of GitHub's workflows: a command per program that is not accepted.

use std::io::{self, Write};

use super::answer::{Answer, Word};
use super::explain::Explanation;
use super::place;

/// `::error file=..,line=..,col=..,title=..::text`.
pub(super) fn answer(out: &mut dyn Write, answer: &Answer, explanation: Option<&Explanation>) -> io::Result<()> {
    let (command, what) = match answer.word() {
        Word::Accept => return Ok(()),
        Word::Reject => ("error", "is rejected"),
        Word::NoLoad => ("error", "cannot be loaded"),
        Word::Undecided => ("warning", "is undecided"),
    };
    let kind = answer.prog_type.as_deref().unwrap_or("unknown type");
    write!(out, "::{command} ")?;
    match explanation.and_then(|explanation| explanation.lines.last()).filter(|line| line.file.is_some()) {
        Some(line) => {
            let file = place::file(line.file.as_deref().unwrap_or_default(), &answer.object);
            write!(out, "file={},line={}", property(&file), line.number)?;
            if line.column > 0 {
                write!(out, ",col={}", line.column)?;
            }
        }
        None => write!(out, "file={}", property(&answer.object))?,
    }
    let title = format!("{} ({kind}) {what}", answer.name);
    writeln!(out, ",title={}::{}", property(&title), data(&text(answer, explanation)))
}

/// Title, notes, help and the kernel's words, one below the other.
pub(super) fn text(answer: &Answer, explanation: Option<&Explanation>) -> String {
    let Some(explanation) = explanation else { return answer.message().unwrap_or_default() };
    let mut text = explanation.title.clone();
    explanation.held.iter().for_each(|held| text += &format!("\nnote: {held}"));
    explanation.help.iter().for_each(|help| text += &format!("\nhelp: {help}"));
    if let Some(words) = explanation.linux.as_ref().filter(|words| **words != explanation.title) {
        text += &format!("\nlinux: {words}");
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
