//! One allocation with a stable address that guests and threads share.
#![allow(unsafe_code)] // the one file of this crate that may; see ARCHITECTURE.md

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use memmap2::{MmapOptions, MmapRaw};

/// Blocks of so many bytes are mappings of their own: the host gives pages to those that are touched, and takes them back at the end.
/// Allocators would clear what they used before.
const LARGE: usize = 1 << 16;

/// Alignment of every block: enough for any guest access and for 128-bit atomics.
const ALIGN: usize = 16;

/// Zeroed bytes at an address that does not move. Shared by guests and host threads, so it is reached by copies, volatile
/// words and atomics, and never lent out as a slice.
///
/// A race between two plain accesses yields some mix of the bytes written, as on the hardware that the kernel runs on.
pub struct Block {
    start: NonNull<u8>,
    len: usize,
    /// What a large block lies in; the others are allocated.
    mapping: Option<MmapRaw>,
}

// SAFETY: a Block owns its allocation; all access is by volatile copies and atomics, and no reference into it is given out.
unsafe impl Send for Block {}
// SAFETY: as for Send: concurrent access goes through volatile copies and atomics only.
unsafe impl Sync for Block {}

impl Block {
    /// `len` zero bytes. `None` if the host has not that much.
    /// The host commits pages as they are touched, so a large block that stays empty costs little.
    pub fn try_zeroed(len: usize) -> Option<Arc<Block>> {
        if len >= LARGE {
            let mapping = MmapRaw::from(MmapOptions::new().len(len).no_reserve_swap().map_anon().ok()?);
            let start = NonNull::new(mapping.as_mut_ptr())?;
            return Some(Arc::new(Block { start, len, mapping: Some(mapping) }));
        }
        let layout = Layout::from_size_align(len.max(1), ALIGN).ok()?;
        // SAFETY: the layout has a size of at least one.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Arc::new(Block { start, len, mapping: None }))
    }

    /// `len` zero bytes, for sizes that a caller has bounded.
    pub fn zeroed(len: usize) -> Arc<Block> {
        Self::try_zeroed(len).expect("the host is out of memory")
    }

