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

    // The context.
    #[error("invalid bpf_context access off={off} size={size}")]
    Context { off: i32, size: i32 },

    #[error("invalid bpf_context access off={0}. Reference may already be released")]
    ReleasedArgument(i32),

    // Plain bytes.
    #[error("R{reg} min value is negative, either use unsigned index or do a if (index >=0) check.")]
    NegativeIndex { reg: u8 },
    #[error("R{reg} unbounded memory access, make sure to bounds check any such access")]
    Unbounded { reg: u8 },
    #[error(
        "invalid access to map value, value_size={value_size} off={off} size={size}\n\
         R{reg} {end} value is outside of the allowed memory range"
    )]
    OutsideValue { reg: u8, value_size: u32, off: i32, size: i32, end: &'static str },
    #[error(
        "invalid access to map key, key_size={key_size} off={off} size={size}\n\
         R{reg} {end} value is outside of the allowed memory range"
    )]
    OutsideKey { reg: u8, key_size: u32, off: i32, size: i32, end: &'static str },
    #[error(
        "invalid access to memory, mem_size={bytes} off={off} size={size}\n\
         R{reg} {end} value is outside of the allowed memory range"
    )]
    OutsideMemory { reg: u8, bytes: u32, off: i32, size: i32, end: &'static str },
    #[error("R{reg} cannot write into {kind}")]
    ReadOnly { reg: u8, kind: String },
    #[error("R{reg} invalid {what} buffer access: off={off}, size={size}")]
    Buffer { reg: u8, what: &'static str, off: i32, size: i32 },
    #[error("R{reg} invalid variable buffer offset: off={off}, var_off={var}")]
    VariableBuffer { reg: u8, off: i32, var: String },
    #[error("invalid access to flow keys off={off} size={size}")]
    FlowKeys { off: i32, size: i32 },

    // Packets.
    #[error("cannot write into packet")]
    WritesPacket,
    #[error("R{0} offset is outside of the packet")]
    OutsidePacket(u8),
    #[error(
        "invalid access to packet, off={off} size={size}, R{reg}(id={id},off={off},r={range})\n\
         R{reg} offset is outside of the packet"
    )]
    Packet { reg: u8, off: i32, size: i32, id: u32, range: i32 },

    // Maps.
    #[error("write to change key R{0} not allowed")]
    WritesKey(u8),
    #[error("{way} map forbidden, value_size={value_size} off={off} size={size}")]
    MapForbidden { way: &'static str, value_size: u32, off: i32, size: i32 },
    // The kernel says nothing here.
    #[error("")]
    ConstantsOfMany,
    #[error("{0} cannot be accessed directly by load/store")]
    TouchesField(&'static str),
    #[error("{0} cannot be accessed indirectly by helper")]
    PointerIndirect(&'static str),
    #[error("{0} access cannot have variable offset")]
    PointerVariable(&'static str),
    #[error("{field} access misaligned expected={expected} off={off}")]
    PointerMisaligned { field: &'static str, expected: u32, off: u64 },
    #[error("{0} access size must be BPF_DW")]
    PointerSize(&'static str),

    #[error("kptr in map can only be accessed using BPF_MEM instruction mode")]
    PointerMode,
    #[error("store to referenced kptr disallowed")]
    StoresReference,
    #[error("store to uptr disallowed")]
    StoresUser,
    #[error("BPF_ST imm must be 0 when storing to kptr at off={0}")]
    StoresNumber(u32),
    #[error("invalid kptr access, R{reg} type={kind} expected={wanted}")]
    Pointee { reg: u8, kind: String, wanted: String },

    // Objects of the kernel.
    #[error("R{reg} invalid {kind} access off={off} size={size}")]
    Socket { reg: u8, kind: String, off: i32, size: i32 },
    #[error("'struct {0}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN")]
    ObjectUnprivileged(String),
    #[error("Cannot access kernel 'struct {0}' from non-GPL compatible program")]
    ObjectLicense(String),
    #[error("R{reg} is ptr_{name} invalid negative access: off={off}")]
    ObjectNegative { reg: u8, name: String, off: i32 },
    #[error("R{reg} is ptr_{name} invalid variable offset: off={off}, var_off={var}")]
    ObjectVariable { reg: u8, name: String, off: i32, var: String },
    #[error("R{reg} is ptr_{name} access {what} memory: off={off}")]
    ObjectElsewhere { reg: u8, name: String, what: &'static str, off: i32 },
    #[error("no write support to {of} at off {off}")]
    WriteNothing { of: &'static str, off: i32 },
    #[error("write access at off {off} with size {size} beyond the member of {of} ended at {end}")]
    WriteBeyond { of: &'static str, off: i32, size: i32, end: u32 },
    #[error("write access at off {off} with size {size}")]
    WriteAt { off: i32, size: i32 },
    #[error("R{reg} is {name} invalid negative access: off={off}")]
    MapNegative { reg: u8, name: String, off: i32 },
    #[error("only read from {0} is supported")]
    MapReadOnly(String),

    // Memory that is handed to a call.
    #[error("invalid zero-sized read")]
    ZeroSizedStack,
    #[error("R{reg} variable offset stack access prohibited for !root, var_off={var}")]
    VariableStack { reg: u8, var: String },
    #[error("potential write to dynptr at off={0} disallowed")]
    WritesDynptr(i32),
    #[error("invalid read from stack R{reg} off {off}+{at} size {size}")]
    StackRead { reg: u8, off: i32, at: i32, size: i32 },
    #[error("invalid read from stack R{reg} var_off {var}+{at} size {size}")]
    VariableStackRead { reg: u8, var: String, at: i32, size: i32 },
    #[error("variable offset stack pointer cannot be passed into helper function; var_off={var} off={off} size={size}")]
    VariableStackUse { var: String, off: i32, size: i32 },
    #[error("spilled ptr in range of var-offset stack write; insn {pc}, ptr off: {off}")]
    SpillInRange { pc: usize, off: i32 },
    #[error("uninit stack in range of var-offset write prohibited for !root; insn {pc}, off: {off}")]
    UninitInRange { pc: usize, off: i32 },
    #[error("cannot overwrite referenced dynptr")]
    OverwritesDynptr,
    #[error("helper access to the packet is not allowed")]
    HelperPacket,
    // The kernel says nothing here.
    #[error("")]
    NoBytesOfContext,
    #[error("R{reg} type={kind} expected=fp")]
    NotMemory { reg: u8, kind: String },
    #[error("R{0} min value is negative, either use unsigned or 'var &= const'")]
    NegativeSize(u8),
    #[error("R{reg} invalid zero-sized read: u64=[{},{}]", *.min as i64, *.max as i64)]
    ZeroSized { reg: u8, min: u64, max: u64 },
    #[error("R{0} unbounded memory access, use 'var &= const' or 'if (var < const)'")]
    UnboundedSize(u8),
}
