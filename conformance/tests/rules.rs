//! Programs of our own that keep or break one rule each: skep's verifier says of them what the kernel says. `SKEP_BLESS=1` writes anew, as root,
//! what the kernel says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skep::{Arch, Object, Options, Release, Target};
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};
use skep_program::Program;
use skep_verifier::{Privileges, Verdict};

/// What is said of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// Instructions that were processed.
    insns: u64,
    /// The last lines of the log, of a program that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// Objects that are loaded by somebody who has `CAP_BPF` and `CAP_NET_ADMIN` alone: pointers may not leak, and the processor's guesses count.
const FEW_CAPABILITIES: [&str; 1] = ["cve_leaks"];

/// The file that a child with few capabilities writes what the kernel says to.
const FEW_CAPABILITIES_SAID: &str = "SKEP_FEW_CAPABILITIES_SAID";

type All = BTreeMap<String, BTreeMap<String, Said>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("verdicts")
}

fn objects() -> BTreeMap<String, Object> {
    let folders = [folder(), folder().join("bugs")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".bpf.o").map(str::to_owned);
    entries.filter_map(|path| Some((name(&path)?, Object::open(&path, &Options::default()).unwrap()))).collect()
}

fn programs(object: &Object, target: &Target) -> Vec<(String, Program)> {
    let relocated = |name: &str| object.program(name).unwrap().relocate(target).unwrap_or_else(|error| panic!("{name}: {error}"));
    object.programs().map(|program| (program.name().to_owned(), relocated(program.name()))).collect()
}

fn ours(program: &Program, target: &Target, few: bool) -> Said {
    let privileges = Privileges { perfmon: !few, sys_admin: !few, ..Privileges::ALL };
    let report = skep_verifier::verify(program, target, &skep_verifier::Options { privileges, ..Default::default() });
    let refused = match report.verdict {
        Verdict::Accept => None,
        Verdict::Reject(reject) => Some(reject.why.to_string()),
        Verdict::Undecided(why) => Some(format!("undecided: {}", why.what)),
    };
    Said { insns: u64::from(report.stats.insns_processed), refused }
}

/// What the log says after its last instruction and source line.
fn last_words(log: &str) -> String {
    let log = log.split("\nverification time ").next().unwrap_or_default();
    let is_way = |line: &str| {
        let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
        line.starts_with("; ") || number.len() < line.len() && number.starts_with(": (")
    };
    let mut last: Vec<&str> = log.lines().rev().take_while(|line| !is_way(line)).collect();
    last.reverse();
    last.join("\n")
}

fn kernel(program: &Program) -> Said {
    match Loaded::create(program, LogLevel::Path) {
        Ok(loaded) => Said { insns: loaded.processed().unwrap_or_default(), refused: None },
        Err(error) => {
            let insns = error.processed().unwrap_or_default();
            let LoadError::Refused { log, .. } = error else { panic!("{}: {error}", program.name) };
            Said { insns, refused: Some(last_words(&log)) }
        }
    }
}

/// Ends the name of a program that Linux 6.18 takes by a bug that it still has (docs/cves.md says which). skep refuses it.
const STILL: &str = "_still";

/// The kernel may have logged more before the words that refuse.
fn agree(name: &str, kernel: &Said, ours: &Said) -> bool {
    if name.ends_with(STILL) {
        return kernel.refused.is_none() && ours.refused.is_some();
    }
    let words = match (&kernel.refused, &ours.refused) {
        (None, None) => true,
        (Some(kernel), Some(ours)) => kernel == ours || kernel.ends_with(&format!("\n{ours}")),
        (Some(_), None) | (None, Some(_)) => false,
    };
    words && kernel.insns == ours.insns
}

fn recorded() -> PathBuf {
    folder().join("linux-6.18.json")
}

#[test]
fn verdicts_of_our_own_programs_are_the_kernels() {
    let target = Arc::new(Target::of(Release::new(6, 18), Arch::X86_64));
    let text = std::fs::read_to_string(recorded()).unwrap_or_else(|_| "{}".to_owned());
    let said: All = serde_json::from_str(&text).unwrap();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (object_name, object) in objects() {
        for (name, program) in programs(&object, &target) {
            asked += 1;
            let ours = ours(&program, &target, FEW_CAPABILITIES.contains(&&*object_name));
            let kernels = said.get(&object_name).and_then(|programs| programs.get(&name));
            if !kernels.is_some_and(|kernels| agree(&name, kernels, &ours)) {
                wrong.push(format!("{object_name}, {name}: Linux {kernels:?}, skep {ours:?}"));
            }
        }
    }
    assert_eq!(asked, said.values().map(BTreeMap::len).sum::<usize>(), "SKEP_BLESS=1 asks the kernel of new programs");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{asked} programs");
}

/// What a test of this file says of objects for few capabilities, in a child that has no more.
fn with_few_capabilities(test: &str) -> std::io::Result<All> {
    let path = std::env::temp_dir().join(format!("skep-rules-{}.json", std::process::id()));
    let mut child = Command::new("setpriv");
    child.arg("--bounding-set=-all,+bpf,+net_admin,+dac_override").arg(std::env::current_exe()?);
    let output = child.args(["--exact", test]).env(FEW_CAPABILITIES_SAID, &path).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = serde_json::from_slice(&std::fs::read(&path)?).unwrap();
    std::fs::remove_file(&path)?;
    Ok(said)
}

#[test]
fn the_kernel_says_what_is_recorded() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let host = skep::host().unwrap();
    if host.release != Release::new(6, 18) || !host.has_btf() || host.arch != Arch::X86_64 {
        return println!("skipped: needs Linux 6.18 with its types, on x86-64");
    }
    let of = |few: bool| {
        let objects = objects().into_iter().filter(|(name, _)| FEW_CAPABILITIES.contains(&&**name) == few);
        let said =
            |object: &Object| programs(object, &host).into_iter().map(|(name, program)| (name, kernel(&program))).collect();
        objects.map(|(name, object)| (name, said(&object))).collect::<All>()
    };
    if let Some(path) = std::env::var_os(FEW_CAPABILITIES_SAID) {
        return std::fs::write(path, serde_json::to_string(&of(true)).unwrap()).unwrap();
    }
    let mut said = of(false);
    match with_few_capabilities("the_kernel_says_what_is_recorded") {
        Ok(few) => said.extend(few),
        Err(error) => return println!("skipped: needs setpriv ({error})"),
    }
    if std::env::var_os("SKEP_BLESS").is_some_and(|value| value != "0") {
        let text = serde_json::to_string_pretty(&said).unwrap() + "\n";
        return std::fs::write(recorded(), text).unwrap();
    }
    let before: All = serde_json::from_str(&std::fs::read_to_string(recorded()).unwrap()).unwrap();
    assert_eq!(before, said);
}
