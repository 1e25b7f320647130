//! Calls of the runtime, and the ways in which they end.

use std::sync::{Arc, Mutex};

use skep_isa::{AluOp, Callee, Cond, Insn, Operand, Reg, Size, Wide, Width};
use skep_jit::{Inline, Links, Options, Ret, STRIDE, Status, compile};
use skep_linux::ProgType;
use skep_program::{Fact, Facts, Through};

use crate::model::build;
use crate::operations::variants;
use crate::run::{Native, World, build_for, vouched};
use crate::typical::{facts, raw};

fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::Mov { width: Width::W64, dst, src: Operand::Imm(imm) }
}

fn copy(dst: Reg, src: Reg) -> Insn {
    Insn::Mov { width: Width::W64, dst, src: Operand::Reg(src) }
}

fn add(dst: Reg, src: Reg) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Reg(src) }
}

fn helper(number: i32) -> Insn {
    Insn::Call(Callee::Helper(number))
}

fn native(insns: &[Insn], options: &Options) -> Native {
    let raw = raw(insns);
    Native::new(build(&raw, facts(&raw, Through::Stack), options).unwrap())
}

/// Compiles with each set of features, and does something with it.
fn each(insns: &[Insn], test: impl Fn(&Native, &mut World)) {
    for options in variants() {
        test(&native(insns, &options), &mut World::new());
    }
}

#[test]
fn calls_say_what_is_called_from_where_and_with_what() {
    let insns = [
        copy(Reg::R6, Reg::R1),
        copy(Reg::R7, Reg::R5),
        helper(5),
        copy(Reg::R8, Reg::R0),
        copy(Reg::R1, Reg::R6),
        copy(Reg::R5, Reg::R7),
        Insn::Call(Callee::Kfunc { id: 77, module: 0 }),
        add(Reg::R0, Reg::R8),
        copy(Reg::R1, Reg::R0),
        mov(Reg::R2, 2),
        mov(Reg::R3, 3),
        mov(Reg::R4, 4),
        mov(Reg::R5, 5),
        helper(5),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        let ret = native.run(world, [100, 200, 300, 400, 500]);
        assert_eq!(native.code.callees, [Callee::Helper(5), Callee::Kfunc { id: 77, module: 0 }]);
        let first = 300 ^ 500;
        assert_eq!(ret, Ret::go_on((2 * first * 3) ^ 5));
        assert_eq!(world.calls.len(), 3);
        assert_eq!(world.calls[0], (0, 2, [100, 200, 300, 400, 500]));
        assert_eq!((world.calls[1].0, world.calls[1].1, world.calls[1].2[0]), (1, 6, 100));
        assert_eq!(world.calls[2], (0, 13, [2 * first, 2, 3, 4, 5]));
    });
}

#[test]
fn calls_say_which_frame_they_come_from() {
    let store = Insn::Store { size: Size::Dw, base: Reg::R10, off: -8, src: Operand::Imm(1) };
    let insns = [
        store,
        helper(1),
        Insn::Call(Callee::Local(1)),
        Insn::Exit,
        // A function without a stack of its own.
        helper(2),
        Insn::Call(Callee::Local(1)),
        Insn::Exit,
        store,
        helper(3),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        let frames = Arc::new(Mutex::new(Vec::new()));
        let seen = frames.clone();
        world.answer = Some(Box::new(move |world, _| {
            seen.lock().unwrap().push(world.env.frame);
            Ret::go_on(0)
        }));
        assert_eq!(native.run(world, [0; 5]), Ret::go_on(0));
        let first = world.frame();
        assert_eq!(*frames.lock().unwrap(), [first, first, first + u64::from(STRIDE)]);
        assert_eq!((world.stack[63], world.stack[63 + 72]), (1, 1));
    });
}

#[test]
fn a_call_that_stops_leaves_all_functions() {
    let insns = [
        mov(Reg::R6, 1),
        Insn::Call(Callee::Local(1)),
        Insn::Exit,
        mov(Reg::R7, 1),
        mov(Reg::R8, 1),
        helper(1),
        mov(Reg::R0, 9),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        for _ in 0..3 {
            world.env.stop_sp = 0x55;
            world.answer = Some(Box::new(|_, _| Ret::end(Status::Stop)));
            assert_eq!(native.run(world, [0; 5]).status, Status::Stop as u64);
            assert_eq!(world.env.stop_sp, 0x55, "the stack of the entry around is given back");
            world.answer = Some(Box::new(|_, _| Ret::go_on(1)));
            assert_eq!(native.run(world, [0; 5]), Ret::go_on(9));
        }
    });
}

