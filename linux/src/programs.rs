//! Program types: what the kernel asks of a program before its instructions count.
//!
//! Asked of Linux 6.18 where it loads the type; types that need a trampoline, and LIRC, follow the kernel's source.

use crate::sets::AttachSet;
use crate::target::Release;
use crate::{AttachType, ProgType};

use AttachType as A;
use ProgType as P;

/// The values that a program may return (`r0`, as a signed 32-bit number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Smallest.
    pub min: i32,
    /// Largest.
    pub max: i32,
}

/// What a program may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Any number.
    Any,
    /// A number in this range.
    In(Range),
    /// What the hook's own type allows: nothing, a boolean, or 0 and negative error numbers.
    OfHook,
}

/// A rule on return values: the attach types that it is for, and the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returns {
    /// Attach types.
    pub attach: AttachSet,
    /// The values.
    pub values: Values,
}

/// When the program may sleep (`BPF_F_SLEEPABLE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleepable {
    /// Never.
    Never,
    /// Always: it must be loaded so.
    Always,
    /// With these attach types.
    If(AttachSet),
}

/// Which helpers may be given packet memory, where programs have packet pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketArgs {
    /// None.
    None,
    /// Those that are marked so.
    Marked,
    /// All that take memory.
    All,
}

/// A program type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgRow {
    /// The type.
    pub prog_type: ProgType,
    /// The release that it came with.
    pub since: Release,
    /// The values of `expected_attach_type` that `BPF_PROG_LOAD` takes.
    pub attach: AttachSet,
    /// What `expected_attach_type` 0 means, where it means something else than 0.
    pub attach_zero: Option<AttachType>,
    /// Return values; an attach type that no line has may return any number.
    pub returns: &'static [Returns],
    /// Whether `BPF_PROG_TEST_RUN` runs it.
    pub test_run: bool,
    /// `BPF_PROG_LOAD` needs a function, hook or struct in BTF (`attach_btf_id`).
    pub needs_btf_target: bool,
    /// Refused without a GPL-compatible licence.
    pub gpl_only: bool,
    /// Whether it may sleep.
    pub sleepable: Sleepable,
    /// Packet memory is read in place, through packet pointers.
    pub packet_access: bool,
    /// Packet memory may be written in place.
    pub packet_write: bool,
    /// Helpers that may be given packet memory.
    pub packet_args: PacketArgs,
    /// With these attach types, functions that need much stack have one of their own.
    pub private_stack: AttachSet,
    /// `BPF_LD_ABS` and `BPF_LD_IND` are allowed.
    pub ld_abs: bool,
    /// May be loaded without `CAP_BPF` where the host lets unprivileged users load programs.
    pub unprivileged: bool,
    /// Refused to users without `CAP_NET_ADMIN`.
    pub net_admin: bool,
    /// Refused to users without `CAP_PERFMON`.
    pub perfmon: bool,
}

const BASE: ProgRow = ProgRow {
    prog_type: P::Unspec,
    since: Release::new(3, 19),
    attach: AttachSet::ALL,
    attach_zero: None,
    returns: &[],
    test_run: false,
    needs_btf_target: false,
    gpl_only: false,
    sleepable: Sleepable::Never,
    packet_access: false,
    packet_write: false,
    packet_args: PacketArgs::Marked,
    private_stack: AttachSet::NONE,
    ld_abs: false,
    unprivileged: false,
    net_admin: false,
    perfmon: false,
};

const fn only(attach: &[AttachType]) -> AttachSet {
    AttachSet::of(attach)
}

const fn within(attach: AttachSet, min: i32, max: i32) -> Returns {
    Returns { attach, values: Values::In(Range { min, max }) }
}

const BOOLEAN: &[Returns] = &[within(AttachSet::ALL, 0, 1)];
const ZERO: AttachSet = only(&[A::CgroupInetIngress]);

