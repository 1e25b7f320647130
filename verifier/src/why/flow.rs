//! Paths that do not end, end too late, or end with something left.

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Flow {
    #[error("infinite loop detected at insn {0}")]
    InfiniteLoop(usize),
    #[error("BPF program is too large. Processed {0} insn")]
    TooLarge(u32),
    #[error("The sequence of {0} jumps is too complex.")]
    TooManyJumps(usize),
}
