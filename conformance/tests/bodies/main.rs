//! Bodies of helpers and kernel functions, called by programs that keep what calls gave.

mod compared;
mod kept;
mod simulated;
mod state;
