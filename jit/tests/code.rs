//! Compiled code: what it does on this machine, and what it looks like.

#[path = "common/run.rs"]
mod run;

#[path = "code/decode.rs"]
mod decode;
#[path = "code/model.rs"]
mod model;
#[path = "code/operations.rs"]
mod operations;
#[path = "code/programs.rs"]
mod programs;
#[path = "code/random.rs"]
mod random;
#[path = "code/runtime.rs"]
mod runtime;
#[path = "code/typical.rs"]
mod typical;
