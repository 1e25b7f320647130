//! Locks, timers and kernel pointers in map values that helpers work on, held against the kernel.

use skep_linux::{MapType, ProgType};
use skep_program::{Func, Program};

use crate::ask::{can_ask, compare, program};
use crate::fields::{types, values};
use crate::numbers::Random;

/// Something that is done with the values in `r6` and `r7`, and the kernel pointer in `r8`.
fn step(random: &Random) -> String {
    let value = random.one(&["r6", "r6", "r6", "r7"]);
    let off = |right: i64| if random.below(12) == 0 { right + random.one(&[-8, 4, 8]) } else { right };
    let at = |off: i64| format!("r1 = {value}\nr1 += {off}\n");
    let pointer = || off(random.one(&[40, 40, 48, 56, 32]));
    match random.below(24) {
        0..=3 => at(off(8)) + "call 93\n",
        4..=7 => at(off(8)) + "call 94\n",
        8 => at(off(16)) + "r2 = map[idx:0]\nr3 = 1\ncall 169\n",
        9 => at(off(16)) + "r2 = map[idx:1]\nr3 = 1\ncall 169\n",
        10 => at(off(16)) + "r2 = subprog[f1]\ncall 170\n",
        11 => at(off(16)) + "r2 = 0\nr3 = 0\ncall 171\n",
        12 => at(off(16)) + "call 172\n",
        13 | 14 => at(pointer()) + "r2 = 0\ncall 194\nr8 = r0\n",
        15 | 16 => at(pointer()) + "r2 = r8\ncall 194\nr8 = r0\n",
        17 | 18 => "if r8 == 0 goto out\n".to_owned(),
        19 => "r0 = *(u64 *)(r8 +8)\n".to_owned(),
        20 => "r1 = r8\nr2 = 0\ncall 153\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 +0)\n".to_owned(),
        21 => "r1 = r8\ncall 154\nr0 = *(u64 *)(r0 +0)\n".to_owned(),
        22 => "r8 = *(u64 *)(r6 +40)\n".to_owned(),
        _ => random
            .one(&[
                "call 7\n",
                "r8 += 8\n",
                "call 158\nr8 = r0\n",
                "r0 = 0\nexit\n",
                "*(u64 *)(r10 -16) = r8\nr8 = *(u64 *)(r10 -16)\n",
            ])
            .to_owned(),
    }
}

/// `SKEP_MEMORY_PROGRAMS` says how many.
#[test]
fn what_values_hold() {
    if !can_ask() {
        return;
    }
    let (btf, value, [func, callback]) = types();
    let map_types = [MapType::Hash, MapType::Array];
    let maps: Vec<_> = map_types.iter().map(|map_type| values(&btf, value, *map_type)).collect();
    let count = std::env::var("SKEP_MEMORY_PROGRAMS").map_or(2_000, |count| count.parse().expect("a number"));
    let (mut accepted, mut undecided, mut different) = (0, 0, Vec::new());
    for seed in 1..=count {
        let random = Random::new(seed);
        let map = random.below(2);
        let lookup = format!("r1 = map[idx:{map}]\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\n");
        let mut text = format!("*(u32 *)(r10 -4) = 9\nr8 = 0\n{lookup}r6 = r0\n{lookup}r7 = r0\n");
        for _ in 0..1 + random.below(6) {
            text += &step(&random);
        }
        text += "out:\nr0 = 0\nexit\nf1:\n";
        text += random.one(&[
            "r0 = 0\nexit\n",
            "r0 = 1\nexit\n",
            "r1 = r3\nr1 += 8\ncall 93\nr0 = 0\nexit\n",
            "r1 = r3\nr1 += 16\ncall 172\nr0 = 0\nexit\n",
        ]);
        let mut program = program(random.one(&[ProgType::SchedCls, ProgType::Syscall]), &text);
        if program.prog_type == ProgType::Syscall {
            program.flags = 16;
        }
        let start = program.insns.len()
            - skep_isa::asm::kernel::assemble(text.split("f1:\n").nth(1).expect("a function")).expect("text").len();
        let funcs = vec![
            Func { start: 0, name: "f0".into(), type_id: func.0, global: true },
            Func { start, name: "f1".into(), type_id: callback.0, global: false },
        ];
        let called = text.contains("subprog[f1]");
        if !called {
            // A function that nobody calls would be refused.
            text = text.split("f1:\n").next().expect("the program").to_owned();
            program.insns = skep_isa::asm::kernel::assemble(&text).expect("text");
        }
        let funcs = if called { funcs } else { funcs[..1].to_vec() };
        let program = Program { maps: maps.clone(), btf: Some(btf.clone()), funcs, ..program };
        let compared = compare(&program);
        accepted += u64::from(compared.accepted);
        undecided += u64::from(compared.undecided);
        different.extend(compared.difference.map(|difference| (seed, text, difference)));
    }
    println!("{count} programs: {accepted} accepted by Linux, {undecided} undecided, {} different", different.len());
    for (seed, text, difference) in different.iter().take(4) {
        println!("seed {seed}\n{text}\n{difference}\n");
    }
    assert!(different.is_empty());
}