#[test]
fn an_access_that_stops_leaves_all_functions() {
    let load = Insn::Load { size: Size::W, signed: false, dst: Reg::R0, base: Reg::R1, off: 16 };
    let insns = [mov(Reg::R1, 0), Insn::Call(Callee::Local(1)), Insn::Exit, mov(Reg::R9, 0), load, Insn::Exit];
    for options in variants() {
        let raw = raw(&insns);
        let native = Native::new(build(&raw, facts(&raw, Through::Kernel), &options).unwrap());
        let mut world = World::new();
        assert_eq!(native.run(&mut world, [0; 5]).status, Status::Stop as u64);
        assert_eq!(world.accesses, [4]);
    }
}

/// Helpers call functions of the program, which may stop, and the program goes on after both.
#[test]
fn calls_back() {
    let insns = [
        mov(Reg::R6, 7),
        helper(1),
        add(Reg::R0, Reg::R6),
        Insn::Exit,
        mov(Reg::R6, 1000),
        Insn::Store { size: Size::Dw, base: Reg::R10, off: -8, src: Operand::Reg(Reg::R1) },
        copy(Reg::R0, Reg::R2),
        Insn::JumpIf { width: Width::W64, cond: Cond::Ne, dst: Reg::R1, src: Operand::Imm(3), off: 1 },
        helper(2),
        Insn::Exit,
        Insn::LoadWide { dst: Reg::R0, value: Wide::Func(-7) },
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        let code = native.code.clone();
        let again = Native::new(code);
        world.answer = Some(Box::new(move |world, (callee, ..)| {
            if callee == 1 {
                return Ret::end(Status::Stop);
            }
            let frame = world.env.frame + u64::from(STRIDE);
            let mut answer = 0;
            for round in 0..6 {
                // The answer is taken while it answers: a call from within multiplies, one that stops is made by hand.
                world.answer = Some(Box::new(|_, _| Ret::end(Status::Stop)));
                let ret = again.enter(world, 4, [round, round * 10, 0, 0, 0], frame);
                match round {
                    3 => assert_eq!(ret.status, Status::Stop as u64),
                    _ => answer += ret.value,
                }
            }
            Ret::go_on(answer)
        }));
        assert_eq!(native.run(world, [0; 5]), Ret::go_on(120 + 7));
        assert_eq!(world.stack[63], 5, "the first function uses no stack");
    });
}

#[test]
fn tail_calls_take_the_place_of_the_function() {
    let other = [
        mov(Reg::R6, 50),
        mov(Reg::R9, 50),
        copy(Reg::R0, Reg::R1),
        Insn::Store { size: Size::Dw, base: Reg::R10, off: -8, src: Operand::Imm(3) },
        Insn::Exit,
    ];
    let insns = [
        mov(Reg::R6, 5),
        mov(Reg::R9, 6),
        Insn::Store { size: Size::Dw, base: Reg::R10, off: -8, src: Operand::Imm(1) },
        Insn::Call(Callee::Local(4)),
        // What the other program did to its registers is undone.
        add(Reg::R0, Reg::R6),
        add(Reg::R0, Reg::R9),
        mov(Reg::R6, 0),
        Insn::Exit,
        mov(Reg::R7, 2),
        Insn::Store { size: Size::Dw, base: Reg::R10, off: -8, src: Operand::Imm(2) },
        helper(12),
        mov(Reg::R0, 1),
        Insn::Exit,
    ];
    for options in variants() {
        let (from, to) = (native(&insns, &options), native(&other, &options));
        let mut world = World::new();
        world.answer = Some(Box::new(|_, _| Ret::go_on(0)));
        assert_eq!(from.run(&mut world, [0; 5]), Ret::go_on(1 + 11));
        assert_eq!(world.stack[63 + 72], 2);
        world.answer = Some(Box::new(|_, _| Ret::end(Status::Tail)));
        world.env.tail_target = to.function(0);
        assert_eq!(from.run(&mut world, [0; 5]), Ret::go_on(0xc0de + 11));
        assert_eq!((world.stack[63], world.stack[63 + 72]), (1, 3));
    }
}

