//! Keys and values on the way between a program and a map.

use std::ops::Deref;

/// Bytes that are on the stack when they are few.
pub(crate) enum Small {
    /// At most as many as fit here.
    Few([u8; Small::INLINE], usize),
    /// More.
    Many(Vec<u8>),
}

impl Small {
    const INLINE: usize = 64;

    /// `len` zero bytes, if they are few; otherwise `None`: the caller reads the many itself, after a test of the access.
    pub(crate) fn few(len: usize) -> Option<Small> {
        (len <= Small::INLINE).then_some(Small::Few([0; Small::INLINE], len))
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Small::Few(bytes, len) => &mut bytes[..*len],
            Small::Many(bytes) => bytes,
        }
    }
}

impl Deref for Small {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Small::Few(bytes, len) => &bytes[..*len],
            Small::Many(bytes) => bytes,
        }
    }
}
