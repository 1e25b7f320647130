//! Registers that hold what they must not.

/// What is wrong with a register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Reg {
    #[error("R{0} !read_ok")]
    NotInit(u8),
    #[error("frame pointer is read only")]
    FramePointer,
}
