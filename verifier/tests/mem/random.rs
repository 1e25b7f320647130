//! Random programs that reach memory of every kind, held against the kernel.

use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

use skep_linux::{MapType, ProgType};
use skep_program::{MapDef, Program};

use crate::ask::{FEW_CAPABILITIES, can_ask, compare, program};
use crate::numbers::Random;

/// A program under way.
struct Text {
    random: Random,
    text: String,
    labels: u32,
}

const SIZES: [(&str, i64); 4] = [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8)];

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        writeln!(self.text, "{}", line.as_ref()).unwrap();
    }

    /// An offset near a multiple of the size, most often one.
    fn offset(&mut self, size: i64, least: i64, most: i64) -> i64 {
        let at = self.random.between(least, most);
        if self.random.below(8) == 0 { at } else { at.div_euclid(size) * size }
    }

    /// A register that most often holds a number.
    fn value(&mut self) -> &'static str {
        self.random.one(&["r8", "r9", "r8", "r9", "r0", "r6", "r10", "r7"])
    }

    /// Loads, stores and atomic operations through a register.
    fn reach(&mut self, base: &str, least: i64, most: i64) {
        let (name, size) = self.random.one(&SIZES);
        let off = self.offset(size, least, most);
        let value = self.value();
        match self.random.below(12) {
            0..=3 => self.line(format!("r0 = *({name} *)({base} {off:+})")),
            4 => self.line(format!("r0 = *({} *)({base} {off:+})", name.replace('u', "s").replace("s64", "u64"))),
            5 | 6 => self.line(format!("*({name} *)({base} {off:+}) = {value}")),
            7 => self.line(format!("*({name} *)({base} {off:+}) = 0")),
            8 => {
                let number = self.random.between(-3, 300);
                self.line(format!("*({name} *)({base} {off:+}) = {number}"));
            }
            9 => self.line(format!("lock *(u64 *)({base} {off:+}) += {value}")),
            10 => self.line(format!("r9 = atomic64_fetch_add((u64 *)({base} {off:+}), r9)")),
            _ => self.line(format!("r0 = *(u64 *)(r10 {:+})", self.random.between(-8, -1) * 8)),
        }
    }

    fn bounded(&mut self) {
        let off = self.random.below(4) * 4;
        self.line(format!("r8 = *(u32 *)(r6 +{off})"));
        match self.random.below(5) {
            0 => self.line(format!("r8 &= {}", self.random.one(&[1, 3, 7, 8, 15, 16, 24]))),
            1 => self.line(format!("if r8 > {} goto out", self.random.between(0, 40))),
            2 => {
                self.line("r8 -= 8");
                self.line(format!("if r8 s> {} goto out", self.random.between(-8, 40)));
            }
            3 => {
                self.line(format!("r8 &= {}", self.random.one(&[7, 8, 15])));
                self.line(format!("r8 += {}", self.random.between(-16, 16)));
            }
            _ => {}
        }
    }

    fn stack(&mut self) {
        if self.random.below(3) == 0 {
            self.line("r1 = r10");
            self.line(format!("r1 += {}", self.random.between(-7, -1) * 8));
            self.line("r1 += r8");
            self.reach("r1", -16, 16);
        } else {
            self.reach("r10", -56, -1);
        }
    }

    fn map_value(&mut self) {
        self.line("r1 = r7");
        if self.random.below(2) == 0 {
            self.line("r1 += r8");
        }
        self.reach("r1", -2, 34);
    }

    fn packet(&mut self) {
        self.line("r2 = *(u32 *)(r6 +76)");
        self.line("r3 = *(u32 *)(r6 +80)");
        if self.random.below(3) == 0 {
            self.line("r2 += r8");
        }
        self.line("r4 = r2");
        self.line(format!("r4 += {}", self.random.between(1, 20)));
        let compare = self.random.one(&["r4 > r3", "r4 >= r3", "r3 < r4", "r3 <= r4"]);
        self.line(format!("if {compare} goto out"));
        let base = self.random.one(&["r2", "r2", "r2", "r4"]);
        let (least, most) = if base == "r2" { (0, 20) } else { (-20, 0) };
        self.reach(base, least, most);
    }

    fn helper(&mut self) {
        let memory = self.random.one(&["r10", "r10", "r10", "r7", "r2", "r6", "r8"]);
        let at = match memory {
            "r10" => self.random.between(-56, -1),
            _ => self.random.between(0, 16),
        };
        let at = if self.random.below(6) == 0 { at } else { at.div_euclid(8) * 8 };
        let size = if self.random.below(3) == 0 { "r8".to_owned() } else { self.random.between(-1, 34).to_string() };
        let pointer = move |text: &mut Text, reg: &str| {
            text.line(format!("{reg} = {memory}"));
            if !matches!(memory, "r6" | "r8") {
                text.line(format!("{reg} += {at}"));
            }
        };
        if memory == "r2" {
            self.line("r2 = *(u32 *)(r6 +76)\nr3 = *(u32 *)(r6 +80)\nr4 = r2\nr4 += 24\nif r4 > r3 goto out");
        }
        match self.random.below(4) {
            // skb_load_bytes(ctx, offset, to, size)
            0 => {
                pointer(self, "r3");
                self.line(format!("r4 = {size}\nr1 = r6\nr2 = 0\ncall 26"));
            }
            // csum_diff(from, size, to, size, seed)
            1 => {
                pointer(self, "r1");
                self.line(format!("r2 = {size}\nr3 = 0\nr4 = 0\nr5 = 0\ncall 28"));
            }
            // get_current_comm is for tracing; map_update_elem(map, key, value, flags) is for all.
            2 => {
                pointer(self, "r3");
                self.line("r2 = r10\nr2 += -4\nr1 = map[idx:0]\nr4 = 0\ncall 2");
            }
            // skb_store_bytes(ctx, offset, from, size, flags)
            _ => {
                pointer(self, "r3");
                self.line(format!("r4 = {size}\nr1 = r6\nr2 = 0\nr5 = 0\ncall 9"));
            }
        }
    }

    fn context(&mut self) {
        let (name, size) = self.random.one(&SIZES);
        let off = self.offset(size, 0, 191);
        if self.random.below(3) == 0 {
            self.line(format!("*({name} *)(r6 {off:+}) = r9"));
        } else {
            self.line(format!("r0 = *({name} *)(r6 {off:+})"));
        }
    }

    fn join(&mut self) {
        let label = format!("l{}", self.labels);
        self.labels += 1;
        self.line(format!("if r9 > {} goto {label}", self.random.between(0, 5)));
        self.stack();
        self.line(format!("{label}:"));
    }
}

