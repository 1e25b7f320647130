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
    /// Where direct access ends: equal to `end` unless a part of the packet lies in fragments. Helpers reach all of it.
    pub linear_end: usize,
    /// Where the link-layer header begins.
    pub mac: usize,
    /// Where the network header begins.
    pub network: usize,
    /// Bytes that the link-layer header was found to have; 0 if nobody has looked.
    pub mac_len: usize,
    /// Where the transport header begins, if somebody has said so.
    pub transport: Option<usize>,
    /// After the last byte that the packet may grow into; never more than the block has.
    pub limit: usize,
    /// What `limit` is where no part of the packet lies in fragments.
    pub linear_limit: usize,
}

impl Packet {
    /// A packet holding a copy of `bytes`, with room before and after. Its headers begin where its bytes do.
    pub fn new(bytes: &[u8], headroom: usize, tailroom: usize) -> Packet {
        let end = headroom + bytes.len();
        let block = Block::zeroed(end + tailroom);
        block.write(headroom, bytes);
        let (data, limit) = (headroom, end + tailroom);
        Packet {
            block,
            meta: data,
            data,
            end,
            linear_end: end,
            mac: data,
            network: data,
            mac_len: 0,
            transport: None,
            limit,
            linear_limit: limit,
        }
    }

    /// Number of bytes of the packet.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.data)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes before the metadata.
    pub fn headroom(&self) -> usize {
        self.meta.min(self.data)
    }

    /// Bytes after the packet that it may grow into.
    pub fn tailroom(&self) -> usize {
        self.limit.saturating_sub(self.end)
    }

    /// A copy of the packet.
    pub fn bytes(&self) -> Vec<u8> {
        self.block.bytes(self.data, self.len())
    }

    /// A copy of the metadata.
    pub fn metadata(&self) -> Vec<u8> {
        self.block.bytes(self.meta, self.data.saturating_sub(self.meta))
    }

    /// Address of the first byte of the packet.
    pub fn addr(&self) -> u64 {
        self.block.addr() + self.data as u64
    }

    /// A copy of `len` bytes from `offset` of the packet; `None` if they leave it.
    pub fn get(&self, offset: usize, len: usize) -> Option<Vec<u8>> {
        (offset.checked_add(len)? <= self.len()).then(|| self.block.bytes(self.data + offset, len))
    }

    /// Writes at `offset` of the packet; `None`, and nothing is written, if the bytes leave it.
    pub fn set(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        (offset.checked_add(bytes.len())? <= self.len()).then(|| self.block.write(self.data + offset, bytes))
    }

    /// Moves the beginning of the packet: a negative `delta` grows it into the headroom, a positive one takes bytes away. `None`, and
    /// nothing moves, if there is no such room or if nothing would be left. Metadata is lost.
    pub fn move_head(&mut self, delta: isize) -> Option<()> {
        let data = self.data.checked_add_signed(delta).filter(|data| *data <= self.end)?;
        self.data = data;
        self.meta = data;
        Some(())
    }

    /// Moves the end of the packet: a positive `delta` grows it into the tailroom, with bytes of 0. `None`, and nothing moves, if there
    /// is no such room.
    pub fn move_tail(&mut self, delta: isize) -> Option<()> {
        let end = self.end.checked_add_signed(delta).filter(|end| (self.data..=self.limit).contains(end))?;
        if end > self.end {
            self.block.fill(self.end, end - self.end, 0);
        }
        let linear = self.linear_end == self.end;
        self.end = end;
        self.linear_end = if linear { end } else { self.linear_end.min(end) };
        Some(())
    }

    /// Makes sure that so many bytes can be put before the packet, if need be in a new block.
    pub fn ensure_headroom(&mut self, len: usize) {
        /// `NET_SKB_PAD`.
        const STEP: usize = 64;
        if let Some(missing) = len.checked_sub(self.headroom()).filter(|missing| *missing > 0) {
            self.expand(missing.next_multiple_of(STEP), 0);
        }
    }

    /// Moves the beginning of the packet, and its metadata with it, to bytes that are there already: before it if `delta` is negative.
    /// `None`, and nothing moves, if there are none.
    pub fn shift(&mut self, delta: isize) -> Option<()> {
        let meta = self.meta.checked_add_signed(delta)?;
        let data = self.data.checked_add_signed(delta).filter(|data| *data <= self.end)?;
        (self.meta, self.data) = (meta, data);
        self.linear_end = self.linear_end.max(data);
        Some(())
    }

    /// Makes the first `len` bytes reachable by direct access; all of the packet if it has fewer.
    pub fn pull(&mut self, len: usize) {
        self.linear_end = self.linear_end.max(self.end.min(self.data.saturating_add(len)));
    }

    /// Moves the packet to a new block with so many more bytes before and after it. Everything keeps its distance to the packet; the
    /// place of a transport header that nobody has named is the number before 0, and moves on from there, as in the kernel.
    pub fn expand(&mut self, before: usize, after: usize) {
        let block = Block::zeroed(before + self.block.len() + after);
        block.write(before, &self.block.bytes(0, self.block.len()));
        for offset in [&mut self.meta, &mut self.data, &mut self.mac, &mut self.network, &mut self.linear_end, &mut self.end] {
            *offset += before;
        }
        if before > 0 {
            self.transport = Some(self.transport.map_or(before - 1, |offset| offset + before));
        }
        self.limit += before + after;
        self.linear_limit += before + after;
        self.block = block;
    }

    /// What decides which addresses reach the packet: while it stays the same, pointers into the packet stay good.
    pub fn place(&self) -> PacketPlace {
        PacketPlace { block: self.block.addr(), meta: self.meta, data: self.data, end: self.linear_end }
    }
}

/// Where a packet lies: see [`Packet::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketPlace {
    block: u64,
    meta: usize,
    data: usize,
    end: usize,
}

impl PacketPlace {
    /// Address of the first byte of metadata.
    pub fn meta(&self) -> u64 {
        self.block + self.meta as u64
    }

    /// Address of the first byte of the packet.
    pub fn data(&self) -> u64 {
        self.block + self.data as u64
    }

    /// Address of the byte behind the last that programs may reach.
    pub fn end(&self) -> u64 {
        self.block + self.end as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_grows_into_its_room_and_no_further() {
        let mut packet = Packet::new(b"abcdef", 4, 2);
        packet.move_head(-4).unwrap();
        assert_eq!(packet.bytes(), b"\0\0\0\0abcdef");
        assert!(packet.move_head(-1).is_none());
        packet.move_head(5).unwrap();
        packet.move_tail(-1).unwrap();
        packet.move_tail(3).unwrap();
        assert_eq!(packet.bytes(), b"bcde\0\0\0");
        assert!(packet.move_tail(1).is_none());
        assert!(packet.move_head(8).is_none());
    }

    #[test]
    fn a_new_block_keeps_the_bytes() {
        let mut packet = Packet::new(b"abc", 4, 0);
        packet.meta -= 2;
        packet.block.write(packet.meta, b"xy");
        packet.expand(32, 16);
        assert_eq!((packet.bytes(), packet.metadata()), (b"abc".to_vec(), b"xy".to_vec()));
        assert_eq!((packet.headroom(), packet.tailroom()), (34, 16));
    }
}
