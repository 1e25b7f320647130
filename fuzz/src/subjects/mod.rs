//! What is tested: how its inputs are made, and what must hold of its answers.

mod asm;
mod btf;
mod bytecode;
mod object;

use fastrand::Rng;

use crate::areas::{Kind, Map};
use crate::mutate::{self, Mutable};
use crate::seeds::{Seed, Sources};

/// The names of all subjects.
pub const NAMES: &[&str] = &["btf", "btf-ext", "object", "load", "bytecode", "asm", "run"];

/// What came of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Accepted,
    /// It was refused, with an error of this kind.
    Refused(String),
    /// What must hold does not: this.
    Broken(String),
}

impl Verdict {
    /// The verdict on a result whose errors say in their `Debug` text what kind they are of.
    pub(crate) fn of<T, E: std::fmt::Debug>(result: Result<T, E>) -> Verdict {
        result.map_or_else(|error| Verdict::Refused(kind(&error)), |_| Verdict::Accepted)
    }
}

/// An input that was made from a seed.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of the seed.
    pub seed: String,
    /// The input.
    pub input: Vec<u8>,
}

/// Something that takes bytes which it cannot trust.
pub trait Subject: Send + Sync {
    /// Number of seeds.
    fn seeds(&self) -> usize;

    /// A mutated input.
    fn case(&self, rng: &mut Rng) -> Case;

    /// Puts an input to the test. What is chosen by chance in it comes from `rng`.
    fn run(&self, input: &[u8], rng: &mut Rng) -> Verdict;

    /// Bytes of memory that an input of this length may take at a time.
    fn allowance(&self, len: usize) -> usize {
        (1 << 20) + 64 * len
    }
}

/// The subject of this name, with the seeds it needs; `None` if there is none.
pub fn subject(name: &str, sources: &Sources) -> Option<Box<dyn Subject>> {
    match name {
        "btf" => Some(Box::new(btf::Types::new(&sources.btf))),
        "btf-ext" => Some(Box::new(btf::Ext::new(&sources.objects))),
        "object" => Some(Box::new(object::Parse::new(&sources.objects))),
        "load" => Some(Box::new(object::Load::new(&sources.objects))),
        "bytecode" => Some(Box::new(bytecode::Bare::new(&sources.insns))),
        "asm" => Some(Box::new(asm::Text::new(sources))),
        "run" => Some(Box::new(object::Run::new(&sources.objects))),
        _ => None,
    }
}

/// The variants that the `Debug` text of an error names, outermost first: `Elf(Section { index: 3, .. })` is `Elf Section`. Variants in a
/// field `problem` or `error` count too.
fn kind(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let mut names: Vec<&str> = Vec::new();
    let mut rest = text.as_str();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            break;
        }
        names.push(name);
        rest = match after.strip_prefix('(') {
            Some(inner) => inner,
            None => {
                let inner = ["problem: ", "error: ", "trap: "].iter().filter_map(|field| Some(after.find(field)? + field.len()));
                match inner.min() {
                    Some(at) => &after[at..],
                    None => break,
                }
            }
        };
    }
    names.join(" ")
}

/// Seeds with their areas.
#[derive(Debug)]
struct Pool {
    seeds: Vec<(String, Mutable)>,
}

impl Pool {
    fn new<'a>(seeds: impl IntoIterator<Item = &'a Seed>, map: impl Fn(&[u8]) -> Map) -> Pool {
        let seeds = seeds.into_iter().map(|seed| {
            let map = map(&seed.bytes);
            (seed.name.clone(), Mutable { bytes: seed.bytes.clone(), map })
        });
        Pool { seeds: seeds.collect() }
    }

    fn case(&self, rng: &mut Rng) -> Case {
        if self.seeds.is_empty() {
            return Case { seed: "nothing".into(), input: (0..rng.usize(..256)).map(|_| rng.u8(..)).collect() };
        }
        let (name, from) = &self.seeds[rng.usize(..self.seeds.len())];
        let (_, other) = &self.seeds[rng.usize(..self.seeds.len())];
        Case { seed: name.clone(), input: mutate::mutate(from, other, rng) }
    }
}

/// The areas of an object, some kinds of them hit more often.
fn elf_map(prefer: &'static [Kind]) -> impl Fn(&[u8]) -> Map {
    move |bytes| Map::new(crate::areas::elf(bytes), prefer)
}

#[cfg(test)]
mod tests {
    use skep_object::{Object, ObjectError};

    #[test]
    fn kinds_are_the_names_of_variants() {
        let refused = |bytes: &[u8]| super::kind(&Object::parse(bytes).unwrap_err());
        assert_eq!(refused(b""), "Elf Magic");
        assert_eq!(refused(b"\x7fELF"), "Elf Truncated");
        let io = ObjectError::Io { path: "a".into(), problem: "b".into() };
        assert_eq!(super::kind(&io), "Io");
    }
}
