//! Where answers go: each format, one after the other or all at the end.

use std::io::Write;

use skep::Target;

use super::answer::{Answer, Word};
use super::args::Args;
use super::sarif::Sarif;
use super::table::{self, Csv, Row};
use super::{compare, explain, github, human, json, kernel, top};
use crate::cli::AnyFormat;
use crate::exit::{self, Exit, Failure};

/// What all answers come to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) rejected: usize,
    pub(super) undecided: usize,
    /// Objects that cannot be read.
    pub(super) unreadable: usize,
    pub(super) all: usize,
}

impl Sum {
    fn add(&mut self, answer: &Answer) {
        self.all += 1;
        match answer.word() {
            Word::Accept => {}
            Word::Reject | Word::NoLoad => self.rejected += 1,
            Word::Undecided => self.undecided += 1,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Sum { unreadable: 1.., .. } => Exit::Usage,
            Sum { rejected: 1.., .. } => Exit::Failed,
            Sum { undecided: 1.., .. } => Exit::Undecided,
            Sum { .. } => Exit::Passed,
        }
    }
}

/// How answers are written.
enum Format {
    Human,
    Json,
    Kernel,
    Csv(Box<Csv>),
    Sarif(Sarif),
    Github,
    /// What differs from an earlier run, of which these are the rows.
    Compare(Vec<Row>, Vec<Row>),
}

/// Takes answers and writes them.
pub(super) struct Render<'a> {
    out: &'a mut dyn Write,
    args: &'a Args,
    target: &'a Target,
    format: Format,
    pub(super) sum: Sum,
}

impl<'a> Render<'a> {
    /// A renderer of a format.
    ///
    /// # Errors
    /// `--compare` with a format that cannot show it, or with a file that cannot be read.
    pub(super) fn new(
        out: &'a mut dyn Write,
        args: &'a Args,
        target: &'a Target,
        format: AnyFormat,
    ) -> Result<Render<'a>, Failure> {
        let format = match (&args.compare, format) {
            (Some(path), AnyFormat::Human) => Format::Compare(table::read(path)?, Vec::new()),
            (Some(_), _) => return Err(Failure::usage("a comparison is written for people: no other --format fits")),
            (None, AnyFormat::Human) => Format::Human,
            (None, AnyFormat::Json) => Format::Json,
            (None, AnyFormat::Kernel) => Format::Kernel,
            (None, AnyFormat::Csv) => Format::Csv(Box::new(Csv::new()?)),
            (None, AnyFormat::Sarif) => Format::Sarif(Sarif::default()),
            (None, AnyFormat::Github) => Format::Github,
        };
        Ok(Render { out, args, target, format, sum: Sum::default() })
    }

    /// An answer.
    pub(super) fn answer(&mut self, answer: &Answer) -> Result<(), Failure> {
        self.sum.add(answer);
        let lines = self.args.top_lines.map_or_else(Vec::new, |most| top::top(answer, most));
        let explain = || explain::explain(answer, self.target);
        match &mut self.format {
            Format::Human => {
                human::answer(self.out, answer, explain().as_ref())?;
                human::top(self.out, &lines)?;
            }
            Format::Json => {
                let top_lines = self.args.top_lines.map(|_| lines);
                serde_json::to_writer(&mut *self.out, &json::answer(answer, explain(), self.args.log > 0, top_lines))?;
                writeln!(self.out)?;
            }
            Format::Kernel => {
                kernel::answer(self.out, answer)?;
                human::top(self.out, &lines)?;
            }
            Format::Csv(csv) => csv.add(answer)?,
            Format::Sarif(sarif) => sarif.add(answer, explain().as_ref()),
            Format::Github => github::answer(self.out, answer, explain().as_ref())?,
            Format::Compare(_, rows) => rows.push(Row::of(answer)),
        }
        Ok(())
    }

    /// An answer, to be seen at once.
    pub(super) fn answer_now(&mut self, answer: &Answer) -> Result<(), Failure> {
        self.answer(answer)?;
        Ok(self.out.flush()?)
    }

    /// Writes what comes at the end, and says what all came to.
    pub(super) fn finish(self) -> Result<Exit, Failure> {
        if self.sum.all == 0 && self.sum.unreadable == 0 {
            let id = &self.args.id;
            let what = if id.is_empty() { "there are no programs".to_owned() } else { format!("--id {id}: no program has this") };
            return Err(Failure::usage(what));
        }
        let exit = self.sum.exit();
        match self.format {
            Format::Human | Format::Github => human::summary(self.out, &self.sum)?,
            Format::Json | Format::Kernel => {}
            Format::Csv(csv) => {
                let undecided = csv.undecided;
                self.out.write_all(&csv.finish()?)?;
                if undecided > 0 {
                    exit::note(&format!("{undecided} undecided programs are not in the table: veristat has no word for them"));
                }
            }
            Format::Sarif(sarif) => sarif.write(self.out)?,
            Format::Compare(before, after) => compare::write(self.out, before, after)?,
        }
        Ok(exit)
    }
}
