//! What the bytes are to a disassembler, and how long they are.

use std::collections::BTreeSet;

use iced_x86::{Code as Opcode, Decoder, DecoderOptions, FlowControl, Instruction};
use skep_isa::{Cond, Insn, Operand, Reg, Width};
use skep_jit::{Arch, Code, Features, Options};
use skep_program::Through;
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Operand as Operand64};

use crate::model::build;
use crate::programs::program;
use crate::random::Random;
use crate::typical::{facts, raw, typical};

fn x86(features: Features) -> Options {
    Options { arch: Arch::X86_64, features, first_slot: 0 }
}

/// Every instruction, from the first byte to the last.
fn instructions(code: &Code) -> Vec<Instruction> {
    let decoder = Decoder::with_ip(64, &code.bytes, 0, DecoderOptions::NONE);
    let all: Vec<Instruction> = decoder.into_iter().collect();
    if let Some(wrong) = all.iter().find(|insn| insn.is_invalid()) {
        panic!("no instruction at {:#x}: {:x?}", wrong.ip(), &code.bytes[wrong.ip() as usize..]);
    }
    all
}

/// Every byte belongs to an instruction, and every jump leads to the beginning of one.
fn check(code: &Code) -> Vec<Instruction> {
    let all = instructions(code);
    let starts: BTreeSet<u64> = all.iter().map(Instruction::ip).collect();
    assert_eq!(all.iter().map(Instruction::len).sum::<usize>(), code.bytes.len());
    for insn in &all {
        match insn.flow_control() {
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call => {
                let to = insn.near_branch_target();
                assert!(starts.contains(&to), "{:#x} leads to {to:#x}, into an instruction", insn.ip());
            }
            _ => {}
        }
        let privileged = matches!(insn.code(), Opcode::Syscall | Opcode::Sysenter | Opcode::Int_imm8 | Opcode::Hlt);
        assert!(!privileged && !insn.is_privileged(), "{:#x}: {:?}", insn.ip(), insn.code());
    }
    for &slot in code.slots.iter().chain(code.functions.values()).chain([&code.entry]) {
        assert!(starts.contains(&slot.into()) || slot as usize == code.bytes.len(), "{slot:#x} begins no instruction");
    }
    all
}

#[test]
fn everything_decodes() {
    for seed in 0..500 {
        let raw = raw(&program(&mut Random(seed << 20)));
        for through in [Through::Stack, Through::Other] {
            for features in [Features::baseline(), Features::all()] {
                check(&build(&raw, facts(&raw, through), &x86(features)).unwrap());
            }
        }
    }
}

/// Every word of aarch64 code is an instruction, and every jump leads into the code.
#[test]
fn every_word_decodes() {
    let decoder = InstDecoder::default();
    let mut opcodes = BTreeSet::new();
    for seed in 0..300 {
        let raw = raw(&program(&mut Random(seed << 20)));
        for through in [Through::Stack, Through::Other] {
            for features in [Features::baseline(), Features::all()] {
                let options = Options { features, ..Options::baseline(Arch::Aarch64) };
                let code = build(&raw, facts(&raw, through), &options).unwrap();
                for (at, word) in code.bytes.chunks(4).enumerate() {
                    let insn = decoder.decode(&mut U8Reader::new(word));
                    let insn = insn.unwrap_or_else(|error| panic!("{word:x?} at {:#x}: {error}", at * 4));
                    for operand in insn.operands {
                        if let Operand64::PCOffset(distance) = operand {
                            let target = at as i64 * 4 + distance;
                            assert!(
                                (0..code.bytes.len() as i64).contains(&target),
                                "{insn} at {:#x} leads out of the code",
                                at * 4
                            );
                        }
                    }
                    opcodes.insert(insn.opcode.to_string());
                }
            }
        }
    }
    assert!(opcodes.len() > 40, "{opcodes:?}");
}

