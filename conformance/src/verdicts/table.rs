//! What a comparison gave: shares, and the differences by kind.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use skep_verifier::{Report, Verdict};

use super::expected;
use crate::corpus::{Truth, Verdict as Recorded};

/// A kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// skep takes what the kernel refuses.
    FalseAccept,
    /// skep refuses what the kernel takes.
    FalseReject,
    /// skep cannot tell.
    Undecided,
    /// skep was not asked: there is no load.
    Missing,
    /// The same verdict after another number of instructions.
    Insns,
    /// The same verdict after another number of states.
    States,
    /// The same verdict with other stack depths.
    Stack,
    /// The same refusal in other words.
    Message,
    /// A refusal without the message that a selftest expects.
    SelftestMessage,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::FalseAccept,
        Kind::FalseReject,
        Kind::Undecided,
        Kind::Missing,
        Kind::Insns,
        Kind::States,
        Kind::Stack,
        Kind::Message,
        Kind::SelftestMessage,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::FalseAccept => "false-accept",
            Kind::FalseReject => "false-reject",
            Kind::Undecided => "undecided",
            Kind::Missing => "missing",
            Kind::Insns => "insns",
            Kind::States => "states",
            Kind::Stack => "stack",
            Kind::Message => "message",
            Kind::SelftestMessage => "selftest-message",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Equal.
    pub same: usize,
    /// Compared.
    pub of: usize,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = if self.of == 0 { 100.0 } else { 100.0 * self.same as f64 / self.of as f64 };
        write!(f, "{:6} of {:6}  {percent:6.2} %", self.same, self.of)
    }
}

/// The verdicts of a set, held against the kernel's.
#[derive(Debug, Clone)]
pub struct Table {
    /// The set.
    pub name: String,
    /// Verdicts. All other shares are of those that agree.
    pub verdicts: Share,
    /// Processed instructions.
    pub insns: Share,
    /// States: all, and those at one time.
    pub states: Share,
    /// Bytes of stack.
    pub stack: Share,
    /// Refusals in the kernel's words: the last line of ours is one of its.
    pub messages: Share,
    /// Selftests' expected messages.
    pub expected: Share,
    /// Time in the verifier over programs of which both times are known: ours, and the kernel's when it was recorded.
    pub time: (Duration, Duration),
    /// What undecided programs lack, with their number.
    pub lacking: BTreeMap<String, usize>,
    /// Every difference: its kind, the id, and what differs.
    pub differences: Vec<(Kind, String)>,
}

