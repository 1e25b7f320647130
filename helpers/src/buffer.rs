//! A socket buffer in the hands of a body: its bytes, its state, and the fields of `__sk_buff` that mirror it.

use std::sync::Arc;

use skep_linux::Errno;
use skep_linux::contexts::ContextRow;
use skep_memory::Block;
use skep_world::{Checksum, Context, Packet, Skb};

use crate::call::{Call, Fail};
use crate::checksum;

/// `BPF_SKB_MAX_LEN`: bytes of the largest buffer that helpers make.
pub(crate) const MAX_LEN: usize = 16064;
/// EtherTypes.
pub(crate) const ETH_P_IP: u16 = 0x0800;
pub(crate) const ETH_P_IPV6: u16 = 0x86dd;
pub(crate) const ETH_P_8021Q: u16 = 0x8100;
pub(crate) const ETH_P_8021AD: u16 = 0x88a8;
/// Bytes of an Ethernet header.
pub(crate) const ETH_HLEN: usize = 14;

/// The socket buffer behind a context.
pub(crate) struct Buffer<'c> {
    pub(crate) packet: &'c mut Packet,
    pub(crate) state: &'c mut Skb,
    block: Arc<Block>,
    row: &'static ContextRow,
}

impl Call<'_> {
    /// Argument `n` as a context with a packet.
    pub(crate) fn packet(&mut self, n: usize) -> Result<&mut Packet, Fail> {
        let why = self.bad(n, "a context without a packet");
        self.context(n)?.packet.as_mut().ok_or(why)
    }

    /// Argument `n` as a socket buffer.
    pub(crate) fn buffer(&mut self, n: usize) -> Result<Buffer<'_>, Fail> {
        let why = self.bad(n, "a context without a packet");
        let context = self.context(n)?;
        let row = context.row();
        let Context { packet: Some(packet), skb: state, block, .. } = context else {
            return Err(why);
        };
        let Some(row) = row else {
            return Err(why);
        };
        Ok(Buffer { packet, state, block: block.clone(), row })
    }
}

impl Buffer<'_> {
    /// A number in the context; 0 in contexts that have no such field.
    pub(crate) fn field(&self, name: &str) -> u64 {
        let field = self.row.field(name).filter(|field| field.offset as usize + field.size as usize <= self.block.len());
        field.map_or(0, |field| self.block.load(field.offset as usize, field.size as usize))
    }

    /// Sets a number in the context, if it has such a field.
    pub(crate) fn set_field(&self, name: &str, value: u64) {
        let field = self.row.field(name).filter(|field| field.offset as usize + field.size as usize <= self.block.len());
        if let Some(field) = field {
            self.block.store(field.offset as usize, field.size as usize, value);
        }
    }

    /// `skb->protocol`.
    pub(crate) fn protocol(&self) -> u16 {
        u16::from_be(self.field("protocol") as u16)
    }

    pub(crate) fn set_protocol(&self, protocol: u16) {
        self.set_field("protocol", protocol.to_be().into());
    }

    /// Whether it stands for several packets (`skb_is_gso`). No model says of which kind these are.
    pub(crate) fn is_gso(&self) -> bool {
        self.field("gso_size") != 0
    }

    /// Where the network header begins in the packet; negative if it lies before.
    pub(crate) fn network_offset(&self) -> isize {
        self.packet.network as isize - self.packet.data as isize
    }

    /// `skb_reset_mac_len`.
    pub(crate) fn measure_mac(&mut self) {
        self.packet.mac_len = self.packet.network.saturating_sub(self.packet.mac);
    }

    /// Makes the first `len` bytes writable in place.
    pub(crate) fn writable(&mut self, len: usize) -> Result<(), Errno> {
        if len > self.packet.len() {
            return Err(Errno::ENOMEM);
        }
        self.packet.pull(len);
        Ok(())
    }

    /// Bytes of the packet; they are there.
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        self.packet.get(offset, len).unwrap_or_default()
    }

    /// Writes bytes of the packet that are there.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let _inside = self.packet.set(offset, bytes);
    }

    /// Takes bytes at an offset out of the sum over the packet.
    pub(crate) fn pull_sum(&mut self, offset: usize, len: usize) {
        if let Checksum::Complete(sum) = self.state.checksum {
            let part = block_sum(&self.bytes(offset, len), offset);
            self.state.checksum = Checksum::Complete(checksum::sub(sum, part));
        }
    }

    /// Adds bytes at an offset to the sum over the packet.
    pub(crate) fn push_sum(&mut self, offset: usize, len: usize) {
        if let Checksum::Complete(sum) = self.state.checksum {
            let part = block_sum(&self.bytes(offset, len), offset);
            self.state.checksum = Checksum::Complete(checksum::add(sum, part));
        }
    }

    /// Puts `len` zero bytes into the packet behind its first `offset` bytes, which move forward.
    pub(crate) fn insert(&mut self, offset: usize, len: usize) -> Result<(), Errno> {
        self.packet.ensure_headroom(len);
        self.packet.shift(-(len as isize)).ok_or(Errno::ENOMEM)?;
        let data = self.packet.data;
        self.packet.block.copy_within(data + len, data, offset);
        self.packet.block.fill(data + offset, len, 0);
        Ok(())
    }

    /// Takes `len` bytes out of the packet behind its first `offset` bytes, which move backward.
    pub(crate) fn remove(&mut self, offset: usize, len: usize) -> Result<(), Errno> {
        self.writable(offset + len)?;
        self.pull_sum(offset, len);
        let data = self.packet.data;
        self.packet.block.copy_within(data, data + len, offset);
        self.packet.shift(len as isize).ok_or(Errno::ENOMEM)
    }

    /// Makes the packet shorter, or longer with bytes of 0.
    pub(crate) fn resize(&mut self, len: usize) {
        let old = self.packet.len();
        if len > old {
            let missing = (len - old).saturating_sub(self.packet.tailroom());
            if missing > 0 {
                self.packet.expand(0, missing);
            }
            // The sum over the packet is not known any more.
            if let Checksum::Complete(_) = self.state.checksum {
                self.state.checksum = Checksum::None;
            }
        } else if len < old {
            self.pull_sum(len, old - len);
        }
        let _room = self.packet.move_tail(len as isize - old as isize);
    }

    /// `skb_clear_hash`.
    pub(crate) fn clear_hash(&mut self) {
        self.state.hashed = false;
        self.set_field("hash", 0);
    }
}

/// The sum over bytes that lie at an offset: in odd places, the halves of the words change sides.
fn block_sum(bytes: &[u8], offset: usize) -> u32 {
    let sum = checksum::partial(bytes, 0);
    if offset % 2 == 1 { sum.rotate_left(8) } else { sum }
}
