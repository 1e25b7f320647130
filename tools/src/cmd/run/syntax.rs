//! What stands on the command line: assignments and values, before anybody knows their types.

use std::net::IpAddr;

use skep::Literal;
use skep_btf::value::LiteralError;

/// Text that is no assignment or no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    /// No `=` where one belongs.
    #[error("`{0}` is no assignment: NAME=VALUE expected")]
    NoEquals(String),
    /// A bracket or a quote without its other half.
    #[error("`{0}`: a bracket or a quote is not closed")]
    Open(String),
    /// Digits that are no bytes.
    #[error("`{0}`: an even number of hexadecimal digits expected")]
    Hex(String),
    /// A value that is none.
    #[error(transparent)]
    Value(#[from] LiteralError),
    /// A name that is none.
    #[error("`{0}`: a name expected after `{1}`")]
    Name(String, char),
    /// A time that is none.
    #[error("`{0}` is no time: a number with ns, us, ms or s expected")]
    Time(String),
}

/// `PATH=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// What stands before the `=`.
    pub(super) path: String,
    /// What stands after it.
    pub(super) value: String,
}

impl Assignment {
    pub(super) fn parse(text: &str) -> Result<Assignment, SyntaxError> {
        let at = top_level(text, '=')?.first().copied().ok_or_else(|| SyntaxError::NoEquals(text.to_owned()))?;
        let (path, value) = (text[..at].trim(), text[at + 1..].trim());
        if path.is_empty() {
            return Err(SyntaxError::NoEquals(text.to_owned()));
        }
        Ok(Assignment { path: path.to_owned(), value: value.to_owned() })
    }

    /// Assignments with commas between them.
    pub(super) fn list(text: &str) -> Result<Vec<Assignment>, SyntaxError> {
        let mut list = Vec::new();
        let mut start = 0;
        for end in top_level(text, ',')?.into_iter().chain([text.len()]) {
            if !text[start..end].trim().is_empty() {
                list.push(Assignment::parse(&text[start..end])?);
            }
            start = end + 1;
        }
        Ok(list)
    }

    /// The value, read.
    pub(super) fn given(&self) -> Result<Given, SyntaxError> {
        Given::parse(&self.value)
    }
}

/// The places of a character outside of brackets and quotes.
fn top_level(text: &str, wanted: char) -> Result<Vec<usize>, SyntaxError> {
    let open = || SyntaxError::Open(text.to_owned());
    let mut places = Vec::new();
    let mut closers = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' | '\'' => loop {
                match chars.next() {
                    Some((_, '\\')) => {
                        chars.next();
                    }
                    Some((_, end)) if end == c => break,
                    Some(_) => {}
                    None => return Err(open()),
                }
            },
            '[' => closers.push(']'),
            '{' => closers.push('}'),
            '(' => closers.push(')'),
            ']' | '}' | ')' if closers.pop() != Some(c) => return Err(open()),
            _ if c == wanted && closers.is_empty() => places.push(at),
            _ => {}
        }
    }
    if closers.is_empty() { Ok(places) } else { Err(open()) }
}

/// `NAME[KEY].FIELD` apart: the name, the key, and the field if there is one.
pub(super) fn element(path: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = path.split_once('[')?;
    // The key may have brackets of its own, the field too; the first that stands outside of all closes the key.
    let end = (0..rest.len()).filter(|at| rest.as_bytes()[*at] == b']').find(|at| top_level(&rest[..*at], ',').is_ok())?;
    let field = &rest[end + 1..];
    let field = if field.is_empty() || field.starts_with('[') { field } else { field.strip_prefix('.')? };
    Some((name, &rest[..end], field))
}

/// Where memory that a value needs is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    User,
    Kernel,
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// A literal.
    Literal(Literal),
    /// `@NAME`: the address of an object; of maps' values, a map or a program.
    Named(String),
    /// `hex:DIGITS`.
    Bytes(Vec<u8>),
    /// An IP address.
    Ip(IpAddr),
    /// `&VALUE`, `&(TYPE)VALUE`.
    Address {
        /// The type of the value.
        ty: Option<String>,
        /// The value.
        of: Box<Given>,
    },
    /// `user:VALUE`, `kernel:VALUE`: where memory for the value is made.
    In(Space, Box<Given>),
}

