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
    let mut column = 1;
    for word in text.split(char::is_whitespace) {
        let length = word.chars().count();
        if let Some((index, found)) = word.chars().enumerate().find(|(_, c)| !c.is_ascii_hexdigit()) {
            return Err(HexError::Digit { column: column + index, found });
        }
        bytes.extend(::hex::decode(word).map_err(|_| HexError::Half { column: column + length - 1 })?);
        column += length + 1;
    }
    Ok(bytes)
}

/// Bytes as digits without space.
pub fn encode(bytes: &[u8]) -> String {
    ::hex::encode(bytes)
}
