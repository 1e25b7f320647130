//! Refusals that follow from types alone.

/// What is wrong with an access, an argument or a target, by its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the names and numbers in the text
pub enum Types {
    // Accesses through a pointer to a struct.
    #[error("Type '{0}' is not a struct")]
    NotStruct(String),
    #[error("access beyond struct {name} at off {offset} size {size}")]
    BeyondStruct { name: String, offset: i64, size: u32 },
    #[error("access beyond the end of member {member} (mend:{end}) in struct {name} with off {offset} size {size}")]
    BeyondMember { member: String, end: u32, name: String, offset: i64, size: u32 },
    #[error("field {0} doesn't have size")]
    NoSize(String),
    #[error("cannot access ptr member {member} with moff {at} in struct {name} with off {offset} size {size}")]
    PartOfPointer { member: String, at: u32, name: String, offset: i64, size: u32 },
    #[error("struct {name} doesn't have field at offset {offset}")]
    NoField { name: String, offset: i64 },
    #[error("direct access to {0} is disallowed")]
    DirectAccess(&'static str),
    #[error("only read is supported")]
    ReadOnly,
}
