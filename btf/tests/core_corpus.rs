//! CO-RE answers are held against the instructions that libbpf loaded for the same objects and the same kernel.

mod common;

use std::collections::HashMap;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use skep_btf::core_relo::POISON_CALL;
use skep_btf::{Btf, BtfExt, CoreReloKind, Patch, Resolution, Resolver, Targets};

/// Instructions of the records of one corpus, by `object@program`.
fn loads(path: &Path) -> HashMap<String, Vec<[u8; 8]>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut loads = HashMap::new();
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = record["id"].as_str().unwrap();
        let (name, _) = id.rsplit_once('@').unwrap();
        let (_, name) = name.split_once('/').unwrap();
        let hex = record["insns"].as_str().unwrap().as_bytes();
        let bytes: Vec<u8> =
            hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
        loads.insert(name.to_owned(), bytes.chunks_exact(8).map(|c| c.try_into().unwrap()).collect());
    }
    loads
}

fn size_code(bytes: u32) -> u8 {
    match bytes {
        8 => 0x18,
        4 => 0x00,
        2 => 0x08,
        1 => 0x10,
        other => panic!("no load moves {other} bytes"),
    }
}

/// Does to the instruction what the resolution says; `next` is the second half of a wide load.
fn patch(insn: &mut [u8; 8], next: Option<&mut [u8; 8]>, answer: &Resolution) {
    let class = insn[0] & 7;
    let resize = answer.mem_size.filter(|_| matches!(class, 1..=3));
    let poisoned = answer.patch == Patch::Poison || resize.is_some_and(|size| !size.allowed);
    if poisoned {
        let mut call = [0x85, 0, 0, 0, 0, 0, 0, 0];
        call[4..].copy_from_slice(&POISON_CALL.to_le_bytes());
        if insn[0] == 0x18 {
            *next.unwrap() = call;
        }
        *insn = call;
        return;
    }
    let value = answer.value().unwrap();
    match class {
        4 | 7 => {
            if answer.check_expected {
                assert_eq!(i64::from(i32::from_le_bytes(insn[4..].try_into().unwrap())) as u64, answer.expected);
            }
            insn[4..].copy_from_slice(&(value as u32).to_le_bytes());
        }
        1..=3 => {
            if answer.check_expected {
                assert_eq!(i64::from(i16::from_le_bytes(insn[2..4].try_into().unwrap())) as u64, answer.expected);
            }
            insn[2..4].copy_from_slice(&(value as u16).to_le_bytes());
            if let Some(size) = resize {
                insn[0] = insn[0] & 0xe7 | size_code(size.to);
            }
        }
        0 => {
            insn[4..].copy_from_slice(&(value as u32).to_le_bytes());
            next.unwrap()[4..].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
        }
        other => panic!("class {other} is not relocated"),
    }
}

#[derive(Default)]
struct Tally {
    relocations: usize,
    /// Answered, but the function was not loaded by itself: a subprogram, or a program that was not recorded.
    unseen: usize,
    poisoned: usize,
    kinds: HashMap<CoreReloKind, usize>,
}

fn check_object(name: &str, bytes: &[u8], targets: &Targets, loads: &HashMap<String, Vec<[u8; 8]>>, tally: &mut Tally) {
    let Ok(file) = object::File::parse(bytes) else { return };
    if !file.is_little_endian() {
        return;
    }
    let section = |name: &str| file.section_by_name(name).and_then(|s| s.data().ok());
    let (Some(types), Some(ext)) = (section(".BTF"), section(".BTF.ext")) else { return };
    let Ok(btf) = Btf::parse(types) else { return };
    let ext = BtfExt::parse(ext, &btf).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut resolver = Resolver::new(&btf, targets);
    for records in &ext.core_relos {
        let Some(section) = file.section_by_name(&records.section) else { continue };
        let code: Vec<[u8; 8]> = section.data().unwrap().chunks_exact(8).map(|c| c.try_into().unwrap()).collect();
        let functions: Vec<_> = file
            .symbols()
            .filter(|s| s.section_index() == Some(section.index()) && s.kind() == SymbolKind::Text && s.size() > 0)
            .collect();
        for relo in &records.records {
            let answer = match resolver.resolve(relo) {
                Ok(answer) => answer,
                Err(error) => {
                    println!("{name}: {error}");
                    continue;
                }
            };
            let at = u64::from(relo.insn_off);
            let function = functions.iter().find(|f| f.address() <= at && at < f.address() + f.size());
            let loaded = function.and_then(|f| loads.get(&format!("{name}@{}", f.name().unwrap())));
            let (Some(function), Some(loaded)) = (function, loaded) else {
                tally.unseen += 1;
                continue;
            };
            let place = at as usize / 8;
            let index = place - function.address() as usize / 8;
            let (mut insn, mut next) = (code[place], code.get(place + 1).copied());
            patch(&mut insn, next.as_mut(), &answer);
            let what = skep_btf::core_relo::describe(&btf, relo);
            assert_eq!(insn, loaded[index], "{name} {} insn {index}: {what}: {answer:?}", records.section);
            if code[place][0] == 0x18 {
                assert_eq!(next.unwrap(), loaded[index + 1], "{name} {} insn {index}: {what}: {answer:?}", records.section);
            }
            tally.relocations += 1;
            tally.poisoned += usize::from(answer.patch == Patch::Poison);
            *tally.kinds.entry(relo.kind).or_default() += 1;
        }
    }
}

fn objects(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else if path.extension().is_some_and(|e| e == "o") {
            found.push(path);
        }
    }
}

#[test]
fn relocated_instructions_are_libbpfs() {
    let Some(kernel) = common::shared("corpus/btf/vmlinux-6.18.44.btf") else { return };
    let targets = Targets::from(Btf::parse(&std::fs::read(kernel).unwrap()).unwrap());
    let mut tally = Tally::default();
    for set in ["libbpf-tools", "ebpf-samples", "selftests-6.12"] {
        let Some(root) = common::shared(&format!("corpus/objects/{set}")) else { return };
        let loads = loads(&common::shared(&format!("corpus/loads/{set}.jsonl")).unwrap());
        let mut found = Vec::new();
        objects(&root, &mut found);
        for path in found {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            check_object(&name, &std::fs::read(&path).unwrap(), &targets, &loads, &mut tally);
        }
    }
    let Tally { relocations, unseen, poisoned, kinds } = tally;
    println!("{relocations} relocations, {poisoned} poisoned, {unseen} not loaded: {kinds:?}");
    assert!(relocations >= 695 && poisoned >= 130, "the corpus holds more relocations than {relocations}");
}
