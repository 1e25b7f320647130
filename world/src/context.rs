//! The context of one run.

use std::sync::Arc;

use skep_linux::{AttachType, ProgType};
use skep_memory::Block;

use crate::Packet;

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
