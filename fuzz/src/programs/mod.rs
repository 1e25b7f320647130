//! Random programs that verifiers accept often enough to be worth asking about.
//!
//! *Start here*: [`Ground`] is what they are made from (rows, the types of the kernel), [`generate`] makes the one of a seed.

mod family;
mod ground;
mod guess;
mod line;
mod shell;
mod write;

pub use family::{Families, Family};
pub use ground::Ground;
pub use line::{Label, Line, Lines};
pub use write::{Generated, generate, generate_for};
