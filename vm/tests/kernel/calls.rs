//! Tail calls, calls and callbacks: how many there may be, and where they return to.

use skep::{MapDef, MapType, Object, ProgType, Program};

use super::both::{Both, kernel, program, target};

/// A program with a prog array that holds it at index 0, and an array of one number.
fn with_maps(text: &str) -> Program {
    let progs = MapDef { key_size: 4, value_size: 4, max_entries: 2, ..MapDef::new("progs", MapType::ProgArray) };
    let count = MapDef { key_size: 4, value_size: 8, max_entries: 1, ..MapDef::new("count", MapType::Array) };
    program(ProgType::SocketFilter, text, vec![MapDef { slots: vec![(0, "test".into())], ..progs }, count])
}

fn value(text: &str) -> u32 {
    Both::packet(&[0; 64]).value(&with_maps(text))
}

/// A program of `calls.bpf.c`.
fn compiled(name: &str) -> u32 {
    let object = Object::parse(include_bytes!("../../../conformance/programs/calls.bpf.o")).unwrap();
    Both::packet(&[0; 64]).value(&object.program(name).unwrap().relocate(&target()).unwrap())
}

/// Adds one to the number and leaves it in `r7`.
const COUNT: &str = "r7 = map[idx:1]+0\nr1 = *(u64 *)(r7 +0)\nr1 += 1\n*(u64 *)(r7 +0) = r1\nr7 = r1\n";

/// Calls the program at an index, with the context in `r6`; gives how often programs ran.
fn tail_call(index: i32) -> u32 {
    value(&format!("r6 = r1\n{COUNT}r1 = r6\nr2 = map[idx:0]\nr3 = {index}\ncall 12\nr0 = r7\nexit"))
}

#[test]
fn a_program_calls_on_33_times() {
    if kernel() {
        assert_eq!(tail_call(0), 34);
    }
}

#[test]
fn where_nobody_is_the_program_goes_on() {
    if kernel() {
        assert_eq!([1, 2, -1].map(tail_call), [1, 1, 1]);
    }
}

#[test]
fn a_program_called_from_a_function_returns_to_its_caller() {
    if kernel() {
        assert_eq!(compiled("below"), 34 + 34 * 100);
    }
}

#[test]
fn callbacks_see_the_stack_of_their_caller() {
    if kernel() {
        // Rounds 0 to 5 ran, and the last asked for an end.
        assert_eq!(compiled("rounds"), 18_006);
        assert_eq!(compiled("nested"), 1 + 3 + 6 + 10 + 15);
        assert_eq!(compiled("elements"), 1005);
    }
}

#[test]
fn what_is_thrown_is_returned() {
    if kernel() {
        assert_eq!(compiled("thrown"), 104);
        assert_eq!(compiled("thrown_and_caught"), 209);
    }
}

#[test]
fn functions_nest_eight_deep() {
    if !kernel() {
        return;
    }
    let mut text = String::from("r1 = 0\ncall f1\nexit\n");
    for depth in 1..7 {
        text +=
            &format!("f{depth}:\nr1 += 1\n*(u64 *)(r10 -8) = r1\ncall f{}\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nexit\n", depth + 1);
    }
    text += "f7:\nr0 = r1\nr0 *= 100\nexit\n";
    assert_eq!(value(&text), 600 + 21);
}
