//! Values as text: `{.pid = 5, .comm = "sh"}`, which [`super::Literal::parse`] reads back.

use std::fmt::{self, Display, Formatter, Write};

use super::Value;

/// Text in quotes, with escapes for what is not printable.
fn quoted(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                c if c.is_control() => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
                c => f.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    f.write_char('"')
}

/// Items between brackets: on one line, or with `{:#}` each on its own.
fn list<T>(
    f: &mut Formatter<'_>,
    brackets: [char; 2],
    items: &[T],
    depth: usize,
    item: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(brackets[0])?;
    for (nth, each) in items.iter().enumerate() {
        if nth > 0 {
            f.write_char(',')?;
        }
        if f.alternate() {
            write!(f, "\n{:1$}", "", (depth + 1) * 4)?;
        } else if nth > 0 {
            f.write_char(' ')?;
        }
        item(f, each)?;
    }
    if f.alternate() && !items.is_empty() {
        write!(f, "\n{:1$}", "", depth * 4)?;
    }
    f.write_char(brackets[1])
}

fn write_value(f: &mut Formatter<'_>, value: &Value, depth: usize) -> fmt::Result {
    match value {
        Value::Unsigned(number) => write!(f, "{number}"),
        Value::Signed(number) => write!(f, "{number}"),
        Value::Bool(set) => write!(f, "{set}"),
        Value::Float(number) => write!(f, "{number}"),
        Value::Enum { name: Some(name), .. } => f.write_str(name),
        Value::Enum { name: None, value } => write!(f, "{value}"),
        Value::Pointer(address) => write!(f, "{address:#x}"),
        Value::Text(bytes) => quoted(f, bytes),
        Value::Array(items) => list(f, ['[', ']'], items, depth, |f, item| write_value(f, item, depth + 1)),
        Value::Bytes(bytes) => list(f, ['[', ']'], bytes, depth, |f, byte| write!(f, "{byte:#04x}")),
        Value::Struct(fields) => list(f, ['{', '}'], fields, depth, |f, (name, value)| {
            write!(f, ".{name} = ")?;
            write_value(f, value, depth + 1)
        }),
    }
}

impl Display for Value {
    /// On one line; with `{:#}`, one field or element a line.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_value(f, self, 0)
    }
}
