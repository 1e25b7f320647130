//! The context of one run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use skep_linux::contexts::{self, ContextRow, Field, Shape, Yields};
use skep_linux::{Arch, AttachType, ProgType};
use skep_memory::{Block, Region, RegionKind};

use crate::{Packet, Skb};

/// What `r1` points to when a program starts, and what stands behind it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Program type: chooses the rows that say what each field is.
    pub prog_type: ProgType,
    /// Attach type, where it matters.
    pub attach_type: Option<AttachType>,
    /// The context as uapi lays it out (`__sk_buff`, `xdp_md`, `pt_regs`, an array of arguments, ...). Fields that yield
    /// pointers (`data`, `data_end`, `sk`) are computed when they are loaded, by their rows.
    pub block: Arc<Block>,
    /// The packet, for program types that have one; the message or option value, for those that have such.
    pub packet: Option<Packet>,
    /// What a socket buffer carries beside its bytes and fields.
    pub skb: Skb,
    /// What fields that yield pointers to objects (`sk`, `flow_keys`, ...) yield, by name; 0 for those that are not here.
    pub pointers: Vec<(&'static str, u64)>,
    /// The cookie of the socket that the event brings, if it is none of the world's; 0 until somebody asks for it.
    pub own_cookie: u64,
    /// Bytes that are left for TCP options; `None` until somebody takes some.
    pub option_space: Option<u32>,
    /// Memory that these pointers reach.
    pub lent: Vec<Region>,
    row: Option<&'static ContextRow>,
    accesses: Option<Arc<Accesses>>,
}

/// Which field an access means, by its offset, size and direction: the rows, laid out for lookups.
#[derive(Debug)]
struct Accesses {
    fields: Vec<Option<&'static Field>>,
}

/// Kinds of access at one offset: four sizes, read and write.
const KINDS: usize = 8;

impl Accesses {
    fn of(row: &'static ContextRow, prog_type: ProgType, attach_type: AttachType) -> Accesses {
        let mut fields = Vec::with_capacity(row.size as usize * KINDS);
        for offset in 0..row.size as i32 {
            for access in [contexts::Access::Read, contexts::Access::Write] {
                for size in [1, 2, 4, 8] {
                    fields.push(row.access(prog_type, attach_type, offset, size, access).ok());
                }
            }
        }
        Accesses { fields }
    }

    /// The table of a program type: each is made once.
    fn shared(row: &'static ContextRow, prog_type: ProgType, attach_type: AttachType) -> Arc<Accesses> {
        type Tables = HashMap<(&'static str, ProgType, AttachType), Arc<Accesses>>;
        static TABLES: OnceLock<Mutex<Tables>> = OnceLock::new();
        let mut tables = TABLES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Accesses::of(row, prog_type, attach_type));
        tables.entry((row.name, prog_type, attach_type)).or_insert_with(make).clone()
    }

    fn get(&self, offset: usize, size: usize, write: bool) -> Option<&'static Field> {
        let kind = size.trailing_zeros() as usize + if write { 4 } else { 0 };
        *self.fields.get(offset.checked_mul(KINDS)? + kind)?
    }
}

/// An access to the context that its rows do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} programs may not {access} {size} bytes at offset {offset} of {context}{}", prog_type.name(),
    field.map(|name| format!(" ({name})")).unwrap_or_default())]
pub struct ContextFault {
    /// Bytes from the start of the context.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// `read` or `write`.
    pub access: &'static str,
    /// Name of the struct.
    pub context: &'static str,
    /// The field there, if there is one.
    pub field: Option<&'static str>,
    /// The program type.
    pub prog_type: ProgType,
}

/// Offsets from here on count from the network header (`SKF_NET_OFF`).
const NETWORK: i32 = -0x10_0000;
/// Offsets from here on count from the link-layer header (`SKF_LL_OFF`).
const LINK: i32 = -0x20_0000;

impl Context {
    /// The context of a program type on a machine: `block` laid out as its row says, without packet and pointers.
    pub fn new(prog_type: ProgType, attach_type: Option<AttachType>, arch: Arch, block: Arc<Block>) -> Context {
        let row = contexts::context(prog_type, arch);
        // A program without an attach type has number 0, as in the kernel.
        let attach = attach_type.unwrap_or(AttachType::CgroupInetIngress);
        let accesses = row.filter(|row| row.shape == Shape::Struct).map(|row| Accesses::shared(row, prog_type, attach));
        Context {
            prog_type,
            attach_type,
            block,
            packet: None,
            skb: Skb::default(),
            pointers: Vec::new(),
            own_cookie: 0,
            option_space: None,
            lent: Vec::new(),
            row,
            accesses,
        }
    }

    /// Memory without fields, for engines that run instructions without a program type.
    pub fn memory(block: Arc<Block>) -> Context {
        let (prog_type, row) = (ProgType::Unspec, None);
        Context {
            prog_type,
            attach_type: None,
            block,
            packet: None,
            skb: Skb::default(),
            pointers: Vec::new(),
            own_cookie: 0,
            option_space: None,
            lent: Vec::new(),
            row,
            accesses: None,
        }
    }

