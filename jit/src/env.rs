//! What compiled code and the runtime hand each other.

use std::mem::{offset_of, size_of};

use skep_isa::{AtomicOp, Size};

/// Bytes from the stack of a frame to that of the function it calls.
pub const STRIDE: u32 = 576;

/// How a function of the runtime ended: [`Ret::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Status {
    /// Go on; [`Ret::value`] is the result.
    GoOn = 0,
    /// Leave everything up to the entry, which returns this status too. The runtime keeps why.
    Stop = 1,
    /// Of [`Env::call`] only: leave the current function and go on at [`Env::tail_target`] in its place.
    Tail = 2,
    /// Of [`Env::packet`] only: the packet has no such bytes. The current function returns 0.
    Miss = 3,
}

/// What functions of the runtime return, and the entry of compiled code: two registers in both conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Ret {
    /// The result.
    pub value: u64,
    /// A [`Status`] as a number.
    pub status: u64,
}

impl Ret {
    /// A result to go on with.
    pub const fn go_on(value: u64) -> Ret {
        Ret { value, status: Status::GoOn as u64 }
    }

    /// Any other end.
    pub const fn end(status: Status) -> Ret {
        Ret { value: 0, status: status as u64 }
    }
}

/// What compiled code reaches the runtime through, at fixed offsets. Functions are `extern "C"`, given by their address, and take
/// the address of this first.
///
/// Before it calls one, the code stores its place in [`slot`](Env::slot), and before [`call`](Env::call) also
/// [`callee`](Env::callee) and [`frame`](Env::frame).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Env {
    /// The native stack pointer of the innermost entry. Code sets it when it is entered and restores it when it returns.
    pub stop_sp: u64,
    /// `r1` of programs that a tail call goes to.
    pub context: u64,
    /// Address of the first function of the program that a tail call goes to.
    pub tail_target: u64,
    /// `r10` of the function that calls, or of the nearest of its callers that uses its stack.
    pub frame: u64,
    /// Slot of the instruction that calls, counted from [`Options::first_slot`](crate::Options::first_slot).
    pub slot: u32,
    /// What is called: index in [`Code::callees`](crate::Code::callees).
    pub callee: u32,
    /// `fn(env, r1, r2, r3, r4, r5) -> Ret`: a helper or kernel function.
    pub call: u64,
    /// `fn(env, address, code) -> Ret`: a load that is not proven, and is none of a number or packet pointer in the context. The code is [`load_code`]'s; the result is extended as it says.
    pub load: u64,
    /// `fn(env, address, bytes, value) -> Ret`: a store that is not proven.
    pub store: u64,
    /// `fn(env, address, code, value, r0) -> Ret`: an atomic operation that is not proven. The code is [`atomic_code`]'s; the result is
    /// the old value, zero-extended.
    pub atomic: u64,
    /// `fn(env, offset, bytes) -> Ret`: bytes of the packet in network order, as a number. The offset is an `i32` in its lower half.
    pub packet: u64,
    /// `fn(env, pointer, to) -> Ret`: `addr_space_cast` to a space other than 0.
    pub cast: u64,
    /// What fields of the context yield that stand for the first byte of the packet, the byte behind the last, and the first of the
    /// metadata before it. The runtime keeps them; they may change with every call.
    pub packet_start: u64,
    /// See [`packet_start`](Env::packet_start).
    pub packet_end: u64,
    /// See [`packet_start`](Env::packet_start).
    pub packet_meta: u64,
}

/// How [`Env::load`] is told what to load: the number of bytes, plus 256 if the result is sign-extended.
pub const fn load_code(size: Size, signed: bool) -> u64 {
    size.bytes() as u64 | if signed { 256 } else { 0 }
}

/// What a [`load_code`] means.
pub const fn load_of(code: u64) -> Option<(Size, bool)> {
    match size_of_code(code & 255) {
        Some(size) if code < 512 => Some((size, code >= 256)),
        Some(_) | None => None,
    }
}

/// How [`Env::atomic`] is told what to do: the number of bytes, plus 256 times the immediate that the instruction has (RFC 9669, "Atomic
/// operations").
pub const fn atomic_code(op: AtomicOp, size: Size) -> u64 {
    let op = match op {
        AtomicOp::Add { fetch } => fetch as u64,
        AtomicOp::Or { fetch } => 0x40 | fetch as u64,
        AtomicOp::And { fetch } => 0x50 | fetch as u64,
        AtomicOp::Xor { fetch } => 0xa0 | fetch as u64,
        AtomicOp::Xchg => 0xe1,
        AtomicOp::Cmpxchg => 0xf1,
    };
    op << 8 | size.bytes() as u64
}

/// What an [`atomic_code`] means.
pub const fn atomic_of(code: u64) -> Option<(AtomicOp, Size)> {
    let Some(size) = size_of_code(code & 255) else {
        return None;
    };
    let op = match code >> 8 {
        op @ (0 | 1) => AtomicOp::Add { fetch: op == 1 },
        op @ (0x40 | 0x41) => AtomicOp::Or { fetch: op == 0x41 },
        op @ (0x50 | 0x51) => AtomicOp::And { fetch: op == 0x51 },
        op @ (0xa0 | 0xa1) => AtomicOp::Xor { fetch: op == 0xa1 },
        0xe1 => AtomicOp::Xchg,
        0xf1 => AtomicOp::Cmpxchg,
        _ => return None,
    };
    Some((op, size))
}

const fn size_of_code(bytes: u64) -> Option<Size> {
    match bytes {
        1 => Some(Size::B),
        2 => Some(Size::H),
        4 => Some(Size::W),
        8 => Some(Size::Dw),
        _ => None,
    }
}

/// Where code finds a field: all within the reach of the shortest displacements.
macro_rules! offsets {
    ($($name:ident = $field:ident;)*) => {
        /// Offsets of the fields of [`Env`].
        pub(crate) mod at {
            use super::{Env, offset_of};
            $(pub(crate) const $name: i32 = offset_of!(Env, $field) as i32;)*
        }
        $(const _: () = assert!(at::$name < 128 && at::$name % 4 == 0);)*
    };
}

offsets! {
    STOP_SP = stop_sp;
    CONTEXT = context;
    TAIL_TARGET = tail_target;
    FRAME = frame;
    SLOT = slot;
    CALLEE = callee;
    CALL = call;
    LOAD = load;
    STORE = store;
    ATOMIC = atomic;
    PACKET = packet;
    CAST = cast;
    PACKET_START = packet_start;
    PACKET_END = packet_end;
    PACKET_META = packet_meta;
}

const _: () = assert!(size_of::<Env>() == 14 * 8 && size_of::<Ret>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_they_were_made_of() {
        for size in [Size::B, Size::H, Size::W, Size::Dw] {
            for flag in [false, true] {
                assert_eq!(load_of(load_code(size, flag)), Some((size, flag)));
                let ops = [
                    AtomicOp::Add { fetch: flag },
                    AtomicOp::Or { fetch: flag },
                    AtomicOp::And { fetch: flag },
                    AtomicOp::Xor { fetch: flag },
                    AtomicOp::Xchg,
                    AtomicOp::Cmpxchg,
                ];
                for op in ops {
                    assert_eq!(atomic_of(atomic_code(op, size)), Some((op, size)));
                }
            }
        }
        assert_eq!((load_of(3), load_of(512 + 4), atomic_of(4 << 8 | 4), atomic_of(5)), (None, None, None, None));
    }
}
