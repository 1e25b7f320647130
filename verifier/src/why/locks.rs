//! Locks that are taken or given up wrongly.

/// What is wrong with a lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the names and numbers in the text
pub enum Locks {
    #[error("R{reg} doesn't have constant offset. {lock}_lock has to be at the constant offset")]
    Variable { reg: u8, lock: &'static str },
    #[error("map '{map}' has to have BTF in order to use {lock}_lock")]
    WithoutTypes { map: String, lock: &'static str },
    #[error("{kind} '{owner}' has no valid {lock}_lock")]
    None { kind: &'static str, owner: String, lock: &'static str },
    #[error("off {off} doesn't point to 'struct {lock}_lock' that is at {at}")]
    Offset { off: i64, lock: &'static str, at: u32 },
    #[error("Acquiring the same lock again, AA deadlock detected")]
    Again,
    #[error("{0}_unlock without taking a lock")]
    NotHeld(&'static str),
    #[error("{0}_unlock of different lock")]
    Other(&'static str),
    #[error("{0}_unlock cannot be out of order")]
    Order(&'static str),
}
