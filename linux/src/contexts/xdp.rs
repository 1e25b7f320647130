//! `struct xdp_md`.

use super::shape::{ContextRow, Field, Shape, Width, Yields, in_order};
use crate::AttachType::XdpDevmap;
use crate::ProgType::Xdp;
use crate::sets::Users;
use crate::target::Release;

const V4_8: Release = Release::new(4, 8);

const FIELDS: &[Field] = &[
    Field::new("data", 0, 4, V4_8).words().yields(Yields::PacketStart),
    Field::new("data_end", 4, 4, V4_8).words().yields(Yields::PacketEnd),
    Field::new("data_meta", 8, 4, Release::new(4, 15)).words().yields(Yields::PacketMeta),
    Field::new("ingress_ifindex", 12, 4, Release::new(4, 16)).words(),
    Field::new("rx_queue_index", 16, 4, Release::new(4, 16)).words(),
    Field::new("egress_ifindex", 20, 4, Release::new(5, 8))
        .read(Users::of(&[Xdp]).when(&[(Xdp, &[XdpDevmap])]), Width::exactly(4)),
];

pub(super) const XDP_MD: ContextRow =
    ContextRow { name: "xdp_md", size: 24, shape: Shape::Struct, translated: true, fields: FIELDS };

const _: () = in_order(FIELDS, XDP_MD.size);
