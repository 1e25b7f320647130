//! What the tests share.
#![allow(dead_code)] // no test uses all of it

use std::path::PathBuf;

/// A path in the shared corpus; `None`, with a line that says so, when it is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("SKEP_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: needs ../shared/{path}");
    None
}

/// Every BTF blob of the corpus, with its name.
pub(crate) fn corpus_blobs() -> Vec<(String, Vec<u8>)> {
    let Some(dir) = shared("corpus/btf") else { return Vec::new() };
    let mut blobs: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "btf"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    blobs.sort();
    blobs
}
