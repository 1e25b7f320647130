//! Rules of types, held against the kernel of this host.

mod ask;
mod maps;
mod record;
mod walk;
