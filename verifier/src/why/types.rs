//! Refusals that follow from types alone.

/// What is wrong with an access, an argument or a target, by its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the names and numbers in the text
pub enum Types {
    // Accesses through a pointer to a struct.
    #[error("Type '{0}' is not a struct")]
    NotStruct(String),
    #[error("access beyond struct {name} at off {offset} size {size}")]
    BeyondStruct { name: String, offset: i64, size: u32 },
    #[error("access beyond the end of member {member} (mend:{end}) in struct {name} with off {offset} size {size}")]
    BeyondMember { member: String, end: u32, name: String, offset: i64, size: u32 },
    #[error("field {0} doesn't have size")]
    NoSize(String),
    #[error("cannot access ptr member {member} with moff {at} in struct {name} with off {offset} size {size}")]
    PartOfPointer { member: String, at: u32, name: String, offset: i64, size: u32 },
    #[error("struct {name} doesn't have field at offset {offset}")]
    NoField { name: String, offset: i64 },
    #[error("direct access to {0} is disallowed")]
    DirectAccess(&'static str),
    #[error("only read is supported")]
    ReadOnly,
    // Maps.
    #[error("{0}")]
    MapField(&'static str),
    #[error("bpf_struct_ops map cannot be used in prog")]
    StructOpsMap,
    #[error("Sleepable programs can only use array, hash, ringbuf and local storage maps")]
    SleepableMap,
    #[error("CAP_BPF and CAP_PERFMON are required to use arena")]
    ArenaCapabilities,
    #[error("only one cgroup storage of each type is allowed")]
    CgroupStorages,
    #[error("Only one arena per program")]
    Arenas,
    // What a program is attached to.
    /// The kernel refuses without a word.
    #[error("")]
    Silent,
    #[error("Syscall programs can only be sleepable")]
    SyscallAwake,
    #[error("Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable")]
    NotSleepable,
    #[error("struct ops programs must have a GPL compatible license")]
    StructOpsLicense,
    #[error("attach_btf_id {0} is not a supported struct")]
    NoStructOps(u32),
    #[error("attach to invalid member idx {index} of struct {of}")]
    NoMemberIndex { index: u32, of: String },
    #[error("attach to invalid member {member}(@idx {index}) of struct {of}")]
    NotOperation { member: String, index: u32, of: String },
    #[error("attach to unsupported member {member} of struct {of}")]
    UnsupportedMember { member: String, of: String },
    #[error("Tracing programs must provide btf_id")]
    NoTarget,
    #[error("attach_btf_id {0} is invalid")]
    InvalidTarget(u32),
    #[error("attach_btf_id {0} is not a typedef")]
    NotTypedef(u32),
    #[error("attach_btf_id {0} is not a function")]
    NotFunction(u32),
    #[error("attach_btf_id {id} points to wrong type name {name}")]
    WrongTarget { id: u32, name: String },
    #[error("attach_btf_id {id} points to disabled hook {name}")]
    DisabledHook { id: u32, name: String },
    #[error("LSM programs must have a GPL compatible license")]
    LsmLicense,
    #[error("{0} is not sleepable")]
    TargetNotSleepable(String),
    #[error("{0}() is not modifiable")]
    NotModifiable(String),
    #[error("Attaching tracing programs to function '{0}' is rejected.")]
    NotTraceable(String),
    #[error("Attaching fexit/fmod_ret to __noreturn function '{0}' is rejected.")]
    NoReturn(String),
    #[error("The function {name} has {count} arguments. Too many.")]
    TooManyParams { name: String, count: usize },
    #[error("The function {name} return type {kind} is unsupported.")]
    ReturnType { name: String, kind: &'static str },
    #[error("The function {name} arg{index} type {kind} is unsupported.")]
    ParamType { name: String, index: usize, kind: &'static str },
    #[error("The function {0} has malformed void argument.")]
    VoidParam(String),
    #[error("The function {0} with variable args is unsupported.")]
    Variadic(String),
    // Functions of the program.
    #[error("Global functions need valid BTF")]
    NoFunctionTypes,
    #[error("BTF of func#{0} doesn't point to KIND_FUNC")]
    FunctionType(usize),
    #[error("Invalid type of function {0}()")]
    FunctionProto(String),
    #[error("Global function {name}() with {count} > {most} args. Buggy compiler.")]
    ManyArgs { name: String, count: usize, most: usize },
    #[error("Global function {0}() doesn't return scalar. Only those are supported.")]
    ReturnsNoScalar(String),
    #[error("arg#{0} type tag is not supported in static functions")]
    ArgTagStatic(usize),
    #[error("arg#{0} has unsupported set of tags")]
    ArgTagUnknown(usize),
    #[error("arg#{0} has invalid combination of tags")]
    ArgTags(usize),
    #[error("arg#{0} untrusted cannot be combined with any other tags")]
    ArgUntrusted(usize),
    #[error("arg#{0} arena cannot be combined with any other tags")]
    ArgArena(usize),
    #[error("arg#{0} has pointer tag, but is not a pointer type")]
    ArgTagNoPointer(usize),
    #[error("arg#{number} has type {kind} '{name}', but only struct or primitive types are allowed")]
    ArgUntrustedKind { number: usize, kind: &'static str, name: String },
    #[error("arg#{number} reference type('{kind} {name}') candidate matching error: {error}")]
    ArgMatching { number: usize, kind: &'static str, name: String, error: i32 },
    #[error("arg#{number} reference type('{kind} {name}') has no matches")]
    ArgNoMatch { number: usize, kind: &'static str, name: String },
    #[error("arg#{number} reference type('{kind} {name}') is ambiguous")]
    ArgAmbiguous { number: usize, kind: &'static str, name: String },
    #[error("arg#{number} reference type('{kind} {name}') size cannot be determined: {error}")]
    ArgSizeUnknown { number: usize, kind: &'static str, name: String, error: i32 },
    #[error("Arg#{number} type {kind} in {func}() is not supported yet.")]
    ArgKind { number: usize, kind: &'static str, func: String },
    #[error("arg#{0} type doesn't have a name")]
    ArgNoName(usize),
    #[error("arg#{0} should be void pointer")]
    ArgVoid(usize),
    #[error("arg#{number} should be `struct {wanted} *`")]
    ArgStruct { number: usize, wanted: String },
    #[error("exception cb only supports single integer argument")]
    ExceptionCallback,
    // Kernel functions.
    #[error("Function {func} has {count} > {most} args")]
    KfuncParams { func: String, count: usize, most: usize },
    #[error("kernel function {func} args#{number} pointer type {kind} {name} is not supported")]
    KfuncPointer { func: String, number: usize, kind: &'static str, name: String },
    #[error("{deep}arg#{number} pointer type {kind} {name} must point to {void}scalar, or struct with scalar")]
    KfuncMemory { deep: &'static str, number: usize, kind: &'static str, name: String, void: &'static str },
    #[error("metadata kfuncs require device-bound program")]
    KfuncDevice,
    #[error("Unrecognized arg#{number} type {kind}")]
    KfuncArg { number: usize, kind: &'static str },
    #[error("kernel function {func} returns pointer type {kind} {name} is not supported")]
    KfuncReturn { func: String, kind: &'static str, name: String },
    // Objects.
    #[error("local type ID argument must be in range [0, U32_MAX]")]
    LocalTypeId,
    #[error("bpf_obj_new/bpf_percpu_obj_new requires prog BTF")]
    LocalTypes,
    #[error("bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct")]
    LocalStruct,
    #[error("bpf_percpu_obj_new type size ({size}) is greater than {most}")]
    PercpuSize { size: u32, most: u32 },
    #[error("bpf_percpu_obj_new type ID argument must be of a struct of scalars")]
    PercpuScalars,
    #[error("bpf_percpu_obj_new type ID argument must not contain special fields")]
    PercpuFields,
    #[error("Unknown type ID {0} passed to kfunc bpf_rdonly_cast")]
    CastUnknown(i64),
    #[error("kfunc bpf_rdonly_cast type ID argument must be of a struct or void")]
    CastKind,
    #[error("kern ctx type id {0} is not a struct")]
    ContextNoStruct(u32),
    // Arguments of what a program is attached to.
    #[error("func '{func}' offset {offset} is not multiple of 8")]
    ArgOffset { func: String, offset: i32 },
    #[error("func '{func}' doesn't have {number}-th argument")]
    NoArg { func: String, number: u32 },
    #[error("ret type {0} not allowed for fmod_ret")]
    ModifiedReturn(&'static str),
    #[error("func '{func}' arg{index} '{name}' has type {kind}. Only pointer access is allowed")]
    ArgNotPointer { func: String, index: u32, name: String, kind: &'static str },
    #[error("func '{func}' size {size} must be 8")]
    ArgSize { func: String, size: u8 },
    #[error("func '{func}' arg{index} type {kind} is not a struct")]
    ArgNotStruct { func: String, index: u32, kind: &'static str },
    /// A refusal of an argument, and the line that the kernel adds to it.
    #[error("{}invalid bpf_context access off={offset} size={size}", first_line(.why))]
    Context { why: Option<Box<Types>>, offset: i32, size: u8 },
}

/// A line before another.
fn first_line(why: &Option<Box<Types>>) -> String {
    why.as_ref().map(|why| format!("{why}\n")).unwrap_or_default()
}
