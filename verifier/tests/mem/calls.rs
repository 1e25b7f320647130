//! Programs that show one rule each.

use std::sync::Arc;

use skep_isa::asm::kernel::assemble;
use skep_linux::{MapType, ProgType};
use skep_program::{MapDef, Program};

use crate::ask::{can_ask, compare, program, same, typed};

fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapDef {
    MapDef { key_size, value_size, max_entries, ..MapDef::new("test", map_type) }
}

/// A program of these functions: the first is the program itself, the others have the labels `f1`, `f2`, and so on.
fn functions(prog_type: ProgType, texts: &[&str], maps: &[MapDef]) -> Program {
    let mut text = String::new();
    for (at, function) in texts.iter().enumerate() {
        text += &format!("f{at}:\n{function}\n");
    }
    // Each function ends where it ends without what comes after, and what it calls is as long whatever it is.
    let mut starts = vec![0];
    for (at, _) in texts.iter().enumerate().skip(1) {
        let before: String = texts[..at].iter().enumerate().map(|(at, function)| format!("f{at}:\n{function}\n")).collect();
        let labels: String = (at..texts.len()).map(|at| format!("f{at}:\nexit\n")).collect();
        let slots = assemble(&(before + &labels)).unwrap_or_else(|error| panic!("{error}\n{text}")).len();
        starts.push(slots - (texts.len() - at));
    }
    let program = Program { maps: maps.iter().cloned().map(Arc::new).collect(), ..program(prog_type, &text) };
    typed(program, &starts)
}

const EXIT: &str = "r0 = 0\nexit";

#[test]
fn loops_of_calls() {
    if !can_ask() {
        return;
    }
    let call = |rounds: &str, flags: &str, after: &str| {
        format!(
            "r6 = r1\n*(u64 *)(r10 -8) = 0\n{rounds}\nr2 = subprog[f1]\nr3 = r10\nr3 += -8\n{flags}\ncall 181\n{after}\nr0 = 0\nexit"
        )
    };
    let rounds =
        ["r1 = 0", "r1 = 1", "r1 = 5", "r1 = 100", "r1 = 8388609", "call 7\nr1 = r0", "call 7\nr1 = r0\nr1 &= 3", "r1 = r10"];
    let callbacks = [
        EXIT,
        "r0 = 1\nexit",
        "r0 = 2\nexit",
        "r0 = -1\nexit",
        "r0 = r1\nexit",
        "r0 = r2\nexit",
        "r0 = r3\nexit",
        "r0 = *(u64 *)(r2 +0)\nr0 += 1\n*(u64 *)(r2 +0) = r0\nr0 = 0\nexit",
        "r0 = *(u64 *)(r2 +0)\nif r0 > 3 goto +3\nr0 += 1\n*(u64 *)(r2 +0) = r0\nr0 = 0\nexit",
        "*(u64 *)(r2 +0) = r10\nr0 = 0\nexit",
        "*(u64 *)(r2 +0) = r2\nr0 = 0\nexit",
        "*(u64 *)(r2 -8) = 7\nr0 = 0\nexit",
        "call 7\nr0 &= 1\nexit",
        "r1 = 3\nr2 = subprog[f2]\nr3 = 0\nr4 = 0\ncall 181\nr0 = 0\nexit",
    ];
    let after = [
        "",
        "r1 = *(u64 *)(r10 -8)\nif r1 == 0 goto +1\nr0 = r9",
        "r1 = *(u64 *)(r10 -8)\nr1 &= 7\nr2 = r10\nr2 += -8\nr2 += r1\nr0 = *(u8 *)(r2 +0)",
        "r0 = *(u32 *)(r6 +0)",
    ];
    for rounds in rounds {
        for flags in ["r4 = 0", "r4 = 1", "call 7\nr4 = r0"] {
            // Registers of arguments must be there after the call that makes the flags.
            let flags = if flags.contains("call") {
                "r7 = r1\nr8 = r3\ncall 7\nr4 = r0\nr1 = r7\nr2 = subprog[f1]\nr3 = r8"
            } else {
                flags
            };
            for callback in callbacks {
                for after in after {
                    let text = call(rounds, flags, after);
                    same(&functions(ProgType::SocketFilter, &[&text, callback, EXIT], &[]));
                }
            }
        }
    }
}

