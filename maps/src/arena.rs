//! `BPF_MAP_TYPE_ARENA`: pages that programs allocate and share with user space.
//!
//! A page has two addresses. Programs hold *user addresses*, whose low 32 bits name the page; before an access the `addr_space_cast`
//! instruction makes the *kernel address* of them, which here is where the page lies in the map's block.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_memory::{Block, Region, RegionKind, Shape};
use skep_program::MapDef;

use crate::flags::*;
use crate::values::allocate;
use crate::{Base, CreateOptions, Map, Slot};

const PAGE: u64 = 4096;
/// Where user space sees an arena whose definition does not say: not at a multiple of 4 GiB, unless it is that large, so that the low half
/// of no page's address is 0.
const USER_START: u64 = 0x7000_0000_0000 | USER_GAP;
const USER_GAP: u64 = 1 << 28;

/// Pages of memory.
#[derive(Debug)]
pub struct Arena {
    base: Base,
    block: Arc<Block>,
    /// Bytes into the block where the first page begins: pages lie at multiples of their size.
    first: usize,
    user_start: u64,
    /// Runs of free pages: first page and count. They neither touch nor overlap.
    free: Mutex<BTreeMap<u32, u32>>,
    /// The same for those who only ask, without a lock: bit `n` of word `m` is page `64 * m + n`, set if it is allocated.
    present: Box<[AtomicU64]>,
}

