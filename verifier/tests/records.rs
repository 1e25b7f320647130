//! What is said of functions and lines, held against the kernel: records of a small program, changed at random.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, TypeDef};
use skep_isa::asm::kernel::assemble;
use skep_kernel::{FuncInfo, Kernel, LineInfo, Load, LoadError, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::{Func, Line, Program};
use skep_verifier::prep::prepare;
use skep_verifier::{At, Fault, Options, Setting};

const PROGRAM: &str = "
    r6 = r1
    r2 = 0x100000005 ll
    call first
    call second
    exit
first:
    r6 = r1
    r0 = *(u8 *)skb[4]
    exit
second:
    r0 = 0
    exit";
const STARTS: [usize; 3] = [0, 6, 9];
const SLOTS: usize = 11;

/// Functions by what they return, a type that is none, and a tag or two on the first.
struct Types {
    btf: Btf,
    /// Ids of functions and of other types.
    ids: Vec<u32>,
}

/// Tags of the first function that name what ends the program after `bpf_throw`.
fn types(tags: &[&str]) -> Types {
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, IntEncoding::Signed);
    let wide = types.int("wide", 16, IntEncoding::Signed);
    let choice = types.add(TypeDef::Enum { name: "choice".into(), size: 4, signed: false, values: vec![("ONE".into(), 1)] });
    let alias = types.typedef("alias", int);
    let pointer = types.ptr(int);
    let mut ids = Vec::new();
    let rets =
        [("main", int), ("void", skep_btf::TypeId(0)), ("wide", wide), ("choice", choice), ("alias", alias), ("ptr", pointer)];
    for (name, ret) in rets {
        let proto = types.add(TypeDef::FuncProto { ret, params: Vec::new() });
        let linkage = if name == "alias" { Linkage::Global } else { Linkage::Static };
        ids.push(types.add(TypeDef::Func { name: format!("f_{name}"), proto, linkage }).0);
    }
    let of = skep_btf::TypeId(ids[0]);
    for value in tags {
        types.add(TypeDef::DeclTag { value: (*value).into(), attribute: false, of, component: None });
    }
    ids.push(int.0);
    ids.push(999);
    Types { btf: types.build().unwrap(), ids }
}

const TAGS: [&[&str]; 6] = [
    &[],
    &["exception_callback:f_alias"],
    &["exception_callback:f_void"],
    &["exception_callback:nothing"],
    &["exception_callback:f_alias", "exception_callback:f_void"],
    &["exception_callback:f_main"],
];

/// Records: where functions begin and the index of their type, and where lines begin.
#[derive(Debug, Clone)]
struct Records {
    funcs: Vec<(usize, usize)>,
    lines: Vec<usize>,
    tags: usize,
}

fn records() -> impl Strategy<Value = Records> {
    let kinds = prop_oneof![
        3 => prop::collection::vec(prop::sample::select(vec![0usize, 3, 4]), 3),
        2 => prop::collection::vec(0..8usize, 3),
    ];
    let funcs = kinds.prop_map(|kinds| STARTS.into_iter().zip(kinds).collect::<Vec<_>>());
    let moved = (funcs, prop::option::weighted(0.3, (0..3usize, 0..SLOTS + 1)), prop::option::weighted(0.15, 0..3usize))
        .prop_map(|(mut funcs, moved, dropped)| {
            if let Some((index, start)) = moved {
                funcs[index].0 = start;
            }
            if let Some(index) = dropped {
                funcs.remove(index);
            }
            funcs
        });
    let good = prop::collection::btree_set(0..SLOTS, 0..6).prop_map(|lines| lines.into_iter().chain(STARTS).collect::<Vec<_>>());
    let good = good.prop_map(|mut lines| {
        lines.sort_unstable();
        lines.dedup();
        lines.retain(|slot| *slot != 2);
        lines
    });
    let lines = prop_oneof![3 => good, 1 => prop::collection::vec(0..SLOTS + 2, 0..6)];
    let tags = prop_oneof![3 => Just(0usize), 2 => 0..TAGS.len()];
    (moved, lines, tags).prop_map(|(funcs, lines, tags)| Records { funcs, lines, tags })
}

/// What is refused at once; `Ok` if paths were followed.
fn kernel(program: &Program, types: &skep_kernel::Btf, records: &Records) -> Result<(), String> {
    let func_info = program.funcs.iter().map(|func| FuncInfo { insn_off: func.start as u32, type_id: func.type_id }).collect();
    let line = |start: &usize| LineInfo { insn_off: *start as u32, file_name_off: 0, line_off: 0, line_col: 1 << 10 };
    let line_info = records.lines.iter().map(line).collect();
    let load = Load { btf: Some(types), func_info, line_info, log_level: LogLevel::Stats, ..Load::program(program, &[]) };
    match load.load_with_log() {
        Ok(_) => Ok(()),
        Err(LoadError::Refused { log, .. }) if !log.is_empty() && !log.contains("processed 0 insns") => Ok(()),
        Err(LoadError::Refused { log, .. }) => {
            // Some of these messages do not end their line.
            let words = log.split("verification time ").next().unwrap_or_default();
            Err(words.trim_end().to_owned())
        }
        Err(error) => panic!("{error}"),
    }
}

fn ours(program: &Program) -> Result<(), String> {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let options = Options::default();
    match prepare(&Setting::new(program, &target, &options).unwrap()) {
        Ok(_) => Ok(()),
        Err(At { fault: Fault::Refused(why), .. }) => Err(why.to_string()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn changed_records_are_refused_as_the_kernel_does() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let all: Vec<Types> = TAGS.iter().map(|tags| types(tags)).collect();
    let loaded: Vec<skep_kernel::Btf> = all.iter().map(|types| skep_kernel::Btf::load(types.btf.raw()).unwrap()).collect();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let inputs = records();
    let mut counts = BTreeMap::new();
    for _ in 0..4000 {
        let records: Records = inputs.new_tree(&mut runner).unwrap().current();
        let types = &all[records.tags];
        let func = |(start, kind): &(usize, usize)| {
            let type_id = types.ids[*kind];
            Func { start: *start, name: String::new(), type_id, global: *kind == 4 }
        };
        let line = |start: &usize| Line { start: *start, file: "".into(), line: 1, column: 0, text: "".into() };
        let program = Program {
            btf: Some(Arc::new(types.btf.clone())),
            funcs: records.funcs.iter().map(func).collect(),
            lines: records.lines.iter().map(line).collect(),
            ..Program::bare("test", ProgType::SocketFilter, assemble(PROGRAM).unwrap())
        };
        let said = kernel(&program, &loaded[records.tags], &records);
        let kind = said
            .as_ref()
            .map_or_else(|words| words.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default(), |()| "followed");
        *counts.entry(kind.to_owned()).or_insert(0) += 1;
        assert_eq!(ours(&program), said, "{records:?}");
    }
    println!("{counts:#?}");
    assert!(counts.len() > 12, "{counts:?}");
}
