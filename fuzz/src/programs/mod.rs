//! Random programs that verifiers accept often enough to be worth asking about.

mod guess;
mod line;
mod write;

pub use line::{Label, Line, Lines};
pub use write::{Generated, generate, generate_for, shell};