impl Given {
    pub(super) fn parse(text: &str) -> Result<Given, SyntaxError> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('@') {
            let ok = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
            return if ok { Ok(Given::Named(name.to_owned())) } else { Err(SyntaxError::Name(text.to_owned(), '@')) };
        }
        if let Some(digits) = text.strip_prefix("hex:") {
            return crate::hex::parse(digits).map(Given::Bytes).ok_or_else(|| SyntaxError::Hex(text.to_owned()));
        }
        for (prefix, space) in [("user:", Space::User), ("kernel:", Space::Kernel)] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Ok(Given::In(space, Box::new(Given::parse(rest)?)));
            }
        }
        if let Some(rest) = text.strip_prefix('&') {
            let rest = rest.trim_start();
            let (ty, rest) = match rest.strip_prefix('(').map(|inside| inside.split_once(')')) {
                Some(Some((ty, rest))) => (Some(ty.trim().to_owned()), rest),
                Some(None) => return Err(SyntaxError::Open(text.to_owned())),
                None => (None, rest),
            };
            return Ok(Given::Address { ty, of: Box::new(Given::parse(rest)?) });
        }
        if let Ok(ip) = text.parse() {
            return Ok(Given::Ip(ip));
        }
        Ok(Given::Literal(Literal::parse(text)?))
    }
}

/// A time in nanoseconds, and whether it counts from now (`+2ms`).
pub(super) fn time(text: &str) -> Result<(u64, bool), SyntaxError> {
    let wrong = || SyntaxError::Time(text.to_owned());
    let (rest, relative) = text.trim().strip_prefix('+').map_or((text.trim(), false), |rest| (rest, true));
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
    let number: u64 = rest[..end].replace('_', "").parse().map_err(|_| wrong())?;
    let unit = match &rest[end..] {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    Ok((number.checked_mul(unit).ok_or_else(wrong)?, relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_split_outside_of_quotes_and_brackets() {
        let list = Assignment::list(r#"args[1]="a,b=c", rq={.x = 1, .y = [2, 3]},n=5"#).unwrap();
        let pairs: Vec<(&str, &str)> = list.iter().map(|a| (a.path.as_str(), a.value.as_str())).collect();
        assert_eq!(pairs, [("args[1]", r#""a,b=c""#), ("rq", "{.x = 1, .y = [2, 3]}"), ("n", "5")]);
        assert!(matches!(Assignment::list("a"), Err(SyntaxError::NoEquals(_))));
        assert!(matches!(Assignment::list("a=["), Err(SyntaxError::Open(_))));
        assert!(matches!(Assignment::list("a=\"x"), Err(SyntaxError::Open(_))));
    }

    #[test]
    fn elements_of_maps() {
        assert_eq!(element("counts[7]"), Some(("counts", "7", "")));
        assert_eq!(element("m[{1, [2]}].field[0]"), Some(("m", "{1, [2]}", "field[0]")));
        assert_eq!(element("m[\"]\"]"), Some(("m", "\"]\"", "")));
        assert_eq!(element("m[1]x"), None);
        assert_eq!(element("m"), None);
    }

    #[test]
    fn values() {
        let literal = |text| Literal::parse(text).unwrap();
        assert_eq!(Given::parse("5").unwrap(), Given::Literal(literal("5")));
        assert_eq!(Given::parse("@rq").unwrap(), Given::Named("rq".into()));
        assert_eq!(Given::parse("hex:00 ff").unwrap(), Given::Bytes(vec![0, 0xff]));
        assert_eq!(Given::parse("10.0.0.1").unwrap(), Given::Ip("10.0.0.1".parse().unwrap()));
        assert_eq!(
            Given::parse("user:&(struct open_how){.flags = 1}").unwrap(),
            Given::In(
                Space::User,
                Box::new(Given::Address {
                    ty: Some("struct open_how".into()),
                    of: Box::new(Given::Literal(literal("{.flags = 1}")))
                })
            )
        );
        assert!(Given::parse("hex:0").is_err() && Given::parse("@").is_err() && Given::parse("&(x").is_err());
    }

    #[test]
    fn times() {
        assert_eq!(time("5"), Ok((5, false)));
        assert_eq!(time("+2ms"), Ok((2_000_000, true)));
        assert!(time("2 weeks").is_err() && time("99999999999999s").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much(text in r#"[-a-z0-9@&():,.="'\\\[\]{} +é]{0,40}"#) {
            if let Ok(list) = Assignment::list(&text) {
                for assignment in list {
                    // Whatever comes of it, it is an answer.
                    let _ = (assignment.given(), element(&assignment.path));
                }
            }
            let _ = (Given::parse(&text), element(&text), time(&text));
        }
    }
}
