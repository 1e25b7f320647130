//! Bodies: dynptrs. One lies where the program keeps it, laid out as in the kernel: the address of what it shows, its size with type and
//! permission in the upper bits, and the offset of its first byte.

use skep_linux::Errno;
use skep_world::{Context, Packet};

use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::raw::{self, Space};

helpers! {
    197 "bpf_dynptr_from_mem" => from_mem,
    201 "bpf_dynptr_read" => read_helper,
    202 "bpf_dynptr_write" => write_helper,
    203 "bpf_dynptr_data" => data,
}

kfuncs! {
    "bpf_dynptr_from_skb" => |c| from_packet(c, Kind::Skb),
    "bpf_dynptr_from_skb_meta" => from_skb_meta,
    "bpf_dynptr_from_xdp" => |c| from_packet(c, Kind::Xdp),
    "bpf_dynptr_slice" => |c| slice(c, false),
    "bpf_dynptr_slice_rdwr" => |c| slice(c, true),
    "bpf_dynptr_adjust" => adjust,
    "bpf_dynptr_is_null" => |c| Ok(Dynptr::load(c, 1)?.is_null().into()),
    "bpf_dynptr_is_rdonly" => |c| {
        let dynptr = Dynptr::load(c, 1)?;
        Ok((!dynptr.is_null() && dynptr.read_only).into())
    },
    "bpf_dynptr_size" => |c| {
        let dynptr = Dynptr::load(c, 1)?;
        if dynptr.is_null() { Err(Errno::EINVAL.into()) } else { Ok(dynptr.size.into()) }
    },
    "bpf_dynptr_clone" => clone,
    "bpf_dynptr_copy" => copy,
    "bpf_dynptr_memset" => memset,
    "bpf_probe_read_user_dynptr" => |c| fill_from(c, Space::User),
    "bpf_probe_read_kernel_dynptr" => |c| fill_from(c, Space::Kernel),
    "bpf_probe_read_user_str_dynptr" => |c| fill_from_string(c, Space::User),
    "bpf_probe_read_kernel_str_dynptr" => |c| fill_from_string(c, Space::Kernel),
    "bpf_copy_from_user_dynptr" => |c| fill_from(c, Space::User),
    "bpf_copy_from_user_str_dynptr" => |c| fill_from_string(c, Space::User),
    "bpf_copy_from_user_task_dynptr" => |c| {
        crate::probe::current_task(c, 5)?;
        fill_from(c, Space::User)
    },
    "bpf_copy_from_user_task_str_dynptr" => |c| {
        crate::probe::current_task(c, 5)?;
        fill_from_string(c, Space::User)
    },
}

/// `DYNPTR_MAX_SIZE`.
const SIZE_MAX: u32 = (1 << 24) - 1;
const KIND_SHIFT: u32 = 28;
const KIND_MASK: u32 = 7;
const READ_ONLY: u32 = 1 << 31;

/// What a dynptr shows (`enum bpf_dynptr_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Local = 1,
    Ringbuf = 2,
    Skb = 3,
    Xdp = 4,
    SkbMeta = 5,
}

impl Kind {
    fn of(number: u32) -> Option<Kind> {
        [Kind::Local, Kind::Ringbuf, Kind::Skb, Kind::Xdp, Kind::SkbMeta].into_iter().find(|kind| *kind as u32 == number)
    }
}

/// A dynptr as it lies in memory; one without data is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dynptr {
    pub(crate) kind: Kind,
    /// Address of the bytes, or of the context whose packet it shows.
    pub(crate) data: u64,
    pub(crate) size: u32,
    pub(crate) offset: u32,
    pub(crate) read_only: bool,
}

impl Dynptr {
    pub(crate) const NULL: Dynptr = Dynptr { kind: Kind::Local, data: 0, size: 0, offset: 0, read_only: false };

    pub(crate) fn new(kind: Kind, data: u64, size: u32) -> Dynptr {
        Dynptr { kind, data, size, ..Dynptr::NULL }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.data == 0
    }

    /// The dynptr that argument `n` points to.
    pub(crate) fn load(c: &mut Call<'_>, n: usize) -> Result<Dynptr, Fail> {
        let (data, word, offset) = (c.load(n, 0, 8)?, c.load(n, 8, 4)? as u32, c.load(n, 12, 4)? as u32);
        if data == 0 {
            return Ok(Dynptr::NULL);
        }
        let kind = Kind::of(word >> KIND_SHIFT & KIND_MASK).ok_or_else(|| c.bad(n, "not a dynptr"))?;
        Ok(Dynptr { kind, data, size: word & SIZE_MAX, offset, read_only: word & READ_ONLY != 0 })
    }

