//! Rules of types, held against the kernel of this host.

mod ask;
mod record;
mod walk;
