//! Map types: what `BPF_MAP_CREATE` asks of each, what user space may do with it, and what programs see.
//!
//! Asked of Linux 6.18; maps whose values BTF must describe (local storage, struct_ops) follow the kernel's source.

use crate::flags::*;
use crate::sets::MapSet;
use crate::special::{SpecialKind, special};
use crate::target::Release;
use crate::{Errno, MapType as M};

/// The sizes that a key or value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// None: 0.
    None,
    /// One of these.
    OneOf(&'static [u32]),
    /// From `min` to `max`; beyond `max`: `over`.
    Within {
        /// Bytes at least.
        min: u32,
        /// Bytes at most.
        max: u32,
        /// The error for more.
        over: Errno,
    },
    /// A multiple of 8 (of 32 with `BPF_F_STACK_BUILD_ID`), up to this.
    Words(u32),
}

impl Size {
    /// Whether a map may be made with `bytes`; what the kernel answers if not.
    pub fn check(self, bytes: u32) -> Result<(), Errno> {
        let fits = match self {
            Size::None => bytes == 0,
            Size::OneOf(sizes) => sizes.contains(&bytes),
            Size::Words(max) => bytes > 0 && bytes.is_multiple_of(8) && bytes <= max,
            Size::Within { min, max, over } => {
                if bytes > max {
                    return Err(over);
                }
                bytes >= min
            }
        };
        if fits { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// The values that `max_entries` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// 0.
    Zero,
    /// At least 1.
    Some,
    /// At least 1, at most this many (`E2BIG` beyond).
    AtMost(u32),
    /// A power of two, and a multiple of the page size.
    PowerOfTwoPages,
}

impl Entries {
    /// Whether a map may be made with `max_entries`, where pages have `page` bytes; what the kernel answers if not.
    pub fn check(self, max_entries: u32, page: u32) -> Result<(), Errno> {
        let fits = match self {
            Entries::Zero => max_entries == 0,
            Entries::Some => max_entries > 0,
            Entries::AtMost(most) if max_entries > most => return Err(Errno::E2BIG),
            Entries::AtMost(_) => max_entries > 0,
            Entries::PowerOfTwoPages => max_entries.is_power_of_two() && max_entries.is_multiple_of(page),
        };
        if fits { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// What a value is to a program that has looked it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Programs cannot look values up.
    None,
    /// Memory of the value size, read and written in place.
    Value,
    /// As `Value`, read only.
    ReadOnly,
    /// A map, which may be used as a map argument.
    Map,
    /// A socket, with a reference that the program must release.
    Socket,
    /// `struct bpf_xdp_sock`.
    XdpSock,
}

/// What a helper wants where its argument is a value of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueArg {
    /// Memory of the size of a value.
    Memory,
    /// A socket, as `ArgKind::BtfSockCommon` of helpers.
    Socket,
    /// As `Memory`, and helpers that put out values of other maps read it.
    Tested,
}

/// Addresses in values that a wide load may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectValue {
    /// None.
    None,
    /// In the value of a map of one entry.
    Only,
    /// In the pages of an arena, or just behind them.
    Pages,
}

/// What must be allowed to the one who makes the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Nothing, where the host lets unprivileged users call `bpf(2)`.
    Nothing,
    /// `CAP_BPF`.
    Bpf,
    /// `CAP_NET_ADMIN`.
    NetAdmin,
}

/// A map type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapRow {
    /// The type.
    pub map_type: M,
    /// The release that it came with.
    pub since: Release,
    /// Sizes of keys.
    pub key: Size,
    /// Sizes of values.
    pub value: Size,
    /// Values of `max_entries`.
    pub entries: Entries,
    /// Flags that `BPF_MAP_CREATE` takes, those that name descriptors (`BPF_F_TOKEN_FD`, ...) aside.
    pub flags: u32,
    /// Flags without which it fails.
    pub required_flags: u32,
    /// `map_extra` may be other than 0.
    pub extra: bool,
    /// Needs BTF of key and value.
    pub needs_btf: bool,
    /// Needs an inner map as a pattern.
    pub needs_inner: bool,
    /// Keeps a value per CPU.
    pub per_cpu: bool,
    /// What programs see of a value.
    pub lookup: Lookup,
    /// What helpers want for a value.
    pub value_arg: ValueArg,
    /// Addresses in values that a wide load may name (pseudo 2 and 6).
    pub direct_value: DirectValue,
    /// May be the subject of `bpf_for_each_map_elem`.
    pub for_each: bool,
    /// Programs that sleep may use it.
    pub in_sleepable: bool,
    /// What must be allowed to the one who makes it.
    pub privilege: Privilege,
    /// Operations of `bpf(2)` on elements that it has.
    pub user: UserOps,
    /// The kernel's struct of such a map, which programs may read through a pointer to the map.
    pub kernel_struct: &'static str,
}

