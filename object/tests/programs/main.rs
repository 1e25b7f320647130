//! Small objects of our own, one for each part of what an object may hold; their sources are beside them.

mod code;
mod core_relo;
mod externs;
mod globals;
mod libbpf;
mod lines;
mod maps;
mod refused;
mod struct_ops;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_btf::Btf;
use skep_linux::{Arch, Release, Target};
use skep_object::{Object, ObjectError, Options, ProgramRef, Repairs};
use skep_program::Program;

/// A file beside the sources.
pub(crate) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/programs/objects").join(file)
}

pub(crate) fn read(file: &str) -> Vec<u8> {
    std::fs::read(path(file)).unwrap()
}

pub(crate) fn open(name: &str) -> Object {
    Object::open(path(&format!("{name}.bpf.o")), &Options::default()).unwrap()
}

pub(crate) fn open_repaired(name: &str, repairs: Repairs) -> Result<Object, ObjectError> {
    Object::open(path(&format!("{name}.bpf.o")), &Options { repairs, ..Options::default() })
}

/// A kernel without types.
pub(crate) fn target() -> Target {
    Target::new(Release::new(6, 18), Arch::X86_64)
}

/// A kernel that has the types of an object.
pub(crate) fn target_like(name: &str) -> Target {
    target().with_btf(types(name))
}

pub(crate) fn types(name: &str) -> Arc<Btf> {
    open(name).btf().unwrap().clone()
}

pub(crate) fn relocate(program: ProgramRef<'_>) -> Program {
    program.relocate(&target()).unwrap()
}
