//! Bytes on the command line.

use crate::exit::Failure;

/// Bytes from hexadecimal digits, spaces between them as one likes; or from the file after `@`.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    if let Some(path) = text.strip_prefix('@') {
        return std::fs::read(path).map_err(|error| Failure::usage(error).within(format!("cannot read `{path}`")));
    }
    parse(text).ok_or_else(|| Failure::usage(format!("`{text}` is not bytes in hexadecimal")))
}

/// Bytes from hexadecimal digits, spaces between them as one likes.
pub(crate) fn parse(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// Two digits a byte, nothing between.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes, text};

    #[test]
    fn digits_are_bytes() {
        assert_eq!(bytes("de AD\nbe ef").unwrap(), [0xde, 0xad, 0xbe, 0xef]);
        assert!(bytes("").unwrap().is_empty());
        assert_eq!(text(&[0, 0xff]), "00ff");
        for wrong in ["d", "0x11", "zz", "+1", "é1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
