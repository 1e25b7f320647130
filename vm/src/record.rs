//! Records by their types.

use skep_btf::value::ValueError;
use skep_btf::{Btf, Kind, TypeId, Value};

/// A record that is no value of the type it is said to have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// No such type.
    #[error("the object has no type `{0}`")]
    NoType(String),
    /// Bytes that are no value of the type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The type of this name: a struct, a union, a typedef, an integer or an enum, in this order.
fn find(types: &Btf, name: &str) -> Option<TypeId> {
    let kinds = [Kind::Struct, Kind::Union, Kind::Typedef, Kind::Int, Kind::Enum, Kind::Enum64];
    kinds.into_iter().find_map(|kind| types.find(name, kind))
}

/// Reads a record as a value of the type with this name.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(types: &Btf, name: &str, record: &[u8]) -> Result<Value, DecodeError> {
    let ty = find(types, name).ok_or_else(|| DecodeError::NoType(name.to_owned()))?;
    Ok(types.read(ty, record)?)
}
