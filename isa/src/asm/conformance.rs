//! The dialect of the bpf_conformance suite: `mov %r0, 5`, `ldxw %r0, [%r1+4]`, `jeq %r1, 0xb, exit`, `lock fetch add [%r1], %r2`.
//!
//! One instruction a line, comments begin with `#`, `name:` is a label. A jump to `exit` that no line defines leads to the first
//! `exit` instruction.

use super::cursor::Cursor;
use super::program::{Program, Target};
use super::{AsmError, Problem};
use crate::{AluOp, AtomicOp, ByteOrder, Callee, Cond, Insn, Operand, RawInsn, Reg, Size, Wide, Width};

/// Assembles text.
///
/// ```
/// let raw = skep_isa::asm::conformance::assemble("mov32 %r0, 0x1 # one\nexit").unwrap();
/// assert_eq!(raw[0].to_le_bytes(), [0xb4, 0, 0, 0, 1, 0, 0, 0]);
/// let error = skep_isa::asm::conformance::assemble("lddw %r0").unwrap_err();
/// assert_eq!(error.to_string(), "line 1, column 1: lddw: expected 2 operands, found 1");
/// ```
///
/// # Errors
/// [`AsmError`], with line and column.
pub fn assemble(text: &str) -> Result<Vec<RawInsn>, AsmError> {
    let mut program = Program::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        read_line(&mut program, Cursor::new(line, index + 1))?;
    }
    if let Some(slot) = program.first(Insn::Exit) {
        program.default_label("exit", slot);
    }
    program.finish()
}

fn read_line(program: &mut Program, mut cursor: Cursor<'_>) -> Result<(), AsmError> {
    if cursor.at_end() {
        return Ok(());
    }
    let start = cursor;
    let name = cursor.word().ok_or_else(|| cursor.expected("an instruction or a label"))?;
    if cursor.eat(":") {
        program.label(name, program.slots(), start.line()).map_err(|problem| start.error(problem))?;
        return cursor.need_end();
    }
    let shape = find(name).ok_or_else(|| start.error(Problem::Mnemonic { name: name.to_string() }))?;
    let (insn, target) = operands(shape, name, start, &mut cursor)?;
    program.push(&start, insn, target);
    Ok(())
}

/// What a mnemonic stands for.
#[derive(Clone, Copy)]
enum Shape {
    Alu(Width, AluOp),
    Mov(Width),
    MovSx(Width, Size),
    Neg(Width),
    Swap(ByteOrder, Size),
    Lddw,
    Load(Size, bool),
    StoreImm(Size),
    StoreReg(Size),
    Lock,
    Jump(bool),
    JumpIf(Width, Cond),
    Call,
    Exit,
}

const ALU: [(&str, AluOp); 13] = [
    ("add", AluOp::Add),
    ("sub", AluOp::Sub),
    ("mul", AluOp::Mul),
    ("div", AluOp::Div),
    ("sdiv", AluOp::Sdiv),
    ("mod", AluOp::Mod),
    ("smod", AluOp::Smod),
    ("or", AluOp::Or),
    ("and", AluOp::And),
    ("xor", AluOp::Xor),
    ("lsh", AluOp::Lsh),
    ("rsh", AluOp::Rsh),
    ("arsh", AluOp::Arsh),
];

const JUMPS: [(&str, Cond); 11] = [
    ("jeq", Cond::Eq),
    ("jne", Cond::Ne),
    ("jgt", Cond::Gt),
    ("jge", Cond::Ge),
    ("jlt", Cond::Lt),
    ("jle", Cond::Le),
    ("jset", Cond::Set),
    ("jsgt", Cond::Sgt),
    ("jsge", Cond::Sge),
    ("jslt", Cond::Slt),
    ("jsle", Cond::Sle),
];

const SIZES: [(&str, Size); 4] = [("b", Size::B), ("h", Size::H), ("w", Size::W), ("dw", Size::Dw)];

const ORDERS: [(&str, ByteOrder); 4] =
    [("le", ByteOrder::Le), ("be", ByteOrder::Be), ("bswap", ByteOrder::Swap), ("swap", ByteOrder::Swap)];

const BITS: [(&str, Size); 4] = [("8", Size::B), ("16", Size::H), ("32", Size::W), ("64", Size::Dw)];

const EXTENSIONS: [(&str, Width, Size); 5] = [
    ("movsx832", Width::W32, Size::B),
    ("movsx1632", Width::W32, Size::H),
    ("movsx864", Width::W64, Size::B),
    ("movsx1664", Width::W64, Size::H),
    ("movsx3264", Width::W64, Size::W),
];