    /// The row that says what the fields are.
    pub fn row(&self) -> Option<&'static ContextRow> {
        self.row
    }

    /// The region that loads and stores of the program fall into. Structs of uapi are reached field by field, all else as memory.
    pub fn region(&self) -> Region {
        let writable = self.row.is_none_or(|row| row.fields.iter().any(|field| field.write.is_some()));
        let kind = match self.accesses {
            Some(_) => RegionKind::Context,
            None => RegionKind::Lent("the context".into()),
        };
        Region::whole(kind, self.block.clone(), writable || self.accesses.is_some())
    }

    /// Brings fields that say how long the packet is up to date, after it changed.
    pub fn follow_packet(&self) {
        let (Some(packet), Some(row)) = (&self.packet, self.row) else {
            return;
        };
        let field = row.fields.iter().find(|field| matches!(field.name, "len" | "size") && field.size == 4);
        if let Some(field) = field.filter(|field| field.offset as usize + 4 <= self.block.len()) {
            self.block.store(field.offset as usize, 4, self.packet_bytes(packet).len() as u64);
        }
    }

    /// Where all bytes of the packet lie in its block. Of a message, the program may see a part that does not begin where it does.
    pub fn packet_bytes(&self, packet: &Packet) -> std::ops::Range<usize> {
        let start = if self.prog_type == ProgType::SkMsg { packet.mac } else { packet.data };
        start..packet.end.max(start)
    }

    /// What a load of `size` bytes at `offset` yields.
    ///
    /// # Errors
    /// [`ContextFault`], if no row allows it.
    pub fn load(&self, offset: usize, size: usize) -> Result<u64, ContextFault> {
        let Some(accesses) = &self.accesses else {
            return Ok(self.block.load(offset, size));
        };
        let field = accesses.get(offset, size, false).ok_or_else(|| self.refuse(offset, size, "read"))?;
        Ok(match (field.yields, &self.packet) {
            (Yields::Number, _) => self.block.load(offset, size),
            (Yields::PacketStart, Some(packet)) => packet.addr(),
            (Yields::PacketEnd, Some(packet)) => packet.block.addr() + packet.linear_end as u64,
            (Yields::PacketMeta, Some(packet)) => packet.block.addr() + packet.meta as u64,
            (Yields::PacketStart | Yields::PacketEnd | Yields::PacketMeta, None) => 0,
            (
                Yields::SockCommonOrNull
                | Yields::Sock
                | Yields::SockOrNull
                | Yields::FlowKeys
                | Yields::TracepointBuffer
                | Yields::Btf(_),
                _,
            ) => self.pointer(field.name),
        })
    }

    /// A store of the low `size` bytes of `value` at `offset`.
    ///
    /// # Errors
    /// [`ContextFault`], if no row allows it.
    pub fn store(&self, offset: usize, size: usize, value: u64) -> Result<(), ContextFault> {
        if let Some(accesses) = &self.accesses
            && accesses.get(offset, size, true).is_none()
        {
            return Err(self.refuse(offset, size, "write"));
        }
        self.block.store(offset, size, value);
        Ok(())
    }

    fn refuse(&self, offset: usize, size: usize, access: &'static str) -> ContextFault {
        let name = self.row.map_or("", |row| row.name);
        let field = self.row.and_then(|row| row.field_at(offset as i32)).map(|field| field.name);
        ContextFault { offset, size, access, context: name, field, prog_type: self.prog_type }
    }

    /// What the field of this name yields, for fields that are pointers to objects.
    pub fn pointer(&self, field: &str) -> u64 {
        self.pointers.iter().find(|(name, _)| *name == field).map_or(0, |(_, addr)| *addr)
    }

    /// Lets the field of this name yield the address of `block`, which programs reach as `kind`.
    pub fn lend(&mut self, field: &'static str, kind: RegionKind, block: Arc<Block>, writable: bool) {
        self.pointers.retain(|(name, _)| *name != field);
        self.pointers.push((field, block.addr()));
        self.lent.push(Region::whole(kind, block, writable));
    }

    /// The number in the field of this name; `None` if there is none, or if it is wider than a register.
    pub fn field(&self, name: &str) -> Option<u64> {
        let field = self.row?.field(name)?;
        let size = usize::try_from(field.size).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        let offset = usize::try_from(field.offset).ok()?;
        (offset + size <= self.block.len()).then(|| self.block.load(offset, size))
    }

    /// Sets the number in the field of this name; `None` as for [`Context::field`].
    pub fn set_field(&self, name: &str, value: u64) -> Option<()> {
        let field = self.row?.field(name)?;
        let size = usize::try_from(field.size).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        let offset = usize::try_from(field.offset).ok()?;
        (offset + size <= self.block.len()).then(|| self.block.store(offset, size, value))
    }

    /// A number of `size` bytes of the packet in network order, as `LD_ABS` reads it; `None` beyond the packet. Negative offsets
    /// count from a header.
    pub fn load_packet(&self, offset: i32, size: usize) -> Option<u64> {
        let packet = self.packet.as_ref()?;
        let (base, offset) = match offset {
            0.. => (packet.data, offset),
            NETWORK.. => (packet.network, offset - NETWORK),
            LINK.. => (packet.mac, offset - LINK),
            i32::MIN.. => return None,
        };
        let at = base.checked_add(usize::try_from(offset).ok()?)?;
        (at.checked_add(size)? <= packet.end)
            .then(|| packet.block.bytes(at, size).iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}
