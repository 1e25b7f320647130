//! What holds of values by their kind alone: a row for each. Who adds a kind fills in one.

use skep_program::Through;

use super::{Flags, Kind};

/// What may be added to a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Math {
    /// Nothing.
    Nothing,
    /// 0.
    Zero,
    /// What is known; 0 else.
    Known,
    /// Anything.
    Anything,
}

/// With which modifiers memory may be reached through a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Never.
    Never,
    /// With none.
    Plain,
    /// With any but that it may be NULL.
    NotNull,
    /// The access looks at them itself.
    Any,
}

/// What holds of a kind.
#[derive(Debug)]
pub(crate) struct Row {
    /// What the kernel's messages call it.
    pub name: &'static str,
    /// What they call memory that is not aligned, with a space after it.
    pub aligned: &'static str,
    /// A spill keeps it as it is.
    pub spilled: bool,
    /// Atomic operations may reach through it.
    pub atomic: bool,
    /// The kernel rewrites accesses through it in a way of their own.
    pub rewritten: bool,
    /// It is never NULL, unless it is marked so.
    pub not_null: bool,
    /// What may be added to it.
    pub math: Math,
    /// How memory is reached through it.
    pub reach: Reach,
    /// Modifiers with which it may be given to a call at an offset that is not known.
    pub given: &'static [Flags],
    /// The kernel keeps an address beside the kind, whatever it says.
    pub beside: bool,
    /// What engines are told of accesses through it.
    pub through: Through,
}

/// A value that nothing can be done with.
const INERT: Row = Row {
    name: "",
    aligned: "",
    spilled: true,
    atomic: true,
    rewritten: false,
    not_null: false,
    math: Math::Nothing,
    reach: Reach::Never,
    given: &[],
    beside: false,
    through: Through::Other,
};
const PLAIN: &[Flags] = &[Flags::NONE];
const SOCKET: Row = Row { atomic: false, rewritten: true, reach: Reach::Plain, ..INERT };
const PACKET: Row =
    Row { atomic: false, math: Math::Anything, reach: Reach::Plain, given: PLAIN, through: Through::Plain, ..INERT };
const OF_MAP: Row = Row {
    not_null: true,
    math: Math::Anything,
    reach: Reach::Plain,
    given: PLAIN,
    beside: true,
    through: Through::Plain,
    ..INERT
};
/// An object that lies on the stack alone.
const ON_STACK: Row = Row { name: "fp", spilled: false, ..INERT };

impl Kind {
    /// What holds of it.
    pub(crate) const fn row(&self) -> &'static Row {
        match self {
            Kind::NotInit => &const { Row { name: "?", spilled: false, ..INERT } },
            Kind::Scalar => &const { Row { name: "scalar", spilled: false, given: PLAIN, ..INERT } },
            Kind::Ctx => {
                &const {
                    Row {
                        name: "ctx",
                        aligned: "context ",
                        atomic: false,
                        rewritten: true,
                        math: Math::Anything,
                        reach: Reach::Plain,
                        through: Through::Context,
                        ..INERT
                    }
                }
            }
            Kind::MapPtr { .. } => {
                &const { Row { name: "map_ptr", not_null: true, math: Math::Zero, reach: Reach::Plain, beside: true, ..INERT } }
            }
            Kind::MapValue { .. } => &const { Row { name: "map_value", aligned: "value ", ..OF_MAP } },
            Kind::MapKey { .. } => &const { Row { name: "map_key", aligned: "key ", ..OF_MAP } },
            Kind::Stack { .. } => {
                &const {
                    Row {
                        name: "fp",
                        aligned: "stack ",
                        math: Math::Anything,
                        reach: Reach::Plain,
                        given: PLAIN,
                        through: Through::Stack,
                        ..INERT
                    }
                }
            }
            Kind::Packet { .. } => &const { Row { name: "pkt", ..PACKET } },
            Kind::PacketMeta { .. } => &const { Row { name: "pkt_meta", ..PACKET } },
            Kind::PacketEnd => &const { Row { name: "pkt_end", ..INERT } },
            Kind::FlowKeys => {
                &const {
                    Row {
                        name: "flow_keys",
                        aligned: "flow keys ",
                        atomic: false,
                        math: Math::Known,
                        reach: Reach::Plain,
                        ..INERT
                    }
                }
            }
            Kind::Socket => &const { Row { name: "sock", aligned: "sock ", not_null: true, ..SOCKET } },
            Kind::SockCommon => &const { Row { name: "sock_common", aligned: "sock_common ", not_null: true, ..SOCKET } },
            Kind::TcpSock => &const { Row { name: "tcp_sock", aligned: "tcp_sock ", not_null: true, ..SOCKET } },
            Kind::XdpSock => &const { Row { name: "xdp_sock", aligned: "xdp_sock ", ..SOCKET } },
            Kind::TracepointBuffer => {
                &const { Row { name: "tp_buffer", spilled: false, math: Math::Anything, reach: Reach::Plain, ..INERT } }
            }
            Kind::Btf { .. } => {
                &const {
                    Row {
                        name: "ptr_",
                        rewritten: true,
                        math: Math::Anything,
                        reach: Reach::NotNull,
                        beside: true,
                        through: Through::Kernel,
                        ..INERT
                    }
                }
            }
            Kind::Mem { .. } => {
                &const {
                    Row {
                        name: "mem",
                        math: Math::Anything,
                        reach: Reach::Any,
                        given: &[Flags::NONE, Flags::RDONLY, Flags::RINGBUF],
                        through: Through::Plain,
                        ..INERT
                    }
                }
            }
            Kind::Buf => {
                &const { Row { name: "buf", math: Math::Anything, reach: Reach::Any, given: &[Flags::NONE, Flags::RDONLY], ..INERT } }
            }
            Kind::Func { .. } => &const { Row { name: "func", math: Math::Anything, ..INERT } },
            Kind::Arena => {
                &const { Row { name: "arena", rewritten: true, reach: Reach::Plain, given: PLAIN, through: Through::Arena, ..INERT } }
            }
            Kind::ConstDynptr { .. } => &const { Row { name: "dynptr_ptr", spilled: false, math: Math::Anything, ..INERT } },
            Kind::DynptrSlot { .. } => &const { Row { name: "dynptr", ..ON_STACK } },
            Kind::IterSlot { .. } | Kind::IrqSlot { .. } => &ON_STACK,
        }
    }

    /// How many bytes of the packet are known to be there; of pointers into it.
    pub const fn packet_range(&self) -> Option<i32> {
        if let Kind::Packet { range } | Kind::PacketMeta { range } = self { Some(*range) } else { None }
    }
}
