//! The context of one run.

use std::sync::Arc;

use skep_linux::{AttachType, ProgType};
use skep_memory::Block;

use crate::{Packet, World};

/// What `r1` points to when a program starts, and what stands behind it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Program type: chooses the rows that say what each field is.
    pub prog_type: ProgType,
    /// Attach type, where it matters.
    pub attach_type: Option<AttachType>,
    /// The context as uapi lays it out (`__sk_buff`, `xdp_md`, `pt_regs`, an array of arguments, ...). Fields that yield
    /// pointers (`data`, `data_end`, `sk`) are computed when they are loaded, by their rows.
    pub block: Arc<Block>,
    /// The packet, for program types that have one.
    pub packet: Option<Packet>,
}

/// An access to the context that its rows do not allow, or a field that has no value here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{size} bytes at offset {offset} of the context: {why}")]
pub struct ContextFault {
    /// Bytes from the start of the context.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// The reason.
    pub why: String,
}

/// Offsets from here on count from the network header (`SKF_NET_OFF`).
const NETWORK: i32 = -0x10_0000;
/// Offsets from here on count from the link-layer header (`SKF_LL_OFF`).
const LINK: i32 = -0x20_0000;

impl Context {
    /// Memory without fields, for engines that run instructions without a program type.
    pub fn memory(block: Arc<Block>) -> Context {
        Context { prog_type: ProgType::Unspec, attach_type: None, block, packet: None }
    }

    /// What a load of `size` bytes at `offset` yields.
    ///
    /// # Errors
    /// [`ContextFault`], if no row allows it.
    pub fn load(&self, _world: &World, offset: usize, size: usize) -> Result<u64, ContextFault> {
        Ok(self.block.load(offset, size))
    }

    /// A store of the low `size` bytes of `value` at `offset`.
    ///
    /// # Errors
    /// [`ContextFault`], if no row allows it.
    pub fn store(&self, _world: &World, offset: usize, size: usize, value: u64) -> Result<(), ContextFault> {
        self.block.store(offset, size, value);
        Ok(())
    }

    /// A number of `size` bytes of the packet in network order, as `LD_ABS` reads it; `None` beyond the packet. Negative offsets
    /// count from a header.
    pub fn load_packet(&self, offset: i32, size: usize) -> Option<u64> {
        let packet = self.packet.as_ref()?;
        let (base, offset) = match offset {
            0.. => (packet.data, offset),
            NETWORK.. => (packet.network, offset - NETWORK),
            LINK.. => (packet.mac, offset - LINK),
            i32::MIN.. => return None,
        };
        let at = base.checked_add(usize::try_from(offset).ok()?)?;
        (at.checked_add(size)? <= packet.end)
            .then(|| packet.block.bytes(at, size).iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}
