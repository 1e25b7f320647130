//! Numbers at full width, held against what the kernel's verifier writes into its log about the same instructions.

use proptest::prelude::*;
use skep_isa::{AluOp, Callee, Cond as IsaCond, Insn, Operand, RawInsn, Reg, Size, Width};
use skep_kernel::{Kernel, Load, LogLevel};
use skep_linux::ProgType;
use skep_verifier::domain::{Bitwise, Cond, Op, Scalar64, Shift};

const GET_PRANDOM_U32: i32 = 7;
const REGS: [Reg; 2] = [Reg::R6, Reg::R7];

/// The right side: the other register, or a number.
#[derive(Debug, Clone, Copy)]
enum Right {
    Reg,
    Imm(i32),
}

/// What an instruction does to one register.
#[derive(Debug, Clone, Copy)]
enum Act {
    Alu(Width, Op, Right),
    Neg(Width),
    ZeroExtend,
    SignExtend(Width, Size),
    /// The condition under which the program ends.
    EndIf(Width, Cond, Right),
}

/// An act, and which of the two registers it is on.
type Step = (usize, Act);

const OPS: [(Op, AluOp); 9] = [
    (Op::Add, AluOp::Add),
    (Op::Sub, AluOp::Sub),
    (Op::Mul, AluOp::Mul),
    (Op::Bits(Bitwise::And), AluOp::And),
    (Op::Bits(Bitwise::Or), AluOp::Or),
    (Op::Bits(Bitwise::Xor), AluOp::Xor),
    (Op::Shift(Shift::Left), AluOp::Lsh),
    (Op::Shift(Shift::Right), AluOp::Rsh),
    (Op::Shift(Shift::Signed), AluOp::Arsh),
];

const CONDS: [(Cond, IsaCond); 11] = [
    (Cond::Equal, IsaCond::Eq),
    (Cond::NotEqual, IsaCond::Ne),
    (Cond::AnyBit, IsaCond::Set),
    (Cond::Less, IsaCond::Lt),
    (Cond::LessOrEqual, IsaCond::Le),
    (Cond::Greater, IsaCond::Gt),
    (Cond::GreaterOrEqual, IsaCond::Ge),
    (Cond::SLess, IsaCond::Slt),
    (Cond::SLessOrEqual, IsaCond::Sle),
    (Cond::SGreater, IsaCond::Sgt),
    (Cond::SGreaterOrEqual, IsaCond::Sge),
];

fn find<T: PartialEq + Copy, U: Copy>(table: &[(T, U)], key: T) -> U {
    table.iter().find(|(found, _)| *found == key).expect("a row").1
}

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        -40..40i32,
        any::<i32>(),
        (0..31u32).prop_map(|bit| 1 << bit),
        (0..32u32, -2..2i32).prop_map(|(bit, by)| (1i32.wrapping_shl(bit)).wrapping_add(by)),
        Just(i32::MIN),
        Just(i32::MAX),
    ]
}

fn right() -> impl Strategy<Value = Right> {
    prop_oneof![Just(Right::Reg), number().prop_map(Right::Imm), number().prop_map(Right::Imm)]
}

fn width() -> impl Strategy<Value = Width> {
    prop_oneof![Just(Width::W32), Just(Width::W64)]
}

fn act() -> impl Strategy<Value = Act> {
    let op = proptest::sample::select(OPS.map(|(op, _)| op).to_vec());
    let cond = proptest::sample::select(CONDS.map(|(cond, _)| cond).to_vec());
    let extension = proptest::sample::select(vec![
        (Width::W32, Size::B),
        (Width::W32, Size::H),
        (Width::W64, Size::B),
        (Width::W64, Size::H),
        (Width::W64, Size::W),
    ]);
    prop_oneof![
        4 => (width(), op, right()).prop_map(|(width, op, right)| Act::Alu(width, op, shift_in_range(width, op, right))),
        5 => (width(), cond, right()).prop_map(|(width, cond, right)| Act::EndIf(width, cond, right)),
        1 => width().prop_map(Act::Neg),
        1 => Just(Act::ZeroExtend),
        1 => extension.prop_map(|(width, from)| Act::SignExtend(width, from)),
    ]
}

/// Linux refuses to move by a constant that is out of range.
fn shift_in_range(width: Width, op: Op, right: Right) -> Right {
    let bits = if width == Width::W32 { 32 } else { 64 };
    match (op, right) {
        (Op::Shift(_), Right::Imm(imm)) => Right::Imm(imm.rem_euclid(bits)),
        _ => right,
    }
}

/// A program, and what the kernel should say of both registers after its instructions.
struct Script {
    insns: Vec<Insn>,
    regs: [Scalar64; 2],
    /// Number of the instruction, registers after it.
    states: Vec<(usize, [Scalar64; 2])>,
}

impl Script {
    /// Two registers with unknown numbers, and a return value.
    fn new() -> Script {
        let random = Insn::Call(Callee::Helper(GET_PRANDOM_U32));
        let mov = |dst, src| Insn::Mov { width: Width::W64, dst, src };
        let [a, b] = REGS.map(|reg| mov(reg, Operand::Reg(Reg::R0)));
        let insns = vec![random, a, random, b, mov(Reg::R0, Operand::Imm(0))];
        Script { insns, regs: [Scalar64::UNKNOWN; 2], states: Vec::new() }
    }