#[test]
fn elements_of_maps() {
    if !can_ask() {
        return;
    }
    let text =
        "r6 = 0\n*(u64 *)(r10 -8) = 0\nr1 = map[idx:0]\nr2 = subprog[f1]\nr3 = r10\nr3 += -8\nr4 = 0\ncall 164\nr0 = 0\nexit";
    let callbacks = [
        EXIT,
        "r0 = *(u32 *)(r2 +0)\nr0 = 0\nexit",
        "r0 = *(u64 *)(r2 +0)\nr0 = 0\nexit",
        "*(u8 *)(r2 +0) = 1\nr0 = 0\nexit",
        "r0 = *(u64 *)(r3 +8)\nr0 = *(u64 *)(r3 +16)\nr0 = 0\nexit",
        "*(u64 *)(r3 +8) = 1\n*(u64 *)(r4 +0) = 1\nr0 = 0\nexit",
        "r2 = r10\nr2 += -4\n*(u32 *)(r10 -4) = 0\ncall 3\nr0 = 0\nexit",
        "r0 = r5\nexit",
        "call 7\nexit",
    ];
    for map_type in [MapType::Array, MapType::Hash, MapType::PercpuArray, MapType::LruHash] {
        for callback in callbacks {
            same(&functions(ProgType::SocketFilter, &[text, callback], &[map(map_type, 4, 16, 4)]));
        }
    }
    let lpm = MapDef { flags: 1, ..map(MapType::LpmTrie, 8, 16, 4) };
    let outer = MapDef { inner: Some(Arc::new(map(MapType::Array, 4, 8, 1))), ..map(MapType::ArrayOfMaps, 4, 4, 1) };
    for def in [lpm, outer, map(MapType::Queue, 0, 16, 4), map(MapType::ProgArray, 4, 4, 4)] {
        same(&functions(ProgType::SocketFilter, &[text, EXIT], &[def]));
    }
}

#[test]
fn records_for_user_space_are_drained() {
    if !can_ask() {
        return;
    }
    let text = "*(u64 *)(r10 -8) = 0\nr1 = map[idx:0]\nr2 = subprog[f1]\nr3 = r10\nr3 += -8\nr4 = 0\ncall 209\nr0 = 0\nexit";
    let data = "r2 = 0\nr3 = 8\ncall 203\nif r0 == 0 goto +1\nr0 = *(u64 *)(r0 +0)\nr0 = 0\nexit";
    let read = "r3 = r1\nr1 = r10\nr1 += -16\nr2 = 8\nr4 = 0\nr5 = 0\ncall 201\nr0 = *(u64 *)(r10 -16)\nr0 = 0\nexit";
    let callbacks = [
        EXIT,
        data,
        read,
        "r2 = 0\ncall 199\nr0 = 0\nexit",
        "r1 += 8\nr2 = 0\nr3 = 8\ncall 203\nr0 = 0\nexit",
        "*(u64 *)(r10 -8) = r1\nr0 = 0\nexit",
        "r0 = *(u64 *)(r1 +0)\nexit",
        "*(u64 *)(r1 +0) = 1\nr0 = 0\nexit",
        "r4 = r1\nr1 = map[idx:0]\nr2 = 8\nr3 = 0\ncall 198\nr0 = 0\nexit",
        "r0 = r1\nexit",
    ];
    for callback in callbacks {
        same(&functions(ProgType::SocketFilter, &[text, callback], &[map(MapType::UserRingbuf, 0, 0, 4096)]));
    }
}

#[test]
fn processes_are_asked_for_their_memory() {
    if !can_ask() {
        return;
    }
    let text = "call 158\nr1 = r0\nr2 = 0\nr3 = subprog[f1]\nr4 = 0\nr5 = 0\ncall 180\nr0 = 0\nexit";
    let callbacks = [
        EXIT,
        "r0 = *(u64 *)(r2 +0)\nr0 = 0\nexit",
        "r0 = *(u32 *)(r1 +64)\nr0 = 0\nexit",
        "*(u8 *)(r2 +0) = 1\nr0 = 0\nexit",
        "r0 = r3\nexit",
    ];
    for callback in callbacks {
        same(&functions(ProgType::Kprobe, &[text, callback], &[]));
    }
}

