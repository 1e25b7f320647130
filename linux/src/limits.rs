//! Numbers that the kernel has built in.

/// Instructions that the verifier processes before it gives up on a program.
pub const MAX_PROCESSED_INSNS: u32 = 1_000_000;
/// Instructions that a program of a privileged user may have.
pub const MAX_INSNS: u32 = 1_000_000;
/// Instructions that a program of an unprivileged user may have.
pub const MAX_INSNS_UNPRIVILEGED: u32 = 4096;
/// Bytes of stack of one call, and of all nested calls together.
pub const MAX_STACK: u32 = 512;
/// Calls that may be nested, the program itself included.
pub const MAX_CALL_FRAMES: u32 = 8;
/// Tail calls of one run.
pub const MAX_TAIL_CALLS: u32 = 33;
/// Bytes of stack of a function that has made a tail call in a function other than the first.
pub const MAX_STACK_BEFORE_TAIL_CALL: u32 = 256;
/// Functions that a program may have.
pub const MAX_SUBPROGS: usize = 256;
/// Maps that a program may name.
pub const MAX_USED_MAPS: usize = 64;
/// BTF objects that a program may name.
pub const MAX_USED_BTFS: usize = 64;
/// Kernel functions that a program may call.
pub const MAX_KFUNCS: usize = 256;
/// Branches that the verifier keeps for later at one time.
pub const MAX_PENDING_BRANCHES: u32 = 8192;
/// States that it keeps for one instruction of an unprivileged program before it stops adding.
pub const MAX_STATES_PER_INSN: u32 = 64;
/// Largest number in a variable offset.
pub const MAX_VAR_OFF: u32 = 1 << 29;
/// Largest size of a variable in memory.
pub const MAX_VAR_SIZ: u32 = 1 << 29;
/// Arguments of a BTF function that a program can read.
pub const MAX_FUNC_ARGS: usize = 12;
/// Iterations that one `may_goto` allows: the count in its stack slot.
pub const MAX_MAY_GOTO: u32 = 8_388_608;
/// Iterations of `bpf_loop`.
pub const MAX_LOOPS: u32 = 1 << 23;
/// Bytes of a name of a map, a program or a BTF object, with the zero.
pub const OBJ_NAME_LEN: usize = 16;
/// Bytes of the name of a task, with the zero.
pub const TASK_COMM_LEN: usize = 16;
/// Bytes of the log.
pub const MAX_LOG: u32 = u32::MAX >> 2;
/// Maps in maps that may be nested.
pub const MAX_MAP_NESTING: u32 = 1;
/// Bytes that a tracepoint's record may have.
pub const MAX_TRACE_SIZE: u32 = 8192;
/// Frames that a stack trace may have.
pub const MAX_STACK_FRAMES: u32 = 127;
/// Bytes of headroom before a packet that an XDP program sees.
pub const XDP_HEADROOM: u32 = 256;
/// Largest error number that a pointer-sized return value can be.
pub const MAX_ERRNO: u32 = 4095;