impl Table {
    pub(super) fn new(name: &str) -> Table {
        Table {
            name: name.to_owned(),
            verdicts: Share::default(),
            insns: Share::default(),
            states: Share::default(),
            stack: Share::default(),
            messages: Share::default(),
            expected: Share::default(),
            time: Default::default(),
            lacking: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    /// How many differences of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.differences.iter().filter(|(found, _)| *found == kind).count()
    }

    fn differs(&mut self, kind: Kind, truth: &Truth, what: fmt::Arguments<'_>) {
        self.differences.push((kind, format!("{}  {what}", truth.id)));
    }

    /// A program that skep was not asked about.
    pub(super) fn missing(&mut self, truth: &Truth) {
        self.verdicts.of += 1;
        self.differs(Kind::Missing, truth, format_args!(""));
    }

    /// A program; `text` is where the messages that a test expects are looked for.
    pub(super) fn add(&mut self, truth: &Truth, report: &Report, text: &str) {
        self.verdicts.of += 1;
        let theirs = truth.message.as_deref().unwrap_or_default();
        match (&report.verdict, truth.verdict) {
            (Verdict::Accept, Recorded::Accept) => self.agreed(truth, report),
            (Verdict::Reject(reject), Recorded::Reject) => {
                self.agreed(truth, report);
                self.words(truth, theirs, &reject.why.to_string());
                self.expected(truth, text);
            }
            (Verdict::Accept, _) => self.differs(Kind::FalseAccept, truth, format_args!("linux: {}", last(theirs))),
            (Verdict::Reject(reject), _) => {
                let pc = reject.pc.map_or_else(String::new, |pc| format!(" at {pc}"));
                self.differs(Kind::FalseReject, truth, format_args!("skep{pc}: {}", reject.why));
            }
            (Verdict::Undecided(undecided), _) => {
                let what = undecided.what.to_string();
                let pc = undecided.pc.map_or_else(String::new, |pc| format!(" at {pc}"));
                self.differs(Kind::Undecided, truth, format_args!("{what}{pc}"));
                *self.lacking.entry(what).or_default() += 1;
            }
        }
    }

    fn agreed(&mut self, truth: &Truth, report: &Report) {
        self.verdicts.same += 1;
        let stats = &report.stats;
        if let Some(insns) = truth.processed {
            let same = u64::from(stats.insns_processed) == insns;
            let what = format_args!("linux {insns}, skep {}", stats.insns_processed);
            if !self.insns.count(same) {
                self.differs(Kind::Insns, truth, what);
            }
        }
        if let (Some(total), Some(peak)) = (truth.total_states, truth.peak_states) {
            let same = u64::from(stats.total_states) == total && u64::from(stats.peak_states) == peak;
            if !self.states.count(same) {
                let (ours, ours_peak) = (stats.total_states, stats.peak_states);
                self.differs(
                    Kind::States,
                    truth,
                    format_args!("linux {total} in all, {peak} at a time, skep {ours}, {ours_peak}"),
                );
            }
        }
        if let Some(depth) = &truth.stack_depth {
            let ours = stats.stack_depth.iter().map(u32::to_string).collect::<Vec<_>>().join("+");
            if !self.stack.count(ours == *depth) {
                self.differs(Kind::Stack, truth, format_args!("linux {depth}, skep {ours}"));
            }
        }
        if let Some(micros) = truth.micros.filter(|micros| *micros > 0) {
            self.time.0 += stats.time;
            self.time.1 += Duration::from_micros(micros);
        }
    }

    fn words(&mut self, truth: &Truth, theirs: &str, ours: &str) {
        let mut lines = theirs.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
        if lines.peek().is_none() {
            return;
        }
        let same = lines.any(|line| line == last(ours));
        if !self.messages.count(same) {
            self.differs(Kind::Message, truth, format_args!("linux {:?}, skep {:?}", last(theirs), last(ours)));
        }
    }

    fn expected(&mut self, truth: &Truth, text: &str) {
        let messages = expected::messages(truth);
        if messages.is_empty() {
            return;
        }
        let wanting = messages.iter().find(|wanted| !expected::is_in(wanted, text));
        if !self.expected.count(wanting.is_none()) {
            let wanted = wanting.map_or("", String::as_str);
            self.differs(Kind::SelftestMessage, truth, format_args!("wants {wanted:?}, skep says {:?}", last(text)));
        }
    }

    /// The ids of a kind of difference, with what differs, one a line.
    pub fn list(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.differences.iter().filter(move |(found, _)| *found == kind).map(|(_, text)| text.as_str())
    }
}

impl Share {
    /// Counts one; gives back whether it was the same.
    fn count(&mut self, same: bool) -> bool {
        self.of += 1;
        self.same += usize::from(same);
        same
    }
}

/// The last line that says something.
fn last(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// What undecided programs lack is shown in so many lines.
const LACKING: usize = 25;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        writeln!(f, "  {:<28}{}", "verdicts agree", self.verdicts)?;
        for kind in [Kind::FalseAccept, Kind::FalseReject, Kind::Undecided, Kind::Missing] {
            let share = Share { same: self.count(kind), of: self.verdicts.of };
            writeln!(f, "  {:<28}{share}", kind.name())?;
        }
        let shares = [
            ("processed instructions equal", self.insns),
            ("states equal", self.states),
            ("stack depths equal", self.stack),
            ("messages equal", self.messages),
            ("selftests' messages", self.expected),
        ];
        for (name, share) in shares {
            writeln!(f, "  {name:<28}{share}")?;
        }
        let (ours, theirs) = (self.time.0.as_secs_f64(), self.time.1.as_secs_f64());
        if theirs > 0.0 {
            writeln!(f, "  {:<28}skep {ours:.3} s, linux (recorded) {theirs:.3} s, ratio {:.3}", "time", ours / theirs)?;
        }
        let mut lacking: Vec<_> = self.lacking.iter().collect();
        lacking.sort_by_key(|(what, count)| (std::cmp::Reverse(**count), *what));
        for (what, count) in lacking.iter().take(LACKING) {
            writeln!(f, "  {count:6} undecided: {what}")?;
        }
        if lacking.len() > LACKING {
            writeln!(f, "         and {} other reasons", lacking.len() - LACKING)?;
        }
        Ok(())
    }
}
