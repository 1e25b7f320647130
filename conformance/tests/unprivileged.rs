//! Verdicts for those who lack capabilities, held against the kernel of this host: recorded loads, every field of the contexts of programs that
//! everybody may load, and every helper.

mod common;

use std::sync::Arc;

use skep::Target;
use skep_conformance::corpus::{Corpus, Load, Set};
use skep_conformance::parallel;
use skep_conformance::verdicts::{User, ask};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel, Map, Types};
use skep_linux::{AttachType, Errno, MapType, ProgType};
use skep_program::Program;
use skep_verifier::{Options, Verdict};

/// Programs with more processed instructions are left out.
const LONG: u32 = 4_000;

/// The kernel and its target, if it can be asked.
fn host() -> Option<Target> {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return None;
    }
    match skep::host() {
        Ok(target) if Kernel::release().starts_with("6.18.") && target.has_btf() => Some(target),
        Ok(_) | Err(_) => {
            println!("skipped: needs a kernel of release 6.18 with its types");
            None
        }
    }
}

/// The users that this host lets load programs.
fn users() -> impl Iterator<Item = User> {
    User::FEW.into_iter().filter(|user| {
        let lacks = user.lacks();
        if let Some(lacks) = lacks {
            println!("{user:?}: skipped: needs {lacks}");
        }
        lacks.is_none()
    })
}

/// What is said: processed instructions, and the words that refuse.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    insns: u64,
    refused: Option<String>,
}

/// What the kernel says; nothing where it refuses before its verifier is asked.
fn theirs(program: &Program, user: User) -> Option<Said> {
    let mut types = Types::default();
    let maps = program.maps.iter().map(|def| Map::from_def(def, types.get(def.btf.as_ref())).map(Arc::new));
    let maps = maps.collect::<Result<Vec<_>, _>>().ok()?;
    types.get(program.btf.as_ref());
    match user.runs(|| Loaded::with_types(program, maps, &mut types, LogLevel::Path)).unwrap() {
        Ok(loaded) => Some(Said { insns: loaded.processed()?, refused: None }),
        Err(error) => {
            let insns = error.processed()?;
            let LoadError::Refused { log, errno } = error else { return None };
            // Of a loop without an end, two states follow the words.
            let words = log.split("verification time ").next().unwrap_or_default();
            let words = words.split("\ncur state:").next().unwrap_or_default();
            // A hook that this host lets nobody attach to: the verifier itself says why it refuses.
            let decided = errno != Errno::EPERM || !words.trim().is_empty();
            decided.then(|| Said { insns, refused: Some(words.trim_end().to_owned()) })
        }
    }
}

/// Both, and whether they agree: the log of the kernel ends with the words. `None` where one has no verdict.
fn both(program: &Program, target: &Target, user: User) -> Option<(Said, Said, bool)> {
    let report = ask(program, target, &Options { privileges: user.privileges(), ..Options::default() });
    let insns = report.stats.insns_processed;
    if insns > LONG {
        return None;
    }
    let theirs = theirs(program, user)?;
    // What cannot be decoded is refused in other words.
    let (refused, own_words) = match report.verdict {
        Verdict::Accept => (None, false),
        Verdict::Reject(reject) => (Some(reject.why.to_string()), reject.why.class() == "form/refused"),
        Verdict::Undecided(why) => (Some(format!("undecided: {}", why.what)), false),
    };
    let words = match (&theirs.refused, &refused) {
        (None, None) => true,
        (Some(theirs), Some(ours)) => own_words || theirs.ends_with(ours.trim_end()),
        (Some(_), None) | (None, Some(_)) => false,
    };
    let ours = Said { insns: insns.into(), refused };
    let agree = words && theirs.insns == ours.insns;
    Some((theirs, ours, agree))
}

/// How many programs were asked about, were accepted, and differ.
#[derive(Debug, Default)]
struct Count {
    asked: usize,
    accepted: usize,
    wrong: Vec<String>,
}

