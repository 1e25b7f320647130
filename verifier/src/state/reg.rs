//! What a register, or a spilled one, holds.

use skep_btf::TypeId;

use crate::domain::Scalar64;

/// A map that a pointer belongs to: an index into the maps of the program, and after these the templates of maps in maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapRef(pub u16);

/// The types that an id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypesOf {
    /// Those of the kernel.
    Kernel,
    /// Those of the program.
    Program,
}

/// What dynptrs are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the kernel's
pub enum DynptrKind {
    Local,
    Ringbuf,
    Skb,
    Xdp,
    SkbMeta,
    File,
}

impl DynptrKind {
    /// It holds a reference.
    pub const fn is_counted(self) -> bool {
        match self {
            DynptrKind::Ringbuf => true,
            DynptrKind::Local | DynptrKind::Skb | DynptrKind::Xdp | DynptrKind::SkbMeta | DynptrKind::File => false,
        }
    }

    /// What the kernel's messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            DynptrKind::Local => "local",
            DynptrKind::Ringbuf => "ringbuf",
            DynptrKind::Skb => "skb",
            DynptrKind::Xdp => "xdp",
            DynptrKind::SkbMeta => "skb_meta",
            DynptrKind::File => "file",
        }
    }

    /// The packet may move under it, and slices of it with the packet.
    pub const fn is_of_packet(self) -> bool {
        match self {
            DynptrKind::Skb | DynptrKind::Xdp | DynptrKind::SkbMeta => true,
            DynptrKind::Local | DynptrKind::Ringbuf | DynptrKind::File => false,
        }
    }
}

/// Whether an iterator may still give something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the kernel's
pub enum IterState {
    Active,
    Drained,
}

/// Who saved the flag of interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IrqClass {
    /// `bpf_local_irq_save`.
    Native,
    /// `bpf_res_spin_lock_irqsave`.
    Lock,
}

/// What kind of value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Never written, or no longer readable.
    NotInit,
    /// A number.
    Scalar,
    /// The context of the program.
    Ctx,
    /// A map; `uid` tells maps that were looked up in a map apart, 0 for others.
    MapPtr {
        /// The map.
        map: MapRef,
        /// Which lookup it came from.
        uid: u32,
    },
    /// A value of a map.
    MapValue {
        /// The map.
        map: MapRef,
        /// Which lookup the map came from.
        uid: u32,
    },
    /// A key of a map.
    MapKey {
        /// The map.
        map: MapRef,
        /// Which lookup the map came from.
        uid: u32,
    },
    /// The stack of a frame.
    Stack {
        /// Number of the frame.
        frame: u8,
    },
    /// The packet, at a variable offset that all pointers of one id share; `range` bytes from there are known to be there.
    Packet {
        /// Bytes; negative: at the end, or beyond it.
        range: i32,
    },
    /// The metadata before the packet.
    PacketMeta {
        /// As of `Packet`.
        range: i32,
    },
    /// The end of the packet.
    PacketEnd,
    /// `struct bpf_flow_keys`.
    FlowKeys,
    /// A full socket.
    Socket,
    /// The part of a socket that all have.
    SockCommon,
    /// A TCP socket.
    TcpSock,
    /// A socket of AF_XDP.
    XdpSock,
    /// The buffer of a writable tracepoint.
    TracepointBuffer,
    /// A struct that BTF describes.
    Btf {
        /// Whose types.
        types: TypesOf,
        /// The struct.
        id: TypeId,
    },
    /// Memory.
    Mem {
        /// Bytes.
        size: u32,
        /// Id of the dynptr that it is a slice of; 0 for none.
        dynptr: u32,
    },
    /// Memory of an iterator: a key or a value.
    Buf,
    /// A function of the program.
    Func {
        /// Number of the function.
        subprog: u32,
    },
    /// The arena.
    Arena,
    /// A dynptr that the program was given.
    ConstDynptr {
        /// What it is made of.
        of: DynptrKind,
    },
    /// On the stack only: half of a dynptr.
    DynptrSlot {
        /// What it is made of.
        of: DynptrKind,
        /// The first half.
        first: bool,
    },
    /// On the stack only: part of an open-coded iterator.
    IterSlot {
        /// Its struct, in the kernel's types.
        id: TypeId,
        /// `None` in parts after the first.
        state: Option<IterState>,
        /// Iterations so far.
        depth: u32,
    },
    /// On the stack only: a saved flag of interrupts.
    IrqSlot {
        /// Who saved it.
        class: IrqClass,
    },
}

/// Modifiers of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// None.
    pub const NONE: Flags = Flags(0);
    /// It may be NULL.
    pub const MAYBE_NULL: Flags = Flags(1);
    /// The memory is read-only.
    pub const RDONLY: Flags = Flags(1 << 1);
    /// A ring buffer record.
    pub const RINGBUF: Flags = Flags(1 << 2);
    /// User memory.
    pub const USER: Flags = Flags(1 << 3);
    /// A per-CPU variable.
    pub const PERCPU: Flags = Flags(1 << 4);
    /// It may point anywhere: reads of it cannot fault.
    pub const UNTRUSTED: Flags = Flags(1 << 5);
    /// It is valid as long as the program runs.
    pub const TRUSTED: Flags = Flags(1 << 6);
    /// It is valid within the RCU section.
    pub const RCU: Flags = Flags(1 << 7);
    /// The program allocated it.
    pub const ALLOC: Flags = Flags(1 << 8);
    /// Another holds the reference: it is valid as long as the lock is held.
    pub const NON_OWNING: Flags = Flags(1 << 9);
    /// Memory of a dynptr of a packet.
    pub const OF_PACKET: Flags = Flags(1 << 10);
    /// A slice of a dynptr of memory.
    pub const OF_MEMORY: Flags = Flags(1 << 11);

    /// All of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Any of `other` is set.
    pub const fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These without `other`.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// Marks an id as that of a number that is another's with a constant added.
