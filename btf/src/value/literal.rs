//! What is written into a value: numbers, text, names, lists and records, from code or from a line of text.

/// Something to write into bytes, before its type is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A number, for integers, enums, pointers and truth values.
    Number(i128),
    /// A floating-point number.
    Float(f64),
    /// Text in quotes, for arrays of characters and bytes.
    Text(Vec<u8>),
    /// A word without quotes: the name of an enum's value, `true`, `false`.
    Name(String),
    /// Elements in order: of an array, or fields of a struct.
    List(Vec<Literal>),
    /// Fields by path.
    Record(Vec<(String, Literal)>),
}

macro_rules! from_numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Literal {
            fn from(number: $number) -> Literal {
                Literal::Number(i128::from(number))
            }
        })*
    };
}

from_numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, bool);

impl From<f64> for Literal {
    fn from(number: f64) -> Literal {
        Literal::Float(number)
    }
}

impl From<&str> for Literal {
    /// Text as it stands: see [`Literal::parse`] for text that is to be read.
    fn from(text: &str) -> Literal {
        Literal::Text(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Literal {
    fn from(bytes: &[u8]) -> Literal {
        Literal::Text(bytes.to_vec())
    }
}

/// Text that is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value `{text}`, column {column}: {expected} expected")]
pub struct LiteralError {
    /// The whole text.
    pub text: String,
    /// Where it stops to be a value, in bytes from 0.
    pub column: usize,
    /// What should stand there.
    pub expected: &'static str,
}

/// Deepest nesting of lists and records that is read.
const MAX_DEPTH: usize = 64;

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, expected: &'static str) -> LiteralError {
        LiteralError { text: self.text.to_owned(), column: self.at, expected }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Characters up to one that no word, number or path has.
    fn word(&mut self, also: &[char]) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || also.contains(&c))).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn value(&mut self, depth: usize) -> Result<Literal, LiteralError> {
        if depth > MAX_DEPTH {
            return Err(self.error("less nesting"));
        }
        self.skip_space();
        match self.rest().chars().next() {
            Some('{') => self.items('{', '}', depth),
            Some('[') => self.items('[', ']', depth),
            Some('"') => self.quoted('"').map(Literal::Text),
            Some('\'') => {
                let bytes = self.quoted('\'')?;
                match bytes[..] {
                    [byte] => Ok(Literal::Number(i128::from(byte))),
                    _ => Err(self.error("one character")),
                }
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => Ok(Literal::Name(self.word(&[]).to_owned())),
            _ => Err(self.error("a value")),
        }
    }

    fn number(&mut self) -> Result<Literal, LiteralError> {
        let start = self.at;
        let negative = self.eat('-');
        if !negative {
            self.eat('+');
        }
        let word = self.word(&['.']);
        let (digits, radix) = match word.get(..2) {
            Some("0x" | "0X") => (&word[2..], 16),
            Some("0b" | "0B") => (&word[2..], 2),
            _ => (word, 10),
        };
        if let Ok(number) = i128::from_str_radix(&digits.replace('_', ""), radix)
            && !digits.starts_with(['-', '+'])
        {
            return Ok(Literal::Number(if negative { -number } else { number }));
        }
        match word.parse::<f64>() {
            Ok(number) => Ok(Literal::Float(if negative { -number } else { number })),
            Err(_) => {
                self.at = start;
                Err(self.error("a number"))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Vec<u8>, LiteralError> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next() else { return Err(self.error("a closing quote")) };
            self.at += c.len_utf8();
            if c == quote {
                return Ok(bytes);
            }
            if c != '\\' {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let escape = self.rest().chars().next();
            self.at += escape.map_or(0, char::len_utf8);
            bytes.push(match escape {
                Some('n') => b'\n',
                Some('t') => b'\t',
                Some('r') => b'\r',
                Some('0') => 0,
                Some('x') => {
                    let byte = self.rest().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
                    let byte = byte.ok_or_else(|| self.error("two hexadecimal digits"))?;
                    self.at += 2;
                    byte
                }
                Some(c @ ('"' | '\'' | '\\')) => c as u8,
                _ => return Err(self.error("an escape")),
            });
        }
    }

    /// The inside of brackets: values, or fields as `.path = value`, `path: value` or `"path": value`.
    fn items(&mut self, open: char, close: char, depth: usize) -> Result<Literal, LiteralError> {
        self.eat(open);
        let mut list = Vec::new();
        let mut record = Vec::new();
        while !self.eat(close) {
            match self.field_name(open)? {
                Some(name) if list.is_empty() => record.push((name, self.value(depth + 1)?)),
                None if record.is_empty() => list.push(self.value(depth + 1)?),
                Some(_) => return Err(self.error("no field name among values without one")),
                None => return Err(self.error("a field name")),
            }
            if !self.eat(',') {
                if !self.eat(close) {
                    return Err(self.error("`,` or a closing bracket"));
                }
                break;
            }
        }
        Ok(if record.is_empty() { Literal::List(list) } else { Literal::Record(record) })
    }

    fn field_name(&mut self, open: char) -> Result<Option<String>, LiteralError> {
        self.skip_space();
        if open == '[' {
            return Ok(None);
        }
        let start = self.at;
        if self.eat('.') {
            let name = self.word(&['.', '[', ']']).to_owned();
            return if !name.is_empty() && self.eat('=') { Ok(Some(name)) } else { Err(self.error("a field and `=`")) };
        }
        let name = match self.rest().starts_with('"') {
            true => String::from_utf8(self.quoted('"')?).unwrap_or_default(),
            false => self.word(&['.', '[', ']']).to_owned(),
        };
        if !name.is_empty() && (self.eat(':') || self.eat('=')) {
            return Ok(Some(name));
        }
        self.at = start;
        Ok(None)
    }
}

impl Literal {
    /// Reads a value as [`super::Value`] prints it, as C initialises it, or as JSON writes it: `5`, `0x1f`, `-1`, `'a'`, `"text"`,
    /// `NAME`, `[1, 2]`, `{1, 2}`, `{.pid = 5, .comm = "sh"}`, `{"pid": 5}`.
    ///
    /// # Errors
    /// Text that is none of these, with the place.
    pub fn parse(text: &str) -> Result<Literal, LiteralError> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at == text.len() { Ok(value) } else { Err(parser.error("the end")) }
    }
}
