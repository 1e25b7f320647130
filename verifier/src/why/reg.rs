//! Registers that hold what they must not.

/// What is wrong with a register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Reg {
    #[error("R{0} !read_ok")]
    NotInit(u8),
    #[error("frame pointer is read only")]
    FramePointer,
    #[error("R{reg} pointer {op} pointer prohibited")]
    PointerWithPointer { reg: u8, op: &'static str },
    #[error("R{0} pointer arithmetic prohibited")]
    PointerMath(u8),
    #[error("R{0} partial copy of pointer")]
    PartialCopy(u8),
    #[error("R{0} sign-extension part of pointer")]
    SignExtension(u8),
    #[error("addr_space_cast insn can only be used in a program that has an associated arena")]
    CastWithoutArena,
    #[error("verifier bug: REG INVARIANTS VIOLATION ({0})")]
    Invariants(&'static str),
    #[error("div by zero")]
    DivByZero,
    #[error("invalid shift {0}")]
    Shift(i32),
    #[error("R{0} 32-bit pointer arithmetic prohibited")]
    LowPointerMath(u8),
    #[error("R{reg} pointer arithmetic on {kind} prohibited, null-check it first")]
    MaybeNullMath { reg: u8, kind: String },
    #[error("R{reg} pointer arithmetic on {kind} prohibited")]
    KindMath { reg: u8, kind: String },
    #[error("R{0} tried to subtract pointer from scalar")]
    PointerFromScalar(u8),
    #[error("R{0} subtraction from stack pointer prohibited")]
    FromStackPointer(u8),
    #[error("R{reg} bitwise operator {op} on pointer prohibited")]
    BitwisePointer { reg: u8, op: &'static str },
    #[error("R{reg} pointer arithmetic with {op} operator prohibited")]
    OperatorPointer { reg: u8, op: &'static str },
    #[error("R{reg} variable stack access prohibited for !root, var_off={var} off={off}")]
    VariableStack { reg: u8, var: String, off: i64 },
    #[error("R{reg} stack pointer arithmetic goes out of range, prohibited for !root; off={off}")]
    StackOutOfRange { reg: u8, off: i64 },
    #[error("{why}\nR{reg} pointer arithmetic of map value goes out of range, prohibited for !root")]
    ValueOutOfRange { reg: u8, why: Box<super::Why> },
    #[error("R{0} has unknown scalar with mixed signed bounds, pointer arithmetic with it prohibited for !root")]
    MixedSigns(u8),
    #[error("R{0} has pointer with unsupported alu operation, pointer arithmetic with it prohibited for !root")]
    UnmaskedKind(u8),
    #[error("R{reg} tried to {op} from different maps, paths or scalars, pointer arithmetic with it prohibited for !root")]
    OtherMask { reg: u8, op: &'static str },
    #[error("R{reg} tried to {op} beyond pointer bounds, pointer arithmetic with it prohibited for !root")]
    BeyondMask { reg: u8, op: &'static str },
    #[error("{why}\nR{reg} could not be pushed for speculative verification, pointer arithmetic with it prohibited for !root")]
    GuessNotPushed { reg: u8, why: Box<super::Why> },
    #[error("math between {kind} pointer and {value} is not allowed")]
    MathWith { kind: String, value: i64 },
    #[error("{kind} pointer offset {off} is not allowed")]
    PointerOffset { kind: String, off: i32 },
    #[error("math between {0} pointer and register with unbounded min value is not allowed")]
    UnboundedMath(String),
    #[error("value {value} makes {kind} pointer be out of bounds")]
    OutOfBounds { kind: String, value: i64 },
    #[error("R{0} pointer comparison prohibited")]
    Comparison(u8),
    #[error("R{0} leaks addr as return value")]
    LeaksAsReturn(u8),
}
