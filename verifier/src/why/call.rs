//! Calls that are refused.

/// What is wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Call {
    #[error("invalid func {name}#{id}")]
    NoHelper { name: String, id: i32 },
    #[error("the call stack of {0} frames is too deep")]
    TooDeep(usize),
}
