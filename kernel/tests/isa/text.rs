//! The disassembler against the verifier's log, and both assemblers' way back.

use std::collections::BTreeSet;

use skep_isa::{Callee, Code, Insn, RawInsn, asm, decode};
use skep_kernel::LogLevel;
use skep_linux::HelperNames;

/// The text of a slot in the log: `17: (07) r8 += 1 ; R8=10`, the listing before the verification or a line of it.
fn logged(log: &str, slot: usize) -> Option<&str> {
    let start = format!("{slot}: ");
    log.lines().find_map(|line| {
        let (_, text) = line.trim_start().strip_prefix(&start)?.split_once('(')?;
        let (code, text) = text.split_once(") ")?;
        let text = text.split(" ;").next()?;
        (code.len() == 2).then_some(text.trim_end())
    })
}

const OPERANDS: [(u8, u8, i16, i32); 22] = [
    (0, 0, 0, 0),
    (8, 0, 0, 0),
    (8, 9, 0, 0),
    (8, 0, 0, 16),
    (8, 0, 0, 32),
    (8, 0, 0, -7),
    (8, 0, 1, 3),
    (8, 9, 1, 0),
    (8, 9, 8, 0),
    (8, 9, 16, 0),
    (8, 9, 32, 0),
    (8, 9, 7, 0),
    (8, 0, 5, -1),
    (0, 0, 5, 0),
    (0, 0, 0, 5),
    (8, 10, -8, 0),
    (10, 0, -8, -1),
    (10, 8, -8, 0),
    (10, 8, -8, 0x40),
    (10, 8, -8, 0xa1),
    (10, 8, -8, 0x110),
    (8, 10, -8, 0x100),
];

/// Every opcode with fields of several kinds.
fn candidates() -> Vec<Vec<RawInsn>> {
    let mut all = Vec::new();
    for code in 0..=255 {
        let second = |high| if code == 0x18 { vec![RawInsn::new(0, 0, 0, 0, high)] } else { vec![] };
        let extra = [(10, 8, -8, 0xe1), (10, 8, -8, 0xf1), (10, 8, -8, 0x51), (10, 8, -16, 1), (0, 8, 0, 3), (0, 0, 0, -3)];
        for (dst, src, off, imm) in OPERANDS.into_iter().chain(extra) {
            for high in if code == 0x18 { vec![0, 5, -1] } else { vec![0] } {
                let mut slots = vec![RawInsn::new(code, dst, src, off, imm)];
                slots.extend(second(high));
                all.push(slots);
            }
        }
    }
    for id in 0..215 {
        all.push(vec![RawInsn::new(0x85, 0, 0, 0, id)]);
    }
    all
}

#[test]
fn instructions_read_as_in_the_log_of_the_verifier() {
    if !super::kernel() {
        return;
    }
    let mut compared = 0;
    let mut opcodes = BTreeSet::new();
    let mut different = BTreeSet::new();
    for slots in candidates() {
        let Ok(insn) = decode(&slots, 0) else { continue };
        let (raw, at) = super::around(&slots);
        let (_, log) = super::load(&raw, LogLevel::States);
        let Some(kernel) = logged(&log, at) else { continue };
        // Linux prints the address of a map, a variable or a function, or 0.
        if matches!(insn, Insn::LoadWide { .. }) && slots[0].src() != 0 {
            continue;
        }
        let ours = insn.display(at, &HelperNames).to_string();
        if ours != kernel {
            different.insert(format!("kernel {kernel:?}, ours {ours:?}"));
        }
        assert_eq!(asm::kernel::assemble_with(kernel, &HelperNames).as_deref(), Ok(&slots[..]), "{kernel}");
        compared += 1;
        opcodes.insert(slots[0].code);
    }
    println!("{compared} instructions of {} opcodes compared", opcodes.len());
    assert!(different.is_empty(), "{different:#?}");
    assert!(opcodes.len() > 120 && compared > 800, "{} {compared}", opcodes.len());
}

#[test]
fn a_whole_log_assembles() {
    if !super::kernel() {
        return;
    }
    let slots = [RawInsn::new(0x18, 8, 0, 0, -1), RawInsn::new(0, 0, 0, 0, 5), RawInsn::new(0xdb, 10, 8, -8, 0xf1)];
    let (raw, _) = super::around(&slots);
    let (taken, log) = super::load(&raw, LogLevel::States);
    assert!(taken);
    let lines = log.lines().filter_map(|line| {
        // The listing of live registers: slot, registers, opcode, text.
        let (slot, rest) = line.trim_start().split_once(": ")?;
        let (live, text) = rest.split_once(" (")?;
        let listing = slot.bytes().all(|b| b.is_ascii_digit()) && live.bytes().all(|b| b == b'.' || b.is_ascii_digit());
        listing.then(|| format!("{slot}: ({text}\n"))
    });
    let listing: String = lines.collect();
    assert_eq!(asm::kernel::assemble_with(&listing, &HelperNames), Ok(raw.clone()));
    let ours = Code::decode(&raw).unwrap().listing(&HelperNames).to_string();
    let trimmed = |text: &str| text.lines().map(|line| line.trim().to_string()).collect::<Vec<_>>();
    assert_eq!(trimmed(&ours), trimmed(&listing));
}

#[test]
fn unnamed_calls_read_as_in_the_kernel() {
    assert_eq!(Insn::Call(Callee::Kfunc { id: 9, module: 0 }).to_string(), "call kernel-function#9");
    assert_eq!(Insn::Call(Callee::Helper(9999)).to_string(), "call unknown#9999");
}
