//! What is known of a number: which of its bits ([`Tnum`]), and between which bounds it lies ([`Range`]), together ([`Scalar`]).
//!
//! Widths are parameters, so that tests can try every value at a few bits. Linux has 64 bits with a low half of 32: [`Scalar64`].

mod alu;
mod branch;
mod display;
mod range;
mod resize;
mod scalar;
mod tnum;

pub use alu::{Bitwise, Op, Shift};
pub use branch::Cond;
pub(crate) use display::{log_signed, log_unsigned};
pub use range::Range;
pub use scalar::{Scalar, Scalar64};
pub use tnum::Tnum;

/// All `bits` low bits.
const fn ones(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// The low `bits` bits as a signed number.
const fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    ((value << unused) as i64) >> unused
}
