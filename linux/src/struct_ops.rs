//! Structs of operations that programs implement (`struct_ops`): which members, with which helpers, writing which fields.
//!
//! Asked of Linux 6.18: every member, helper and field. The structs of sched_ext, HID and queueing disciplines have no rows: no kernel
//! that could be asked has them.

use skep_btf::{Btf, Kind, Type};

use crate::HelperRow;
use crate::sets::Users;
use crate::target::Release;
use crate::writes::{Writable, Writes};
use crate::{AttachType, ProgType};

/// The helpers that programs of a struct may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpsHelpers {
    /// None.
    None,
    /// Those whose rows have `struct_ops` programs.
    OfRows,
}

/// A struct of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructOpsRow {
    /// The name of the struct in the kernel's BTF.
    pub name: &'static str,
    /// The release from which programs implement it.
    pub since: Release,
    /// Members that are functions, but not for programs: `attach to unsupported member`.
    pub unsupported: &'static [&'static str],
    /// Members whose programs may sleep; `None`: all.
    pub sleepable: Option<&'static [&'static str]>,
    /// Helpers.
    pub helpers: OpsHelpers,
    /// Helpers that programs of one member may not call: the member, and the helpers.
    pub barred: &'static [(&'static str, &'static [&'static str])],
    /// The struct that the arguments of type `struct sock *` point to, where it is known to be a larger one.
    pub sock_is: Option<&'static str>,
    /// Fields that programs may write.
    pub writes: Writes,
}

const fn writable(of: &'static str, field: &'static str) -> Writable {
    Writable { of, field, anywhere: false }
}

/// Every struct that has a row.
pub const STRUCT_OPS: &[StructOpsRow] = &[
    StructOpsRow {
        name: "tcp_congestion_ops",
        since: Release::new(5, 6),
        unsupported: &["get_info"],
        sleepable: None,
        helpers: OpsHelpers::OfRows,
        barred: &[("release", &["bpf_setsockopt", "bpf_getsockopt"])],
        sock_is: Some("tcp_sock"),
        writes: Writes {
            through: &["tcp_sock"],
            fields: &[
                writable("sock", "sk_pacing_rate"),
                writable("sock", "sk_pacing_status"),
                Writable { of: "inet_connection_sock", field: "icsk_ca_priv", anywhere: true },
                writable("inet_connection_sock", "icsk_ack.pending"),
                writable("tcp_sock", "snd_cwnd"),
                writable("tcp_sock", "snd_cwnd_cnt"),
                writable("tcp_sock", "snd_cwnd_stamp"),
                writable("tcp_sock", "snd_ssthresh"),
                writable("tcp_sock", "ecn_flags"),
                writable("tcp_sock", "app_limited"),
            ],
            brief: false,
        },
    },
    StructOpsRow {
        name: "bpf_dummy_ops",
        since: Release::new(5, 16),
        unsupported: &[],
        sleepable: Some(&["test_sleepable"]),
        helpers: OpsHelpers::None,
        barred: &[],
        sock_is: None,
        writes: Writes {
            through: &["bpf_dummy_ops_state"],
            fields: &[Writable { of: "bpf_dummy_ops_state", field: "val", anywhere: true }],
            brief: true,
        },
    },
];

/// The row of the struct of this name.
pub fn struct_ops(name: &str) -> Option<&'static StructOpsRow> {
    STRUCT_OPS.iter().find(|row| row.name == name)
}

impl StructOpsRow {
    /// Whether programs may implement the member.
    pub fn supports(&self, member: &str) -> bool {
        !self.unsupported.contains(&member)
    }

    /// Whether programs that implement the member may sleep.
    pub fn may_sleep(&self, member: &str) -> bool {
        self.sleepable.is_none_or(|members| members.contains(&member))
    }

    /// Whether programs that implement the member may call the helper.
    pub fn may_call(&self, member: &str, helper: &HelperRow) -> bool {
        let barred = self.barred.iter().any(|(of, helpers)| *of == member && helpers.contains(&helper.name));
        let row = |users: &Users| users.contains(ProgType::StructOps, AttachType::StructOps);
        match self.helpers {
            OpsHelpers::None => false,
            OpsHelpers::OfRows => !barred && helper.protos.iter().any(|proto| row(&proto.users)),
        }
    }
}

/// What is said of an argument of an operation by its name in the kernel's own stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpsArg {
    /// It may be NULL.
    pub nullable: bool,
    /// It holds a reference that the program must give up.
    pub referenced: bool,
}

/// The marks of an operation's arguments, in order: by the names of the parameters of the kernel's function `STRUCT__MEMBER`. Empty
/// where there is no such function, which means that none is marked.
pub fn marked_args(btf: &Btf, name: &str, member: &str) -> Vec<OpsArg> {
    let stub = format!("{name}__{member}");
    let Some(Type::Func(func)) = btf.find(&stub, Kind::Func).and_then(|id| btf.get(id)) else { return Vec::new() };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return Vec::new() };
    let marks = proto
        .params()
        .map(|param| OpsArg { nullable: param.name.ends_with("__nullable"), referenced: param.name.ends_with("__ref") });
    marks.collect()
}
