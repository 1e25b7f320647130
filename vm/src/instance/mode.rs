//! How programs run.

use super::{BuildError, Builder};

/// How programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Interpreted, with a test of every access. Any program runs so.
    #[default]
    Checked,
    /// Interpreted, without the tests that the verifier makes needless. It must accept the programs.
    Trusted,
    /// As machine code. The verifier must accept the programs.
    Jit,
}

impl Mode {
    /// All.
    pub const ALL: [Mode; 3] = [Mode::Checked, Mode::Trusted, Mode::Jit];

    /// The mode of this name: `checked`, `trusted`, `jit`.
    pub fn named(name: &str) -> Option<Mode> {
        match name {
            "checked" => Some(Mode::Checked),
            "trusted" => Some(Mode::Trusted),
            "jit" => Some(Mode::Jit),
            _other => None,
        }
    }
}

impl Builder {
    /// How programs are to run. In other modes than [`Mode::Checked`] they are verified, as of one who has all privileges if
    /// [`Builder::verify`] does not say otherwise.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Builder {
        match mode {
            Mode::Checked => self.verify = None,
            Mode::Trusted | Mode::Jit => _ = self.verify.get_or_insert_default(),
        }
        self.compile = mode == Mode::Jit;
        self
    }
}

impl BuildError {
    /// A program is none that may run verified.
    pub fn is_verdict(&self) -> bool {
        match self {
            BuildError::Refused { .. } | BuildError::Undecided { .. } | BuildError::NotAsVerified { .. } => true,
            BuildError::Relocate(_)
            | BuildError::Object(_)
            | BuildError::Map(_)
            | BuildError::Jump { .. }
            | BuildError::NoBody { .. }
            | BuildError::Link { .. }
            | BuildError::Compile(_)
            | BuildError::Variable { .. }
            | BuildError::Slot { .. } => false,
        }
    }
}