pub const ADD_CONST: u32 = ADD_CONST_WHOLE | ADD_CONST_LOW;
/// The constant was added to the whole.
pub const ADD_CONST_WHOLE: u32 = 1 << 31;
/// The constant was added to the low half, and zeros are above it.
pub const ADD_CONST_LOW: u32 = 1 << 30;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reg {
    /// The kind of value.
    pub kind: Kind,
    /// Modifiers of a pointer.
    pub flags: Flags,
    /// The fixed part of a pointer's offset; of a number with [`ADD_CONST`] in its id, what was added.
    pub off: i32,
    /// The number; of a pointer, the variable part of its offset.
    pub num: Scalar64,
    /// Registers with one id (not 0) learn from each other.
    pub id: u32,
    /// The reference that the value belongs to; 0 for none.
    pub ref_id: u32,
    /// One more than the slot of the instruction that defined only the low half; 0 where the whole was.
    pub subreg_def: u32,
    /// Of a number: its exact value decides whether the program is safe.
    pub precise: bool,
}

impl Reg {
    /// Not readable.
    pub const NOT_INIT: Reg = Reg { kind: Kind::NotInit, ..Reg::UNKNOWN };

    /// A number of which nothing is known.
    pub const UNKNOWN: Reg = Reg {
        kind: Kind::Scalar,
        flags: Flags::NONE,
        off: 0,
        num: Scalar64::UNKNOWN,
        id: 0,
        ref_id: 0,
        subreg_def: 0,
        precise: false,
    };

    /// This number.
    pub const fn exact(value: u64) -> Reg {
        Reg { num: Scalar64::exact(value), ..Reg::UNKNOWN }
    }

    /// A pointer of this kind with offset 0.
    pub const fn pointer(kind: Kind) -> Reg {
        Reg { kind, num: Scalar64::exact(0), ..Reg::UNKNOWN }
    }

    /// With these modifiers.
    #[must_use]
    pub const fn flagged(self, flags: Flags) -> Reg {
        Reg { flags, ..self }
    }

    /// A number.
    pub const fn is_scalar(&self) -> bool {
        matches!(self.kind, Kind::Scalar)
    }

    /// Neither a number nor unreadable.
    pub const fn is_pointer(&self) -> bool {
        !matches!(self.kind, Kind::Scalar | Kind::NotInit)
    }

    /// The number 0.
    pub fn is_null(&self) -> bool {
        self.is_scalar() && self.num.constant() == Some(0)
    }

    /// The number, if it is one and known.
    pub fn constant(&self) -> Option<u64> {
        if self.is_scalar() { self.num.constant() } else { None }
    }

    /// It may be NULL.
    pub const fn maybe_null(&self) -> bool {
        self.flags.has(Flags::MAYBE_NULL)
    }

    /// The same number, linked to none.
    #[must_use]
    pub const fn unlinked(self) -> Reg {
        Reg { id: 0, off: 0, ..self }
    }

    /// Bits that the number needs at most.
    pub fn width(&self) -> u32 {
        64 - self.num.wide.umax.leading_zeros()
    }

    /// The whole offset of a pointer whose variable part is known.
    pub fn fixed_offset(&self) -> Option<i64> {
        self.num.constant().map(|var| i64::from(self.off).wrapping_add(var as i64))
    }

    /// The id without the mark of an added constant.
    pub const fn link(&self) -> u32 {
        self.id & !ADD_CONST
    }

    /// Kind (whatever it says of sizes and ranges) and modifiers are the same.
    pub fn same_type(&self, other: &Reg) -> bool {
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind) && self.flags == other.flags
    }

    /// Kind, modifiers, offsets and bounds are the same; ids may not be.
    pub fn same_value(&self, other: &Reg) -> bool {
        self.kind == other.kind && self.flags == other.flags && self.off == other.off && self.num == other.num
    }

    /// A pointer into the packet, or its metadata.
    pub const fn is_packet(&self) -> bool {
        matches!(self.kind, Kind::Packet { .. } | Kind::PacketMeta { .. })
    }

    /// As `is_packet`, or the end of the packet.
    pub const fn is_packet_any(&self) -> bool {
        self.is_packet() || matches!(self.kind, Kind::PacketEnd)
    }

    /// A pointer to the start of the packet: nothing was added to it.
    pub fn is_packet_start(&self) -> bool {
        matches!(self.kind, Kind::Packet { .. }) && self.off == 0 && self.id == 0 && self.num.constant() == Some(0)
    }

    /// Whether a spill keeps it as it is.
    pub const fn is_spillable(&self) -> bool {
        self.kind.row().spilled
    }

    /// What the kernel's messages call the value.
    pub fn type_name(&self) -> String {
        let f = self.flags;
        let prefix = [
            (Flags::RDONLY, "rdonly_"),
            (Flags::RINGBUF, "ringbuf_"),
            (Flags::USER, "user_"),
            (Flags::PERCPU, "percpu_"),
            (Flags::UNTRUSTED, "untrusted_"),
            (Flags::RCU, "rcu_"),
        ];
        let mut name: String = prefix.iter().filter(|(flag, _)| f.has(*flag)).map(|(_, text)| *text).collect();
        if f.has(Flags::TRUSTED) {
            name.push_str("trusted_");
        }
        name.push_str(self.kind.row().name);
        if f.has(Flags::MAYBE_NULL) {
            name.push_str(if matches!(self.kind, Kind::Btf { .. }) { "or_null_" } else { "_or_null" });
        }
        name
    }
}
