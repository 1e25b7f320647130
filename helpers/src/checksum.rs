//! Sums of the internet checksum: 32 bits in which carries go round, over 16-bit words in the order of the machine (little-endian).

/// Adds two sums.
pub(crate) fn add(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u32::from(carry))
}

/// Takes a sum from another.
pub(crate) fn sub(a: u32, b: u32) -> u32 {
    add(a, !b)
}

/// The sum in 16 bits.
pub(crate) fn to16(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

/// The checksum that belongs to a sum.
pub(crate) fn fold(sum: u32) -> u16 {
    !to16(sum)
}

/// The sum that a checksum stands for.
fn unfold(checksum: u16) -> u32 {
    u32::from(checksum)
}

/// The sum over bytes, added to another. A last byte without a partner is the low half of a word.
pub(crate) fn partial(bytes: &[u8], seed: u32) -> u32 {
    let mut sum = u64::from(seed);
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        sum += u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mut last = [0; 4];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    sum += u64::from(u32::from_le_bytes(last));
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

/// The checksum after the sum of what it covers changed by `diff`.
pub(crate) fn replace_by_diff(checksum: u16, diff: u32) -> u16 {
    fold(add(diff, !unfold(checksum)))
}

/// The checksum after four bytes changed.
pub(crate) fn replace4(checksum: u16, from: u32, to: u32) -> u16 {
    fold(add(sub(!unfold(checksum), from), to))
}

/// The checksum after two bytes changed.
pub(crate) fn replace2(checksum: u16, from: u16, to: u16) -> u16 {
    !add16(add16(!checksum, !from), to)
}

/// Adds two sums of 16 bits.
pub(crate) fn add16(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u16::from(carry))
}
