//! A program of every type, with every attach type that it may be loaded for: it runs on the input that its type takes, and every field
//! of its context that a row lets it read can be read, at every width.

use std::sync::{Arc, OnceLock};

use skep::{Arch, AttachType, Input, InputError, Instance, Outcome, ProgType, Program, Release, RunError, Target};
use skep_isa::{Insn, Operand, RawInsn, Reg, Size, Width};
use skep_linux::contexts::{self, Access, Shape, Yields};
use skep_linux::programs::PROGRAMS;

fn target() -> Arc<Target> {
    static TARGET: OnceLock<Arc<Target>> = OnceLock::new();
    TARGET.get_or_init(|| Arc::new(Target::of(Release::new(6, 18), Arch::X86_64))).clone()
}

/// A TCP segment with its Ethernet header.
fn frame() -> Vec<u8> {
    let mut frame = vec![0; 14 + 20 + 20];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14] = 0x45;
    frame[23] = 6;
    frame
}

/// What a type takes, at its simplest.
fn input(prog_type: ProgType) -> Input {
    match prog_type {
        with_packet if Input::takes_packet(with_packet) => Input::packet(&frame()),
        ProgType::SkLookup => Input::none().field("family", 2).field("protocol", 6).field("local_port", 443),
        ProgType::CgroupSock | ProgType::CgroupSockAddr => Input::none().field("family", 2),
        ProgType::CgroupDevice => Input::none().field("major", 1).field("minor", 3),
        ProgType::CgroupSysctl => Input::none().field("write", 1),
        ProgType::Kprobe | ProgType::PerfEvent => Input::none().field("di", 7),
        ProgType::Tracepoint => Input::context(&[0; 8192]),
        ProgType::Syscall => Input::context(&[0; 65535]),
        ProgType::RawTracepoint => Input::args(0..12),
        ProgType::LircMode2 => Input::context(&[1, 2, 3, 4]),
        _of_functions => Input::args([1, 2, 3]),
    }
}

fn run(prog_type: ProgType, attach: AttachType, insns: Vec<RawInsn>) -> Result<Outcome, RunError> {
    let program = Program { attach_type: Some(attach), ..Program::bare("p", prog_type, insns) };
    let mut instance = Instance::builder(target()).program(program).build().unwrap();
    instance.program("p").unwrap().run(&input(prog_type))
}

fn encode(insns: &[Insn]) -> Vec<RawInsn> {
    insns.iter().flat_map(|insn| insn.encode().unwrap().to_vec()).collect()
}

fn kinds() -> impl Iterator<Item = (ProgType, AttachType)> {
    // Attach types that make no difference need not be tried one by one: number 0 stands for them.
    PROGRAMS.iter().flat_map(|row| {
        let all = row.attach == skep_linux::AttachSet::ALL;
        let attach: Vec<AttachType> = if all { vec![AttachType::CgroupInetIngress] } else { row.attach.iter().collect() };
        attach.into_iter().map(|attach| (row.prog_type, attach))
    })
}

const ZERO: Insn = Insn::Mov { width: Width::W64, dst: Reg::R0, src: Operand::Imm(0) };

#[test]
fn every_type_runs() {
    let mut types = std::collections::BTreeSet::new();
    for (prog_type, attach) in kinds() {
        let outcome = run(prog_type, attach, encode(&[ZERO, Insn::Exit]));
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{prog_type:?} {attach:?}: {error}")).value, 0);
        types.insert(prog_type);
    }
    assert_eq!(types.len(), ProgType::ALL.len() - 1, "all but the unspecified one");
}

#[test]
fn every_readable_field_can_be_read() {
    let mut read = 0;
    let mut wrong = Vec::new();
    for (prog_type, attach) in kinds() {
        let Some(row) = contexts::context(prog_type, Arch::X86_64) else { continue };
        let sizes = [(1, Size::B), (2, Size::H), (4, Size::W), (8, Size::Dw)];
        let last = if row.shape == Shape::Struct { row.size as i32 } else { 96 };
        for (offset, (bytes, size)) in (0..last).flat_map(|offset| sizes.map(|size| (offset, size))) {
            let Ok(field) = row.access(prog_type, attach, offset, bytes, Access::Read) else { continue };
            let load = Insn::Load { size, signed: false, dst: Reg::R0, base: Reg::R1, off: offset as i16 };
            // What a field leads to for sure can be read in its turn.
            let follow = Insn::Load { size: Size::B, signed: false, dst: Reg::R0, base: Reg::R0, off: 0 };
            let sure = matches!(
                field.yields,
                Yields::PacketStart | Yields::Sock | Yields::FlowKeys | Yields::TracepointBuffer | Yields::Btf(_)
            );
            let insns = if sure { vec![load, follow, Insn::Exit] } else { vec![load, Insn::Exit] };
            read += 1;
            if let Err(error) = run(prog_type, attach, encode(&insns)) {
                wrong.push(format!("{prog_type:?} {attach:?}, {bytes} bytes of {} at {offset}: {error}", field.name));
            }
        }
    }
    println!("{read} fields read");
    assert!(read > 4000, "only {read} fields");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

#[test]
fn what_no_row_lets_a_program_read_is_refused() {
    for (prog_type, offset) in [(ProgType::SocketFilter, 76), (ProgType::CgroupSock, 80), (ProgType::SkMsg, 3)] {
        let load = Insn::Load { size: Size::W, signed: false, dst: Reg::R0, base: Reg::R1, off: offset };
        assert!(run(prog_type, AttachType::CgroupInetIngress, encode(&[load, Insn::Exit])).is_err(), "{prog_type:?} at {offset}");
    }
}

#[test]
fn types_without_a_packet_refuse_one() {
    for (prog_type, attach) in kinds() {
        let program = Program { attach_type: Some(attach), ..Program::bare("p", prog_type, encode(&[ZERO, Insn::Exit])) };
        let mut instance = Instance::builder(target()).program(program).build().unwrap();
        let result = instance.program("p").unwrap().run(&Input::packet(&frame()));
        let no_packet = matches!(result, Err(RunError::Input(InputError::NoPacket(_))));
        assert_eq!(no_packet, !Input::takes_packet(prog_type), "{prog_type:?}");
    }
}
