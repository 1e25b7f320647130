//! Bodies: text.

use skep_linux::Errno;

use crate::call::{Call, Done, Fail, helpers};
use crate::format::{Prepared, Sources, prepare};

helpers! {
    6 "bpf_trace_printk" => trace_printk,
    126 "bpf_seq_printf" => seq_printf,
    127 "bpf_seq_write" => seq_write,
    165 "bpf_snprintf" => snprintf,
    177 "bpf_trace_vprintk" => trace_vprintk,
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