const SESSION: AttachSet = only(&[A::TraceKprobeSession, A::TraceUprobeSession]);
const BIND: AttachSet = only(&[A::CgroupInet4Bind, A::CgroupInet6Bind]);
const ADDRESS_ONLY: AttachSet = only(&[
    A::CgroupUdp4Recvmsg,
    A::CgroupUdp6Recvmsg,
    A::CgroupUnixRecvmsg,
    A::CgroupInet4Getpeername,
    A::CgroupInet6Getpeername,
    A::CgroupUnixGetpeername,
    A::CgroupInet4Getsockname,
    A::CgroupInet6Getsockname,
    A::CgroupUnixGetsockname,
]);
const CALLS: AttachSet = only(&[
    A::CgroupInet4Connect,
    A::CgroupInet6Connect,
    A::CgroupUnixConnect,
    A::CgroupUdp4Sendmsg,
    A::CgroupUdp6Sendmsg,
    A::CgroupUnixSendmsg,
]);
const SLEEPABLE_TRACING: AttachSet = only(&[A::TraceFentry, A::TraceFexit, A::ModifyReturn, A::TraceIter]);

/// The row of a program type; `None` for `Unspec`.
pub fn program(prog: ProgType) -> Option<&'static ProgRow> {
    PROGRAMS.iter().find(|row| row.prog_type == prog)
}

impl ProgType {
    /// What `attach` means in a program of this type: 0 is the default of some types.
    pub fn attach_meant(self, attach: AttachType) -> AttachType {
        if attach as u32 != 0 {
            return attach;
        }
        program(self).and_then(|row| row.attach_zero).unwrap_or(attach)
    }
}

impl ProgRow {
    /// What a program loaded for this attach type may return.
    pub fn values(&self, attach: AttachType) -> Values {
        self.returns.iter().find(|line| line.attach.contains(attach)).map_or(Values::Any, |line| line.values)
    }
}