impl Count {
    fn add(&mut self, name: &str, said: (Said, Said, bool)) {
        let (theirs, ours, agree) = said;
        self.asked += 1;
        self.accepted += usize::from(theirs.refused.is_none());
        if !agree {
            self.wrong.push(format!("{name}\n  linux: {theirs:?}\n  skep:  {ours:?}"));
        }
    }

    /// The fewest programs that must have been asked about.
    fn hold(&self, what: &str, least: usize) {
        println!("{what}: {} programs, {} accepted, {} differ", self.asked, self.accepted, self.wrong.len());
        assert!(
            self.wrong.is_empty(),
            "{what}: {} differ:\n{}",
            self.wrong.len(),
            self.wrong[..self.wrong.len().min(20)].join("\n")
        );
        assert!(self.asked >= least, "{what}: {} programs are too few to say much", self.asked);
    }
}

/// The loader of such a program maps the arena at an address, which the kernel asks for.
fn wants_address(program: &Program) -> bool {
    program.maps.iter().any(|map| map.map_type == MapType::Arena)
}

#[test]
fn recorded_loads_have_the_kernels_verdict() {
    let Some(host) = host() else { return };
    let Some(root) = common::shared("corpus") else { return };
    let Some(types) = host.btf().cloned() else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let mut loads: Vec<Load> = Vec::new();
    for set in Set::ALL {
        loads.extend(corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))));
    }
    for user in users() {
        let mut count = Count::default();
        let work = |index: usize| {
            let program = loads[index].retarget(corpus.vmlinux(), &types).ok()?;
            if wants_address(&program) { None } else { both(&program, &host, user) }
        };
        parallel::ordered(loads.len(), parallel::cores(), work, |index, said| {
            if let Some(said) = said {
                count.add(&loads[index].id, said);
            }
            Ok::<_, ()>(())
        })
        .unwrap();
        count.hold(&format!("{user:?}"), 600);
    }
}

fn program(prog_type: ProgType, insns: &[RawInsn]) -> Program {
    let attach_type = (prog_type == ProgType::CgroupSkb).then_some(AttachType::CgroupInetIngress);
    Program { attach_type, license: "GPL".into(), ..Program::bare("test", prog_type, insns.to_vec()) }
}

/// `BPF_LDX | BPF_MEM` and `BPF_STX | BPF_MEM`, with the size to add.
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const SIZES: [(u8, i16); 4] = [(0x10, 1), (0x08, 2), (0x00, 4), (0x18, 8)];
const ZERO: RawInsn = RawInsn::new(0xb7, 0, 0, 0, 0);
const EXIT: RawInsn = RawInsn::new(0x95, 0, 0, 0, 0);
/// The types that everybody may load.
const EVERYBODYS: [ProgType; 2] = [ProgType::SocketFilter, ProgType::CgroupSkb];

#[test]
fn fields_of_contexts_are_reached_by_the_same_users() {
    let Some(host) = host() else { return };
    for user in users() {
        let mut count = Count::default();
        for prog_type in EVERYBODYS {
            for off in 0..200 {
                for (size, bytes) in SIZES.into_iter().filter(|(_, bytes)| off % bytes == 0) {
                    let load = [RawInsn::new(LOAD | size, 2, 1, off, 0), ZERO, EXIT];
                    let store = [ZERO, RawInsn::new(STORE | size, 1, 0, off, 0), EXIT];
                    for (what, insns) in [("load", load), ("store", store)] {
                        let name = format!("{prog_type:?}: {what} of {bytes} bytes at {off}");
                        count.add(&name, both(&program(prog_type, &insns), &host, user).expect("a verdict"));
                    }
                }
            }
        }
        count.hold(&format!("{user:?}"), 1000);
    }
}

#[test]
fn helpers_are_called_by_the_same_users() {
    let Some(host) = host() else { return };
    for user in users() {
        let mut count = Count::default();
        for prog_type in EVERYBODYS {
            for id in 0..220 {
                let insns = [RawInsn::new(0x85, 0, 0, 0, id), ZERO, EXIT];
                if let Some(said) = both(&program(prog_type, &insns), &host, user) {
                    count.add(&format!("{prog_type:?}: helper {id}"), said);
                }
            }
        }
        count.hold(&format!("{user:?}"), 400);
    }
}
