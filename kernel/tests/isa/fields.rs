//! Which fields of which opcodes are reserved, and which opcodes there are.

use std::collections::BTreeMap;

use skep_isa::{DecodeError, Field, Insn, RawInsn, decode};
use skep_kernel::LogLevel;

/// What the kernel says of an instruction that is malformed, whatever the registers hold.
const MALFORMED: [&str; 10] = [
    "unknown opcode ",
    " uses reserved fields",
    "invalid BPF_LD_IMM insn",
    "unrecognized bpf_ld_imm64 insn",
    "invalid bpf_ld_imm64 insn",
    "BPF_ATOMIC uses invalid atomic opcode",
    "invalid atomic operand size",
    "invalid atomic load operand size",
    "addr_space_cast insn can only convert between address space 1 and 0",
    "invalid may_goto imm ",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Taken,
    Malformed,
    /// Refused for what it does.
    Refused,
}

fn ask(slots: &[RawInsn]) -> (Verdict, String) {
    let (taken, log) = super::load(&super::around(slots).0, LogLevel::Path);
    if taken {
        return (Verdict::Taken, String::new());
    }
    let register = |line: &str| line.starts_with('R') && line.ends_with(" is invalid");
    match log.lines().find(|line| register(line) || MALFORMED.iter().any(|words| line.contains(words))) {
        Some(line) => (Verdict::Malformed, line.to_string()),
        None => (Verdict::Refused, log),
    }
}

/// Where skep knowingly differs from Linux 6.18.
fn known_difference(raw: RawInsn, ours: Result<Insn, DecodeError>, kernel: Verdict) -> bool {
    match (ours, kernel) {
        // RFC 9669 has no use for the field; Linux does not read it.
        (Err(DecodeError::Reserved { field: Field::Off, .. }), Verdict::Taken) => raw.code == 0x95,
        // `callx` has an opcode in RFC 9669 alone, `gotox` came after 6.18.
        (Ok(Insn::Call(_) | Insn::JumpReg { .. }), Verdict::Malformed) => matches!(raw.code, 0x8d | 0x0d),
        _ => false,
    }
}

/// Repeatable choice without a library.
struct Choice(u64);

impl Choice {
    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        from[(self.0 >> 33) as usize % from.len()]
    }
}

const REGS: [(u8, u8); 13] =
    [(8, 9), (0, 0), (8, 0), (0, 9), (10, 8), (8, 10), (11, 0), (0, 11), (8, 1), (8, 2), (0, 1), (0, 2), (0, 3)];
const OFFS: [i16; 8] = [0, 1, 2, 8, 16, 32, -1, -8];
const IMMS: [i32; 18] = [0, 1, 16, 32, 64, -1, 0x10000, 0x100, 0x110, 0x40, 0x51, 0xa1, 0xe1, 0xe0, 0xf1, 7, 0x10001, 2];

/// Every opcode with one or two fields away from a plain form, and with any fields.
fn one_slot() -> Vec<RawInsn> {
    let mut all = Vec::new();
    let mut choice = Choice(1);
    for code in (0..=255).filter(|&code| code != 0x18) {
        let plain = RawInsn::new(code, 0, 0, 0, 0);
        if matches!(decode(&[plain], 0), Err(DecodeError::UnknownOpcode { .. })) {
            let (dst, src) = choice.of(&REGS);
            all.extend([plain, RawInsn::new(code, dst, src, choice.of(&OFFS), choice.of(&IMMS))]);
            continue;
        }
        for plain_imm in [0, 16] {
            for (dst, src) in REGS {
                all.push(RawInsn::new(code, dst, src, 0, plain_imm));
                all.push(RawInsn::new(code, dst, src, choice.of(&OFFS), plain_imm));
                all.push(RawInsn::new(code, dst, src, 0, choice.of(&IMMS)));
            }
            all.extend(OFFS.map(|off| RawInsn::new(code, 8, 0, off, plain_imm)));
            all.extend(OFFS.map(|off| RawInsn::new(code, 0, 0, off, plain_imm)));
        }
        all.extend(IMMS.map(|imm| RawInsn::new(code, 10, 8, -8, imm)));
        all.extend(IMMS.map(|imm| RawInsn::new(code, 8, 10, -8, imm)));
        all.extend(IMMS.map(|imm| RawInsn::new(code, 0, 0, 0, imm)));
        for _ in 0..20 {
            let (dst, src) = choice.of(&REGS);
            all.push(RawInsn::new(code, dst, src, choice.of(&OFFS), choice.of(&IMMS)));
        }
    }
    all
}

/// Wide loads with each field of either slot set.
fn two_slots() -> Vec<[RawInsn; 2]> {
    let seconds = [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)];
    let mut all = Vec::new();
    for (dst, src) in (0..10).map(|kind| (8, kind)).chain([(0, 0), (10, 0), (11, 0)]) {
        for (off, imm) in [(0, 0), (1, 0), (0, 1), (0, -1)] {
            for (code, high_dst, high_src, high_off, high_imm) in seconds {
                let first = RawInsn::new(0x18, dst, src, off, imm);
                all.push([first, RawInsn::new(code, high_dst, high_src, high_off, high_imm)]);
            }
        }
    }
    all
}

#[test]
fn decoding_refuses_what_the_kernel_refuses() {
    if !super::kernel() {
        return;
    }
    let mut different = BTreeMap::new();
    let (mut taken, mut malformed, mut refused) = (0, 0, 0);
    let ones = one_slot();
    let twos = two_slots();
    let all = ones.iter().map(std::slice::from_ref).chain(twos.iter().map(|slots| &slots[..]));
    for slots in all {
        let ours = decode(slots, 0);
        let (verdict, words) = ask(slots);
        let agree = match verdict {
            Verdict::Taken => {
                taken += 1;
                ours.is_ok()
            }
            Verdict::Malformed => {
                malformed += 1;
                ours.is_err()
            }
            Verdict::Refused => {
                refused += 1;
                true
            }
        };
        if !agree && !known_difference(slots[0], ours, verdict) {
            let said = ours.map_or_else(|error| error.to_string(), |insn| insn.to_string());
            different.entry((slots[0].code, said)).or_insert(format!("{slots:?}: {verdict:?} {words}"));
        }
    }
    println!("asked: {taken} taken, {malformed} malformed, {refused} refused for what they do");
    assert!(different.is_empty(), "{} differ: {different:#?}", different.len());
    assert!(taken > 3000 && malformed > 15_000, "{taken} {malformed}");
}
