//! What `BPF_PROG_TEST_RUN` takes, by program type.

use skep_linux::ProgType;

/// What a test run of a program type takes and gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A packet and `struct __sk_buff`, both in and out.
    Skb,
    /// A packet and `struct xdp_md`, both in and out.
    Xdp,
    /// A packet in; `struct bpf_flow_keys` in the place of the packet out.
    FlowDissector,
    /// `struct bpf_sk_lookup` in.
    SkLookup,
    /// Arguments of eight bytes each.
    Args,
    /// A context of any size, in and out.
    Memory,
    /// A packet from its link-layer header on, and nothing back.
    Netfilter,
}

/// The shape of a program type; `None` for those whose programs the kernel does not run on request. (`tracing` and `struct_ops` have a
/// test run too, but it calls functions of the kernel's own, not the program.)
pub fn shape(prog_type: ProgType) -> Option<Shape> {
    match prog_type {
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::CgroupSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local => Some(Shape::Skb),
        ProgType::Xdp => Some(Shape::Xdp),
        ProgType::FlowDissector => Some(Shape::FlowDissector),
        ProgType::SkLookup => Some(Shape::SkLookup),
        ProgType::RawTracepoint => Some(Shape::Args),
        ProgType::Syscall => Some(Shape::Memory),
        ProgType::Netfilter => Some(Shape::Netfilter),
        ProgType::Unspec
        | ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::CgroupSock
        | ProgType::SockOps
        | ProgType::CgroupDevice
        | ProgType::SkMsg
        | ProgType::CgroupSockAddr
        | ProgType::LircMode2
        | ProgType::SkReuseport
        | ProgType::SkSkb
        | ProgType::RawTracepointWritable
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt
        | ProgType::Tracing
        | ProgType::StructOps
        | ProgType::Ext
        | ProgType::Lsm => None,
    }
}
