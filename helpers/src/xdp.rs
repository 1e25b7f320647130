//! Bodies: frames.

use skep_linux::Errno;
use skep_world::Packet;

use crate::buffer::ETH_HLEN;
use crate::call::{Call, Done, helpers};

helpers! {
    44 "bpf_xdp_adjust_head" => adjust_head,
    54 "bpf_xdp_adjust_meta" => adjust_meta,
    65 "bpf_xdp_adjust_tail" => adjust_tail,
    188 "bpf_xdp_get_buff_len" => |c| Ok(c.packet(1)?.len() as u64),
    189 "bpf_xdp_load_bytes" => load_bytes,
    190 "bpf_xdp_store_bytes" => store_bytes,
}

/// `sizeof(struct xdp_frame)`: what the headroom keeps free.
const FRAME_HEADER: usize = 40;
/// Bytes of a fragment: a page. All but the last one are full.
const FRAGMENT: usize = 4096;
/// The most metadata there may be.
const MAX_META: usize = 252;

/// `(xdp, delta)`: metadata moves along.
fn adjust_head(c: &mut Call<'_>) -> Done {
    let delta = c.arg32(2) as i32 as isize;
    let packet = c.packet(1)?;
    let meta = packet.data - packet.meta;
    let data = packet.data.checked_add_signed(delta).filter(|data| *data >= FRAME_HEADER + meta);
    match data {
        Some(data) if data + ETH_HLEN <= packet.linear_end => {
            packet.block.copy_within(packet.meta, data - meta, meta);
            packet.data = data;
            packet.meta = data - meta;
            Ok(0)
        }
        Some(_) | None => Err(Errno::EINVAL.into()),
    }
}

/// `(xdp, delta)`.
fn adjust_meta(c: &mut Call<'_>) -> Done {
    let delta = c.arg32(2) as i32 as isize;
    let packet = c.packet(1)?;
    let Some(meta) = packet.meta.checked_add_signed(delta).filter(|meta| (FRAME_HEADER..=packet.data).contains(meta)) else {
        return Err(Errno::EINVAL.into());
    };
    let len = packet.data - meta;
    if len % 4 != 0 || len > MAX_META {
        return Err(Errno::EACCES.into());
    }
    packet.meta = meta;
    Ok(0)
}

/// `(xdp, delta)`. Fragments that nothing is left of go.
fn adjust_tail(c: &mut Call<'_>) -> Done {
    let delta = c.arg32(2) as i32 as isize;
    let packet = c.packet(1)?;
    let fragments = packet.end > packet.linear_end;
    let end = packet.end.checked_add_signed(delta).filter(|end| *end <= packet.limit);
    let least = packet.data + ETH_HLEN;
    match end {
        Some(end) if end >= least => {
            let _inside = packet.move_tail(delta);
            if fragments && delta < 0 {
                let left = packet.end - packet.linear_end;
                packet.limit = if left == 0 { packet.linear_limit } else { packet.linear_end + left.next_multiple_of(FRAGMENT) };
            }
            Ok(0)
        }
        Some(_) | None => Err(Errno::EINVAL.into()),
    }
}

/// Where `len` bytes at an offset lie in the frame's block.
fn piece(packet: &Packet, offset: u32, len: u32) -> Result<usize, Errno> {
    const MOST: u32 = 0xffff;
    if offset > MOST || len > MOST {
        return Err(Errno::EFAULT);
    }
    if offset as usize + len as usize > packet.len() {
        return Err(Errno::EINVAL);
    }
    Ok(packet.data + offset as usize)
}

/// `(xdp, offset, buf, len)`.
fn load_bytes(c: &mut Call<'_>) -> Done {
    let (offset, len) = (c.arg32(2), c.arg32(4));
    let packet = c.packet(1)?;
    let bytes = packet.block.bytes(piece(packet, offset, len)?, len as usize);
    c.write(3, &bytes)?;
    Ok(0)
}

/// `(xdp, offset, buf, len)`.
fn store_bytes(c: &mut Call<'_>) -> Done {
    let (offset, len) = (c.arg32(2), c.arg32(4));
    let at = piece(c.packet(1)?, offset, len)?;
    let bytes = c.bytes(3, len.into())?;
    c.packet(1)?.block.write(at, &bytes);
    Ok(0)
}
