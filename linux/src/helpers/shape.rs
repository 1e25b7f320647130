//! The columns of a helper's row.

use crate::sets::{MapSet, Users};
use crate::target::Release;

/// What a helper, by its prototype, may do with memory that an argument points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads initialised memory; memory that is read-only to the program will do.
    Read,
    /// Reads initialised memory, and takes no pointer of a read-only kind.
    ReadOfWritable,
    /// Reads and writes initialised memory. By the kernel's prototypes it is written: a map that programs may only write will do.
    ReadWrite,
    /// Writes all of it; the memory need not be initialised before.
    Fill,
}

/// The kernel struct that a BTF pointer points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct that `name` spells
pub enum BtfType {
    TaskStruct,
    Inode,
    File,
    Path,
    LinuxBinprm,
    SeqFile,
    Cgroup,
    SkBuff,
    XdpBuff,
    PtRegs,
    Socket,
    SockCommon,
    Sock,
    TcpSock,
    Tcp6Sock,
    TcpTimewaitSock,
    TcpRequestSock,
    Udp6Sock,
    UnixSock,
    MptcpSock,
}

impl BtfType {
    /// The name of the struct in kernel BTF.
    pub const fn name(self) -> &'static str {
        match self {
            BtfType::TaskStruct => "task_struct",
            BtfType::Inode => "inode",
            BtfType::File => "file",
            BtfType::Path => "path",
            BtfType::LinuxBinprm => "linux_binprm",
            BtfType::SeqFile => "seq_file",
            BtfType::Cgroup => "cgroup",
            BtfType::SkBuff => "sk_buff",
            BtfType::XdpBuff => "xdp_buff",
            BtfType::PtRegs => "pt_regs",
            BtfType::Socket => "socket",
            BtfType::SockCommon => "sock_common",
            BtfType::Sock => "sock",
            BtfType::TcpSock => "tcp_sock",
            BtfType::Tcp6Sock => "tcp6_sock",
            BtfType::TcpTimewaitSock => "tcp_timewait_sock",
            BtfType::TcpRequestSock => "tcp_request_sock",
            BtfType::Udp6Sock => "udp6_sock",
            BtfType::UnixSock => "unix_sock",
            BtfType::MptcpSock => "mptcp_sock",
        }
    }
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// Any initialised value; a pointer only where the program may leak pointers.
    Anything,
    /// A map, known when the program is verified.
    MapPtr,
    /// Memory of the key size of the map argument.
    MapKey,
    /// Memory of the value size of the map argument.
    MapValue(Access),
    /// Memory whose size is the next argument.
    Mem(Access),
    /// Memory of a map value, read and written, whose size is the next argument: it is kept beyond the call.
    MapMem,
    /// Memory of a fixed size in bytes, aligned to it where `aligned`.
    FixedMem {
        /// What happens with it.
        access: Access,
        /// Bytes.
        size: u32,
        /// The pointer must be aligned to the size.
        aligned: bool,
    },
    /// The size in bytes of the memory before: at least 1.
    Size,
    /// The size in bytes of the memory before; 0 is allowed.
    SizeOrZero,
    /// A constant: the size in bytes of what the helper returns; 0 is allowed.
    AllocSize,
    /// The context of the program, unmodified.
    Ctx,
    /// A pointer into the stack, passed on to a callback.
    Stack,
    /// A function of the program.
    Func,
    /// A `struct bpf_spin_lock` in a map value or an allocated object.
    SpinLock,
    /// A `struct bpf_timer` in a map value.
    Timer,
    /// A socket pointer of whatever kind the program may hold, that starts with `struct sock_common`.
    SockCommon,
    /// A full socket (`struct bpf_sock`, or BTF `struct sock`).
    Socket,
    /// A BTF pointer to this struct.
    Btf(BtfType),
    /// As `SockCommon`, or a BTF pointer to a struct that starts with it.
    BtfSockCommon,
    /// What `bpf_ringbuf_reserve` returned.
    RingbufMem,
    /// A BTF pointer to a per-CPU variable.
    PercpuBtf,
    /// A NUL-terminated string in a read-only map, known when the program is verified.
    ConstStr,
    /// Where a kptr lives (a map value or an allocated object).
    KptrSlot,
    /// A BTF pointer that `bpf_kptr_xchg` moves into the slot.
    Kptr,
    /// A dynptr on the stack.
    Dynptr(Role),
}

