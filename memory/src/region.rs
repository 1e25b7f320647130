//! Which addresses a guest may touch, and how.

use std::sync::Arc;

use crate::{Access, Block, Fault, Why};

/// What a region is to the guest; for messages, and for accesses that mean more than bytes (context fields).
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RegionKind {
    /// The stack of one call frame.
    #[error("the stack")]
    Stack,
    /// The program's context; loads and stores go through the context rows.
    #[error("the context")]
    Context,
    /// Packet bytes, from `data` to `data_end`.
    #[error("the packet")]
    Packet,
    /// Packet metadata, from `data_meta` to `data`.
    #[error("the packet's metadata")]
    PacketMeta,
    /// Values of the map with this name.
    #[error("a value of map {0}")]
    MapValue(Arc<str>),
    /// Keys of the map with this name, which walks over it show.
    #[error("a key of map {0}")]
    MapKey(Arc<str>),
    /// A kernel object that programs see through BTF, named by its type.
    #[error("struct {0}")]
    Kernel(Arc<str>),
    /// Memory that a helper handed out (ring buffer record, dynptr slice, arena page, ...), in words.
    #[error("{0}")]
    Lent(Arc<str>),
    /// Simulated user-space memory: reachable by `probe_read_user`, not by plain loads.
    #[error("user memory")]
    User,
}

/// How a region is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One object.
    Flat,
    /// Equal cells `stride` bytes apart; an access must stay inside the first `len` bytes of one cell.
    Cells {
        /// Bytes from cell to cell.
        stride: u64,
        /// Usable bytes of each.
        len: u64,
    },
}

/// A range of addresses with a permission.
#[derive(Debug, Clone)]
pub struct Region {
    /// What it is.
    pub kind: RegionKind,
    /// The memory behind it, kept alive by the region.
    pub block: Arc<Block>,
    /// Where in the block it starts.
    pub offset: usize,
    /// Its length in bytes.
    pub len: usize,
    /// How it is divided.
    pub shape: Shape,
    /// Whether the guest may write.
    pub writable: bool,
}

impl Region {
    /// The whole of a block, undivided.
    pub fn whole(kind: RegionKind, block: Arc<Block>, writable: bool) -> Region {
        let len = block.len();
        Region { kind, block, offset: 0, len, shape: Shape::Flat, writable }
    }

    /// Address of its first byte.
    pub fn start(&self) -> u64 {
        self.block.addr() + self.offset as u64
    }

    /// Address after its last byte.
    pub fn end(&self) -> u64 {
        self.start() + self.len as u64
    }
}

/// The regions of one running program, ordered by address and disjoint.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    regions: Vec<Region>,
}

impl Memory {
    /// No regions.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Adds a region; one that starts at the same address is replaced.
    pub fn add(&mut self, region: Region) {
        match self.regions.binary_search_by_key(&region.start(), Region::start) {
            Ok(i) => self.regions[i] = region,
            Err(i) => self.regions.insert(i, region),
        }
    }

    /// Removes the region that starts at `addr`.
    pub fn remove(&mut self, addr: u64) -> Option<Region> {
        let i = self.regions.binary_search_by_key(&addr, Region::start).ok()?;
        Some(self.regions.remove(i))
    }

    /// All regions, by address.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The region that holds `addr`.
    pub fn find(&self, addr: u64) -> Option<&Region> {
        let i = self.regions.partition_point(|r| r.start() <= addr).checked_sub(1)?;
        Some(&self.regions[i]).filter(|r| addr < r.end())
    }

    /// Tests an access and gives the region it falls in and the offset in that region's block.
    pub fn check(&self, addr: u64, size: u64, access: Access) -> Result<(&Region, usize), Fault> {
        let refuse = |why| Err(Fault { addr, size, access, why });
        let Some(region) = self.find(addr) else {
            return refuse(self.miss(addr));
        };
        let offset = addr - region.start();
        let (at, room) = match region.shape {
            Shape::Flat => (offset, region.len as u64),
            Shape::Cells { stride, len } => (offset % stride, len),
        };
        if at.checked_add(size).is_none_or(|end| end > room) {
            return refuse(Why::Outside { kind: region.kind.clone(), offset: at as i64, len: room });
        }
        if access == Access::Write && !region.writable {
            return refuse(Why::ReadOnly { kind: region.kind.clone(), offset: at as i64 });
        }
        Ok((region, region.offset + offset as usize))
    }

