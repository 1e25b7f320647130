//! The kernel's notation: what [`Code::listing`](crate::Code::listing), the verifier's log and `bpftool` print.
//!
//! One instruction a line. A line may begin with the slot number and the opcode that dumps have (`12: (b7)`); they are checked.
//! `name:` is a label, and jumps, calls and `subprog[...]` take a label in place of a distance. Comments begin with `;` or `//`.
//!
//! As in the kernel, `r1 = 5` is a move and `r1 = 0x5` a wide load of 64 bits; `r1 = 5 ll` is a wide load too.

use std::borrow::Cow;

use super::cursor::{Cursor, Number};
use super::program::{Program, Target};
use super::{AsmError, Problem};
use crate::text::{ALU_OPS, CONDS, FETCHED, LOCKED, TYPES};
use crate::{AtomicOp, ByteOrder, Callee, Insn, Names, NoNames, Operand, RawInsn, Reg, Size, Wide, Width};

/// Assembles text without names for calls: `call 1`, `call kernel-function#7`, `call pc+3`, `call LABEL`.
///
/// ```
/// let raw = skep_isa::asm::kernel::assemble("
///     r0 = 1
///     if r1 s> 0x5 goto out   ; taken or not
///     r0 = *(u64 *)(r1 +8)
/// out:
///     exit
/// ").unwrap();
/// assert_eq!(raw.len(), 4);
/// let error = skep_isa::asm::kernel::assemble("r0 = 1\nr11 = 2").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 1: no register \"r11\": there are r0 to r10");
/// ```
///
/// # Errors
/// [`AsmError`], with line and column.
pub fn assemble(text: &str) -> Result<Vec<RawInsn>, AsmError> {
    assemble_with(text, &NoNames)
}

/// [`assemble`], with names that calls may use.
///
/// # Errors
/// [`AsmError`], with line and column.
pub fn assemble_with(text: &str, names: &dyn Names) -> Result<Vec<RawInsn>, AsmError> {
    let mut program = Program::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        let line = line.split("//").next().unwrap_or_default();
        read_line(&mut program, Cursor::new(line, index + 1), names)?;
    }
    program.finish()
}

/// What the kernel calls a kernel function that it has no name for.
const UNNAMED_KFUNC: &str = "kernel-function";

/// What an instruction is, and the label it leads to.
type Read = (Insn, Option<Target>);

fn read_line(program: &mut Program, mut cursor: Cursor<'_>, names: &dyn Names) -> Result<(), AsmError> {
    while let Some(word) = cursor.peek_word() {
        let mut after = cursor;
        after.word();
        if !after.rest().starts_with(':') {
            break;
        }
        program.label(word, program.slots(), cursor.line()).map_err(|problem| cursor.error(problem))?;
        after.eat(":");
        cursor = after;
    }
    if cursor.at_end() {
        return Ok(());
    }
    slot_number(&mut cursor, program.slots())?;
    let opcode = opcode(&mut cursor)?;
    if cursor.at_end() {
        return Ok(());
    }
    let start = cursor;
    let (insn, target) = instruction(&mut cursor, names)?;
    cursor.need_end()?;
    if let (Some(given), Ok(slots)) = (opcode, insn.encode()) {
        let actual = slots[0].code;
        if given != actual {
            return Err(start.error(Problem::Opcode { given, actual }));
        }
    }
    program.push(&start, insn, target);
    Ok(())
}

/// `12:`, which must be the slot of the instruction.
fn slot_number(cursor: &mut Cursor<'_>, slot: usize) -> Result<(), AsmError> {
    let start = *cursor;
    if !cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    let number = cursor.number()?;
    let number = cursor.fit_unsigned(number, 64)?;
    cursor.need(":")?;
    if number == slot as u64 { Ok(()) } else { Err(start.error(Problem::Numbering { number, slot })) }
}

/// `(b7)`.
fn opcode(cursor: &mut Cursor<'_>) -> Result<Option<u8>, AsmError> {
    cursor.skip_space();
    let Some(inside) = cursor.rest().strip_prefix('(').and_then(|rest| rest.get(..3)).filter(|s| s.ends_with(')')) else {
        return Ok(None);
    };
    let Ok(code) = u8::from_str_radix(&inside[..2], 16) else {
        return Err(cursor.expected("an opcode of two hexadecimal digits"));
    };
    cursor.advance(4);
    Ok(Some(code))
}

