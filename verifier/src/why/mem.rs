//! Accesses to memory that are refused.

/// What is wrong with an access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Mem {
    #[error("R{reg} invalid mem access '{kind}'")]
    Kind { reg: u8, kind: String },
}
