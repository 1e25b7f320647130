//! Eight bytes of an instruction stream, with its fields by name.

/// One slot of an instruction stream. A wide instruction takes two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RawInsn {
    /// Opcode.
    pub code: u8,
    /// Destination in the low nibble, source in the high one (little-endian objects).
    pub regs: u8,
    /// Signed offset.
    pub off: i16,
    /// Signed immediate.
    pub imm: i32,
}

impl RawInsn {
    /// An instruction from its fields.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> RawInsn {
        RawInsn { code, regs: (src << 4) | (dst & 0xf), off, imm }
    }

    /// Destination register field, 0 to 15.
    pub const fn dst(self) -> u8 {
        self.regs & 0xf
    }

    /// Source register field, 0 to 15: a register or a pseudo kind.
    pub const fn src(self) -> u8 {
        self.regs >> 4
    }

    /// From the eight bytes of a little-endian stream.
    pub const fn from_le_bytes(b: [u8; 8]) -> RawInsn {
        RawInsn {
            code: b[0],
            regs: b[1],
            off: i16::from_le_bytes([b[2], b[3]]),
            imm: i32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        }
    }

    /// The eight bytes of a little-endian stream.
    pub const fn to_le_bytes(self) -> [u8; 8] {
        let (o, i) = (self.off.to_le_bytes(), self.imm.to_le_bytes());
        [self.code, self.regs, o[0], o[1], i[0], i[1], i[2], i[3]]
    }
}

impl std::fmt::Debug for RawInsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:#04x} dst={} src={} off={} imm={:#x})", self.code, self.dst(), self.src(), self.off, self.imm)
    }
}
