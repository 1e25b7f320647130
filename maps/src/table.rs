//! The index of hash maps: buckets, chains and keys. Lookups take no lock.
//!
//! A node lives in one of a fixed number of slots, and slots are reused while lookups may stand on them. Two numbers make that
//! safe: a node's sequence number is odd while its key is rewritten and has changed after, and a node says by its hash which bucket
//! it is in, so that a walk that was carried into another bucket notices. In both cases the walk begins anew. A walk that found nothing
//! begins anew if the bucket's head has changed, since a replaced element comes back at the head.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_memory::{Block, Region, RegionKind, Shape};

use crate::array::index_of;
use crate::jhash::jhash;
use crate::values::allocate;
use crate::{Base, Slot};

/// A node: sequence number, hash, link (slot of the next node + 1, 0 at the end), mark; then the key, padded to 8 bytes.
const SEQ: usize = 0;
const HASH: usize = 4;
const LINK: usize = 8;
const MARK: usize = 12;
const KEY: usize = 16;

/// How keys are spread over chains.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hasher {
    /// By their bytes, with a seed.
    Bytes(u32),
    /// By their number: keys are indices of 4 bytes.
    Index,
}

/// Chains by hash.
#[derive(Debug)]
pub(crate) struct Table {
    nodes: Arc<Block>,
    stride: usize,
    key_size: usize,
    heads: Arc<Block>,
    mask: u32,
    hasher: Hasher,
    locks: Box<[Mutex<()>]>,
}

/// A node that a lookup found, and the sequence number it had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) slot: u32,
    seq: u32,
}

/// A locked bucket.
pub(crate) struct Bucket<'a> {
    table: &'a Table,
    bucket: u32,
    _guard: MutexGuard<'a, ()>,
}

impl Table {
    /// An empty table with `buckets` (a power of two) chains and room for `slots` nodes.
    pub(crate) fn new(key_size: usize, slots: usize, buckets: u32, hasher: Hasher, max_bytes: u64) -> Result<Table, Errno> {
        let stride = KEY + key_size.next_multiple_of(8);
        let bytes = stride.checked_mul(slots).ok_or(Errno::ENOMEM)?;
        let locks = (0..buckets.min(256)).map(|_| Mutex::new(())).collect();
        Ok(Table {
            nodes: allocate(bytes, max_bytes)?,
            stride,
            key_size,
            heads: allocate(buckets as usize * 4, max_bytes)?,
            mask: buckets - 1,
            hasher,
            locks,
        })
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u32 {
        match self.hasher {
            Hasher::Bytes(seed) => jhash(key, seed),
            Hasher::Index => index_of(key).unwrap_or(0),
        }
    }

    pub(crate) fn buckets(&self) -> u32 {
        self.mask + 1
    }

    /// Where keys lie: programs may read them in walks.
    pub(crate) fn region(&self, base: &Base) -> Region {
        Region {
            kind: RegionKind::MapKey(base.def().name.as_str().into()),
            block: self.nodes.clone(),
            offset: KEY,
            len: self.nodes.len().saturating_sub(KEY),
            shape: Shape::Cells { stride: self.stride as u64, len: self.key_size as u64 },
            writable: false,
        }
    }

    pub(crate) fn key_slot(&self, slot: u32) -> Slot {
        Slot { block: self.nodes.clone(), offset: slot as usize * self.stride + KEY, len: self.key_size }
    }

    #[inline]
    fn word(&self, slot: u32, field: usize) -> &AtomicU32 {
        word32(&self.nodes, slot as usize * self.stride + field)
    }

    #[inline]
    fn head(&self, bucket: u32) -> &AtomicU32 {
        word32(&self.heads, bucket as usize * 4)
    }

    #[inline]
    fn key_is(&self, slot: u32, key: &[u8]) -> bool {
        let at = slot as usize * self.stride + KEY;
        let words = key.chunks_exact(8);
        let rest = words.remainder();
        let whole = words.clone().enumerate();
        for (i, chunk) in whole {
            if word64(&self.nodes, at + 8 * i).load(Ordering::Relaxed) != padded(chunk) {
                return false;
            }
        }
        rest.is_empty() || word64(&self.nodes, at + key.len() - rest.len()).load(Ordering::Relaxed) == padded(rest)
    }

    /// The key of a node.
    pub(crate) fn key(&self, slot: u32) -> Vec<u8> {
        let at = slot as usize * self.stride + KEY;
        let mut key = Vec::with_capacity(self.key_size.next_multiple_of(8));
        for i in (0..self.key_size).step_by(8) {
            key.extend(word64(&self.nodes, at + i).load(Ordering::Relaxed).to_le_bytes());
        }
        key.truncate(self.key_size);
        key
    }

    /// A word beside the node that anybody may set: whether an LRU map's element was used.
    #[inline]
    pub(crate) fn mark(&self, slot: u32) -> &AtomicU32 {
        self.word(slot, MARK)
    }

    pub(crate) fn hash_of(&self, slot: u32) -> u32 {
        self.word(slot, HASH).load(Ordering::Relaxed)
    }

    /// The node of a key, without a lock.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<At> {
        let head = self.head(hash & self.mask);
        'anew: loop {
            let first = head.load(Ordering::Acquire);
            let mut link = first;
            while link != 0 {
                let slot = link - 1;
                let seq = self.word(slot, SEQ).load(Ordering::Acquire);
                let node_hash = self.word(slot, HASH).load(Ordering::Relaxed);
                let found = node_hash == hash && self.key_is(slot, key);
                link = self.word(slot, LINK).load(Ordering::Acquire);
                fence(Ordering::Acquire);
                let torn = seq & 1 != 0 || self.word(slot, SEQ).load(Ordering::Relaxed) != seq;
                if torn || (node_hash ^ hash) & self.mask != 0 {
                    std::hint::spin_loop();
                    continue 'anew;
                }
                if found {
                    return Some(At { slot, seq });
                }
            }
            if head.load(Ordering::Acquire) == first {
                return None;
            }
        }
    }

    /// Whether the node is still what the lookup found; tested after what hangs on it was copied.
    pub(crate) fn still(&self, at: At) -> bool {
        fence(Ordering::Acquire);
        self.word(at.slot, SEQ).load(Ordering::Relaxed) == at.seq
    }

    /// Rewrites a node that is in no chain. Lookups that still stand on it begin anew until it is pushed.
    pub(crate) fn rewrite(&self, slot: u32, hash: u32, key: &[u8]) {
        let seq = self.word(slot, SEQ);
        let now = seq.load(Ordering::Relaxed);
        seq.store(now.wrapping_add(1) | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.word(slot, HASH).store(hash, Ordering::Relaxed);
        let at = slot as usize * self.stride + KEY;
        for (i, chunk) in key.chunks(8).enumerate() {
            word64(&self.nodes, at + 8 * i).store(padded(chunk), Ordering::Relaxed);
        }
    }

    /// Locks the bucket of a hash (or the bucket with this number).
    pub(crate) fn lock(&self, hash: u32) -> Bucket<'_> {
        let bucket = hash & self.mask;
        let lock = &self.locks[bucket as usize & (self.locks.len() - 1)];
        Bucket { table: self, bucket, _guard: lock.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The first node of the first bucket from `bucket` on that has one, with that bucket's number; no lock is held after.
    pub(crate) fn first_from(&self, bucket: u32) -> Option<(u32, u32)> {
        (bucket..self.buckets()).find_map(|b| match self.head(b).load(Ordering::Acquire) {
            0 => None,
            link => Some((b, link - 1)),
        })
    }

    /// The node after this one in its chain, even if it has left it.
    pub(crate) fn next(&self, slot: u32) -> Option<u32> {
        self.word(slot, LINK).load(Ordering::Acquire).checked_sub(1)
    }

    /// `BPF_MAP_GET_NEXT_KEY`.
    pub(crate) fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let mut bucket = 0;
        if let Some(key) = key {
            let hash = self.hash(key);
            let locked = self.lock(hash);
            if let Some(slot) = locked.find(hash, key) {
                if let Some(next) = self.next(slot) {
                    return Ok(self.key(next));
                }
                bucket = locked.bucket + 1;
            }
        }
        while bucket <= self.mask {
            let (found, _) = self.first_from(bucket).ok_or(Errno::ENOENT)?;
            if let Some(slot) = self.lock(found).first() {
                return Ok(self.key(slot));
            }
            bucket = found + 1;
        }
        Err(Errno::ENOENT)
    }
}

