//! Memory as the kernel's fault-tolerant copies see it: whatever is mapped can be read, whoever it belongs to.

use skep_linux::Errno;
use skep_memory::{Memory, Region, RegionKind};

/// Which addresses a copy accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// User memory alone.
    User,
    /// Everything but user memory.
    Kernel,
    /// By the address, as on machines where the two do not overlap.
    Either,
}

impl Space {
    fn holds(self, region: &Region) -> bool {
        match self {
            Space::User => region.kind == RegionKind::User,
            Space::Kernel => region.kind != RegionKind::User,
            Space::Either => true,
        }
    }
}

/// The error of a copy from `addr` that found nothing there. Copies of kernel memory refuse addresses outside of the kernel's half
/// before they try.
pub(crate) fn refusal(space: Space, addr: u64) -> Errno {
    const KERNEL: u64 = 0xffff_8000_0000_0000;
    const USER_END: u64 = 0x7fff_ffff_f000;
    match space {
        Space::Kernel if addr < KERNEL => Errno::ERANGE,
        Space::Either if (USER_END..KERNEL).contains(&addr) => Errno::ERANGE,
        Space::Kernel | Space::Either | Space::User => Errno::EFAULT,
    }
}

/// The bytes from `addr` to the end of the region there, across the cells that it is divided into; `None` where nothing is mapped.
fn piece(memory: &Memory, space: Space, addr: u64) -> Option<(&Region, usize, usize)> {
    let region = memory.find(addr).filter(|r| space.holds(r))?;
    let at = (addr - region.start()) as usize;
    Some((region, region.offset + at, region.len - at))
}

/// Reads `out.len()` bytes, across regions that touch each other; `false` if one of them is not mapped (and `out` is in part filled).
pub(crate) fn read(memory: &Memory, space: Space, mut addr: u64, mut out: &mut [u8]) -> bool {
    while !out.is_empty() {
        let Some((region, at, room)) = piece(memory, space, addr) else {
            return false;
        };
        let len = room.min(out.len());
        let (now, rest) = out.split_at_mut(len);
        region.block.read(at, now);
        out = rest;
        addr = addr.wrapping_add(len as u64);
    }
    true
}

/// As [`read`], with an allocation that is no larger than what is mapped.
pub(crate) fn bytes(memory: &Memory, space: Space, addr: u64, len: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while (out.len() as u64) < len {
        let (region, at, room) = piece(memory, space, addr.wrapping_add(out.len() as u64))?;
        let take = (len - out.len() as u64).min(room as u64) as usize;
        out.extend(region.block.bytes(at, take));
    }
    Some(out)
}

/// The bytes of a string before its NUL, at most `max`, and whether the NUL was seen; `None` if memory ends before either.
pub(crate) fn string(memory: &Memory, space: Space, addr: u64, max: u64) -> Option<(Vec<u8>, bool)> {
    const STEP: u64 = 64;
    let mut out = Vec::new();
    while (out.len() as u64) < max {
        let (region, at, room) = piece(memory, space, addr.wrapping_add(out.len() as u64))?;
        let take = (max - out.len() as u64).min(room as u64).min(STEP) as usize;
        let bytes = region.block.bytes(at, take);
        match bytes.iter().position(|b| *b == 0) {
            Some(n) => {
                out.extend(&bytes[..n]);
                return Some((out, true));
            }
            None => out.extend(bytes),
        }
    }
    Some((out, false))
}

/// Writes user memory; `false` if a part is not mapped or not writable. Nothing is written then.
pub(crate) fn write_user(memory: &Memory, addr: u64, bytes: &[u8]) -> bool {
    let mut done = 0;
    for commit in [false, true] {
        done = 0;
        while done < bytes.len() {
            let Some((region, at, room)) = piece(memory, Space::User, addr.wrapping_add(done as u64)) else {
                return false;
            };
            if !region.writable {
                return false;
            }
            let len = room.min(bytes.len() - done);
            if commit {
                region.block.write(at, &bytes[done..done + len]);
            }
            done += len;
        }
    }
    done == bytes.len()
}
