//! Objects as text by their types, as `bpf_snprintf_btf` writes them: C initializers, with the type in brackets before each value.
//!
//! Members and elements that are zero are left out, and so are aggregates with nothing else in them, unless the flags ask for them. What
//! stands before a value depends on what was shown before it (after an array inside of an element, members have their names again), so the
//! state is kept as the kernel keeps it.

use skep_btf::{Btf, Composite, Kind, Member, Type, TypeId};

use crate::format::{Spec, hash, number};

/// Without newlines and indentation.
const COMPACT: u64 = 1;
/// Without names and types.
const NO_NAME: u64 = 2;
/// Pointers as they are.
const RAW_POINTERS: u64 = 4;
/// Zeros too.
const ZEROS: u64 = 8;
/// Every flag.
pub(crate) const FLAGS: u64 = COMPACT | NO_NAME | RAW_POINTERS | ZEROS;

/// Steps from a type to what it is made of; types with more of them have no name here.
const STEPS: usize = 10;
/// Bytes of a name, with its NUL.
const NAME: usize = 80;
/// The deepest indentation.
const INDENT: usize = 32;
/// Nested types that are followed.
const DEPTH: usize = 64;

/// A type that cannot be shown.
#[derive(Debug)]
pub(crate) struct NotShown(pub(crate) Kind);

/// Text that is cut at a size but counted to its end.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) len: usize,
    room: usize,
}

struct Show<'a> {
    btf: &'a Btf,
    data: &'a [u8],
    flags: u64,
    out: Text,
    depth: usize,
    member: Option<Member<'a>>,
    /// An element of an array is being shown: it has no name.
    element: bool,
    /// The array's elements are characters, and its end was seen.
    chars: bool,
    ended: bool,
    /// Nothing is written: it is only asked whether a value would be.
    asking: bool,
    shown: bool,
}

/// Shows an object of a type; `data` has its bytes. At most `room` bytes of text are kept.
///
/// # Errors
/// A type that has no values.
pub(crate) fn show(btf: &Btf, id: TypeId, data: &[u8], flags: u64, room: usize) -> Result<Text, NotShown> {
    let out = Text { bytes: Vec::new(), len: 0, room };
    let mut show = Show {
        btf,
        data,
        flags,
        out,
        depth: 0,
        member: None,
        element: false,
        chars: false,
        ended: false,
        asking: false,
        shown: false,
    };
    show.value(id, 0)?;
    Ok(show.out)
}

impl<'a> Show<'a> {
    fn put(&mut self, text: &[u8]) {
        if self.asking {
            return;
        }
        let fits = self.out.room.saturating_sub(self.out.bytes.len()).min(text.len());
        self.out.bytes.extend(&text[..fits]);
        self.out.len += text.len();
    }

    fn is(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    fn indent(&self) -> String {
        if self.is(COMPACT) { String::new() } else { " ".repeat(self.depth.min(INDENT)) }
    }

    fn newline(&self) -> &'static str {
        if self.is(COMPACT) { "" } else { "\n" }
    }

