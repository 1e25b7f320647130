//! Rules of types, held against the kernel of this host.

mod ask;
mod context;
mod func_args;
mod kfunc_args;
mod maps;
mod record;
mod recorded;
mod walk;
