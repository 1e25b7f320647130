//! The rows of this crate, held against the kernel of this host.

mod ask;
mod calls;
mod contexts;
mod helpers;
mod kfuncs;
mod maps;
mod programs;
mod special;
mod struct_ops;
