//! The answer about one program: everything that the renderings show.

use skep::Program;
use skep_program::Line;
use skep_verifier::{NotModelled, Report, Verdict};

/// The answer about one program.
#[derive(Debug)]
pub(super) struct Answer {
    /// Of recorded loads.
    pub(super) id: Option<String>,
    /// The object's path as it was given.
    pub(super) object: String,
    /// The ELF section, where it is known.
    pub(super) section: Option<String>,
    /// The entry function.
    pub(super) name: String,
    /// Among the programs of the object.
    pub(super) index: u32,
    /// The type, such as `sched_cls`, where it is known.
    pub(super) prog_type: Option<String>,
    /// The program; none where it could not be made for the target.
    pub(super) program: Option<Program>,
    /// CO-RE relocations of the program without an answer, by slot; empty where they are not known.
    pub(super) relocations: Vec<(usize, String)>,
    /// What came out.
    pub(super) outcome: Outcome,
}

/// What came out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The verifier's report.
    Report(Report),
    /// The loader would not come to the verifier, for this reason.
    NoLoad(String),
}

/// The four verdicts, as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Accept,
    Reject,
    Undecided,
    NoLoad,
}

impl Word {
    /// As the contract for verdicts has it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Word::Accept => "accept",
            Word::Reject => "reject",
            Word::Undecided => "undecided",
            Word::NoLoad => "noload",
        }
    }
}

impl Answer {
    /// The verdict.
    pub(super) fn word(&self) -> Word {
        match &self.outcome {
            Outcome::NoLoad(_) => Word::NoLoad,
            Outcome::Report(report) => match report.verdict {
                Verdict::Accept => Word::Accept,
                Verdict::Reject(_) => Word::Reject,
                Verdict::Undecided(_) => Word::Undecided,
            },
        }
    }

    /// The verifier's report, where it was asked.
    pub(super) fn report(&self) -> Option<&Report> {
        match &self.outcome {
            Outcome::Report(report) => Some(report),
            Outcome::NoLoad(_) => None,
        }
    }

    /// What is wrong: the kernel's own words where the program is rejected.
    pub(super) fn message(&self) -> Option<String> {
        match &self.outcome {
            Outcome::NoLoad(why) => Some(why.clone()),
            Outcome::Report(report) => match &report.verdict {
                Verdict::Accept => None,
                Verdict::Reject(reject) => Some(reject.why.to_string()),
                Verdict::Undecided(undecided) => Some(undecided.what.to_string()),
            },
        }
    }

    /// A name for what is wrong that stays when the numbers in it change.
    pub(super) fn class(&self) -> Option<String> {
        match &self.outcome {
            Outcome::NoLoad(_) => Some("load/refused".to_owned()),
            Outcome::Report(report) => match &report.verdict {
                Verdict::Accept => None,
                Verdict::Reject(reject) => Some(reject.why.class()),
                Verdict::Undecided(undecided) => Some(
                    match undecided.what {
                        NotModelled::Feature(_) => "undecided/not-modelled",
                        NotModelled::WorkLimit(_) => "undecided/work-limit",
                        NotModelled::Bug(_) => "undecided/bug",
                    }
                    .to_owned(),
                ),
            },
        }
    }

    /// The slot that is to blame.
    pub(super) fn pc(&self) -> Option<usize> {
        match &self.report()?.verdict {
            Verdict::Accept => None,
            Verdict::Reject(reject) => reject.pc,
            Verdict::Undecided(undecided) => undecided.pc,
        }
    }

    /// The source line of a slot.
    pub(super) fn line(&self, slot: usize) -> Option<&Line> {
        let lines = &self.program.as_ref()?.lines;
        lines[..lines.partition_point(|line| line.start <= slot)].last()
    }

    /// The source line to blame.
    pub(super) fn source(&self) -> Option<&Line> {
        self.line(self.pc()?)
    }

    /// Bytes of stack by function, as the kernel writes them: `8+16`.
    pub(super) fn stack_depth(&self) -> Option<String> {
        Some(self.report()?.stats.stack_depth.iter().map(u32::to_string).collect::<Vec<_>>().join("+"))
    }
}