fn instruction(cursor: &mut Cursor<'_>, names: &dyn Names) -> Result<Read, AsmError> {
    if cursor.eat("exit") {
        return Ok((Insn::Exit, None));
    }
    if cursor.eat("if") {
        return jump_if(cursor);
    }
    if cursor.eat("gotox") {
        return Ok((Insn::JumpReg { dst: reg64(cursor)? }, None));
    }
    if cursor.eat("callx") {
        return Ok((Insn::Call(Callee::Reg(reg64(cursor)?)), None));
    }
    if cursor.eat("gotol") {
        let (off, target) = destination(cursor, 32)?;
        return Ok((Insn::Jump { off, long: true }, target));
    }
    if cursor.eat("goto") {
        let (off, target) = destination(cursor, 16)?;
        return Ok((Insn::Jump { off, long: false }, target));
    }
    if cursor.eat("may_goto") {
        let (off, target) = destination(cursor, 16)?;
        return Ok((Insn::MayGoto { off: off as i16 }, target));
    }
    if cursor.eat("call") {
        return call(cursor, names);
    }
    if cursor.eat("lock") {
        return locked(cursor);
    }
    if cursor.eat("store_release") {
        cursor.need("(")?;
        let (size, base, off) = unsigned_place(cursor)?;
        cursor.need(",")?;
        let src = reg64(cursor)?;
        cursor.need(")")?;
        return Ok((Insn::StoreRelease { size, base, off, src }, None));
    }
    if cursor.eat("*") {
        let (size, base, off) = unsigned_place(cursor)?;
        cursor.need("=")?;
        let src = if cursor.rest().trim_start().starts_with('r') {
            Operand::Reg(reg64(cursor)?)
        } else {
            Operand::Imm(cursor.imm32()?)
        };
        return Ok((Insn::Store { size, base, off, src }, None));
    }
    assignment(cursor)
}

fn reg64(cursor: &mut Cursor<'_>) -> Result<Reg, AsmError> {
    cursor.register("r", "a register, r0 to r10")
}

/// A register of this width.
fn reg(cursor: &mut Cursor<'_>, width: Width) -> Result<Reg, AsmError> {
    match width {
        Width::W64 => reg64(cursor),
        Width::W32 => cursor.register("w", "a register, w0 to w10"),
    }
}

/// A register, and the width that its letter says.
fn any_reg(cursor: &mut Cursor<'_>) -> Result<(Width, Reg), AsmError> {
    cursor.skip_space();
    match cursor.rest().bytes().next() {
        Some(b'w') => Ok((Width::W32, reg(cursor, Width::W32)?)),
        Some(b'r') => Ok((Width::W64, reg64(cursor)?)),
        _ => Err(cursor.expected("an instruction")),
    }
}

fn operand(cursor: &mut Cursor<'_>, width: Width) -> Result<Operand, AsmError> {
    cursor.skip_space();
    if cursor.rest().starts_with(['r', 'w']) { Ok(Operand::Reg(reg(cursor, width)?)) } else { Ok(Operand::Imm(cursor.imm32()?)) }
}

/// `pc+3`, `+3` or a label.
fn destination(cursor: &mut Cursor<'_>, bits: u8) -> Result<(i32, Option<Target>), AsmError> {
    cursor.skip_space();
    let mut after = *cursor;
    let signed = |cursor: &Cursor<'_>| cursor.rest().starts_with(['+', '-']);
    if after.word() == Some("pc") && signed(&after) {
        *cursor = after;
    } else if !signed(cursor) {
        let name = cursor.peek_word().ok_or_else(|| cursor.expected("a distance or a label"))?;
        let target = Target::new(cursor, name);
        cursor.word();
        return Ok((0, Some(target)));
    }
    let number = cursor.number()?;
    Ok((cursor.fit_distance(number, bits)? as i32, None))
}

fn jump_if(cursor: &mut Cursor<'_>) -> Result<Read, AsmError> {
    let (width, dst) = any_reg(cursor)?;
    let cond = cursor.eat_row(&CONDS).ok_or_else(|| cursor.expected("a comparison"))?;
    let src = operand(cursor, width)?;
    cursor.need("goto")?;
    let (off, target) = destination(cursor, 16)?;
    Ok((Insn::JumpIf { width, cond, dst, src, off: off as i16 }, target))
}

