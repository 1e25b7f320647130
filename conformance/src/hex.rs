//! Bytes as hexadecimal text.

/// Text that is not bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A character that is no hexadecimal digit.
    #[error("column {column}: {found:?} is no hexadecimal digit")]
    Digit {
        /// Column in characters, from 1.
        column: usize,
        /// The character.
        found: char,
    },
    /// A digit without a second one.
    #[error("column {column}: a byte has two digits")]
    Half {
        /// Column of the lonely digit, from 1.
        column: usize,
    },
}

/// The bytes that text names, two digits each, with or without space between the bytes.
///
/// ```
/// use skep_conformance::hex;
/// assert_eq!(hex::decode("b7 00  ff").unwrap(), [0xb7, 0, 0xff]);
/// assert_eq!(hex::decode("b7 0").unwrap_err().to_string(), "column 4: a byte has two digits");
/// ```
///
/// # Errors
/// [`HexError`], with its column.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut first: Option<(usize, u32)> = None;
    for (index, c) in text.chars().enumerate() {
        let column = index + 1;
        if c.is_whitespace() {
            if let Some((column, _)) = first {
                return Err(HexError::Half { column });
            }
            continue;
        }
        let digit = c.to_digit(16).ok_or(HexError::Digit { column, found: c })?;
        match first.take() {
            None => first = Some((column, digit)),
            Some((_, high)) => bytes.push((high << 4 | digit) as u8),
        }
    }
    match first {
        Some((column, _)) => Err(HexError::Half { column }),
        None => Ok(bytes),
    }
}

/// Bytes as digits without space.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
