//! Every helper with values that its arguments take, and with others in the place of one.

use std::fmt::Write;
use std::sync::Arc;

use skep_isa::{Code, NoNames};
use skep_kernel::Map;
use skep_linux::helpers::{Arg, ArgKind, Proto};
use skep_linux::programs::PROGRAMS;
use skep_linux::{AttachType, HelperRow, MapType, ProgType};
use skep_program::{MapDef, Program};

use crate::ask::{can_ask, compare_over, program, typed};

/// A value, and what must happen before it is there (it is in `r7` then).
#[derive(Debug, Clone, Copy)]
struct Maker {
    name: &'static str,
    /// Before the call: may use `r0` to `r7`, of which `r6` is the context.
    before: &'static str,
    /// What `rN` becomes.
    value: &'static str,
}

const fn plain(name: &'static str, value: &'static str) -> Maker {
    Maker { name, before: "", value }
}

const fn made(name: &'static str, before: &'static str, value: &'static str) -> Maker {
    Maker { name, before, value }
}

/// `N` stands for the number of the register.
const MAKERS: &[Maker] = &[
    plain("zero", "rN = 0"),
    plain("eight", "rN = 8"),
    plain("negative", "rN = -1"),
    plain("large", "rN = 1048576"),
    made("unknown", "call 7\nr7 = r0", "rN = r7"),
    made("up to 8", "call 7\nr7 = r0\nr7 &= 8", "rN = r7"),
    plain("zeroed stack", "rN = r10\nrN += -64"),
    plain("raw stack", "rN = r10\nrN += -128"),
    plain("stack that is not aligned", "rN = r10\nrN += -60"),
    plain("stack beyond", "rN = r10\nrN += -4"),
    made("stack somewhere", "call 7\nr7 = r0\nr7 &= 4\nr7 += -64", "rN = r10\nrN += r7"),
    made("spilled pointer", "*(u64 *)(r10 -128) = r6", "rN = r10\nrN += -128"),
    plain("context", "rN = r6"),
    plain("moved context", "rN = r6\nrN += 8"),
    plain("nothing", ""),
    plain("function", "rN = subprog[cb]"),
    plain("value", "rN = map[idx:1]+0"),
    plain("end of a value", "rN = map[idx:1]+60"),
    made("somewhere in a value", "call 7\nr7 = r0\nr7 &= 56\nr1 = map[idx:1]+0\nr1 += r7\nr7 = r1", "rN = r7"),
    plain("constant", "rN = map[idx:2]+0"),
    plain("constant without an end", "rN = map[idx:2]+60"),
    made("value or null", LOOKUP, "rN = r7"),
    made("looked up", "r1 = map[idx:0]\nr2 = r10\nr2 += -64\ncall 1\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
    made("record or null", RESERVE, "rN = r7"),
    made("record", "r1 = map[idx:11]\nr2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
    made("moved record", "r1 = map[idx:11]\nr2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr7 = r0\nr7 += 4", "rN = r7"),
    made("inner map", "r1 = map[idx:13]\nr2 = r10\nr2 += -64\ncall 1\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
    made("inner map or null", "r1 = map[idx:13]\nr2 = r10\nr2 += -64\ncall 1\nr7 = r0", "rN = r7"),
    made("task", "call 158\nr7 = r0", "rN = r7"),
    made("moved task", "call 158\nr7 = r0\nr7 += 8", "rN = r7"),
    made("task registers", "call 158\nr1 = r0\ncall 175\nr7 = r0", "rN = r7"),
    made("dynptr", "r1 = map[idx:1]+0\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -128\ncall 197", "rN = r10\nrN += -128"),
    made("half of a dynptr", "r1 = map[idx:1]+0\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -128\ncall 197", "rN = r10\nrN += -120"),
    made("dynptr of a record", "r1 = map[idx:11]\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -128\ncall 198", "rN = r10\nrN += -128"),
    made(
        "slice",
        "r1 = map[idx:1]+0\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -128\ncall 197\nr1 = r10\nr1 += -128\nr2 = 0\nr3 = 8\ncall 203\n\
         if r0 == 0 goto out\nr7 = r0",
        "rN = r7",
    ),
];

/// Values that only programs with packets have.
const PACKET: &[Maker] = &[
    made("packet", "r7 = *(u32 *)(r6 +DATA)\nr0 = *(u32 *)(r6 +END)\nr1 = r7\nr1 += 64\nif r1 > r0 goto out", "rN = r7"),
    made("packet that may not be there", "r7 = *(u32 *)(r6 +DATA)", "rN = r7"),
    made("end of the packet", "r7 = *(u32 *)(r6 +END)", "rN = r7"),
];

/// Values that programs with `struct __sk_buff` have.
const SOCKETS: &[Maker] = &[
    made("socket or null", "r7 = *(u64 *)(r6 +168)", "rN = r7"),
    made("any socket", "r7 = *(u64 *)(r6 +168)\nif r7 == 0 goto out", "rN = r7"),
    made("full socket", "r1 = *(u64 *)(r6 +168)\nif r1 == 0 goto out\ncall 95\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
    made("TCP socket", "r1 = *(u64 *)(r6 +168)\nif r1 == 0 goto out\ncall 96\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
    made(
        "socket that was found",
        "r1 = r6\nr2 = r10\nr2 += -64\nr3 = 12\nr4 = 0\nr5 = 0\ncall 84\nif r0 == 0 goto out\nr7 = r0",
        "rN = r7",
    ),
    made("kernel's TCP socket", "r1 = *(u64 *)(r6 +168)\nif r1 == 0 goto out\ncall 137\nif r0 == 0 goto out\nr7 = r0", "rN = r7"),
];

const LOOKUP: &str = "r1 = map[idx:0]\nr2 = r10\nr2 += -64\ncall 1\nr7 = r0";
const RESERVE: &str = "r1 = map[idx:11]\nr2 = 8\nr3 = 0\ncall 131\nr7 = r0";

/// Offsets of the start and the end of the packet in the context.
fn packet_offsets(prog: ProgType) -> Option<(u32, u32)> {
    match prog {
        ProgType::Xdp => Some((0, 4)),
        ProgType::SchedCls | ProgType::SchedAct | ProgType::CgroupSkb | ProgType::SkSkb | ProgType::LwtXmit | ProgType::LwtIn => {
            Some((76, 80))
        }
        _other => None,
    }
}

fn makers(prog: ProgType) -> Vec<Maker> {
    let mut makers = MAKERS.to_vec();
    if packet_offsets(prog).is_some() {
        makers.extend(PACKET);
    }
    if matches!(prog, ProgType::SchedCls | ProgType::SchedAct | ProgType::CgroupSkb | ProgType::SkSkb) {
        makers.extend(SOCKETS);
    }
    makers
}

/// Maps of every kind that this host makes without types.
fn maps() -> Vec<Arc<MapDef>> {
    let map = |map_type, key_size, value_size, max_entries| MapDef {
        key_size,
        value_size,
        max_entries,
        ..MapDef::new("test", map_type)
    };
    let flags = |flags, map: MapDef| MapDef { flags, ..map };
    const NO_PREALLOC: u32 = 1;
    const RDONLY_PROG: u32 = 1 << 7;
    let text = b"%d and %s\0\0\0".iter().copied().chain([b'x'; 52]).collect();
    let inner = Arc::new(map(MapType::Array, 4, 64, 1));
    let outer = |map_type| MapDef { inner: Some(inner.clone()), ..map(map_type, 4, 4, 1) };
    let list = vec![
        map(MapType::Hash, 4, 64, 4),
        map(MapType::Array, 4, 64, 1),
        MapDef { frozen: true, initial: Some(text), ..flags(RDONLY_PROG, map(MapType::Array, 4, 64, 1)) },
        map(MapType::ProgArray, 4, 4, 4),
        map(MapType::PerfEventArray, 4, 4, 4),
        map(MapType::PercpuHash, 4, 64, 4),
        map(MapType::PercpuArray, 4, 64, 4),
        map(MapType::StackTrace, 4, 64, 4),
        map(MapType::CgroupArray, 4, 4, 4),
        flags(NO_PREALLOC, map(MapType::LpmTrie, 8, 64, 4)),
        map(MapType::Devmap, 4, 4, 4),
        map(MapType::Ringbuf, 0, 0, 4096),
        map(MapType::UserRingbuf, 0, 0, 4096),
        outer(MapType::ArrayOfMaps),
        outer(MapType::HashOfMaps),
        map(MapType::Sockmap, 4, 4, 4),
        map(MapType::Sockhash, 4, 4, 4),
        map(MapType::Cpumap, 4, 4, 4),
        map(MapType::Xskmap, 4, 4, 4),
        map(MapType::ReuseportSockarray, 4, 4, 4),
        map(MapType::CgroupStorage, 16, 64, 0),
        map(MapType::Queue, 0, 64, 4),
        map(MapType::Stack, 0, 64, 4),
        map(MapType::BloomFilter, 0, 64, 4),
        map(MapType::DevmapHash, 4, 4, 4),
        flags(RDONLY_PROG, map(MapType::Hash, 4, 64, 4)),
    ];
    list.into_iter().map(Arc::new).collect()
}

/// The map of storage of cgroups among these.
const STORAGE: usize = 20;

/// What makes a value that the argument takes, if it is simple.
fn good(row: &HelperRow, arg: Arg, prog: (ProgType, AttachType), maps: &[Arc<MapDef>]) -> Maker {
    let named = |name: &str| *MAKERS.iter().chain(SOCKETS).find(|maker| maker.name == name).expect("a maker");
    match arg.kind {
        ArgKind::MapPtr => {
            let takes = |map: &Arc<MapDef>| row.takes_map(map.map_type, prog.0, prog.1);
            let at = maps.iter().position(takes).unwrap_or(0);
            plain("map", Box::leak(format!("rN = map[idx:{at}]").into_boxed_str()))
        }
        ArgKind::Anything => named("zero"),
        ArgKind::MapKey | ArgKind::MapValue(_) | ArgKind::Mem(_) | ArgKind::FixedMem { .. } | ArgKind::Stack => {
            named("zeroed stack")
        }
        ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => named("eight"),
        ArgKind::Ctx => named("context"),
        ArgKind::Func => named("function"),
        ArgKind::MapMem => named("value"),
        ArgKind::SockCommon | ArgKind::BtfSockCommon => named("any socket"),
        ArgKind::Socket => named("full socket"),
        ArgKind::Btf(_) => named("task"),
        ArgKind::RingbufMem => named("record"),
        ArgKind::ConstStr => named("constant"),
        ArgKind::Dynptr(role) => match role {
            skep_linux::helpers::Role::Use => named("dynptr"),
            skep_linux::helpers::Role::ReleaseRingbuf => named("dynptr of a record"),
            skep_linux::helpers::Role::MakeLocal | skep_linux::helpers::Role::MakeRingbuf => named("raw stack"),
        },
        ArgKind::SpinLock | ArgKind::Timer | ArgKind::PercpuBtf | ArgKind::KptrSlot | ArgKind::Kptr => named("value"),
    }
}

/// A program that calls the helper with these values.
fn text(id: u32, values: &[Maker], prog: ProgType) -> String {
    let mut text = String::from("r6 = r1\n");
    for off in 1..=8 {
        writeln!(text, "*(u64 *)(r10 -{}) = 0", off * 8).unwrap();
    }
    let mut done = "";
    for value in values.iter().filter(|value| !value.before.is_empty()) {
        if value.before != done {
            writeln!(text, "{}", value.before).unwrap();
            done = value.before;
        }
    }
    for (at, value) in values.iter().enumerate() {
        writeln!(text, "{}", value.value.replace('N', &(at + 1).to_string())).unwrap();
    }
    writeln!(text, "call {id}\nr7 = r0\nout:\nr0 = 0\nexit").unwrap();
    if text.contains("subprog[cb]") {
        text += "cb:\nr0 = 0\nexit\n";
    }
    let (data, end) = packet_offsets(prog).unwrap_or((0, 4));
    text.replace("DATA", &data.to_string()).replace("END", &end.to_string())
}

fn of(prog: ProgType, attach: AttachType, text: &str, maps: &[Arc<MapDef>]) -> Program {
    let mut built = program(prog, text);
    built.attach_type = (attach as u32 != 0).then_some(attach);
    built.maps = maps.to_vec();
    if prog == ProgType::Syscall {
        built.flags = 16;
    }
    if text.contains("subprog[cb]") {
        let callback = built.insns.len() - 2;
        return typed(built, &[0, callback]);
    }
    built
}

/// Program types that this host loads without a hook that they name, each with an attach type.
fn programs() -> Vec<(ProgType, AttachType)> {
    let mut found = Vec::new();
    for row in PROGRAMS.iter().filter(|row| !row.needs_btf_target && row.prog_type != ProgType::LircMode2) {
        found.extend(
            row.attach.iter().map(|attach| (row.prog_type, attach)).take(if row.attach == skep_linux::sets::AttachSet::ALL {
                1
            } else {
                usize::MAX
            }),
        );
    }
    found
}

/// For each prototype that programs of this host have: the first such programs; and a program that has none.
fn users(row: &'static HelperRow) -> Vec<(ProgType, AttachType, &'static Proto)> {
    let mut users: Vec<(ProgType, AttachType, &'static Proto)> = Vec::new();
    for (prog, attach) in programs() {
        let Some(proto) = row.proto(prog, attach) else { continue };
        let preferred = matches!(prog, ProgType::SchedCls | ProgType::Xdp | ProgType::Kprobe | ProgType::Syscall);
        let known = users.iter().filter(|(_, _, other)| std::ptr::eq(*other, proto)).count();
        if known < 1 || preferred && !users.iter().any(|(other, ..)| *other == prog) {
            users.push((prog, attach, proto));
        }
    }
    users
}

struct Tally {
    asked: usize,
    accepted: usize,
    undecided: usize,
    different: Vec<String>,
}

impl Tally {
    fn ask(&mut self, program: &Program, maps: Option<&[Arc<Map>]>, what: &str) {
        let compared = compare_over(program, maps);
        self.asked += 1;
        self.accepted += usize::from(compared.accepted);
        self.undecided += usize::from(compared.undecided);
        if let Some(difference) = compared.difference {
            let code = Code::decode_each(&program.insns);
            self.different.push(format!("{what}\n{}\n{difference}", code.listing(&NoNames)));
        }
    }
}

fn create(defs: &[Arc<MapDef>]) -> Vec<Arc<Map>> {
    let map = |def: &Arc<MapDef>| Map::from_def(def, None).unwrap_or_else(|error| panic!("{:?}: {error}", def.map_type));
    defs.iter().map(|def| Arc::new(map(def))).collect()
}

impl Tally {
    fn end(self) {
        let Tally { asked, accepted, undecided, different } = self;
        println!(
            "{asked} programs, of which Linux takes {accepted}; skep does not know {undecided}; {} differences",
            different.len()
        );
        let shown: usize = std::env::var("SKEP_SHOWN").ok().and_then(|shown| shown.parse().ok()).unwrap_or(3);
        different.iter().take(shown).for_each(|difference| println!("{difference}\n"));
        assert!(different.is_empty());
    }
}

#[test]
fn every_argument_with_every_value() {
    if !can_ask() {
        return;
    }
    let defs = maps();
    let only = std::env::var("SKEP_HELPER").ok();
    let mut tally = Tally { asked: 0, accepted: 0, undecided: 0, different: Vec::new() };
    for row in skep_linux::helpers::HELPERS {
        if only.as_ref().is_some_and(|only| row.name != only) {
            continue;
        }
        for (prog, attach, proto) in users(row) {
            // Some maps belong to the first type of program that uses them.
            let host = create(&defs);
            let base: Vec<Maker> = proto.args.iter().map(|arg| good(row, *arg, (prog, attach), &defs)).collect();
            let mut ask = |values: &[Maker], what: &str| {
                let text = text(row.id, values, prog);
                // Such maps are told apart by the storage of the programs that use them.
                let fresh = text.contains(&format!("map[idx:{STORAGE}]")).then(|| create(&defs));
                let maps = fresh.as_deref().unwrap_or(&host);
                tally.ask(&of(prog, attach, &text, &defs), Some(maps), &format!("{} {prog:?} {attach:?} {what}", row.name));
            };
            ask(&base, "as it should be");
            for at in 0..base.len() {
                let map_makers =
                    (0..defs.len()).map(|at| plain("map", Box::leak(format!("rN = map[idx:{at}]").into_boxed_str())));
                for maker in makers(prog).into_iter().chain(map_makers) {
                    let mut values = base.clone();
                    values[at] = maker;
                    ask(&values, &format!("argument {} {} ({})", at + 1, maker.name, maker.value));
                }
            }
        }
    }
    tally.end();
}

#[test]
fn every_program_with_every_helper() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally { asked: 0, accepted: 0, undecided: 0, different: Vec::new() };
    for (prog, attach) in programs() {
        for license in ["GPL", "MIT"] {
            for id in (-1..=skep_linux::helpers::MAX_HELPER as i32 + 2).chain([i32::MIN, i32::MAX]) {
                let text = format!("call {id}\nr0 = 0\nexit");
                let program = Program { license: license.into(), ..of(prog, attach, &text, &[]) };
                tally.ask(&program, None, &format!("helper {id} in {prog:?} {attach:?} {license}"));
            }
        }
    }
    tally.end();
}
