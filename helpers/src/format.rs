//! The format strings of `bpf_trace_printk` and kin: which ones the kernel takes, and what they print.
//!
//! A format is read twice, as in the kernel: [`prepare`] refuses what is not allowed and collects the arguments, strings and addresses
//! among them copied; [`Prepared::print`] writes the text.

mod number;
mod pointer;

use skep_linux::Errno;
use skep_memory::Memory;
use skep_world::Symbols;

use crate::raw::{self, Space};
pub(crate) use number::{Spec, number};
pub(crate) use pointer::hash;

/// Bytes for the arguments of one call, strings included.
const ARG_BYTES: usize = 512;

/// What formats refer to.
pub(crate) struct Sources<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) symbols: &'a Symbols,
}

/// A format that was found good, cut into what it prints.
pub(crate) struct Prepared {
    pieces: Vec<Piece>,
}

enum Piece {
    Text(Vec<u8>),
    Char(Spec, u8),
    /// A string, padded to the width.
    Str(Spec, Vec<u8>),
    /// Text that is printed as it is, whatever the width says, and not at all behind the end of the buffer.
    Ready(Vec<u8>),
    Number(Spec, u64),
}

/// The characters that the kernel's `isspace` takes.
pub(crate) fn is_space(c: u8) -> bool {
    matches!(c, 9..=13 | b' ' | 0xa0)
}

fn is_end(c: u8) -> bool {
    c == 0 || is_space(c) || c.is_ascii_punctuation()
}

/// How much of the kernel's argument buffer is used.
struct Room {
    used: usize,
}

impl Room {
    fn number(&mut self, size: usize) -> Result<(), Errno> {
        self.used = self.used.next_multiple_of(4);
        self.bytes(size)
    }

    fn bytes(&mut self, size: usize) -> Result<(), Errno> {
        if self.left() < size {
            return Err(Errno::ENOSPC);
        }
        self.used += size;
        Ok(())
    }

    fn left(&self) -> usize {
        ARG_BYTES.saturating_sub(self.used)
    }
}

/// A scan of one format.
struct Scan<'a> {
    format: &'a [u8],
    at: usize,
    sources: &'a Sources<'a>,
    room: Room,
}

