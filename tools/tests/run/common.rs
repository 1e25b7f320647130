//! The command as a user calls it, and where test data lies.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An object of this repository.
pub(crate) fn own(name: &str) -> String {
    format!("{}/../conformance/programs/{name}.bpf.o", env!("CARGO_MANIFEST_DIR"))
}

/// A file of the shared data; `None`, and a word to say so, where it is missing.
pub(crate) fn shared(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let found = shared.join(path);
    if found.exists() {
        return Some(found.display().to_string());
    }
    println!("skipped: needs ../shared/{path}");
    None
}

/// A file that is removed with its guard.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Scratch {
        let path = std::env::temp_dir().join(format!("skep-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that is gone already is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Exit code, standard output, standard error.
pub(crate) fn told(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_skep")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Standard output of a call that passes.
pub(crate) fn passes(args: &[&str]) -> String {
    let (code, out, err) = told(args);
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}\n{out}");
    out
}

/// The answers of a call with `--format json`, and its exit code.
pub(crate) fn json(args: &[&str]) -> (i32, Vec<serde_json::Value>) {
    let (code, out, err) = told(&[&["--format", "json"], args].concat());
    assert_eq!(err, "", "{args:?}");
    (code, out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}