    fn miss(&self, addr: u64) -> Why {
        const NEAR: u64 = 4096;
        if addr < NEAR {
            return Why::Null;
        }
        let next = self.regions.partition_point(|r| r.start() <= addr);
        let before = next.checked_sub(1).map(|i| &self.regions[i]).filter(|r| addr - r.end() < NEAR);
        let after = self.regions.get(next).filter(|r| r.start() - addr < NEAR);
        match before.or(after) {
            Some(r) => Why::Outside { kind: r.kind.clone(), offset: addr.wrapping_sub(r.start()) as i64, len: r.len as u64 },
            None => Why::Unmapped,
        }
    }

    /// Reads a number of 1, 2, 4 or 8 bytes.
    pub fn load(&self, addr: u64, size: u64) -> Result<u64, Fault> {
        let (region, at) = self.check(addr, size, Access::Read)?;
        Ok(region.block.load(at, size as usize))
    }

    /// Writes the low 1, 2, 4 or 8 bytes of `value`.
    pub fn store(&self, addr: u64, size: u64, value: u64) -> Result<(), Fault> {
        let (region, at) = self.check(addr, size, Access::Write)?;
        region.block.store(at, size as usize, value);
        Ok(())
    }

    /// Copies guest memory out.
    pub fn read(&self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        if out.is_empty() {
            return Ok(());
        }
        let (region, at) = self.check(addr, out.len() as u64, Access::Read)?;
        region.block.read(at, out);
        Ok(())
    }

    /// A copy of `len` bytes of guest memory; nothing is allocated before the access is tested.
    pub fn bytes(&self, addr: u64, len: u64) -> Result<Vec<u8>, Fault> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let (region, at) = self.check(addr, len, Access::Read)?;
        Ok(region.block.bytes(at, len as usize))
    }

    /// Copies into guest memory.
    pub fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (region, at) = self.check(addr, bytes.len() as u64, Access::Write)?;
        region.block.write(at, bytes);
        Ok(())
    }

    /// The bytes before the first NUL, at most `max` of them, wherever the region ends first.
    /// `None` in place of the NUL means that none was seen.
    pub fn c_string(&self, addr: u64, max: u64) -> Result<(Vec<u8>, bool), Fault> {
        let (region, at) = self.check(addr, 1, Access::Read)?;
        let room = match region.shape {
            Shape::Flat => region.end() - addr,
            Shape::Cells { stride, len } => len - (addr - region.start()) % stride,
        };
        let bytes = region.block.bytes(at, room.min(max) as usize);
        Ok(match bytes.iter().position(|b| *b == 0) {
            Some(n) => (bytes[..n].to_vec(), true),
            None => (bytes, false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> (Memory, u64) {
        let block = Block::zeroed(48);
        let start = block.addr();
        let mut memory = Memory::new();
        memory.add(Region {
            kind: RegionKind::MapValue("m".into()),
            block,
            offset: 0,
            len: 48,
            shape: Shape::Cells { stride: 16, len: 12 },
            writable: true,
        });
        (memory, start)
    }

    #[test]
    fn an_access_stays_inside_its_cell() {
        let (memory, start) = cells();
        memory.store(start + 16 + 8, 4, 0xdead_beef).unwrap();
        assert_eq!(memory.load(start + 24, 4).unwrap(), 0xdead_beef);
        let fault = memory.load(start + 16 + 9, 4).unwrap_err();
        assert_eq!(fault.why, Why::Outside { kind: RegionKind::MapValue("m".into()), offset: 9, len: 12 });
    }

    #[test]
    fn a_miss_says_what_is_near() {
        let (memory, start) = cells();
        assert_eq!(memory.load(8, 8).unwrap_err().why, Why::Null);
        assert!(matches!(memory.load(start + 50, 1).unwrap_err().why, Why::Outside { offset: 50, .. }));
        assert!(matches!(memory.load(start - 4, 1).unwrap_err().why, Why::Outside { offset: -4, .. }));
        assert_eq!(memory.load(start ^ (1 << 60), 1).unwrap_err().why, Why::Unmapped);
        assert!(memory.bytes(start, u64::MAX).is_err());
    }
}
