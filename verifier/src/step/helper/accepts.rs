//! The kinds of value that each kind of argument takes.

use skep_btf::TypeId;
use skep_linux::helpers::ArgKind;

use crate::state::{Flags, Kind, MapRef, Reg, TypesOf};

const MAP: MapRef = MapRef(0);
const BTF: Reg = Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: TypeId(0) });
const MEM: Reg = Reg::pointer(Kind::Mem { size: 0, dynptr: 0 });
const STACK: Reg = Reg::pointer(Kind::Stack { frame: 0 });
const MAP_VALUE: Reg = Reg::pointer(Kind::MapValue { map: MAP, uid: 0 });
const TRUSTED: Reg = BTF.flagged(Flags::TRUSTED);
const RCU: Reg = BTF.flagged(Flags::RCU);
const ALLOC: Reg = BTF.flagged(Flags::ALLOC);
const RECORD: Reg = MEM.flagged(Flags::RINGBUF);

const SOCKETS: [Reg; 4] =
    [Reg::pointer(Kind::SockCommon), Reg::pointer(Kind::Socket), Reg::pointer(Kind::TcpSock), Reg::pointer(Kind::XdpSock)];

/// Memory.
const MEMORY: &[Reg] = &[
    STACK,
    Reg::pointer(Kind::Packet { range: 0 }),
    Reg::pointer(Kind::PacketMeta { range: 0 }),
    Reg::pointer(Kind::MapKey { map: MAP, uid: 0 }),
    MAP_VALUE,
    MEM,
    RECORD,
    Reg::pointer(Kind::Buf),
    TRUSTED,
];

/// Values of these kinds (and modifiers) will do; the order is that of the kernel's messages.
pub(super) const fn accepted(kind: ArgKind) -> &'static [Reg] {
    match kind {
        ArgKind::MapKey | ArgKind::MapValue(_) | ArgKind::Mem(_) | ArgKind::MapMem | ArgKind::FixedMem { .. } => MEMORY,
        ArgKind::Anything => &[],
        ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => const { &[Reg::UNKNOWN] },
        ArgKind::MapPtr => const { &[Reg::pointer(Kind::MapPtr { map: MAP, uid: 0 })] },
        ArgKind::Ctx => const { &[Reg::pointer(Kind::Ctx)] },
        ArgKind::Stack => const { &[STACK] },
        ArgKind::Func => const { &[Reg::pointer(Kind::Func { subprog: 0 })] },
        ArgKind::SpinLock | ArgKind::KptrSlot => const { &[MAP_VALUE, ALLOC] },
        ArgKind::Timer | ArgKind::ConstStr => const { &[MAP_VALUE] },
        ArgKind::SockCommon => &SOCKETS,
        ArgKind::BtfSockCommon => const { &[SOCKETS[0], SOCKETS[1], SOCKETS[2], SOCKETS[3], BTF, TRUSTED] },
        ArgKind::Socket => const { &[SOCKETS[1]] },
        ArgKind::Btf(_) | ArgKind::Kptr => const { &[BTF, TRUSTED, RCU] },
        ArgKind::RingbufMem => const { &[RECORD] },
        ArgKind::PercpuBtf => {
            const {
                &[
                    BTF.flagged(Flags::PERCPU),
                    BTF.flagged(Flags::PERCPU.with(Flags::RCU)),
                    BTF.flagged(Flags::PERCPU.with(Flags::TRUSTED)),
                ]
            }
        }
        ArgKind::Dynptr(_) => const { &[STACK, Reg::pointer(Kind::ConstDynptr { of: crate::state::DynptrKind::Local })] },
    }
}

/// The names of these kinds, as the kernel's messages list them.
pub(super) fn names(kinds: &[Reg]) -> String {
    let names: Vec<String> = kinds.iter().map(Reg::type_name).collect();
    names.join(", ")
}
