//! Instruction slots from bytes.

use skep_isa::RawInsn;

/// A stream that ends inside of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are no whole number of slots of 8")]
pub struct PartialSlot {
    /// Bytes there are.
    pub len: usize,
}

/// The slots of a little-endian instruction stream.
///
/// # Errors
/// [`PartialSlot`].
pub fn slots(bytes: &[u8]) -> Result<Vec<RawInsn>, PartialSlot> {
    let (slots, rest) = bytes.as_chunks::<8>();
    if rest.is_empty() {
        Ok(slots.iter().map(|slot| RawInsn::from_le_bytes(*slot)).collect())
    } else {
        Err(PartialSlot { len: bytes.len() })
    }
}
