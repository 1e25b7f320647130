//! Programs of our own on every engine. `SKEP_BLESS=1` writes what cases expect anew: what the kernel says where it can be asked, what
//! skep says elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep::{Arch, Instance, Mode, Object, Options, Release, Target};
use skep_conformance::programs::{Asked, Case, CaseError, CaseProblem, Expected, File, ask, simulate};
use skep_kernel::Kernel;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The files of the folder whose names end like this, by what stands before.
fn named(end: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

struct Suite {
    name: String,
    file: File,
    object: Object,
}

impl Suite {
    fn path(&self) -> PathBuf {
        folder().join(format!("{}.cases.json", self.name))
    }
}

fn suites() -> Vec<Suite> {
    let read = |name: String| {
        let object = Object::open(folder().join(format!("{name}.bpf.o")), &Options::default()).unwrap();
        let file = File::read(&folder().join(format!("{name}.cases.json"))).unwrap_or_else(|error| panic!("{error}"));
        Suite { name, file, object }
    };
    named(".cases.json").into_iter().map(read).collect()
}

/// The kernel that skep plays.
fn played() -> Arc<Target> {
    Arc::new(Target::of(Release::new(6, 18), Arch::X86_64))
}

/// The kernel of this host, if it is one that all our programs are for.
fn host() -> Option<Target> {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return None;
    }
    let host = skep::host().unwrap();
    if host.release < Release::new(6, 18) || !host.has_btf() || host.arch != Arch::X86_64 {
        println!("skipped: needs Linux 6.18 or later with its types, on x86-64");
        return None;
    }
    // Programs run apart from the network of the host.
    let _ = skep_kernel::isolate_network();
    Some(host)
}

fn blessing() -> bool {
    std::env::var_os("SKEP_BLESS").is_some_and(|value| value != "0")
}

/// Programs that loaders load by default each have a case.
#[test]
fn every_source_has_an_object_and_cases_for_each_program() {
    let (sources, objects, cases) = (named(".bpf.c"), named(".bpf.o"), named(".cases.json"));
    assert_eq!(sources, objects, "run build.sh");
    let has_programs = |name: &&String| {
        let object = Object::open(folder().join(format!("{name}.bpf.o")), &Options::default()).unwrap();
        object.programs().next().is_some()
    };
    assert_eq!(
        objects.iter().filter(has_programs).collect::<BTreeSet<_>>(),
        cases.iter().collect(),
        "every object needs a file of cases: see the README of this crate"
    );
    for suite in suites() {
        let run: BTreeSet<&str> =
            suite.file.cases.iter().flat_map(|case| &case.steps).map(|step| step.program.as_str()).collect();
        let called = suite.object.maps().flat_map(|def| &def.slots).map(|(_, name)| name.as_str());
        let run: BTreeSet<&str> = run.into_iter().chain(called).collect();
        let all: BTreeSet<&str> =
            suite.object.programs().filter(|program| program.autoload()).map(|program| program.name()).collect();
        let missing: Vec<_> = all.difference(&run).collect();
        assert!(missing.is_empty(), "{}: no case runs {missing:?}", suite.name);
        let names: BTreeSet<&str> = suite.file.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), suite.file.cases.len(), "{}: two cases of one name", suite.name);
    }
}

/// Holds what an engine gives against what a case expects.
fn hold(engine: &str, suite: &str, case: &Case, given: &Expected, wrong: &mut Vec<String>) {
    let text = |expected: Option<&Expected>| serde_json::to_string_pretty(&expected).unwrap();
    if case.expect.as_ref() != Some(given) {
        wrong.push(format!(
            "{suite}, {:?}, {engine}: expected {}, got {}",
            case.name,
            text(case.expect.as_ref()),
            text(Some(given))
        ));
    }
}

/// The verifier does not accept a program: what runs verified programs only cannot run it.
fn is_verdict(problem: &CaseProblem) -> bool {
    matches!(problem, CaseProblem::Build(error) if error.is_verdict())
}

