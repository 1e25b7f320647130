//! `BPF_MAP_TYPE_BLOOM_FILTER`: a set that may err on the side of "yes".

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skep_linux::Errno;
use skep_memory::Block;
use skep_program::MapDef;

use crate::flags::*;
use crate::jhash::jhash;
use crate::values::allocate;
use crate::{Base, Caller, CreateOptions, Found, Map};

/// A bloom filter. With `BPF_F_ZERO_SEED` it errs on the same values as the kernel's.
#[derive(Debug)]
pub struct BloomFilter {
    base: Base,
    bits: Arc<Block>,
    mask: u32,
    hashes: u32,
    seed: u32,
}

/// Number of bits less one: for `n` entries and `k` hashes, `n * k / ln 2`, taken as 7/5 and rounded up to a power of two, at least
/// 64; 2^32 bits where 32 bits do not hold that.
fn mask(max_entries: u32, hashes: u32) -> u32 {
    let bits = max_entries.checked_mul(hashes).and_then(|b| (b / 5).checked_mul(7));
    match bits.filter(|b| *b <= 1 << 31) {
        None => u32::MAX,
        Some(bits) => bits.max(64).next_power_of_two() - 1,
    }
}

impl BloomFilter {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<BloomFilter, Errno> {
        const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_ACCESS_MASK;
        const VALUE_MAX: u32 = 4 << 20;
        if def.value_size > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        if def.key_size != 0 || def.value_size == 0 || def.max_entries == 0 {
            return Err(Errno::EINVAL);
        }
        if def.flags & !FLAGS != 0 || !access_ok(def.flags) || def.map_extra & !0xf != 0 {
            return Err(Errno::EINVAL);
        }
        let hashes = if def.map_extra == 0 { 5 } else { def.map_extra as u32 };
        let mask = mask(def.max_entries, hashes);
        Ok(BloomFilter {
            base: Base::new(def, options, def.max_entries),
            bits: allocate((mask as usize + 1) / 8, options.max_bytes)?,
            mask,
            hashes,
            seed: options.hash_seed(def),
        })
    }

    /// The words and bits that stand for a value.
    fn places(&self, value: &[u8]) -> impl Iterator<Item = (&AtomicU64, u64)> {
        (0..self.hashes).map(move |i| {
            let bit = jhash(value, self.seed.wrapping_add(i)) & self.mask;
            let word = self.bits.atomic64(bit as usize / 64 * 8).expect("words are aligned");
            (word, 1 << (bit % 64))
        })
    }
}

impl Map for BloomFilter {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn lookup(&self, _caller: Caller, _key: &[u8]) -> Result<Option<Found>, Errno> {
        Err(Errno::EINVAL)
    }

    fn update(&self, _caller: Caller, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn push(&self, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != BPF_ANY {
            return Err(Errno::EINVAL);
        }
        for (word, bit) in self.places(value) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    fn peek(&self, value: &mut [u8]) -> Result<(), Errno> {
        let maybe = self.places(value).all(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0);
        if maybe { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn op_lookup(&self, _key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        self.peek(value)
    }

    fn op_update(&self, _key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.push(value, flags)
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn op_next_key(&self, _key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}