impl Bucket<'_> {
    pub(crate) fn first(&self) -> Option<u32> {
        self.table.head(self.bucket).load(Ordering::Relaxed).checked_sub(1)
    }

    /// The nodes of the chain, from the head.
    pub(crate) fn nodes(&self) -> Vec<u32> {
        std::iter::successors(self.first(), |slot| self.table.next(*slot)).collect()
    }

    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let t = self.table;
        let mut at = self.first();
        while let Some(slot) = at {
            if t.hash_of(slot) == hash && t.key_is(slot, key) {
                return Some(slot);
            }
            at = t.next(slot);
        }
        None
    }

    /// Puts a rewritten node at the head; its value is in place.
    pub(crate) fn push(&self, slot: u32) {
        let head = self.table.head(self.bucket);
        let seq = self.table.word(slot, SEQ);
        self.table.word(slot, LINK).store(head.load(Ordering::Relaxed), Ordering::Relaxed);
        seq.store(seq.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        head.store(slot + 1, Ordering::Release);
    }

    /// Takes a node out of the chain; false if it is not in it. Its own link stays, for walks that stand on it.
    pub(crate) fn unlink(&self, slot: u32) -> bool {
        let t = self.table;
        let mut from = t.head(self.bucket);
        loop {
            match from.load(Ordering::Relaxed) {
                0 => return false,
                link if link == slot + 1 => {
                    from.store(t.word(slot, LINK).load(Ordering::Relaxed), Ordering::Release);
                    return true;
                }
                link => from = t.word(link - 1, LINK),
            }
        }
    }
}

/// Up to 8 bytes as a word, zeroes after them.
#[inline]
fn padded(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(eight)
}

#[inline]
fn word32(block: &Block, at: usize) -> &AtomicU32 {
    block.atomic32(at).expect("nodes and heads are aligned")
}

#[inline]
fn word64(block: &Block, at: usize) -> &AtomicU64 {
    block.atomic64(at).expect("keys are aligned")
}