impl ArgKind {
    /// Whether the next argument is the size of this one.
    pub const fn has_size(self) -> bool {
        matches!(self, ArgKind::Mem(_) | ArgKind::MapMem)
    }
}

/// What a helper does with a dynptr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Makes one of plain memory in an uninitialised slot.
    MakeLocal,
    /// Makes one of a ring buffer record in an uninitialised slot; it must be submitted or discarded.
    MakeRingbuf,
    /// Uses one of any kind, unchanged.
    Use,
    /// Ends one of a ring buffer record.
    ReleaseRingbuf,
}

/// An argument of a helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// What it must be.
    pub kind: ArgKind,
    /// NULL will do as well.
    pub nullable: bool,
    /// The reference that the pointer holds is given up.
    pub released: bool,
}

impl Arg {
    pub(super) const fn of(kind: ArgKind) -> Arg {
        Arg { kind, nullable: false, released: false }
    }

    pub(super) const fn or_null(self) -> Arg {
        Arg { nullable: true, ..self }
    }

    pub(super) const fn released(self) -> Arg {
        Arg { released: true, ..self }
    }
}

/// What a helper returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// A number.
    Integer,
    /// Nothing: `r0` is not readable after the call.
    Void,
    /// A value of the map argument, or NULL where `nullable`.
    MapValue {
        /// May be NULL.
        nullable: bool,
    },
    /// `struct bpf_sock` or NULL.
    SocketOrNull,
    /// `struct bpf_tcp_sock` or NULL.
    TcpSockOrNull,
    /// `struct bpf_sock` of which only the part in `struct sock_common` is there, or NULL.
    SockCommonOrNull,
    /// A ring buffer record of the size that an `AllocSize` argument says, or NULL.
    RingbufMemOrNull,
    /// Memory of a dynptr of the size that an `AllocSize` argument says, or NULL.
    DynptrMemOrNull,
    /// The variable that a per-CPU BTF pointer names: memory, or a BTF pointer if it is a struct.
    PercpuVar {
        /// May be NULL.
        nullable: bool,
    },
    /// A BTF pointer to this struct.
    Btf {
        /// The struct.
        to: BtfType,
        /// May be NULL.
        nullable: bool,
        /// A trusted pointer: valid as long as the program runs.
        trusted: bool,
    },
    /// The kptr that was in the slot, or NULL; its type is that of the slot.
    KptrOrNull,
}

/// An argument with which a callback is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackArg {
    /// A number that the verifier knows nothing about.
    Scalar,
    /// The map argument of the helper.
    Map,
    /// A key of that map.
    MapKey,
    /// A value of that map.
    MapValue,
    /// What the helper was given to pass on (argument index, from 0).
    Passed(u8),
    /// A BTF pointer to `struct task_struct`.
    Task,
    /// A BTF pointer to `struct vm_area_struct`.
    Vma,
    /// A dynptr that the callback may read.
    Dynptr,
    /// Not set: the register is not readable.
    Unset,
}

/// A function of the program that a helper calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// The argument that names the function, from 0.
    pub func: u8,
    /// What it is called with in `r1` to `r5`.
    pub args: [CallbackArg; 5],
    /// Largest value that it may return; the smallest is 0.
    pub max_return: u32,
    /// It runs later, not within the call.
    pub later: bool,
    /// The argument that says how often it runs at most, from 0.
    pub rounds: Option<u8>,
    /// The argument that must be the constant 0 for the kernel to put a loop in place of the call, from 0.
    pub inline_flags: Option<u8>,
}

/// What is known about the number that a helper returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Nothing.
    None,
    /// At most the size that this argument (index from 0) gave, or a negative error of at least -4095.
    SizeArg(u8),
    /// Below the number of CPUs that are possible.
    Cpus,
}

