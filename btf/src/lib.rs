//! *What it is*: BTF and BTF.ext: parse, build, layout, CO-RE matching, print as C.
//!
//! *Invariant*: type id 0 is `void`; every id and string offset that a parsed [`Btf`] holds is in range, and no type contains itself
//! by value or through modifiers alone, so that every walk over one ends.
//!
//! *Start here*: [`Btf::parse`], then [`Btf::find`] and [`Btf::ty`].
#![forbid(unsafe_code)]

mod btf;
mod build;
mod c;
pub mod core_relo;
mod error;
mod ext;
pub mod fixup;
mod graph;
mod index;
mod kind;
mod layout;
mod parse;
mod path;
mod types;
pub mod value;

pub use btf::{Btf, Matches};
pub use build::{BtfBuilder, MemberDef, TypeDef};
pub use core_relo::{CoreError, Patch, Resolution, Resolver, Targets};
pub use error::{BtfError, HeaderProblem, PathError, TypeProblem};
pub use ext::{BtfExt, CoreRelo, CoreReloKind, ExtError, ExtProblem, ExtSection, FuncInfo, LineInfo};
pub use index::essential_name;
pub use kind::{Kind, TypeId};
pub use path::{Access, Place};
pub use types::{
    Array, Composite, Datasec, DeclTag, Enum, EnumValue, Float, Func, FuncProto, Fwd, Int, IntEncoding, Linkage, Member, Param,
    Reference, SecVar, Tag, Type, Var,
};
pub use value::{Layout, Literal, Value};
