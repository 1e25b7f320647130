//! *What it is*: Linux as data: types, helpers, contexts, section names, error numbers, each row with the release it came with.
//!
//! *Invariant*: nobody compares release numbers but this crate; others ask a [`Target`].
//!
//! *Start here*: [`Target`], then the rows of a family.
#![forbid(unsafe_code)]

pub mod contexts;
mod errno;
pub mod features;
pub mod flags;
pub mod helpers;
pub mod iterators;
pub mod kfuncs;
mod license;
pub mod limits;
pub mod lsm;
pub mod maps;
mod names;
pub mod programs;
mod recorded;
pub mod sections;
pub mod sets;
pub mod special;
pub mod struct_ops;
mod target;
pub mod traced;
pub mod tracepoints;
pub mod trust;
mod types;
pub mod verdicts;
pub mod writes;

pub use contexts::{ContextRow, Field, context};
pub use errno::Errno;
pub use features::Feature;
pub use helpers::{HelperRow, helper, helper_by_name};
pub use kfuncs::{KfuncRow, kfunc};
pub use license::gpl_compatible;
pub use maps::{MapRow, map};
pub use names::HelperNames;
pub use programs::{ProgRow, program};
pub use recorded::{Recorded, RecordedError, recorded, recorded_btf, recordings};
pub use sections::{SectionMatch, SectionRow, section};
pub use sets::{AttachSet, MapSet, ProgSet, Users};
pub use special::SpecialKind;
pub use struct_ops::{StructOpsRow, struct_ops};
pub use target::{Arch, Release, ReleaseError, Target, Version, kconfig};
pub use types::{AttachType, MapType, ProgType};
pub use verdicts::Meaning;
pub use writes::writes;
