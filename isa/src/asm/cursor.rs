//! A place in a line of text, and the small things that are read there.

use super::{AsmError, Problem};
use crate::Reg;

/// Longest piece of text that an error quotes, in characters.
const QUOTE: usize = 24;

/// A place in a line.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

/// A whole number as written.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) hex: bool,
    magnitude: u128,
    start: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, line: usize) -> Cursor<'a> {
        Cursor { text, at: 0, line }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Moves on by bytes of the text that the caller has looked at.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    pub(super) fn error_at(&self, byte: usize, problem: Problem) -> AsmError {
        AsmError { line: self.line, column: self.text[..byte].chars().count() + 1, problem }
    }

    pub(super) fn error(&self, problem: Problem) -> AsmError {
        self.error_at(self.at, problem)
    }

    pub(super) fn expected(&self, expected: &'static str) -> AsmError {
        let rest = self.rest();
        let found = match rest.char_indices().nth(QUOTE) {
            _ if rest.is_empty() => "the end of the line".to_string(),
            Some((cut, _)) => format!("{:?}...", &rest[..cut]),
            None => format!("{rest:?}"),
        };
        self.error(Problem::Expected { expected, found })
    }

    /// Takes `word` if it is next. A word of letters must end there.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        self.skip_space();
        let Some(after) = self.rest().strip_prefix(word) else {
            return false;
        };
        if word.ends_with(is_word) && after.starts_with(is_word) {
            return false;
        }
        self.at += word.len();
        true
    }

    pub(super) fn need(&mut self, word: &'static str) -> Result<(), AsmError> {
        if self.eat(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    pub(super) fn need_end(&mut self) -> Result<(), AsmError> {
        if self.at_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    /// The word of a row whose text is next; in the order of the table.
    pub(super) fn eat_row<T: Copy>(&mut self, table: &[(&'static str, T)]) -> Option<T> {
        self.skip_space();
        let row = table.iter().find(|row| self.rest().starts_with(row.0))?;
        self.at += row.0.len();
        Some(row.1)
    }

    /// Letters, digits, `_` and `.`; does not begin with a digit.
    pub(super) fn peek_word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        (len > 0 && !rest.starts_with(|c: char| c.is_ascii_digit())).then(|| &rest[..len])
    }

    pub(super) fn word(&mut self) -> Option<&'a str> {
        let word = self.peek_word()?;
        self.at += word.len();
        Some(word)
    }

    /// Decimal or `0x` number with an optional sign.
    pub(super) fn number(&mut self) -> Result<Number, AsmError> {
        self.skip_space();
        let start = self.at;
        let rest = self.rest();
        let unsigned = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let digits = unsigned.find(|c| !is_word(c)).map_or(unsigned, |end| &unsigned[..end]);
        let (hex, body) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(body) => (true, body),
            None => (false, digits),
        };
        let radix = if hex { 16 } else { 10 };
        if body.is_empty() || !body.chars().all(|c| c.is_digit(radix)) {
            return Err(self.expected("a number"));
        }
        let magnitude = u128::from_str_radix(body, radix).unwrap_or(u128::MAX);
        self.at = self.text.len() - unsigned.len() + digits.len();
        Ok(Number { negative: rest.starts_with('-'), hex, magnitude, start, end: self.at })
    }

    fn range(&self, number: Number, bits: u8) -> AsmError {
        self.error_at(number.start, Problem::Range { text: self.text[number.start..number.end].to_string(), bits })
    }

    /// `number` as signed of `bits` bits; hexadecimal without a sign may also be the bits of a negative number.
    pub(super) fn fit(&self, number: Number, bits: u8) -> Result<i64, AsmError> {
        let half = 1_u128 << (bits - 1);
        let as_bits = number.hex && !number.negative && number.magnitude < half << 1;
        if number.negative && number.magnitude <= half {
            Ok((number.magnitude as i64).wrapping_neg())
        } else if !number.negative && number.magnitude < half {
            Ok(number.magnitude as i64)
        } else if as_bits {
            let unused = 64 - u32::from(bits);
            Ok((number.magnitude as u64 as i64) << unused >> unused)
        } else {
            Err(self.range(number, bits))
        }
    }

    /// `number` as unsigned of `bits` bits; a negative one stands for its bits.
    pub(super) fn fit_unsigned(&self, number: Number, bits: u8) -> Result<u64, AsmError> {
        if number.negative {
            let mask = u64::MAX >> (64 - u32::from(bits));
            return Ok(self.fit(number, bits)? as u64 & mask);
        }
        if number.magnitude >> bits == 0 { Ok(number.magnitude as u64) } else { Err(self.range(number, bits)) }
    }

    /// `number` as a signed distance of `bits` bits, however it is written.
    pub(super) fn fit_distance(&self, number: Number, bits: u8) -> Result<i64, AsmError> {
        self.fit(Number { hex: false, ..number }, bits)
    }

    /// The pieces of the rest between separators, none if it is blank.
    pub(super) fn split(&mut self, separator: char) -> Vec<Cursor<'a>> {
        if self.at_end() {
            return Vec::new();
        }
        let mut pieces = vec![];
        let mut at = self.at;
        for piece in self.rest().split(separator) {
            pieces.push(Cursor { text: &self.text[..at + piece.len()], at, line: self.line });
            at += piece.len() + separator.len_utf8();
        }
        pieces
    }

    /// `+8` or `- 8`, 16 bits.
    pub(super) fn signed_offset(&mut self) -> Result<i16, AsmError> {
        self.skip_space();
        let start = *self;
        let negative = start.rest().starts_with('-');
        if !self.eat("+") && !self.eat("-") {
            return Err(start.expected("an offset with its sign"));
        }
        self.skip_space();
        if self.rest().starts_with(['+', '-']) {
            return Err(self.expected("a number"));
        }
        let number = self.number()?;
        Ok(self.fit_distance(Number { negative, ..number }, 16)? as i16)
    }

    pub(super) fn imm32(&mut self) -> Result<i32, AsmError> {
        let number = self.number()?;
        Ok(self.fit(number, 32)? as i32)
    }

    /// A register by its letters, `r1`, `w1` or `%r1`: the prefix is the caller's.
    pub(super) fn register(&mut self, prefix: &str, wanted: &'static str) -> Result<Reg, AsmError> {
        self.skip_space();
        let start = self.at;
        let number = self.rest().strip_prefix(prefix);
        let digits = number.map(|rest| rest.find(|c| !is_word(c)).map_or(rest, |end| &rest[..end]));
        let Some(digits) = digits.filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit())) else {
            return Err(self.expected(wanted));
        };
        let canonical = digits.len() == 1 || !digits.starts_with('0');
        match digits.parse().ok().filter(|_| canonical).and_then(Reg::from_number) {
            Some(reg) => {
                self.at += prefix.len() + digits.len();
                Ok(reg)
            }
            None => Err(self.error_at(start, Problem::Register { name: format!("{prefix}{digits}") })),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}
