//! Strings and formats, against the kernel.

mod common;

use common::{Arg, Script, kernel};
use proptest::prelude::*;
use skep_linux::ProgType;

fn script() -> Script {
    Script::new(ProgType::SchedCls)
}

/// A number parsed by both helpers, in all bases.
fn numbers(text: &[u8]) {
    for (id, flags) in [(105, 0), (105, 8), (105, 10), (105, 16), (106, 0), (106, 8), (106, 10), (106, 16), (105, 7), (106, 33)] {
        script()
            .put(0, text)
            .put(512, &[0xaa; 8])
            .helper(id, &[Arg::Mem(0), Arg::Num(text.len() as u64), Arg::Num(flags), Arg::Mem(512)])
            .compare();
    }
}

#[test]
fn numbers_as_the_kernel_reads_them() {
    if !kernel() {
        return;
    }
    for text in [
        "1",
        "-1",
        " 12x",
        "0x1f",
        "0X1F",
        "0x",
        "0xg",
        "08",
        "-0",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "\u{a0}5",
        "\t\n 7",
        "--3",
        "+3",
        "",
        "   ",
        "0",
        "00",
        "0b1",
        "1\x001",
        "000000000000000000000000000000000000000000000000000000000000000000000001",
    ] {
        if !text.is_empty() {
            numbers(text.as_bytes());
        }
    }
    numbers(b"\xa05");
}

#[test]
fn strncmp_as_in_the_kernel() {
    if !kernel() {
        return;
    }
    for (one, two) in
        [("abc\0", "abc\0"), ("abc\0", "abd\0"), ("ab\0z", "ab\0"), ("\u{ff}\0", "a\0"), ("abcd", "ab\0"), ("a", "abc\0")]
    {
        script()
            .put(0, one.as_bytes())
            .put_ro(0, two.as_bytes())
            .helper(182, &[Arg::Mem(0), Arg::Num(one.len() as u64), Arg::Ro(0)])
            .compare();
    }
}

/// Prints with `bpf_snprintf`.
fn snprintf(format: &str, size: u64, args: &[u64]) -> Script {
    let bytes: Vec<u8> = args.iter().flat_map(|a| a.to_le_bytes()).collect();
    script()
        .put(0, &[0xaa; 256])
        .put(1024, &bytes)
        .put_ro(0, format.as_bytes())
        .helper(165, &[Arg::Mem(0), Arg::Num(size), Arg::Ro(0), Arg::Mem(1024), Arg::Num(bytes.len() as u64)])
}

#[test]
fn formats_as_the_kernel_prints_them() {
    if !kernel() {
        return;
    }
    let args = [0xffff_ffff_8000_0001, 0x1234_5678_9abc_def0, 0, 65, u64::MAX];
    for format in [
        "%d %i %u %x %X\n",
        "%ld %li %lu %lx %lX",
        "%lld %lli %llu %llx %llX",
        "%5d|%-5d|%05d|%+d|% d",
        "%20lx|%-20lx|%020lx|%+ld|% ld",
        "%c%c%c%c%c",
        "%3c|%-3c|%c|%03c|%-c",
        "%%%d%%%%%d %d %d %d",
        "%px %px %px %px %px",
        "%20px|%-20px|%020px|%5px|%px",
        "%pK %p",
        "%d%d%d%d%d",
        "plain",
        "",
        "%+-5d|%- 5d|%0-5d|%-+5d|%5u",
        "%-8x|%+x|% x|%08X|%0x",
        "caf\u{e9} %d",
        "%p %p",
        "%p,%p",
        "%ps",
        "%00005d",
        "%1d%2d%3d%4d%5d",
    ] {
        let count = format.replace("%%", "").matches('%').count();
        for size in [0, 1, 5, 16, 200] {
            // Hashed pointers differ by nature; the kernel has no symbols at these addresses.
            let args: Vec<u64> =
                if format.contains("%p") && !format.contains("%px") { vec![0; count] } else { args[..count].to_vec() };
            snprintf(format, size, &args).compare();
        }
    }
}

#[test]
fn strings_and_addresses_are_printed_alike() {
    if !kernel() {
        return;
    }
    // Arguments are addresses, which differ: the memory is filled by the program's twin, so they are stored by a helper call.
    for (format, what) in [
        ("<%s>", "hello\0"),
        ("<%10s>", "hello\0"),
        ("<%-10s>", "hello\0"),
        ("<%010s>", "hello\0"),
        ("<%s>", "\0"),
        ("<%pks>", "hello\0"),
        ("<%10pks>", "hello\0"),
        ("<%pi4>", "\x7f\0\0\x01"),
        ("<%pI4>", "\x7f\0\0\x01"),
        ("<%20pI4>", "\x7f\0\0\x01"),
        ("<%pi6>", "\x20\x01\x0d\x70\0\0\0\0\0\0\0\0\0\0\0\x01"),
        ("<%pI6>", "\x20\x01\x0d\x70\0\0\0\0\0\0\0\0\0\0\0\x01"),
    ] {
        for size in [0, 1, 4, 6, 200] {
            let script = script()
                .put(0, &[0xaa; 256])
                .put(512, what.as_bytes())
                .put_ro(0, format.as_bytes())
                .store_address(1024, 512)
                .helper(165, &[Arg::Mem(0), Arg::Num(size), Arg::Ro(0), Arg::Mem(1024), Arg::Num(8)]);
            script.compare_but(1024..1032);
        }
    }
}

