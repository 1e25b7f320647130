//! The shared corpus: objects, and what libbpf made of them.
#![allow(dead_code)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use skep_btf::Btf;
use skep_linux::{Arch, Release, Target};
use skep_object::{Object, ObjectError, Options, Repairs};

/// Where the corpus is, or nothing with a note that says so.
pub(crate) fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let found = shared.join("corpus");
    if found.join("objects").is_dir() {
        return Some(found);
    }
    println!("skipped: needs {}", found.display());
    None
}

/// The kernel that the corpus was recorded with.
pub(crate) fn target(corpus: &Path) -> Target {
    let btf = Btf::parse(&std::fs::read(corpus.join("btf/vmlinux-6.18.44.btf")).unwrap()).unwrap();
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(Arc::new(btf));
    // The configuration values that objects of the corpus ask for.
    target.with_kconfig("CONFIG_HZ", "250").with_kconfig("CONFIG_KASAN", "n")
}

/// All objects below a folder, by path.
pub(crate) fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "o") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The records of a file of JSON lines.
pub(crate) fn records(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Objects of the corpus, each read once with all repairs.
#[derive(Default)]
pub(crate) struct Objects(HashMap<String, Result<Object, ObjectError>>);

impl Objects {
    pub(crate) fn get(&mut self, corpus: &Path, name: &str) -> Result<&Object, ObjectError> {
        let read = || Object::open(corpus.join("objects").join(name), &Options { repairs: Repairs::ALL, ..Options::default() });
        self.0.entry(name.to_owned()).or_insert_with(read).as_ref().map_err(Clone::clone)
    }
}

/// `id` of a record: object, program, index.
pub(crate) fn split_id(id: &str) -> (&str, &str, usize) {
    let mut parts = id.rsplitn(3, '@');
    let index = parts.next().unwrap().parse().unwrap();
    let program = parts.next().unwrap();
    (parts.next().unwrap(), program, index)
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
