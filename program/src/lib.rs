//! *What it is*: the narrow waist: what a loader makes and what verifier, engines and kernels take.
//!
//! *Invariant*: map indices in the instructions are in range of [`Program::maps`].
//!
//! *Start here*: [`Program`].
#![deny(unsafe_code)]

mod context_reach;
mod facts;
mod map_def;
pub mod special;
mod verified;

pub use facts::{Fact, Facts, Through};
pub use map_def::*;
pub use skep_linux::SpecialKind;
pub use special::{Holds, SpecialField, special_fields};
pub use verified::Verified;

use std::borrow::Cow;
use std::sync::Arc;

use skep_btf::Btf;
use skep_isa::{Names, RawInsn};
use skep_linux::{AttachType, HelperNames, ProgType};

/// One program, relocated for a target, with all the subprograms it reaches, as `BPF_PROG_LOAD` takes it.
#[derive(Debug, Clone)]
pub struct Program {
    /// Name of the entry function.
    pub name: String,
    /// ELF section it came from, such as `tp/syscalls/sys_enter_openat`.
    pub section: String,
    /// Program type.
    pub prog_type: ProgType,
    /// Expected attach type, where the type has one.
    pub attach_type: Option<AttachType>,
    /// What the section name says it attaches to, such as `sys_enter_openat` (kernel function, tracepoint, struct_ops member ...).
    pub attach_to: Option<String>,
    /// BTF id of the attach target in the target's BTF, where it was found.
    pub attach_btf_id: Option<u32>,
    /// `BPF_F_*` program flags (sleepable, XDP frags, ...).
    pub flags: u32,
    /// License string.
    pub license: String,
    /// `kern_version` that old kprobe programs carry.
    pub kern_version: u32,
    /// The instructions: entry function first, subprograms after it. Maps are named by index (pseudo 5 and 6).
    pub insns: Vec<RawInsn>,
    /// Maps that the instructions name.
    pub maps: Vec<Arc<MapDef>>,
    /// The object's own types.
    pub btf: Option<Arc<Btf>>,
    /// Functions by the slot they begin at, in order; the first begins at 0.
    pub funcs: Vec<Func>,
    /// Source lines by slot, in order.
    pub lines: Vec<Line>,
    /// Kernel functions that are called.
    pub kfuncs: Vec<Kfunc>,
    /// Kernel variables that wide loads name by BTF id.
    pub ksyms: Vec<Ksym>,
}

impl Program {
    /// Instructions alone: no section, no maps, no types, license "GPL".
    pub fn bare(name: impl Into<String>, prog_type: ProgType, insns: impl Into<Vec<RawInsn>>) -> Program {
        Program {
            name: name.into(),
            section: String::new(),
            prog_type,
            attach_type: None,
            attach_to: None,
            attach_btf_id: None,
            flags: 0,
            license: "GPL".into(),
            kern_version: 0,
            insns: insns.into(),
            maps: Vec::new(),
            btf: None,
            funcs: Vec::new(),
            lines: Vec::new(),
            kfuncs: Vec::new(),
            ksyms: Vec::new(),
        }
    }
}

/// The names in a program: of helpers, of the kernel functions that it calls, of its own functions.
impl Names for Program {
    fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
        HelperNames.helper(id)
    }

    fn kfunc(&self, id: i32, _module: i16) -> Option<Cow<'_, str>> {
        self.kfuncs.iter().find(|kfunc| kfunc.id == id).map(|kfunc| Cow::Borrowed(kfunc.name.as_str()))
    }

    fn function(&self, slot: usize) -> Option<Cow<'_, str>> {
        self.funcs.iter().find(|func| func.start == slot).map(|func| Cow::Borrowed(func.name.as_str()))
    }
}

/// A function of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Func {
    /// Slot of its first instruction.
    pub start: usize,
    /// Its symbol.
    pub name: String,
    /// Id of its `FUNC` in [`Program::btf`]; 0 where there is none.
    pub type_id: u32,
    /// Global functions are verified by themselves.
    pub global: bool,
}

/// The source of the instructions from one slot to the next line's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// First slot.
    pub start: usize,
    /// File as the compiler wrote it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if unknown.
    pub column: u32,
    /// Text of the line, where BTF.ext has it.
    pub text: Arc<str>,
}

/// A kernel function that a program calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kfunc {
    /// Its name.
    pub name: String,
    /// The immediate that calls to it carry: id of its `FUNC` in the target's BTF, or a poisoned number if it is absent.
    pub id: i32,
    /// Whether the target has it.
    pub present: bool,
}

/// A kernel variable that a program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ksym {
    /// Its name.
    pub name: String,
    /// Id of its `VAR` in the target's BTF.
    pub id: u32,
}
