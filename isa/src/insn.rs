//! The shapes of instructions: what an engine switches over.

/// A register of the guest. `R10` is the frame pointer and cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Reg {
    /// All registers, in order.
    pub const ALL: [Reg; 11] =
        [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R8, Reg::R9, Reg::R10];

    /// The frame pointer.
    pub const FP: Reg = Reg::R10;

    /// Register by number, `None` above 10.
    pub const fn from_number(number: u8) -> Option<Reg> {
        if (number as usize) < Reg::ALL.len() { Some(Reg::ALL[number as usize]) } else { None }
    }

    /// 0 to 10.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// 0 to 10, as an index of a register file.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Reg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.number())
    }
}

/// Width of arithmetic and comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Low 32 bits; the result is zero-extended.
    W32,
    /// All 64 bits.
    W64,
}

/// Size of a memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Size {
    /// Byte.
    B = 1,
    /// Half word, 2 bytes.
    H = 2,
    /// Word, 4 bytes.
    W = 4,
    /// Double word, 8 bytes.
    Dw = 8,
}

impl Size {
    /// 1, 2, 4 or 8.
    pub const fn bytes(self) -> u8 {
        self as u8
    }
}

/// Second operand: register, or immediate that is sign-extended to the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Operand {
    Reg(Reg),
    Imm(i32),
}

/// Arithmetic with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AluOp {
    Add,
    Sub,
    Mul,
    Div,
    Sdiv,
    Mod,
    Smod,
    Or,
    And,
    Xor,
    Lsh,
    Rsh,
    Arsh,
}

/// Conditions of jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Cond {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    Set,
    Sgt,
    Sge,
    Slt,
    Sle,
}

/// What a byte-order instruction makes of the low bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// `le16` ...: truncate (on a little-endian machine).
    Le,
    /// `be16` ...: swap and truncate (on a little-endian machine).
    Be,
    /// `bswap16` ...: swap always.
    Swap,
}

/// What a wide load yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wide {
    /// A 64-bit constant.
    Const(u64),
    /// A map by descriptor (pseudo 1).
    MapFd(i32),
    /// Address in the first value of a map by descriptor (pseudo 2).
    MapFdValue {
        /// Descriptor.
        fd: i32,
        /// Bytes into the value.
        off: i32,
    },
    /// A kernel variable by BTF id (pseudo 3), and the descriptor of the BTF it is in (0: vmlinux).
    BtfId {
        /// Id of a `VAR`.
        id: i32,
        /// Descriptor of a module's BTF.
        btf_fd: i32,
    },
    /// A function of the program (pseudo 4), a callback: the distance from the slot after the first.
    Func(i32),
    /// A map by its index in the program's own list (pseudo 5). Programs relocated by skep use this form.
    MapIndex(i32),
    /// Address in the first value of a map by index (pseudo 6).
    MapIndexValue {
        /// Index.
        index: i32,
        /// Bytes into the value.
        off: i32,
    },
}

/// Atomic read-modify-write operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AtomicOp {
    Add { fetch: bool },
    Or { fetch: bool },
    And { fetch: bool },
    Xor { fetch: bool },
    Xchg,
    Cmpxchg,
}

/// What a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Callee {
    /// A helper by number.
    Helper(i32),
    /// A function of the program, as the distance from the next instruction.
    Local(i32),
    /// A kernel function by BTF id, and the index of the module's BTF in `fd_array` (0: vmlinux).
    Kfunc {
        /// Id of a `FUNC`.
        id: i32,
        /// Index in `fd_array`.
        module: i16,
    },
    /// The address in a register (`callx`; no kernel takes it).
    Reg(Reg),
}

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the fields are RFC 9669's
pub enum Insn {
    Alu {
        width: Width,
        op: AluOp,
        dst: Reg,
        src: Operand,
    },
    Mov {
        width: Width,
        dst: Reg,
        src: Operand,
    },
    /// Sign-extending move from the low 8, 16 or 32 bits.
    MovSx {
        width: Width,
        from: Size,
        dst: Reg,
        src: Reg,
    },
    Neg {
        width: Width,
        dst: Reg,
    },
    /// Byte order of the low 16, 32 or 64 bits.
    Swap {
        order: ByteOrder,
        size: Size,
        dst: Reg,
    },
    /// `dst = addr_space_cast(src, to, from)`.
    AddrSpaceCast {
        dst: Reg,
        src: Reg,
        to: u16,
        from: u16,
    },
    /// Two slots.
    LoadWide {
        dst: Reg,
        value: Wide,
    },
    Load {
        size: Size,
        signed: bool,
        dst: Reg,
        base: Reg,
        off: i16,
    },
    /// `LD_ABS` and `LD_IND`: packet bytes in network order to r0.
    LoadPacket {
        size: Size,
        index: Option<Reg>,
        off: i32,
    },
    Store {
        size: Size,
        base: Reg,
        off: i16,
        src: Operand,
    },
    Atomic {
        size: Size,
        op: AtomicOp,
        base: Reg,
        off: i16,
        src: Reg,
    },
    LoadAcquire {
        size: Size,
        dst: Reg,
        base: Reg,
        off: i16,
    },
    StoreRelease {
        size: Size,
        base: Reg,
        off: i16,
        src: Reg,
    },
    /// `goto`; `long` is the 32-bit form (`gotol`). Distances count slots from the next instruction.
    Jump {
        off: i32,
        long: bool,
    },
    JumpIf {
        width: Width,
        cond: Cond,
        dst: Reg,
        src: Operand,
        off: i16,
    },
    /// `gotox`: to the instruction whose address a jump table gave.
    JumpReg {
        dst: Reg,
    },
    MayGoto {
        off: i16,
    },
    Call(Callee),
    Exit,
}

impl Insn {
    /// Slots this instruction takes: 2 for a wide load, else 1.
    pub const fn slots(&self) -> usize {
        if matches!(self, Insn::LoadWide { .. }) { 2 } else { 1 }
    }

    /// How far a jump, a call of a function of the program, or a callback's address is from the next slot. `None` where the
    /// instruction names no place in the program, or only through a register.
    pub const fn distance(&self) -> Option<i32> {
        match *self {
            Insn::Jump { off, .. } => Some(off),
            Insn::JumpIf { off, .. } | Insn::MayGoto { off } => Some(off as i32),
            Insn::Call(callee) => match callee {
                Callee::Local(off) => Some(off),
                Callee::Helper(_) | Callee::Kfunc { .. } | Callee::Reg(_) => None,
            },
            Insn::LoadWide { value, .. } => match value {
                Wide::Func(off) => Some(off),
                Wide::Const(_)
                | Wide::MapFd(_)
                | Wide::MapFdValue { .. }
                | Wide::BtfId { .. }
                | Wide::MapIndex(_)
                | Wide::MapIndexValue { .. } => None,
            },
            Insn::Alu { .. }
            | Insn::Mov { .. }
            | Insn::MovSx { .. }
            | Insn::Neg { .. }
            | Insn::Swap { .. }
            | Insn::AddrSpaceCast { .. }
            | Insn::Load { .. }
            | Insn::LoadPacket { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::JumpReg { .. }
            | Insn::Exit => None,
        }
    }
}
