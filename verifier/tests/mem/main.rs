//! Accesses to memory, held against the kernel: verdict, words, and processed instructions.

mod ask;
mod cases;
mod fields;
mod numbers;
mod objects;
mod random;