#[test]
fn packets() {
    let load = |size, index, off| Insn::LoadPacket { size, index, off };
    let insns = [
        mov(Reg::R7, 0),
        Insn::Call(Callee::Local(3)),
        mov(Reg::R6, 1000),
        add(Reg::R0, Reg::R6),
        Insn::Exit,
        copy(Reg::R6, Reg::R1),
        copy(Reg::R8, Reg::R2),
        load(Size::H, None, 2),
        copy(Reg::R9, Reg::R0),
        load(Size::B, Some(Reg::R8), -5),
        add(Reg::R0, Reg::R9),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        assert_eq!(native.run(world, [0, 25, 0, 0, 0]), Ret::go_on(0x0203 + 20 + 1000));
        assert_eq!(native.run(world, [0, 0xf_0000_0019, 0, 0, 0]), Ret::go_on(0x0203 + 20 + 1000));
        assert_eq!(native.run(world, [0, 69, 0, 0, 0]), Ret::go_on(1000), "beyond the packet, the function gives 0");
        assert_eq!(native.run(world, [0, 0xdead + 5, 0, 0, 0]).status, Status::Stop as u64);
    });
}

/// Elements of an array are found without a call.
#[test]
fn elements() {
    struct Array(Inline);
    impl Links for Array {
        fn value(&mut self, _slot: usize, _wide: Wide) -> u64 {
            0
        }

        fn inline(&mut self, slot: usize, callee: Callee) -> Option<Inline> {
            assert_eq!((slot, callee), (2, Callee::Helper(1)));
            Some(self.0)
        }
    }
    let find = |inline, key, options: &Options| {
        let nothing = mov(Reg::R0, 1);
        let insns = raw(&[copy(Reg::R6, Reg::R3), nothing, helper(1), add(Reg::R0, Reg::R6), Insn::Exit]);
        let program = vouched(ProgType::Xdp, &insns, facts(&insns, Through::Stack));
        let native = Native::new(compile(&program, options, &mut Array(inline)).unwrap());
        let mut world = World::new();
        let r2 = world.frame();
        world.stack[64] = key;
        native.run(&mut world, [0, r2, 5, 0, 0]).value
    };
    for options in variants() {
        for (stride, count) in [(8, 10), (24, 10), (1, 256), (1 << 20, u32::MAX), (u32::MAX, 3)] {
            let element = Inline::Element { first: 0x7000_0000_0000, stride, count };
            for key in [0, 1, 2, 9, 10, 255, 256, u32::MAX - 1, u32::MAX] {
                let there = |key: u32| 0x7000_0000_0000 + u64::from(key) * u64::from(stride);
                let expected = if key < count { there(key) } else { 0 };
                assert_eq!(find(element, 0xdead_0000_0000 | u64::from(key), &options), expected + 5, "{element:?} {key}");
            }
        }
        assert_eq!(find(Inline::Constant(77), 0, &options), 82);
    }
}

/// Numbers of the context are memory, pointers to the packet come from the environment; the rest is asked for.
#[test]
fn contexts() {
    let load = |dst, off| Insn::Load { size: Size::W, signed: false, dst, base: Reg::R1, off };
    // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex; a store goes to the runtime.
    let store = Insn::Store { size: Size::W, base: Reg::R1, off: 16, src: Operand::Imm(8) };
    let insns = [load(Reg::R6, 0), load(Reg::R7, 4), load(Reg::R8, 8), load(Reg::R0, 12), store];
    let sum = [add(Reg::R0, Reg::R6), add(Reg::R0, Reg::R7), add(Reg::R0, Reg::R8), Insn::Exit];
    let raw = raw(&[&insns[..], &sum[..]].concat());
    for options in variants() {
        let code = build_for(ProgType::Xdp, &raw, facts(&raw, Through::Context), &options).unwrap();
        let mut world = World::new();
        (world.env.packet_start, world.env.packet_end, world.env.packet_meta) = (1 << 32, 2 << 32, 4 << 32);
        let mut context = [0u32, 0, 0, 77, 0, 0];
        assert_eq!(Native::new(code).run(&mut world, [context.as_mut_ptr() as u64, 0, 0, 0, 0]), Ret::go_on(7 << 32 | 77));
        assert_eq!(world.accesses, [4]);
    }
}

