//! Atomic operations, real ones on the memory that threads share.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

use skep_helpers::Trap;
use skep_isa::{AtomicOp, Size};
use skep_memory::{Access, Fault, Hit, Why};

use super::access::{Refused, find};
use super::op::{Handler, Op};
use super::{Core, Event};

/// The operations on one width.
trait Word {
    fn apply(&self, op: AtomicOp, src: u64, expected: u64) -> u64;
}

macro_rules! word {
    ($atomic:ty, $number:ty) => {
        impl Word for $atomic {
            fn apply(&self, op: AtomicOp, src: u64, expected: u64) -> u64 {
                let (src, expected) = (src as $number, expected as $number);
                let old = match op {
                    AtomicOp::Add { .. } => self.fetch_add(src, SeqCst),
                    AtomicOp::Or { .. } => self.fetch_or(src, SeqCst),
                    AtomicOp::And { .. } => self.fetch_and(src, SeqCst),
                    AtomicOp::Xor { .. } => self.fetch_xor(src, SeqCst),
                    AtomicOp::Xchg => self.swap(src, SeqCst),
                    AtomicOp::Cmpxchg => match self.compare_exchange(expected, src, SeqCst, SeqCst) {
                        Ok(old) | Err(old) => old,
                    },
                };
                u64::from(old)
            }
        }
    };
}
word!(AtomicU32, u32);
word!(AtomicU64, u64);

macro_rules! handlers {
    ($op:expr, $size:expr; $($pattern:pat => $value:expr),*) => {
        match ($op, $size) {
            $(
                ($pattern, Size::Dw) => |core, op, pc| atomic(core, op, pc, $value, Size::Dw),
                ($pattern, Size::B | Size::H | Size::W) => |core, op, pc| atomic(core, op, pc, $value, Size::W),
            )*
        }
    };
}

pub(super) fn handler(op: AtomicOp, size: Size) -> Handler {
    handlers!(op, size;
        AtomicOp::Add { fetch: false } => AtomicOp::Add { fetch: false },
        AtomicOp::Add { fetch: true } => AtomicOp::Add { fetch: true },
        AtomicOp::Or { fetch: false } => AtomicOp::Or { fetch: false },
        AtomicOp::Or { fetch: true } => AtomicOp::Or { fetch: true },
        AtomicOp::And { fetch: false } => AtomicOp::And { fetch: false },
        AtomicOp::And { fetch: true } => AtomicOp::And { fetch: true },
        AtomicOp::Xor { fetch: false } => AtomicOp::Xor { fetch: false },
        AtomicOp::Xor { fetch: true } => AtomicOp::Xor { fetch: true },
        AtomicOp::Xchg => AtomicOp::Xchg,
        AtomicOp::Cmpxchg => AtomicOp::Cmpxchg
    )
}

#[inline(always)]
fn atomic(core: &mut Core, op: &Op, pc: usize, operation: AtomicOp, size: Size) -> usize {
    let addr = core.regs[op.dst()].wrapping_add(op.off as u64);
    match core.atomic(addr, operation, size, core.regs[op.src()]) {
        Ok(old) => {
            match operation {
                AtomicOp::Cmpxchg => core.regs[0] = old,
                AtomicOp::Xchg => core.regs[op.src()] = old,
                AtomicOp::Add { fetch } | AtomicOp::Or { fetch } | AtomicOp::And { fetch } | AtomicOp::Xor { fetch } => {
                    if fetch {
                        core.regs[op.src()] = old;
                    }
                }
            }
            pc + 1
        }
        Err(trap) => core.leave(pc, Event::Trap(trap)),
    }
}

impl Core {
    pub(crate) fn atomic(&mut self, addr: u64, op: AtomicOp, size: Size, src: u64) -> Result<u64, Trap> {
        let bytes = u64::from(size.bytes());
        let refuse = |why| Trap::Fault(Fault { addr, size: bytes, access: Access::Write, why });
        let Hit { region, at, .. } = match find(&self.memory, &self.linked, addr, bytes, Access::Write) {
            Ok(found) => found,
            // The register keeps what it held.
            Err(Refused::Absent) => return Ok(if op == AtomicOp::Cmpxchg { self.regs[0] } else { src }),
            Err(Refused::Fault(fault)) => return Err(Trap::Fault(fault)),
        };
        if !region.kind.is_plain() {
            return Err(refuse(Why::NotPlain(region.kind.clone())));
        }
        let expected = self.regs[0];
        let old = match size {
            Size::Dw => region.block.atomic64(at).map(|word| word.apply(op, src, expected)),
            Size::B | Size::H | Size::W => region.block.atomic32(at).map(|word| word.apply(op, src, expected)),
        };
        old.ok_or_else(|| refuse(Why::Misaligned))
    }
}
