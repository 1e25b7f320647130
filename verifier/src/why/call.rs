//! Calls that are refused.

/// What is wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Call {
    // Which programs may call, and where.
    #[error("invalid func {name}#{id}")]
    NoHelper { name: String, id: i32 },
    #[error("program of this type cannot use helper {name}#{id}")]
    CannotUse { name: &'static str, id: u32 },
    #[error("cannot call GPL-restricted function from non-GPL compatible program")]
    Gpl,
    #[error("helper call is not allowed in probe")]
    NotInProbe,
    #[error("helper call might sleep in a non-sleepable prog")]
    MightSleep,
    #[error("sleepable helper {name}#{id} in {section} region")]
    SleepsIn { name: &'static str, id: u32, section: &'static str },
    #[error("function calls are not allowed while holding a lock")]
    UnderLock,
    #[error("func {name}#{id} supported only for fentry/fexit/fmod_ret programs")]
    NoTrampoline { name: &'static str, id: u32 },
    #[error("func {name}#{id} not supported for program type {prog}")]
    NotSupported { name: &'static str, id: u32, prog: u32 },
    #[error("the call stack of {0} frames is too deep")]
    TooDeep(usize),

    // Arguments.
    #[error("R{reg} type={kind} expected={expected}")]
    Kind { reg: u8, kind: String, expected: String },
    #[error("R{reg} is of type {own} but {wanted} is expected")]
    Struct { reg: u8, own: String, wanted: &'static str },
    #[error("{name}() may write into memory pointed by R{reg} type={kind}")]
    MayWrite { name: &'static str, reg: u8, kind: String },
    #[error("Possibly NULL pointer passed to helper arg{0}")]
    PossiblyNull(u8),
    // The kernel takes it for a bug of its own.
    #[error("verifier bug: invalid PTR_TO_BTF_ID register for type match")]
    TypeMatch,
    #[error("helper access to the packet is not allowed")]
    PacketArg,
    #[error("R{0} is not a known constant'")]
    NotConstant(u8),
    #[error("{0}() doesn't support non-zero flags")]
    NonzeroFlags(&'static str),

    // Maps.
    #[error("invalid arg_type for sockmap/sockhash")]
    SocketValue,
    #[error("timer pointer in R1 map_uid={timer} doesn't match map pointer in R2 map_uid={map}")]
    OtherMap { timer: u32, map: u32 },
    #[error("write into map forbidden")]
    ReadOnlyMap,
    #[error("expected prog array map for tail call")]
    NoProgArray,
    #[error("{first}cannot pass map_type {map} into func {name}#{id}")]
    MapType {
        /// A line before.
        first: &'static str,
        map: u32,
        name: &'static str,
        id: u32,
    },

    // The kernel takes it for a bug of its own.
    #[error("verifier bug: backtracking misuse")]
    RoundsNotNumber,
    #[error("callback function not allowed for map")]
    NoEach,

    // References.
    #[error("R{0} must have zero offset when passed to release func or trusted arg to kfunc")]
    ReleasedOffset(u8),
    #[error("R{0} must be referenced when passed to release function")]
    NotReferenced(u8),
    #[error("more than one arg with ref_obj_id R{reg} {second} {first}")]
    TwoReferences { reg: u8, second: u32, first: u32 },
    #[error("func {name}#{id} reference has not been acquired before")]
    NotAcquired { name: &'static str, id: u32 },

    // Dynptrs.
    #[error("arg#{0} expected pointer to stack or const struct bpf_dynptr")]
    DynptrPointer(u8),
    #[error("{0}Dynptr has to be an uninitialized dynptr")]
    DynptrPresent(String),
    #[error("cannot pass pointer to const bpf_dynptr, the helper mutates it")]
    DynptrConst,
    #[error("{first}Expected an initialized dynptr as arg #{arg}")]
    DynptrAbsent {
        /// A line before.
        first: String,
        arg: u8,
    },
    #[error("Expected a dynptr of type {kind} as arg #{arg}")]
    DynptrKind { kind: &'static str, arg: u8 },
    #[error("cannot release unowned const bpf_dynptr")]
    DynptrUnowned,
    #[error("{first}arg {arg} is an unacquired reference")]
    DynptrUnacquired {
        /// A line before.
        first: String,
        arg: u8,
    },
    #[error("Unsupported reg type {kind} for {name} data")]
    DynptrMemory { kind: String, name: &'static str },

    // Fields of values.
    #[error("R{reg} doesn't have constant offset. {what} has to be at the constant offset")]
    FieldVariable { reg: u8, what: &'static str },
    #[error("map '{map}' has to have BTF in order to use {what}")]
    FieldWithoutTypes { map: String, what: &'static str },
    #[error("map '{map}' has no valid {what}")]
    NoField { map: String, what: &'static str },
    #[error("off {off} doesn't point to 'struct {what}' that is at {at}")]
    FieldOffset { off: i64, what: &'static str, at: u32 },
    #[error("R{0} has no valid kptr")]
    NoKptr(u8),
    #[error("off={0} doesn't point to kptr")]
    KptrOffset(i64),
    #[error("off={0} kptr isn't referenced kptr")]
    KptrUncounted(i64),
    #[error("invalid kptr access, R{reg} type={kind}{own} expected=ptr_{wanted}")]
    KptrStruct { reg: u8, kind: String, own: String, wanted: String },
    #[error("can't spin_{{lock,unlock}} in rbtree cb")]
    LockInComparison,
    #[error("bpf_timer cannot be used for PREEMPT_RT.")]
    TimerRealtime,

    // Strings, and variables of CPUs.
    #[error("R{0} does not point to a readonly map'")]
    StringNotReadOnly(u8),
    #[error("R{0} is not a constant address'")]
    StringVariable(u8),
    #[error("no direct value access support for this map type")]
    StringIndirect,
    #[error("direct value access on string failed")]
    StringOutside,
    #[error("string is not zero-terminated")]
    StringOpen,
    #[error("Invalid format string")]
    Format,
    #[error("")]
    FormatSize,
    #[error("unable to resolve the size of type '{0}': -22")]
    VariableSize(String),
    #[error("Helper has invalid btf/btf_id in R1")]
    CpuObject,
    #[error("BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!")]
    VoidHook,

    // Functions that are verified by themselves.
    #[error("global function calls are not allowed while holding a lock,\nuse static function instead")]
    GlobalUnderLock,
    #[error(
        "global functions that may sleep are not allowed in non-sleepable context,\ni.e., in a RCU/IRQ/preempt-disabled section, or in\n\
         a non-sleepable BPF program context"
    )]
    GlobalSleeps,
    #[error("{}Caller passes invalid args into func#{subprog} ('{name}')", before(why))]
    GlobalArgs {
        /// Why the arguments are not taken; nothing, if those of an earlier call were not.
        why: Option<Box<super::Why>>,
        subprog: usize,
        name: String,
    },
    #[error("R{0} is not a scalar")]
    ArgNotScalar(u8),
    #[error("arg#{0} expects pointer to ctx")]
    ArgNotContext(usize),
    #[error("arg#{0} is expected to be non-NULL")]
    ArgMaybeNull(usize),
    #[error("R{0} is not a pointer to arena or scalar.")]
    ArgNotArena(u8),
    #[error("R{reg} is of type {own} but {wanted} is expected")]
    ArgStruct { reg: u8, own: String, wanted: String },
}

fn before(why: &Option<Box<super::Why>>) -> String {
    why.as_ref().map(|why| format!("{why}\n")).unwrap_or_default()
}
