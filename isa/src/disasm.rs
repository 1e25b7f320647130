//! Disassembler in the notation of the Linux verifier's log and of `bpftool prog dump xlated`.
//!
//! What Linux prints, this prints the same. Linux prints addresses for maps, kernel variables and functions of wide loads;
//! `bpftool` prints ids. Here they are what the instruction holds: `map[fd:5]`, `map[idx:0]+8`, `subprog[+3]`.

use std::fmt;

use crate::text::{self, type_name, word};
use crate::{ByteOrder, Callee, Code, DecodeError, Insn, Names, NoNames, Operand, RawInsn, Reg, Size, Slot, Wide, Width, decode};

/// An instruction to print, see [`Insn::display`].
#[derive(Clone, Copy)]
pub struct Display<'a> {
    insn: Insn,
    slot: usize,
    names: &'a dyn Names,
}

impl Insn {
    /// Prints this instruction, which begins in `slot`, with names for its call.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use skep_isa::{Callee, Insn, Names};
    /// struct One;
    /// impl Names for One {
    ///     fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
    ///         (id == 1).then_some(Cow::Borrowed("bpf_map_lookup_elem"))
    ///     }
    /// }
    /// let call = Insn::Call(Callee::Helper(1));
    /// assert_eq!(call.display(0, &One).to_string(), "call bpf_map_lookup_elem#1");
    /// assert_eq!(call.to_string(), "call unknown#1");
    /// ```
    pub fn display<'a>(&self, slot: usize, names: &'a dyn Names) -> Display<'a> {
        Display { insn: *self, slot, names }
    }
}

/// Without names.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(0, &NoNames).fmt(f)
    }
}

/// A register with the letter of its width, `r1` or `w1`.
struct Sized(Width, Reg);

impl fmt::Display for Sized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.0 {
            Width::W32 => 'w',
            Width::W64 => 'r',
        };
        write!(f, "{letter}{}", self.1.number())
    }
}

/// A typed place in memory, `(u64 *)(r10 -8)`.
struct Place {
    size: Size,
    signed: bool,
    base: Reg,
    off: i16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} *)({} {:+})", type_name(self.size, self.signed), self.base, self.off)
    }
}

fn place(size: Size, base: Reg, off: i16) -> Place {
    Place { size, signed: false, base, off }
}

