//! Bodies: strings.

use skep_linux::Errno;

use crate::call::{Call, Done, Fail, helpers, int, kfuncs};
use crate::format::is_space;
use crate::print::const_string;
use crate::raw::{self, Space};

helpers! {
    105 "bpf_strtol" => strtol,
    106 "bpf_strtoul" => strtoul,
    182 "bpf_strncmp" => strncmp,
}

kfuncs! {
    "bpf_strcmp" => |c| compare(c, false),
    "bpf_strcasecmp" => |c| compare(c, true),
    "bpf_strchr" => |c| find(c, u64::from(MAX), c.arg(2) as u8),
    "bpf_strnchr" => |c| find(c, c.arg(2), c.arg(3) as u8),
    "bpf_strchrnul" => strchrnul,
    "bpf_strrchr" => strrchr,
    "bpf_strlen" => |c| length(c, u64::from(MAX)),
    "bpf_strnlen" => |c| length(c, c.arg(2)),
    "bpf_strspn" => |c| span(c, true),
    "bpf_strcspn" => |c| span(c, false),
    "bpf_strstr" => |c| search(c, u64::from(MAX)),
    "bpf_strnstr" => |c| search(c, c.arg(3)),
}

/// Longest string that the kfuncs look at, in bytes.
const MAX: u32 = 65536;
/// Digits that a number may have, with sign, prefix and what follows it.
const MAX_NUMBER: usize = 63;

/// A number in text: sign, magnitude and the bytes that were read.
fn parse(text: &[u8], flags: u64) -> Result<(bool, u64, u64), Errno> {
    const BASE_MASK: u64 = 0x1f;
    let base = flags & BASE_MASK;
    if text.is_empty() || !matches!(base, 0 | 8 | 10 | 16) || flags & !BASE_MASK != 0 {
        return Err(Errno::EINVAL);
    }
    let blanks = text.iter().take_while(|c| is_space(**c)).count();
    let negative = text.get(blanks) == Some(&b'-');
    let start = blanks + usize::from(negative);
    let digits = &text[start..];
    let digits = &digits[..digits.len().min(MAX_NUMBER)];
    if digits.is_empty() {
        return Err(Errno::EINVAL);
    }
    let prefixed = digits.len() >= 2 && digits[0] == b'0' && digits[1].eq_ignore_ascii_case(&b'x');
    let base = match base {
        0 if prefixed && digits.get(2).is_some_and(u8::is_ascii_hexdigit) => 16,
        0 if digits[0] == b'0' => 8,
        0 => 10,
        base => base,
    };
    let skip = if base == 16 && prefixed { 2 } else { 0 };
    let (mut value, mut count, mut overflow) = (0u64, 0, false);
    for c in &digits[skip..] {
        let Some(digit) = char::from(*c).to_digit(base as u32) else {
            break;
        };
        (value, overflow) = match value.checked_mul(base).and_then(|v| v.checked_add(u64::from(digit))) {
            Some(value) => (value, overflow),
            None => (value.wrapping_mul(base).wrapping_add(u64::from(digit)), true),
        };
        count += 1;
    }
    if overflow {
        return Err(Errno::ERANGE);
    }
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    Ok((negative, value, (start + skip + count) as u64))
}

/// `(buf, buf_len, flags, res)`: the bytes that were read.
fn strtol(c: &mut Call<'_>) -> Done {
    c.store(4, 0, 8, 0)?;
    let text = c.bytes(1, c.arg(2))?;
    let (negative, magnitude, consumed) = parse(&text, c.arg(3))?;
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    let fits = if negative { value as i64 <= 0 } else { value as i64 >= 0 };
    if !fits {
        return Err(Errno::ERANGE.into());
    }
    c.store(4, 0, 8, value)?;
    Ok(consumed)
}

/// `(buf, buf_len, flags, res)`: the bytes that were read.
fn strtoul(c: &mut Call<'_>) -> Done {
    c.store(4, 0, 8, 0)?;
    let text = c.bytes(1, c.arg(2))?;
    let (negative, value, consumed) = parse(&text, c.arg(3))?;
    if negative {
        return Err(Errno::EINVAL.into());
    }
    c.store(4, 0, 8, value)?;
    Ok(consumed)
}

/// `(s1, s1_sz, s2)`: -1, 0 or 1.
fn strncmp(c: &mut Call<'_>) -> Done {
    let one = c.bytes(1, u64::from(c.arg32(2)))?;
    let two = const_string(c, 3)?;
    for (a, b) in one.iter().zip(&two) {
        if a != b {
            return Ok(if a < b { u64::MAX } else { 1 });
        }
        if *a == 0 {
            break;
        }
    }
    Ok(0)
}

/// A string of the kernel, read as it is needed.
struct Text {
    addr: u64,
    bytes: Vec<u8>,
}

impl Text {
    /// The string that argument `n` points to. Addresses that are not the kernel's are out of range, whether mapped or not.
    fn new(c: &mut Call<'_>, n: usize) -> Result<Text, Fail> {
        const USER_END: u64 = 1 << 47;
        let addr = c.arg(n);
        let known = c.memory().find(addr).map(|r| r.kind != skep_memory::RegionKind::User);
        // Guest addresses are host addresses, so an address of the lower half is the kernel's if something of the kernel is there.
        match known {
            Some(true) => Ok(Text { addr, bytes: Vec::new() }),
            Some(false) => Err(Errno::ERANGE.into()),
            None if addr < USER_END => Err(Errno::ERANGE.into()),
            None => Err(Errno::EFAULT.into()),
        }
    }

