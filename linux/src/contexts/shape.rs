//! The columns of a context's row.

use crate::sets::Users;
use crate::target::Release;
use crate::{AttachType, ProgType};

/// A load or a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store (atomics are refused).
    Write,
}

/// What a load of a field puts into the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// A number.
    Number,
    /// The first byte of the packet (or of the option value, or of the message) that the program may reach.
    PacketStart,
    /// The byte after the last.
    PacketEnd,
    /// The first byte of the metadata before the packet.
    PacketMeta,
    /// `struct bpf_sock` of which only the `sock_common` part may be reached, or NULL.
    SockCommonOrNull,
    /// `struct bpf_sock`.
    Sock,
    /// `struct bpf_sock` or NULL.
    SockOrNull,
    /// `struct bpf_flow_keys`.
    FlowKeys,
    /// The buffer of a writable tracepoint.
    TracepointBuffer,
    /// A trusted BTF pointer to this struct.
    Btf(&'static str),
}

impl Yields {
    /// Whether it is a pointer that the runtime makes when the field is loaded, and that is not in the context's memory.
    pub const fn is_pointer(self) -> bool {
        !matches!(self, Yields::Number)
    }
}

/// How wide an access may be. Every access is aligned to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// Bytes at least.
    pub min: u8,
    /// Bytes at most.
    pub max: u8,
    /// Only at the start of the field.
    pub at_start: bool,
    /// Also this many bytes at the start of the field, though it is shorter; 0 if none.
    pub also: u8,
}

impl Width {
    /// `bytes`, no more and no less.
    pub const fn exactly(bytes: u8) -> Width {
        Width { min: bytes, max: bytes, at_start: false, also: 0 }
    }

    /// Up to `bytes`, at any place in the field.
    pub const fn up_to(bytes: u8) -> Width {
        Width { min: 1, max: bytes, at_start: false, also: 0 }
    }

    /// Up to `bytes`, at the start of the field.
    pub const fn start(bytes: u8) -> Width {
        Width { min: 1, max: bytes, at_start: true, also: 0 }
    }

    pub(super) const fn allows(self, field: &Field, offset: i32, size: u8) -> bool {
        if self.also == size && offset == field.offset {
            return true;
        }
        size >= self.min && size <= self.max && field.covers(offset, size) && !(self.at_start && offset != field.offset)
    }
}

/// Who may reach a field, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The programs.
    pub users: Users,
    /// The width.
    pub width: Width,
}

/// A field of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name in uapi.
    pub name: &'static str,
    /// Bytes from the start of the context.
    pub offset: i32,
    /// Bytes; of an array, all of them.
    pub size: u32,
    /// What a load puts into the register.
    pub yields: Yields,
    /// The release that it came with.
    pub since: Release,
    /// Who may read it.
    pub read: Option<Grant>,
    /// Who may write it.
    pub write: Option<Grant>,
    /// Accesses for which such programs must be of somebody with `CAP_BPF`.
    pub needs_bpf: &'static [(Access, ProgType)],
}

impl Field {
    pub(super) const fn new(name: &'static str, offset: i32, size: u32, since: Release) -> Field {
        Field { name, offset, size, yields: Yields::Number, since, read: None, write: None, needs_bpf: &[] }
    }

    pub(super) const fn yields(self, yields: Yields) -> Field {
        Field { yields, ..self }
    }

    pub(super) const fn needs_bpf(self, needs_bpf: &'static [(Access, ProgType)]) -> Field {
        Field { needs_bpf, ..self }
    }

    pub(super) const fn read(self, users: Users, width: Width) -> Field {
        Field { read: Some(Grant { users, width }), ..self }
    }

    pub(super) const fn write(self, users: Users, width: Width) -> Field {
        Field { write: Some(Grant { users, width }), ..self }
    }

    /// Readable by all users of the context, with loads of up to four bytes.
    pub(super) const fn narrow(self) -> Field {
        self.read(Users::ALL, Width::up_to(4))
    }

    /// Readable by all users of the context, with loads of the whole field.
    pub(super) const fn whole(self) -> Field {
        let bytes = self.size as u8;
        self.read(Users::ALL, Width::exactly(bytes))
    }

    /// Readable by all users of the context, with loads of four bytes.
    pub(super) const fn words(self) -> Field {
        self.read(Users::ALL, Width::exactly(4))
    }

    /// Writable by all users of the context, with stores of four bytes.
    pub(super) const fn store(self) -> Field {
        self.write(Users::ALL, Width::exactly(4))
    }

    /// Whether the `size` bytes at `offset` are all of the field.
    pub const fn covers(&self, offset: i32, size: u8) -> bool {
        offset >= self.offset && offset as i64 + size as i64 <= self.offset as i64 + self.size as i64
    }

    /// Whether such a program may reach `size` bytes at `offset`.
    pub fn allows(&self, prog: ProgType, attach: AttachType, offset: i32, size: u8, access: Access) -> bool {
        let fits = |grant: Grant| grant.width.allows(self, offset, size) && grant.users.contains(prog, attach);
        offset % i32::from(size) == 0 && self.grant(access).is_some_and(fits)
    }

    pub(super) const fn grant(&self, access: Access) -> Option<Grant> {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
        }
    }
}

/// What a context is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A struct of uapi: each field means something of its own.
    Struct,
    /// Memory that is read as it is: registers, a record, arguments.
    Memory,
    /// Arguments of a function or tracepoint that BTF describes, eight bytes each: the type of each comes from BTF.
    BtfArgs,
}

/// A context: the struct that `r1` points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextRow {
    /// The name of the struct in uapi, or what it is.
    pub name: &'static str,
    /// Bytes that the struct has; of memory without a fixed size, 0.
    pub size: u32,
    /// What it is.
    pub shape: Shape,
    /// The kernel puts other accesses in the place of the program's: the struct does not lie in memory.
    pub translated: bool,
    /// The fields, in the order of their offsets.
    pub fields: &'static [Field],
}

/// A struct that programs reach through a pointer other than the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// The name of the struct in uapi.
    pub name: &'static str,
    /// What the kernel's messages call such a pointer.
    pub pointer: &'static str,
    /// Bytes.
    pub size: u32,
    /// Accesses are aligned to their size.
    pub aligned: bool,
    /// The fields, in the order of their offsets.
    pub fields: &'static [Field],
}

/// An access that no row allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid bpf_context access off={offset} size={size}")]
pub struct Refused {
    /// Bytes from the start.
    pub offset: i32,
    /// Bytes.
    pub size: u8,
}

/// Asserts that fields lie within `size` bytes, in order, without overlap.
pub(super) const fn in_order(fields: &[Field], size: u32) {
    let mut i = 0;
    while i < fields.len() {
        assert!(fields[i].read.is_some() || fields[i].write.is_some(), "a field that nobody may reach");
        if i > 0 {
            assert!(fields[i].offset as i64 >= fields[i - 1].offset as i64 + fields[i - 1].size as i64, "fields overlap");
        }
        assert!(size == 0 || fields[i].offset as i64 + fields[i].size as i64 <= size as i64, "a field beyond the struct");
        i += 1;
    }
}