/// Operations of `bpf(2)` on the elements of a map. One that is not there answers `EOPNOTSUPP` or `ENOTSUPP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserOps {
    /// `BPF_MAP_LOOKUP_ELEM`.
    pub lookup: bool,
    /// `BPF_MAP_UPDATE_ELEM`.
    pub update: bool,
    /// `BPF_MAP_DELETE_ELEM`. Types that have it but never delete (arrays) answer `EINVAL`.
    pub delete: bool,
    /// `BPF_MAP_GET_NEXT_KEY`.
    pub next_key: bool,
    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    pub take: bool,
    /// `BPF_MAP_LOOKUP_BATCH`.
    pub lookup_batch: bool,
    /// `BPF_MAP_UPDATE_BATCH`.
    pub update_batch: bool,
    /// `BPF_MAP_DELETE_BATCH`.
    pub delete_batch: bool,
    /// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`.
    pub take_batch: bool,
}

impl MapRow {
    /// Whether its values may have special fields of this kind.
    pub const fn may_have(&self, kind: SpecialKind) -> bool {
        special(kind).maps.contains(self.map_type)
    }
}

/// The row of a map type; `None` for `Unspec`.
pub fn map(map_type: M) -> Option<&'static MapRow> {
    MAPS.iter().find(|row| row.map_type == map_type)
}

/// Map types that keep a value per CPU.
pub const PER_CPU: MapSet = MapSet::of(&[M::PercpuHash, M::PercpuArray, M::LruPercpuHash, M::PercpuCgroupStorage]);

const U32: Size = Size::OneOf(&[4]);
const FD: Size = Size::OneOf(&[4]);
/// A descriptor, or a cookie of a socket.
const FD_OR_COOKIE: Size = Size::OneOf(&[4, 8]);
/// Largest key and value together of a hash; either may be as large as the other leaves room.
const KMALLOC_MAX: u32 = 1 << 22;
const PER_CPU_MAX: u32 = 32 << 10;
const ACCESS: u32 = BPF_F_RDONLY | BPF_F_WRONLY;
const PROG_ACCESS: u32 = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
const PLAIN_FLAGS: u32 = BPF_F_NUMA_NODE | ACCESS | PROG_ACCESS;
const HASH_FLAGS: u32 = PLAIN_FLAGS | BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED;

const NO_OPS: UserOps = UserOps {
    lookup: false,
    update: false,
    delete: false,
    next_key: false,
    take: false,
    lookup_batch: false,
    update_batch: false,
    delete_batch: false,
    take_batch: false,
};
const ELEMENT_OPS: UserOps = UserOps { lookup: true, update: true, delete: true, next_key: true, ..NO_OPS };
const ARRAY_OPS: UserOps = UserOps { lookup_batch: true, update_batch: true, ..ELEMENT_OPS };
const TRIE_OPS: UserOps = UserOps { delete_batch: true, ..ARRAY_OPS };
const OUTER_OPS: UserOps = UserOps { take_batch: true, ..TRIE_OPS };
const HASH_OPS: UserOps = UserOps { take: true, ..OUTER_OPS };
const FD_OPS: UserOps = UserOps { lookup: false, ..ELEMENT_OPS };
const QUEUE_OPS: UserOps = UserOps { take: true, ..ELEMENT_OPS };