#[test]
fn tail_calls() {
    if !can_ask() {
        return;
    }
    let programs = map(MapType::ProgArray, 4, 4, 4);
    let jump = |key: &str| format!("r2 = map[idx:0]\n{key}\ncall 12");
    let keys = ["r3 = 0", "r3 = 3", "r3 = 4", "r3 = -1", "r3 = *(u32 *)(r1 +0)", "r3 = r1"];
    let ends = ["", "r0 = 1\nexit", "exit", "r0 = r6\nexit", "r0 = *(u32 *)(r6 +0)\nexit"];
    for key in keys {
        for end in ends {
            let end = if end.is_empty() { EXIT } else { end };
            let call = jump(key);
            same(&functions(ProgType::SchedCls, &[&format!("r6 = r1\n{call}\n{end}")], std::slice::from_ref(&programs)));
            // In a function, the other program ends the function alone; packet pointers are gone then.
            let main = "r6 = r1\nr7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr9 = r7\nr9 += 8\nif r9 > r8 goto +2\ncall f1\nr0 = *(u8 *)(r7 +0)\nr0 = 0\nexit";
            let harmless = "r6 = r1\ncall f1\nif r0 == 1 goto +1\nr0 = 5\nr0 = 0\nexit";
            for main in [main, harmless] {
                same(&functions(
                    ProgType::SchedCls,
                    &[main, &format!("r6 = r1\n{call}\n{end}")],
                    std::slice::from_ref(&programs),
                ));
            }
        }
    }
}

#[test]
fn dynptrs() {
    if !can_ask() {
        return;
    }
    let local = "r1 = map[idx:0]+0\nr2 = 16\nr3 = 0\nr4 = r10\nr4 += -32\ncall 197";
    let record = "r1 = map[idx:1]\nr2 = 16\nr3 = 0\nr4 = r10\nr4 += -32\ncall 198";
    let slice = "r1 = r10\nr1 += -32\nr2 = 0\nr3 = 8\ncall 203\nif r0 == 0 goto +1\nr7 = r0";
    let submit = "r1 = r10\nr1 += -32\nr2 = 0\ncall 199";
    let steps = [
        slice,
        submit,
        "*(u64 *)(r10 -32) = 0",
        "*(u8 *)(r10 -24) = 0",
        "*(u64 *)(r10 -40) = 0",
        "*(u8 *)(r7 +0) = 1",
        "r1 = *(u64 *)(r10 -32)",
        "r1 = map[idx:0]+0\nr2 = 16\nr3 = 0\nr4 = r10\nr4 += -24\ncall 197",
        "r1 = map[idx:0]+0\nr2 = 16\nr3 = 0\nr4 = r10\nr4 += -40\ncall 197",
        "r1 = r10\nr1 += -24\nr2 = 0\nr3 = 8\ncall 203",
        "r1 = r10\nr1 += -32\nr2 = 4\nr3 = r10\nr3 += -8\n*(u64 *)(r10 -8) = 0\nr4 = 8\nr5 = 0\ncall 202",
        "r1 = r10\nr1 += -32\nr2 = 8\nr3 = r10\nr3 += -32\nr4 = 0\nr5 = 0\ncall 201",
    ];
    let maps = [map(MapType::Array, 4, 64, 1), map(MapType::Ringbuf, 0, 0, 4096)];
    for make in [local, record] {
        for a in steps {
            for b in steps {
                for end in ["", submit] {
                    let text = format!("r7 = map[idx:0]+0\n{make}\n{a}\n{b}\n{end}\n{EXIT}");
                    same(&Program {
                        maps: maps.iter().cloned().map(Arc::new).collect(),
                        ..program(ProgType::SocketFilter, &text)
                    });
                }
            }
        }
    }
}

