//! Values of the object's types, as text and as bytes.

use skep_btf::value::{LiteralError, SetError};
use skep_btf::{Btf, Layout, Literal, TypeId};

use crate::hex::{self, HexError};

/// A type, where there is one.
pub(super) type Typed<'a> = Option<(&'a Btf, TypeId)>;

/// What stands before bytes.
const HEX: &str = "hex:";

/// A value that cannot be read or does not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValueProblem {
    /// Text that is no value.
    #[error(transparent)]
    Literal(#[from] LiteralError),
    /// Text that is no bytes.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// A value that does not fit its type.
    #[error(transparent)]
    Set(#[from] SetError),
    /// Bytes of another length.
    #[error("{given} bytes for a value of {size}")]
    Length {
        /// Bytes there are.
        given: usize,
        /// Bytes there should be.
        size: usize,
    },
    /// A value without a type that is no number.
    #[error("`{0}`: nothing says of what type it is: a number or hex:DIGITS expected")]
    Untyped(String),
}

/// The bytes of a value of `size` bytes, by its type where there is one.
pub(super) fn bytes(ty: Typed<'_>, size: usize, text: &str) -> Result<Vec<u8>, ValueProblem> {
    if let Some(digits) = text.strip_prefix(HEX) {
        let bytes = hex::decode(digits)?;
        return if bytes.len() == size { Ok(bytes) } else { Err(ValueProblem::Length { given: bytes.len(), size }) };
    }
    let literal = Literal::parse(text)?;
    let mut bytes = vec![0; size];
    match (ty, literal) {
        (Some((btf, ty)), literal) => Layout::new(btf, ty).set(&mut bytes, "", literal)?,
        (None, Literal::Number(number)) => {
            let number = number.to_le_bytes();
            let len = size.min(number.len());
            bytes[..len].copy_from_slice(&number[..len]);
        }
        (None, _without_type) => return Err(ValueProblem::Untyped(text.to_owned())),
    }
    Ok(bytes)
}

/// Bytes as text, by their type where there is one and they are a value of it.
pub(super) fn show(ty: Typed<'_>, bytes: &[u8]) -> String {
    let value = ty.and_then(|(btf, ty)| btf.read(ty, bytes).ok());
    match value {
        Some(value) => value.to_string(),
        None => format!("{HEX}{}", hex::encode(bytes)),
    }
}
