//! `docs/cves.md` and the programs that it names agree: no program without a row, no row without programs or a reason, and each program has the
//! verdict that its name promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use skep::{Object, Options};

/// What Linux says of a program, as in `verdicts/linux-6.18.json`.
#[derive(Deserialize)]
struct Said {
    refused: Option<String>,
}

struct Row {
    cves: Vec<String>,
    family: String,
    programs: Vec<String>,
    reason: Option<String>,
}

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(path("../docs/cves.md")).unwrap();
    let cells = text.lines().filter(|line| line.starts_with("| CVE-")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [cves, family, what, programs] = cells[..] else { panic!("{line}") };
        assert!(!what.is_empty(), "{line}");
        let reason = programs.strip_prefix("none: ").map(str::to_owned);
        let named = programs.split('`').skip(1).step_by(2).filter(|_| reason.is_none());
        Row {
            cves: cves.split(", ").map(str::to_owned).collect(),
            family: family.to_owned(),
            programs: named.map(str::to_owned).collect(),
            reason,
        }
    });
    cells.collect()
}

/// The programs of an object, by its path without the ending.
fn programs(object: &str) -> BTreeSet<String> {
    let object = Object::open(path(&format!("{object}.bpf.o")), &Options::default()).unwrap();
    object.programs().map(|program| program.name().to_owned()).collect()
}

/// The names of the sources in `verdicts` that hold these programs.
fn families() -> BTreeSet<String> {
    let entries = std::fs::read_dir(path("verdicts")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(".bpf.c")?.strip_prefix("cve_")?.to_owned())).collect()
}

#[test]
fn table_and_programs_agree() {
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    for family in families() {
        for program in programs(&format!("verdicts/cve_{family}")) {
            assert!(left.insert(program, family.clone()).is_none());
        }
    }
    let mut seen = BTreeSet::new();
    for Row { cves, family, programs, reason } in rows() {
        for cve in &cves {
            assert!(seen.insert(cve.clone()), "{cve} has two rows");
        }
        assert!(families().contains(&family), "{cves:?}: {family} is no family");
        assert_ne!(programs.is_empty(), reason.is_none(), "{cves:?}: programs, or a reason why there are none");
        for program in &programs {
            let starts: Vec<String> = cves.iter().map(|cve| format!("{}_", cve.to_lowercase().replace('-', "_"))).collect();
            assert!(starts.iter().any(|start| program.starts_with(start)), "{program} is none of {cves:?}");
            assert_eq!(left.remove(program).as_ref(), Some(&family), "{program} is not in cve_{family}.bpf.o");
        }
    }
    assert!(left.is_empty(), "without a row: {left:?}");
    println!("{} numbers", seen.len());
}

#[test]
fn programs_have_the_verdicts_that_their_names_promise() {
    let text = std::fs::read_to_string(path("verdicts/linux-6.18.json")).unwrap();
    let said: BTreeMap<String, BTreeMap<String, Said>> = serde_json::from_str(&text).unwrap();
    for family in families() {
        for (program, said) in &said[&format!("cve_{family}")] {
            let taken = program.ends_with("_ok") || program.ends_with("_still");
            assert_eq!(said.refused.is_none(), taken, "{program}: {:?}", said.refused);
        }
    }
}
