//! Bodies: checksums.

use skep_linux::Errno;
use skep_linux::flags::{
    BPF_CSUM_LEVEL_DEC, BPF_CSUM_LEVEL_INC, BPF_CSUM_LEVEL_QUERY, BPF_CSUM_LEVEL_RESET, BPF_F_HDR_FIELD_MASK, BPF_F_IPV6,
    BPF_F_MARK_ENFORCE, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR,
};
use skep_world::Checksum;

use crate::buffer::Buffer;
use crate::call::{Call, Done, Fail, helpers};
use crate::checksum::{add, partial, replace_by_diff, replace2, replace4, sub, to16};

helpers! {
    10 "bpf_l3_csum_replace" => l3_csum_replace,
    11 "bpf_l4_csum_replace" => l4_csum_replace,
    28 "bpf_csum_diff" => csum_diff,
    40 "bpf_csum_update" => csum_update,
    135 "bpf_csum_level" => csum_level,
}

/// The most that a checksum may lie behind the beginning of the packet.
const MAX_OFFSET: u32 = 0xffff;
/// `SKB_MAX_CSUM_LEVEL`.
const MAX_LEVEL: u8 = 3;

/// The buffer, made writable up to the end of the checksum at an offset, and that checksum.
fn checksum_at<'a>(c: &'a mut Call<'_>, offset: u32) -> Result<(Buffer<'a>, u16), Fail> {
    if offset > MAX_OFFSET || offset % 2 == 1 {
        return Err(Errno::EFAULT.into());
    }
    let mut buffer = c.buffer(1)?;
    buffer.writable(offset as usize + 2).map_err(|_| Errno::EFAULT)?;
    let found = buffer.bytes(offset as usize, 2);
    let checksum = u16::from_le_bytes([found[0], found[1]]);
    Ok((buffer, checksum))
}

/// `(skb, offset, from, to, size)`.
fn l3_csum_replace(c: &mut Call<'_>) -> Done {
    let [_, _, from, to, flags] = c.args;
    let offset = c.arg32(2);
    if flags & !BPF_F_HDR_FIELD_MASK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (buffer, old) = checksum_at(c, offset)?;
    let new = match flags {
        0 if from == 0 => replace_by_diff(old, to as u32),
        2 => replace2(old, from as u16, to as u16),
        4 => replace4(old, from as u32, to as u32),
        _other_sizes => return Err(Errno::EINVAL.into()),
    };
    buffer.write(offset as usize, &new.to_le_bytes());
    Ok(0)
}

/// `(skb, offset, from, to, flags)`.
fn l4_csum_replace(c: &mut Call<'_>) -> Done {
    let [_, _, from, to, flags] = c.args;
    let offset = c.arg32(2);
    let known = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR | BPF_F_HDR_FIELD_MASK | BPF_F_IPV6;
    if flags & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let set = |flag| flags & flag != 0;
    let (buffer, old) = checksum_at(c, offset)?;
    // 0 says that there is no checksum.
    if set(BPF_F_MARK_MANGLED_0) && !set(BPF_F_MARK_ENFORCE) && old == 0 {
        return Ok(0);
    }
    let (from64, from, to) = (from, from as u32, to as u32);
    // The sum over the packet covers the checksum, which takes up what changed, but not the pseudo header.
    let complete = match buffer.state.checksum {
        Checksum::Complete(sum) if set(BPF_F_PSEUDO_HDR) => Some(sum),
        Checksum::Complete(_) | Checksum::None | Checksum::Unnecessary(_) => None,
    };
    let (mut new, sum) = match flags & BPF_F_HDR_FIELD_MASK {
        0 if from64 == 0 => (replace_by_diff(old, to), complete.filter(|_| !set(BPF_F_IPV6)).map(|sum| !sub(to, sum))),
        size @ (2 | 4) => {
            let cut = |value: u32| if size == 2 { value & 0xffff } else { value };
            let (from, to) = (cut(from), cut(to));
            (replace4(old, from, to), complete.map(|sum| !add(sub(!sum, from), to)))
        }
        _other_sizes => return Err(Errno::EINVAL.into()),
    };
    if let Some(sum) = sum {
        buffer.state.checksum = Checksum::Complete(sum);
    }
    if set(BPF_F_MARK_MANGLED_0) && new == 0 {
        new = 0xffff;
    }
    buffer.write(offset as usize, &new.to_le_bytes());
    Ok(0)
}

/// `(from, from_size, to, to_size, seed)`: the sum of `seed`, what is there, and the complement of what was there.
fn csum_diff(c: &mut Call<'_>) -> Done {
    let (from_size, to_size, seed) = (c.arg32(2), c.arg32(4), c.arg32(5));
    let from = if from_size == 0 { Vec::new() } else { c.bytes(1, from_size.into())? };
    let to = if to_size == 0 { Vec::new() } else { c.bytes(3, to_size.into())? };
    let sum = match (from.is_empty(), to.is_empty()) {
        (false, false) => sub(partial(&to, seed), partial(&from, 0)),
        (true, false) => partial(&to, seed),
        (false, true) => !partial(&from, !seed),
        (true, true) => seed,
    };
    Ok(to16(sum).into())
}

/// `(skb, csum)`: the new sum over the packet.
fn csum_update(c: &mut Call<'_>) -> Done {
    let more = c.arg32(2);
    let buffer = c.buffer(1)?;
    let Checksum::Complete(sum) = buffer.state.checksum else {
        return Err(Errno::ENOTSUPP.into());
    };
    let sum = add(sum, more);
    buffer.state.checksum = Checksum::Complete(sum);
    Ok(sum.into())
}

/// `(skb, level)`.
fn csum_level(c: &mut Call<'_>) -> Done {
    let what = c.arg(2);
    let state = &mut c.buffer(1)?.state.checksum;
    match (what, *state) {
        (BPF_CSUM_LEVEL_QUERY, Checksum::Unnecessary(level)) => return Ok(level.into()),
        (BPF_CSUM_LEVEL_QUERY, _) => return Err(Errno::EACCES.into()),
        (BPF_CSUM_LEVEL_INC, Checksum::Unnecessary(level)) => *state = Checksum::Unnecessary(MAX_LEVEL.min(level + 1)),
        (BPF_CSUM_LEVEL_INC, Checksum::None) => *state = Checksum::Unnecessary(0),
        (BPF_CSUM_LEVEL_DEC, Checksum::Unnecessary(level)) => {
            *state = level.checked_sub(1).map_or(Checksum::None, Checksum::Unnecessary);
        }
        (BPF_CSUM_LEVEL_RESET, Checksum::Unnecessary(_)) => *state = Checksum::None,
        (BPF_CSUM_LEVEL_INC | BPF_CSUM_LEVEL_DEC | BPF_CSUM_LEVEL_RESET, _) => {}
        _unknown => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}
