//! A program that is not well formed: found before any path is followed, or of all paths together.

/// What is wrong with the form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Form {
    #[error("missing btf func_info")]
    NoFuncInfo,
    #[error("callback function not static")]
    CallbackNotStatic,
    #[error(transparent)]
    Refused(skep_isa::DecodeError),
    #[error("{0} uses reserved fields")]
    Fields(&'static str),
    #[error("unreachable insn {0}")]
    Unreachable(usize),
    #[error("jump into the middle of ldimm64 insn {0}")]
    IntoWide(usize),
    #[error("back-edge from insn {from} to {to}")]
    BackEdge { from: usize, to: usize },
    #[error("jump out of range from insn {from} to {to}")]
    JumpOutOfRange { from: usize, to: i64 },
    #[error("last insn is not an exit or jmp")]
    LastInsn,

    #[error("call to invalid destination")]
    CallTarget,
    #[error("too many subprograms")]
    TooManySubprogs,
    #[error("loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN")]
    CallsNeedBpf,

    #[error("cannot call kernel function from non-GPL compatible program")]
    KfuncLicense,
    #[error("negative offset disallowed for kernel module function call\nfailed to find BTF for kernel function")]
    KfuncModule,
    #[error("too many different kernel function calls")]
    TooManyKfuncs,
    #[error("invalid kernel function call not eliminated in verifier pass")]
    KfuncLeft,
    #[error("verifier bug: No program to jit at insn {0} (subprog < 0)")]
    NoFunctionLeft(usize),
    #[error("kernel btf_id {0} is not a function")]
    KfuncId(u32),
    #[error("kernel function btf_id {0} does not have a valid func_proto")]
    KfuncProto(u32),

    #[error("nonzero insn_off {0} for the first func info record")]
    FirstFuncInfo(usize),
    #[error("same or smaller insn offset ({at}) than previous func info record ({before})")]
    FuncInfoOrder { at: usize, before: usize },
    #[error("invalid type id {0} in func info")]
    FuncInfoType(u32),
    #[error("number of funcs in func_info doesn't match number of subprogs")]
    FuncInfoCount,
    #[error("func_info BTF section doesn't match subprog layout in BPF program")]
    FuncInfoLayout,
    #[error("LD_ABS is only allowed in functions that return 'int'.")]
    LdAbsReturn,
    #[error("tail_call is only allowed in functions that return 'int'.")]
    TailCallReturn,
    #[error("LD_ABS is not allowed in subprogs without BTF")]
    LdAbsWithoutTypes,
    #[error("tail_call is not allowed in subprogs without BTF")]
    TailCallWithoutTypes,
    #[error("Invalid line_info[{index}].insn_off:{at} (prev_offset:{before} prog->len:{len})")]
    LineOrder { index: usize, at: usize, before: usize, len: usize },
    #[error("Invalid insn code at line_info[{0}].insn_off")]
    LineCode(usize),
    #[error("missing bpf_line_info for func#{0}")]
    FuncWithoutLine(usize),
    #[error("missing bpf_line_info for {count} funcs starting from func#{first}")]
    FuncsWithoutLine { count: usize, first: usize },

    #[error("multiple exception callback tags for main subprog")]
    ExceptionCallbacks,
    #[error("exception callback '{0}' could not be found in BTF")]
    ExceptionCallbackAbsent(String),
    #[error("exception callback '{0}' must have global linkage")]
    ExceptionCallbackStatic(String),
    #[error("invalid exception callback insn_off in func_info: 0")]
    ExceptionCallbackFirst,
    #[error("exception callback type id not found in func_info")]
    ExceptionCallbackUnplaced,

    #[error("the program has {count} instructions; it may have 1 to {most}")]
    Length { count: usize, most: u32 },
    #[error("programs of type {prog:?} may be loaded only with {needs}")]
    TypeNeeds {
        prog: skep_linux::ProgType,
        /// The capability.
        needs: &'static str,
    },
    #[error("BPF_LDX uses reserved fields")]
    LoadFields,
    #[error("unknown opcode {0:02x}")]
    Opcode(u8),
    #[error("invalid bpf_ld_imm64 insn")]
    WideHalf,
    #[error("unrecognized bpf_ld_imm64 insn")]
    WideKind,
    #[error("fd {0} is not pointing to valid bpf_map")]
    MapDescriptor(i32),
    #[error("The total number of maps per program has reached the limit of {0}")]
    TooManyMaps(usize),
    #[error("direct value offset of {0} is not allowed")]
    ValueFar(u32),
    #[error("no direct value access support for this map type")]
    NoDirectValue,
    #[error("invalid access to map value pointer, value_size={size} off={offset}")]
    ValueOffset { size: u32, offset: u32 },
    #[error("ldimm64 insn specifies invalid btf_id {0}.")]
    VarId(i32),
    #[error("pseudo btf_id {0} in ldimm64 isn't KIND_VAR or KIND_FUNC")]
    VarKind(i32),
    #[error("ldimm64 failed to find the address for kernel symbol '{0}'.")]
    VarAddress(String),
    #[error("ldimm64 unable to resolve the size of type '{0}': -22")]
    VarSize(String),

    #[error("program with __ref argument cannot tail call")]
    ReferenceTailCall,
    #[error("tail_calls are not allowed when call stack of previous frames is {0} bytes. Too large")]
    StackBeforeTailCall(u32),
    #[error("stack size of subprog {subprog} is {depth}. Too large")]
    OwnStack { subprog: usize, depth: u32 },
    #[error("combined stack size of {calls} calls is {depth}. Too large")]
    CombinedStack { calls: usize, depth: u32 },
    #[error("bpf_throw kfunc (insn {insn}) cannot be called from callback subprog {subprog}")]
    ThrowInCallback { insn: usize, subprog: usize },
    #[error("insn {0} cannot call exception cb directly")]
    CallsExceptionCallback(usize),
    #[error("the call stack of {0} frames is too deep !")]
    TooManyFrames(usize),
    #[error("cannot tail call within exception cb")]
    TailCallInExceptionCallback,
}

impl Form {
    /// Why a slot that a path comes to is no instruction.
    pub(crate) fn undecodable(error: skep_isa::DecodeError) -> Form {
        use skep_isa::DecodeError;
        match error {
            DecodeError::Reserved { code, .. } | DecodeError::Variant { code, .. } => {
                crate::prep::family(code).map_or(Form::Refused(error), Form::Fields)
            }
            DecodeError::End { .. }
            | DecodeError::Truncated { .. }
            | DecodeError::UnknownOpcode { .. }
            | DecodeError::Register { .. } => Form::Refused(error),
        }
    }
}