/// `7`, `bpf_map_lookup_elem#1`, `kernel-function#7 module 1`, a name that `names` knows, `pc+3#name`, or a label.
fn call(cursor: &mut Cursor<'_>, names: &dyn Names) -> Result<Read, AsmError> {
    cursor.skip_space();
    if cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((Insn::Call(Callee::Helper(cursor.imm32()?)), None));
    }
    let start = *cursor;
    let unnamed_kfunc = cursor.eat(UNNAMED_KFUNC);
    let name = if unnamed_kfunc { UNNAMED_KFUNC } else { cursor.word().unwrap_or_default() };
    if name != "pc" && cursor.eat("#") {
        return Ok((Insn::Call(numbered(cursor, name, names)?), None));
    }
    if let Some(callee) = by_name(name, names) {
        return Ok((Insn::Call(callee), None));
    }
    *cursor = start;
    let (off, target) = destination(cursor, 32)?;
    if target.is_none() && cursor.eat("#") {
        cursor.word().ok_or_else(|| cursor.expected("the name of a function"))?;
    }
    Ok((Insn::Call(Callee::Local(off)), target))
}

/// `1` or `7 module 1`, after the name and `#`. A name that is both is a helper's.
fn numbered(cursor: &mut Cursor<'_>, name: &str, names: &dyn Names) -> Result<Callee, AsmError> {
    let id = cursor.imm32()?;
    if cursor.eat("module") {
        let module = cursor.number()?;
        return Ok(Callee::Kfunc { id, module: cursor.fit_distance(module, 16)? as i16 });
    }
    let known = |found: Option<Cow<'_, str>>| found.is_some_and(|found| found == name);
    let kfunc = name == UNNAMED_KFUNC || !known(names.helper(id)) && known(names.kfunc(id, 0));
    Ok(if kfunc { Callee::Kfunc { id, module: 0 } } else { Callee::Helper(id) })
}

/// A helper or kernel function by its name alone.
fn by_name(name: &str, names: &dyn Names) -> Option<Callee> {
    let helper = names.helper_id(name).map(Callee::Helper);
    helper.or_else(|| names.kfunc_id(name).map(|(id, module)| Callee::Kfunc { id, module }))
}

/// `(u64 *)(r10 -8)`.
fn typed_place(cursor: &mut Cursor<'_>) -> Result<(Size, bool, Reg, i16), AsmError> {
    let (size, signed) = pointer_type(cursor)?;
    cursor.need("(")?;
    let base = reg64(cursor)?;
    cursor.skip_space();
    let off = if cursor.rest().starts_with(')') { 0 } else { cursor.signed_offset()? };
    cursor.need(")")?;
    Ok((size, signed, base, off))
}

fn unsigned_place(cursor: &mut Cursor<'_>) -> Result<(Size, Reg, i16), AsmError> {
    let start = *cursor;
    let (size, signed, base, off) = typed_place(cursor)?;
    if signed { Err(start.expected("an unsigned type")) } else { Ok((size, base, off)) }
}

/// `(u64 *)`.
fn pointer_type(cursor: &mut Cursor<'_>) -> Result<(Size, bool), AsmError> {
    cursor.need("(")?;
    let start = *cursor;
    let row = cursor.word().and_then(|word| TYPES.iter().find(|row| row.0 == word));
    let &(_, size, signed) = row.ok_or_else(|| start.expected("a type, u8 to u64 or s8 to s32"))?;
    cursor.need("*")?;
    cursor.need(")")?;
    Ok((size, signed))
}

fn locked(cursor: &mut Cursor<'_>) -> Result<Read, AsmError> {
    cursor.need("*")?;
    let (size, base, off) = unsigned_place(cursor)?;
    let op = cursor.eat_row(&LOCKED).ok_or_else(|| cursor.expected("+=, |=, &= or ^="))?;
    let src = reg64(cursor)?;
    Ok((Insn::Atomic { size, op, base, off, src }, None))
}

/// Everything that begins with a register.
fn assignment(cursor: &mut Cursor<'_>) -> Result<Read, AsmError> {
    let start = *cursor;
    let (width, dst) = any_reg(cursor)?;
    if let Some(op) = cursor.eat_row(&ALU_OPS) {
        let src = operand(cursor, width)?;
        return Ok((Insn::Alu { width, op, dst, src }, None));
    }
    cursor.need("=")?;
    cursor.skip_space();
    let rest = cursor.rest();
    let negated = rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(['r', 'w']));
    if negated {
        cursor.eat("-");
        let src = reg(cursor, width)?;
        same(&start, "negation", dst, src)?;
        return Ok((Insn::Neg { width, dst }, None));
    }
    if cursor.eat("(") {
        return sign_extension(cursor, width, dst);
    }
    if width == Width::W64 {
        if cursor.eat("*") {
            return load(cursor, start, dst);
        }
        if let Some(read) = named(cursor, start, dst)? {
            return Ok(read);
        }
        if !rest.starts_with('r') {
            let number = cursor.number()?;
            let wide = cursor.eat("ll");
            return Ok((constant(cursor, dst, number, wide)?, None));
        }
    }
    let src = operand(cursor, width)?;
    Ok((Insn::Mov { width, dst, src }, None))
}

