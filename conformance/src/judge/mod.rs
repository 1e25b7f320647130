//! The judge of the verifier: whether runs stay within what it claimed.
//!
//! While a program runs in the checked interpreter, each instruction is followed in the tree of paths that verification left
//! ([`skep_verifier::kept`] says what it claims). A run that finds no way on in it, or lies in no state that was kept where it is, is
//! [`Lost`]; a run that traps is [`Ending::Trapped`]. Both are bugs, of the verifier, of the interpreter, or of the judge.
//!
//! [`program`] verifies a program and judges runs of it on generated cases, [`contained`] what verification left; [`Follow`] is the hook for those who run it themselves.

mod event;
mod follow;
mod hole;
mod program;
mod view;

pub use event::Events;
pub use follow::{Follow, Left, Lost};
pub use hole::Hole;
pub use program::{Ending, Judgement, Limits, Unjudged, accepted, contained, program};
