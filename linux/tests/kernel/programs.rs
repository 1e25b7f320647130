//! The rows of program types, held against the kernel of this host.

use crate::ask::{EXIT, Kind, can_ask, insn, kinds, set};
use skep_isa::RawInsn;
use skep_kernel::{Load, LogLevel, Prog, TestRun};
use skep_linux::contexts::{self, Yields};
use skep_linux::programs::{PROGRAMS, Range, Sleepable, Values, program};
use skep_linux::{Arch, AttachType, Errno, ProgRow, ProgType};

/// Types that this kernel does not load: they need a trampoline, a struct of operations, or are not built in.
fn not_here(row: &ProgRow) -> bool {
    row.needs_btf_target || row.prog_type == ProgType::LircMode2
}

#[test]
fn attach_types_that_a_load_takes() {
    if !can_ask() {
        return;
    }
    let kinds = kinds();
    for row in PROGRAMS.iter().filter(|row| !not_here(row)) {
        for &attach in AttachType::ALL.iter().filter(|&&attach| attach as u32 <= AttachType::TraceUprobeSession as u32) {
            let loads = kinds.iter().any(|kind| kind.prog == row.prog_type && kind.attach == attach);
            assert_eq!(row.attach.contains(attach), loads, "{:?} {attach:?}", row.prog_type);
        }
    }
}

/// The range that the kernel says it wants of `r0`, if it wants one.
fn range_of(kind: &Kind) -> Option<Range> {
    let random = [insn(0x85, 0, 0, 0, 7), EXIT];
    let log = kind.load(&random, LogLevel::OnFailure).err()?;
    let (_, range) = log.split_once("should have been in [").unwrap_or_else(|| panic!("{kind:?}: {log}"));
    let (min, max) = range.split_once(']').and_then(|(range, _)| range.split_once(", ")).expect("a range");
    Some(Range { min: min.parse().expect("a number"), max: max.parse().expect("a number") })
}

#[test]
fn values_that_a_program_may_return() {
    if !can_ask() {
        return;
    }
    let kinds = kinds();
    assert!(kinds.len() > 1000);
    for kind in kinds {
        let row = program(kind.prog).expect("a type that loads has a row");
        let values = range_of(&kind).map_or(Values::Any, Values::In);
        assert_eq!(row.values(kind.attach), values, "{kind:?}");
    }
}

#[test]
fn packet_loads_of_classic_bpf() {
    if !can_ask() {
        return;
    }
    for kind in kinds() {
        let absolute = [insn(0xbf, 6, 1, 0, 0), insn(0x20, 0, 0, 0, 0), set(0, kind.returns), EXIT];
        let loads = kind.load(&absolute, LogLevel::OnFailure).is_ok();
        assert_eq!(program(kind.prog).is_some_and(|row| row.ld_abs), loads, "{kind:?}");
    }
}

#[test]
fn programs_that_may_sleep() {
    if !can_ask() {
        return;
    }
    for kind in kinds() {
        let row = program(kind.prog).expect("a type that loads has a row");
        let load = |flags| Kind { flags, ..kind }.load(&[set(0, kind.returns), EXIT], LogLevel::OnFailure).is_ok();
        let (sleeping, awake) = (load(1 << 4), load(0));
        let expected = match row.sleepable {
            Sleepable::Never => (false, true),
            Sleepable::Always => (true, false),
            Sleepable::If(attach) => (attach.contains(kind.attach), true),
        };
        assert_eq!((sleeping, awake), expected, "{kind:?}");
    }
}

#[test]
fn types_that_test_runs_take() {
    if !can_ask() {
        return;
    }
    let mut seen = Vec::new();
    for kind in kinds() {
        if seen.contains(&kind.prog) {
            continue;
        }
        seen.push(kind.prog);
        let attach_type = kind.attach as u32;
        let load = Load { attach_type, flags: kind.flags, ..Load::raw(kind.prog, &[set(0, kind.returns), EXIT]) };
        let prog: Prog = load.load().expect("loaded before");
        let runs = prog.test_run(&TestRun { data: vec![0; 64], ..TestRun::default() });
        let supported = !matches!(runs, Err(Errno::ENOTSUPP));
        assert_eq!(program(kind.prog).is_some_and(|row| row.test_run), supported, "{kind:?}: {:?}", runs.err());
    }
    assert!(seen.len() >= 25, "only {} types", seen.len());
}

/// The load that puts a pointer of this kind into a register, if programs of the kind have one.
fn packet_pointer(kind: &Kind, dst: u8, wanted: Yields) -> Option<RawInsn> {
    let row = contexts::context(kind.prog, Arch::X86_64)?;
    row.fields.iter().filter(|field| field.yields == wanted).find_map(|field| {
        let allows = |size| field.allows(kind.prog, kind.attach, field.offset, size, contexts::Access::Read);
        let (_, code) = [(8, 0x79), (4, 0x61)].into_iter().find(|(size, _)| allows(*size))?;
        Some(insn(code, dst, 1, field.offset as i16, 0))
    })
}

#[test]
fn packet_memory_in_place() {
    if !can_ask() {
        return;
    }
    let mut with_packets = 0;
    for kind in kinds() {
        let row = program(kind.prog).expect("a type that loads has a row");
        let (start, end) = (packet_pointer(&kind, 2, Yields::PacketStart), packet_pointer(&kind, 3, Yields::PacketEnd));
        let (Some(start), Some(end)) = (start, end) else {
            assert!(!row.packet_access, "{kind:?} has no packet");
            continue;
        };
        // If four bytes are there, one is read, or written.
        let access = |code| {
            let test = [insn(0xbf, 4, 2, 0, 0), insn(0x07, 4, 0, 0, 4), insn(0x2d, 4, 3, 1, 0)];
            let insns: Vec<_> = [start, end].into_iter().chain(test).chain([code, set(0, kind.returns), EXIT]).collect();
            kind.load(&insns, LogLevel::OnFailure).is_ok()
        };
        assert_eq!(row.packet_access, access(insn(0x71, 0, 2, 0, 0)), "{kind:?} reads");
        assert_eq!(row.packet_write, access(insn(0x72, 2, 0, 0, 0)), "{kind:?} writes");
        with_packets += 1;
    }
    assert!(with_packets > 200, "only {with_packets} kinds have packets");
}
