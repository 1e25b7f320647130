//! The types that values are read and written by: the object's own, those of other files, the target's.

use std::sync::Arc;

use skep::{Btf, Object, Options};
use skep_btf::{Kind, TypeId};

use super::error::Wrong;
use crate::exit::Failure;

/// Where types are looked for, in this order.
pub(super) struct Types {
    /// Of `--types`.
    pub(super) given: Vec<Arc<Btf>>,
    /// Of the object.
    pub(super) object: Option<Arc<Btf>>,
    /// Of the target.
    pub(super) kernel: Option<Arc<Btf>>,
}

const KINDS: [Kind; 7] = [Kind::Struct, Kind::Union, Kind::Typedef, Kind::Int, Kind::Enum, Kind::Enum64, Kind::Float];

/// The type of this name in C: `struct event`, `union u`, `enum e`, or a bare name.
pub(super) fn find(btf: &Btf, name: &str) -> Option<TypeId> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let (kinds, name) = match words[..] {
        ["struct", name] => (&[Kind::Struct][..], name.to_owned()),
        ["union", name] => (&[Kind::Union][..], name.to_owned()),
        ["enum", name] => (&[Kind::Enum, Kind::Enum64][..], name.to_owned()),
        // `unsigned long long` is a name of three words.
        _ => (&KINDS[..], words.join(" ")),
    };
    kinds.iter().find_map(|kind| btf.find(&name, *kind))
}

impl Types {
    /// Reads `--types`.
    pub(super) fn new(files: &[std::path::PathBuf], object: &Object, kernel: Option<Arc<Btf>>) -> Result<Types, Failure> {
        let mut given = Vec::new();
        for file in files {
            let within = || format!("cannot read types from `{}`", file.display());
            let bytes = std::fs::read(file).map_err(|error| Failure::usage(error).within(within()))?;
            given.push(match bytes.starts_with(b"\x7fELF") {
                true => {
                    let object =
                        Object::parse_with(&bytes, &Options::default()).map_err(|e| Failure::usage(e).within(within()))?;
                    object.btf().cloned().ok_or_else(|| Failure::usage("the object has no BTF").within(within()))?
                }
                false => Arc::new(Btf::parse(&bytes).map_err(|error| Failure::usage(error).within(within()))?),
            });
        }
        Ok(Types { given, object: object.btf().cloned(), kernel })
    }

    /// All, in order.
    fn all(&self) -> impl Iterator<Item = &Arc<Btf>> {
        self.given.iter().chain(&self.object).chain(&self.kernel)
    }

    /// The first type of this name.
    pub(super) fn find(&self, name: &str) -> Result<(Arc<Btf>, TypeId), Wrong> {
        let found = self.all().find_map(|btf| Some((btf.clone(), find(btf, name)?)));
        found.ok_or_else(|| Wrong::NoType(name.to_owned()))
    }

    /// As [`Types::find`], for what lies in memory of the kernel: its own types come first.
    pub(super) fn find_kernel(&self, name: &str) -> Option<(Arc<Btf>, TypeId)> {
        let in_order = self.kernel.iter().chain(&self.object).chain(&self.given);
        in_order.into_iter().find_map(|btf| Some((btf.clone(), find(btf, name)?)))
    }
}
