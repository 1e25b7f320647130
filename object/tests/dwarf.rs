//! Source lines of DWARF, held against those of BTF.ext in objects that have both.

mod common;

use std::collections::BTreeMap;

use skep_linux::{ProgType, Target};
use skep_object::{Linker, Object, Options, Repairs};
use skep_program::Program;

/// The same file with a section of another name, so that nobody finds it.
fn without(mut bytes: Vec<u8>, section: &str) -> Vec<u8> {
    let name = [section.as_bytes(), b"\0"].concat();
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&name)).collect();
    for at in found {
        bytes[at] = b'_';
    }
    bytes
}

fn programs(bytes: &[u8], target: &Target) -> BTreeMap<String, Program> {
    let Ok(object) = Object::parse_with(bytes, &Options { repairs: Repairs::ALL, ..Options::default() }) else {
        return BTreeMap::new();
    };
    assert_eq!(object.debug_problem(), None);
    let mut linker = Linker::new(&object, target);
    let programs = object.programs().filter_map(|program| {
        let made = program.as_type(ProgType::SocketFilter, None).relocate_in(&mut linker).ok()?;
        Some((program.name().to_owned(), made))
    });
    programs.collect()
}

/// Lines of BTF.ext, and how many of them DWARF has too.
fn compare(theirs: &Program, ours: &Program, counts: &mut (usize, usize), different: &mut Vec<String>) {
    // Code of no line may be in either without being in the other.
    for line in theirs.lines.iter().filter(|line| line.line != 0) {
        let after = ours.lines.partition_point(|other| other.start <= line.start);
        let found = after.checked_sub(1).map(|index| &ours.lines[index]);
        // Where code has no place of its own, BTF.ext has the line of the function's name, DWARF that of its brace.
        let start = theirs.funcs.iter().any(|func| func.start == line.start);
        counts.0 += 1;
        // Folders are what the compiler made of its options, and differ.
        let same_file = |other: &str| other.rsplit('/').next() == line.file.rsplit('/').next();
        match found {
            Some(found) if (found.line == line.line || start) && same_file(&found.file) => counts.1 += 1,
            Some(_) | None => different.push(format!("{} slot {}: {line:?} and {found:?}", theirs.name, line.start)),
        }
    }
}

#[test]
fn lines_are_those_of_btf_ext() {
    let Some(corpus) = common::corpus() else { return };
    let target = common::target(&corpus);
    let (mut counts, mut different, mut compared) = ((0, 0), Vec::new(), 0);
    for path in common::objects(&corpus.join("objects")) {
        let bytes = std::fs::read(&path).unwrap();
        if !bytes.windows(12).any(|name| name == b".debug_line\0") || !bytes.windows(9).any(|name| name == b".BTF.ext\0") {
            continue;
        }
        let whole = programs(&bytes, &target);
        let stripped = programs(&without(bytes, ".BTF.ext"), &target);
        for (name, theirs) in whole {
            if let Some(ours) = stripped.get(&name)
                && ours.funcs.len() == theirs.funcs.len()
            {
                let before = different.len();
                compare(&theirs, ours, &mut counts, &mut different);
                if different.len() > before {
                    println!("{}: {}", path.display(), different[before]);
                }
                compared += 1;
            }
        }
    }
    println!("{compared} programs, {} of {} lines are the same", counts.1, counts.0);
    assert!(different.is_empty(), "{} lines differ", different.len());
}
