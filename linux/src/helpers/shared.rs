//! What rows of several families say alike.

use super::shape::{Callback, CallbackArg};
use crate::sets::{MapSet, Users};
use crate::{AttachType, MapType, ProgType};

/// Programs that trace.
pub(super) const TRACING: Users = Users::of(&[
    ProgType::Kprobe,
    ProgType::Tracepoint,
    ProgType::PerfEvent,
    ProgType::RawTracepoint,
    ProgType::RawTracepointWritable,
    ProgType::Tracing,
    ProgType::Lsm,
    ProgType::Syscall,
]);

/// Programs that have the helpers of BTF-typed tracing.
pub(super) const TRACING_ONLY: Users = Users::of(&[ProgType::Tracing, ProgType::Lsm, ProgType::Syscall]);

/// Functions in which a path may be printed.
pub(super) const D_PATH: &[&str] = &[
    "security_file_permission",
    "security_inode_getattr",
    "security_file_open",
    "security_path_truncate",
    "vfs_truncate",
    "vfs_fallocate",
    "dentry_open",
    "vfs_getattr",
    "filp_close",
];

/// Attach types whose programs a trampoline calls.
pub(super) const TRAMPOLINE: &[AttachType] =
    &[AttachType::TraceFentry, AttachType::TraceFexit, AttachType::ModifyReturn, AttachType::TraceFsession];

/// Attach types of tracing programs that have a cookie.
pub(super) const ATTACH_COOKIE: &[AttachType] = &[
    AttachType::TraceRawTp,
    AttachType::TraceFentry,
    AttachType::TraceFexit,
    AttachType::ModifyReturn,
    AttachType::TraceFsession,
];

/// Attach types of cgroup programs whose return value the system call hands on.
pub(super) const RETVAL: &[AttachType] = &[
    AttachType::CgroupInetSockCreate,
    AttachType::CgroupInetSockRelease,
    AttachType::CgroupInet4PostBind,
    AttachType::CgroupInet6PostBind,
    AttachType::CgroupInet4Bind,
    AttachType::CgroupInet6Bind,
    AttachType::CgroupInet4Connect,
    AttachType::CgroupInet6Connect,
    AttachType::CgroupUnixConnect,
    AttachType::CgroupUdp4Sendmsg,
    AttachType::CgroupUdp6Sendmsg,
    AttachType::CgroupUnixSendmsg,
];

/// Map types whose values programs read and write in place.
pub(super) const PLAIN: MapSet = MapSet::of(&[
    MapType::Hash,
    MapType::Array,
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruHash,
    MapType::LruPercpuHash,
    MapType::LpmTrie,
    MapType::StructOps,
    MapType::Arena,
]);

/// Map types that programs may look values up in.
pub(super) const LOOKUP: MapSet = PLAIN.and(MapSet::of(&[
    MapType::ArrayOfMaps,
    MapType::HashOfMaps,
    MapType::Devmap,
    MapType::DevmapHash,
    MapType::Xskmap,
    MapType::Sockmap,
    MapType::Sockhash,
]));

const SOCKETS: MapSet = MapSet::of(&[MapType::Sockmap, MapType::Sockhash]);

/// Programs that run with no socket locked, and so may change socket maps.
const UNLOCKED: &[ProgType] = &[
    ProgType::SocketFilter,
    ProgType::SchedCls,
    ProgType::SchedAct,
    ProgType::Xdp,
    ProgType::SkReuseport,
    ProgType::FlowDissector,
    ProgType::SkLookup,
    ProgType::Tracing,
];

/// Programs that may put sockets into socket maps.
pub(super) const SOCK_UPDATE: &[(MapSet, Users)] =
    &[(SOCKETS, Users::of(UNLOCKED).when(&[(ProgType::Tracing, &[AttachType::TraceIter])]))];

/// Programs that may take sockets out of socket maps.
pub(super) const SOCK_DELETE: &[(MapSet, Users)] = &[SOCK_UPDATE[0], (SOCKETS, Users::of(&[ProgType::SockOps]))];

/// The callback of `bpf_for_each_map_elem`.
pub(super) const EACH: Callback = Callback {
    func: 1,
    args: [CallbackArg::Map, CallbackArg::MapKey, CallbackArg::MapValue, CallbackArg::Passed(2), CallbackArg::Unset],
    max_return: 1,
    later: false,
    rounds: None,
    inline_flags: None,
};

/// The callback of `bpf_loop`.
pub(super) const LOOP: Callback = Callback {
    func: 1,
    args: [CallbackArg::Scalar, CallbackArg::Passed(2), CallbackArg::Unset, CallbackArg::Unset, CallbackArg::Unset],
    max_return: 1,
    later: false,
    rounds: Some(0),
    inline_flags: Some(3),
};

/// The callback of `bpf_find_vma`.
pub(super) const VMA: Callback = Callback {
    func: 2,
    args: [CallbackArg::Task, CallbackArg::Vma, CallbackArg::Passed(3), CallbackArg::Unset, CallbackArg::Unset],
    max_return: 1,
    later: false,
    rounds: None,
    inline_flags: None,
};

/// The callback of `bpf_user_ringbuf_drain`.
pub(super) const DRAIN: Callback = Callback {
    func: 1,
    args: [CallbackArg::Dynptr, CallbackArg::Passed(2), CallbackArg::Unset, CallbackArg::Unset, CallbackArg::Unset],
    max_return: 1,
    later: false,
    rounds: None,
    inline_flags: None,
};

/// The callback of `bpf_timer_set_callback`.
pub(super) const TIMER_CALLBACK: Callback = Callback {
    func: 1,
    args: [CallbackArg::Map, CallbackArg::MapKey, CallbackArg::MapValue, CallbackArg::Unset, CallbackArg::Unset],
    max_return: 0,
    later: true,
    rounds: None,
    inline_flags: None,
};
