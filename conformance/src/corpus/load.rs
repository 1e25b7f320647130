//! What the kernel was given: a program as `BPF_PROG_LOAD` took it, made into our own types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use skep_btf::{Btf, Kind, Type, TypeId};
use skep_isa::RawInsn;
use skep_linux::{AttachType, MapType, ProgType};
use skep_program::special_fields;
use skep_program::{Func, Kfunc, Ksym, Line, MapDef, Program};

use super::{Types, TypesError};
use crate::hex::{self, HexError};
use crate::{PartialSlot, slots};

/// `BPF_LD | BPF_IMM | BPF_DW`, the first half of a wide load.
const WIDE: u8 = 0x18;
const CALL: u8 = 0x85;
const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
const PSEUDO_BTF_ID: u8 = 3;
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;
const PSEUDO_KFUNC: u8 = 2;
/// The kernel sets this flag itself on maps of devices, and reports it.
const RDONLY_PROG: u32 = 1 << 7;
/// Bytes of a record of functions, and of one of lines.
const FUNC_RECORD: usize = 8;
const LINE_RECORD: usize = 16;

/// One line of a `loads` file.
#[derive(Debug, Clone)]
pub struct Load {
    /// `SET/OBJECT@PROGRAM@INDEX`.
    pub id: String,
    /// Path of the object in its set.
    pub object: String,
    /// Index of the program in the object.
    pub index: u32,
    /// The program. Its section is empty: the kernel is not told. Descriptors of maps that the record does not have stay in the
    /// instructions as they are: such programs are there to be refused.
    pub program: Program,
}