/// A jump over instructions whose code is as long as given.
fn over(bytes: usize, forward: bool) -> Vec<Insn> {
    let (width, cond, dst, src) = (Width::W64, Cond::Eq, Reg::R1, Operand::Imm(7));
    let mut middle = Vec::new();
    let mut left = bytes;
    while left > 0 {
        // One of 2 bytes, or of 3.
        let (width, len) = if left % 2 == 1 { (Width::W64, 3) } else { (Width::W32, 2) };
        middle.push(Insn::Mov { width, dst: Reg::R2, src: Operand::Reg(Reg::R1) });
        left -= len;
    }
    let len = middle.len() as i16;
    if forward {
        middle.insert(0, Insn::JumpIf { width, cond, dst, src, off: len });
    } else {
        middle.push(Insn::JumpIf { width, cond, dst, src, off: -len - 1 });
    }
    middle.push(Insn::Exit);
    middle
}

fn jumps(code: &Code) -> Vec<(usize, i64)> {
    let all = check(code);
    let jumps = all.iter().take_while(|insn| insn.ip() < u64::from(code.entry));
    let jumps = jumps.filter(|insn| insn.flow_control() == FlowControl::ConditionalBranch);
    jumps.map(|insn| (insn.len(), insn.near_branch_target().wrapping_sub(insn.next_ip()) as i64)).collect()
}

fn compiled(insns: &[Insn]) -> Code {
    let raw = raw(insns);
    build(&raw, facts(&raw, Through::Stack), &x86(Features::baseline())).unwrap()
}

#[test]
fn jumps_are_short_up_to_the_last_byte() {
    let forward = |bytes| jumps(&compiled(&over(bytes, true)))[0];
    assert_eq!([126, 127, 128, 129].map(forward), [(2, 126), (2, 127), (6, 128), (6, 129)]);
    // Backwards over the comparison, of 4 bytes, and the jump itself too.
    let backward = |bytes: usize| jumps(&compiled(&over(bytes - 6, false)))[0];
    assert_eq!([127, 128, 129, 130].map(backward), [(2, -127), (2, -128), (6, -133), (6, -134)]);
}

/// Jumps over jumps: which of them are short depends on which of the others are. Whatever comes out, all of them lead where they should.
#[test]
fn chains_of_jumps_lead_where_they_should() {
    for padding in 100..140 {
        for step in 1..12 {
            let mut insns = Vec::new();
            let count = 60;
            for index in 0..count {
                let off = if index + step < count { step } else { count - index - 1 };
                let src = Operand::Imm(if index % 3 == 0 { 1000 } else { 1 });
                insns.push(Insn::JumpIf { width: Width::W64, cond: Cond::Gt, dst: Reg::R1, src, off });
            }
            for _ in 0..padding / 2 {
                insns.push(Insn::Mov { width: Width::W32, dst: Reg::R2, src: Operand::Reg(Reg::R1) });
            }
            for index in 0..count {
                let off = -step - padding as i16 / 2 - index % 7;
                insns.push(Insn::JumpIf { width: Width::W64, cond: Cond::Lt, dst: Reg::R1, src: Operand::Imm(-1), off });
            }
            insns.push(Insn::Exit);
            let code = compiled(&insns);
            let all = check(&code);
            for (slot, insn) in insns.iter().enumerate() {
                let Some(distance) = insn.distance() else { continue };
                let end = u64::from(code.slots[slot + 1]);
                // What is between it and the next instruction aligns a loop.
                let is_jump =
                    |insn: &&Instruction| insn.flow_control() == FlowControl::ConditionalBranch && insn.next_ip() <= end;
                let jump = all.iter().rev().find(is_jump).unwrap();
                let target = code.slots[(slot as i32 + 1 + distance) as usize];
                if distance != 0 {
                    assert_eq!(jump.near_branch_target(), u64::from(target), "slot {slot}, padding {padding}, step {step}");
                    let short = i8::try_from(i64::from(target) - jump.next_ip() as i64).is_ok();
                    // Jumps that fit only because all others became short may be long, but there are few.
                    assert!(short || jump.len() > 2);
                }
            }
        }
    }
}

#[test]
fn code_is_short() {
    let insns = typical(4000);
    let code = compiled(&insns);
    check(&code);
    let per_insn = code.bytes.len() as f64 / insns.len() as f64;
    println!("{per_insn:.2} bytes per instruction");
    assert!(per_insn <= 4.6, "{per_insn} bytes per instruction");
}
