//! A program joined to the maps, helpers and addresses of one instance.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_helpers::{HelperFn, Machine, Stop};
use skep_maps::{Arena, Map, flags};

use crate::image::Image;
use crate::native::Native;

/// A helper that an embedding application supplies: five argument registers in, `r0` out. State lives in what the closure captures.
pub type Closure = Arc<dyn Fn(&mut dyn Machine, [u64; 5]) -> Result<u64, Stop> + Send + Sync>;

/// What a call out of the program goes to.
#[derive(Clone)]
pub(crate) enum Outside {
    /// A helper or kernel function that skep has a body of.
    Body(HelperFn),
    /// One that the application supplies.
    Closure(Closure),
    /// One that the program was allowed to name without there being any: what to say if it is called after all.
    Absent(Arc<str>),
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Outside::Body(_) => "Body",
            Outside::Closure(_) => "Closure",
            Outside::Absent(what) => what,
        })
    }
}

/// A program of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Linked {
    /// Its place among the programs of the instance.
    pub(crate) index: usize,
    /// The decoded program.
    pub(crate) image: Arc<Image>,
    /// Values of its wide loads, in the order of [`Image::links`].
    pub(crate) links: Vec<u64>,
    /// What its calls go to, in the order of [`Image::calls`].
    pub(crate) calls: Vec<Outside>,
    /// The arena among its maps: no program has two.
    pub(crate) arena: Option<Arc<dyn Map>>,
    /// Helpers that `callx` finds by number: none in programs for a kernel.
    pub(crate) by_number: BTreeMap<u64, Outside>,
    /// The program as machine code, once it is compiled.
    pub(crate) native: Option<Arc<Native>>,
}

/// Bytes on both sides of the 4 GiB of an arena that offsets in instructions can reach: nothing is ever there.
const GUARD: u64 = 1 << 15;

impl Linked {
    fn arena(&self) -> Option<&Arena> {
        self.arena.as_ref()?.as_any().downcast_ref()
    }

    /// What `addr_space_cast` makes of a pointer that programs may load through: the address that user space sees it at. NULL stays
    /// NULL.
    pub(crate) fn user_pointer(&self, pointer: u64) -> u64 {
        let low = u64::from(pointer as u32);
        match self.arena() {
            Some(arena) if low != 0 && arena.def().flags & flags::BPF_F_NO_USER_CONV == 0 => {
                arena.user_start() & !0xffff_ffff | low
            }
            Some(_) | None => low,
        }
    }

    /// Where an access of a program through a pointer into its arena lies in the memory of the host. Such pointers are the low half of
    /// the address that user space has for the place.
    #[inline]
    pub(crate) fn arena_place(&self, addr: u64, size: u64) -> ArenaPlace {
        // No region of the host lies so low.
        if self.arena.is_none() || addr.wrapping_add(GUARD) >= (1 << 32) + 2 * GUARD {
            return ArenaPlace::NoPointer;
        }
        let Some(arena) = self.arena() else {
            return ArenaPlace::NoPointer;
        };
        let there = addr >> 32 == 0 && arena.is_allocated(addr) && arena.is_allocated(addr.wrapping_add(size - 1));
        if there { ArenaPlace::At(arena.kernel_addr(addr)) } else { ArenaPlace::Absent }
    }
}

/// What an address is to the arena of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArenaPlace {
    /// No pointer into it.
    NoPointer,
    /// A page that is not there: loads from it give 0, stores to it are dropped.
    Absent,
    /// This address of the host.
    At(u64),
}