#[test]
fn references() {
    if !can_ask() {
        return;
    }
    let find = "r1 = r6\nr2 = r10\nr2 += -16\nr3 = 12\nr4 = 0\nr5 = 0\ncall 84\nr7 = r0";
    let steps = [
        "if r7 == 0 goto +2\nr1 = r7\ncall 86",
        "r1 = r7\ncall 86",
        "if r7 != 0 goto +2\nr0 = 0\nexit",
        "r0 = *(u32 *)(r7 +4)",
        "if r7 == 0 goto +6\nr1 = r7\ncall 95\nif r0 == 0 goto +3\nr8 = r0\nr1 = r8\ncall 86",
        "if r7 == 0 goto +3\nr1 = r7\ncall 96\nr8 = r0",
        "*(u64 *)(r10 -24) = r7\nr7 = 0\nr7 = *(u64 *)(r10 -24)",
        "r7 += 4",
        "r0 = 0\nexit",
        "if r7 == 0 goto +1\nr7 += 4",
    ];
    for a in steps {
        for b in steps {
            for c in steps {
                let text = format!("r6 = r1\n*(u64 *)(r10 -16) = 0\n*(u64 *)(r10 -8) = 0\n{find}\n{a}\n{b}\n{c}\n{EXIT}");
                if assemble(&text).is_ok() {
                    same(&program(ProgType::SchedCls, &text));
                }
            }
        }
    }
}

#[test]
fn known_keys_find_values() {
    if !can_ask() {
        return;
    }
    let keys = [
        "*(u32 *)(r10 -4) = 0",
        "*(u32 *)(r10 -4) = 3",
        "*(u32 *)(r10 -4) = 4",
        "*(u32 *)(r10 -4) = -1",
        "*(u64 *)(r10 -8) = 3",
        "*(u8 *)(r10 -4) = 0\n*(u8 *)(r10 -3) = 0\n*(u16 *)(r10 -2) = 0",
        "*(u16 *)(r10 -4) = 1\n*(u16 *)(r10 -2) = 0",
        "r1 = 2\n*(u32 *)(r10 -4) = r1",
        "r1 = 2\n*(u64 *)(r10 -4) = r1",
        "r1 = *(u32 *)(r6 +0)\nif r1 != 2 goto +2\n*(u32 *)(r10 -4) = r1\ngoto +1\n*(u32 *)(r10 -4) = 1",
        "r1 = *(u32 *)(r6 +0)\nr1 &= 1\n*(u32 *)(r10 -4) = r1",
        "*(u64 *)(r10 -8) = 0",
    ];
    for map_type in [MapType::Array, MapType::PercpuArray, MapType::Hash] {
        for key in keys {
            let text = format!("r6 = r1\n{key}\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\ncall 1\nr0 = *(u8 *)(r0 +0)\n{EXIT}");
            let program = Program { maps: vec![Arc::new(map(map_type, 4, 8, 4))], ..program(ProgType::SocketFilter, &text) };
            let compared = compare(&program);
            assert_eq!(compared.difference, None, "{map_type:?} {key}");
        }
    }
}

/// From the kernel's source: this host refuses such programs before it looks at them.
#[test]
fn helpers_of_hooks_that_may_sleep() {
    use skep_linux::{Arch, AttachType, Release, Target};
    let target = Target::of(Release::new(6, 18), Arch::X86_64);
    let Some(btf) = target.btf().cloned() else { return println!("skipped: needs the recorded kernel") };
    let words = |hook: &str, helper: u32| {
        let id = btf.find(hook, skep_btf::Kind::Func).unwrap_or_else(|| panic!("{hook}"));
        let program = Program {
            attach_type: Some(AttachType::LsmMac),
            attach_btf_id: Some(id.0),
            ..program(ProgType::Lsm, &format!("call {helper}\nr0 = 0\nexit"))
        };
        match skep_verifier::verify(&program, &target, &skep_verifier::Options::default()).verdict {
            skep_verifier::Verdict::Reject(reject) => reject.why.to_string(),
            other => panic!("{other:?}"),
        }
    };
    for helper in [147, 161, 193] {
        assert_eq!(words("bpf_lsm_inode_permission", helper), "helper call is not allowed in probe", "{helper}");
        assert_ne!(words("bpf_lsm_file_open", helper), "helper call is not allowed in probe", "{helper}");
    }
}