    /// A block holding a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Arc<Block> {
        let block = Self::zeroed(bytes.len());
        block.write(0, bytes);
        block
    }

    /// Address of the first byte, as guests see it.
    #[inline]
    pub fn addr(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        let fits = offset.checked_add(len).is_some_and(|end| end <= self.len);
        assert!(fits, "access of {len} bytes at offset {offset} of a block of {} bytes", self.len);
        // SAFETY: offset + len lies within the allocation, as just tested.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Copies bytes out. Panics if the range leaves the block.
    #[inline]
    pub fn read(&self, offset: usize, out: &mut [u8]) {
        let from = self.at(offset, out.len());
        // SAFETY: `from` is valid for out.len() bytes; `out` is a Rust slice and cannot overlap a block.
        unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), out.len()) }
    }

    /// A copy of `len` bytes. Panics if the range leaves the block.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.read(offset, &mut out);
        out
    }

    /// Copies bytes in. Panics if the range leaves the block.
    #[inline]
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: `to` is valid for bytes.len() bytes; `bytes` is a Rust slice and cannot overlap a block.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Sets `len` bytes to `value`. Panics if the range leaves the block.
    pub fn fill(&self, offset: usize, len: usize, value: u8) {
        let to = self.at(offset, len);
        // SAFETY: `to` is valid for len bytes.
        unsafe { std::ptr::write_bytes(to, value, len) }
    }

    /// Moves `len` bytes inside the block; the ranges may overlap. Panics if one leaves the block.
    pub fn copy_within(&self, from: usize, to: usize, len: usize) {
        let (from, to) = (self.at(from, len), self.at(to, len));
        // SAFETY: both are valid for len bytes, and `copy` allows overlap.
        unsafe { std::ptr::copy(from, to, len) }
    }

    /// Reads a little-endian number of 1, 2, 4 or 8 bytes at any alignment. Panics if the range leaves the block.
    #[inline]
    pub fn load(&self, offset: usize, size: usize) -> u64 {
        let from = self.at(offset, size);
        // SAFETY: `from` is valid for `size` bytes; unaligned reads of plain integers.
        unsafe {
            match size {
                1 => u64::from(from.read()),
                2 => u64::from(from.cast::<u16>().read_unaligned()),
                4 => u64::from(from.cast::<u32>().read_unaligned()),
                8 => from.cast::<u64>().read_unaligned(),
                _ => panic!("a load of {size} bytes"),
            }
        }
    }

    /// Writes the low 1, 2, 4 or 8 bytes of `value` at any alignment. Panics if the range leaves the block.
    #[inline]
    pub fn store(&self, offset: usize, size: usize, value: u64) {
        let to = self.at(offset, size);
        // SAFETY: `to` is valid for `size` bytes; unaligned writes of plain integers.
        unsafe {
            match size {
                1 => to.write(value as u8),
                2 => to.cast::<u16>().write_unaligned(value as u16),
                4 => to.cast::<u32>().write_unaligned(value as u32),
                8 => to.cast::<u64>().write_unaligned(value),
                _ => panic!("a store of {size} bytes"),
            }
        }
    }

    /// The aligned word at `offset` as an atomic; `None` if it is not aligned. Panics if it leaves the block.
    #[inline]
    pub fn atomic32(&self, offset: usize) -> Option<&AtomicU32> {
        let at = self.at(offset, 4).cast::<u32>();
        // SAFETY: valid for 4 bytes as long as the block lives, aligned as tested; concurrent access is atomic or a tolerated race.
        at.is_aligned().then(|| unsafe { AtomicU32::from_ptr(at) })
    }

    /// The aligned double word at `offset` as an atomic; `None` if it is not aligned. Panics if it leaves the block.
    #[inline]
    pub fn atomic64(&self, offset: usize) -> Option<&AtomicU64> {
        let at = self.at(offset, 8).cast::<u64>();
        // SAFETY: as for atomic32, 8 bytes.
        at.is_aligned().then(|| unsafe { AtomicU64::from_ptr(at) })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // The layout that try_zeroed allocated with; it was valid then.
        if self.mapping.is_none()
            && let Ok(layout) = Layout::from_size_align(self.len.max(1), ALIGN)
        {
            // SAFETY: no mapping, so allocated in try_zeroed with the same layout; freed once.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// A piece of a block that is reached by guest address, with one bounds test per access: what engines keep close at hand.
///
/// Invariant: the piece lies inside the block, which the span keeps alive.
#[derive(Clone)]
pub struct Span {
    /// First byte: derived from the block's own pointer.
    ptr: NonNull<u8>,
    len: u64,
    block: Arc<Block>,
}

// SAFETY: a span is a block and a place in it; the block is Send and Sync.
unsafe impl Send for Span {}
// SAFETY: as for Send.
unsafe impl Sync for Span {}

impl Span {
    /// `len` bytes from `offset` of a block; `None` if they leave it.
    pub fn new(block: &Arc<Block>, offset: usize, len: usize) -> Option<Span> {
        let fits = offset.checked_add(len).is_some_and(|end| end <= block.len);
        // SAFETY: offset + len lies within the allocation, as just tested.
        fits.then(|| Span { ptr: unsafe { block.start.add(offset) }, len: len as u64, block: block.clone() })
    }

    /// Makes it another piece of the same block; false, and nothing changes, if that piece leaves the block.
    #[inline]
    pub fn shift_to(&mut self, offset: usize, len: usize) -> bool {
        let fits = offset.checked_add(len).is_some_and(|end| end <= self.block.len);
        if fits {
            // SAFETY: offset + len lies within the allocation, as just tested.
            self.ptr = unsafe { self.block.start.add(offset) };
            self.len = len as u64;
        }
        fits
    }

    /// Address of the first byte.
    #[inline(always)]
    pub fn start(&self) -> u64 {
        self.ptr.as_ptr() as u64
    }

    /// The block it is a piece of.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where `size` bytes at `addr` lie in the piece.
    #[inline(always)]
    fn at(&self, addr: u64, size: u64) -> Option<*mut u8> {
        let offset = addr.wrapping_sub(self.start());
        // `len >= size` first, so that the subtraction cannot wrap.
        if self.len >= size && offset <= self.len - size {
            // SAFETY: offset + size <= len, and by the invariant the piece lies inside the allocation.
            Some(unsafe { self.ptr.as_ptr().add(offset as usize) })
        } else {
            None
        }
    }

    /// Reads a little-endian number of `SIZE` bytes (1, 2, 4 or 8) at any alignment; `None` if it leaves the piece.
    #[inline(always)]
    pub fn load<const SIZE: u64>(&self, addr: u64) -> Option<u64> {
        let from = self.at(addr, SIZE)?;
        // SAFETY: `from` is valid for SIZE bytes; unaligned reads of plain integers.
        unsafe {
            match SIZE {
                1 => Some(u64::from(from.read())),
                2 => Some(u64::from(from.cast::<u16>().read_unaligned())),
                4 => Some(u64::from(from.cast::<u32>().read_unaligned())),
                8 => Some(from.cast::<u64>().read_unaligned()),
                _ => None,
            }
        }
    }

    /// Writes the low `SIZE` bytes (1, 2, 4 or 8) of `value` at any alignment; `None` if they leave the piece.
    #[inline(always)]
    pub fn store<const SIZE: u64>(&self, addr: u64, value: u64) -> Option<()> {
        let to = self.at(addr, SIZE)?;
        // SAFETY: `to` is valid for SIZE bytes; unaligned writes of plain integers.
        unsafe {
            match SIZE {
                1 => to.write(value as u8),
                2 => to.cast::<u16>().write_unaligned(value as u16),
                4 => to.cast::<u32>().write_unaligned(value as u32),
                8 => to.cast::<u64>().write_unaligned(value),
                _ => return None,
            }
        }
        Some(())
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Span({:#x}, {} bytes)", self.start(), self.len)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({:#x}, {} bytes)", self.addr(), self.len)
    }
}