/// Every program type that can be loaded, in the order of its number.
pub const PROGRAMS: &[ProgRow] = &[
    ProgRow { prog_type: P::SocketFilter, since: Release::new(3, 19), test_run: true, ld_abs: true, unprivileged: true, ..BASE },
    ProgRow {
        prog_type: P::Kprobe,
        since: Release::new(4, 1),
        returns: &[within(SESSION, 0, 1)],
        sleepable: Sleepable::If(AttachSet::ALL),
        private_stack: AttachSet::ALL,
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::SchedCls,
        since: Release::new(4, 1),
        test_run: true,
        packet_access: true,
        packet_write: true,
        ld_abs: true,
        net_admin: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::SchedAct,
        since: Release::new(4, 1),
        test_run: true,
        packet_access: true,
        packet_write: true,
        ld_abs: true,
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::Tracepoint, since: Release::new(4, 7), private_stack: AttachSet::ALL, perfmon: true, ..BASE },
    ProgRow {
        prog_type: P::Xdp,
        since: Release::new(4, 8),
        test_run: true,
        packet_access: true,
        packet_write: true,
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::PerfEvent, since: Release::new(4, 9), private_stack: AttachSet::ALL, perfmon: true, ..BASE },
    ProgRow {
        prog_type: P::CgroupSkb,
        since: Release::new(4, 10),
        attach: only(&[A::CgroupInetIngress, A::CgroupInetEgress]),
        returns: &[within(ZERO, 0, 1), within(only(&[A::CgroupInetEgress]), 0, 3)],
        test_run: true,
        packet_access: true,
        unprivileged: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::CgroupSock,
        since: Release::new(4, 10),
        attach: only(&[
            A::CgroupInetIngress,
            A::CgroupInetSockCreate,
            A::CgroupInet4PostBind,
            A::CgroupInet6PostBind,
            A::CgroupInetSockRelease,
        ]),
        attach_zero: Some(A::CgroupInetSockCreate),
        returns: BOOLEAN,
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::LwtIn, since: Release::new(4, 10), test_run: true, packet_access: true, net_admin: true, ..BASE },
    ProgRow { prog_type: P::LwtOut, since: Release::new(4, 10), test_run: true, packet_access: true, net_admin: true, ..BASE },
    ProgRow {
        prog_type: P::LwtXmit,
        since: Release::new(4, 10),
        test_run: true,
        packet_access: true,
        packet_write: true,
        net_admin: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::SockOps,
        since: Release::new(4, 13),
        returns: BOOLEAN,
        packet_access: true,
        packet_args: PacketArgs::None,
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::SkSkb, since: Release::new(4, 14), packet_access: true, packet_write: true, net_admin: true, ..BASE },
    ProgRow { prog_type: P::CgroupDevice, since: Release::new(4, 15), returns: BOOLEAN, net_admin: true, ..BASE },
    ProgRow { prog_type: P::SkMsg, since: Release::new(4, 17), packet_access: true, packet_write: true, net_admin: true, ..BASE },
    ProgRow {
        prog_type: P::RawTracepoint,
        since: Release::new(4, 17),
        test_run: true,
        private_stack: AttachSet::ALL,
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::CgroupSockAddr,
        since: Release::new(4, 17),
        attach: BIND.and(ADDRESS_ONLY).and(CALLS),
        returns: &[within(BIND, 0, 3), within(ADDRESS_ONLY, 1, 1), within(CALLS, 0, 1)],
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::LwtSeg6local, since: Release::new(4, 18), packet_access: true, net_admin: true, ..BASE },
    ProgRow { prog_type: P::LircMode2, since: Release::new(4, 18), ..BASE },
    ProgRow {
        prog_type: P::SkReuseport,
        since: Release::new(4, 19),
        attach: only(&[A::CgroupInetIngress, A::SkReuseportSelect, A::SkReuseportSelectOrMigrate]),
        attach_zero: Some(A::SkReuseportSelect),
        packet_access: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::FlowDissector,
        since: Release::new(4, 20),
        test_run: true,
        packet_access: true,
        net_admin: true,
        ..BASE
    },
    ProgRow { prog_type: P::CgroupSysctl, since: Release::new(5, 2), returns: BOOLEAN, net_admin: true, ..BASE },
    ProgRow { prog_type: P::RawTracepointWritable, since: Release::new(5, 2), perfmon: true, ..BASE },
    ProgRow {
        prog_type: P::CgroupSockopt,
        since: Release::new(5, 3),
        attach: only(&[A::CgroupGetsockopt, A::CgroupSetsockopt]),
        returns: BOOLEAN,
        packet_access: true,
        packet_write: true,
        packet_args: PacketArgs::All,
        net_admin: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::Tracing,
        since: Release::new(5, 5),
        attach: only(&[A::TraceRawTp, A::TraceIter, A::TraceFentry, A::TraceFexit, A::ModifyReturn, A::TraceFsession]),
        returns: &[within(only(&[A::TraceFentry, A::TraceFexit]), 0, 0), within(only(&[A::TraceIter, A::TraceFsession]), 0, 1)],
        test_run: true,
        needs_btf_target: true,
        sleepable: Sleepable::If(SLEEPABLE_TRACING),
        private_stack: AttachSet::ALL.without(only(&[A::TraceIter])),
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::StructOps,
        since: Release::new(5, 6),
        needs_btf_target: true,
        test_run: true,
        gpl_only: true,
        sleepable: Sleepable::If(AttachSet::ALL),
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::Ext,
        since: Release::new(5, 6),
        attach: ZERO,
        needs_btf_target: true,
        net_admin: true,
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::Lsm,
        since: Release::new(5, 7),
        attach: only(&[A::LsmMac, A::LsmCgroup]),
        returns: &[Returns { attach: AttachSet::ALL, values: Values::OfHook }],
        needs_btf_target: true,
        gpl_only: true,
        sleepable: Sleepable::If(only(&[A::LsmMac])),
        perfmon: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::SkLookup,
        since: Release::new(5, 9),
        attach: only(&[A::SkLookup]),
        returns: BOOLEAN,
        test_run: true,
        ..BASE
    },
    ProgRow {
        prog_type: P::Syscall,
        since: Release::new(5, 14),
        attach: ZERO,
        test_run: true,
        sleepable: Sleepable::Always,
        ..BASE
    },
    ProgRow {
        prog_type: P::Netfilter,
        since: Release::new(6, 4),
        attach: only(&[A::Netfilter]),
        returns: BOOLEAN,
        test_run: true,
        net_admin: true,
        ..BASE
    },
];
