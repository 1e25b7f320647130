//! The messages that selftests expect.

use regex::Regex;

use crate::corpus::{Truth, Verdict};

/// What the log of a test that must be refused has to hold, as regular expressions: in the tag, what is between `{{` and `}}` is one, and
/// all else is text.
pub(super) fn messages(truth: &Truth) -> Vec<String> {
    if truth.verdict != Verdict::Reject || truth.expect != Some(-1) {
        return Vec::new();
    }
    truth.tags.iter().filter_map(|tag| tag.strip_prefix("test_expect_msg=")).map(message).collect()
}

fn message(tag: &str) -> String {
    // The number only keeps tags of one text apart.
    let numbered = tag.split_once('=').filter(|(number, _)| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()));
    let mut rest = numbered.map_or(tag, |(_, text)| text);
    let mut pattern = String::new();
    while let Some((text, after)) = rest.split_once("{{") {
        let Some((expression, after)) = after.split_once("}}") else { break };
        pattern += &regex::escape(text);
        pattern += expression;
        rest = after;
    }
    pattern + &regex::escape(rest)
}

/// Whether a text has what is expected. An expression that is none is nowhere.
pub(super) fn is_in(expected: &str, text: &str) -> bool {
    Regex::new(expected).is_ok_and(|expression| expression.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_expressions() {
        assert!(is_in(&message("3=R0 !read_ok"), "1: R0 !read_ok\n"));
        assert!(is_in(&message("R1 has {{.*}} (kind)"), "R1 has any (kind)"));
        assert!(!is_in(&message("R1 has {{[0-9]+}} (kind)"), "R1 has any (kind)"));
        assert!(is_in(&message("12=a=b {{ open"), "a=b {{ open"));
        assert!(!is_in(&message("{{(}}"), "("));
    }
}
