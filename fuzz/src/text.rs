//! Mutations of assembler text.

use fastrand::Rng;

/// Words of both dialects, and numbers at the edges.
const WORDS: &[&str] = &[
    "r0",
    "r1",
    "r9",
    "r10",
    "r11",
    "w0",
    "w10",
    "exit",
    "call",
    "goto",
    "gotol",
    "gotox",
    "may_goto",
    "if",
    "lock",
    "u8",
    "u64",
    "s32",
    "*",
    "+=",
    "-=",
    "s/=",
    "s%=",
    "s>>=",
    "<<=",
    "==",
    "!=",
    "s<",
    "&",
    "skb",
    "atomic64_fetch_add",
    "atomic_cmpxchg",
    "load_acquire",
    "store_release",
    "addr_space_cast",
    "bswap64",
    "be16",
    "le64",
    "map",
    "[",
    "]",
    "fd:",
    "idx:",
    "btf_id:",
    "subprog",
    "pc+1",
    "pc-1",
    "pc+32768",
    "ll",
    "0",
    "-1",
    "0x7fffffff",
    "0x80000000",
    "-2147483648",
    "0xffffffff",
    "0x100000000",
    "0xffffffffffffffff",
    "18446744073709551616",
    "-9223372036854775809",
    "32767",
    "-32768",
    "32768",
    "0x",
    "#",
    ";",
    "//",
    "lddw",
    "ldxw",
    "stxdw",
    "mov32",
    "add",
    "ja",
    "jeq",
    "jsge32",
    "local",
    "helper",
    "fetch",
    "%r1",
    "%r0",
    ",",
    "(",
    ")",
    ":",
    "\n",
    "\t",
    "\u{0}",
    "\u{e9}",
    "label",
];

fn word<'a>(tokens: &[&'a str], rng: &mut Rng) -> &'a str {
    if tokens.is_empty() || rng.u32(..3) == 0 { WORDS[rng.usize(..WORDS.len())] } else { tokens[rng.usize(..tokens.len())] }
}

/// Words, numbers, signs and runs of space, such that together they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        '\n' => 0,
        c if c.is_whitespace() => 1,
        c if c.is_alphanumeric() || c == '_' => 2,
        _ => 3,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let now = class(c);
        if last.is_some_and(|last| last != now || now == 0) {
            tokens.push(&text[start..at]);
            start = at;
        }
        last = Some(now);
    }
    tokens.push(&text[start..]);
    tokens
}

fn change_lines(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let theirs: Vec<&str> = other.lines().collect();
    if lines.is_empty() {
        return other.to_owned();
    }
    let at = rng.usize(..lines.len());
    match rng.u32(..5) {
        0 => {
            lines.remove(at);
        }
        1 => lines.insert(at, lines[rng.usize(..lines.len())]),
        2 => {
            let with = rng.usize(..lines.len());
            lines.swap(at, with);
        }
        3 if !theirs.is_empty() => lines[at] = theirs[rng.usize(..theirs.len())],
        _ => lines.truncate(at),
    }
    lines.join("\n")
}

fn change_tokens(text: &str, rng: &mut Rng) -> String {
    let old = tokens(text);
    let mut new = old.clone();
    let at = rng.usize(..new.len());
    match rng.u32(..4) {
        0 => {
            new.remove(at);
        }
        1 => new.insert(at, word(&old, rng)),
        2 => new.swap(at, rng.usize(..old.len())),
        _ => new[at] = word(&old, rng),
    }
    new.concat()
}

fn change_chars(text: &str, rng: &mut Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.is_empty() {
        return "\u{0}".to_owned();
    }
    let at = rng.usize(..bytes.len());
    match rng.u32(..3) {
        0 => bytes[at] ^= 1 << rng.u32(..8),
        1 => bytes.insert(at, rng.u8(..)),
        _ => {
            bytes.remove(at);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A mutated copy of `from`; lines may come from `other`.
pub fn mutate(from: &str, other: &str, rng: &mut Rng) -> String {
    let mut text = from.to_owned();
    for _ in 0..rng.u32(1..=5) {
        text = match rng.u32(..10) {
            0..3 => change_lines(&text, other, rng),
            3..8 => change_tokens(&text, rng),
            _ => change_chars(&text, rng),
        };
    }
    text
}
