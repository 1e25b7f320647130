//! Pointers, symbols and network addresses.

use skep_world::Symbols;

use super::{Piece, Spec};

/// Errors in the guise of pointers begin here.
const MAX_ERRNO: u64 = 4095;

/// All digits of an address.
pub(super) fn plain(spec: Spec, addr: u64) -> Piece {
    let wide = match spec.width {
        Some(_) => spec,
        None => Spec { width: Some(16), zero: true, ..spec },
    };
    Piece::Number(Spec { base: 16, small: true, signed: false, ..wide }, addr)
}

/// What stands for an address that is not to be known: a number of 32 bits that is the same for the same address. NULL and errors
/// are shown as they are. The kernel's numbers depend on a key that it draws at boot; these do not.
pub(crate) fn hash(addr: u64) -> u64 {
    if addr == 0 || addr >= MAX_ERRNO.wrapping_neg() {
        return addr;
    }
    let mut z = addr.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 32
}

/// An address by its hash.
pub(super) fn hashed(spec: Spec, addr: u64) -> Piece {
    plain(spec, hash(addr))
}

/// The symbol at an address, with offset and size if asked for; the address where there is none.
pub(super) fn symbol(symbols: &Symbols, addr: u64, offset: bool) -> Vec<u8> {
    let text = match symbols.find(addr) {
        Some((name, at, size)) if offset => format!("{name}+{at:#x}/{size:#x}"),
        Some((name, ..)) => name.to_owned(),
        None => format!("{addr:#x}"),
    };
    text.into_bytes()
}

/// The symbol of a return address: that of the call before it.
pub(super) fn backtrace(symbols: &Symbols, addr: u64) -> Vec<u8> {
    let text = match symbols.find(addr.wrapping_sub(1)) {
        Some((name, at, size)) => format!("{name}+{:#x}/{size:#x}", at + 1),
        None => format!("{addr:#x}"),
    };
    text.into_bytes()
}

/// `127.0.0.1`, or with all digits `127.000.000.001`.
pub(super) fn ip4(addr: &[u8; 16], all_digits: bool) -> Vec<u8> {
    let [a, b, c, d, ..] = addr;
    let text = if all_digits { format!("{a:03}.{b:03}.{c:03}.{d:03}") } else { format!("{a}.{b}.{c}.{d}") };
    text.into_bytes()
}

/// Eight groups of four digits, joined without anything or with colons.
pub(super) fn ip6(addr: &[u8; 16], bare: bool) -> Vec<u8> {
    let groups: Vec<String> = addr.chunks_exact(2).map(|g| format!("{:02x}{:02x}", g[0], g[1])).collect();
    groups.join(if bare { "" } else { ":" }).into_bytes()
}
