//! Packet bytes with room before and after.

use std::sync::Arc;

use skep_memory::Block;

/// A packet: `headroom | metadata | data | tailroom` in one block. All offsets count from the start of the block.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The memory.
    pub block: Arc<Block>,
    /// Where metadata begins; equal to `data` if there is none.
    pub meta: usize,
    /// Where the packet begins.
    pub data: usize,
    /// After its last byte.
    pub end: usize,
}
