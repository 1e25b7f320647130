//! *What it is*: ELF bytes to an [`Object`] (the same on every host), and an `Object` to a [`skep_program::Program`] relocated for a
//! [`skep_linux::Target`].
//!
//! *Invariant*: parsing never panics and allocates no more than a small multiple of the file; a relocated program's instructions are those
//! that libbpf would give the kernel, with maps named by index.
//!
//! *Start here*: [`Object::open`] or [`Object::parse`], then [`Object::program`] and [`ProgramRef::relocate`].
#![forbid(unsafe_code)]

mod core_relo;
mod dwarf;
mod elf;
mod error;
mod externs;
mod fixup;
mod functions;
mod globals;
mod link;
mod maps;
mod object;
mod options;
mod reloc;
mod relocations;
mod sizes;
mod struct_ops;

pub use core_relo::PatchProblem;
pub use elf::ElfError;
pub use error::{
    DatasecProblem, ExternProblem, FunctionProblem, GlobalProblem, MapProblem, ObjectError, RelocationProblem, SectionProblem,
};
pub use globals::Global;
pub use link::{KconfigProblem, Linker, RelocateError};
pub use object::{ExternClass, ExternRef, Object, ProgramRef};
pub use options::{Options, Repairs};
pub use relocations::{Named, Relocation};
pub use sizes::MapSize;
pub use struct_ops::StructOps;
