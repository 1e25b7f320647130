//! Contexts of programs on cgroups that are no sockets: `bpf_cgroup_dev_ctx`, `bpf_sysctl`, `bpf_sockopt`.

use super::shape::{ContextRow, Field, Shape, Width, Yields, in_order};
use crate::AttachType::{CgroupGetsockopt, CgroupSetsockopt};
use crate::ProgType::CgroupSockopt;
use crate::sets::Users;
use crate::target::Release;

const V4_15: Release = Release::new(4, 15);
const V5_2: Release = Release::new(5, 2);
const V5_3: Release = Release::new(5, 3);
const WORD: Width = Width::exactly(4);
const GET: Users = Users::of(&[CgroupSockopt]).when(&[(CgroupSockopt, &[CgroupGetsockopt])]);
const SET: Users = Users::of(&[CgroupSockopt]).when(&[(CgroupSockopt, &[CgroupSetsockopt])]);

const DEVICE_FIELDS: &[Field] = &[
    // Type of the device in the low half, kind of access in the high half.
    Field::new("access_type", 0, 4, V4_15).narrow(),
    Field::new("major", 4, 4, V4_15).words(),
    Field::new("minor", 8, 4, V4_15).words(),
];

pub(super) const BPF_CGROUP_DEV_CTX: ContextRow =
    ContextRow { name: "bpf_cgroup_dev_ctx", size: 12, shape: Shape::Struct, translated: false, fields: DEVICE_FIELDS };

const SYSCTL_FIELDS: &[Field] = &[Field::new("write", 0, 4, V5_2).narrow(), Field::new("file_pos", 4, 4, V5_2).narrow().store()];

pub(super) const BPF_SYSCTL: ContextRow =
    ContextRow { name: "bpf_sysctl", size: 8, shape: Shape::Struct, translated: true, fields: SYSCTL_FIELDS };

const SOCKOPT_FIELDS: &[Field] = &[
    Field::new("sk", 0, 8, V5_3).whole().yields(Yields::Sock),
    Field::new("optval", 8, 8, V5_3).whole().yields(Yields::PacketStart),
    Field::new("optval_end", 16, 8, V5_3).whole().yields(Yields::PacketEnd),
    Field::new("level", 24, 4, V5_3).words().write(SET, WORD),
    Field::new("optname", 28, 4, V5_3).words().write(SET, WORD),
    Field::new("optlen", 32, 4, V5_3).words().store(),
    Field::new("retval", 36, 4, V5_3).read(GET, WORD).write(GET, WORD),
];

pub(super) const BPF_SOCKOPT: ContextRow =
    ContextRow { name: "bpf_sockopt", size: 40, shape: Shape::Struct, translated: true, fields: SOCKOPT_FIELDS };

const _: () = in_order(DEVICE_FIELDS, BPF_CGROUP_DEV_CTX.size);
const _: () = in_order(SYSCTL_FIELDS, BPF_SYSCTL.size);
const _: () = in_order(SOCKOPT_FIELDS, BPF_SOCKOPT.size);
