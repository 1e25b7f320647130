//! Why a program is refused: values whose text is the kernel's own words (some are several lines).

mod call;
mod flow;
mod form;
mod mem;
mod reg;

pub use call::Call;
pub use flow::Flow;
pub use form::Form;
pub use mem::Mem;
pub use reg::Reg;

/// Why a program is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A call of a helper, of a kernel function or of a function of the program.
    #[error(transparent)]
    Call(#[from] Call),
}
