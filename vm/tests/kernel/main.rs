//! Small programs on this host's kernel and in skep: both must return the same, and leave the same packet and context.

mod arena;
mod both;
mod calls;
mod contexts;