impl Scan<'_> {
    /// The byte `ahead` of the one the scan stands on; 0 behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.format.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Flags and width after a `%`.
    fn spec(&mut self) -> Spec {
        let mut spec = Spec::default();
        loop {
            match self.peek(0) {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut width = None;
        while self.peek(0).is_ascii_digit() {
            width = Some(width.unwrap_or(0i32).wrapping_mul(10).wrapping_add(i32::from(self.peek(0) - b'0')));
            self.at += 1;
        }
        spec.width = width;
        spec
    }

    /// One conversion; the scan stands after the `%` and its flags, and is left on the last character of it.
    fn conversion(&mut self, spec: Spec, arg: u64) -> Result<Piece, Errno> {
        match self.peek(0) {
            b'p' => self.pointer(spec, arg),
            b's' => self.string(spec, arg, Space::Either),
            b'c' => {
                self.room.bytes(1)?;
                Ok(Piece::Char(spec, arg as u8))
            }
            _ => self.integer(spec, arg),
        }
    }

    fn integer(&mut self, spec: Spec, arg: u64) -> Result<Piece, Errno> {
        let mut long = false;
        for _ in 0..2 {
            if self.peek(0) == b'l' {
                long = true;
                self.at += 1;
            }
        }
        let (signed, base, small) = match self.peek(0) {
            b'i' | b'd' => (true, 10, false),
            b'u' => (false, 10, false),
            b'x' => (false, 16, true),
            b'X' => (false, 16, false),
            _ => return Err(Errno::EINVAL),
        };
        self.room.number(if long { 8 } else { 4 })?;
        let value = match (long, signed) {
            (true, _) => arg,
            (false, true) => arg as i32 as u64,
            (false, false) => u64::from(arg as u32),
        };
        Ok(Piece::Number(Spec { signed, base, small, ..spec }, value))
    }

    fn string(&mut self, spec: Spec, arg: u64, space: Space) -> Result<Piece, Errno> {
        if !is_end(self.peek(1)) {
            return Err(Errno::EINVAL);
        }
        let left = self.room.left();
        if left == 0 {
            return Err(Errno::ENOSPC);
        }
        let mut text = raw::string(self.sources.memory, space, arg, left as u64).map(|(text, _)| text).unwrap_or_default();
        text.truncate(left - 1);
        self.room.bytes(text.len() + 1)?;
        Ok(Piece::Str(spec, text))
    }

    fn pointer(&mut self, spec: Spec, arg: u64) -> Result<Piece, Errno> {
        let next = self.peek(1);
        match (next, self.peek(2)) {
            (c, _) if is_end(c) => {
                self.room.number(8)?;
                Ok(pointer::hashed(spec, arg))
            }
            (b'k' | b'u', b's') => {
                let space = if next == b'k' { Space::Kernel } else { Space::User };
                self.at += 2;
                // Printed as it was copied: the width does not count.
                match self.string(spec, arg, space)? {
                    Piece::Str(_, text) => Ok(Piece::Ready(text)),
                    other => Ok(other),
                }
            }
            (b'K' | b'x' | b's' | b'S', _) => {
                self.at += 1;
                self.room.number(8)?;
                Ok(match next {
                    b'K' => pointer::hashed(spec, arg),
                    b'x' => pointer::plain(spec, arg),
                    b's' => Piece::Str(spec, pointer::symbol(self.sources.symbols, arg, false)),
                    _ => Piece::Str(spec, pointer::symbol(self.sources.symbols, arg, true)),
                })
            }
            (b'B', _) => {
                self.at += 1;
                let text = pointer::backtrace(self.sources.symbols, arg);
                self.room.bytes((text.len() + 1).min(self.room.left()))?;
                Ok(Piece::Ready(text))
            }
            (b'i' | b'I', b'4' | b'6') => {
                let four = self.peek(2) == b'4';
                self.at += 2;
                let size = if four { 4 } else { 16 };
                if self.room.left() < size {
                    return Err(Errno::ENOSPC);
                }
                let mut addr = [0; 16];
                if !raw::read(self.sources.memory, Space::Kernel, arg, &mut addr[..size]) {
                    addr = [0; 16];
                }
                let text = if four { pointer::ip4(&addr, next == b'i') } else { pointer::ip6(&addr, next == b'i') };
                self.room.bytes((text.len() + 1).min(self.room.left()))?;
                Ok(Piece::Ready(text))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Reads a format that must have a NUL, with the arguments.
///
/// # Errors
/// `EINVAL` for what the kernel does not take: no NUL, control characters, conversions it does not know, more conversions than
/// arguments. `ENOSPC` if the arguments need more room than it has.
pub(crate) fn prepare(format: &[u8], args: &[u64], sources: &Sources<'_>) -> Result<Prepared, Errno> {
    let end = format.iter().position(|c| *c == 0).ok_or(Errno::EINVAL)?;
    let mut scan = Scan { format: &format[..end], at: 0, sources, room: Room { used: 0 } };
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut args = args.iter();
    while scan.at < end {
        let c = scan.peek(0);
        if c.is_ascii() && !(b' '..=b'~').contains(&c) && !is_space(c) {
            return Err(Errno::EINVAL);
        }
        if c != b'%' {
            text.push(c);
        } else if scan.peek(1) == b'%' {
            text.push(c);
            scan.at += 1;
        } else {
            let arg = *args.next().ok_or(Errno::EINVAL)?;
            scan.at += 1;
            if !scan.peek(0).is_ascii() {
                return Err(Errno::EINVAL);
            }
            let spec = scan.spec();
            let piece = scan.conversion(spec, arg)?;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(piece);
        }
        scan.at += 1;
    }
    pieces.push(Piece::Text(text));
    Ok(Prepared { pieces })
}

impl Prepared {
    /// The text as far as it fits into `size` bytes with its NUL (which is not in the result), and the length it would have.
    pub(crate) fn print(&self, size: usize) -> (Vec<u8>, usize) {
        let mut out = Sink { bytes: Vec::new(), room: size, len: 0 };
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.put(text),
                Piece::Number(spec, value) => out.put(&number(*spec, *value)),
                Piece::Char(spec, c) => out.padded(spec, &[*c]),
                Piece::Str(spec, text) => out.padded(spec, text),
                Piece::Ready(text) => {
                    if out.len < size {
                        out.put(text);
                    }
                }
            }
        }
        out.bytes.truncate(size.saturating_sub(1));
        (out.bytes, out.len)
    }
}

/// Collects text up to a size, and counts what would have been beyond it.
struct Sink {
    bytes: Vec<u8>,
    room: usize,
    len: usize,
}

impl Sink {
    fn put(&mut self, text: &[u8]) {
        let fits = self.room.saturating_sub(self.bytes.len()).min(text.len());
        self.bytes.extend(&text[..fits]);
        self.len += text.len();
    }

    fn spaces(&mut self, count: usize) {
        let fits = self.room.saturating_sub(self.bytes.len()).min(count);
        self.bytes.resize(self.bytes.len() + fits, b' ');
        self.len += count;
    }

    fn padded(&mut self, spec: &Spec, text: &[u8]) {
        let width = spec.field_width();
        let pad = usize::try_from(width).unwrap_or(0).saturating_sub(text.len());
        if spec.left {
            self.put(text);
            self.spaces(pad);
        } else {
            self.spaces(pad);
            self.put(text);
        }
    }
}