impl Arena {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Arena, Errno> {
        const FLAGS: u32 = BPF_F_SEGV_ON_FAULT | BPF_F_MMAPABLE | BPF_F_NO_USER_CONV;
        let flags_fit = def.flags & BPF_F_MMAPABLE != 0 && def.flags & !FLAGS == 0;
        if def.key_size != 0 || def.value_size != 0 || def.max_entries == 0 || !flags_fit {
            return Err(Errno::EINVAL);
        }
        if !def.map_extra.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let len = u64::from(def.max_entries) * PAGE;
        if len > 1 << 32 {
            return Err(Errno::E2BIG);
        }
        if def.map_extra >> 32 != def.map_extra.wrapping_add(len - 1) >> 32 {
            return Err(Errno::ERANGE);
        }
        if len > options.max_bytes {
            return Err(Errno::ENOMEM);
        }
        let user_start = match def.map_extra {
            0 if len <= (1 << 32) - USER_GAP => USER_START,
            0 => USER_START - USER_GAP,
            given => given,
        };
        let block = allocate((len + PAGE) as usize, options.max_bytes.saturating_add(PAGE))?;
        let first = (block.addr().next_multiple_of(PAGE) - block.addr()) as usize;
        Ok(Arena {
            base: Base::new(def, options, def.max_entries),
            block,
            first,
            user_start,
            free: Mutex::new(BTreeMap::from([(0, def.max_entries)])),
            present: (0..def.max_entries.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn free(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user address of the first page.
    pub fn user_start(&self) -> u64 {
        self.user_start
    }

    /// The page that the low 32 bits of an address name: they wrap around within 4 GiB.
    fn page(&self, addr: u64) -> u32 {
        (addr as u32).wrapping_sub(self.user_start as u32) / PAGE as u32
    }

    fn offset(&self, page: u32) -> usize {
        self.first + page as usize * PAGE as usize
    }

    /// The kernel address that `addr_space_cast` makes of a user address: only the low 32 bits count. It may lie outside of the pages,
    /// and then no region covers it.
    pub fn kernel_addr(&self, user: u64) -> u64 {
        let into = u64::from((user as u32).wrapping_sub(self.user_start as u32));
        self.block.addr() + self.first as u64 + into
    }

    /// The user address of a kernel address: what `addr_space_cast` makes the other way.
    pub fn user_addr(&self, kernel: u64) -> u64 {
        let low = (kernel.wrapping_sub(self.block.addr() + self.first as u64) as u32).wrapping_add(self.user_start as u32);
        self.user_start & !0xffff_ffff | u64::from(low)
    }

    /// `bpf_arena_alloc_pages`: zeroed pages in a row, at this user address if it is not 0. Gives their user address; `None` if there
    /// is no room, the address is no page's, a page there is taken, or the NUMA node is neither -1 nor 0.
    pub fn alloc_pages(&self, at: u64, count: u32, node: i32, flags: u64) -> Option<u64> {
        let most = self.base.def().max_entries;
        if flags != 0 || count == 0 || count > most || !matches!(node, -1 | 0) || !at.is_multiple_of(PAGE) {
            return None;
        }
        let mut free = self.free();
        let page = match at {
            // The smallest run that is large enough; the kernel says nothing of which among equals.
            0 => *free.iter().filter(|(_, len)| **len >= count).min_by_key(|(_, len)| **len)?.0,
            at => self.page(at),
        };
        let (start, len) = free.range(..=page).next_back().map(|(s, l)| (*s, *l))?;
        let before = page - start;
        if u64::from(before) + u64::from(count) > u64::from(len) {
            return None;
        }
        free.remove(&start);
        if before > 0 {
            free.insert(start, before);
        }
        if len - before > count {
            free.insert(page + count, len - before - count);
        }
        self.block.fill(self.offset(page), count as usize * PAGE as usize, 0);
        self.mark(page..page + count, true);
        Some(self.user_start & !0xffff_ffff | u64::from((self.user_start as u32).wrapping_add(page * PAGE as u32)))
    }

    /// `bpf_arena_free_pages`: what of the range lies in the arena is free after, whether it was allocated or not.
    pub fn free_pages(&self, at: u64, count: u32) {
        let page = u64::from(self.page(at & !(PAGE - 1)));
        let end = (page + u64::from(count)).min(u64::from(self.base.def().max_entries));
        if page >= end || at == 0 {
            return;
        }
        let (mut start, mut end) = (page as u32, end as u32);
        let mut free = self.free();
        self.mark(start..end, false);
        // Runs that overlap or touch the new one become part of it.
        let near: Vec<(u32, u32)> = free.range(..=end).map(|(s, l)| (*s, s + l)).filter(|(_, e)| *e >= start).collect();
        for (s, e) in near {
            free.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        free.insert(start, end - start);
    }

    /// `bpf_arena_reserve_pages`: pages that no allocation takes, and that are not there, until they are freed. `EINVAL` if they leave the
    /// arena, `EBUSY` if one of them is taken.
    pub fn reserve_pages(&self, at: u64, count: u32) -> Result<(), Errno> {
        if count == 0 {
            return Ok(());
        }
        let page = self.page(at);
        let end = page.checked_add(count).filter(|end| *end <= self.base.def().max_entries).ok_or(Errno::EINVAL)?;
        let mut free = self.free();
        let (start, len) = free.range(..=page).next_back().map(|(s, l)| (*s, *l)).ok_or(Errno::EBUSY)?;
        if end > start + len {
            return Err(Errno::EBUSY);
        }
        free.remove(&start);
        if page > start {
            free.insert(start, page - start);
        }
        if start + len > end {
            free.insert(end, start + len - end);
        }
        Ok(())
    }

    /// Makes one page present, as user space does by touching it; false if it lies outside of the arena.
    pub fn touch(&self, at: u64) -> bool {
        let page = at & !(PAGE - 1);
        self.is_allocated(at) || (at != 0 && self.alloc_pages(page, 1, -1, 0).is_some())
    }

    /// Writes from `offset` of the arena on, as user space does: the pages there become present. `EFAULT`, and nothing is written, if the
    /// bytes leave the arena.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= u64::from(self.base.def().max_entries) * PAGE);
        let end = end.ok_or(Errno::EFAULT)?;
        for page in (offset / PAGE..end.div_ceil(PAGE)).map(|page| page * PAGE) {
            self.touch(self.user_start + page);
        }
        self.block.write(self.first + offset as usize, bytes);
        Ok(())
    }

    /// Whether the page of a user address is allocated.
    pub fn is_allocated(&self, user: u64) -> bool {
        let page = self.page(user);
        let word = self.present.get(page as usize / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (page % 64) & 1 != 0)
    }

    /// Takes note of pages that came or went; the caller holds the lock of the free ones.
    fn mark(&self, pages: Range<u32>, present: bool) {
        for page in pages {
            let (word, bit) = (&self.present[page as usize / 64], 1 << (page % 64));
            match present {
                true => word.fetch_or(bit, Ordering::Release),
                false => word.fetch_and(!bit, Ordering::Release),
            };
        }
    }
}

impl Map for Arena {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    /// All pages, allocated or not, at their kernel addresses. In the kernel a load from a page that is not allocated gives 0 and a store
    /// to one is lost; engines that tell them apart ask [`Arena::is_allocated`].
    fn regions(&self) -> Vec<Region> {
        vec![Region {
            kind: RegionKind::Lent("an arena".into()),
            block: self.block.clone(),
            offset: self.first,
            len: self.base.def().max_entries as usize * PAGE as usize,
            shape: Shape::Flat,
            writable: true,
        }]
    }

    /// The first page, at its kernel address; the address that programs load is [`Arena::user_start`].
    fn direct_value(&self) -> Result<Slot, Errno> {
        let len = self.base.def().max_entries as usize * PAGE as usize;
        Ok(Slot { block: self.block.clone(), offset: self.first, len })
    }

    fn op_lookup(&self, _key: &[u8], _value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn op_update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn op_next_key(&self, _key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}
