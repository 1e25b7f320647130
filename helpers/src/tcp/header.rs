//! Bodies: options in the headers of segments.

use skep_linux::Errno;
use skep_linux::flags::BPF_LOAD_HDR_OPT_TCP_SYN;

use crate::call::{Call, Done};

/// Bytes of a header without options.
const TCP_HEADER: usize = 20;
/// Kinds: the end, padding, and the two that a magic number tells apart.
const END: u8 = 0;
const PADDING: u8 = 1;
const EXPERIMENTS: [u8; 2] = [253, 254];
/// What the program is called for: the room that options take, and their writing.
const HDR_OPT_LEN_CB: u64 = 14;
const WRITE_HDR_OPT_CB: u64 = 15;

/// Where an option was looked for.
enum Found<'o> {
    Option(&'o [u8]),
    Absent,
    /// The list ended with the kind that says so.
    Ended,
}

/// The option of a kind, and of a magic number if one is given.
fn find<'o>(mut options: &'o [u8], kind: u8, magic: &[u8]) -> Result<Found<'o>, Errno> {
    loop {
        match options {
            [] => return Ok(Found::Absent),
            [END, ..] => return Ok(Found::Ended),
            [PADDING, rest @ ..] => options = rest,
            [found, len, ..] if *len >= 2 && usize::from(*len) <= options.len() => {
                let (option, rest) = options.split_at(usize::from(*len));
                if *found == kind {
                    if magic.len() > option.len() - 2 {
                        return Ok(Found::Absent);
                    }
                    if option[2..].starts_with(magic) {
                        return Ok(Found::Option(option));
                    }
                }
                options = rest;
            }
            _cut_off => return Err(Errno::EFAULT),
        }
    }
}

fn op(c: &mut Call<'_>) -> Result<u64, crate::call::Fail> {
    Ok(c.context(1)?.field("op").unwrap_or_default())
}

/// The options of the segment that the program sees; `None` without one.
fn segment_options(c: &mut Call<'_>) -> Result<Option<Vec<u8>>, crate::call::Fail> {
    let packet = c.context(1)?.packet.as_ref();
    Ok(packet.map(|packet| packet.get(TCP_HEADER, packet.len().saturating_sub(TCP_HEADER)).unwrap_or_default()))
}

/// Bytes that options may still take.
fn space<'a>(c: &'a mut Call<'_>) -> &'a mut u32 {
    const MOST: u32 = 40;
    let parts = c.parts();
    let taken = parts.world.event.tcp_options;
    parts.context.option_space.get_or_insert(MOST.saturating_sub(taken))
}

/// `(sock_ops, searchby_res, len, flags)`: the length of the option, which takes the place of what it was searched by.
pub(super) fn load(c: &mut Call<'_>) -> Done {
    let (len, flags) = (c.arg32(3) as usize, c.arg(4));
    if len < 2 || flags & !BPF_LOAD_HDR_OPT_TCP_SYN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let search = c.bytes(2, len as u64)?;
    let (kind, wanted) = (search[0], usize::from(search[1]));
    if wanted > len || matches!(kind, END | PADDING) {
        return Err(Errno::EINVAL.into());
    }
    let experiment = EXPERIMENTS.contains(&kind);
    if experiment && !matches!(wanted, 4 | 6) || !experiment && wanted != 0 {
        return Err(Errno::EINVAL.into());
    }
    let magic = if experiment { search[2..wanted].to_vec() } else { Vec::new() };
    if flags & BPF_LOAD_HDR_OPT_TCP_SYN != 0 {
        // No SYN was kept.
        return Err(Errno::ENOENT.into());
    }
    let operation = op(c)?;
    let Some(options) = segment_options(c)?.filter(|_| operation != HDR_OPT_LEN_CB) else {
        return Err(Errno::EPERM.into());
    };
    let Found::Option(option) = find(&options, kind, &magic)? else {
        return Err(Errno::ENOMSG.into());
    };
    c.write(2, &option[..option.len().min(len)])?;
    if option.len() > len {
        return Err(Errno::ENOSPC.into());
    }
    Ok(option.len() as u64)
}

/// `(sock_ops, from, len, flags)`.
pub(super) fn store(c: &mut Call<'_>) -> Done {
    let (len, flags) = (c.arg32(3) as usize, c.arg(4));
    if op(c)? != WRITE_HDR_OPT_CB {
        return Err(Errno::EPERM.into());
    }
    if len < 2 || flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let given = c.bytes(2, len as u64)?;
    let (kind, own) = (given[0], usize::from(given[1]));
    if own > len || own < 2 || matches!(kind, END | PADDING) {
        return Err(Errno::EINVAL.into());
    }
    if own as u32 > *space(c) {
        return Err(Errno::ENOSPC.into());
    }
    let magic = match EXPERIMENTS.contains(&kind) {
        // Two bytes of the magic number tell such options apart.
        true if own < 4 => return Err(Errno::EINVAL.into()),
        true => given[2..4].to_vec(),
        false => Vec::new(),
    };
    let options = segment_options(c)?.unwrap_or_default();
    match find(&options, kind, &magic)? {
        Found::Option(_) => return Err(Errno::EEXIST.into()),
        Found::Ended => return Err(Errno::ENOSPC.into()),
        Found::Absent => {}
    }
    *space(c) -= own as u32;
    let packet = c.packet(1)?;
    packet.expand(0, own);
    let at = packet.len();
    let _room = packet.move_tail(own as isize);
    let _inside = packet.set(at, &given[..own]);
    Ok(0)
}

/// `(sock_ops, len, flags)`.
pub(super) fn reserve(c: &mut Call<'_>) -> Done {
    let (len, flags) = (c.arg32(2), c.arg(3));
    if op(c)? != HDR_OPT_LEN_CB {
        return Err(Errno::EPERM.into());
    }
    if flags != 0 || len < 2 {
        return Err(Errno::EINVAL.into());
    }
    let space = space(c);
    *space = space.checked_sub(len).ok_or(Errno::ENOSPC)?;
    Ok(0)
}
