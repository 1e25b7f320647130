//! The checked interpreter. Instructions are decoded once into [`Op`]s, whose handlers lie in files by shape; the loop that runs
//! them is in `run.rs`, the state they work on in `state.rs`.

mod access;
mod alu;
mod atomic;
mod call;
mod compile;
mod hook;
mod jump;
mod native;
mod op;
mod run;
mod state;
mod trusted;

pub(crate) use compile::compile;
pub(crate) use hook::Silent;
pub use hook::{At, Hook, Step, Strict, Trace};
pub(crate) use op::Op;
pub(crate) use run::{Engine, Environment, MapTable};
pub(crate) use state::{Core, Event, MAX_DEPTH};
pub(crate) use trusted::Trusted;