impl fmt::Display for Display<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.insn {
            Insn::Alu { width, op, dst, src } => assign(f, width, dst, word(&text::ALU_OPS, &op), src),
            Insn::Mov { width, dst, src } => assign(f, width, dst, "=", src),
            Insn::MovSx { width, from, dst, src } => {
                write!(f, "{} = ({}){}", Sized(width, dst), type_name(from, true), Sized(width, src))
            }
            Insn::Neg { width, dst } => write!(f, "{0} = -{0}", Sized(width, dst)),
            Insn::Swap { order, size, dst } => {
                let order = match order {
                    ByteOrder::Le => "le",
                    ByteOrder::Be => "be",
                    ByteOrder::Swap => "bswap",
                };
                write!(f, "{dst} = {order}{} {dst}", u32::from(size.bytes()) * 8)
            }
            Insn::AddrSpaceCast { dst, src, to, from } => write!(f, "{dst} = addr_space_cast({src}, {to}, {from})"),
            Insn::LoadWide { dst, value } => wide(f, dst, value),
            Insn::Load { size, signed, dst, base, off } => write!(f, "{dst} = *{}", Place { size, signed, base, off }),
            Insn::LoadPacket { size, index: None, off } => write!(f, "r0 = *({} *)skb[{off}]", type_name(size, false)),
            Insn::LoadPacket { size, index: Some(index), off } => {
                write!(f, "r0 = *({} *)skb[{index} + {off}]", type_name(size, false))
            }
            Insn::Store { size, base, off, src: Operand::Reg(src) } => {
                write!(f, "*{} = {src}", place(size, base, off))
            }
            Insn::Store { size, base, off, src: Operand::Imm(imm) } => {
                write!(f, "*{} = {imm}", place(size, base, off))
            }
            Insn::Atomic { size, op, base, off, src } => {
                let place = place(size, base, off);
                if !op.fetches() {
                    return write!(f, "lock *{place} {} {src}", word(&text::LOCKED, &op));
                }
                let (suffix, name) = (if size == Size::Dw { "64" } else { "" }, word(&text::FETCHED, &op));
                match op {
                    crate::AtomicOp::Cmpxchg => write!(f, "r0 = atomic{suffix}_{name}({place}, r0, {src})"),
                    _ => write!(f, "{src} = atomic{suffix}_{name}({place}, {src})"),
                }
            }
            Insn::LoadAcquire { size, dst, base, off } => write!(f, "{dst} = load_acquire({})", place(size, base, off)),
            Insn::StoreRelease { size, base, off, src } => write!(f, "store_release({}, {src})", place(size, base, off)),
            Insn::Jump { off, long } => write!(f, "goto{} pc{off:+}", if long { "l" } else { "" }),
            Insn::JumpIf { width, cond, dst, src, off } => {
                write!(f, "if {} {} ", Sized(width, dst), word(&text::CONDS, &cond))?;
                match src {
                    Operand::Reg(src) => write!(f, "{}", Sized(width, src))?,
                    Operand::Imm(imm) => write!(f, "{imm:#x}")?,
                }
                write!(f, " goto pc{off:+}")
            }
            Insn::JumpReg { dst } => write!(f, "gotox {dst}"),
            Insn::MayGoto { off } => write!(f, "may_goto pc{off:+}"),
            Insn::Call(callee) => self.call(f, callee),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

fn assign(f: &mut fmt::Formatter<'_>, width: Width, dst: Reg, op: &str, src: Operand) -> fmt::Result {
    match src {
        Operand::Reg(src) => write!(f, "{} {op} {}", Sized(width, dst), Sized(width, src)),
        Operand::Imm(imm) => write!(f, "{} {op} {imm}", Sized(width, dst)),
    }
}

fn wide(f: &mut fmt::Formatter<'_>, dst: Reg, value: Wide) -> fmt::Result {
    write!(f, "{dst} = ")?;
    match value {
        Wide::Const(value) => write!(f, "{value:#x}"),
        Wide::MapFd(fd) => write!(f, "map[fd:{fd}]"),
        Wide::MapFdValue { fd, off } => write!(f, "map[fd:{fd}][0]+{}", off as u32),
        Wide::BtfId { id, btf_fd: 0 } => write!(f, "var[btf_id:{id}]"),
        Wide::BtfId { id, btf_fd } => write!(f, "var[btf_id:{id} btf_fd:{btf_fd}]"),
        Wide::Func(off) => write!(f, "subprog[{off:+}]"),
        Wide::MapIndex(index) => write!(f, "map[idx:{index}]"),
        Wide::MapIndexValue { index, off } => write!(f, "map[idx:{index}]+{}", off as u32),
    }
}

impl Display<'_> {
    fn call(&self, f: &mut fmt::Formatter<'_>, callee: Callee) -> fmt::Result {
        match callee {
            Callee::Helper(id) => match self.names.helper(id) {
                Some(name) => write!(f, "call {name}#{id}"),
                None => write!(f, "call unknown#{id}"),
            },
            Callee::Kfunc { id, module } => {
                match self.names.kfunc(id, module) {
                    Some(name) => write!(f, "call {name}#{id}")?,
                    None => write!(f, "call kernel-function#{id}")?,
                }
                if module == 0 { Ok(()) } else { write!(f, " module {module}") }
            }
            Callee::Local(off) => {
                write!(f, "call pc{off:+}")?;
                let target = usize::try_from(self.slot as i64 + 1 + i64::from(off)).ok();
                match target.and_then(|slot| self.names.function(slot)) {
                    Some(name) => write!(f, "#{name}"),
                    None => Ok(()),
                }
            }
            Callee::Reg(reg) => write!(f, "callx {reg}"),
        }
    }
}

/// A stream to print, one instruction a line: slot, opcode, text.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    code: &'a Code,
    names: &'a dyn Names,
}

impl Code {
    /// Prints the stream, one instruction a line, as `bpftool prog dump xlated` does. What is no instruction is a comment with
    /// the reason.
    ///
    /// ```
    /// use skep_isa::{asm, Code, NoNames};
    /// let code = Code::decode(&asm::kernel::assemble("r1 = 0x5\nr0 = *(u64 *)(r1 +8)\nexit").unwrap()).unwrap();
    /// let text = "   0: (18) r1 = 0x5\n   2: (79) r0 = *(u64 *)(r1 +8)\n   3: (95) exit\n";
    /// assert_eq!(code.listing(&NoNames).to_string(), text);
    /// ```
    pub fn listing<'a>(&'a self, names: &'a dyn Names) -> Listing<'a> {
        Listing { code: self, names }
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (slot, (state, raw)) in self.code.slots().iter().zip(self.code.raw()).enumerate() {
            match state {
                Slot::Insn(insn) => writeln!(f, "{slot:4}: ({:02x}) {}", raw.code, insn.display(slot, self.names))?,
                Slot::Second => {}
                Slot::Refused(error) => writeln!(f, "{slot:4}: ({:02x}) ; {raw:?}: {error}", raw.code)?,
            }
        }
        Ok(())
    }
}

/// The text of the instruction at `slot`, for one line of a log.
///
/// # Errors
/// [`DecodeError`] if it is none.
pub fn disassemble(raw: &[RawInsn], slot: usize, names: &dyn Names) -> Result<String, DecodeError> {
    Ok(decode(raw, slot)?.display(slot, names).to_string())
}
