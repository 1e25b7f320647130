//! Accesses to memory that are refused.

/// What is wrong with an access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Mem {
    #[error("R{reg} invalid mem access '{kind}'")]
    Kind { reg: u8, kind: String },
    #[error("misaligned {desc}access off {var}+{off}+{at} size {size}")]
    Misaligned { desc: &'static str, var: String, off: i32, at: i32, size: i32 },
    #[error("misaligned packet access off {ip_align}+{var}+{off}+{at} size {size}")]
    MisalignedPacket { ip_align: i32, var: String, off: i32, at: i32, size: i32 },
    #[error("same insn cannot be used with different pointers")]
    MixedPointers,
    #[error("BPF_LD_[ABS|IND] instructions not allowed for this program type")]
    NoPacketLoads,
    #[error("at the time of BPF_LD_ABS|IND R6 != pointer to skb")]
    PacketLoadWithoutContext,
    #[error("negative offset {kind} ptr R{reg} off={off} disallowed")]
    NegativeOffset { kind: String, reg: u8, off: i32 },
    #[error("dereference of modified {kind} ptr R{reg} off={off} disallowed")]
    ModifiedPointer { kind: String, reg: u8, off: i32 },
    #[error("variable {kind} access var_off={var} disallowed")]
    VariablePointer { kind: String, var: String },
    #[error("invalid unbounded variable-offset {way} stack R{reg}")]
    UnboundedStack { way: &'static str, reg: u8 },
    #[error("invalid {way} stack R{reg} off={off} size={size}")]
    StackBounds { way: &'static str, reg: u8, off: i64, size: i32 },
    #[error("invalid variable-offset {way} stack R{reg} var_off={var} off={off} size={size}")]
    VariableStackBounds { way: &'static str, reg: u8, var: String, off: i64, size: i32 },
    #[error("attempt to corrupt spilled pointer on stack")]
    CorruptsSpill,
    #[error("invalid size of register spill")]
    SpillSize,
    #[error("cannot spill pointers to stack into stack frame of the caller")]
    SpillsStackPointer,
    #[error("invalid size of register fill")]
    FillSize,
    #[error("leaking pointer from stack off {0}")]
    LeaksFromStack(i32),
    #[error("invalid read from stack off {off}+{at} size {size}")]
    InvalidStackRead { off: i32, at: i32, size: i32 },
    #[error("R{reg} leaks addr into {what}")]
    LeaksInto { reg: u8, what: &'static str },
    #[error("BPF_ATOMIC {way} R{reg} {kind} is not allowed")]
    Atomic { way: &'static str, reg: u8, kind: String },
}
