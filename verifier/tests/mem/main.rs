//! Accesses to memory and calls of helpers, held against the kernel: verdict, words, and processed instructions.

mod ask;
mod calls;
mod cases;
mod fields;
mod held;
mod helpers;
mod numbers;
mod objects;
mod random;