    /// The byte at an index.
    fn at(&mut self, c: &mut Call<'_>, index: u32) -> Result<u8, Fail> {
        let index = index as usize;
        if index >= self.bytes.len() {
            let from = self.addr.wrapping_add(self.bytes.len() as u64);
            let mut len = 64.max(index + 1 - self.bytes.len());
            let more = loop {
                match raw::bytes(c.memory(), Space::Kernel, from, len as u64) {
                    Some(more) => break more,
                    None if len > index + 1 - self.bytes.len() => len = index + 1 - self.bytes.len(),
                    None => return Err(Errno::EFAULT.into()),
                }
            };
            self.bytes.extend(more);
        }
        Ok(self.bytes[index])
    }
}

fn none() -> Fail {
    Errno::ENOENT.into()
}

fn too_long() -> Fail {
    Errno::E2BIG.into()
}

/// `(s1, s2)`: -1, 0 or 1.
fn compare(c: &mut Call<'_>, ignore_case: bool) -> Done {
    let (mut one, mut two) = (Text::new(c, 1)?, Text::new(c, 2)?);
    for i in 0..MAX {
        let (mut a, mut b) = (one.at(c, i)?, two.at(c, i)?);
        if ignore_case {
            (a, b) = (lower(a), lower(b));
        }
        // The kernel compares signed characters.
        match (a as i8).cmp(&(b as i8)) {
            std::cmp::Ordering::Less => return Ok(int(-1)),
            std::cmp::Ordering::Greater => return Ok(int(1)),
            std::cmp::Ordering::Equal if a == 0 => return Ok(0),
            std::cmp::Ordering::Equal => {}
        }
    }
    Err(too_long())
}

/// The kernel's `tolower`, which knows Latin-1.
fn lower(c: u8) -> u8 {
    match c {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => c + 32,
        _ => c,
    }
}

/// The index of the first `wanted` among at most `count` bytes.
fn find(c: &mut Call<'_>, count: u64, wanted: u8) -> Done {
    let mut text = Text::new(c, 1)?;
    for i in 0..count.min(u64::from(MAX)) as u32 {
        let byte = text.at(c, i)?;
        if byte == wanted {
            return Ok(u64::from(i));
        }
        if byte == 0 {
            return Err(none());
        }
    }
    Err(if count >= u64::from(MAX) { too_long() } else { none() })
}

/// `(s, c)`: the index of the character or of the NUL.
fn strchrnul(c: &mut Call<'_>) -> Done {
    let wanted = c.arg(2) as u8;
    let mut text = Text::new(c, 1)?;
    for i in 0..MAX {
        let byte = text.at(c, i)?;
        if byte == wanted || byte == 0 {
            return Ok(u64::from(i));
        }
    }
    Err(too_long())
}

/// `(s, c)`: the index of the last one.
fn strrchr(c: &mut Call<'_>) -> Done {
    let wanted = c.arg(2) as u8;
    let mut text = Text::new(c, 1)?;
    let mut last = None;
    for i in 0..MAX {
        let byte = text.at(c, i)?;
        if byte == wanted {
            last = Some(i);
        }
        if byte == 0 {
            return last.map(u64::from).ok_or_else(none);
        }
    }
    Err(too_long())
}

/// The length of a string, at most `count`.
fn length(c: &mut Call<'_>, count: u64) -> Done {
    let mut text = Text::new(c, 1)?;
    for i in 0..count.min(u64::from(MAX)) as u32 {
        if text.at(c, i)? == 0 {
            return Ok(u64::from(i));
        }
    }
    if count >= u64::from(MAX) { Err(too_long()) } else { Ok(count) }
}

/// `(s, set)`: how many bytes at the beginning are in the set, or are not.
fn span(c: &mut Call<'_>, inside: bool) -> Done {
    let (mut text, mut set) = (Text::new(c, 1)?, Text::new(c, 2)?);
    for i in 0..MAX {
        let byte = text.at(c, i)?;
        if byte == 0 {
            return Ok(u64::from(i));
        }
        let mut found = None;
        for j in 0..MAX {
            let member = set.at(c, j)?;
            if member == byte || member == 0 {
                found = Some(member == byte);
                break;
            }
        }
        match found {
            None => return Err(too_long()),
            Some(found) if found != inside => return Ok(u64::from(i)),
            Some(_) => {}
        }
    }
    Err(too_long())
}

/// `(s1, s2, ...)`: where `s2` begins in the first `len` bytes of `s1`.
fn search(c: &mut Call<'_>, len: u64) -> Done {
    let (mut text, mut wanted) = (Text::new(c, 1)?, Text::new(c, 2)?);
    for i in 0..MAX {
        let mut j = 0;
        while u64::from(i) + u64::from(j) <= len && j < MAX {
            let b = wanted.at(c, j)?;
            if b == 0 {
                return Ok(u64::from(i));
            }
            if u64::from(i) + u64::from(j) == len {
                break;
            }
            let a = text.at(c, i + j)?;
            if a == 0 {
                return Err(none());
            }
            if a != b {
                break;
            }
            j += 1;
        }
        if j == MAX {
            return Err(too_long());
        }
        if u64::from(i) + u64::from(j) == len {
            return Err(none());
        }
    }
    Err(too_long())
}
