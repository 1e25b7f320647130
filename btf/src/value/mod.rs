//! Values of a type: bytes to a tree and to text, and text and trees to bytes.
//!
//! Bytes are little-endian, as programs and the kernels that skep models are.

mod literal;
mod read;
mod text;
mod write;

pub use literal::{Literal, LiteralError};
pub use read::{Value, ValueError};
pub use write::SetError;

use crate::{Btf, Type, TypeId};

/// Whether arrays of the type are text: one byte, and `char` by name or encoding.
pub(crate) fn is_char(btf: &Btf, id: TypeId) -> bool {
    match btf.get(btf.resolve(id)) {
        Some(Type::Int(int)) => int.size == 1 && (int.encoding == crate::IntEncoding::Char || int.name == "char"),
        _ => false,
    }
}

/// A type whose values lie in bytes: reads and writes fields by path.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    btf: &'a Btf,
    root: TypeId,
}

impl<'a> Layout<'a> {
    /// The layout of a type.
    pub fn new(btf: &'a Btf, root: TypeId) -> Layout<'a> {
        Layout { btf, root }
    }

    /// The types it is made of.
    pub fn btf(&self) -> &'a Btf {
        self.btf
    }

    /// The type of the whole.
    pub fn root(&self) -> TypeId {
        self.root
    }

    /// The bytes of the whole.
    ///
    /// # Errors
    /// A type without a size.
    pub fn size(&self) -> Result<u32, crate::BtfError> {
        self.btf.size_of(self.root)
    }
}