/// The verifier checks constant formats of `bpf_snprintf`, so what is refused is asked of `bpf_trace_printk`.
#[test]
fn formats_that_are_refused() {
    if !kernel() {
        return;
    }
    for format in [
        "%d\0",
        "%d",
        "%s%s%s%s\0",
        "%d %d %d %d\0",
        "%q\0",
        "%hd\0",
        "%*d\0",
        "%.3d\0",
        "%#x\0",
        "%lf\0",
        "%\0",
        "%l\0",
        "%pq\0",
        "%pi5\0",
        "%pI\0",
        "%sx\0",
        "%s,\0",
        "\x01\0",
        "a\x7f\0",
        "tab\t\0",
        "caf\u{e9}\0",
        "%\u{e9}\0",
        "%5%\0",
        "%lc\0",
        "%ls\0",
        "%lp\0",
        "%pk\0",
        "%pksx\0",
        "%pu\0",
        "%pB\0",
        "%pS %ps\0",
        "%pa\0",
        "%llld\0",
        "%-+ 05ld\0",
        "%99999999d\0",
    ] {
        script()
            .put(0, format.as_bytes())
            .helper(6, &[Arg::Mem(0), Arg::Num(format.len() as u64), Arg::Num(0), Arg::Num(0), Arg::Num(0)])
            .compare();
    }
}

#[test]
fn string_kfuncs() {
    if !kernel() {
        return;
    }
    let texts = ["hello world\0", "hello\0", "Hello\0", "world\0", "o\0", "\0", "lo w\0", "olleh\0", "z\0"];
    for one in texts {
        for c in [b'o', b'l', 0, b'z', b'H'] {
            let c = Arg::Num(u64::from(c));
            let script = script().put(0, one.as_bytes());
            let script = script.kfunc("bpf_strchr", &[Arg::Mem(0), c]).kfunc("bpf_strrchr", &[Arg::Mem(0), c]);
            script.kfunc("bpf_strchrnul", &[Arg::Mem(0), c]).kfunc("bpf_strlen", &[Arg::Mem(0)]).compare();
        }
        for n in [0, 1, 4, 5, 11, 12, 65536, u64::MAX] {
            let n = Arg::Num(n);
            let script = script().put(0, one.as_bytes()).kfunc("bpf_strnlen", &[Arg::Mem(0), n]);
            script.kfunc("bpf_strnchr", &[Arg::Mem(0), n, Arg::Num(u64::from(b'o'))]).compare();
        }
        for two in texts {
            let (a, b) = (Arg::Mem(0), Arg::Mem(64));
            let mut script = script().put(0, one.as_bytes()).put(64, two.as_bytes());
            for name in ["bpf_strcmp", "bpf_strcasecmp", "bpf_strspn", "bpf_strcspn", "bpf_strstr"] {
                script = script.kfunc(name, &[a, b]);
            }
            for n in [0, 1, 4, 5, 9, 10, 11, 12, 100, u64::MAX] {
                script = script.kfunc("bpf_strnstr", &[a, b, Arg::Num(n)]);
            }
            script.compare();
        }
    }
    // A string without an end, and addresses that are not the kernel's.
    let mut script = script().put(0, &[b'a'; 64]);
    script = script.kfunc("bpf_strlen", &[Arg::Num(0)]).kfunc("bpf_strlen", &[Arg::Num(0x1000)]);
    script.kfunc("bpf_strcmp", &[Arg::Mem(0), Arg::Num(64)]).compare();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_numbers(text in "[ \t]{0,2}-?(0x|0X|0)?[0-9a-fA-F]{0,22}.{0,2}") {
        if kernel() && !text.is_empty() && text.len() < 500 {
            numbers(text.as_bytes());
        }
    }

    #[test]
    fn random_formats(format in "[a-z %]{0,3}(%[-+ 0]{0,2}[0-9]{0,2}(l|ll)?[diuxXcspq%]){0,3}[%x]?", a: u64, b: u64) {
        // Pointers and strings print what is at addresses; those are other tests.
        prop_assume!(!format.contains('p') && !format.contains('s'));
        if kernel() {
            let text = format!("{format}\0");
            script()
                .put(0, text.as_bytes())
                .helper(6, &[Arg::Mem(0), Arg::Num(text.len() as u64), Arg::Num(a), Arg::Num(b), Arg::Num(7)])
                .compare();
        }
    }
}