/// A decimal is moved, a hexadecimal number or one with `ll` is loaded wide.
fn constant(cursor: &Cursor<'_>, dst: Reg, number: Number, wide: bool) -> Result<Insn, AsmError> {
    if wide || number.hex {
        return Ok(Insn::LoadWide { dst, value: Wide::Const(cursor.fit_unsigned(number, 64)?) });
    }
    let imm = cursor.fit(number, 32)? as i32;
    Ok(Insn::Mov { width: Width::W64, dst, src: Operand::Imm(imm) })
}

/// `s8)r2`, after the parenthesis.
fn sign_extension(cursor: &mut Cursor<'_>, width: Width, dst: Reg) -> Result<Read, AsmError> {
    let start = *cursor;
    let row = cursor.word().and_then(|word| TYPES.iter().find(|row| row.0 == word && row.2));
    let &(_, from, _) = row.ok_or_else(|| start.expected("s8, s16 or s32"))?;
    cursor.need(")")?;
    let src = reg(cursor, width)?;
    Ok((Insn::MovSx { width, from, dst, src }, None))
}

fn same(start: &Cursor<'_>, what: &'static str, first: Reg, second: Reg) -> Result<(), AsmError> {
    if first == second {
        return Ok(());
    }
    Err(start.error(Problem::SameRegister { what, first: first.to_string(), second: second.to_string() }))
}

/// `(u64 *)(r1 +8)` or `(u16 *)skb[12]`, after the asterisk.
fn load(cursor: &mut Cursor<'_>, start: Cursor<'_>, dst: Reg) -> Result<Read, AsmError> {
    let mut ahead = *cursor;
    let (size, signed) = pointer_type(&mut ahead)?;
    if !ahead.eat("skb") {
        let (size, signed, base, off) = typed_place(cursor)?;
        return Ok((Insn::Load { size, signed, dst, base, off }, None));
    }
    if signed {
        return Err(cursor.expected("an unsigned type"));
    }
    same(&start, "a packet load", dst, Reg::R0)?;
    *cursor = ahead;
    cursor.need("[")?;
    cursor.skip_space();
    let index = if cursor.rest().starts_with('r') {
        let reg = reg64(cursor)?;
        cursor.need("+")?;
        Some(reg)
    } else {
        None
    };
    let off = cursor.imm32()?;
    cursor.need("]")?;
    Ok((Insn::LoadPacket { size, index, off }, None))
}

const SWAPS: [(&str, ByteOrder, Size); 9] = [
    ("le16", ByteOrder::Le, Size::H),
    ("le32", ByteOrder::Le, Size::W),
    ("le64", ByteOrder::Le, Size::Dw),
    ("be16", ByteOrder::Be, Size::H),
    ("be32", ByteOrder::Be, Size::W),
    ("be64", ByteOrder::Be, Size::Dw),
    ("bswap16", ByteOrder::Swap, Size::H),
    ("bswap32", ByteOrder::Swap, Size::W),
    ("bswap64", ByteOrder::Swap, Size::Dw),
];

