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
    families: BTreeSet<String>,
    programs: Vec<String>,
    reason: Option<String>,
}

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(path("../docs/cves.md")).unwrap();
    let cells = lines(&text).filter_map(|cells| {
        let [cves, family, what, programs] = cells[..] else { return None };
        assert!(!what.is_empty(), "{cves}");
        let reason = programs.strip_prefix("none: ").map(str::to_owned);
        let named = programs.split('`').skip(1).step_by(2).filter(|_| reason.is_none());
        Some(Row {
            cves: cves.split(", ").map(str::to_owned).collect(),
            families: family.split(", ").map(str::to_owned).collect(),
            programs: named.map(str::to_owned).collect(),
            reason,
        })
    });
    cells.collect()
}

/// The cells of each row of the document.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| CVE-"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// Rows of three cells name a file and a test in it.
#[test]
fn tests_of_other_crates_are_there() {
    let text = std::fs::read_to_string(path("../docs/cves.md")).unwrap();
    let mut seen = 0;
    for cells in lines(&text) {
        let [cves, _what, place] = cells[..] else {
            assert_eq!(cells.len(), 4, "{cells:?}");
            continue;
        };
        seen += 1;
        if place.strip_prefix("none: ").is_some_and(|reason| !reason.is_empty()) {
            continue;
        }
        let named: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        let [file, test] = named[..] else { panic!("{cves}: {place}") };
        let source = std::fs::read_to_string(path("..").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "{cves}: no test {test} in {file}");
    }
    assert!(seen > 0);
}

/// The programs of an object, by its path without the ending.
fn programs(object: &str) -> BTreeSet<String> {
    let object = Object::open(path(&format!("{object}.bpf.o")), &Options::default()).unwrap();
    object.programs().map(|program| program.name().to_owned()).collect()
}

/// The families whose programs are only verified.
fn verified() -> BTreeSet<String> {
    let entries = std::fs::read_dir(path("verdicts/bugs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(".bpf.c")?.strip_prefix("cve_")?.to_owned())).collect()
}

#[test]
fn table_and_programs_agree() {
    let runs = ("runs".to_owned(), "programs/cves".to_owned());
    let objects: BTreeMap<String, String> =
        verified().into_iter().map(|family| (family.clone(), format!("verdicts/bugs/cve_{family}"))).chain([runs]).collect();
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    for (family, object) in &objects {
        for program in programs(object) {
            assert!(left.insert(program.clone(), family.clone()).is_none(), "two programs {program}");
        }
    }
    let mut seen = BTreeSet::new();
    for Row { cves, families, programs, reason } in rows() {
        for cve in &cves {
            assert!(seen.insert(cve.clone()), "{cve} has two rows");
        }
        assert_ne!(programs.is_empty(), reason.is_none(), "{cves:?}: programs, or a reason why there are none");
        let starts: Vec<String> = cves.iter().map(|cve| format!("{}_", cve.to_lowercase().replace('-', "_"))).collect();
        let mut of = BTreeSet::new();
        for program in &programs {
            assert!(starts.iter().any(|start| program.starts_with(start)), "{program} is none of {cves:?}");
            of.insert(left.remove(program).unwrap_or_else(|| panic!("{program} is not there, or has two rows")));
        }
        assert!(families.iter().all(|family| objects.contains_key(family)), "{cves:?}: {families:?}");
        assert!(of == families || programs.is_empty(), "{cves:?}: programs are of {of:?}");
    }
    assert!(left.is_empty(), "without a row: {left:?}");
    println!("{} numbers", seen.len());
}

#[test]
fn programs_have_the_verdicts_that_their_names_promise() {
    let text = std::fs::read_to_string(path("verdicts/linux-6.18.json")).unwrap();
    let said: BTreeMap<String, BTreeMap<String, Said>> = serde_json::from_str(&text).unwrap();
    for family in verified() {
        for (program, said) in &said[&format!("cve_{family}")] {
            let taken = program.ends_with("_ok") || program.ends_with("_still");
            assert_eq!(said.refused.is_none(), taken, "{program}: {:?}", said.refused);
        }
    }
}
