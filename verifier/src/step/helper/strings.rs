//! Constant strings, and formats among them.

use skep_isa::Reg as Name;
use skep_linux::flags::BPF_F_RDONLY_PROG;
use skep_linux::maps::DirectValue;
use skep_program::MapDef;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Kind, Reg};
use crate::why::Call;

use super::{Called, arg_name};

impl Walk<'_> {
    /// The argument points to a string in a map that never changes: its bytes, without the zero at the end.
    pub(in crate::step) fn constant_string(&mut self, name: Name, reg: &Reg) -> Result<Vec<u8>, Fault> {
        let number = name.number();
        let Kind::MapValue { map, .. } = reg.kind else { return Err(Fault::bug("a string in no map")) };
        let map = self.setting.map(map).ok_or_else(|| Fault::bug("a map that the program does not have"))?;
        if map.flags & BPF_F_RDONLY_PROG == 0 || !map.frozen {
            return Err(Call::StringNotReadOnly(number).into());
        }
        let Some(off) = reg.fixed_offset() else { return Err(Call::StringVariable(number).into()) };
        let row = skep_linux::map(map.map_type).ok_or_else(|| Fault::not_modelled(format!("maps of type {:?}", map.map_type)))?;
        if row.direct_value == DirectValue::None {
            return Err(Call::StringIndirect.into());
        }
        let size = i64::from(map.value_size) - i64::from(reg.off);
        let size = i32::try_from(size).map_err(|_| Fault::bug("a value of more than 2 GiB"))?;
        self.check_helper_memory(name, size, false, false, false, true)?;
        let off = usize::try_from(off).ok().filter(|off| *off < map.value_size as usize && map.max_entries == 1);
        let off = off.ok_or(Call::StringOutside)?;
        text_at(map, off).ok_or_else(|| Call::StringOpen.into())
    }

    /// The string in the arguments is a format for as many values as there is memory for.
    pub(super) fn check_format(&mut self, called: &Called) -> Result<(), Fault> {
        let args = called.proto.args;
        let string = args.iter().position(|arg| arg.kind == skep_linux::helpers::ArgKind::ConstStr);
        let (Some(string), Some(last)) = (string, args.len().checked_sub(1)) else {
            return Err(Fault::bug("a format without values"));
        };
        let bytes = self.state.reg(arg_name(last)).num.bits.value();
        if !bytes.is_multiple_of(8) {
            return Err(Call::FormatSize.into());
        }
        let name = arg_name(string);
        let reg = *self.state.reg(name);
        let text = self.constant_string(name, &reg)?;
        if is_format(&text, bytes / 8) { Ok(()) } else { Err(Call::Format.into()) }
    }
}

/// The bytes of the value from there up to the first zero.
fn text_at(map: &MapDef, off: usize) -> Option<Vec<u8>> {
    let size = map.value_size as usize;
    let initial = map.initial.as_deref().unwrap_or_default();
    let mut text = Vec::new();
    for at in off..size {
        match initial.get(at) {
            None | Some(0) => return Some(text),
            Some(byte) => text.push(*byte),
        }
    }
    None
}

/// What may follow a conversion of a string or of a plain pointer.
fn is_end(byte: u8) -> bool {
    byte == 0 || is_space(byte) || byte.is_ascii_punctuation()
}

/// Whether the kernel counts it as white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// The kernel can print it with so many values.
fn is_format(text: &[u8], values: u64) -> bool {
    let byte = |at: usize| text.get(at).copied().unwrap_or(0);
    let (mut at, mut used) = (0, 0);
    while at < text.len() {
        let this = byte(at);
        if !(matches!(this, 0x20..=0x7e) || is_space(this)) {
            return false;
        }
        if this != b'%' {
            at += 1;
            continue;
        }
        if byte(at + 1) == b'%' {
            at += 2;
            continue;
        }
        if used >= values {
            return false;
        }
        let Some(last) = conversion(&byte, at + 1) else { return false };
        used += 1;
        at = last + 1;
    }
    true
}

/// The last byte of the conversion that begins after a `%`; `None` for one that the kernel does not know.
fn conversion(byte: &impl Fn(usize) -> u8, mut at: usize) -> Option<usize> {
    while matches!(byte(at), b'0' | b'+' | b'-' | b' ') {
        at += 1;
    }
    if matches!(byte(at), b'1'..=b'9') {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
    }
    match byte(at) {
        b'p' => pointer(byte, at),
        b's' => is_end(byte(at + 1)).then_some(at),
        b'c' => Some(at),
        _number => {
            for _ in 0..2 {
                if byte(at) == b'l' {
                    at += 1;
                }
            }
            matches!(byte(at), b'i' | b'd' | b'u' | b'x' | b'X').then_some(at)
        }
    }
}

/// As `conversion`, of a pointer.
fn pointer(byte: &impl Fn(usize) -> u8, at: usize) -> Option<usize> {
    let (first, second) = (byte(at + 1), byte(at + 2));
    if is_end(first) {
        return Some(at);
    }
    match (first, second) {
        (b'k' | b'u', b's') => is_end(byte(at + 3)).then_some(at + 2),
        (b'K' | b'x' | b's' | b'S' | b'B', _) => Some(at + 1),
        (b'i' | b'I', b'4' | b'6') => Some(at + 2),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_format;

    #[test]
    fn formats() {
        for (text, values) in
            [("", 0), ("a%%b", 0), ("%d", 1), ("%-08lld|%llx", 2), ("%s,%pks %pI4 %pB%c", 5), ("%p", 1), ("%pK", 1)]
        {
            assert!(is_format(text.as_bytes(), values), "{text}");
            assert!(values == 0 || !is_format(text.as_bytes(), values - 1), "{text}");
        }
        for text in ["%", "%f", "%sx", "%pI5", "%n", "%h", "%ksx", "\u{80}", "\u{1}", "%lllx", "%.3d"] {
            assert!(!is_format(text.as_bytes(), 9), "{text}");
        }
    }
}