/// What has a name on the right of `rN =`; `None` if nothing has.
fn named(cursor: &mut Cursor<'_>, start: Cursor<'_>, dst: Reg) -> Result<Option<Read>, AsmError> {
    let Some(word) = cursor.peek_word() else {
        return Ok(None);
    };
    if let Some(&(_, order, size)) = SWAPS.iter().find(|row| row.0 == word) {
        cursor.word();
        let src = reg64(cursor)?;
        same(&start, "a byte order instruction", dst, src)?;
        return Ok(Some((Insn::Swap { order, size, dst }, None)));
    }
    let operation = word.strip_prefix("atomic64_").or_else(|| word.strip_prefix("atomic_"));
    if let Some(&(_, op)) = operation.and_then(|name| FETCHED.iter().find(|row| row.0 == name)) {
        let size = if word.starts_with("atomic64") { Size::Dw } else { Size::W };
        cursor.word();
        return fetched(cursor, start, dst, size, op).map(Some);
    }
    let insn = match word {
        "load_acquire" => {
            cursor.word();
            cursor.need("(")?;
            let (size, base, off) = unsigned_place(cursor)?;
            cursor.need(")")?;
            Insn::LoadAcquire { size, dst, base, off }
        }
        "addr_space_cast" => {
            cursor.word();
            cursor.need("(")?;
            let src = reg64(cursor)?;
            cursor.need(",")?;
            let to = cursor.number()?;
            let to = cursor.fit_unsigned(to, 16)? as u16;
            cursor.need(",")?;
            let from = cursor.number()?;
            let from = cursor.fit_unsigned(from, 16)? as u16;
            cursor.need(")")?;
            Insn::AddrSpaceCast { dst, src, to, from }
        }
        "map" | "var" | "subprog" => {
            let (value, target) = symbol(cursor)?;
            return Ok(Some((Insn::LoadWide { dst, value }, target)));
        }
        _ => return Ok(None),
    };
    Ok(Some((insn, None)))
}

/// `((u64 *)(r1 +0), r2)`, after the name.
fn fetched(cursor: &mut Cursor<'_>, start: Cursor<'_>, dst: Reg, size: Size, op: AtomicOp) -> Result<Read, AsmError> {
    cursor.need("(")?;
    let place = *cursor;
    let (found, base, off) = unsigned_place(cursor)?;
    if found != size {
        return Err(place.expected(if size == Size::Dw { "a place of type u64" } else { "a place of type u32" }));
    }
    cursor.need(",")?;
    if op == AtomicOp::Cmpxchg {
        same(&start, "atomic compare-and-exchange", dst, Reg::R0)?;
        cursor.need("r0")?;
        cursor.need(",")?;
    }
    let src = reg64(cursor)?;
    cursor.need(")")?;
    if op != AtomicOp::Cmpxchg {
        same(&start, "an atomic fetch", dst, src)?;
    }
    Ok((Insn::Atomic { size, op, base, off, src }, None))
}

/// `map[fd:5]`, `map[id:5][0]+8`, `map[idx:0]+8`, `var[btf_id:7 btf_fd:3]`, `subprog[+3]`.
fn symbol(cursor: &mut Cursor<'_>) -> Result<(Wide, Option<Target>), AsmError> {
    if cursor.eat("subprog") {
        cursor.need("[")?;
        let (off, target) = destination(cursor, 32)?;
        cursor.need("]")?;
        return Ok((Wide::Func(off), target));
    }
    if cursor.eat("var") {
        cursor.need("[")?;
        let id = keyed(cursor, "btf_id")?;
        let btf_fd = if cursor.rest().starts_with(']') { 0 } else { keyed(cursor, "btf_fd")? };
        cursor.need("]")?;
        return Ok((Wide::BtfId { id, btf_fd }, None));
    }
    cursor.need("map")?;
    cursor.need("[")?;
    if cursor.peek_word() == Some("idx") {
        let index = keyed(cursor, "idx")?;
        cursor.need("]")?;
        let value = match value_offset(cursor)? {
            Some(off) => Wide::MapIndexValue { index, off },
            None => Wide::MapIndex(index),
        };
        return Ok((value, None));
    }
    let key = if cursor.peek_word() == Some("id") { "id" } else { "fd" };
    let fd = keyed(cursor, key)?;
    cursor.need("]")?;
    if !cursor.eat("[") {
        return Ok((Wide::MapFd(fd), None));
    }
    cursor.need("0")?;
    cursor.need("]")?;
    match value_offset(cursor)? {
        Some(off) => Ok((Wide::MapFdValue { fd, off }, None)),
        None => Err(cursor.expected("+ and an offset")),
    }
}

/// `fd:5`.
fn keyed(cursor: &mut Cursor<'_>, key: &'static str) -> Result<i32, AsmError> {
    cursor.need(key)?;
    cursor.need(":")?;
    cursor.imm32()
}

/// `+8`, unsigned of 32 bits.
fn value_offset(cursor: &mut Cursor<'_>) -> Result<Option<i32>, AsmError> {
    if !cursor.eat("+") {
        return Ok(None);
    }
    let number = cursor.number()?;
    Ok(Some(cursor.fit_unsigned(number, 32)? as u32 as i32))
}
