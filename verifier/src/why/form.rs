//! A program that is not well formed: found before any path is followed.

/// What is wrong with the form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Form {
    #[error("unreachable insn {0}")]
    Unreachable(usize),
}
