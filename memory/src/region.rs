//! Which addresses a guest may touch, and how.

use std::sync::Arc;

use crate::{Access, Block, Fault, Span, Why};

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

impl RegionKind {
    /// Whether loads and stores of programs are accesses to its bytes and nothing more.
    pub fn is_plain(&self) -> bool {
        match self {
            RegionKind::Context | RegionKind::User => false,
            RegionKind::Stack
            | RegionKind::Packet
            | RegionKind::PacketMeta
            | RegionKind::MapValue(_)
            | RegionKind::MapKey(_)
            | RegionKind::Kernel(_)
            | RegionKind::Lent(_) => true,
        }
    }
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

/// Where an access falls that was tested.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'m> {
    /// The region.
    pub region: &'m Region,
    /// The place in the region's block, in bytes from its start.
    pub at: usize,
    /// What the access may not leave, in the region's block: the region, or a cell of it.
    from: usize,
    room: usize,
}

impl Hit<'_> {
    /// Lets a span be the region, or the cell, that the access fell in; false, and nothing changes, if that does not lie inside its block.
    #[inline]
    pub fn show(&self, span: &mut Span) -> bool {
        if Arc::ptr_eq(span.block(), &self.region.block) {
            return span.shift_to(self.from, self.room);
        }
        match Span::new(&self.region.block, self.from, self.room) {
            Some(new) => {
                *span = new;
                true
            }
            None => false,
        }
    }
}

/// The regions of one running program, ordered by address and disjoint.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Address of the first byte of each region, beside it, so that a search touches no more than it must.
    starts: Vec<u64>,
    regions: Vec<Region>,
    version: u64,
}

impl Memory {
    /// No regions.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Adds a region; one that starts at the same address is replaced.
    pub fn add(&mut self, region: Region) {
        match self.starts.binary_search(&region.start()) {
            Ok(i) => {
                self.version += 1;
                self.regions[i] = region;
            }
            Err(i) => {
                self.starts.insert(i, region.start());
                self.regions.insert(i, region);
            }
        }
    }

    /// Removes the region that starts at `addr`.
    pub fn remove(&mut self, addr: u64) -> Option<Region> {
        let i = self.starts.binary_search(&addr).ok()?;
        self.version += 1;
        self.starts.remove(i);
        Some(self.regions.remove(i))
    }

    /// Changes whenever a region is removed or replaced: what an engine remembers of regions holds as long as this stays the same.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All regions, by address.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The region that holds `addr`.
    pub fn find(&self, addr: u64) -> Option<&Region> {
        let i = self.starts.partition_point(|start| *start <= addr).checked_sub(1)?;
        Some(&self.regions[i]).filter(|r| addr < r.end())
    }

    /// Tests an access and says where it falls.
    #[inline]
    pub fn reach(&self, addr: u64, size: u64, access: Access) -> Result<Hit<'_>, Fault> {
        let refuse = |why| Err(Fault { addr, size, access, why });
        let Some(region) = self.find(addr) else {
            return refuse(self.miss(addr));
        };
        let offset = addr - region.start();
        let (at, room) = match region.shape {
            Shape::Flat => (offset, region.len as u64),
            Shape::Cells { stride, len } => (offset % stride.max(1), len),
        };
        if at.checked_add(size).is_none_or(|end| end > room) {
            return refuse(Why::Outside { kind: region.kind.clone(), offset: at as i64, len: room });
        }
        if access == Access::Write && !region.writable {
            return refuse(Why::ReadOnly { kind: region.kind.clone(), offset: at as i64 });
        }
        Ok(Hit { region, at: region.offset + offset as usize, from: region.offset + (offset - at) as usize, room: room as usize })
    }

    /// Tests an access and gives the region it falls in and the offset in that region's block.
    pub fn check(&self, addr: u64, size: u64, access: Access) -> Result<(&Region, usize), Fault> {
        self.reach(addr, size, access).map(|hit| (hit.region, hit.at))
    }

    fn miss(&self, addr: u64) -> Why {
        const NEAR: u64 = 4096;
        if addr < NEAR {
            return Why::Null;
        }
        let next = self.starts.partition_point(|start| *start <= addr);
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
            Shape::Cells { stride, len } => len - (addr - region.start()) % stride.max(1),
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
    fn a_span_is_one_cell() {
        let (memory, start) = cells();
        let hit = memory.reach(start + 20, 4, Access::Write).unwrap();
        let mut span = Span::new(&Block::zeroed(1), 0, 1).unwrap();
        assert!(hit.show(&mut span));
        assert_eq!((span.start(), span.len()), (start + 16, 12));
        span.store::<4>(start + 20, 0x1_2345_6789).unwrap();
        assert_eq!(memory.load(start + 20, 4).unwrap(), 0x2345_6789);
        assert_eq!(span.load::<2>(start + 20), Some(0x6789));
        assert_eq!(span.load::<8>(start + 21), None);
        assert_eq!(span.load::<1>(start + 15), None);
        assert_eq!(span.store::<1>(start + 28, 0), None);
        assert!(span.shift_to(32, 12) && !span.shift_to(40, 12));
        assert_eq!((span.start(), span.len()), (start + 32, 12));
    }

    #[test]
    fn no_span_leaves_its_block() {
        let mut memory = Memory::new();
        let block = Block::zeroed(16);
        let start = block.addr();
        let kind = RegionKind::Stack;
        memory.add(Region { kind, block: block.clone(), offset: 8, len: 64, shape: Shape::Flat, writable: true });
        let hit = memory.reach(start + 8, 4, Access::Read).unwrap();
        let mut spans = [Span::new(&block, 0, 4).unwrap(), Span::new(&Block::zeroed(4), 0, 4).unwrap()];
        for span in &mut spans {
            let before = span.start();
            assert!(!hit.show(span));
            assert_eq!((span.start(), span.len()), (before, 4));
        }
    }

    #[test]
    fn a_change_of_the_regions_shows_in_the_version() {
        let (mut memory, start) = cells();
        let before = memory.version();
        memory.remove(start).unwrap();
        assert_ne!(memory.version(), before);
        assert!(memory.find(start).is_none());
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
