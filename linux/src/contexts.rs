//! What `r1` points to when a program starts, and the other structs whose fields programs reach through pointers that the
//! kernel guards: field by field, who may read or write it, how wide, and what a load yields.
//!
//! Asked of Linux 6.18: every program and attach type, offset, size and direction. A byte that no row allows is refused.

mod cgroup;
mod objects;
mod shape;
mod skb;
mod sock;
mod structs;
mod trace;
mod xdp;

pub use objects::{FLOW_KEYS, SOCK, SOCK_COMMON, TCP_SOCK, XDP_SOCK};
pub use shape::{Access, ContextRow, Field, Grant, Object, Refused, Shape, Width, Yields};
pub use structs::{Layout, Member, STRUCTS, layout};

use crate::target::Arch;
use crate::{AttachType, ProgType};

/// Every context.
pub const CONTEXTS: &[&ContextRow] = &[
    &skb::SK_BUFF,
    &xdp::XDP_MD,
    &sock::BPF_SOCK,
    &sock::BPF_SOCK_ADDR,
    &sock::BPF_SOCK_OPS,
    &sock::SK_MSG_MD,
    &sock::SK_REUSEPORT_MD,
    &sock::BPF_SK_LOOKUP,
    &cgroup::BPF_CGROUP_DEV_CTX,
    &cgroup::BPF_SYSCTL,
    &cgroup::BPF_SOCKOPT,
    &trace::PT_REGS_X86_64,
    &trace::PT_REGS_AARCH64,
    &trace::TRACEPOINT,
    &trace::PERF_EVENT_X86_64,
    &trace::PERF_EVENT_AARCH64,
    &trace::RAW_TRACEPOINT,
    &trace::RAW_TRACEPOINT_WRITABLE,
    &trace::NETFILTER,
    &trace::LIRC,
    &trace::SYSCALL,
    &trace::BTF_ARGS,
];

/// The context of programs of this type on this machine; `None` for types that are not loaded by themselves
/// (`Unspec`, and `Ext`, whose context is that of the program it replaces a function of).
pub const fn context(prog: ProgType, arch: Arch) -> Option<&'static ContextRow> {
    Some(match prog {
        ProgType::Unspec | ProgType::Ext => return None,
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::CgroupSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::SkSkb
        | ProgType::FlowDissector => &skb::SK_BUFF,
        ProgType::Xdp => &xdp::XDP_MD,
        ProgType::CgroupSock => &sock::BPF_SOCK,
        ProgType::CgroupSockAddr => &sock::BPF_SOCK_ADDR,
        ProgType::SockOps => &sock::BPF_SOCK_OPS,
        ProgType::SkMsg => &sock::SK_MSG_MD,
        ProgType::SkReuseport => &sock::SK_REUSEPORT_MD,
        ProgType::SkLookup => &sock::BPF_SK_LOOKUP,
        ProgType::CgroupDevice => &cgroup::BPF_CGROUP_DEV_CTX,
        ProgType::CgroupSysctl => &cgroup::BPF_SYSCTL,
        ProgType::CgroupSockopt => &cgroup::BPF_SOCKOPT,
        ProgType::Kprobe => match arch {
            Arch::X86_64 => &trace::PT_REGS_X86_64,
            Arch::Aarch64 => &trace::PT_REGS_AARCH64,
        },
        ProgType::PerfEvent => match arch {
            Arch::X86_64 => &trace::PERF_EVENT_X86_64,
            Arch::Aarch64 => &trace::PERF_EVENT_AARCH64,
        },
        ProgType::Tracepoint => &trace::TRACEPOINT,
        ProgType::RawTracepoint => &trace::RAW_TRACEPOINT,
        ProgType::RawTracepointWritable => &trace::RAW_TRACEPOINT_WRITABLE,
        ProgType::Netfilter => &trace::NETFILTER,
        ProgType::LircMode2 => &trace::LIRC,
        ProgType::Syscall => &trace::SYSCALL,
        ProgType::Tracing | ProgType::StructOps | ProgType::Lsm => &trace::BTF_ARGS,
    })
}

impl ContextRow {
    /// The field that covers byte `offset`, if there is one.
    pub fn field_at(&self, offset: i32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.covers(offset, 1))
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field that a program may reach with an access of `size` bytes at `offset`.
    pub fn access(
        &self,
        prog: ProgType,
        attach: AttachType,
        offset: i32,
        size: u8,
        access: Access,
    ) -> Result<&'static Field, Refused> {
        let mut fields = self.fields.iter().filter(|field| field.allows(prog, attach, offset, size, access));
        fields.next().ok_or(Refused { offset, size })
    }
}

impl Object {
    /// The field that a program may reach through such a pointer with an access of `size` bytes at `offset`.
    pub fn access(&self, offset: i32, size: u8, access: Access) -> Result<&'static Field, Refused> {
        let aligned = !self.aligned || offset % i32::from(size) == 0;
        let fits = |field: &&Field| field.grant(access).is_some_and(|grant| grant.width.allows(field, offset, size));
        self.fields.iter().find(fits).filter(|_| aligned).ok_or(Refused { offset, size })
    }
}
