//! Which engine runs programs.

use skep::Mode;

/// What runs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum EngineArg {
    /// The interpreter, testing every access; whatever the verifier would say
    #[default]
    Interp,
    /// The interpreter without the tests that the verifier makes needless; it must accept the programs
    Trusted,
    /// Machine code; the verifier must accept the programs
    Jit,
}

impl EngineArg {
    /// The same for the library.
    pub(crate) fn mode(self) -> Mode {
        match self {
            EngineArg::Interp => Mode::Checked,
            EngineArg::Trusted => Mode::Trusted,
            EngineArg::Jit => Mode::Jit,
        }
    }

    /// Whether programs run as machine code.
    pub(crate) fn is_compiled(self) -> bool {
        match self {
            EngineArg::Interp | EngineArg::Trusted => false,
            EngineArg::Jit => true,
        }
    }
}