/// How the helper uses the content of its map argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapUse {
    /// It has none, or leaves keys and values alone.
    None,
    /// Looks up. No map is refused for it: what programs may not read is guarded where they read it.
    Read,
    /// Changes; refused for a map that programs may not write.
    Write,
}

/// Whether a helper may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleeps {
    /// Never.
    Never,
    /// Always: only sleepable programs may call it, and not under a lock, in an RCU section or with preemption off.
    Always,
    /// In sleepable programs; others may call it too.
    IfSleepable,
}

/// The kernel functions that a program must be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hooks {
    /// Any.
    Any,
    /// A security hook that may sleep.
    SleepableLsm,
    /// One of these functions, or a security hook that may sleep; for an iterator, any.
    Functions(&'static [&'static str]),
    /// Any but functions whose name begins so.
    NotPrefixed(&'static str),
}

/// How the kernel refuses a helper that a program may not call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `program of this type cannot use helper`.
    CannotUse,
    /// `helper call is not allowed in probe`.
    NotInProbe,
    /// `not supported for program type`, after the arguments have been checked.
    NotSupported,
}

/// What the one who loads the program must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing beyond what the program type asks for.
    Nothing,
    /// `CAP_BPF`.
    Bpf,
    /// `CAP_PERFMON`.
    Perfmon,
}

/// What a kernel's configuration or lockdown may deny to everybody; the helper is then refused as [`Refusal::CannotUse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing.
    Free,
    /// Reading kernel memory: lockdown "confidentiality" denies it.
    ReadKernel,
    /// Writing user memory: lockdown "integrity" denies it.
    WriteUser,
    /// Overriding what a function returns: needs `CONFIG_BPF_KPROBE_OVERRIDE`.
    Override,
}

/// What the helper does with a spin lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    No,
    /// Takes the one in its argument.
    Take,
    /// Gives it back.
    Release,
}

/// Where execution goes after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// To the next instruction.
    Next,
    /// To another program, or to the next instruction if there is none.
    TailCall,
}

/// One prototype of a helper and the programs that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proto {
    /// The programs.
    pub users: Users,
    /// What it returns.
    pub ret: Ret,
    /// Arguments in `r1` up to `r5`.
    pub args: &'static [Arg],
    /// Only programs with a GPL-compatible licence may call it.
    pub gpl_only: bool,
    /// Memory arguments may be packet memory.
    pub takes_packet: bool,
    /// The functions that the program must be attached to.
    pub hooks: Hooks,
    /// `bpf_fastcall`: may be called with live values in caller-saved registers that are spilled around the call; the kernel puts
    /// instructions in the place of the call and removes the spills.
    pub fastcall: bool,
}

impl Proto {
    pub(super) const BASE: Proto = Proto {
        users: Users::NONE,
        ret: Ret::Integer,
        args: &[],
        gpl_only: false,
        takes_packet: false,
        hooks: Hooks::Any,
        fastcall: false,
    };

    /// The index (from 0) of the map argument.
    pub fn map_arg(&self) -> Option<usize> {
        self.args.iter().position(|arg| arg.kind == ArgKind::MapPtr)
    }

    /// The index (from 0) of the argument whose reference is given up.
    pub fn release_arg(&self) -> Option<usize> {
        self.args.iter().position(|arg| arg.released)
    }
}

