//! Maps and types that calls of helpers need.

use std::collections::HashMap;

use skep_btf::{Btf, BtfBuilder, IntEncoding, Kind, Linkage, MemberDef, TypeDef, TypeId};
use skep_kernel::{Map, MapSpec};
use skep_linux::MapType;
use skep_linux::flags::{BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use skep_linux::maps::MAPS;

use crate::maps::{make, shape};

/// Bytes of the values of the maps below.
pub(super) const VALUE: u32 = 64;

pub(crate) struct Fixtures<'a> {
    /// One map of each type that can be made so.
    pub(crate) by_type: HashMap<MapType, Map>,
    /// Values with a spin lock at 0.
    pub(crate) locked: Map,
    /// Values with a timer at 0.
    pub(crate) timed: Map,
    /// Values with a pointer to a task at 0.
    pub(crate) slots: Map,
    /// A string without placeholders that does not change.
    pub(crate) text: Map,
    /// A format for two numbers that does not change.
    pub(crate) format: Map,
    /// Plain values.
    pub(crate) values: Map,
    /// Values that programs may only read, and only write.
    pub(crate) read_only: Map,
    pub(crate) write_only: Map,
    /// The kernel's own types.
    pub(crate) kernel: &'a Btf,
    /// Types of programs: those of the program, and of the function behind it.
    pub(crate) types: skep_kernel::Btf,
    pub(crate) functions: [u32; 2],
}

/// The types of the kernel of this host.
pub(crate) fn vmlinux() -> Btf {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
    Btf::parse(&bytes).expect("the kernel's BTF")
}

impl<'a> Fixtures<'a> {
    /// New maps: a map of programs takes those of one kind alone.
    pub(crate) fn new(kernel: &'a Btf) -> Fixtures<'a> {
        let mut build = BtfBuilder::new();
        let int = build.int("int", 4, IntEncoding::Signed);
        let long = build.int("long unsigned int", 8, IntEncoding::Unsigned);
        let member = |name: &str, ty, bit_offset| MemberDef { name: name.to_owned(), ty, bit_offset, bits: 0 };
        let lock = build.structure("bpf_spin_lock", 4, vec![member("val", int, 0)]);
        let timer = build.structure("bpf_timer", 16, vec![member("a", long, 0), member("b", long, 64)]);
        let task = build.structure("task_struct", 0, vec![]);
        let kptr = build.add(TypeDef::TypeTag { value: "kptr".to_owned(), attribute: false, to: task });
        let kptr = build.ptr(kptr);
        let rest = build.array(long, int, VALUE / 8 - 2);
        let value = |build: &mut BtfBuilder, name: &str, first| {
            build.structure(name, VALUE, vec![member("first", first, 0), member("rest", rest, 128)])
        };
        let (locked, timed, slots) =
            (value(&mut build, "locked", lock), value(&mut build, "timed", timer), value(&mut build, "slots", kptr));
        let pointer = build.ptr(TypeId::VOID);
        let proto = build.add(TypeDef::FuncProto { ret: int, params: vec![("ctx".to_owned(), pointer)] });
        let mut function = |name: &str, linkage| build.add(TypeDef::Func { name: name.to_owned(), proto, linkage }).0;
        let functions = [function("program", Linkage::Global), function("callback", Linkage::Static)];
        let btf = skep_kernel::Btf::load(&build.to_bytes()).expect("the kernel takes the types");
        let array = MapSpec::new(MapType::Array, 4, VALUE, 1);
        let typed = |value: TypeId| MapSpec { btf: Some((&btf, int.0, value.0)), ..array }.create().expect("a map");
        let plain = |flags| array.flags(flags).create().expect("a map");
        let string = |text: &[u8]| {
            let map = plain(BPF_F_RDONLY_PROG);
            let mut value = text.to_vec();
            value.resize(VALUE as usize, 0);
            map.update(&[0; 4], &value, 0).expect("a value");
            map.freeze().expect("a map that can be frozen");
            map
        };
        let mut by_type = HashMap::new();
        for row in MAPS.iter().filter(|row| !matches!(row.map_type, MapType::StructOps | MapType::Arena)) {
            let map = if row.needs_btf {
                let spec = MapSpec::new(row.map_type, 4, 4, 0).flags(BPF_F_NO_PREALLOC);
                MapSpec { btf: Some((&btf, int.0, int.0)), ..spec }.create()
            } else {
                make(row, &shape(row))
            };
            by_type.insert(row.map_type, map.unwrap_or_else(|errno| panic!("{:?}: {errno}", row.map_type)));
        }
        let (locked, timed, slots) = (typed(locked), typed(timed), typed(slots));
        Fixtures {
            by_type,
            locked,
            timed,
            slots,
            text: string(b"text"),
            format: string(b"%d %d"),
            values: plain(0),
            read_only: plain(BPF_F_RDONLY_PROG),
            write_only: plain(BPF_F_WRONLY_PROG),
            kernel,
            types: btf,
            functions,
        }
    }

    /// The id of a kernel function.
    pub(crate) fn function(&self, name: &str) -> i32 {
        self.kernel.find(name, Kind::Func).expect("a function").0 as i32
    }

    /// Bytes from the start of a kernel struct to a field.
    pub(crate) fn offset(&self, of: &str, path: &str) -> i16 {
        let id = self.kernel.find(of, Kind::Struct).expect("a struct");
        let place = self.kernel.walk(id, path).expect("a field").place;
        i16::try_from(place.bit_offset / 8).expect("a small offset")
    }
}