    /// The 16 bytes that it is in memory.
    pub(crate) fn bytes(&self) -> [u8; 16] {
        let kind = if self.is_null() { 0 } else { (self.kind as u32) << KIND_SHIFT };
        let word = self.size | kind | if self.read_only { READ_ONLY } else { 0 };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.data.to_le_bytes());
        bytes[8..12].copy_from_slice(&word.to_le_bytes());
        bytes[12..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    pub(crate) fn store(&self, c: &mut Call<'_>, n: usize) -> Result<(), Fail> {
        c.write(n, &self.bytes())
    }

    /// `E2BIG` unless `len` bytes from `offset` lie in it.
    fn check(&self, offset: u32, len: u32) -> Result<(), Errno> {
        if len > self.size || offset > self.size - len { Err(Errno::E2BIG) } else { Ok(()) }
    }

    /// Address of `len` bytes from `offset`, if they lie in one piece.
    fn piece(&self, c: &mut Call<'_>, offset: u32, len: u32) -> Result<Option<u64>, Fail> {
        let from = u64::from(self.offset) + u64::from(offset);
        match self.kind {
            Kind::Local | Kind::Ringbuf => Ok(Some(self.data.wrapping_add(from))),
            Kind::SkbMeta => {
                let packet = self.packet(c)?;
                Ok(Some(packet.block.addr() + packet.meta as u64 + from))
            }
            Kind::Skb | Kind::Xdp => {
                let packet = self.packet(c)?;
                let linear = (packet.linear_end - packet.data) as u64;
                Ok((from + u64::from(len) <= linear).then(|| packet.addr() + from))
            }
        }
    }

    /// The packet it shows.
    fn packet<'c>(&self, c: &'c mut Call<'_>) -> Result<&'c Packet, Fail> {
        let bad = c.bad(1, "a dynptr of a packet that is not there");
        let context = c.parts().context;
        if context.block.addr() != self.data {
            return Err(bad);
        }
        context.packet.as_ref().ok_or(bad)
    }

    /// A copy of `len` bytes, in one piece or not.
    pub(crate) fn read(&self, c: &mut Call<'_>, offset: u32, len: u32) -> Result<Vec<u8>, Fail> {
        match self.piece(c, offset, len)? {
            Some(addr) => c.memory().bytes(addr, len.into()).map_err(|fault| c.bad(1, fault)),
            None => {
                let from = (self.offset + offset) as usize;
                let packet = self.packet(c)?;
                let inside = packet.data + from + len as usize <= packet.end;
                if inside { Ok(packet.block.bytes(packet.data + from, len as usize)) } else { Err(Errno::EFAULT.into()) }
            }
        }
    }

    /// Writes bytes, in one piece or not.
    pub(crate) fn write(&self, c: &mut Call<'_>, offset: u32, bytes: &[u8]) -> Result<(), Fail> {
        match self.piece(c, offset, bytes.len() as u32)? {
            Some(addr) => c.memory().write(addr, bytes).map_err(|fault| c.bad(1, fault)),
            None => {
                let from = (self.offset + offset) as usize;
                let packet = self.packet(c)?;
                if packet.data + from + bytes.len() > packet.end {
                    return Err(Errno::EFAULT.into());
                }
                packet.block.write(packet.data + from, bytes);
                Ok(())
            }
        }
    }
}

/// `(data, size, flags, ptr)`.
fn from_mem(c: &mut Call<'_>) -> Done {
    let (at, size, flags) = (c.arg(1), c.arg32(2), c.arg(3));
    Dynptr::NULL.store(c, 4)?;
    if size > SIZE_MAX {
        return Err(Errno::E2BIG.into());
    }
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    Dynptr::new(Kind::Local, at, size).store(c, 4)?;
    Ok(0)
}

/// `(ctx, flags, ptr)`: the packet. Programs that may not write packets in place get it read-only.
fn from_packet(c: &mut Call<'_>, kind: Kind) -> Done {
    Dynptr::NULL.store(c, 3)?;
    if c.arg(2) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let prog_type = c.machine.program().prog_type;
    let read_only = !skep_linux::programs::program(prog_type).is_some_and(|row| row.packet_write);
    let context = buffer_context(c)?;
    let (data, len) = (context.block.addr(), context.packet.as_ref().map(|packet| packet.len()));
    let len = len.ok_or_else(|| c.bad(1, "a context without a packet"))?;
    Dynptr { read_only, ..Dynptr::new(kind, data, len as u32 & SIZE_MAX) }.store(c, 3)?;
    Ok(0)
}

/// Argument 1 as the context of a packet: the context itself, or the `struct sk_buff` that it has a pointer to (netfilter).
fn buffer_context<'a>(c: &'a mut Call<'_>) -> Result<&'a mut Context, Fail> {
    let addr = c.arg(1);
    let pointed = c.machine.parts().context.pointers.iter().any(|(name, to)| *name == "skb" && *to == addr);
    match pointed {
        true => Ok(c.machine.parts().context),
        false => c.context(1),
    }
}

/// `(skb, flags, ptr)`: the metadata before the packet.
fn from_skb_meta(c: &mut Call<'_>) -> Done {
    Dynptr::NULL.store(c, 3)?;
    if c.arg(2) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let context = c.context(1)?;
    let (data, len) = (context.block.addr(), context.packet.as_ref().map_or(0, |packet| packet.data - packet.meta));
    Dynptr::new(Kind::SkbMeta, data, len as u32).store(c, 3)?;
    Ok(0)
}

/// `(dst, len, src, offset, flags)`.
fn read_helper(c: &mut Call<'_>) -> Done {
    let (len, offset, flags) = (c.arg32(2), c.arg32(4), c.arg(5));
    let dynptr = Dynptr::load(c, 3)?;
    let bytes = checked_read(c, &dynptr, offset, len, flags)?;
    c.write(1, &bytes)?;
    Ok(0)
}

fn checked_read(c: &mut Call<'_>, dynptr: &Dynptr, offset: u32, len: u32, flags: u64) -> Result<Vec<u8>, Fail> {
    if dynptr.is_null() || flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    dynptr.check(offset, len)?;
    dynptr.read(c, offset, len)
}

/// `(dst, offset, src, len, flags)`.
fn write_helper(c: &mut Call<'_>) -> Done {
    let (offset, len, flags) = (c.arg32(2), c.arg32(4), c.arg(5));
    let dynptr = Dynptr::load(c, 1)?;
    let bytes = c.bytes(3, len.into())?;
    checked_write(c, &dynptr, offset, &bytes, flags)?;
    Ok(0)
}

fn checked_write(c: &mut Call<'_>, dynptr: &Dynptr, offset: u32, bytes: &[u8], flags: u64) -> Result<(), Fail> {
    /// `BPF_F_RECOMPUTE_CSUM` and `BPF_F_INVALIDATE_HASH`: packets of the world carry neither sum nor hash.
    const SKB_FLAGS: u64 = 3;
    if dynptr.is_null() || dynptr.read_only {
        return Err(Errno::EINVAL.into());
    }
    dynptr.check(offset, bytes.len() as u32)?;
    let known = if dynptr.kind == Kind::Skb { SKB_FLAGS } else { 0 };
    if flags & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    dynptr.write(c, offset, bytes)
}

/// `(ptr, offset, len)`: an address of bytes that may be written; NULL also for packets.
fn data(c: &mut Call<'_>) -> Done {
    let (offset, len) = (c.arg32(2), c.arg32(3));
    let dynptr = Dynptr::load(c, 1)?;
    if dynptr.is_null() || dynptr.check(offset, len).is_err() || dynptr.read_only {
        return Ok(0);
    }
    match dynptr.kind {
        Kind::Local | Kind::Ringbuf => Ok(dynptr.data + u64::from(dynptr.offset) + u64::from(offset)),
        Kind::Skb | Kind::Xdp | Kind::SkbMeta => Ok(0),
    }
}

/// `(ptr, offset, buffer, size)`: an address of `size` bytes, in the buffer where they do not lie in one piece; NULL if there are not so
/// many.
fn slice(c: &mut Call<'_>, writable: bool) -> Done {
    let (offset, buffer, len) = (c.arg32(2), c.arg(3), c.arg32(4));
    let dynptr = Dynptr::load(c, 1)?;
    if dynptr.is_null() || (writable && dynptr.read_only) || dynptr.check(offset, len).is_err() {
        return Ok(0);
    }
    if let Some(addr) = dynptr.piece(c, offset, len)? {
        return Ok(addr);
    }
    if buffer == 0 {
        return Ok(0);
    }
    let bytes = dynptr.read(c, offset, len)?;
    c.write(3, &bytes)?;
    Ok(buffer)
}

/// `(ptr, start, end)`.
fn adjust(c: &mut Call<'_>) -> Done {
    let (start, end) = (c.arg32(2), c.arg32(3));
    let dynptr = Dynptr::load(c, 1)?;
    if dynptr.is_null() || start > end {
        return Err(Errno::EINVAL.into());
    }
    if end > dynptr.size {
        return Err(Errno::ERANGE.into());
    }
    let smaller = Dynptr { offset: dynptr.offset + start, size: end - start, ..dynptr };
    smaller.store(c, 1)?;
    Ok(0)
}

/// `(ptr, clone)`.
fn clone(c: &mut Call<'_>) -> Done {
    let dynptr = Dynptr::load(c, 1)?;
    dynptr.store(c, 2)?;
    if dynptr.is_null() { Err(Errno::EINVAL.into()) } else { Ok(0) }
}

/// Whether `len` bytes from `offset` can be reached in one piece, to be written or read.
fn in_one_piece(c: &mut Call<'_>, dynptr: &Dynptr, offset: u32, len: u32, writable: bool) -> Result<bool, Fail> {
    let refused = dynptr.is_null() || (writable && dynptr.read_only);
    let there = !refused && dynptr.check(offset, len).is_ok();
    Ok(there && dynptr.piece(c, offset, len)?.is_some())
}

/// `(dst, dst_off, src, src_off, size)`.
fn copy(c: &mut Call<'_>) -> Done {
    let (to, from, size) = (c.arg32(2), c.arg32(4), c.arg32(5));
    let (dst, src) = (Dynptr::load(c, 1)?, Dynptr::load(c, 3)?);
    // Where neither side is one piece, lengths are tested before permissions.
    if !in_one_piece(c, &src, from, size, false)? && !in_one_piece(c, &dst, to, size, true)? {
        dst.check(to, size)?;
        src.check(from, size)?;
        if size == 0 {
            return Ok(0);
        }
    }
    let bytes = checked_read(c, &src, from, size, 0)?;
    checked_write(c, &dst, to, &bytes, 0)?;
    Ok(0)
}

/// `(ptr, offset, size, val)`.
fn memset(c: &mut Call<'_>) -> Done {
    let (offset, size, value) = (c.arg32(2), c.arg32(3), c.arg(4) as u8);
    let dynptr = Dynptr::load(c, 1)?;
    if dynptr.read_only {
        return Err(Errno::EINVAL.into());
    }
    dynptr.check(offset, size)?;
    if size > 0 {
        checked_write(c, &dynptr, offset, &vec![value; size as usize], 0)?;
    }
    Ok(0)
}

/// `(ptr, off, size, unsafe_ptr)`.
fn fill_from(c: &mut Call<'_>, space: Space) -> Done {
    let (offset, size, from) = (c.arg32(2), c.arg32(3), c.arg(4));
    let dynptr = Dynptr::load(c, 1)?;
    if !in_one_piece(c, &dynptr, offset, size, true)? {
        dynptr.check(offset, size)?;
        if size == 0 {
            return Ok(0);
        }
    }
    let bytes = raw::bytes(c.memory(), space, from, size.into()).ok_or(raw::refusal(space, from))?;
    checked_write(c, &dynptr, offset, &bytes, 0)?;
    Ok(0)
}

/// `(ptr, off, size, unsafe_ptr)`: the length with the NUL.
fn fill_from_string(c: &mut Call<'_>, space: Space) -> Done {
    let (offset, size, from) = (c.arg32(2), c.arg32(3), c.arg(4));
    if size == 0 {
        return Ok(0);
    }
    let dynptr = Dynptr::load(c, 1)?;
    if !in_one_piece(c, &dynptr, offset, size, true)? {
        dynptr.check(offset, size)?;
    }
    let (mut text, _) = raw::string(c.memory(), space, from, u64::from(size) - 1).ok_or(raw::refusal(space, from))?;
    text.push(0);
    checked_write(c, &dynptr, offset, &text, 0)?;
    Ok(text.len() as u64)
}
