//! What a comparison found, to be printed or written as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::compare::Difference;
use crate::oracle::{Case, Observed};

/// What a comparison of an object found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The release of the kernel that was asked.
    pub kernel: String,
    /// Each program that was compared.
    pub programs: Vec<ProgramReport>,
}

/// What a comparison of one program found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramReport {
    /// Its entry function.
    pub program: String,
    /// Its section.
    pub section: String,
    /// Its type.
    pub prog_type: String,
    /// Inputs that were run on both sides.
    pub inputs: usize,
    /// Inputs that were asked for.
    pub asked: usize,
    /// Why not all of them were run, if it was not for a difference.
    pub cut: Option<Cut>,
    /// Of these, inputs on which something was unstable in the kernel itself: the number of inputs by what it was in.
    pub unstable: BTreeMap<String, usize>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The kinds of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "detail")]
pub enum Verdict {
    /// All that can be compared is equal on all inputs.
    Agree,
    /// Something is not.
    Differ(Box<Divergence>),
    /// There is nothing that could be compared, and why.
    NotComparable(String),
    /// The kernel does not take the program or its maps: what it said.
    KernelRefuses(String),
    /// Skep does not take the program, or does not simulate what it did.
    SkepRefuses(String),
}

impl Verdict {
    /// A short name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Verdict::Agree => "agree",
            Verdict::Differ(_) => "differ",
            Verdict::NotComparable(_) => "not comparable",
            Verdict::KernelRefuses(_) => "the kernel refuses",
            Verdict::SkepRefuses(_) => "skep refuses",
        }
    }
}

/// The first input on which skep and the kernel differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Its number, from 0.
    pub index: usize,
    /// The input.
    pub case: Case,
    /// The first difference.
    pub difference: Difference,
    /// How many places differ.
    pub places: usize,
    /// All that skep shows.
    pub skep: Observed,
    /// All that the kernel shows.
    pub kernel: Observed,
}

impl Report {
    /// Programs by kind of result.
    pub fn totals(&self) -> BTreeMap<&'static str, usize> {
        let mut totals = BTreeMap::new();
        for program in &self.programs {
            *totals.entry(program.verdict.kind()).or_insert(0) += 1;
        }
        totals
    }

    /// Whether no program differs.
    pub fn agrees(&self) -> bool {
        !self.programs.iter().any(|program| matches!(program.verdict, Verdict::Differ(_)))
    }
}

/// What there is too little of to run a program on all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Instructions: so many are executed for an input, on average.
    Instructions(u64),
    /// Time of the kernel: so many milliseconds are taken by an input, on average.
    KernelTime(u64),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Instructions(each) => write!(f, "each runs {each} instructions"),
            Cut::KernelTime(each) => write!(f, "each takes the kernel {each} ms"),
        }
    }
}

impl ProgramReport {
    /// How many inputs were run; if not all, of how many, and why.
    pub fn extent(&self) -> String {
        match self.cut {
            Some(cut) => format!("{} of {} inputs, since {cut}", self.inputs, self.asked),
            None => format!("{} inputs", self.inputs),
        }
    }
}

impl fmt::Display for ProgramReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.program, self.prog_type, self.verdict.kind())?;
        match &self.verdict {
            Verdict::Agree => write!(f, " on {}", self.extent())?,
            Verdict::Differ(divergence) => {
                write!(f, " on input {}", divergence.index)?;
                if let Some(packet) = &divergence.case.packet {
                    write!(f, "\n  packet: {packet}")?;
                }
                if let Some(context) = &divergence.case.context {
                    write!(f, "\n  context: {context}")?;
                }
                for fill in &divergence.case.fills {
                    write!(f, "\n  {}[{}] = {}", fill.map, fill.key, fill.value)?;
                }
                for line in divergence.difference.to_string().lines() {
                    write!(f, "\n  {line}")?;
                }
                if divergence.places > 1 {
                    write!(f, "\n  and {} more places", divergence.places - 1)?;
                }
            }
            Verdict::NotComparable(why) | Verdict::KernelRefuses(why) | Verdict::SkepRefuses(why) => write!(f, ": {why}")?,
        }
        for (what, inputs) in &self.unstable {
            write!(f, "\n  {what}: not the same in every run of the kernel, on {inputs} inputs")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "skep beside Linux {}", self.kernel)?;
        for program in &self.programs {
            writeln!(f, "{program}")?;
        }
        let totals: Vec<String> = self.totals().iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{} programs: {}", self.programs.len(), totals.join(", "))
    }
}