const BASE: MapRow = MapRow {
    map_type: M::Unspec,
    since: Release::new(3, 19),
    key: U32,
    value: FD,
    entries: Entries::Some,
    flags: BPF_F_NUMA_NODE | ACCESS,
    required_flags: 0,
    extra: false,
    needs_btf: false,
    needs_inner: false,
    per_cpu: false,
    lookup: Lookup::None,
    value_arg: ValueArg::Memory,
    direct_value: DirectValue::None,
    for_each: false,
    in_sleepable: false,
    privilege: Privilege::Nothing,
    user: ELEMENT_OPS,
    kernel_struct: "bpf_array",
};

const HASH: MapRow = MapRow {
    map_type: M::Hash,
    key: Size::Within { min: 1, max: KMALLOC_MAX - 1, over: Errno::E2BIG },
    value: Size::Within { min: 1, max: KMALLOC_MAX - 1, over: Errno::E2BIG },
    entries: Entries::AtMost(1 << 30),
    flags: HASH_FLAGS,
    lookup: Lookup::Value,
    for_each: true,
    in_sleepable: true,
    user: HASH_OPS,
    kernel_struct: "bpf_htab",
    ..BASE
};

const ARRAY: MapRow = MapRow {
    map_type: M::Array,
    value: Size::Within { min: 1, max: i32::MAX as u32, over: Errno::E2BIG },
    flags: PLAIN_FLAGS | BPF_F_MMAPABLE | BPF_F_INNER_MAP,
    lookup: Lookup::Value,
    direct_value: DirectValue::Only,
    for_each: true,
    in_sleepable: true,
    user: ARRAY_OPS,
    ..BASE
};

const STORAGE: MapRow = MapRow {
    key: U32,
    value: Size::Within { min: 1, max: 65_408, over: Errno::E2BIG },
    entries: Entries::Zero,
    flags: BPF_F_NO_PREALLOC | BPF_F_CLONE,
    required_flags: BPF_F_NO_PREALLOC,
    needs_btf: true,
    in_sleepable: true,
    privilege: Privilege::Bpf,
    user: UserOps { next_key: false, ..ELEMENT_OPS },
    kernel_struct: "bpf_local_storage_map",
    ..BASE
};

const SOCKETS: MapRow = MapRow {
    map_type: M::Sockmap,
    since: Release::new(4, 14),
    value: FD_OR_COOKIE,
    lookup: Lookup::Socket,
    value_arg: ValueArg::Socket,
    privilege: Privilege::NetAdmin,
    kernel_struct: "bpf_stab",
    ..BASE
};

const QUEUE: MapRow = MapRow {
    map_type: M::Queue,
    since: Release::new(4, 20),
    key: Size::None,
    value: Size::Within { min: 1, max: KMALLOC_MAX, over: Errno::E2BIG },
    flags: PLAIN_FLAGS,
    in_sleepable: true,
    privilege: Privilege::Bpf,
    user: QUEUE_OPS,
    kernel_struct: "bpf_queue_stack",
    ..BASE
};

const CGROUP_STORAGE: MapRow = MapRow {
    map_type: M::CgroupStorage,
    since: Release::new(4, 19),
    // `struct bpf_cgroup_storage_key`, or the id of the cgroup alone.
    key: Size::OneOf(&[8, 16]),
    value: Size::Within { min: 1, max: 65_408, over: Errno::E2BIG },
    entries: Entries::Zero,
    flags: PLAIN_FLAGS,
    kernel_struct: "bpf_cgroup_storage_map",
    ..BASE
};

