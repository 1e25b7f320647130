//! Each phase on small programs.

use skep_isa::RawInsn;
use skep_isa::asm::kernel::assemble;
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::Program;

use super::stack_depth::{self, Frame};
use super::{Marks, Prep, prepare};
use crate::fault::{At, Fault};
use crate::options::{Options, Privileges};
use crate::setting::Setting;

fn program(text: &str) -> Program {
    bare(assemble(text).unwrap())
}

fn bare(insns: Vec<RawInsn>) -> Program {
    Program::bare("test", ProgType::SchedCls, insns)
}

fn prepared(program: &Program, privileges: Privileges) -> Result<Prep, At> {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let options = Options { privileges, ..Options::default() };
    prepare(&Setting::new(program, &target, &options).unwrap())
}

fn prep(text: &str) -> Prep {
    prepared(&program(text), Privileges::ALL).unwrap()
}

/// Of a program that everybody may load.
fn unprivileged(program: Program) -> Result<Prep, At> {
    prepared(&Program { prog_type: ProgType::SocketFilter, ..program }, Privileges::NONE)
}

/// Slot and text of a refusal.
fn refusal(result: Result<Prep, At>) -> (Option<usize>, String) {
    match result {
        Err(At { pc, fault: Fault::Refused(why) }) => (pc, why.to_string()),
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> (Option<usize>, String) {
    refusal(prepared(&program(text), Privileges::ALL))
}

fn said(slot: usize, text: &str) -> (Option<usize>, String) {
    (Some(slot), text.to_owned())
}

/// The slots that are marked so.
fn marked(prep: &Prep, mark: impl Fn(&Marks) -> bool) -> Vec<usize> {
    (0..prep.marks.len()).filter(|slot| mark(&prep.marks[*slot])).collect()
}

const LOOP: &str = "
    r0 = 0
again:
    r0 += 1
    if r0 < 10 goto again
    exit";

#[test]
fn functions_begin_where_calls_lead() {
    let found = prep(
        "
        r2 = subprog[later]
        call now
        exit
    now:
        r0 = 0
        exit
    later:
        r0 = 1
        exit",
    );
    let slots: Vec<_> = found.subprogs.iter().map(|subprog| subprog.slots.clone()).collect();
    assert_eq!(slots, [0..4, 4..6, 6..8]);
    assert_eq!((found.subprog_of(3), found.subprog_of(5), found.subprog_at(6), found.subprog_at(5)), (0, 1, Some(2), None));
    assert_eq!(found.subprogs.iter().map(|subprog| subprog.postorder.len()).collect::<Vec<_>>(), [3, 2, 2]);
}

#[test]
fn functions_that_are_refused() {
    let long_jump = |off| bare(vec![RawInsn::new(0x05, 0, 0, off, 0), RawInsn::new(0x95, 0, 0, 0, 0)]);
    let out = |off| refusal(prepared(&long_jump(off), Privileges::ALL));
    assert_eq!(out(1), said(0, "jump out of range from insn 0 to 2"));
    assert_eq!(out(-3), said(0, "jump out of range from insn 0 to -2"));
    assert_eq!(refused("r0 = 0\nr0 += 1"), said(1, "last insn is not an exit or jmp"));
    let call = bare(vec![RawInsn::new(0x85, 0, 1, 0, 7), RawInsn::new(0x95, 0, 0, 0, 0)]);
    assert_eq!(refusal(prepared(&call, Privileges::ALL)), said(0, "call to invalid destination"));
    let call = "call next\nexit\nnext:\nr0 = 0\nexit";
    let need = "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN";
    assert_eq!(refusal(unprivileged(program(call))), said(0, need));
    let packet = "call next\nexit\nnext:\nr0 = *(u8 *)skb[0]\nexit";
    assert_eq!(refused(packet), said(2, "LD_ABS is not allowed in subprogs without BTF"));
    let tail = "call next\nexit\nnext:\ncall 12\nexit";
    assert_eq!(refused(tail), said(2, "tail_call is not allowed in subprogs without BTF"));
}

#[test]
fn more_functions_than_there_may_be() {
    let count = skep_linux::limits::MAX_SUBPROGS;
    let program = |functions: usize| {
        let mut insns: Vec<RawInsn> =
            (0..functions).map(|nth| RawInsn::new(0x85, 0, 1, 0, (functions - nth + nth * 2) as i32)).collect();
        insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
        for _ in 0..functions {
            insns.extend([RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)]);
        }
        bare(insns)
    };
    assert_eq!(prepared(&program(count - 1), Privileges::ALL).unwrap().subprogs.len(), count);
    assert_eq!(refusal(prepared(&program(count), Privileges::ALL)), said(count - 1, "too many subprograms"));
}

#[test]
fn slots_that_cannot_be_reached() {
    assert_eq!(refused("r0 = 0\nexit\nr0 = 1\nexit"), said(2, "unreachable insn 2"));
    let into_wide = bare(vec![
        RawInsn::new(0x15, 1, 0, 1, 0),
        RawInsn::new(0x18, 0, 0, 0, 1),
        RawInsn::default(),
        RawInsn::new(0x95, 0, 0, 0, 0),
    ]);
    assert_eq!(refusal(prepared(&into_wide, Privileges::ALL)), said(1, "jump into the middle of ldimm64 insn 1"));
    assert_eq!(refusal(unprivileged(program(LOOP))), said(2, "back-edge from insn 2 to 1"));
}

#[test]
fn where_paths_are_remembered() {
    let found = prep(LOOP);
    assert_eq!(marked(&found, |mark| mark.prune), [1, 2]);
    assert_eq!(marked(&found, |mark| mark.jump), [1]);
    let found = prep("r0 = 0\ngoto out\nout:\nexit");
    assert_eq!((marked(&found, |mark| mark.prune), marked(&found, |mark| mark.jump)), (vec![2], vec![2]));
    let found = prep("may_goto out\nout:\nr0 = 0\nexit");
    assert_eq!(marked(&found, |mark| mark.force_checkpoint), [0]);
    assert_eq!(marked(&found, |mark| mark.prune), [0, 1]);
    let found = prep("call 7\ncall next\nexit\nnext:\nexit");
    assert_eq!(marked(&found, |mark| mark.prune), [1, 2, 3]);
    assert_eq!(marked(&found, |mark| mark.jump), [1, 2, 3]);
    // bpf_loop comes back to itself.
    let found = prep("r2 = subprog[body]\ncall 181\nexit\nbody:\nr0 = 0\nexit");
    assert_eq!(marked(&found, |mark| mark.calls_callback && mark.force_checkpoint && mark.prune && mark.jump), [2]);
}

#[test]
fn what_functions_do_their_callers_do() {
    let found = prep(
        "
        call first
        exit
    first:
        call second
        exit
    second:
        call 11                ; bpf_l4_csum_replace
        exit",
    );
    assert_eq!(found.subprogs.iter().map(|subprog| subprog.changes_packet).collect::<Vec<_>>(), [true, true, true]);
    let found = prep("call 11\ncall next\nexit\nnext:\nexit");
    assert_eq!(found.subprogs.iter().map(|subprog| subprog.changes_packet).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn loops_are_numbered() {
    let numbers = |text: &str| prep(text).marks.iter().map(|mark| mark.scc).collect::<Vec<_>>();
    assert_eq!(numbers(LOOP), [0, 1, 1, 0]);
    assert_eq!(numbers("r0 = 0\nstay:\nif r0 == 0 goto stay\nexit"), [0, 1, 0]);
    // The loop that the search completes first is 1.
    assert_eq!(numbers("r0 = 0\na:\nif r0 == 0 goto a\nb:\nif r0 == 1 goto b\nexit"), [0, 2, 1, 0]);
}

#[test]
fn post_order_ends_with_the_first_slot() {
    assert_eq!(prep(LOOP).postorder, [3, 2, 1, 0]);
    let found = prep("if r1 == 0 goto other\nr0 = 0\nexit\nother:\nr0 = 1\nexit");
    assert_eq!(found.postorder, [2, 1, 4, 3, 0]);
}

#[test]
fn registers_that_are_read_later() {
    let live = |text: &str| prep(text).marks.iter().map(|mark| mark.live_regs).collect::<Vec<_>>();
    assert_eq!(live(LOOP), [0, 1, 1, 1]);
    assert_eq!(live("r0 = r6\nr0 += r7\nexit"), [1 << 6 | 1 << 7, 1 | 1 << 7, 1]);
    // A helper reads what it has parameters for, and leaves r6 to r9 alone.
    assert_eq!(live("call 5\nr0 += r6\nexit"), [1 << 6, 1 | 1 << 6, 1]);
    // A function of the program may read all.
    assert_eq!(live("call next\nexit\nnext:\nr0 = 0\nexit"), [0x3e, 1, 0, 1]);
    // What is read in an outer loop is live in the inner one, whichever is settled first.
    let nested = "
        r6 = 1
        r7 = 1
    outer:
        r8 = 1
    inner:
        r8 += 1
        if r8 < 5 goto inner
        r7 += r6
        if r7 < 5 goto outer
        r0 = 0
        exit";
    let (r6, r7, r8) = (1 << 6, 1 << 7, 1 << 8);
    assert_eq!(live(nested), [0, r6, r6 | r7, r6 | r7 | r8, r6 | r7 | r8, r6 | r7, r6 | r7, 0, 1]);
}

#[test]
fn programs_of_no_length_and_of_too_much() {
    let long = |count: usize| {
        let mut insns = vec![RawInsn::new(0xb7, 0, 0, 0, 0); count - 1];
        insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
        bare(insns)
    };
    let words = |count, most| (None, format!("the program has {count} instructions; it may have 1 to {most}"));
    assert_eq!(refusal(prepared(&bare(Vec::new()), Privileges::ALL)), words(0, 1_000_000));
    assert_eq!(refusal(prepared(&long(1_000_001), Privileges::ALL)), words(1_000_001, 1_000_000));
    assert_eq!(refusal(unprivileged(long(4097))), words(4097, 4096));
    assert!(unprivileged(long(4096)).is_ok());
    assert!(prepared(&long(1_000_000), Privileges::ALL).is_ok());
}

#[test]
fn types_that_the_user_may_not_load() {
    let ask = |prog_type, privileges| {
        prepared(&Program { prog_type, ..program("r0 = 0\nexit") }, privileges).map(|_| ()).map_err(|at| at.fault)
    };
    let needs = |prog, needs| Err(Fault::from(crate::why::Form::TypeNeeds { prog, needs }));
    let bpf = Privileges { bpf: true, ..Privileges::NONE };
    assert_eq!(ask(ProgType::CgroupSkb, Privileges::NONE), Ok(()));
    assert_eq!(ask(ProgType::SkReuseport, Privileges::NONE), needs(ProgType::SkReuseport, "CAP_BPF"));
    assert_eq!(ask(ProgType::SkReuseport, bpf), Ok(()));
    assert_eq!(ask(ProgType::Xdp, bpf), needs(ProgType::Xdp, "CAP_NET_ADMIN"));
    assert_eq!(ask(ProgType::Kprobe, bpf), needs(ProgType::Kprobe, "CAP_PERFMON"));
    assert_eq!(ask(ProgType::Kprobe, Privileges { perfmon: true, ..bpf }), Ok(()));
}

#[test]
fn spills_around_calls() {
    let around = |call: &str| {
        prep(&format!(
            "r1 = 1\nr2 = 2\n*(u64 *)(r10 -8) = r1\n*(u64 *)(r10 -16) = r2\n{call}\n\
             r2 = *(u64 *)(r10 -16)\nr1 = *(u64 *)(r10 -8)\nr0 = 0\nexit"
        ))
    };
    let found = around("call 8");
    assert_eq!(marked(&found, |mark| mark.fastcall_pattern), [2, 3, 5, 6]);
    assert_eq!(
        (found.marks[4].fastcall_pairs, found.subprogs[0].fastcall_stack, found.subprogs[0].keep_fastcall_stack),
        (2, 0, false)
    );
    // A call that the kernel leaves as it is.
    let found = around("call 7");
    assert_eq!(marked(&found, |mark| mark.fastcall_pattern), [2, 3, 5, 6]);
    assert_eq!((found.marks[4].fastcall_pairs, found.subprogs[0].keep_fastcall_stack), (0, true));
    // Parameters cannot be kept over a call.
    let found = around("call 1");
    assert_eq!(marked(&found, |mark| mark.fastcall_pattern), Vec::<usize>::new());
}

/// Whether the calls of the program fit on the stack.
fn stack(program: &Program, frames: &[Frame]) -> Result<(), At> {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let options = Options::default();
    let setting = Setting::new(program, &target, &options).unwrap();
    let prep = prepare(&setting).unwrap();
    stack_depth::check(&setting, &prep, frames)
}

#[test]
fn as_many_ways_to_a_function_as_there_are_chains_of_calls() {
    // Each of eight functions calls the next hundred times: 10^14 chains.
    let mut text = String::new();
    for level in 0..8 {
        text += &format!("f{level}:\n");
        if level < 7 {
            text += &format!("call f{}\n", level + 1).repeat(100);
        }
        text += "r0 = 0\nexit\n";
    }
    let mut frames = vec![Frame::default(); 8];
    assert_eq!(stack(&program(&text), &frames), Ok(()));
    frames.iter_mut().for_each(|frame| frame.depth = 80);
    let At { pc, fault: Fault::Refused(why) } = stack(&program(&text), &frames).unwrap_err() else { panic!() };
    assert_eq!((pc, why.to_string().as_str()), (Some(612), "combined stack size of 7 calls is 560. Too large"));
}

#[test]
fn functions_that_call_themselves() {
    let again = program("call again\nexit\nagain:\ncall again\nexit");
    let At { fault: Fault::Refused(why), .. } = stack(&again, &[Frame::default(); 2]).unwrap_err() else { panic!() };
    assert_eq!(why.to_string(), "the call stack of 8 frames is too deep !");
}
