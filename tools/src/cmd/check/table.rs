//! Verdicts in veristat's columns: written, read, and compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::answer::{Answer, Word};
use crate::exit::Failure;

/// veristat's columns, in its order.
const COLUMNS: [&str; 15] = [
    "file_name",
    "prog_name",
    "verdict",
    "duration",
    "total_insns",
    "total_states",
    "peak_states",
    "max_states_per_insn",
    "max_mark_read_len",
    "prog_size",
    "prog_size_jited",
    "prog_type",
    "attach_type",
    "stack_depth",
    "mem_peak",
];

/// What two runs are compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The name of the object, without its folder.
    pub(super) file: String,
    pub(super) program: String,
    /// `success`, `failure`, or `undecided`.
    pub(super) verdict: String,
    pub(super) insns: Option<u64>,
    pub(super) states: Option<u64>,
}

impl Row {
    /// The row of an answer.
    pub(super) fn of(answer: &Answer) -> Row {
        let stats = answer.report().map(|report| &report.stats);
        Row {
            file: file_name(&answer.object),
            program: answer.name.clone(),
            verdict: verdict(answer.word()).to_owned(),
            insns: stats.map(|stats| u64::from(stats.insns_processed)),
            states: stats.map(|stats| u64::from(stats.total_states)),
        }
    }
}

fn verdict(word: Word) -> &'static str {
    match word {
        Word::Accept => "success",
        Word::Reject | Word::NoLoad => "failure",
        Word::Undecided => "undecided",
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// The answers in veristat's columns. veristat knows `success` and `failure`: undecided programs are left out, and told of at the end.
pub(super) struct Csv {
    writer: csv::Writer<Vec<u8>>,
    /// Programs that are left out.
    pub(super) undecided: usize,
}

impl Csv {
    /// Writes the names of the columns.
    pub(super) fn new() -> Result<Csv, Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(failure)?;
        Ok(Csv { writer, undecided: 0 })
    }

    /// A program.
    pub(super) fn add(&mut self, answer: &Answer) -> Result<(), Failure> {
        if answer.word() == Word::Undecided {
            self.undecided += 1;
            return Ok(());
        }
        let stats = answer.report().map(|report| report.stats.clone()).unwrap_or_default();
        let attach = answer.program.as_ref().and_then(|program| program.attach_type);
        // Where a program is loaded for nothing in particular, veristat shows the attach type with the number 0.
        let attach = attach.map_or("BPF_CGROUP_INET_INGRESS", |attach| attach.name());
        let size = answer.program.as_ref().map_or(0, |program| program.insns.len());
        let record = [
            file_name(&answer.object),
            answer.name.clone(),
            verdict(answer.word()).to_owned(),
            stats.time.as_micros().to_string(),
            stats.insns_processed.to_string(),
            stats.total_states.to_string(),
            stats.peak_states.to_string(),
            stats.max_states_per_insn.to_string(),
            "0".to_owned(),
            size.to_string(),
            "0".to_owned(),
            answer.prog_type.clone().unwrap_or_else(|| "N/A".to_owned()),
            attach.strip_prefix("BPF_").unwrap_or(attach).to_ascii_lowercase(),
            stats.stack_depth.iter().sum::<u32>().to_string(),
            "-1".to_owned(),
        ];
        self.writer.write_record(record).map_err(failure)
    }

    /// The table.
    pub(super) fn finish(self) -> Result<Vec<u8>, Failure> {
        self.writer.into_inner().map_err(|error| Failure::from(error.into_error()))
    }
}

fn failure(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::from(error),
        other => Failure::usage(format!("{other:?}")),
    }
}

/// An earlier answer of `--format json`.
#[derive(Deserialize)]
struct Earlier {
    object: String,
    program: String,
    verdict: String,
    insns_processed: Option<u64>,
    total_states: Option<u64>,
}

/// The rows of an earlier run: CSV of skep or veristat, or lines of JSON.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, Failure> {
    let within = |failure: Failure| failure.within(format!("--compare {}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| within(Failure::usage(error)))?;
    let rows = if text.trim_start().starts_with('{') { from_json(&text) } else { from_csv(&text) };
    rows.map_err(within)
}

fn from_json(text: &str) -> Result<Vec<Row>, Failure> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let wrong = |error| Failure::usage(error).within(format!("line {}", at + 1));
            let earlier: Earlier = serde_json::from_str(line).map_err(wrong)?;
            let verdict = match earlier.verdict.as_str() {
                "accept" => "success",
                "reject" | "noload" => "failure",
                other => other,
            };
            Ok(Row {
                file: file_name(&earlier.object),
                program: earlier.program,
                verdict: verdict.to_owned(),
                insns: earlier.insns_processed,
                states: earlier.total_states,
            })
        })
        .collect()
}

fn from_csv(text: &str) -> Result<Vec<Row>, Failure> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<BTreeMap<String, String>> =
        reader.deserialize().collect::<Result<_, csv::Error>>().map_err(Failure::usage)?;
    records
        .into_iter()
        .map(|record| {
            let text = |name: &str| {
                let found = record.get(name).cloned();
                found.ok_or_else(|| {
                    Failure::usage(format!("no column is called `{name}`: veristat's CSV or skep's JSON is expected"))
                })
            };
            let number = |name: &str| record.get(name).and_then(|text| text.parse().ok());
            Ok(Row {
                file: text("file_name")?,
                program: text("prog_name")?,
                verdict: text("verdict")?,
                insns: number("total_insns"),
                states: number("total_states"),
            })
        })
        .collect()
}

/// How a number changed, as veristat says it: `+12 (+34.00%)`.
pub(super) fn change(before: u64, after: u64) -> String {
    let difference = i128::from(after) - i128::from(before);
    let percent = match (before, difference) {
        (_, 0) => 0.0,
        (0, _) => 100.0,
        (before, difference) => difference as f64 * 100.0 / before as f64,
    };
    format!("{difference:+} ({percent:+.2}%)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        assert_eq!(change(100, 150), "+50 (+50.00%)");
        assert_eq!(change(0, 7), "+7 (+100.00%)");
        assert_eq!(change(0, 0), "+0 (+0.00%)");
        assert_eq!(change(7, 0), "-7 (-100.00%)");
    }

    #[test]
    fn earlier_runs() {
        let csv = "file_name,prog_name,verdict,total_insns,total_states\na.o,p,success,5,1\n";
        let json = "{\"object\":\"x/a.o\",\"program\":\"p\",\"verdict\":\"accept\",\"insns_processed\":5,\"total_states\":1}\n";
        assert_eq!(from_csv(csv).unwrap(), from_json(json).unwrap());
        assert!(from_csv("a,b\n1,2\n").is_err());
        assert!(from_json("{}").is_err());
    }
}
