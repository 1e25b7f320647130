//! What a map is before anything creates it.

use std::sync::Arc;

use skep_btf::Btf;
use skep_linux::MapType;

use crate::SpecialField;

/// A map as an object defines it.
#[derive(Debug, Clone)]
pub struct MapDef {
    /// Its name as loaders give it to the kernel: that of the variable that defines it, such as `events`; for a map of variables,
    /// what libbpf makes of object and section, such as `opensnoo.rodata`.
    pub name: String,
    /// Of a map of variables: the ELF section, such as `.rodata`.
    pub section: Option<String>,
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
    /// Bytes of the first value at load (`.rodata`, `.data`, `.kconfig`); where there are none, it is all 0.
    pub initial: Option<Vec<u8>>,
    /// The variables of an arena.
    pub arena_data: Option<ArenaData>,
    /// Read-only for programs after load, and its bytes are constants to the verifier.
    pub frozen: bool,
    /// Values of map-in-map and prog arrays at load: key, and the name of a map or program.
    pub slots: Vec<(u32, String)>,
    /// Fields of the value that mean more to the kernel than bytes.
    pub special: Vec<SpecialField>,
}

/// Variables that lie in an arena: loaders write them once it is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArenaData {
    /// Bytes from the start of the arena: libbpf puts them into its last pages.
    pub offset: u64,
    /// What they are at load.
    pub bytes: Vec<u8>,
}

impl MapDef {
    /// A map of this name and type, with everything else 0 or absent.
    pub fn new(name: &str, map_type: MapType) -> MapDef {
        MapDef {
            name: name.to_owned(),
            section: None,
            map_type,
            key_size: 0,
            value_size: 0,
            max_entries: 0,
            flags: 0,
            map_extra: 0,
            pinning: 0,
            numa_node: 0,
            key_type_id: 0,
            value_type_id: 0,
            kernel_value_type_id: 0,
            btf: None,
            inner: None,
            initial: None,
            arena_data: None,
            frozen: false,
            slots: Vec::new(),
            special: Vec::new(),
        }
    }

    /// What loaders make of it on a machine with so many CPUs: a perf event array of no size gets an entry for each.
    pub fn on_cpus(self: &Arc<MapDef>, cpus: u32) -> Arc<MapDef> {
        let open = self.map_type == MapType::PerfEventArray && self.max_entries == 0;
        if open { Arc::new(MapDef { max_entries: cpus, ..(**self).clone() }) } else { self.clone() }
    }

    /// Whether it says what its keys or values are.
    pub fn has_types(&self) -> bool {
        self.key_type_id != 0 || self.value_type_id != 0
    }

    /// The same without types, and so without fields that mean more to the kernel than bytes.
    pub fn without_types(&self) -> MapDef {
        let inner = self.inner.as_ref().map(|inner| Arc::new(inner.without_types()));
        MapDef { key_type_id: 0, value_type_id: 0, special: Vec::new(), inner, ..self.clone() }
    }

    /// Whether a user who says `name` means this map: by its name, or by its section if it holds variables.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.section.as_deref() == Some(name)
    }
}
