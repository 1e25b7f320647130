//! Maps that programs may use.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use skep_btf::{Btf, BtfBuilder, IntEncoding, MemberDef, TypeDef};
use skep_kernel::{Load, LogLevel, Map, MapSpec};
use skep_linux::maps::{Entries, MAPS, MapRow, Size};
use skep_linux::special::{Mark, SPECIAL, SpecialRow};
use skep_linux::{AttachType, MapType, ProgType};
use skep_program::{MapDef, Program};
use skep_verifier::types::map_compat::{check, check_beside};
use skep_verifier::{Options, Setting};

use crate::ask::{Answer, EXIT, ask, can_ask, host, insn, said, set};

/// Program types that this kernel loads without a target, and whether they sleep.
const KINDS: [(ProgType, AttachType, u32); 14] = [
    (ProgType::SocketFilter, AttachType::CgroupInetIngress, 0),
    (ProgType::Kprobe, AttachType::CgroupInetIngress, 0),
    (ProgType::Kprobe, AttachType::CgroupInetIngress, 1 << 4),
    (ProgType::SchedCls, AttachType::CgroupInetIngress, 0),
    (ProgType::Tracepoint, AttachType::CgroupInetIngress, 0),
    (ProgType::Xdp, AttachType::CgroupInetIngress, 0),
    (ProgType::PerfEvent, AttachType::CgroupInetIngress, 0),
    (ProgType::CgroupSkb, AttachType::CgroupInetIngress, 0),
    (ProgType::RawTracepoint, AttachType::CgroupInetIngress, 0),
    (ProgType::RawTracepointWritable, AttachType::CgroupInetIngress, 0),
    (ProgType::SkMsg, AttachType::CgroupInetIngress, 0),
    (ProgType::LwtIn, AttachType::CgroupInetIngress, 0),
    (ProgType::Syscall, AttachType::CgroupInetIngress, 1 << 4),
    (ProgType::CgroupSockopt, AttachType::CgroupGetsockopt, 0),
];

fn smallest(size: Size) -> u32 {
    match size {
        Size::None => 0,
        Size::OneOf(sizes) => sizes[0],
        Size::Within { min, .. } => min.max(1),
        Size::Words(_) => 8,
    }
}

fn entries(row: &MapRow) -> u32 {
    match row.entries {
        Entries::Zero => 0,
        Entries::Some | Entries::AtMost(_) => 4,
        Entries::PowerOfTwoPages => 4096,
    }
}

fn plain(row: &MapRow) -> Map {
    let inner = MapSpec::new(MapType::Array, 4, 8, 1).create().expect("an array");
    // An arena that user space has not mapped must say where it would be.
    let map_extra = if row.map_type == MapType::Arena { 1 << 44 } else { 0 };
    let spec = MapSpec { map_extra, ..MapSpec::new(row.map_type, smallest(row.key), smallest(row.value), entries(row)) };
    let spec = spec.flags(row.required_flags);
    let made = if row.needs_inner { MapSpec { inner: Some(&inner), ..spec }.create() } else { spec.create() };
    made.unwrap_or_else(|errno| panic!("{:?}: {errno}", row.map_type))
}

/// A program that names maps and does nothing with them.
fn naming(prog: ProgType, attach: AttachType, flags: u32, maps: &[&Map]) -> Answer {
    let mut insns = Vec::new();
    for map in maps {
        insns.extend([insn(0x18, 1, 1, 0, map.as_fd().as_raw_fd()), insn(0, 0, 0, 0, 0)]);
    }
    insns.extend([set(0, 1), EXIT]);
    ask(Load { attach_type: attach as u32, flags, log_level: LogLevel::Path, ..Load::raw(prog, &insns) })
}

/// A new map for each program: some maps remember the type of the first.
fn compare(def: &MapDef, map: impl Fn() -> Map) -> usize {
    let (target, options) = (host(), Options::default());
    for (prog_type, attach, flags) in KINDS {
        let program = Program { attach_type: Some(attach), flags, ..Program::bare("p", prog_type, Vec::new()) };
        let setting = Setting::new(&program, &target, &options).unwrap();
        let answer = naming(prog_type, attach, flags, &[&map()]);
        let ours = said(check(&setting, def));
        assert_eq!(ours, answer.said(), "{:?} in {prog_type:?}, flags {flags}", def.map_type);
    }
    KINDS.len()
}

#[test]
fn map_types() {
    if !can_ask() {
        return;
    }
    let mut asked = 0;
    for row in MAPS.iter().filter(|row| !row.needs_btf) {
        asked += compare(&MapDef::new("m", row.map_type), || plain(row));
    }
    println!("{asked} maps in programs");
    assert!(asked > 350);
}

/// A value with such a field at 0, and whatever belongs beside it.
fn value(row: &SpecialRow) -> (Btf, u32, u32) {
    let mut build = BtfBuilder::new();
    let int = build.int("int", 4, IntEncoding::Signed);
    let member = |name: &str, ty, offset: u32| MemberDef { name: name.to_owned(), ty, bit_offset: offset * 8, bits: 0 };
    let task = build.structure("task_struct", 4, vec![member("pid", int, 0)]);
    let field = match row.mark {
        Mark::Struct(name) => build.structure(name, row.size, vec![]),
        Mark::Tag(tag) => {
            let tagged = build.add(TypeDef::TypeTag { value: tag.to_owned(), attribute: false, to: task });
            build.ptr(tagged)
        }
    };
    let node = if row.label() == "bpf_rb_root" { ("bpf_rb_node", 32) } else { ("bpf_list_node", 24) };
    let node = build.structure(node.0, node.1, vec![]);
    build.structure("item", 64, vec![member("node", node, 0)]);
    let mut members = vec![member("field", field, 0)];
    if row.label() == "bpf_rb_root" || row.label() == "bpf_list_head" {
        let lock = build.structure("bpf_spin_lock", 4, vec![]);
        members.push(member("lock", lock, 40));
    }
    let value = build.structure("value", 64, members);
    build.add(TypeDef::DeclTag { value: "contains:item:node".to_owned(), attribute: false, of: value, component: Some(0) });
    (build.build().unwrap(), int.0, value.0)
}

#[test]
fn fields_of_values() {
    if !can_ask() {
        return;
    }
    let mut asked = 0;
    for row in SPECIAL.iter().filter(|row| row.maps.contains(MapType::Array)) {
        let (btf, int, value) = value(row);
        let loaded = skep_kernel::Btf::load(btf.raw()).unwrap();
        let map = || MapSpec { btf: Some((&loaded, int, value)), ..MapSpec::new(MapType::Array, 4, 64, 1) }.create().unwrap();
        let mut def = MapDef::new("m", MapType::Array);
        (def.value_type_id, def.btf) = (value, Some(Arc::new(btf)));
        asked += compare(&def, map);
    }
    println!("{asked} maps in programs");
    assert!(asked > 150);
}

#[test]
fn maps_of_which_a_program_has_one() {
    if !can_ask() {
        return;
    }
    for row in MAPS.iter().filter(|row| !row.needs_btf) {
        let maps = [plain(row), plain(row)];
        let (prog, flags) = if row.map_type == MapType::Arena { (ProgType::Syscall, 1 << 4) } else { (ProgType::CgroupSkb, 0) };
        let answer = naming(prog, AttachType::CgroupInetIngress, flags, &[&maps[0], &maps[1]]);
        let def = MapDef::new("m", row.map_type);
        assert_eq!(said(check_beside(&def, [&def])), answer.said(), "{:?}", row.map_type);
    }
}
