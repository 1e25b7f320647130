//! A report in SARIF 2.1.0 (OASIS), as code scanning takes it: a result per program that is not accepted.

use std::io::Write;

use serde_json::{Value, json};

use super::answer::{Answer, Word};
use super::explain::{Explanation, Shown};
use super::{github, place};
use crate::exit::Failure;

/// The report while it is put together.
#[derive(Debug, Default)]
pub(super) struct Sarif {
    /// Names of rules, in the order in which they came.
    rules: Vec<(String, Value)>,
    results: Vec<Value>,
}

impl Sarif {
    /// A program.
    pub(super) fn add(&mut self, answer: &Answer, explanation: Option<&Explanation>) {
        let level = match answer.word() {
            Word::Accept => return,
            Word::Reject | Word::NoLoad => "error",
            Word::Undecided => "warning",
        };
        let class = answer.class().unwrap_or_default();
        let rule = match self.rules.iter().position(|(known, _)| *known == class) {
            Some(rule) => rule,
            None => {
                self.rules.push((class.clone(), rule(&class, explanation)));
                self.rules.len() - 1
            }
        };
        let mut result = json!({
            "ruleId": class,
            "ruleIndex": rule,
            "level": level,
            "message": { "text": format!("{}: {}", answer.name, github::text(answer, explanation)) },
            "locations": [location(answer, explanation.and_then(|explanation| explanation.lines.last()), None)],
        });
        let lines = explanation.map_or(&[][..], |explanation| &explanation.lines);
        if lines.len() > 1 {
            let steps: Vec<Value> = lines
                .iter()
                .map(|line| json!({ "location": location(answer, Some(line), Some(line.labels.join("\n"))) }))
                .collect();
            result["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
        }
        self.results.push(result);
    }

    /// Writes the report.
    pub(super) fn write(self, out: &mut dyn Write) -> Result<(), Failure> {
        let rules: Vec<Value> = self.rules.into_iter().map(|(_, rule)| rule).collect();
        let report = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "skep",
                    "version": env!("CARGO_PKG_VERSION"),
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "results": self.results,
            }],
        });
        serde_json::to_writer_pretty(&mut *out, &report)?;
        Ok(writeln!(out)?)
    }
}

fn rule(class: &str, explanation: Option<&Explanation>) -> Value {
    let help = explanation.map(|explanation| explanation.help.join("\n")).filter(|help| !help.is_empty());
    let mut rule = json!({
        "id": class,
        "shortDescription": { "text": format!("The verifier of Linux: {}", class.replace(['/', '-'], " ")) },
    });
    if let Some(help) = help {
        rule["help"] = json!({ "text": help });
    }
    rule
}

fn location(answer: &Answer, line: Option<&Shown>, message: Option<String>) -> Value {
    let physical = match line.and_then(|line| Some((line, line.file.as_deref()?))) {
        Some((line, file)) => {
            let mut region = json!({ "startLine": line.number.max(1), "snippet": { "text": line.text } });
            if line.column > 0 {
                region["startColumn"] = json!(line.column);
            }
            json!({ "artifactLocation": { "uri": uri(&place::file(file, &answer.object)) }, "region": region })
        }
        None => json!({ "artifactLocation": { "uri": uri(&answer.object) } }),
    };
    let mut location = json!({
        "physicalLocation": physical,
        "logicalLocations": [{ "name": answer.name, "kind": "function" }],
    });
    if let Some(message) = message {
        location["message"] = json!({ "text": message });
    }
    location
}

/// A path as a URI: relative ones stay so.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.starts_with('/') {
        uri += "file://";
    } else if drive {
        uri += "file:///";
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' | b'+' | b'@' => {
                uri.push(char::from(byte))
            }
            b'\\' => uri.push('/'),
            b':' if drive => uri.push(':'),
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn uris() {
        assert_eq!(super::uri("src/a b.c"), "src/a%20b.c");
        assert_eq!(super::uri("/src/a.c"), "file:///src/a.c");
        assert_eq!(super::uri("E:\\src\\a.c"), "file:///E:/src/a.c");
    }
}
