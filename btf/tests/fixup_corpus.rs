//! An object's BTF after our fix-ups is, type by type, what libbpf handed the kernel for the same object.

mod common;

use std::collections::HashMap;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol};
use skep_btf::fixup::{ElfFacts, VarSymbol, fix_up};
use skep_btf::{Btf, BtfBuilder};

struct Elf<'a>(object::File<'a>);

fn is_hidden(symbol: &object::Symbol<'_, '_>) -> bool {
    matches!(symbol.flags(), object::SymbolFlags::Elf { st_other, .. } if matches!(st_other & 3, 1 | 2))
}

impl ElfFacts for Elf<'_> {
    fn section_size(&self, name: &str) -> Option<u32> {
        self.0.section_by_name(name).map(|s| s.size() as u32)
    }

    fn variable(&self, name: &str) -> Option<VarSymbol> {
        let found = self.0.symbols().find(|s| s.name() == Ok(name) && s.is_global())?;
        Some(VarSymbol { offset: found.address() as u32, hidden: is_hidden(&found) })
    }

    fn is_hidden_function(&self, name: &str) -> bool {
        self.0.symbols().any(|s| s.name() == Ok(name) && s.kind() == object::SymbolKind::Text && is_hidden(&s))
    }
}

/// The BTF blobs that each object's programs were loaded with.
fn blobs(path: &Path) -> HashMap<String, String> {
    let mut blobs = HashMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let (object, _) = record["id"].as_str().unwrap().split_once('@').unwrap();
        if let Some(blob) = record["btf"].as_str() {
            blobs.insert(object.to_owned(), blob.to_owned());
        }
    }
    blobs
}

fn same(a: &Btf, b: &Btf) -> Result<(), String> {
    for id in a.ids() {
        if a.definition(id) != b.definition(id) {
            return Err(format!("{id}: ours {:?}\nlibbpf's {:?}", a.definition(id), b.definition(id)));
        }
    }
    if a.len() == b.len() { Ok(()) } else { Err(format!("{} types, libbpf has {}", a.len(), b.len())) }
}

#[test]
fn fixed_up_types_are_libbpfs() {
    let Some(root) = common::shared("corpus/objects") else { return };
    let mut checked = 0;
    for set in ["libbpf-tools", "ebpf-samples", "selftests-6.12"] {
        for (object, blob) in blobs(&common::shared(&format!("corpus/loads/{set}.jsonl")).unwrap()) {
            let bytes = std::fs::read(root.join(&object)).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let Some(section) = file.section_by_name(".BTF") else { continue };
            let ours = Btf::parse(section.data().unwrap()).unwrap();
            let loaded = Btf::parse(&std::fs::read(root.join(format!("../btf/{blob}.btf"))).unwrap()).unwrap();
            let ours = match fix_up(&ours, &Elf(file)) {
                Ok(fixed) => fixed,
                Err(error) => panic!("{object}: {error}"),
            };
            same(&ours, &loaded).unwrap_or_else(|difference| panic!("{object} {blob}: {difference}"));
            checked += 1;
        }
    }
    println!("{checked} objects");
    assert!(checked > 200, "{checked}");
}

#[test]
fn copies_are_equal_byte_by_byte() {
    for (name, bytes) in common::corpus_blobs() {
        let btf = Btf::parse(&bytes).unwrap();
        assert!(BtfBuilder::copy(&btf).to_bytes() == bytes, "{name}");
    }
}

#[test]
fn definitions_are_built_as_they_were_read() {
    for (name, bytes) in common::corpus_blobs() {
        let btf = Btf::parse(&bytes).unwrap();
        let mut builder = BtfBuilder::new();
        for id in btf.ids() {
            assert_eq!(builder.add(btf.definition(id).unwrap()), id);
        }
        let rebuilt = builder.build().unwrap();
        same(&btf, &rebuilt).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
}