/// The kernel first, so that what is blessed is its word; then skep, with what the kernel said.
#[test]
fn every_engine_gives_what_cases_expect() {
    let (played, host) = (played(), host());
    let (mut wrong, mut files, mut simulated, mut unverified) = (Vec::new(), 0, [0; 3], [0; 3]);
    let (mut ran, mut accepted, mut refused, mut forbidden) = (0, 0, 0, 0);
    for mut suite in suites() {
        let mut blessed = suite.file.clone();
        for (index, case) in suite.file.cases.iter_mut().enumerate() {
            let asked = host.as_ref().map(|host| ask(&blessed, &suite.object, case, host));
            let kernel = match asked {
                Some(Ok(Asked::Ran(given))) => {
                    ran += 1;
                    Some(given)
                }
                Some(Ok(Asked::Accepted)) => {
                    accepted += 1;
                    None
                }
                Some(Ok(Asked::Refused)) => {
                    refused += 1;
                    if case.expect.as_ref().is_some_and(|expected| expected.stopped.is_none()) {
                        wrong.push(format!("{}, {:?}: the kernel refuses the program", suite.name, case.name));
                    }
                    None
                }
                Some(Ok(Asked::Forbidden)) => {
                    forbidden += 1;
                    None
                }
                Some(Err(error)) => {
                    wrong.push(format!("{}, kernel: {error}", suite.name));
                    None
                }
                None => None,
            };
            if blessing() && kernel.is_some() {
                case.expect.clone_from(&kernel);
            }
            if let Some(given) = &kernel {
                hold("kernel", &suite.name, case, given, &mut wrong);
            }
            for (mode, count) in Mode::ALL.into_iter().zip(&mut simulated) {
                // Compiled programs have no budget.
                if mode == Mode::Jit && (case.budget.is_some() || !Instance::can_compile()) {
                    continue;
                }
                match simulate(&blessed, &suite.object, case, &played, mode) {
                    Ok(given) => {
                        if blessing() && kernel.is_none() && mode == Mode::Checked {
                            case.expect = Some(given.clone());
                        }
                        hold(&format!("skep, {mode:?}"), &suite.name, case, &given, &mut wrong);
                        *count += 1;
                    }
                    Err(CaseError { problem, .. }) if is_verdict(&problem) => unverified[mode as usize] += 1,
                    Err(error) => wrong.push(format!("{}, skep, {mode:?}: {error}", suite.name)),
                }
            }
            blessed.cases[index].expect.clone_from(&case.expect);
        }
        assert!(!suite.file.cases.is_empty(), "{} has no cases", suite.path().display());
        if blessing() {
            blessed.write(&suite.path()).unwrap_or_else(|error| panic!("{error}"));
        }
        files += 1;
    }
    for (mode, (ran, refused)) in Mode::ALL.into_iter().zip(simulated.iter().zip(&unverified)) {
        println!("{mode:?}: {ran} cases of {files} files in skep; the verifier does not accept {refused}");
    }
    println!("in the kernel {ran} ran, {accepted} were accepted, {refused} refused, {forbidden} not allowed on this host");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A case that does not fit its object says what does not.
#[test]
fn errors_say_what_does_not_fit() {
    let object = Object::open(folder().join("firewall.bpf.o"), &Options::default()).unwrap();
    let say = |case: &str| {
        let text = format!("{{\"cases\": [{{\"name\": \"c\", {case}}}]}}");
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        simulate(&file, &object, &file.cases[0], &played(), Mode::Checked).unwrap_err().to_string()
    };
    let step = "\"steps\": [{\"program\": \"firewall\", \"packet\": \"00\"}]";
    assert_eq!(say("\"steps\": [{\"program\": \"fire\"}]"), "case \"c\": no program `fire`; there are: firewall");
    assert_eq!(
        say(&format!("\"maps\": [{{\"map\": \"ports\", \"key\": \"1\", \"value\": \"1\"}}], {step}")),
        "case \"c\": no map is called `ports`"
    );
    assert_eq!(
        say(&format!("\"maps\": [{{\"map\": \"blocked_ports\", \"key\": \"65536\", \"value\": \"1\"}}], {step}")),
        "case \"c\": map `blocked_ports`, key: ``: 65536 does not fit in 16 bits"
    );
    assert!(say(&format!("\"globals\": {{\"stric\": \"1\"}}, {step}")).starts_with("case \"c\": global variable `stric`: "));
    assert!(say(&format!("\"globals\": {{\"strict\": \"?\"}}, {step}")).starts_with("case \"c\": global variable: value `?`"));
    assert_eq!(
        say("\"steps\": [{\"program\": \"firewall\", \"packet\": \"0\"}]"),
        "case \"c\": packet: column 1: a byte has two digits"
    );
    assert_eq!(
        say("\"steps\": [{\"program\": \"firewall\", \"fields\": {\"mark\": \"1\"}}]"),
        "case \"c\": the context has no field `mark`"
    );
    assert_eq!(
        say("\"steps\": [{\"program\": \"firewall\", \"fields\": {\"data\": \"@x\"}}]"),
        "case \"c\": no object is called `@x`"
    );
    assert_eq!(
        say("\"steps\": [{\"program\": \"firewall\", \"context\": \"hex:00\", \"args\": [\"1\"]}]"),
        "case \"c\": context, fields and args exclude each other"
    );
    assert!(
        say(&format!("\"world\": {{\"objects\": [{{\"name\": \"o\", \"type\": \"no_such\"}}]}}, {step}")).contains("`no_such`")
    );
    let error = File::read(&folder().join("build.sh")).unwrap_err().to_string();
    assert!(error.ends_with("build.sh: expected value at line 1 column 1"), "{error}");
}