/// A helper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelperRow {
    /// `BPF_FUNC_*`, the number in a call instruction.
    pub id: u32,
    /// The name in uapi, with `bpf_`.
    pub name: &'static str,
    /// The release that it came with.
    pub since: Release,
    /// Its prototypes: a program has the first whose users include it.
    pub protos: &'static [Proto],
    /// The types that the map argument may have (all that exist, if there is no map argument or it may be any).
    pub maps: MapSet,
    /// Further types that the map argument may have in these programs only.
    pub maps_for: &'static [(MapSet, Users)],
    /// What it does with the content of its map argument.
    pub map_use: MapUse,
    /// The pointer that it returns holds a reference, which the program must release.
    pub acquires: bool,
    /// As `acquires`, if the map argument is of one of these types.
    pub acquires_from: MapSet,
    /// Returns its socket argument under another type: the reference stays the same one.
    pub casts: bool,
    /// The function of the program that it calls.
    pub callback: Option<Callback>,
    /// May move the packet: packet pointers are invalid after the call. Of a tail call it is the other program that may: where
    /// it returns to its own program, since there was no other, they stay valid; in the callers of that function they do not.
    pub changes_packet: bool,
    /// Whether it may sleep.
    pub sleeps: Sleeps,
    /// May be called while a spin lock is held.
    pub under_lock: bool,
    /// What it does with a spin lock.
    pub lock: Lock,
    /// What is known of the number that it returns.
    pub bound: Bound,
    /// With a map of these types, and a key that is a known number below the number of entries, it does not return NULL (the key is
    /// known if its bytes on the stack are zeros, or one number of their size).
    pub known_key: MapSet,
    /// The constant string in its arguments is a format, for values of eight bytes each in the memory of the last two arguments.
    pub format: bool,
    /// Writes through its dynptr: packet pointers are invalid after the call if that is one of a packet.
    pub writes_dynptr: bool,
    /// Changes what the function that the program is attached to returns.
    pub sets_result: bool,
    /// Arguments (index from 0) that must be the constant 0.
    pub zero_args: &'static [u8],
    /// Where execution goes.
    pub leave: Leave,
    /// What the one who loads the program must be allowed.
    pub needs: Needs,
    /// What may deny it to everybody.
    pub policy: Policy,
    /// How the kernel refuses it to programs that have no prototype; those that no line includes: [`Refusal::CannotUse`].
    pub refused: &'static [(Users, Refusal)],
}

impl HelperRow {
    pub(super) const BASE: HelperRow = HelperRow {
        id: 0,
        name: "",
        since: Release::new(0, 0),
        protos: &[],
        maps: MapSet::ALL,
        maps_for: &[],
        map_use: MapUse::None,
        acquires: false,
        acquires_from: MapSet::NONE,
        casts: false,
        callback: None,
        changes_packet: false,
        sleeps: Sleeps::Never,
        under_lock: false,
        lock: Lock::No,
        bound: Bound::None,
        known_key: MapSet::NONE,
        format: false,
        writes_dynptr: false,
        sets_result: false,
        zero_args: &[],
        leave: Leave::Next,
        needs: Needs::Nothing,
        policy: Policy::Free,
        refused: &[],
    };

    /// The name without `bpf_`.
    pub fn short_name(&self) -> &'static str {
        self.name.strip_prefix("bpf_").unwrap_or(self.name)
    }

    /// The prototype that a program of this type, loaded for this attach type, has; `None` if it may not call the helper.
    pub fn proto(&self, prog: crate::ProgType, attach: crate::AttachType) -> Option<&'static Proto> {
        self.protos.iter().find(|proto| proto.users.contains(prog, attach))
    }

    /// How the kernel refuses the helper to a program that has no prototype.
    pub fn refusal(&self, prog: crate::ProgType, attach: crate::AttachType) -> Refusal {
        let line = self.refused.iter().find(|(users, _)| users.contains(prog, attach));
        line.map_or(Refusal::CannotUse, |(_, refusal)| *refusal)
    }

    /// Whether the map argument may be of this type in such a program.
    pub fn takes_map(&self, map: crate::MapType, prog: crate::ProgType, attach: crate::AttachType) -> bool {
        self.maps.contains(map) || self.maps_for.iter().any(|(maps, users)| maps.contains(map) && users.contains(prog, attach))
    }

    /// What every row must satisfy.
    pub(super) const fn check(&self) {
        assert!(self.since.major > 2, "a row without a release");
        assert!(!self.protos.is_empty(), "a row without a prototype");
        let mut p = 0;
        while p < self.protos.len() {
            let proto = &self.protos[p];
            assert!(proto.args.len() <= 5, "more arguments than registers");
            let mut a = 0;
            while a < proto.args.len() {
                let sized = a > 0 && proto.args[a - 1].kind.has_size();
                let is_size = matches!(proto.args[a].kind, ArgKind::Size | ArgKind::SizeOrZero);
                assert!(sized == is_size, "memory is followed by its size, and a size follows memory");
                a += 1;
            }
            assert!(a == 0 || !proto.args[a - 1].kind.has_size(), "memory is followed by its size");
            p += 1;
        }
    }
}

