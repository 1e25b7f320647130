//! What libbpf would give the kernel for the same objects.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use skep_isa::RawInsn;
use skep_object::{Object, Options};

use super::{path, target, types};

/// What libbpf made of an object.
struct Loaded {
    /// Type, key size, value size, entries and flags, by name.
    maps: BTreeMap<String, [u32; 5]>,
    /// Type, attach type, and instructions with maps as numbers in the order in which the instructions name them.
    programs: BTreeMap<String, (u32, u32, Vec<RawInsn>, Vec<String>)>,
}

fn build(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/load.c");
    let program = folder.join("load");
    let built = Command::new("gcc").arg("-rdynamic").arg(source).arg("-o").arg(&program).arg("-lbpf").status();
    if built.is_ok_and(|status| status.success()) {
        return Some(program);
    }
    println!("skipped: needs gcc and libbpf-dev");
    None
}

fn insns(hex: &str) -> Vec<RawInsn> {
    let bytes: Vec<u8> =
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    bytes.as_chunks::<8>().0.iter().map(|slot| RawInsn::from_le_bytes(*slot)).collect()
}

/// Descriptors become numbers of maps.
fn number(insns: &mut [RawInsn], by_fd: &HashMap<i32, String>) -> Vec<String> {
    let mut maps: Vec<String> = Vec::new();
    let mut slot = 0;
    while slot < insns.len() {
        let insn = insns[slot];
        if insn.code == 0x18 {
            if matches!(insn.src(), 1 | 2) {
                let name = &by_fd[&insn.imm];
                let index = maps.iter().position(|map| map == name).unwrap_or_else(|| {
                    maps.push(name.clone());
                    maps.len() - 1
                });
                insns[slot] = RawInsn::new(0x18, insn.dst(), insn.src() + 4, 0, index as i32);
            }
            slot += 1;
        }
        slot += 1;
    }
    maps
}

fn load(program: &Path, object: &Path, types: Option<&Path>) -> Loaded {
    let ran = Command::new(program).arg(object).args(types).output().unwrap();
    assert!(ran.status.success(), "{}: {ran:?}", object.display());
    let mut loaded = Loaded { maps: BTreeMap::new(), programs: BTreeMap::new() };
    let mut by_fd = HashMap::new();
    for line in String::from_utf8(ran.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            // What libbpf asks the kernel about itself has no name, or one of libbpf's.
            [_, _, name, ..] | [_, name, ..] if name.starts_with("libbpf_") => {}
            ["prog", "", ..] => {}
            ["map", fd, name, ..] => {
                // Templates of inner maps are closed again.
                if !name.ends_with(".inner") {
                    by_fd.insert(fd.parse().unwrap(), name.to_owned());
                    let numbers: Vec<u32> = words[3..].iter().map(|word| word.parse().unwrap()).collect();
                    loaded.maps.insert(name.to_owned(), numbers.try_into().unwrap());
                }
            }
            ["prog", name, prog_type, attach_type, hex] => {
                let mut insns = insns(hex);
                let maps = number(&mut insns, &by_fd);
                loaded.programs.insert(name.to_owned(), (prog_type.parse().unwrap(), attach_type.parse().unwrap(), insns, maps));
            }
            _ => panic!("{line}"),
        }
    }
    loaded
}

#[test]
fn programs_and_maps_are_libbpfs() {
    let folder = std::env::temp_dir().join(format!("skep-libbpf-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let Some(loader) = build(&folder) else { return };
    let kernel = folder.join("types.btf");
    std::fs::write(&kernel, types("core_target").raw()).unwrap();
    let mut compared = 0;
    for file in ["sections.bpf.o", "maps.bpf.o", "globals.bpf.o", "core.bpf.o", "gcc.o"] {
        let theirs = load(&loader, &path(file), Some(&kernel));
        let object = Object::open(path(file), &Options::default()).unwrap();
        let target = target().with_btf(types("core_target"));
        let maps: BTreeMap<String, [u32; 5]> = object
            .maps()
            .map(|def| (def.name.clone(), [def.map_type as u32, def.key_size, def.value_size, def.max_entries, def.flags]))
            .collect();
        assert_eq!(maps, theirs.maps, "{file}");
        assert_eq!(object.programs().count(), theirs.programs.len(), "{file}");
        for program in object.programs() {
            let ours = program.relocate(&target).unwrap();
            let maps: Vec<String> = ours.maps.iter().map(|map| map.name.clone()).collect();
            let attach = ours.attach_type.map_or(0, |attach| attach as u32);
            let (prog_type, attach_type, insns, named) = &theirs.programs[program.name()];
            assert_eq!((ours.prog_type as u32, attach, &maps), (*prog_type, *attach_type, named), "{file} {}", program.name());
            assert_eq!(&ours.insns, insns, "{file} {}", program.name());
            compared += 1;
        }
    }
    println!("{compared} programs are as libbpf loads them");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(compared, 15);
}