/// Something in the kernel that a program names by id and that another kernel does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind:?} {name:?} in the types of the target")]
pub struct Absent {
    /// Kind of the type.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It is not the object that must stand here.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An id that is not `SET/OBJECT@PROGRAM@INDEX`.
    #[error("id {0:?} is not SET/OBJECT@PROGRAM@INDEX")]
    Id(String),
    /// A field with bytes.
    #[error("{field}: {error}")]
    Hex {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: HexError,
    },
    /// Instructions that end inside of a slot.
    #[error("insns: {0}")]
    Partial(#[from] PartialSlot),
    /// A number of records that is not what the bytes hold.
    #[error("{field}: {said} records of {size} bytes, and {len} bytes")]
    Count {
        /// The field.
        field: &'static str,
        /// Records there should be.
        said: usize,
        /// Bytes of one.
        size: usize,
        /// Bytes there are.
        len: usize,
    },
    /// A number that is none of its kind.
    #[error("{field}: {value} is not known")]
    Unknown {
        /// The field.
        field: &'static str,
        /// The number.
        value: i64,
    },
    /// The key of a map is no descriptor.
    #[error("maps: {0:?} is no descriptor")]
    Descriptor(String),
    /// The program was attached to another program.
    #[error("attach_prog_fd: a load over another program is not simulated")]
    OverProgram,
    /// An offset in the strings of the types.
    #[error("{field}: {error}")]
    Btf {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: skep_btf::BtfError,
    },
    /// The types.
    #[error(transparent)]
    Types(#[from] TypesError),
}

/// The line as it is written. `fd_array_cnt` is what lay behind shorter attributes, and `btf_id` the kernel's number of the types
/// at the time: neither is used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    prog: String,
    prog_type: u32,
    expected_attach_type: u32,
    prog_flags: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    license: String,
    kern_version: u32,
    insn_cnt: usize,
    insns: String,
    btf: Option<String>,
    func_info_rec_size: usize,
    func_info_cnt: usize,
    #[serde(default)]
    func_info: String,
    line_info_rec_size: usize,
    line_info_cnt: usize,
    #[serde(default)]
    line_info: String,
    #[serde(rename = "fd_array_cnt")]
    _behind: Option<u32>,
    maps: BTreeMap<String, Option<MapRecord>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapRecord {
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    btf_id: u32,
    #[serde(default)]
    btf_key_type_id: u32,
    btf_value_type_id: u32,
    #[serde(default)]
    btf_vmlinux_value_type_id: u32,
    #[serde(default)]
    map_extra: u64,
    btf: Option<String>,
    #[serde(default)]
    frozen: u8,
    rodata: Option<String>,
    inner: Option<Box<MapRecord>>,
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, LoadProblem> {
    hex::decode(text).map_err(|error| LoadProblem::Hex { field, error })
}

/// The records of a field, as little-endian words.
fn records(field: &'static str, text: &str, said: usize, size: usize, wanted: usize) -> Result<Vec<Vec<u32>>, LoadProblem> {
    let bytes = bytes(field, text)?;
    if said != 0 && size != wanted || bytes.len() != said.saturating_mul(size) {
        return Err(LoadProblem::Count { field, said, size, len: bytes.len() });
    }
    let word = |word: &[u8; 4]| u32::from_le_bytes(*word);
    Ok(bytes.chunks(wanted).map(|record| record.as_chunks::<4>().0.iter().map(word).collect()).collect())
}

/// `SET/OBJECT@PROGRAM@INDEX`, as object and index.
fn parts_of(id: &str) -> Option<(&str, u32)> {
    let (path, index) = id.rsplit_once('@')?;
    let (path, _) = path.rsplit_once('@')?;
    let (_, object) = path.split_once('/')?;
    Some((object, index.parse().ok()?))
}

impl Load {
    pub(super) fn read(text: &str, types: &Types) -> Result<Load, LoadProblem> {
        let record: Record = serde_json::from_str(text)?;
        let (object, index) = parts_of(&record.id).ok_or_else(|| LoadProblem::Id(record.id.clone()))?;
        let program = program(&record, types)?;
        Ok(Load { object: object.to_owned(), index, id: record.id, program })
    }

    /// The id in a line.
    pub(super) fn id_of(text: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        serde_json::from_str(text).ok().map(|Id { id }| id)
    }

    /// The program for another kernel: what it names by id in `from` is looked up by name in `to`. Kernels of one release built
    /// twice have other ids.
    ///
    /// # Errors
    /// [`Absent`].
    pub fn retarget(&self, from: &Btf, to: &Btf) -> Result<Program, Absent> {
        let mut program = self.program.clone();
        let find = |id: u32| {
            let (name, kind) = (from.name(TypeId(id)), from.kind(TypeId(id)));
            to.find(name, kind).map(|id| id.0).ok_or_else(|| Absent { kind, name: name.to_owned() })
        };
        program.attach_btf_id = program.attach_btf_id.map(find).transpose()?;
        for kfunc in program.kfuncs.iter_mut().filter(|kfunc| kfunc.present) {
            kfunc.id = find(kfunc.id as u32)? as i32;
        }
        for ksym in &mut program.ksyms {
            ksym.id = find(ksym.id)?;
        }
        let present = |id: i32| self.program.kfuncs.iter().any(|kfunc| kfunc.present && kfunc.id == id);
        let mut slot = 0;
        while let Some(insn) = program.insns.get_mut(slot) {
            if is_ksym(insn) || is_kfunc(insn) && present(insn.imm) {
                insn.imm = find(insn.imm as u32)? as i32;
            }
            slot += if insn.code == WIDE { 2 } else { 1 };
        }
        Ok(program)
    }
}

fn is_kfunc(insn: &RawInsn) -> bool {
    insn.code == CALL && insn.src() == PSEUDO_KFUNC && insn.off == 0
}

fn is_ksym(insn: &RawInsn) -> bool {
    insn.code == WIDE && insn.src() == PSEUDO_BTF_ID
}

fn program(record: &Record, types: &Types) -> Result<Program, LoadProblem> {
    let unknown = |field, value: u32| LoadProblem::Unknown { field, value: value.into() };
    let prog_type = ProgType::from_u32(record.prog_type).ok_or_else(|| unknown("prog_type", record.prog_type))?;
    let attach_type = match record.expected_attach_type {
        0 => None,
        number => Some(AttachType::from_u32(number).ok_or_else(|| unknown("expected_attach_type", number))?),
    };
    if record.attach_prog_fd != 0 {
        return Err(LoadProblem::OverProgram);
    }
    let raw = bytes("insns", &record.insns)?;
    let insns = slots(&raw)?;
    if insns.len() != record.insn_cnt {
        return Err(LoadProblem::Count { field: "insns", said: record.insn_cnt, size: 8, len: raw.len() });
    }
    let btf = record.btf.as_deref().map(|name| types.btf(name)).transpose()?;
    let attach_btf_id = Some(record.attach_btf_id).filter(|id| *id != 0);
    let vmlinux = types.vmlinux();
    let mut program = Program {
        name: record.prog.clone(),
        section: String::new(),
        prog_type,
        attach_type,
        attach_to: attach_btf_id.map(|id| attach_name(vmlinux, id)),
        attach_btf_id,
        flags: record.prog_flags,
        license: record.license.clone(),
        kern_version: record.kern_version,
        insns,
        maps: Vec::new(),
        funcs: funcs(record, btf.as_deref())?,
        lines: source_lines(record, btf.as_deref())?,
        btf,
        kfuncs: Vec::new(),
        ksyms: Vec::new(),
    };
    let mut by_descriptor = BTreeMap::new();
    for (key, map) in &record.maps {
        let descriptor: i32 = key.parse().map_err(|_| LoadProblem::Descriptor(key.clone()))?;
        if let Some(map) = map {
            by_descriptor.insert(descriptor, map);
        }
    }
    let mut indices = BTreeMap::new();
    for (index, (descriptor, map)) in by_descriptor.into_iter().enumerate() {
        indices.insert(descriptor, index);
        program.maps.push(Arc::new(map_def(map, program.btf.as_ref(), types)?));
    }
    name_by_index(&mut program.insns, &indices);
    name_kernel(&mut program, vmlinux);
    Ok(program)
}

/// What stands for the attach target in section names: tracepoints, LSM hooks and iterators have a prefix in the types.
fn attach_name(vmlinux: &Btf, id: u32) -> String {
    let name = vmlinux.name(TypeId(id));
    let prefixes = ["btf_trace_", "bpf_lsm_", "bpf_iter_"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name).to_owned()
}

/// Maps by their index in place of their descriptor.
fn name_by_index(insns: &mut [RawInsn], indices: &BTreeMap<i32, usize>) {
    let mut slot = 0;
    while let Some(insn) = insns.get_mut(slot) {
        if insn.code == WIDE {
            let pseudo = match insn.src() {
                PSEUDO_MAP_FD => Some(PSEUDO_MAP_IDX),
                PSEUDO_MAP_VALUE => Some(PSEUDO_MAP_IDX_VALUE),
                _ => None, // constants, kernel variables and functions name no map
            };
            if let (Some(pseudo), Some(index)) = (pseudo, indices.get(&insn.imm)) {
                *insn = RawInsn::new(WIDE, insn.dst(), pseudo, insn.off, *index as i32);
            }
            slot += 1; // the second half is no instruction
        }
        slot += 1;
    }
}

/// The functions and variables of the kernel that the instructions name, each once.
fn name_kernel(program: &mut Program, vmlinux: &Btf) {
    let mut slot = 0;
    while let Some(insn) = program.insns.get(slot) {
        let id = TypeId(insn.imm as u32);
        if is_kfunc(insn) && !program.kfuncs.iter().any(|kfunc| kfunc.id == insn.imm) {
            let present = matches!(vmlinux.get(id), Some(Type::Func(_)));
            let name = if present { vmlinux.name(id).to_owned() } else { String::new() };
            program.kfuncs.push(Kfunc { name, id: insn.imm, present });
        }
        if is_ksym(insn) && !program.ksyms.iter().any(|ksym| ksym.id == id.0) {
            program.ksyms.push(Ksym { name: vmlinux.name(id).to_owned(), id: id.0 });
        }
        slot += if insn.code == WIDE { 2 } else { 1 };
    }
}

fn funcs(record: &Record, btf: Option<&Btf>) -> Result<Vec<Func>, LoadProblem> {
    let records = records("func_info", &record.func_info, record.func_info_cnt, record.func_info_rec_size, FUNC_RECORD)?;
    let Some(btf) = btf else { return Ok(Vec::new()) };
    let func = |words: &[u32]| {
        let &[start, type_id] = words else { return None };
        let global = matches!(btf.get(TypeId(type_id)), Some(Type::Func(func)) if func.linkage.number() == 1);
        Some(Func { start: start as usize, name: btf.name(TypeId(type_id)).to_owned(), type_id, global })
    };
    Ok(records.iter().filter_map(|words| func(words)).collect())
}

fn source_lines(record: &Record, btf: Option<&Btf>) -> Result<Vec<Line>, LoadProblem> {
    let records = records("line_info", &record.line_info, record.line_info_cnt, record.line_info_rec_size, LINE_RECORD)?;
    let Some(btf) = btf else { return Ok(Vec::new()) };
    let string = |offset| btf.string(offset).map_err(|error| LoadProblem::Btf { field: "line_info", error });
    let mut lines = Vec::with_capacity(records.len());
    for words in &records {
        let &[start, file, text, line_column] = words.as_slice() else { continue };
        lines.push(Line {
            start: start as usize,
            file: string(file)?.into(),
            line: line_column >> 10,
            column: line_column & 0x3ff,
            text: string(text)?.into(),
        });
    }
    Ok(lines)
}

fn map_def(record: &MapRecord, own: Option<&Arc<Btf>>, types: &Types) -> Result<MapDef, LoadProblem> {
    let unknown = LoadProblem::Unknown { field: "maps: type", value: record.map_type.into() };
    let map_type = MapType::from_u32(record.map_type).ok_or(unknown)?;
    // An inner map does not say which types it has: it has those of its object.
    let btf = match &record.btf {
        Some(name) => Some(types.btf(name)?),
        None => own.filter(|_| record.btf_id != 0).cloned(),
    };
    let mut def = MapDef::new(&record.name, map_type);
    (def.key_size, def.value_size, def.max_entries) = (record.key_size, record.value_size, record.max_entries);
    def.flags = match map_type {
        MapType::Devmap | MapType::DevmapHash => record.map_flags & !RDONLY_PROG,
        _ => record.map_flags, // reported as they were given
    };
    def.map_extra = record.map_extra;
    def.kernel_value_type_id = record.btf_vmlinux_value_type_id;
    def.frozen = record.frozen != 0;
    def.initial = record.rodata.as_deref().map(|text| bytes("maps: rodata", text)).transpose()?;
    def.inner = match &record.inner {
        Some(inner) => Some(Arc::new(map_def(inner, own, types)?)),
        None => None,
    };
    if let Some(btf) = btf {
        let value = TypeId(record.btf_value_type_id);
        (def.key_type_id, def.value_type_id) = (record.btf_key_type_id, value.0);
        def.special = special_fields(&btf, value);
        if let Some(Type::Datasec(section)) = btf.get(value) {
            def.section = Some(section.name().to_owned());
        }
        def.btf = Some(btf);
    }
    Ok(def)
}
