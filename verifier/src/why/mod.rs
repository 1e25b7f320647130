//! Why a program is refused: values whose text is the kernel's own words (some are several lines).

mod call;
mod flow;
mod form;
mod kfunc;
mod locks;
mod mem;
mod reg;
mod types;

pub use call::Call;
pub use flow::Flow;
pub use form::Form;
pub use kfunc::{Kfunc, Note};
pub use locks::Locks;
pub use mem::Mem;
pub use reg::Reg;
pub use types::Types;

/// Why a program is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Why {
    /// The program is not well formed.
    #[error(transparent)]
    Form(#[from] Form),
    /// Its paths: loops, limits, exits, what is left at the end.
    #[error(transparent)]
    Flow(#[from] Flow),
    /// A register holds what it must not.
    #[error(transparent)]
    Reg(#[from] Reg),
    /// An access to memory.
    #[error(transparent)]
    Mem(#[from] Mem),
    /// A call of a helper or of a function of the program.
    #[error(transparent)]
    Call(#[from] Call),
    /// A call of a kernel function.
    #[error(transparent)]
    Kfunc(#[from] Kfunc),
    /// A lock.
    #[error(transparent)]
    Locks(#[from] Locks),
    /// The types of an access, an argument or a target.
    #[error(transparent)]
    Types(#[from] Types),
}

impl Why {
    /// A name for what is wrong that stays when the numbers in it change: family and variant, such as `reg/not-init`.
    pub fn class(&self) -> String {
        let family: &'static str = self.into();
        let variant: &'static str = match self {
            Why::Form(why) => why.into(),
            Why::Flow(why) => why.into(),
            Why::Reg(why) => why.into(),
            Why::Mem(why) => why.into(),
            Why::Call(why) => why.into(),
            Why::Kfunc(why) => why.into(),
            Why::Locks(why) => why.into(),
            Why::Types(why) => why.into(),
        };
        format!("{family}/{variant}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_names() {
        assert_eq!(Why::from(Reg::NotInit(3)).class(), "reg/not-init");
        assert_eq!(Why::from(Flow::TooLarge(1)).class(), "flow/too-large");
    }
}
