//! What all map types have.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use skep_linux::{Errno, MapType};
use skep_memory::Block;
use skep_program::{MapDef, SpecialField, SpecialKind};

use crate::flags::{BPF_F_LOCK, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY};
use crate::{CreateOptions, Slot};

/// Told before a special field of a value (timer, kptr, list head ...) is cleared because its element was deleted, replaced or
/// updated, so that whoever keeps the object behind the field can let it go. The slot is the field itself.
pub type OnFree = Arc<dyn Fn(&SpecialField, Slot) + Send + Sync>;

/// Where the fields of `struct bpf_map` lie in the target's BTF, in bytes; `None` for a field that is to stay zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleLayout {
    /// `sizeof(struct bpf_map)`.
    pub size: usize,
    /// `enum bpf_map_type map_type`.
    pub map_type: Option<usize>,
    /// `u32 key_size`.
    pub key_size: Option<usize>,
    /// `u32 value_size`.
    pub value_size: Option<usize>,
    /// `u32 max_entries`.
    pub max_entries: Option<usize>,
    /// `u64 map_extra`.
    pub map_extra: Option<usize>,
    /// `u32 map_flags`.
    pub map_flags: Option<usize>,
    /// `u32 id`.
    pub id: Option<usize>,
    /// `char name[16]`.
    pub name: Option<usize>,
}

impl Default for HandleLayout {
    fn default() -> HandleLayout {
        HandleLayout {
            size: 256,
            map_type: None,
            key_size: None,
            value_size: None,
            max_entries: None,
            map_extra: None,
            map_flags: None,
            id: None,
            name: None,
        }
    }
}

impl HandleLayout {
    /// The block that plays `struct bpf_map`. Offsets that do not fit the size are left out.
    fn fill(&self, def: &MapDef, id: u32, max_entries: u32) -> Arc<Block> {
        let block = Block::zeroed(self.size.max(1));
        let put = |at: Option<usize>, bytes: &[u8]| {
            if let Some(at) = at.filter(|at| at.checked_add(bytes.len()).is_some_and(|end| end <= block.len())) {
                block.write(at, bytes);
            }
        };
        put(self.map_type, &(def.map_type as u32).to_le_bytes());
        put(self.key_size, &def.key_size.to_le_bytes());
        put(self.value_size, &def.value_size.to_le_bytes());
        put(self.max_entries, &max_entries.to_le_bytes());
        put(self.map_extra, &def.map_extra.to_le_bytes());
        put(self.map_flags, &flags_in_effect(def).to_le_bytes());
        put(self.id, &id.to_le_bytes());
        let mut name = [0; 16];
        let taken = def.name.len().min(15);
        name[..taken].copy_from_slice(&def.name.as_bytes()[..taken]);
        put(self.name, &name);
        block
    }
}

/// What all map types have: definition, handle, id, frozen or not.
pub struct Base {
    def: Arc<MapDef>,
    handle: Arc<Block>,
    id: u32,
    cpus: u32,
    frozen: AtomicBool,
    on_free: Option<OnFree>,
    /// Pieces of a value that are plain bytes: all but the special fields, in order.
    plain: Vec<(usize, usize)>,
    /// Offset of the `bpf_spin_lock`.
    spin_lock: Option<usize>,
}

/// The flags that the kernel keeps: programs never write to device maps.
fn flags_in_effect(def: &MapDef) -> u32 {
    match def.map_type {
        MapType::Devmap | MapType::DevmapHash => def.flags | BPF_F_RDONLY_PROG,
        _ => def.flags,
    }
}

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl Base {
    pub(crate) fn new(def: &Arc<MapDef>, options: &CreateOptions, max_entries: u32) -> Base {
        let id = options.id.unwrap_or_else(|| NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let mut special: Vec<&SpecialField> = def.special.iter().collect();
        special.sort_by_key(|f| f.offset);
        let (mut plain, mut from) = (Vec::new(), 0);
        for field in &special {
            let start = field.offset as usize;
            if start > from {
                plain.push((from, start));
            }
            from = from.max(start + field.size as usize);
        }
        if from < def.value_size as usize {
            plain.push((from, def.value_size as usize));
        }
        Base {
            def: def.clone(),
            handle: options.handle.fill(def, id, max_entries),
            id,
            cpus: options.cpus.max(1),
            frozen: AtomicBool::new(false),
            on_free: options.on_free.clone(),
            plain,
            spin_lock: special.iter().find(|f| f.kind == SpecialKind::SpinLock).map(|f| f.offset as usize),
        }
    }

    /// What the map was created from.
    pub fn def(&self) -> &Arc<MapDef> {
        &self.def
    }

    /// The block that plays `struct bpf_map`.
    pub fn handle(&self) -> &Arc<Block> {
        &self.handle
    }

    /// The map's id, as `bpf_map_info` and lookups in maps of maps say it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Number of CPUs that per-CPU values have.
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// Whether user space can write to it no more.
    pub fn frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    pub(crate) fn freeze(&self) -> Result<(), Errno> {
        if !self.def.special.is_empty() || self.def.map_type == MapType::StructOps {
            return Err(Errno::ENOTSUPP);
        }
        self.may_write()?;
        // may_write has answered for a map that was frozen before; here two freezes met.
        if self.frozen.swap(true, Ordering::Relaxed) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// `EPERM` unless user space may read.
    pub(crate) fn may_read(&self) -> Result<(), Errno> {
        if self.def.flags & BPF_F_WRONLY != 0 { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// `EPERM` unless user space may write.
    pub(crate) fn may_write(&self) -> Result<(), Errno> {
        if self.def.flags & BPF_F_RDONLY != 0 || self.frozen() { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether programs may write to values.
    pub(crate) fn prog_writes(&self) -> bool {
        flags_in_effect(&self.def) & BPF_F_RDONLY_PROG == 0
    }

    /// `EINVAL` if `BPF_F_LOCK` is asked for and values have no lock.
    pub(crate) fn lock_flag(&self, flags: u64) -> Result<(), Errno> {
        if flags & BPF_F_LOCK != 0 && self.spin_lock.is_none() { Err(Errno::EINVAL) } else { Ok(()) }
    }

    pub(crate) fn value_size(&self) -> usize {
        self.def.value_size as usize
    }

    pub(crate) fn key_size(&self) -> usize {
        self.def.key_size as usize
    }

    pub(crate) fn plain(&self) -> &[(usize, usize)] {
        &self.plain
    }

    pub(crate) fn has_special(&self) -> bool {
        !self.def.special.is_empty()
    }

    pub(crate) fn spin_lock(&self) -> Option<usize> {
        self.spin_lock
    }

    pub(crate) fn on_free(&self) -> Option<&OnFree> {
        self.on_free.as_ref()
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("name", &self.def.name)
            .field("map_type", &self.def.map_type)
            .field("id", &self.id)
            .field("frozen", &self.frozen())
            .finish_non_exhaustive()
    }
}
