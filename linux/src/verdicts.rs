//! What return values mean: the names that uapi and its users give them, and whether a packet goes on.

use crate::{AttachType, Errno, ProgType};

/// A return value with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The value, as a signed 32-bit number.
    pub value: i32,
    /// The name; for hooks that allow or refuse, which have no names in uapi, a word.
    pub name: &'static str,
    /// Whether the packet, connection or operation goes on, here or by another way.
    pub passes: bool,
}

/// What the return value of a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// One of these values.
    Named {
        /// The values.
        verdicts: &'static [Verdict],
        /// Whether the packet goes on with a value that is none of these.
        others_pass: bool,
    },
    /// How many bytes of the packet are kept; 0 drops it.
    Length,
    /// 0, or a negative error number.
    Errno,
    /// Nothing that has a name.
    Number,
}

const fn on(value: i32, name: &'static str) -> Verdict {
    Verdict { value, name, passes: true }
}

const fn off(value: i32, name: &'static str) -> Verdict {
    Verdict { value, name, passes: false }
}

const XDP: &[Verdict] = &[off(0, "XDP_ABORTED"), off(1, "XDP_DROP"), on(2, "XDP_PASS"), on(3, "XDP_TX"), on(4, "XDP_REDIRECT")];

const TC: &[Verdict] = &[
    on(-1, "TC_ACT_UNSPEC"),
    on(0, "TC_ACT_OK"),
    on(1, "TC_ACT_RECLASSIFY"),
    off(2, "TC_ACT_SHOT"),
    on(3, "TC_ACT_PIPE"),
    off(4, "TC_ACT_STOLEN"),
    off(5, "TC_ACT_QUEUED"),
    on(6, "TC_ACT_REPEAT"),
    on(7, "TC_ACT_REDIRECT"),
    off(8, "TC_ACT_TRAP"),
];

const TCX: &[Verdict] = &[on(-1, "TCX_NEXT"), on(0, "TCX_PASS"), off(2, "TCX_DROP"), on(7, "TCX_REDIRECT")];

const NETKIT: &[Verdict] = &[on(-1, "NETKIT_NEXT"), on(0, "NETKIT_PASS"), off(2, "NETKIT_DROP"), on(7, "NETKIT_REDIRECT")];

const LWT: &[Verdict] = &[on(0, "BPF_OK"), off(2, "BPF_DROP"), on(7, "BPF_REDIRECT"), on(128, "BPF_LWT_REROUTE")];

const DISSECTOR: &[Verdict] = &[on(0, "BPF_OK"), off(2, "BPF_DROP"), on(129, "BPF_FLOW_DISSECTOR_CONTINUE")];

const SK: &[Verdict] = &[off(0, "SK_DROP"), on(1, "SK_PASS")];

const NF: &[Verdict] = &[off(0, "NF_DROP"), on(1, "NF_ACCEPT")];

/// Bit 0 decides; bit 1 says congestion to the transport above (egress), or that ports below 1024 need no capability (bind).
const ALLOW: &[Verdict] = &[off(0, "refuse"), on(1, "allow"), off(2, "refuse"), on(3, "allow")];

const fn named(verdicts: &'static [Verdict], others_pass: bool) -> Meaning {
    Meaning::Named { verdicts, others_pass }
}

/// What the return value of programs of this type says, attached like this (`None`: the type's first attach type).
pub const fn meaning(prog: ProgType, attach: Option<AttachType>) -> Meaning {
    match prog {
        ProgType::Xdp => named(XDP, false),
        ProgType::SchedCls | ProgType::SchedAct => match attach {
            Some(AttachType::TcxIngress | AttachType::TcxEgress) => named(TCX, true),
            Some(AttachType::NetkitPrimary | AttachType::NetkitPeer) => named(NETKIT, true),
            _other_or_none => named(TC, true),
        },
        ProgType::LwtIn | ProgType::LwtOut | ProgType::LwtXmit | ProgType::LwtSeg6local => named(LWT, false),
        ProgType::FlowDissector => named(DISSECTOR, false),
        ProgType::SkSkb if matches!(attach, Some(AttachType::SkSkbStreamParser)) => Meaning::Length,
        ProgType::SkSkb | ProgType::SkMsg | ProgType::SkLookup | ProgType::SkReuseport => named(SK, false),
        ProgType::Netfilter => named(NF, false),
        ProgType::SocketFilter => Meaning::Length,
        ProgType::CgroupSkb
        | ProgType::CgroupSock
        | ProgType::CgroupSockAddr
        | ProgType::CgroupDevice
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt => named(ALLOW, false),
        ProgType::Lsm => Meaning::Errno,
        ProgType::Tracing if matches!(attach, Some(AttachType::ModifyReturn)) => Meaning::Errno,
        ProgType::Unspec
        | ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::SockOps
        | ProgType::RawTracepoint
        | ProgType::RawTracepointWritable
        | ProgType::LircMode2
        | ProgType::Tracing
        | ProgType::StructOps
        | ProgType::Ext
        | ProgType::Syscall => Meaning::Number,
    }
}

impl Meaning {
    /// The verdict with this value.
    fn verdict(self, value: i32) -> Option<&'static Verdict> {
        match self {
            Meaning::Named { verdicts, .. } => verdicts.iter().find(|verdict| verdict.value == value),
            Meaning::Length | Meaning::Errno | Meaning::Number => None,
        }
    }

    /// The name of a return value, if it has one: `XDP_DROP`, `EPERM` (of -1).
    pub fn name(self, value: i32) -> Option<&'static str> {
        match self {
            Meaning::Named { .. } => self.verdict(value).map(|verdict| verdict.name),
            Meaning::Errno => value.checked_neg().and_then(|number| Errno(number).name()),
            Meaning::Length | Meaning::Number => None,
        }
    }

    /// Whether the packet, connection or operation goes on.
    pub fn passes(self, value: i32) -> bool {
        match self {
            Meaning::Named { others_pass, .. } => self.verdict(value).map_or(others_pass, |verdict| verdict.passes),
            Meaning::Length => value != 0,
            Meaning::Errno => value == 0,
            Meaning::Number => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_return_values() {
        let name = |prog, attach, value| meaning(prog, attach).name(value);
        assert_eq!(name(ProgType::Xdp, None, 1), Some("XDP_DROP"));
        assert_eq!(name(ProgType::Xdp, None, 9), None);
        assert_eq!(name(ProgType::SchedCls, None, 2), Some("TC_ACT_SHOT"));
        assert_eq!(name(ProgType::SchedCls, Some(AttachType::TcxIngress), -1), Some("TCX_NEXT"));
        assert_eq!(name(ProgType::Lsm, None, -1), Some("EPERM"));
        assert_eq!(name(ProgType::Lsm, None, i32::MIN), None);
        assert_eq!(name(ProgType::Kprobe, None, 1), None);
    }

    #[test]
    fn what_goes_on() {
        let passes = |prog, value| meaning(prog, None).passes(value);
        assert!(passes(ProgType::Xdp, 2) && !passes(ProgType::Xdp, 9));
        assert!(passes(ProgType::SchedCls, 99) && !passes(ProgType::SchedCls, 2));
        assert!(passes(ProgType::SocketFilter, 64) && !passes(ProgType::SocketFilter, 0));
        assert!(passes(ProgType::CgroupSkb, 3) && !passes(ProgType::CgroupSkb, 2));
        assert!(passes(ProgType::Lsm, 0) && !passes(ProgType::Lsm, -1));
    }
}
