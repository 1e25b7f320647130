//! How much stack a function needs once the kernel has taken spills away and put loops in the place of calls, held against the number
//! that it reports.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::Program;
use skep_verifier::prep::prepare;
use skep_verifier::prep::stack_depth::{Frame, reported};
use skep_verifier::{Options, Setting};

/// A piece of the program. Places on the stack count registers down from the frame pointer, from 1.
#[derive(Debug, Clone)]
enum Piece {
    /// A word is written here.
    Store(u8),
    /// Registers (1 to 5) are spilled from this place upward, from the call outward, and filled; the last fill may be from elsewhere.
    Call { helper: i32, lowest: u8, registers: Vec<u8>, last_fill: Option<u8> },
    /// `may_goto` to the next instruction, or over one.
    MayGoto { over: bool },
}

fn piece() -> impl Strategy<Value = Piece> {
    let helper = prop_oneof![3 => Just(8), 1 => Just(7), 1 => Just(5)];
    let registers = prop::sample::subsequence(vec![1u8, 2, 3, 4, 5], 0..4).prop_shuffle();
    let last_fill = prop::option::weighted(0.1, 1..8u8);
    let call = (helper, 4..8u8, registers, last_fill).prop_map(|(helper, lowest, registers, last_fill)| Piece::Call {
        helper,
        lowest,
        registers,
        last_fill,
    });
    prop_oneof![2 => (1..8u8).prop_map(Piece::Store), 5 => call, 1 => any::<bool>().prop_map(|over| Piece::MayGoto { over })]
}

fn place(words: u8) -> i16 {
    -8 * i16::from(words)
}

fn build(pieces: &[Piece]) -> Vec<RawInsn> {
    let mut insns = Vec::new();
    // Fills of what was never written are refused; with much written, spills lie among it.
    let written = if pieces.len() > 1 { 7 } else { 3 };
    insns.extend((1..=written).map(|words| RawInsn::new(0x7a, 10, 0, place(words), 0)));
    for piece in pieces {
        match piece {
            Piece::Store(words) => insns.push(RawInsn::new(0x7a, 10, 0, place(*words), 7)),
            Piece::Call { helper, lowest, registers, last_fill } => {
                insns.extend((1..6).map(|register| RawInsn::new(0xb7, register, 0, 0, 1)));
                let at = |nth: usize| place(*lowest - nth as u8);
                let spills = registers.iter().enumerate().rev();
                insns.extend(spills.map(|(nth, register)| RawInsn::new(0x7b, 10, *register, at(nth), 0)));
                insns.push(RawInsn::new(0x85, 0, 0, 0, *helper));
                for (nth, register) in registers.iter().enumerate() {
                    let from = last_fill.filter(|_| nth + 1 == registers.len()).map_or(at(nth), place);
                    insns.push(RawInsn::new(0x79, *register, 10, from, 0));
                }
            }
            Piece::MayGoto { over } => {
                insns.push(RawInsn::new(0xe5, 0, 0, i16::from(*over), 0));
                insns.push(RawInsn::new(0xb7, 0, 0, 0, 0));
            }
        }
    }
    insns.extend([RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)]);
    insns
}

#[test]
fn depths_are_those_that_the_kernel_reports() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let options = Options::default();
    let inputs = prop::collection::vec(piece(), 1..4);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut taken_away, mut loops, mut all) = (0, 0, 0);
    for _ in 0..4000 {
        let pieces: Vec<Piece> = inputs.new_tree(&mut runner).unwrap().current();
        let insns = build(&pieces);
        let load = Load { log_level: LogLevel::Stats, ..Load::raw(ProgType::SchedCls, &insns) };
        let Ok((_, log)) = load.load_with_log() else { continue }; // a fill of what was never written
        let said = log.lines().find_map(|line| line.strip_prefix("stack depth ")).unwrap();

        let program = Program::bare("test", ProgType::SchedCls, insns.clone());
        let setting = Setting::new(&program, &target, &options).unwrap();
        let prep = prepare(&setting).unwrap();
        let accesses =
            || (0..insns.len()).filter(|slot| matches!((insns[*slot].code, insns[*slot].off), (0x79..=0x7b, -64..=-8)));
        let depth = accesses().map(|slot| u32::from(insns[slot].off.unsigned_abs())).max().unwrap_or(0);
        let foreign =
            |slot: usize| i32::from(insns[slot].off) < prep.subprogs[0].fastcall_stack && !prep.marks[slot].fastcall_pattern;
        let frame = Frame { depth, fastcall_broken: accesses().any(foreign), ..Frame::default() };
        let ours = reported(&setting, &prep, &[frame], |_| true);
        assert_eq!(ours[0].to_string(), said, "{pieces:?}\n{log}");
        all += 1;
        taken_away += usize::from(ours[0] < depth);
        loops += usize::from(ours[0] > depth);
    }
    println!("{all} programs, {taken_away} with less stack, {loops} with more");
    assert!(taken_away > 100 && loops > 100, "{taken_away} {loops}");
}
