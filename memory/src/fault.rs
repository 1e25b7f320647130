//! Why an access was refused.

use crate::RegionKind;

/// What an access wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Load.
    Read,
    /// Store, or an atomic operation.
    Write,
}

/// A refused access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of {size} bytes at {addr:#x}: {why}", match access { Access::Read => "read", Access::Write => "write" })]
pub struct Fault {
    /// First byte of the access.
    pub addr: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Read or write.
    pub access: Access,
    /// The reason.
    pub why: Why,
}

/// The reason of a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// An address in the first page.
    #[error("null pointer")]
    Null,
    /// No region is near.
    #[error("not in any region")]
    Unmapped,
    /// It starts in or next to a region and leaves it, or the cell of it.
    #[error("offset {offset} is outside of the {len} bytes of {kind}")]
    Outside {
        /// The region it started in, or the one that ends or begins closest.
        kind: RegionKind,
        /// Bytes from the start of the region (or of its cell) to the access.
        offset: i64,
        /// Length of the region (or of its cell).
        len: u64,
    },
    /// A write to memory that the guest may only read.
    #[error("{kind} is read-only at offset {offset}")]
    ReadOnly {
        /// The region.
        kind: RegionKind,
        /// Bytes from its start.
        offset: i64,
    },
    /// An atomic operation on what is more than bytes, such as the context.
    #[error("an atomic operation on {0}")]
    NotPlain(RegionKind),
    /// An atomic operation at an address that is not a multiple of its size.
    #[error("an atomic operation needs an aligned address")]
    Misaligned,
}
