//! The kernel's verifier selftests that it also runs: the recorded instructions, in skep, must return what Linux 6.18 returned.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;
use skep::{Input, Instance};
use skep_btf::{Btf, TypeId};
use skep_isa::RawInsn;
use skep_linux::{Arch, AttachType, MapType, ProgType, Release, Target};
use skep_program::{Func, MapDef, Program};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn number(json: &Json) -> u32 {
    json.as_u64().unwrap_or(0) as u32
}

/// BTF blobs by name, each read once.
#[derive(Default)]
struct Blobs(HashMap<String, Option<Arc<Btf>>>);

impl Blobs {
    fn get(&mut self, name: Option<&str>) -> Option<Arc<Btf>> {
        let name = name?;
        let read = || {
            let bytes = std::fs::read(shared("corpus/btf")?.join(format!("{name}.btf"))).ok()?;
            Some(Arc::new(Btf::parse(&bytes).unwrap()))
        };
        self.0.entry(name.to_owned()).or_insert_with(read).clone()
    }
}

fn map_def(json: &Json, blobs: &mut Blobs) -> MapDef {
    let map_type = MapType::from_u32(number(&json["type"])).unwrap();
    MapDef {
        key_size: number(&json["key_size"]),
        value_size: number(&json["value_size"]),
        max_entries: number(&json["max_entries"]),
        flags: number(&json["map_flags"]),
        map_extra: json["map_extra"].as_u64().unwrap_or(0),
        key_type_id: number(&json["btf_key_type_id"]),
        value_type_id: number(&json["btf_value_type_id"]),
        btf: blobs.get(json["btf"].as_str()),
        inner: json["inner"].is_object().then(|| Arc::new(map_def(&json["inner"], blobs))),
        initial: json["data"].as_str().map(hex),
        ..MapDef::new(json["name"].as_str().unwrap_or(""), map_type)
    }
}

/// The program of a record: descriptors of maps become indices.
fn program(load: &Json, blobs: &mut Blobs) -> Program {
    let bytes = hex(load["insns"].as_str().unwrap());
    let mut insns: Vec<RawInsn> = bytes.chunks(8).map(|b| RawInsn::from_le_bytes(b.try_into().unwrap())).collect();
    let (mut maps, mut index) = (Vec::new(), BTreeMap::new());
    if let Some(recorded) = load["maps"].as_object() {
        for (fd, json) in recorded.iter().filter(|(_, json)| json.is_object()) {
            index.insert(fd.parse::<i32>().unwrap(), maps.len() as i32);
            maps.push(Arc::new(map_def(json, blobs)));
        }
    }
    for insn in insns.iter_mut().filter(|insn| insn.code == 0x18 && matches!(insn.src(), 1 | 2)) {
        insn.imm = index[&insn.imm];
        *insn = RawInsn::new(insn.code, insn.dst(), insn.src() + 4, insn.off, insn.imm);
    }
    let btf = blobs.get(load["btf"].as_str());
    let info = hex(load["func_info"].as_str().unwrap_or(""));
    let funcs = info.chunks(number(&load["func_info_rec_size"]).max(8) as usize).map(|record| {
        let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
        let name = btf.as_ref().and_then(|btf| btf.referred(TypeId(word(4))).map(|_| btf.name(TypeId(word(4))).to_owned()));
        Func { start: word(0) as usize, name: name.unwrap_or_default(), type_id: word(4), global: false }
    });
    Program {
        name: load["prog"].as_str().unwrap_or("").to_owned(),
        section: String::new(),
        prog_type: ProgType::from_u32(number(&load["prog_type"])).unwrap(),
        attach_type: AttachType::from_u32(number(&load["expected_attach_type"])),
        attach_to: None,
        attach_btf_id: None,
        flags: number(&load["prog_flags"]),
        license: load["license"].as_str().unwrap_or("").to_owned(),
        kern_version: 0,
        insns,
        maps,
        funcs: funcs.collect(),
        btf,
        lines: Vec::new(),
        kfuncs: Vec::new(),
        ksyms: Vec::new(),
    }
}

/// Programs that agree at least: those that are missing need helpers and map types that have no model.
const AGREE: usize = 369;

#[test]
fn recorded_return_values() {
    let (Some(truth), Some(loads)) = (shared("corpus/truth/selftests-6.12.jsonl"), shared("corpus/loads/selftests-6.12.jsonl"))
    else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let mut blobs = Blobs::default();
    let btf = blobs.get(Some("vmlinux-6.18.44"));
    let target = Arc::new(Target { release: Release::new(6, 18), arch: Arch::X86_64, btf, kconfig: BTreeMap::new() });
    let lines = |path| std::fs::read_to_string(path).unwrap();
    let parse = |line: &str| serde_json::from_str::<Json>(line).unwrap();
    let expected: HashMap<String, u32> = lines(truth)
        .lines()
        .map(parse)
        // A returned pointer is another one in every run.
        .filter(|case| case["retval_expected"].as_str() != Some("POINTER_VALUE"))
        .filter_map(|case| Some((case["id"].as_str()?.to_owned(), case["retval"].as_i64()? as u32)))
        .collect();
    let (mut agree, mut missing, mut wrong) = (0, Vec::new(), Vec::new());
    for load in lines(loads).lines().map(parse) {
        let id = load["id"].as_str().unwrap().to_owned();
        let Some(retval) = expected.get(&id) else { continue };
        let program = program(&load, &mut blobs);
        let name = program.name.clone();
        match Instance::builder(target.clone()).program(program).build() {
            Err(error) => missing.push(format!("{id}: {error}")),
            Ok(mut instance) => {
                let input = match ProgType::from_u32(number(&load["prog_type"])) {
                    Some(ProgType::Syscall) => Input::none(),
                    _ => Input::packet(&[0; 64]),
                };
                match instance.program(&name).unwrap().run(&input) {
                    Ok(outcome) if outcome.retval() == *retval => agree += 1,
                    Ok(outcome) => wrong.push(format!("{id}: {} and not {retval}", outcome.retval())),
                    Err(error) => wrong.push(format!("{id}: {error}")),
                }
            }
        }
    }
    println!("{agree} of {} agree", expected.len());
    for line in missing.iter().chain(&wrong) {
        println!("{line}");
    }
    assert!(wrong.is_empty(), "{} programs return something else", wrong.len());
    assert!(agree >= AGREE, "only {agree} agree");
}
