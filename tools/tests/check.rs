//! `skep check`, as a user calls it. What it says of programs with common mistakes is kept in `data/check`; `SKEP_BLESS=1` writes it anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAMS: &str = "conformance/programs";

/// Runs in the repository, so that paths are the same everywhere.
fn skep(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Command::new(env!("CARGO_BIN_EXE_skep")).args(args).current_dir(root).output().unwrap()
}

/// Standard output and exit code; nothing may be said on standard error.
fn answers(args: &[&str]) -> (String, i32) {
    let output = skep(args);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// Exit code and standard error.
fn fails(args: &[&str]) -> (i32, String) {
    let output = skep(args);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn object(name: &str) -> String {
    format!("{PROGRAMS}/{name}.bpf.o")
}

/// Without times: they end lines of text, and are values of JSON, CSV and logs.
fn timeless(text: &str) -> String {
    let mut timeless = String::new();
    for line in text.lines() {
        let line = match line.rsplit_once(", ") {
            Some((rest, time)) if time.split_once(' ').is_some_and(|(_, unit)| ["us", "ms", "s"].contains(&unit)) => {
                format!("{rest}, TIME")
            }
            _ => line.to_owned(),
        };
        let line = match line.split_once("verification time ") {
            Some((before, _)) => format!("{before}verification time TIME"),
            None => line,
        };
        let line = match line.split_once("\"time_us\":") {
            Some((before, after)) => format!("{before}\"time_us\":TIME,{}", after.split_once(',').unwrap().1),
            None => line,
        };
        timeless += &line;
        timeless.push('\n');
    }
    timeless
}

/// Compares with the file of this name, or writes it.
fn kept(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check").join(name);
    let text = timeless(text);
    if std::env::var_os("SKEP_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, kept, "{name}: SKEP_BLESS=1 writes it anew");
}

#[test]
fn common_mistakes_are_explained() {
    let (text, code) = answers(&["check", &object("refused/common")]);
    assert_eq!(code, 1);
    kept("common.txt", &text);
}

#[test]
fn every_format_tells_the_same() {
    for (format, file) in
        [("json", "one.jsonl"), ("kernel", "one.log"), ("sarif", "one.sarif"), ("github", "one.github"), ("human", "one.txt")]
    {
        let (text, code) = answers(&["check", "--format", format, "--id", "no_packet_check", &object("refused/common")]);
        assert_eq!(code, 1, "{format}");
        kept(file, &text);
    }
}

#[test]
fn accepted_programs_pass() {
    let (text, code) = answers(&["check", &object("firewall")]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("accepted conformance/programs/firewall.bpf.o firewall (xdp): "), "{text}");
    let (text, _) = answers(&["check", "--format", "json", &object("firewall")]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields = ["object", "section", "program", "index", "program_type", "verdict", "insns_processed", "total_states"];
    let more = ["peak_states", "stack_depth", "time_us", "message", "class", "pc", "source"];
    for field in fields.iter().chain(&more) {
        assert!(answer.get(field).is_some(), "{field}");
    }
    assert_eq!((answer["verdict"].as_str(), answer["message"].as_str()), (Some("accept"), None));
    assert!(answer["insns_processed"].as_u64().unwrap() > 20);
}

#[test]
fn columns_are_veristats() {
    let (text, code) = answers(&["check", "--format", "csv", &object("firewall"), &object("crash")]);
    assert_eq!(code, 1);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(heads[..7], ["file_name", "prog_name", "verdict", "duration", "total_insns", "total_states", "peak_states"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][0], &rows[0][1], &rows[0][2]), ("firewall.bpf.o", "firewall", "success"));
    assert!(rows[1..].iter().all(|row| &row[2] == "failure"));
    assert_eq!(&rows[0][11], "xdp");
}

#[test]
fn runs_are_compared() {
    let folder = std::env::temp_dir().join(format!("skep-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let before = folder.join("before.csv");
    let path = before.to_str().unwrap();
    let (text, _) = answers(&["check", "--format", "csv", &object("firewall"), &object("crash")]);
    std::fs::write(&before, &text).unwrap();
    let (same, code) = answers(&["check", "--compare", path, &object("firewall"), &object("crash")]);
    assert_eq!((same.as_str(), code), ("0 programs differ, 5 are the same\n", 1));
    std::fs::write(&before, text.replace("firewall,success", "firewall,failure").replace("unchecked,failure", "gone,failure"))
        .unwrap();
    let (differs, _) = answers(&["check", "--compare", path, &object("firewall"), &object("crash")]);
    let lines: Vec<&str> = differs.lines().collect();
    assert!(lines[0].starts_with("File            Program    Verdict (A)  Verdict (B)  Insns (A)  Insns (B)"), "{differs}");
    assert!(lines.iter().any(|line| line.starts_with("firewall.bpf.o  firewall   failure      success ")), "{differs}");
    assert!(lines.iter().any(|line| line.starts_with("crash.bpf.o     gone       failure      N/A ")), "{differs}");
    assert_eq!(*lines.last().unwrap(), "3 programs differ, 3 are the same");
    let (json, _) = answers(&["check", "--format", "json", &object("firewall")]);
    std::fs::write(&before, json).unwrap();
    assert_eq!(answers(&["check", "--compare", path, &object("firewall")]).0, "0 programs differ, 1 is the same\n");
    std::fs::write(&before, "a,b\n1,2\n").unwrap();
    let (code, said) = fails(&["check", "--compare", path, &object("firewall")]);
    assert_eq!(code, 2);
    assert!(said.contains("no column is called `file_name`"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lines_that_cost_most_come_first() {
    let (text, _) = answers(&["check", "--format", "json", "--top-lines", "2", &object("firewall")]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lines = answer["top_lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["count"].as_u64() >= lines[1]["count"].as_u64());
    let (text, _) = answers(&["check", "--format", "json", "--top-lines", "1000", &object("firewall")]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sum: u64 = answer["top_lines"].as_array().unwrap().iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(Some(sum), answer["insns_processed"].as_u64());
}

#[test]
fn globals_are_constants_to_the_verifier() {
    let count = |args: &[&str]| -> u64 {
        let object = object("firewall");
        let args: Vec<&str> =
            ["check", "--format", "json"].into_iter().chain(args.iter().copied()).chain([object.as_str()]).collect();
        let answer: serde_json::Value = serde_json::from_str(&answers(&args).0).unwrap();
        answer["insns_processed"].as_u64().unwrap()
    };
    assert_ne!(count(&[]), count(&["--global", "strict=1"]));
    let (code, said) = fails(&["check", "--global", "nothing=1", &object("firewall")]);
    assert_eq!((code, said.as_str()), (2, "error: --global nothing=1: no object has this variable\n"));
}

#[test]
fn what_cannot_be_read_is_told_of() {
    let (code, said) = fails(&["check", "nowhere.o", &object("firewall")]);
    assert_eq!(code, 2);
    assert!(said.starts_with("error: cannot read the object `nowhere.o`\n  caused by: "), "{said}");
    // The other object is answered for all the same.
    let output = skep(&["check", "nowhere.o", &object("firewall")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("accepted"), "{output:?}");
    let (code, said) = fails(&["check", "--id", "nobody", &object("firewall")]);
    assert_eq!((code, said.as_str()), (2, "error: --id nobody: no program has this\n"));
    let (code, said) = fails(&["--format", "csv", "info", &object("firewall")]);
    assert_eq!(code, 2);
    assert!(said.contains("only `skep check` writes this format"), "{said}");
    assert_eq!(fails(&["check"]).0, 2);
    assert_eq!(fails(&["check", "--loads", "nowhere.jsonl"]).0, 2);
}

#[test]
fn recorded_loads_are_answered_for() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| repository.join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    let Ok(corpus) = corpus.canonicalize() else { return println!("skipped: needs ../shared/corpus") };
    let path = |path: &str| corpus.join(path).to_str().unwrap().to_owned();
    let loads = path("loads/libbpf-tools.jsonl");
    let (text, _) = answers(&["check", "--format", "json", "--loads", &loads, "--btf-dir", &path("btf"), "--id", "opensnoop"]);
    let answers: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(answers.len() > 3);
    for answer in &answers {
        assert_eq!(answer["object"], "opensnoop-libbpf.bpf.o");
        assert!(answer["id"].as_str().unwrap().starts_with("libbpf-tools/opensnoop-libbpf.bpf.o@"));
    }
    let truth = path("truth/libbpf-tools.jsonl");
    let output = skep(&["check", "--loads", &loads, "--truth", &truth, "--id", "opensnoop"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("libbpf-tools\n  verdicts agree "), "{table}");
}