fn text(seed: u64) -> String {
    let mut text = Text { random: Random::new(seed), text: String::new(), labels: 0 };
    text.line("r6 = r1\n*(u32 *)(r10 -4) = 0\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr7 = r0\nr0 = 0");
    text.line("r9 = *(u32 *)(r6 +8)");
    text.bounded();
    let steps = 2 + text.random.below(8);
    for _ in 0..steps {
        match text.random.below(12) {
            0..=3 => text.stack(),
            4 | 5 => text.map_value(),
            6 => text.packet(),
            7 | 8 => text.helper(),
            9 => text.context(),
            10 => text.bounded(),
            _ => text.join(),
        }
    }
    text.line("out:\nr0 = 0\nexit");
    text.text
}

/// As [`text`], without jumps and without numbers that are not known: what the processor may speculate on.
fn straight(seed: u64) -> String {
    let mut text = Text { random: Random::new(seed), text: String::new(), labels: 0 };
    text.line("r6 = r1\nr7 = map[idx:0]+0\nr9 = *(u32 *)(r6 +8)\nr8 = 8\nr0 = 0\n*(u32 *)(r10 -4) = 0");
    for _ in 0..1 + text.random.below(6) {
        match text.random.below(10) {
            0..=3 => text.reach("r10", -32, -1),
            4 => {
                let by = text.random.between(-8, 40);
                text.line(format!("r1 = r7\nr1 += {by}"));
                text.reach("r1", -2, (34 - by).max(0));
            }
            5 => {
                let by = text.random.between(-34, 1) * 8;
                text.line(format!("r1 = r10\nr1 += {by}"));
                text.reach("r1", 0, 16);
            }
            6 | 7 => text.reach("r7", 0, 32),
            8 => text.context(),
            _ => text.helper(),
        }
    }
    text.line("out:\nr0 = 0\nexit");
    text.text
}

fn with_values(text: &str, entries: u32) -> Program {
    let map = MapDef { key_size: 4, value_size: 32, max_entries: entries, ..MapDef::new("values", MapType::Array) };
    Program { maps: vec![Arc::new(map)], ..program(ProgType::SchedCls, text) }
}

/// `SKEP_MEMORY_PROGRAMS` says how many.
fn all_alike(what: &str, text: impl Fn(u64) -> String, entries: u32) {
    let count = std::env::var("SKEP_MEMORY_PROGRAMS").map_or(2_000, |count| count.parse().expect("a number"));
    let (mut accepted, mut undecided, mut different) = (0, 0, Vec::new());
    for seed in 1..=count {
        let compared = compare(&with_values(&text(seed), entries));
        accepted += u64::from(compared.accepted);
        undecided += u64::from(compared.undecided);
        if let Some(difference) = compared.difference.filter(|_| !compared.undecided) {
            different.push((seed, difference));
        }
    }
    println!("{what}: {count} programs: {accepted} accepted by Linux, {undecided} undecided, {} different", different.len());
    for (seed, difference) in different.iter().take(3) {
        println!("seed {seed}\n{}\n{difference}\n", text(*seed));
    }
    assert!(different.is_empty(), "{what}");
    assert!(undecided * 20 < count, "{undecided} of {count} undecided");
}

#[test]
fn random_programs() {
    if can_ask() {
        all_alike("random programs", text, 4);
    }
}

#[test]
fn random_programs_of_somebody_with_few_capabilities() {
    if !can_ask() {
        return;
    }
    if std::env::var_os(FEW_CAPABILITIES).is_some() {
        return all_alike("few capabilities", straight, 1);
    }
    let name = "random::random_programs_of_somebody_with_few_capabilities";
    let mut again = Command::new("setpriv");
    again.arg("--bounding-set=-all,+bpf,+net_admin,+dac_override").arg(std::env::current_exe().expect("this test"));
    again.args(["--exact", name, "--nocapture"]).env(FEW_CAPABILITIES, "1");
    match again.output() {
        Err(error) => println!("skipped: needs setpriv ({error})"),
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
