//! What a map is created from.

use std::os::fd::{AsFd, AsRawFd};

use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use crate::attr::MapCreateAttr;
use crate::btf::object_name;
use crate::sys::MapFd;
use crate::{Btf, Map};

/// The attributes of `BPF_MAP_CREATE`.
#[derive(Debug, Clone, Copy)]
pub struct MapSpec<'a> {
    /// Type.
    pub map_type: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Capacity, in the unit of the type.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// Name; cut at 15 bytes, and what the kernel does not take in a name becomes `_`.
    pub name: &'a str,
    /// Template of inner maps.
    pub inner: Option<&'a Map>,
    /// NUMA node, which only `BPF_F_NUMA_NODE` in the flags makes count.
    pub numa_node: u32,
    /// Types, and the ids of key and value in them.
    pub btf: Option<(&'a Btf, u32, u32)>,
    /// Id of the struct in vmlinux's BTF, for struct_ops.
    pub kernel_value_type_id: u32,
    /// Type-specific extra.
    pub map_extra: u64,
}

impl<'a> MapSpec<'a> {
    /// A map of this shape, without flags, name and types.
    pub fn new(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec<'a> {
        MapSpec {
            map_type,
            key_size,
            value_size,
            max_entries,
            flags: 0,
            name: "",
            inner: None,
            numa_node: 0,
            btf: None,
            kernel_value_type_id: 0,
            map_extra: 0,
        }
    }

    /// The same with these flags.
    pub fn flags(self, flags: u32) -> MapSpec<'a> {
        MapSpec { flags, ..self }
    }

    /// Creates the map.
    pub fn create(&self) -> Result<Map, Errno> {
        let (btf_fd, btf_key_type_id, btf_value_type_id) =
            self.btf.map_or((0, 0, 0), |(btf, k, v)| (btf.as_fd().as_raw_fd() as u32, k, v));
        let attr = MapCreateAttr {
            map_type: self.map_type as u32,
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: self.max_entries,
            map_flags: self.flags,
            inner_map_fd: self.inner.map_or(0, |m| m.as_fd().as_raw_fd() as u32),
            numa_node: self.numa_node,
            map_name: object_name(self.name),
            map_ifindex: 0,
            btf_fd,
            btf_key_type_id,
            btf_value_type_id,
            btf_vmlinux_value_type_id: self.kernel_value_type_id,
            map_extra: self.map_extra,
        };
        MapFd::create(attr).map(Map::new)
    }
}

/// A map of an object could not be made in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// `BPF_MAP_CREATE` failed.
    #[error("the kernel does not create map `{map}` ({map_type:?}): {errno}")]
    Create {
        /// The map.
        map: String,
        /// Its type.
        map_type: MapType,
        /// What the kernel said.
        errno: Errno,
    },
    /// Its first value could not be written.
    #[error("the kernel does not take the initial value of map `{map}`: {errno}")]
    Initial {
        /// The map.
        map: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// It could not be frozen.
    #[error("the kernel does not freeze map `{map}`: {errno}")]
    Freeze {
        /// The map.
        map: String,
        /// What the kernel said.
        errno: Errno,
    },
}

/// Map types whose keys and values have no types of their own: given any, the kernel answers `ENOTSUPP` or `EINVAL`.
const UNTYPED: [MapType; 12] = [
    MapType::PerfEventArray,
    MapType::CgroupArray,
    MapType::StackTrace,
    MapType::ArrayOfMaps,
    MapType::HashOfMaps,
    MapType::Devmap,
    MapType::DevmapHash,
    MapType::Cpumap,
    MapType::Xskmap,
    MapType::Sockmap,
    MapType::Sockhash,
    MapType::ProgArray,
];

impl Map {
    /// Creates the map that an object defines: inner template, initial value and freezing too. `btf` holds the types that the
    /// definition's ids mean. Without it the map has no types, and what needs them (spin locks, timers) is not usable.
    /// Initial slots that name programs or other maps are left to the caller ([`Map::set_fd`]).
    pub fn from_def(def: &MapDef, btf: Option<&Btf>) -> Result<Map, MapError> {
        let inner = def.inner.as_ref().map(|i| Map::from_def(i, btf)).transpose()?;
        let typed = def.key_type_id != 0 || def.value_type_id != 0 || def.kernel_value_type_id != 0;
        let btf = btf.filter(|_| typed && !UNTYPED.contains(&def.map_type));
        let spec = MapSpec {
            map_type: def.map_type,
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: match (def.map_type, def.max_entries) {
                // As loaders do: one ring for each CPU.
                (MapType::PerfEventArray, 0) => crate::possible_cpus() as u32,
                (_, entries) => entries,
            },
            flags: def.flags,
            name: &def.name,
            inner: inner.as_ref(),
            numa_node: def.numa_node,
            btf: btf.map(|b| (b, def.key_type_id, def.value_type_id)),
            kernel_value_type_id: def.kernel_value_type_id,
            map_extra: def.map_extra,
        };
        let map = match spec.create() {
            // Types are an aid for most maps: a kernel that does not take them takes the map without.
            Err(_) if spec.btf.is_some() => MapSpec { btf: None, ..spec }.create(),
            r => r,
        }
        .map_err(|errno| MapError::Create { map: def.name.clone(), map_type: def.map_type, errno })?;
        if let Some(bytes) = &def.initial
            && def.map_type == MapType::Array
        {
            let mut value = bytes.clone();
            value.resize(def.value_size as usize, 0);
            let set = map.update(&0u32.to_ne_bytes(), &value, 0);
            set.map_err(|errno| MapError::Initial { map: def.name.clone(), errno })?;
        }
        if def.frozen {
            map.freeze().map_err(|errno| MapError::Freeze { map: def.name.clone(), errno })?;
        }
        Ok(map)
    }
}
