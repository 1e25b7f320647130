//! The recorded corpus: every line is read, and what is read is what the kernel was given.

mod common;

use std::collections::HashMap;
use std::path::Path;

use skep_conformance::corpus::{Corpus, Load, Set, Truth, Verdict};
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};

fn open() -> Option<Corpus> {
    let root = common::shared("corpus")?;
    Some(Corpus::open(&root).unwrap_or_else(|error| panic!("{error}")))
}

fn truth(corpus: &Corpus, set: Set) -> Vec<Truth> {
    corpus.truth(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn loads(corpus: &Corpus, set: Set) -> impl Iterator<Item = Load> + '_ {
    corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn every_line_is_read_and_every_load_has_a_verdict() {
    let Some(corpus) = open() else { return };
    for (set, verdicts, inputs) in [(Set::Selftests, 1369, 1369), (Set::Samples, 298, 291), (Set::LibbpfTools, 365, 337)] {
        let truth: HashMap<String, Truth> = truth(&corpus, set).into_iter().map(|truth| (truth.id.clone(), truth)).collect();
        let mut read = 0;
        for load in loads(&corpus, set) {
            let truth = &truth[&load.id];
            assert!(truth.has_load, "{}", load.id);
            assert_eq!((&load.object, Some(load.index)), (&truth.object, truth.index), "{}", load.id);
            assert_eq!(Some(&load.program.name), truth.program.as_ref(), "{}", load.id);
            assert_eq!(Some(load.program.prog_type as u32), truth.prog_type, "{}", load.id);
            assert!(corpus.object(set, &load.object).is_file(), "{}", load.object);
            read += 1;
        }
        assert_eq!((truth.len(), read), (verdicts, inputs), "{}", set.name());
        assert_eq!(truth.values().filter(|truth| truth.has_load).count(), inputs, "{}", set.name());
    }
}

/// What a program looks like once it is read.
#[test]
fn a_load_is_a_program() {
    let Some(corpus) = open() else { return };
    let load = loads(&corpus, Set::LibbpfTools).find(|load| load.id.ends_with("sigsnoop-libbpf.bpf.o@kill_entry@0")).unwrap();
    let program = &load.program;
    assert_eq!((program.name.as_str(), program.license.as_str(), program.insns.len()), ("kill_entry", "Dual BSD/GPL", 70));
    let maps: Vec<_> = program.maps.iter().map(|map| (map.name.as_str(), map.section.as_deref(), map.frozen)).collect();
    assert_eq!(maps, [("values", None, false), ("sigsnoop.rodata", Some(".rodata"), true)]);
    assert_eq!(program.maps[1].initial.as_deref().map(<[u8]>::len), Some(program.maps[1].value_size as usize));
    let funcs: Vec<_> = program.funcs.iter().map(|func| (func.start, func.name.as_str(), func.global)).collect();
    assert_eq!(funcs, [(0, "kill_entry", true), (6, "probe_entry", false)]);
    assert_eq!((program.lines[0].start, program.lines[0].text.as_ref()), (0, "\tpid_t tpid = (pid_t)ctx->args[0];"));
    let all: Vec<Load> = loads(&corpus, Set::Selftests).collect();
    let kfuncs: usize = all.iter().map(|load| load.program.kfuncs.iter().filter(|kfunc| kfunc.present).count()).sum();
    println!("{kfuncs} kernel functions are called");
    let hooked = all.iter().find(|load| load.program.attach_btf_id.is_some()).unwrap();
    assert!(hooked.program.attach_to.as_ref().is_some_and(|name| !name.is_empty()));
}

/// The kernel of this host is given what was read and says what was recorded. Its types have other ids than those of the
/// kernel that was recorded, so what programs name by id is looked up by name.
#[test]
fn the_kernel_repeats_its_verdicts() {
    let Some(corpus) = open() else { return };
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let host = match skep::host() {
        Ok(target) if Kernel::release().starts_with("6.18.44") => target,
        Ok(_) | Err(_) => return println!("skipped: needs the kernel of the record, 6.18.44"),
    };
    let Some(types) = host.btf() else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let (mut same, mut all) = (0, 0);
    for set in Set::ALL {
        let truth: HashMap<String, Truth> = truth(&corpus, set).into_iter().map(|truth| (truth.id.clone(), truth)).collect();
        for load in loads(&corpus, set) {
            let truth = &truth[&load.id];
            let program = load.retarget(corpus.vmlinux(), types).unwrap_or_else(|error| panic!("{}: {error}", load.id));
            let (verdict, processed) = match Loaded::create(&program, LogLevel::Stats) {
                Ok(loaded) => (Verdict::Accept, loaded.processed()),
                Err(error @ LoadError::Refused { .. }) if error.by_verifier() => (Verdict::Reject, error.processed()),
                Err(_) => (Verdict::Noload, None),
            };
            all += 1;
            if verdict == truth.verdict && (processed.is_none() || processed == truth.processed) {
                same += 1;
            } else {
                println!("{}: recorded {:?} {:?}, now {verdict:?} {processed:?}", load.id, truth.verdict, truth.processed);
            }
        }
    }
    println!("{same} of {all} verdicts repeat");
    assert_eq!(all, 1997);
    assert!(same >= 1991, "{same} of {all}");
}

#[test]
fn errors_name_file_and_line() {
    let Some(root) = common::shared("corpus") else { return };
    let folder = std::env::temp_dir().join(format!("skep-corpus-{}", std::process::id()));
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    std::fs::create_dir_all(folder.join("btf")).unwrap();
    std::fs::copy(root.join("btf/vmlinux-6.18.44.btf"), folder.join("btf/vmlinux-6.18.44.btf")).unwrap();
    std::fs::copy(root.join("btf/d70bf23c5d7672ef.btf"), folder.join("btf/d70bf23c5d7672ef.btf")).unwrap();
    let good = std::fs::read_to_string(root.join("loads/ebpf-samples.jsonl")).unwrap();
    let good = good.lines().next().unwrap();
    let corpus = Corpus::open(&folder).unwrap();
    let say = |line: &str| {
        write("loads/ebpf-samples.jsonl", &format!("{good}\n{line}\n"));
        let mut loads = corpus.loads(Set::Samples).unwrap();
        loads.next();
        let error = loads.next().unwrap().unwrap_err();
        assert_eq!((error.line, error.path.as_path()), (2, folder.join("loads/ebpf-samples.jsonl").as_path()));
        error.problem.to_string()
    };
    let said = |from: &str, to: &str, expected: &str| {
        assert!(good.contains(from), "{from}");
        let problem = say(&good.replace(from, to));
        assert!(problem.starts_with(expected), "{problem}");
    };
    assert!(say("{").starts_with("EOF while parsing"), "{}", say("{"));
    said("\"prog_type\"", "\"prog_typ\"", "unknown field `prog_typ`");
    said("\"prog_type\": 1", "\"prog_type\": 99", "prog_type: 99 is not known");
    said("@func@0", "@func", "id \"ebpf-samples/build/badhelpercall.o@func\" is not");
    said("bfa1", "bfa", "insns: column 79: a byte has two digits");
    said("bfa1", "bfa1ff", "insns: 41 bytes are no whole number of slots");
    said("\"insn_cnt\": 5", "\"insn_cnt\": 6", "insns: 6 records of 8 bytes, and 40 bytes");
    said("\"func_info_cnt\": 0", "\"func_info_cnt\": 1", "func_info: 1 records of 0 bytes, and 0 bytes");
    said("\"maps\": {}", "\"maps\": {\"x\": null}", "maps: \"x\" is no descriptor");
    said("d70bf23c5d7672ef", "nothing", &folder.join("btf/nothing.btf: ").display().to_string());
    write("btf/short.btf", "x");
    said("d70bf23c5d7672ef", "short", &folder.join("btf/short.btf: ").display().to_string());
    assert!(corpus.truth(Set::Samples).is_err_and(|error| error.line == 1));
    assert!(Corpus::open(Path::new("/nowhere")).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}