    /// The right side of an act on a register: its operand, and what is known of it.
    fn right(&self, on: usize, right: Right) -> (Operand, Scalar64) {
        match right {
            Right::Reg => (Operand::Reg(REGS[1 - on]), self.regs[1 - on]),
            Right::Imm(imm) => (Operand::Imm(imm), Scalar64::exact(i64::from(imm) as u64)),
        }
    }

    /// Adds an act. `false`: the program can have no more of them.
    fn add(&mut self, (on, act): Step) -> bool {
        let (dst, known) = (REGS[on], self.regs[on]);
        match act {
            Act::Alu(width, op, right) => {
                let (src, with) = self.right(on, right);
                // Of a number that is all ones or all zeros, Linux goes on with both, one after the other.
                let mask = (known.wide.smin, known.wide.smax) == (-1, 0) || (known.low.smin, known.low.smax) == (-1, 0);
                if mask && matches!(op, Op::Bits(Bitwise::And | Bitwise::Or)) && with.constant().is_some() {
                    return false;
                }
                self.insns.push(Insn::Alu { width, op: find(&OPS, op), dst, src });
                self.regs[on] = if width == Width::W64 { known.op(op, &with) } else { known.low_op(op, &with) };
            }
            Act::Neg(width) => {
                self.insns.push(Insn::Neg { width, dst });
                self.regs[on] = if width == Width::W64 { known.negated() } else { known.low_negated() };
            }
            Act::ZeroExtend => {
                self.insns.push(Insn::Mov { width: Width::W32, dst, src: Operand::Reg(dst) });
                self.regs[on] = known.zero_extended();
            }
            Act::SignExtend(width, from) => {
                self.insns.push(Insn::MovSx { width, from, dst, src: dst });
                let bits = u32::from(from.bytes()) * 8;
                self.regs[on] = if width == Width::W64 { known.sign_extended(bits) } else { known.low_sign_extended(bits) };
            }
            Act::EndIf(width, cond, right) => {
                let (src, mut with) = self.right(on, right);
                let outcome = if width == Width::W64 { known.compare(cond, &with) } else { known.low_compare(cond, &with) };
                if outcome == Some(true) {
                    return false;
                }
                self.insns.push(Insn::JumpIf { width, cond: find(&CONDS, cond), dst, src, off: 0 });
                if outcome.is_none() {
                    match width {
                        Width::W64 => self.regs[on].assume(cond.negated(), &mut with),
                        Width::W32 => self.regs[on].low_assume(cond.negated(), &mut with),
                    }
                    if matches!(right, Right::Reg) {
                        self.regs[1 - on] = with;
                    }
                }
            }
        }
        self.states.push((self.insns.len() - 1, self.regs));
        // Of numbers that cannot be, Linux forgets the bounds.
        self.regs.iter().all(|reg| !reg.is_contradiction())
    }

    /// The instructions, with every condition leading to the end.
    fn encode(&self) -> Vec<RawInsn> {
        let end = self.insns.len();
        let aimed = self.insns.iter().enumerate().map(|(at, insn)| match *insn {
            Insn::JumpIf { width, cond, dst, src, .. } => Insn::JumpIf { width, cond, dst, src, off: (end - at - 1) as i16 },
            other => other,
        });
        aimed.chain([Insn::Exit]).flat_map(|insn| insn.encode().unwrap().to_vec()).collect()
    }
}

/// What a line of the log says of a register, without the marks that are not about its value.
fn said(line: &str, reg: &str) -> Option<String> {
    let state = line.split_once("; ")?.1;
    let text = state.split_whitespace().find_map(|part| part.strip_prefix(reg)?.split_once('=').map(|(_, text)| text))?;
    let text = text.strip_prefix('P').unwrap_or(text);
    let Some(inner) = text.strip_prefix("scalar(").and_then(|rest| rest.strip_suffix(')')) else { return Some(text.to_owned()) };
    let kept: Vec<&str> = inner.split(',').filter(|part| !part.starts_with("id=")).collect();
    Some(format!("scalar({})", kept.join(",")))
}

/// Holds a program against the log. How many states were compared.
fn hold(steps: &[Step]) -> Result<u64, TestCaseError> {
    let mut script = Script::new();
    for step in steps {
        if !script.add(*step) {
            break;
        }
    }
    let insns = script.encode();
    let load = Load { log_level: LogLevel::States, ..Load::raw(ProgType::SocketFilter, &insns) };
    let log = match load.load_with_log() {
        Ok((_, log)) => log,
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let mut compared = 0;
    for (at, regs) in &script.states {
        let Some(line) = log.lines().find(|line| line.starts_with(&format!("{at}: ("))) else {
            return Err(TestCaseError::fail(format!("instruction {at} was never looked at:\n{log}")));
        };
        // var_off=(0x0; 0xff) has a space in it.
        let line = line.replace("; 0x", ";0x");
        for (reg, known) in ["R6", "R7"].iter().zip(regs) {
            let Some(said) = said(&line, reg) else { continue };
            prop_assert_eq!(known.to_string().replace("; 0x", ";0x"), said, "{} after {}\n{}", reg, at, &log);
            compared += 1;
        }
    }
    Ok(compared)
}

#[test]
fn numbers_are_those_of_the_log() {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let compared = std::cell::Cell::new(0u64);
    let steps = proptest::collection::vec((0..2usize, act()), 1..24);
    let result = runner.run(&steps, |steps| {
        compared.set(compared.get() + hold(&steps)?);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    println!("{} states of registers compared", compared.get());
    assert!(compared.get() > u64::from(cases));
}