/// Short names of the arguments that rows are written with.
pub(super) mod arg {
    use super::{Access, Arg, ArgKind, BtfType, Role};

    pub(in crate::helpers) const ANY: Arg = Arg::of(ArgKind::Anything);
    pub(in crate::helpers) const MAP: Arg = Arg::of(ArgKind::MapPtr);
    pub(in crate::helpers) const KEY: Arg = Arg::of(ArgKind::MapKey);
    pub(in crate::helpers) const VALUE: Arg = Arg::of(ArgKind::MapValue(Access::ReadOfWritable));
    pub(in crate::helpers) const VALUE_OUT: Arg = Arg::of(ArgKind::MapValue(Access::Fill));
    pub(in crate::helpers) const MEM_IN: Arg = Arg::of(ArgKind::Mem(Access::Read));
    pub(in crate::helpers) const MEM_INOUT: Arg = Arg::of(ArgKind::Mem(Access::ReadWrite));
    pub(in crate::helpers) const MEM_OUT: Arg = Arg::of(ArgKind::Mem(Access::Fill));
    pub(in crate::helpers) const MAP_MEM: Arg = Arg::of(ArgKind::MapMem);
    pub(in crate::helpers) const SIZE: Arg = Arg::of(ArgKind::Size);
    pub(in crate::helpers) const SIZE0: Arg = Arg::of(ArgKind::SizeOrZero);
    pub(in crate::helpers) const ALLOC_SIZE: Arg = Arg::of(ArgKind::AllocSize);
    pub(in crate::helpers) const CTX: Arg = Arg::of(ArgKind::Ctx);
    pub(in crate::helpers) const STACK: Arg = Arg::of(ArgKind::Stack);
    pub(in crate::helpers) const FUNC: Arg = Arg::of(ArgKind::Func);
    pub(in crate::helpers) const LOCK: Arg = Arg::of(ArgKind::SpinLock);
    pub(in crate::helpers) const TIMER: Arg = Arg::of(ArgKind::Timer);
    pub(in crate::helpers) const SOCK_COMMON: Arg = Arg::of(ArgKind::SockCommon);
    pub(in crate::helpers) const SOCKET: Arg = Arg::of(ArgKind::Socket);
    pub(in crate::helpers) const BTF_SOCK: Arg = Arg::of(ArgKind::BtfSockCommon);
    pub(in crate::helpers) const RECORD: Arg = Arg::of(ArgKind::RingbufMem);
    pub(in crate::helpers) const PERCPU: Arg = Arg::of(ArgKind::PercpuBtf);
    pub(in crate::helpers) const STR: Arg = Arg::of(ArgKind::ConstStr);
    pub(in crate::helpers) const KPTR_SLOT: Arg = Arg::of(ArgKind::KptrSlot);
    pub(in crate::helpers) const KPTR: Arg = Arg::of(ArgKind::Kptr);
    pub(in crate::helpers) const DYNPTR: Arg = Arg::of(ArgKind::Dynptr(Role::Use));
    pub(in crate::helpers) const NEW_LOCAL: Arg = Arg::of(ArgKind::Dynptr(Role::MakeLocal));
    pub(in crate::helpers) const NEW_RECORD: Arg = Arg::of(ArgKind::Dynptr(Role::MakeRingbuf));
    pub(in crate::helpers) const END_RECORD: Arg = Arg::of(ArgKind::Dynptr(Role::ReleaseRingbuf)).released();

    pub(in crate::helpers) const fn btf(to: BtfType) -> Arg {
        Arg::of(ArgKind::Btf(to))
    }

    pub(in crate::helpers) const fn fixed(access: Access, size: u32) -> Arg {
        Arg::of(ArgKind::FixedMem { access, size, aligned: false })
    }

    pub(in crate::helpers) const fn aligned(access: Access, size: u32) -> Arg {
        Arg::of(ArgKind::FixedMem { access, size, aligned: true })
    }
}
