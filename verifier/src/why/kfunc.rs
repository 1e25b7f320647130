//! Calls of kernel functions that are refused.

/// What is wrong with a call of a kernel function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the names and numbers in the text
pub enum Kfunc {
    // The function by itself.
    #[error("calling kernel function {0} is not allowed")]
    NotAllowed(String),
    #[error("function calls are not allowed while holding a lock")]
    UnderLock,
    #[error("unexpected __bpf_trap() due to uninitialized variable?")]
    Trap,
    #[error("destructive kfunc calls require CAP_SYS_BOOT capability")]
    Destructive,
    #[error("program must be sleepable to call sleepable kfunc {0}")]
    Sleeps(String),
    #[error("kernel func {name} is sleepable within {section} region")]
    SleepsWithin { name: String, section: &'static str },
    #[error("kernel func {0} requires RCU critical section protection")]
    NeedsRcu(String),
    // Sections.
    #[error("Calling bpf_rcu_read_{{lock,unlock}} in unnecessary rbtree callback")]
    RcuInTree,
    #[error("nested rcu read lock (kernel function {0})")]
    NestedRcu(String),
    #[error("unmatched rcu read unlock (kernel function {0})")]
    UnmatchedRcu(String),
    #[error("unmatched attempt to enable preemption (kernel function {0})")]
    UnmatchedPreempt(String),
    // Arguments.
    #[error("R{0} is not a scalar")]
    NotScalar(u8),
    #[error("R{0} must be a known constant")]
    NotConstant(u8),
    #[error("R{0} is not a const")]
    SizeNotConstant(u8),
    #[error("2 or more rdonly/rdwr_buf_size parameters for kfunc")]
    TwoSizes,
    #[error("Possibly NULL pointer passed to trusted arg{0}")]
    MaybeNull(u8),
    #[error("R{0} must be referenced or trusted")]
    NotTrusted(u8),
    #[error("R{0} must be a rcu pointer")]
    NotRcu(u8),
    #[error("R{0} must have zero offset when passed to release func or trusted arg to kfunc")]
    ReleaseOffset(u8),
    #[error("arg#{arg} expected pointer to ctx, but got {kind}")]
    NotContext { arg: u8, kind: String },
    #[error("arg#{arg} is {kind} expected {wanted} or socket")]
    NotBtf { arg: u8, kind: String, wanted: String },
    #[error(
        "kernel function {func} args#{arg} expected pointer to {kind} {name} but R{reg} has a pointer to {other_kind} {other}"
    )]
    OtherStruct { func: String, arg: u8, kind: &'static str, name: String, reg: u8, other_kind: &'static str, other: String },
    #[error("{why}\narg#{arg} arg#{} memory, len pair leads to invalid memory access", arg + 1)]
    Pair { why: Box<super::Why>, arg: u8 },
    #[error("arg#{0} doesn't point to a const string")]
    NotString(u8),
    #[error("the prog does not allow writes to packet data")]
    PacketReadOnly,
    #[error("pointer in R{0} isn't map pointer")]
    NotMap(u8),
    #[error("release kernel function {0} expects refcounted PTR_TO_BTF_ID")]
    NothingReleased(String),
    // Objects of the program, lists and trees.
    #[error("arg#{0} expected pointer to allocated object")]
    NotObject(u8),
    #[error("arg#{arg} expected for {func}()")]
    OtherObject { arg: u8, func: &'static str },
    #[error("allocated object must be referenced")]
    ObjectNotHeld,
    #[error("arg#{0} is neither owning or non-owning ref")]
    NotCounted(u8),
    #[error("arg#{0} doesn't point to a type with bpf_refcount field")]
    CountsNothing(u8),
    #[error("arg#{0} expected pointer to map value or allocated object")]
    RootNowhere(u8),
    #[error("R{reg} doesn't have constant offset. {what} has to be at the constant offset")]
    FieldVariable { reg: u8, what: &'static str },
    #[error("{what} not found at offset={off}")]
    FieldAbsent { what: &'static str, off: u32 },
    #[error("{}bpf_spin_lock at off={at} must be held for {what}", if *other { "held lock and object are not in the same allocation\n" } else { "" })]
    RootUnlocked { other: bool, at: i32, what: &'static str },
    #[error("{0} can only take non-owning or refcounted bpf_rb_node pointer")]
    NodeOwned(String),
    #[error("{0} not allowed in rbtree cb")]
    InTreeCallback(String),
    #[error(
        "operation on {root} expects arg#1 {what} at offset={expected} in struct {wanted}, but arg is at offset={off} in struct {given}"
    )]
    NodeStruct { root: &'static str, what: &'static str, expected: u32, wanted: String, off: i32, given: String },
    #[error("arg#1 offset={off}, but expected {what} at offset={expected} in struct {wanted}")]
    NodeOffset { off: i32, what: &'static str, expected: u32, wanted: String },
    // Work for later, and locks.
    #[error("arg{0} expected pointer to func")]
    NotFunction(u8),
    #[error("arg#{0} doesn't point to a map value")]
    NotMapValue(u8),
    #[error("map '{map}' has to have BTF in order to use {what}")]
    FieldWithoutTypes { map: String, what: &'static str },
    #[error("map '{map}' has no valid {what}")]
    NoField { map: String, what: &'static str },
    #[error("off {off} doesn't point to 'struct {what}' that is at {at}")]
    FieldOffset { off: i64, what: &'static str, at: u32 },
    #[error("bpf_task_work pointer in R2 map_uid={value} doesn't match map pointer in R3 map_uid={map}")]
    OtherTaskWorkMap { value: u32, map: u32 },
    #[error("workqueue pointer in R1 map_uid={value} doesn't match map pointer in R2 map_uid={map}")]
    OtherWorkqueueMap { value: u32, map: u32 },
    #[error("arg#{0} doesn't point to map value or allocated object")]
    LockNowhere(u8),
    #[error("verifier bug: {0}")]
    Bug(&'static str),
    // What lies on the stack.
    #[error("arg#{0} expected pointer to an iterator on stack")]
    IterNotOnStack(u8),
    #[error("{note}expected uninitialized iter_{name} as arg #{arg}")]
    IterInUse { name: String, arg: u8, note: Note },
    #[error("{note}expected an initialized iter_{name} as arg #{arg}")]
    IterNotBegun { name: String, arg: u8, note: Note },
    #[error("expected an RCU CS when using {0}")]
    IterOutsideRcu(String),
    #[error("css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs")]
    CssTaskIter,
    #[error("arg#{0} doesn't point to an irq flag on stack")]
    IrqNotOnStack(u8),
    #[error("{note}expected uninitialized irq flag as arg#{arg}")]
    IrqInUse { arg: u8, note: Note },
    #[error("{note}expected an initialized irq flag as arg#{arg}")]
    IrqNotSaved { arg: u8, note: Note },
    #[error("irq flag acquired by {saved} kfuncs cannot be restored with {used} kfuncs")]
    IrqClass { saved: &'static str, used: &'static str },
    #[error("cannot restore irq state out of order, expected id={id} acquired at insn_idx={pc}")]
    IrqOrder { id: u32, pc: u32 },
}

/// A line of the log before the one that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note(pub Option<String>);

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |line| writeln!(f, "{line}"))
    }
}
