//! What a map is before anything creates it.

use std::sync::Arc;

use skep_btf::Btf;
use skep_linux::MapType;

/// A map as an object defines it.
#[derive(Debug, Clone)]
pub struct MapDef {
    /// Its name in the object, such as `events` or `.rodata`.
    pub name: String,
    /// Type.
    pub map_type: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Capacity, in the unit of the type.
    pub max_entries: u32,
    /// `BPF_F_*` flags at creation.
    pub flags: u32,
    /// Type-specific extra (bloom filter hashes, arena address).
    pub map_extra: u64,
    /// `LIBBPF_PIN_BY_NAME` and the like.
    pub pinning: u32,
    /// NUMA node.
    pub numa_node: u32,
    /// Types of key and value in `btf`; 0 where unknown.
    pub key_type_id: u32,
    /// See `key_type_id`.
    pub value_type_id: u32,
    /// For struct_ops maps: id of the kernel-side struct in the target's BTF.
    pub kernel_value_type_id: u32,
    /// The types that the ids mean.
    pub btf: Option<Arc<Btf>>,
    /// Template of inner maps, for maps of maps.
    pub inner: Option<Arc<MapDef>>,
    /// Bytes of the first value at load (`.rodata`, `.data`, `.bss`, `.kconfig`).
    pub initial: Option<Vec<u8>>,
    /// Read-only for programs after load, and its bytes are constants to the verifier.
    pub frozen: bool,
    /// Values of map-in-map and prog arrays at load: key, and the name of a map or program.
    pub slots: Vec<(u32, String)>,
    /// Fields of the value that mean more to the kernel than bytes.
    pub special: Vec<SpecialField>,
}

/// A field of a map value that the kernel treats by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialField {
    /// What it is.
    pub kind: SpecialKind,
    /// Bytes into the value.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
}

/// Kinds of special fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SpecialKind {
    SpinLock,
    ResSpinLock,
    Timer,
    Workqueue,
    TaskWork,
    KptrUntrusted,
    KptrRef,
    KptrPercpu,
    Uptr,
    ListHead,
    ListNode,
    RbRoot,
    RbNode,
    Refcount,
}