const ATOMICS: [(&str, AtomicOp); 6] = [
    ("add", AtomicOp::Add { fetch: false }),
    ("or", AtomicOp::Or { fetch: false }),
    ("and", AtomicOp::And { fetch: false }),
    ("xor", AtomicOp::Xor { fetch: false }),
    ("xchg", AtomicOp::Xchg),
    ("cmpxchg", AtomicOp::Cmpxchg),
];

fn row<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|row| row.0 == name).map(|row| row.1)
}

fn find(name: &str) -> Option<Shape> {
    match name {
        "lddw" => return Some(Shape::Lddw),
        "lock" => return Some(Shape::Lock),
        "ja" => return Some(Shape::Jump(false)),
        "ja32" => return Some(Shape::Jump(true)),
        "call" => return Some(Shape::Call),
        "exit" => return Some(Shape::Exit),
        _ => {}
    }
    if let Some(&(_, width, from)) = EXTENSIONS.iter().find(|row| row.0 == name) {
        return Some(Shape::MovSx(width, from));
    }
    let (base, width) = match name.strip_suffix("32") {
        Some(base) => (base, Width::W32),
        None => (name, Width::W64),
    };
    let by_width = match base {
        "mov" => Some(Shape::Mov(width)),
        "neg" => Some(Shape::Neg(width)),
        _ => row(&ALU, base).map(|op| Shape::Alu(width, op)).or_else(|| row(&JUMPS, base).map(|cond| Shape::JumpIf(width, cond))),
    };
    by_width.or_else(|| memory(name)).or_else(|| {
        let digits = name.find(|c: char| c.is_ascii_digit())?;
        let size = row(&BITS, &name[digits..]).filter(|&size| size != Size::B)?;
        Some(Shape::Swap(row(&ORDERS, &name[..digits])?, size))
    })
}

/// `ldxdw`, `ldxsw`, `stxw`, `stb`.
fn memory(name: &str) -> Option<Shape> {
    if let Some(size) = name.strip_prefix("ldxs") {
        return row(&SIZES, size).filter(|&size| size != Size::Dw).map(|size| Shape::Load(size, true));
    }
    let load = name.strip_prefix("ldx").and_then(|size| row(&SIZES, size)).map(|size| Shape::Load(size, false));
    let store = name.strip_prefix("stx").and_then(|size| row(&SIZES, size)).map(Shape::StoreReg);
    load.or(store).or_else(|| name.strip_prefix("st").and_then(|size| row(&SIZES, size)).map(Shape::StoreImm))
}

/// The operands of a line: text between commas.
struct Operands<'a> {
    at: Vec<Cursor<'a>>,
    name: &'a str,
    start: Cursor<'a>,
}

