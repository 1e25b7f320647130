//! Bodies: text.

use skep_btf::TypeId;
use skep_linux::Errno;

use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::format::{Prepared, Sources, prepare};
use crate::raw::{self, Space};
use crate::show;

helpers! {
    6 "bpf_trace_printk" => trace_printk,
    126 "bpf_seq_printf" => seq_printf,
    127 "bpf_seq_write" => seq_write,
    149 "bpf_snprintf_btf" => snprintf_btf,
    150 "bpf_seq_printf_btf" => seq_printf_btf,
    165 "bpf_snprintf" => snprintf,
    177 "bpf_trace_vprintk" => trace_vprintk,
}

kfuncs! {
    "bpf_stream_vprintk_impl" => stream_vprintk,
}

/// Bytes that a line may have, with its NUL.
const LINE: usize = 1024;
/// Most arguments in an array.
const MAX_ARGS: u64 = 12;
/// Bytes that an iterator program may write in one run.
const SEQ_BYTES: usize = 32768;

fn prepare_in(c: &mut Call<'_>, format: &[u8], args: &[u64]) -> Result<Prepared, Errno> {
    let parts = c.parts();
    prepare(format, args, &Sources { memory: parts.memory, symbols: &parts.world.symbols })
}

/// The arguments in the array of `len` bytes that argument `n` points to.
fn varargs(c: &mut Call<'_>, n: usize, len: u64) -> Result<Vec<u64>, Fail> {
    if !len.is_multiple_of(8) || len > MAX_ARGS * 8 || (len != 0 && c.arg(n) == 0) {
        return Err(Errno::EINVAL.into());
    }
    let bytes = c.bytes(n, len)?;
    Ok(bytes.chunks_exact(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect())
}

/// Puts a line into the trace, and says its length.
fn trace(c: &mut Call<'_>, format: &[u8], args: &[u64]) -> Done {
    let (text, len) = prepare_in(c, format, args)?.print(LINE);
    let line = String::from_utf8_lossy(&text);
    let line = line.strip_suffix('\n').unwrap_or(&line).to_owned();
    c.world().output.printk.push(line);
    Ok(len as u64)
}

/// `(fmt, fmt_size, arg1, arg2, arg3)`.
fn trace_printk(c: &mut Call<'_>) -> Done {
    let format = c.bytes(1, u64::from(c.arg32(2)))?;
    let args = [c.arg(3), c.arg(4), c.arg(5)];
    trace(c, &format, &args)
}

/// `(fmt, fmt_size, args, data_len)`.
fn trace_vprintk(c: &mut Call<'_>) -> Done {
    let args = varargs(c, 3, u64::from(c.arg32(4)))?;
    let format = c.bytes(1, u64::from(c.arg32(2)))?;
    trace(c, &format, &args)
}

/// The string in a read-only map that argument `n` points to, with its NUL.
pub(crate) fn const_string(c: &mut Call<'_>, n: usize) -> Result<Vec<u8>, Fail> {
    let addr = c.arg(n);
    let read = c.memory().c_string(addr, u64::from(u32::MAX));
    match read {
        Ok((mut text, true)) => {
            text.push(0);
            Ok(text)
        }
        Ok((_, false)) => Err(c.bad(n, "a string without a NUL")),
        Err(fault) => Err(c.bad(n, fault)),
    }
}

/// `(str, str_size, fmt, args, data_len)`: the length with the NUL, had there been room.
fn snprintf(c: &mut Call<'_>) -> Done {
    let size = c.arg32(2) as usize;
    let args = varargs(c, 4, u64::from(c.arg32(5)))?;
    let format = const_string(c, 3)?;
    let (mut text, len) = prepare_in(c, &format, &args)?.print(size);
    if size > 0 {
        text.push(0);
        c.write(1, &text)?;
    }
    Ok(len as u64 + 1)
}

/// Appends to what the iterator writes. Text that does not fit is kept as far as it fits.
pub(crate) fn append(c: &mut Call<'_>, text: &[u8]) -> Done {
    let seq = &mut c.world().output.seq;
    let left = SEQ_BYTES.saturating_sub(seq.len());
    if text.len() >= left {
        return Err(Errno::EOVERFLOW.into());
    }
    seq.extend(text);
    Ok(0)
}

/// `(m, fmt, fmt_size, data, data_len)`.
fn seq_printf(c: &mut Call<'_>) -> Done {
    let args = varargs(c, 4, u64::from(c.arg32(5)))?;
    let format = c.bytes(2, u64::from(c.arg32(3)))?;
    let (text, _) = prepare_in(c, &format, &args)?.print(SEQ_BYTES);
    append(c, &text)
}

/// `(m, data, len)`.
fn seq_write(c: &mut Call<'_>) -> Done {
    let text = c.bytes(2, u64::from(c.arg32(3)))?;
    append(c, &text)
}

/// The object that the `struct btf_ptr` at argument `n` names, as text of at most `room` bytes; its size is argument `n + 1`, the flags are
/// argument `n + 2`.
fn object_text(c: &mut Call<'_>, n: usize, room: usize) -> Result<show::Text, Fail> {
    /// `sizeof(struct btf_ptr)`.
    const SIZE: u32 = 16;
    let (size, flags) = (c.arg32(n + 1), c.arg(n + 2));
    if flags & !show::FLAGS != 0 || size != SIZE {
        return Err(Errno::EINVAL.into());
    }
    let (addr, id) = (c.load(n, 0, 8)?, TypeId(c.load(n, 8, 4)? as u32));
    if id.is_void() {
        return Err(Errno::EINVAL.into());
    }
    let btf = c.world().target.btf().cloned().ok_or_else(|| c.not_simulated("types of a target without BTF"))?;
    let size = btf.size_of(id).map_err(|error| c.bad(n, error))?;
    let data = raw::bytes(c.memory(), Space::Kernel, addr, size.into()).ok_or(Errno::EFAULT)?;
    show::show(&btf, id, &data, flags, room).map_err(|kind| c.not_simulated(format_args!("a type of kind {}", kind.0.name())))
}

/// `(str, str_size, ptr, btf_ptr_size, flags)`: the length without the NUL, had there been room.
fn snprintf_btf(c: &mut Call<'_>) -> Done {
    let size = c.arg32(2) as usize;
    let mut text = object_text(c, 3, size.saturating_sub(1))?;
    if size > 0 {
        text.bytes.push(0);
        c.write(1, &text.bytes)?;
    }
    Ok(text.len as u64)
}

/// `(m, ptr, btf_ptr_size, flags)`.
fn seq_printf_btf(c: &mut Call<'_>) -> Done {
    let text = object_text(c, 2, SEQ_BYTES)?;
    append(c, &text.bytes)
}

/// `(stream_id, fmt, args, len, aux)`.
fn stream_vprintk(c: &mut Call<'_>) -> Done {
    /// What a stream holds until somebody reads it.
    const CAPACITY: usize = 100_000;
    const STREAMS: std::ops::RangeInclusive<u32> = 1..=2;
    let id = c.arg32(1);
    if !STREAMS.contains(&id) {
        return Err(Errno::ENOENT.into());
    }
    let args = varargs(c, 3, u64::from(c.arg32(4)))?;
    let format = const_string(c, 2)?;
    let (text, _) = prepare_in(c, &format, &args)?.print(LINE);
    let stream = c.world().output.streams.entry(id).or_default();
    if stream.len() + text.len() > CAPACITY {
        return Err(Errno::ENOSPC.into());
    }
    stream.extend(text);
    Ok(0)
}