/// Every map type, in the order of its number.
pub const MAPS: &[MapRow] = &[
    HASH,
    ARRAY,
    MapRow { map_type: M::ProgArray, since: Release::new(4, 2), ..BASE },
    MapRow {
        map_type: M::PerfEventArray,
        since: Release::new(4, 3),
        flags: BPF_F_NUMA_NODE | ACCESS | BPF_F_PRESERVE_ELEMS,
        user: FD_OPS,
        ..BASE
    },
    MapRow {
        map_type: M::PercpuHash,
        since: Release::new(4, 6),
        value: Size::Within { min: 1, max: PER_CPU_MAX, over: Errno::E2BIG },
        flags: HASH_FLAGS & !BPF_F_NUMA_NODE,
        per_cpu: true,
        ..HASH
    },
    MapRow {
        map_type: M::PercpuArray,
        since: Release::new(4, 6),
        value: Size::Within { min: 1, max: PER_CPU_MAX, over: Errno::E2BIG },
        flags: ACCESS | PROG_ACCESS,
        per_cpu: true,
        direct_value: DirectValue::None,
        ..ARRAY
    },
    MapRow {
        map_type: M::StackTrace,
        since: Release::new(4, 6),
        value: Size::Words(127 * 8),
        flags: BPF_F_NUMA_NODE | ACCESS | BPF_F_STACK_BUILD_ID,
        privilege: Privilege::Bpf,
        user: UserOps { take: true, ..ELEMENT_OPS },
        kernel_struct: "bpf_stack_map",
        ..BASE
    },
    MapRow { map_type: M::CgroupArray, since: Release::new(4, 8), user: FD_OPS, ..BASE },
    MapRow {
        map_type: M::LruHash,
        since: Release::new(4, 10),
        flags: PLAIN_FLAGS | BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED,
        privilege: Privilege::Bpf,
        ..HASH
    },
    MapRow {
        map_type: M::LruPercpuHash,
        since: Release::new(4, 10),
        value: Size::Within { min: 1, max: PER_CPU_MAX, over: Errno::E2BIG },
        flags: ACCESS | PROG_ACCESS | BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED,
        per_cpu: true,
        privilege: Privilege::Bpf,
        ..HASH
    },
    MapRow {
        map_type: M::LpmTrie,
        since: Release::new(4, 11),
        // The length of the prefix, and 1 to 256 bytes.
        key: Size::Within { min: 5, max: 260, over: Errno::EINVAL },
        value: Size::Within { min: 1, max: KMALLOC_MAX - 256 - 64, over: Errno::EINVAL },
        flags: PLAIN_FLAGS | BPF_F_NO_PREALLOC,
        required_flags: BPF_F_NO_PREALLOC,
        lookup: Lookup::Value,
        privilege: Privilege::Bpf,
        user: TRIE_OPS,
        kernel_struct: "lpm_trie",
        ..BASE
    },
    MapRow {
        map_type: M::ArrayOfMaps,
        since: Release::new(4, 12),
        needs_inner: true,
        lookup: Lookup::Map,
        in_sleepable: true,
        user: ARRAY_OPS,
        ..BASE
    },
    MapRow {
        map_type: M::HashOfMaps,
        since: Release::new(4, 12),
        value: FD,
        flags: HASH_FLAGS,
        needs_inner: true,
        lookup: Lookup::Map,
        for_each: false,
        user: OUTER_OPS,
        ..HASH
    },
    MapRow {
        map_type: M::Devmap,
        since: Release::new(4, 14),
        value: Size::OneOf(&[4, 8]),
        lookup: Lookup::ReadOnly,
        privilege: Privilege::NetAdmin,
        kernel_struct: "bpf_dtab",
        ..BASE
    },
    SOCKETS,
    MapRow {
        map_type: M::Cpumap,
        since: Release::new(4, 15),
        value: Size::OneOf(&[4, 8]),
        // As many as the kernel can be built for.
        entries: Entries::Some,
        flags: BPF_F_NUMA_NODE,
        privilege: Privilege::Bpf,
        kernel_struct: "bpf_cpu_map",
        ..BASE
    },
    MapRow {
        map_type: M::Xskmap,
        since: Release::new(4, 18),
        lookup: Lookup::XdpSock,
        privilege: Privilege::NetAdmin,
        user: FD_OPS,
        kernel_struct: "xsk_map",
        ..BASE
    },
    MapRow {
        map_type: M::Sockhash,
        since: Release::new(4, 18),
        key: Size::Within { min: 1, max: 512, over: Errno::E2BIG },
        kernel_struct: "bpf_shtab",
        ..SOCKETS
    },
    CGROUP_STORAGE,
    MapRow {
        map_type: M::ReuseportSockarray,
        since: Release::new(4, 19),
        value: FD_OR_COOKIE,
        flags: PLAIN_FLAGS,
        privilege: Privilege::Bpf,
        kernel_struct: "reuseport_array",
        ..BASE
    },
    MapRow {
        map_type: M::PercpuCgroupStorage,
        since: Release::new(4, 20),
        value: Size::Within { min: 1, max: PER_CPU_MAX, over: Errno::E2BIG },
        per_cpu: true,
        ..CGROUP_STORAGE
    },
    QUEUE,
    MapRow { map_type: M::Stack, ..QUEUE },
    MapRow { map_type: M::SkStorage, since: Release::new(5, 2), ..STORAGE },
    MapRow {
        map_type: M::DevmapHash,
        since: Release::new(5, 4),
        value: Size::OneOf(&[4, 8]),
        lookup: Lookup::ReadOnly,
        privilege: Privilege::NetAdmin,
        kernel_struct: "bpf_dtab",
        ..BASE
    },
    MapRow {
        map_type: M::StructOps,
        since: Release::new(5, 6),
        value: Size::Within { min: 1, max: i32::MAX as u32, over: Errno::E2BIG },
        entries: Entries::AtMost(1),
        flags: BPF_F_VTYPE_BTF_OBJ_FD | BPF_F_LINK,
        needs_btf: true,
        privilege: Privilege::Bpf,
        kernel_struct: "bpf_struct_ops_map",
        ..BASE
    },
    MapRow {
        map_type: M::Ringbuf,
        since: Release::new(5, 8),
        key: Size::None,
        value: Size::None,
        entries: Entries::PowerOfTwoPages,
        flags: BPF_F_NUMA_NODE,
        in_sleepable: true,
        user: NO_OPS,
        kernel_struct: "bpf_ringbuf_map",
        ..BASE
    },
    MapRow { map_type: M::InodeStorage, since: Release::new(5, 10), ..STORAGE },
    MapRow { map_type: M::TaskStorage, since: Release::new(5, 11), ..STORAGE },
    MapRow {
        map_type: M::BloomFilter,
        value_arg: ValueArg::Tested,
        since: Release::new(5, 16),
        key: Size::None,
        value: Size::Within { min: 1, max: KMALLOC_MAX, over: Errno::E2BIG },
        flags: PLAIN_FLAGS | BPF_F_ZERO_SEED,
        extra: true,
        privilege: Privilege::Bpf,
        user: UserOps { lookup: true, update: true, ..NO_OPS },
        kernel_struct: "bpf_bloom_filter",
        ..BASE
    },
    MapRow {
        map_type: M::UserRingbuf,
        since: Release::new(6, 1),
        key: Size::None,
        value: Size::None,
        entries: Entries::PowerOfTwoPages,
        flags: BPF_F_NUMA_NODE,
        in_sleepable: true,
        user: NO_OPS,
        kernel_struct: "bpf_ringbuf_map",
        ..BASE
    },
    MapRow { map_type: M::CgrpStorage, since: Release::new(6, 2), ..STORAGE },
    MapRow {
        map_type: M::Arena,
        since: Release::new(6, 9),
        key: Size::None,
        value: Size::None,
        // Pages, 4 GiB in all.
        entries: Entries::AtMost(1 << 20),
        flags: BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV,
        required_flags: BPF_F_MMAPABLE,
        extra: true,
        direct_value: DirectValue::Pages,
        in_sleepable: true,
        privilege: Privilege::Bpf,
        user: UserOps { lookup: true, ..NO_OPS },
        kernel_struct: "bpf_arena",
        ..BASE
    },
];

const _: () = {
    assert!(MAPS.len() == M::ALL.len() - 1, "a map type without a row");
    let mut i = 0;
    while i < MAPS.len() {
        assert!(MAPS[i].map_type as usize == i + 1, "rows are in the order of their numbers");
        assert!(MAPS[i].required_flags & !MAPS[i].flags == 0, "a flag is required and refused");
        assert!(MAPS[i].per_cpu == PER_CPU.contains(MAPS[i].map_type));
        i += 1;
    }
};
