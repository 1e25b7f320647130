//! CO-RE relocations for a recorded kernel are held against libbpf's, which is given the same types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use skep_btf::{Btf, BtfExt, Patch, Resolver, Targets};
use skep_linux::{Arch, Release, recorded_btf};

/// The objects of the corpus, or nothing with a note that says so.
fn objects() -> Option<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let Ok(folder) = std::fs::read_dir(shared.join("corpus/objects/libbpf-tools")) else {
        println!("skipped: needs ../shared/corpus/objects/libbpf-tools");
        return None;
    };
    let mut found: Vec<_> = folder.map(|entry| entry.expect("a file").path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == "o"));
    found.sort();
    Some(found)
}

/// The object, the function, and the number of the relocation in its section.
type Key = (String, String, usize);

/// What came of a relocation: the number that was put into the instruction, or nothing if it was made invalid.
type Answers = BTreeMap<Key, Option<u64>>;

fn name_of(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// What libbpf says; `None` with a note where it cannot be asked.
fn of_libbpf(types: &Path, objects: &[PathBuf], folder: &Path) -> Option<Answers> {
    if let Err(why) = skep_kernel::Kernel::available() {
        println!("skipped: needs {why}");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/core.c");
    let program = folder.join("core");
    let built = Command::new("gcc").arg(source).arg("-o").arg(&program).arg("-lbpf").status();
    if !built.is_ok_and(|status| status.success()) {
        println!("skipped: needs gcc and libbpf-dev");
        return None;
    }
    let ran = Command::new(&program).arg(types).args(objects).output().expect("core runs");
    assert!(ran.status.success(), "{ran:?}");
    let (mut answers, mut object) = (Answers::new(), String::new());
    for line in String::from_utf8(ran.stdout).expect("text").lines() {
        if let Some(path) = line.strip_prefix("object ") {
            object = name_of(Path::new(path));
            continue;
        }
        // libbpf: prog 'NAME': relo #N: patched insn #N (ALU/ALU64) imm OLD -> NEW
        let (_, rest) = line.split_once("prog '").expect("a program");
        let (function, rest) = rest.split_once("': relo #").expect("a relocation");
        let (number, rest) = rest.split_once(": ").expect("a number");
        let key = (object.clone(), function.to_owned(), number.parse().expect("a number"));
        let value = rest.rsplit_once(" -> ").map(|(_, new)| new.parse::<i64>().expect("a number") as u64);
        // A load or store whose size changes too has a second line.
        if !rest.contains(" mem_sz ") {
            answers.insert(key, value);
        }
    }
    Some(answers)
}

fn answers(path: &Path, targets: &Targets, answers: &mut Answers) {
    let bytes = std::fs::read(path).expect("a file");
    let file = object::File::parse(&*bytes).expect("an object");
    let section = |name: &str| file.section_by_name(name).and_then(|section| section.data().ok());
    let (Some(types), Some(ext)) = (section(".BTF"), section(".BTF.ext")) else { return };
    let btf = Btf::parse(types).expect("types");
    let ext = BtfExt::parse(ext, &btf).expect("BTF.ext");
    let mut resolver = Resolver::new(&btf, targets);
    for records in &ext.core_relos {
        let Some(code) = file.section_by_name(&records.section) else { continue };
        let insns = code.data().expect("instructions");
        let functions: Vec<_> = file
            .symbols()
            .filter(|s| s.section_index() == Some(code.index()) && s.kind() == SymbolKind::Text && s.size() > 0)
            .collect();
        for (number, relo) in records.records.iter().enumerate() {
            let at = u64::from(relo.insn_off);
            let function = functions.iter().find(|f| f.address() <= at && at < f.address() + f.size()).expect("a function");
            let answer = resolver.resolve(relo).expect("an answer");
            // A load or store must move as many bytes as the field of the kernel has.
            let moves = matches!(insns[relo.insn_off as usize] & 7, 1..=3);
            let poisoned = answer.patch == Patch::Poison || moves && answer.mem_size.is_some_and(|size| !size.allowed);
            let value = (!poisoned).then(|| answer.value().expect("a number"));
            answers.insert((name_of(path), function.name().expect("a name").to_owned(), number), value);
        }
    }
}

#[test]
fn relocations_for_a_recorded_kernel_are_libbpfs() {
    let Some(objects) = objects() else { return };
    let kernel = recorded_btf(Release::new(6, 18), Arch::X86_64).expect("whole").expect("recorded");
    let folder = std::env::temp_dir().join(format!("skep-recorded-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let types = folder.join("types.btf");
    std::fs::write(&types, kernel.raw()).expect("a file");
    let theirs = of_libbpf(&types, &objects, &folder);
    std::fs::remove_dir_all(&folder).expect("the folder");
    let Some(theirs) = theirs else { return };
    let targets = Targets::from(Btf::clone(&kernel));
    let mut ours = Answers::new();
    for path in &objects {
        answers(path, &targets, &mut ours);
    }
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let wrong: Vec<_> = keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)).collect();
    println!("{} relocations, {} of them fail", ours.len(), ours.values().filter(|value| value.is_none()).count());
    let shown: Vec<_> = wrong.iter().map(|key| format!("{key:?}: {:?}, libbpf {:?}", ours.get(key), theirs.get(key))).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), shown.join("\n"));
    assert!(ours.len() > 600, "only {} relocations", ours.len());
}