    fn delimiter(&self) -> &'static str {
        if self.depth == 0 { "" } else { "," }
    }

    /// What stands before a value of a type: `.member = (struct type){`.
    fn name(&self, id: TypeId) -> String {
        if self.element {
            return String::new();
        }
        let start = self.member.map_or(id, |member| member.ty);
        let Some(Parts { kind, alias, name, pointers, arrays }) = self.parts(start) else {
            return String::new();
        };
        let aggregate = matches!(kind, Kind::Struct | Kind::Union);
        let opening = match (pointers, arrays, aggregate) {
            (1.., _, _) => "",
            (0, 1.., _) => "[",
            (0, 0, true) => "{",
            (0, 0, false) => "",
        };
        if self.is(NO_NAME) {
            return opening.to_owned();
        }
        let prefix = match kind {
            _ if alias => "",
            Kind::Struct => "struct",
            Kind::Union => "union",
            Kind::Enum | Kind::Enum64 => "enum",
            _other => "",
        };
        let member = self.member.map(|member| member.name).filter(|name| !name.is_empty());
        let member = member.map_or_else(String::new, |name| format!(".{name} = "));
        let space = if prefix.is_empty() || name.is_empty() { "" } else { " " };
        let stars = if pointers == 0 { String::new() } else { format!(" {}", "*".repeat(pointers)) };
        let mut text = format!("{member}({prefix}{space}{name}{stars}{}){opening}", "[]".repeat(arrays));
        text.truncate(NAME - 1);
        text
    }

    /// What the name of a type is made of; `None` where too much is between the type and what it is made of.
    fn parts(&self, start: TypeId) -> Option<Parts<'a>> {
        let (mut pointers, mut arrays, mut alias, mut name) = (0, 0, false, None);
        let mut id = start;
        for _ in 0..STEPS {
            let next = match self.btf.get(id) {
                Some(Type::Typedef(typedef)) => {
                    alias = true;
                    name = name.or(Some(self.btf.name(id)));
                    typedef.to
                }
                Some(Type::Array(array)) => {
                    arrays += 1;
                    array.element
                }
                Some(Type::Ptr(pointer)) => {
                    pointers += 1;
                    pointer.to
                }
                Some(_) | None => TypeId::VOID,
            };
            if next.is_void() {
                // A pointer to nothing ends at the pointer, which has no name.
                return Some(Parts { kind: self.btf.kind(id), alias, name: name.unwrap_or(self.btf.name(id)), pointers, arrays });
            }
            id = self.btf.skip_modifiers(next);
        }
        None
    }

    /// A value that is no aggregate; one that is zero is left out below the top.
    fn scalar(&mut self, id: TypeId, zero: bool, text: impl AsRef<[u8]>) {
        if zero && !self.is(ZEROS) && self.depth > 0 {
            return;
        }
        self.shown = true;
        if self.asking {
            return;
        }
        let line = format!("{}{}", self.indent(), self.name(id));
        let end = format!("{}{}", self.delimiter(), self.newline());
        self.put(&[line.as_bytes(), text.as_ref(), end.as_bytes()].concat());
    }

    /// Bytes of the object, as a number; those behind its end are 0.
    fn number(&self, at: usize, len: usize) -> u128 {
        let bytes = self.data.iter().skip(at).take(len.min(16));
        bytes.rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
    }

    fn value(&mut self, id: TypeId, at: usize) -> Result<(), NotShown> {
        let resolved = self.btf.resolve(id);
        match self.btf.get(resolved) {
            Some(Type::Int(int)) => {
                self.int(id, at, int.bits, int.bit_offset, int.is_signed());
                Ok(())
            }
            Some(Type::Ptr(_)) => {
                let addr = self.number(at, 8) as u64;
                let text = padded(if self.is(RAW_POINTERS) { addr } else { hash(addr) });
                self.scalar(id, addr == 0, format!("0x{text}"));
                Ok(())
            }
            Some(Type::Enum(found)) => {
                let bytes = if found.is_64() { 8 } else { 4 };
                let raw = self.number(at, bytes) as u64;
                let value = if found.is_64() { raw as i64 } else { i64::from(raw as i32) };
                let same = |known: i64| if found.is_64() { known == value } else { known as i32 == raw as i32 };
                match found.values().find(|known| same(known.value)) {
                    Some(known) => self.scalar(id, false, known.name),
                    None if found.is_signed() => self.scalar(id, value == 0, value.to_string()),
                    None => self.scalar(id, raw == 0, raw.to_string()),
                }
                Ok(())
            }
            Some(Type::Struct(composite) | Type::Union(composite)) => self.aggregate(|show| show.fields(id, &composite, at)),
            Some(Type::Array(array)) => self.aggregate(|show| show.elements(id, array.element, array.count, at)),
            Some(Type::Fwd(_) | Type::Func(_) | Type::FuncProto(_) | Type::Float(_)) => {
                let text = format!("<unsupported kind:{}>", self.btf.kind(resolved) as u32);
                self.put(text.as_bytes());
                Ok(())
            }
            Some(_) | None => Err(NotShown(self.btf.kind(resolved))),
        }
    }

    fn int(&mut self, id: TypeId, at: usize, bits: u8, bit_offset: u8, signed: bool) {
        if bit_offset != 0 || !matches!(bits, 8 | 16 | 32 | 64) {
            return self.bits(id, at * 8 + usize::from(bit_offset), bits.into());
        }
        let value = self.number(at, usize::from(bits) / 8) as u64;
        if bits == 8 && self.chars {
            let byte = value as u8;
            if self.ended || byte == 0 {
                self.ended = true;
                return;
            }
            if is_print(byte) {
                return self.scalar(id, false, [b'\'', byte, b'\'']);
            }
        }
        let shift = 64 - u32::from(bits);
        let text = if signed { ((value << shift) as i64 >> shift).to_string() } else { value.to_string() };
        self.scalar(id, value == 0, text);
    }

    /// A bit field, and an integer of an odd size.
    fn bits(&mut self, id: TypeId, from: usize, width: usize) {
        let value = self.number(from / 8, 16) >> (from % 8);
        let value = if width >= 128 { value } else { value & ((1 << width) - 1) };
        let text = match (value >> 64) as u64 {
            0 => format!("{:#x}", value as u64),
            upper => format!("{upper:#x}{:016x}", value as u64),
        };
        self.scalar(id, value == 0, text);
    }

    /// Shows an aggregate unless nothing of it would be shown.
    fn aggregate(&mut self, mut body: impl FnMut(&mut Self) -> Result<(), NotShown>) -> Result<(), NotShown> {
        if self.depth >= DEPTH {
            return Err(NotShown(Kind::Struct));
        }
        if self.depth > 0 && !self.is(ZEROS) {
            let (asking, shown, member) = (self.asking, self.shown, self.member);
            (self.asking, self.shown) = (true, false);
            let asked = body(self);
            let any = self.shown;
            (self.asking, self.shown, self.member) = (asking, shown || any, member);
            asked?;
            if asking || !any {
                return Ok(());
            }
        }
        body(self)
    }

    fn open(&mut self, id: TypeId) {
        let line = format!("{}{}{}", self.indent(), self.name(id), self.newline());
        self.put(line.as_bytes());
        self.depth += 1;
    }

    fn close(&mut self, bracket: &str) {
        self.depth -= 1;
        let line = format!("{}{bracket}{}{}", self.indent(), self.delimiter(), self.newline());
        self.put(line.as_bytes());
    }

    fn fields(&mut self, id: TypeId, composite: &Composite<'a>, at: usize) -> Result<(), NotShown> {
        self.open(id);
        for member in composite.members() {
            self.member = Some(member);
            match member.bitfield {
                Some(width) => self.bits(member.ty, at * 8 + member.bit_offset as usize, width.into()),
                None => self.value(member.ty, at + member.bit_offset as usize / 8)?,
            }
            self.member = None;
        }
        self.close("}");
        Ok(())
    }

    fn elements(&mut self, id: TypeId, element: TypeId, count: u32, at: usize) -> Result<(), NotShown> {
        let resolved = self.btf.resolve(element);
        let size = self.btf.size_of(resolved).unwrap_or(0) as usize;
        (self.chars, self.ended) = (matches!(self.btf.get(resolved), Some(Type::Int(_))) && size == 1, false);
        self.open(id);
        for nth in 0..count as usize {
            self.element = true;
            self.value(element, at + nth * size)?;
            self.element = false;
            if self.ended {
                break;
            }
        }
        (self.chars, self.ended) = (false, false);
        self.close("]");
        Ok(())
    }
}

/// See [`Show::parts`].
struct Parts<'a> {
    kind: Kind,
    alias: bool,
    name: &'a str,
    pointers: usize,
    arrays: usize,
}

/// All digits of an address.
fn padded(addr: u64) -> String {
    let spec = Spec { base: 16, small: true, width: Some(16), zero: true, ..Spec::default() };
    String::from_utf8_lossy(&number(spec, addr)).into_owned()
}

/// The bytes that the kernel's `isprint` takes.
fn is_print(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | 0xa0..=0xff)
}
