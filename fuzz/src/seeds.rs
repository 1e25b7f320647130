//! What cases are made from.

use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _};
use serde::Deserialize;

/// An input that is well formed, or nearly so.
#[derive(Debug, Clone)]
pub struct Seed {
    /// File, and what of it.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Larger files are no seeds: a case must be short.
const LARGEST: u64 = 256 * 1024;

/// Everything that subjects take their seeds from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Objects.
    pub objects: Vec<Seed>,
    /// Types: `.BTF` sections and files of their own.
    pub btf: Vec<Seed>,
    /// Relocated instructions.
    pub insns: Vec<Seed>,
    /// Assembler text.
    pub text: Vec<Seed>,
}

#[derive(Deserialize)]
struct Load {
    id: String,
    insns: String,
}

/// The files below a folder with one of these extensions, by path; none if there is no such folder.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => open.push(path),
                Some(extension) if extensions.contains(&extension) => found.push(path),
                Some(_) | None => {}
            }
        }
    }
    found.retain(|path| path.metadata().is_ok_and(|data| data.len() <= LARGEST));
    found.sort();
    found
}

fn read(folder: &Path, extensions: &[&str]) -> Vec<Seed> {
    let seed = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Some(Seed { name, bytes: std::fs::read(&path).ok()? })
    };
    files(folder, extensions).into_iter().filter_map(seed).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Recorded loads: one in `every`, so that thousands of like programs do not hide the rest.
fn loads(folder: &Path, every: usize) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return seeds };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let records = text.lines().step_by(every).filter_map(|line| serde_json::from_str::<Load>(line).ok());
        seeds.extend(records.filter_map(|load| Some(Seed { bytes: unhex(&load.insns)?, name: load.id })));
    }
    seeds.retain(|seed| seed.bytes.len() as u64 <= LARGEST / 8);
    seeds
}

/// The bytes of a section.
pub(crate) fn section(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let file = object::File::parse(bytes).ok()?;
    Some(file.section_by_name(name)?.data().ok()?.to_vec())
}

impl Sources {
    /// The project's own objects, and the shared corpus where it is present.
    pub fn standard() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
        let mut sources = Sources::folder(&root.join("conformance/programs"));
        let corpus = Sources::folder(&shared.join("corpus/objects"));
        sources.objects.extend(corpus.objects);
        sources.btf.extend(corpus.btf);
        sources.insns.extend(corpus.insns);
        sources.btf.extend(read(&shared.join("corpus/btf"), &["btf"]));
        sources.insns.extend(loads(&shared.join("corpus/loads"), 5));
        sources.text.extend(read(&shared.join("bpf_conformance/tests"), &["data"]));
        sources
    }

    /// The files of one folder: objects, BTF, assembler text.
    pub fn folder(folder: &Path) -> Sources {
        let mut sources = Sources { objects: read(folder, &["o"]), btf: read(folder, &["btf"]), ..Sources::default() };
        sources.text = read(folder, &["data", "s", "asm"]);
        for seed in &sources.objects {
            if let Some(bytes) = section(&seed.bytes, ".BTF") {
                sources.btf.push(Seed { name: format!("{} .BTF", seed.name), bytes });
            }
            let Ok(file) = object::File::parse(seed.bytes.as_slice()) else { continue };
            for code in file.sections().filter(|section| section.kind() == object::SectionKind::Text) {
                if let (Ok(name), Ok(data)) = (code.name(), code.data())
                    && !data.is_empty()
                {
                    sources.insns.push(Seed { name: format!("{} {name}", seed.name), bytes: data.to_vec() });
                }
            }
        }
        sources
    }
}
