//! `BPF_MAP_CREATE`.

use std::sync::Arc;

use skep_linux::special::special;
use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use crate::flags::*;
use crate::*;

/// What a map takes from the world it is created in.
#[derive(Clone)]
pub struct CreateOptions {
    /// Number of possible CPUs (0 is taken as 1): pieces of per-CPU values, lists of LRU maps.
    pub cpus: u32,
    /// `CONFIG_NR_CPUS`: the most entries of a cpumap.
    pub nr_cpus: u32,
    /// The most bytes that one block of a map (its values, its keys) may have; `ENOMEM` beyond. Blocks are committed by the host as
    /// they are touched.
    pub max_bytes: u64,
    /// The map's id; `None` takes the next number of this process.
    pub id: Option<u32>,
    /// Where fields of `struct bpf_map` go in the handle.
    pub handle: HandleLayout,
    /// The map whose shape inner maps must have (`inner_map_fd`), for maps of maps. `None` creates one from `MapDef::inner`.
    pub inner: Option<Arc<dyn Map>>,
    /// Seed of hash maps without `BPF_F_ZERO_SEED`.
    pub seed: u32,
    /// Told before special fields of freed elements are cleared.
    pub on_free: Option<OnFree>,
}

impl CreateOptions {
    /// The defaults for so many CPUs: `CONFIG_NR_CPUS` of distributions' kernels, 4 GiB at most per block, ids of the process, a zero handle, seed 0.
    pub fn new(cpus: u32) -> CreateOptions {
        CreateOptions {
            cpus,
            nr_cpus: 8192,
            max_bytes: 4 << 30,
            id: None,
            handle: HandleLayout::default(),
            inner: None,
            seed: 0,
            on_free: None,
        }
    }

    pub(crate) fn hash_seed(&self, def: &MapDef) -> u32 {
        if def.flags & BPF_F_ZERO_SEED != 0 { 0 } else { self.seed }
    }
}

impl std::fmt::Debug for CreateOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateOptions")
            .field("cpus", &self.cpus)
            .field("max_bytes", &self.max_bytes)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A map could not be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The kernel refuses it, with this error number.
    #[error("map `{map}` ({}): {errno}", map_type.name())]
    Refused {
        /// The map.
        map: String,
        /// Its type.
        map_type: MapType,
        /// What `BPF_MAP_CREATE` answers.
        errno: Errno,
    },
    /// The bytes to start with do not fit the value.
    #[error("map `{map}`: {len} initial bytes for a value of {value_size}")]
    Initial {
        /// The map.
        map: String,
        /// Length of the initial bytes.
        len: usize,
        /// Size of the value.
        value_size: u32,
    },
}

impl CreateError {
    /// What `BPF_MAP_CREATE` would answer.
    pub fn errno(&self) -> Errno {
        match self {
            CreateError::Refused { errno, .. } => *errno,
            CreateError::Initial { .. } => Errno::EINVAL,
        }
    }
}

/// Creates a map from its definition: checks as `BPF_MAP_CREATE` does, then writes its initial bytes and freezes it if the
/// definition says so. Initial slots that name maps or programs are left to the caller.
pub fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Arc<dyn Map>, CreateError> {
    let refused = |errno| CreateError::Refused { map: def.name.clone(), map_type: def.map_type, errno };
    check_all(def).map_err(refused)?;
    let options = CreateOptions { cpus: options.cpus.max(1), ..options.clone() };
    let map = of_type(def, &options).map_err(refused)?;
    check_special(def).map_err(refused)?;
    if let Some(bytes) = &def.initial
        && def.map_type == MapType::Array
    {
        let mut value = bytes.clone();
        if value.len() > def.value_size as usize {
            return Err(CreateError::Initial { map: def.name.clone(), len: value.len(), value_size: def.value_size });
        }
        value.resize(def.value_size as usize, 0);
        map.update(crate::Caller { cpu: 0 }, &[0; 4], &value, 0).map_err(refused)?;
    }
    if def.frozen {
        map.user_freeze().map_err(refused)?;
    }
    Ok(map)
}

/// What is asked of every type before the type is asked.
fn check_all(def: &MapDef) -> Result<(), Errno> {
    if def.kernel_value_type_id != 0 {
        if def.map_type != MapType::StructOps || def.key_type_id != 0 || def.value_type_id != 0 {
            return Err(Errno::EINVAL);
        }
    } else if def.key_type_id != 0 && def.value_type_id == 0 {
        return Err(Errno::EINVAL);
    }
    if !matches!(def.map_type, MapType::BloomFilter | MapType::Arena) && def.map_extra != 0 {
        return Err(Errno::EINVAL);
    }
    if def.flags & BPF_F_RDONLY != 0 && def.flags & BPF_F_WRONLY != 0 {
        return Err(Errno::EINVAL);
    }
    // The simulated machine has one NUMA node.
    if def.flags & BPF_F_NUMA_NODE != 0 && def.numa_node != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Which types may have which special fields.
fn check_special(def: &MapDef) -> Result<(), Errno> {
    if !def.special.is_empty() && def.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG) != 0 {
        return Err(Errno::EACCES);
    }
    let allowed = |kind| special(kind).maps.contains(def.map_type);
    if def.special.iter().all(|f| allowed(f.kind)) { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

fn of_type(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Arc<dyn Map>, Errno> {
    Ok(match def.map_type {
        MapType::Array | MapType::PercpuArray => Arc::new(Array::create(def, options)?),
        MapType::Hash | MapType::PercpuHash => Arc::new(Hash::create(def, options)?),
        MapType::LruHash | MapType::LruPercpuHash => Arc::new(LruHash::create(def, options)?),
        MapType::LpmTrie => Arc::new(LpmTrie::create(def, options)?),
        MapType::Queue | MapType::Stack => Arc::new(QueueStack::create(def, options)?),
        MapType::BloomFilter => Arc::new(BloomFilter::create(def, options)?),
        MapType::Ringbuf => Arc::new(RingBuf::create(def, options)?),
        MapType::PerfEventArray => Arc::new(PerfEventArray::create(def, options)?),
        MapType::ProgArray => Arc::new(ProgArray::create(def, options)?),
        MapType::ArrayOfMaps => Arc::new(ArrayOfMaps::create(def, options)?),
        MapType::HashOfMaps => Arc::new(HashOfMaps::create(def, options)?),
        MapType::CgroupArray | MapType::Xskmap | MapType::Sockmap | MapType::ReuseportSockarray => {
            Arc::new(ObjectArray::create(def, options)?)
        }
        MapType::Devmap => Arc::new(Devmap::create(def, options)?),
        MapType::DevmapHash => Arc::new(DevmapHash::create(def, options)?),
        MapType::Cpumap => Arc::new(Cpumap::create(def, options)?),
        MapType::Sockhash => Arc::new(Sockhash::create(def, options)?),
        MapType::StackTrace => Arc::new(StackTrace::create(def, options)?),
        MapType::UserRingbuf => Arc::new(UserRingBuf::create(def, options)?),
        MapType::SkStorage | MapType::InodeStorage | MapType::TaskStorage | MapType::CgrpStorage => {
            Arc::new(LocalStorage::create(def, options)?)
        }
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => Arc::new(CgroupStorage::create(def, options)?),
        MapType::StructOps => Arc::new(StructOps::create(def, options)?),
        MapType::Arena => Arc::new(Arena::create(def, options)?),
        MapType::Unspec => return Err(Errno::EINVAL),
    })
}