impl<'a> Operands<'a> {
    fn need<const N: usize>(self) -> Result<[Cursor<'a>; N], AsmError> {
        let found = self.at.len();
        <[Cursor<'a>; N]>::try_from(self.at)
            .map_err(|_| self.start.error(Problem::Operands { name: self.name.to_string(), expected: N, found }))
    }
}

fn operands(shape: Shape, name: &str, start: Cursor<'_>, cursor: &mut Cursor<'_>) -> Result<(Insn, Option<Target>), AsmError> {
    let operands = Operands { at: cursor.split(','), name, start };
    let mut target = None;
    let insn = match shape {
        Shape::Alu(width, op) => {
            let [dst, src] = operands.need()?;
            Insn::Alu { width, op, dst: register(dst)?, src: operand(src)? }
        }
        Shape::Mov(width) => {
            let [dst, src] = operands.need()?;
            Insn::Mov { width, dst: register(dst)?, src: operand(src)? }
        }
        Shape::MovSx(width, from) => {
            let [dst, src] = operands.need()?;
            Insn::MovSx { width, from, dst: register(dst)?, src: register(src)? }
        }
        Shape::Neg(width) => {
            let [dst] = operands.need()?;
            Insn::Neg { width, dst: register(dst)? }
        }
        Shape::Swap(order, size) => {
            let [dst] = operands.need()?;
            Insn::Swap { order, size, dst: register(dst)? }
        }
        Shape::Lddw => {
            let [dst, mut value] = operands.need()?;
            let number = value.number()?;
            let constant = value.fit_unsigned(number, 64)?;
            value.need_end()?;
            Insn::LoadWide { dst: register(dst)?, value: Wide::Const(constant) }
        }
        Shape::Load(size, signed) => {
            let [dst, from] = operands.need()?;
            let (base, off) = place(from)?;
            Insn::Load { size, signed, dst: register(dst)?, base, off }
        }
        Shape::StoreImm(size) => {
            let [to, mut value] = operands.need()?;
            let (base, off) = place(to)?;
            let imm = value.imm32()?;
            value.need_end()?;
            Insn::Store { size, base, off, src: Operand::Imm(imm) }
        }
        Shape::StoreReg(size) => {
            let [to, value] = operands.need()?;
            let (base, off) = place(to)?;
            Insn::Store { size, base, off, src: Operand::Reg(register(value)?) }
        }
        Shape::Lock => locked(operands)?,
        Shape::Jump(long) => {
            let [to] = operands.need()?;
            let off;
            (off, target) = destination(to, if long { 32 } else { 16 })?;
            Insn::Jump { off, long }
        }
        Shape::JumpIf(width, cond) => {
            let [dst, src, to] = operands.need()?;
            let off;
            (off, target) = destination(to, 16)?;
            Insn::JumpIf { width, cond, dst: register(dst)?, src: operand(src)?, off: off as i16 }
        }
        Shape::Call => {
            let [mut callee] = operands.need()?;
            callee.skip_space();
            if callee.eat("local") {
                let off;
                (off, target) = destination(callee, 32)?;
                Insn::Call(Callee::Local(off))
            } else if callee.rest().starts_with('%') {
                Insn::Call(Callee::Reg(register(callee)?))
            } else {
                let id = callee.imm32()?;
                callee.need_end()?;
                Insn::Call(Callee::Helper(id))
            }
        }
        Shape::Exit => {
            let [] = operands.need()?;
            Insn::Exit
        }
    };
    Ok((insn, target))
}

fn register(mut cursor: Cursor<'_>) -> Result<Reg, AsmError> {
    let reg = cursor.register("%r", "a register, %r0 to %r10")?;
    cursor.need_end()?;
    Ok(reg)
}

fn operand(mut cursor: Cursor<'_>) -> Result<Operand, AsmError> {
    cursor.skip_space();
    if cursor.rest().starts_with('%') {
        return Ok(Operand::Reg(register(cursor)?));
    }
    let imm = cursor.imm32()?;
    cursor.need_end()?;
    Ok(Operand::Imm(imm))
}

/// `[%r1]`, `[%r1+4]`.
fn place(mut cursor: Cursor<'_>) -> Result<(Reg, i16), AsmError> {
    cursor.need("[")?;
    let base = cursor.register("%r", "a register, %r0 to %r10")?;
    cursor.skip_space();
    let off = if cursor.rest().starts_with(']') { 0 } else { cursor.signed_offset()? };
    cursor.need("]")?;
    cursor.need_end()?;
    Ok((base, off))
}

/// `+3` or a label.
fn destination(mut cursor: Cursor<'_>, bits: u8) -> Result<(i32, Option<Target>), AsmError> {
    cursor.skip_space();
    let (off, target) = match cursor.peek_word().filter(|_| !cursor.rest().starts_with(['+', '-'])) {
        Some(name) => {
            let target = Target::new(&cursor, name);
            cursor.word();
            (0, Some(target))
        }
        None => {
            let number = cursor.number()?;
            (cursor.fit_distance(number, bits)? as i32, None)
        }
    };
    cursor.need_end()?;
    Ok((off, target))
}

/// `add [%r1], %r2`, `fetch add32 [%r1+8], %r2`, after `lock`.
fn locked(mut operands: Operands<'_>) -> Result<Insn, AsmError> {
    let Some(first) = operands.at.first_mut() else {
        return Err(operands.start.error(Problem::Operands { name: "lock".to_string(), expected: 2, found: 0 }));
    };
    let fetch = first.eat("fetch");
    let start = *first;
    let name = first.word().ok_or_else(|| start.expected("an atomic operation"))?;
    let (base_name, size) = match name.strip_suffix("32") {
        Some(base) => (base, Size::W),
        None => (name, Size::Dw),
    };
    let op = match (row(&ATOMICS, base_name), fetch) {
        (Some(AtomicOp::Add { .. }), fetch) => AtomicOp::Add { fetch },
        (Some(AtomicOp::Or { .. }), fetch) => AtomicOp::Or { fetch },
        (Some(AtomicOp::And { .. }), fetch) => AtomicOp::And { fetch },
        (Some(AtomicOp::Xor { .. }), fetch) => AtomicOp::Xor { fetch },
        (Some(op @ (AtomicOp::Xchg | AtomicOp::Cmpxchg)), false) => op,
        (Some(AtomicOp::Xchg | AtomicOp::Cmpxchg), true) | (None, _) => {
            return Err(start.error(Problem::Mnemonic { name: name.to_string() }));
        }
    };
    let [to, src] = operands.need()?;
    let (base, off) = place(to)?;
    Ok(Insn::Atomic { size, op, base, off, src: register(src)? })
}