#[test]
fn casts() {
    let cast = |to, from| Insn::AddrSpaceCast { dst: Reg::R0, src: Reg::R1, to, from };
    each(&[cast(1, 0), Insn::Exit], |native, world| {
        assert_eq!(native.run(world, [0x1234, 0, 0, 0, 0]), Ret::go_on(1 << 48 | 0x1234));
    });
    each(&[cast(0, 1), Insn::Exit], |native, world| {
        assert_eq!(native.run(world, [0x7_1234_5678, 0, 0, 0, 0]), Ret::go_on(0x1234_5678));
    });
}

#[test]
fn rounds_are_counted_per_activation() {
    let one = Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg::R6, src: Operand::Imm(1) };
    // Two loops that share a budget, in a function that is called twice.
    let insns = [
        Insn::Call(Callee::Local(5)),
        copy(Reg::R7, Reg::R0),
        Insn::Call(Callee::Local(3)),
        add(Reg::R0, Reg::R7),
        mov(Reg::R7, 0),
        Insn::Exit,
        mov(Reg::R6, 0),
        Insn::MayGoto { off: 2 },
        one,
        Insn::Jump { off: -3, long: false },
        Insn::MayGoto { off: 2 },
        one,
        Insn::Jump { off: -3, long: false },
        copy(Reg::R0, Reg::R6),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        assert_eq!(native.run(world, [0; 5]), Ret::go_on(2 * 8 * 1024 * 1024));
    });
}

#[test]
fn links_give_the_values_of_wide_loads() {
    let load = |dst, value| Insn::LoadWide { dst, value };
    let insns = [
        load(Reg::R0, Wide::MapIndex(7)),
        load(Reg::R6, Wide::Func(3)),
        add(Reg::R0, Reg::R6),
        Insn::Exit,
        mov(Reg::R0, 0),
        Insn::Exit,
    ];
    each(&insns, |native, world| {
        assert_eq!(native.run(world, [0; 5]), Ret::go_on(0x1234_5678_9abc_0007 + 2));
        assert_eq!(native.code.functions.keys().copied().collect::<Vec<_>>(), [0, 5 + 1]);
    });
}

/// What no path comes to is not there, and ways to it are not either.
#[test]
fn dead_code_is_left_out() {
    let jump = Insn::JumpIf { width: Width::W64, cond: Cond::Eq, dst: Reg::R1, src: Operand::Imm(0), off: 2 };
    let insns = [jump, mov(Reg::R0, 1), Insn::Exit, mov(Reg::R0, 2), Insn::Jump { off: 100, long: false }];
    let raw = raw(&insns);
    for options in variants() {
        let mut lengths = Vec::new();
        for dead in [vec![], vec![3, 4], vec![1, 2]] {
            let reached = |slot| !dead.contains(&slot) && slot != 4;
            let all = (0..5).map(|slot| Fact { reached: reached(slot), ..Fact::default() }).collect();
            let code = build(&raw, Facts::new(all, vec![0]), &options).unwrap();
            lengths.push(code.functions.len() * 1000 + code.bytes.len());
            if dead == [3, 4] {
                let ret = Native::new(code).run(&mut World::new(), [0; 5]);
                assert_eq!(ret, Ret::go_on(1), "the way that no path takes is not taken");
            }
        }
        assert!(lengths[1] < lengths[0] && lengths[2] < lengths[0], "{lengths:?}");
    }
}

#[test]
fn what_cannot_be_compiled_says_so() {
    let error = |insns: &[Insn]| {
        let raw = raw(insns);
        build(&raw, facts(&raw, Through::Nothing), &variants()[0]).unwrap_err().to_string()
    };
    let text = "instruction 1: a jump to the address in a register: not compiled";
    assert_eq!(error(&[mov(Reg::R1, 0), Insn::JumpReg { dst: Reg::R1 }]), text);
    let text = "instruction 0: a call of the address in a register: not compiled";
    assert_eq!(error(&[Insn::Call(Callee::Reg(Reg::R1)), Insn::Exit]), text);
    let text = "instruction 0: jump to 9, out of a program of 2 slots";
    assert_eq!(error(&[Insn::Jump { off: 8, long: false }, Insn::Exit]), text);
    let raw = raw(&[Insn::Exit, Insn::Exit]);
    let wrong = build(&raw, facts(&raw[..1], Through::Nothing), &variants()[0]).unwrap_err();
    assert_eq!(wrong.to_string(), "facts of 1 instructions for a program of 2 slots");
}
