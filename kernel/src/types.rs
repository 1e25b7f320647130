//! The types of an object, made into what `BPF_BTF_LOAD` takes.
//!
//! A compiler leaves to the loader: sizes of sections and offsets of variables in them (0 in the object), and what the object
//! only declares (externs), which the kernel knows no linkage for.

use std::collections::HashMap;

use skep_btf::{Btf, Kind, Type, TypeId};
use skep_program::Program;

use crate::{FuncInfo, LineInfo};

/// Words of a record before what depends on its kind: name, kind and count, size or type.
const RECORD: usize = 12;

/// The raw BTF of an object with sections laid out and externs defined. The ids stay as they are, those of added types follow.
pub(crate) fn loadable(btf: &Btf) -> Vec<u8> {
    let raw = btf.raw();
    let mut out = raw.to_vec();
    let mut added = Vec::new();
    let mut next_id = btf.len();
    let mut place = Placeholder::default();
    for id in btf.own_ids() {
        let Some(at) = btf.offset_of(id).map(|o| o as usize) else { continue };
        match btf.get(id) {
            Some(Type::Datasec(_)) => lay_out(btf, at, &mut out, &mut added, &mut next_id, &mut place),
            Some(Type::Func(f)) if f.linkage.number() > 1 => define_func(btf, at, f.proto, &mut out),
            Some(Type::Var(v)) if v.linkage.number() > 1 => put(&mut out, at + RECORD, 1),
            _ => {} // compilers finish every other kind
        }
    }
    append_types(&mut out, &added);
    out
}

/// An int, and a variable of it, that stand for extern functions in the list of a section.
#[derive(Default)]
struct Placeholder {
    var: Option<u32>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(to) = bytes.get_mut(at..at + 4) {
        to.copy_from_slice(&value.to_le_bytes());
    }
}

/// Gives a section a size, and every entry a place, where the compiler has not.
fn lay_out(btf: &Btf, at: usize, out: &mut [u8], added: &mut Vec<u8>, next_id: &mut u32, place: &mut Placeholder) {
    let count = (word(out, at + 4) & 0xffff) as usize;
    let entries = (0..count).map(|i| at + RECORD + i * 12);
    let functions = entries.clone().any(|e| btf.kind(TypeId(word(out, e))) == Kind::Func);
    if word(out, at + 8) != 0 && !functions {
        return;
    }
    let mut end = 0u32;
    for entry in entries {
        let id = TypeId(word(out, entry));
        let size = if btf.kind(id) == Kind::Func {
            let name = btf.offset_of(id).map_or(0, |o| word(out, o as usize));
            put(out, entry, place.id(name, added, next_id));
            4
        } else {
            btf.size_of(id).unwrap_or(0).max(1)
        };
        end = end.next_multiple_of(8);
        put(out, entry + 4, end);
        put(out, entry + 8, size);
        end = end.saturating_add(size);
    }
    put(out, at + 8, end.max(1));
}

impl Placeholder {
    /// The variable; it is called by the first name that is asked for.
    fn id(&mut self, name: u32, added: &mut Vec<u8>, next_id: &mut u32) -> u32 {
        *self.var.get_or_insert_with(|| {
            let (int, var) = (*next_id, *next_id + 1);
            *next_id += 2;
            // INT of 4 bytes and 32 bits, then a global VAR of it: name, kind << 24, size or type, and a word of the kind's own.
            for w in [name, 1 << 24, 4, 32, name, 14 << 24, int, 1] {
                added.extend(w.to_le_bytes());
            }
            var
        })
    }
}

/// Makes a declared function a global one, whose parameters must have names.
fn define_func(btf: &Btf, at: usize, proto: TypeId, out: &mut [u8]) {
    let info = word(out, at + 4);
    put(out, at + 4, info & !0xffff | 1);
    let name = word(out, at);
    let Some(proto) = btf.offset_of(proto).map(|o| o as usize) else { return };
    for i in 0..(word(out, proto + 4) & 0xffff) as usize {
        let param = proto + RECORD + i * 8;
        // The last parameter of a variadic function has neither name nor type.
        if word(out, param) == 0 && word(out, param + 4) != 0 {
            put(out, param, name);
        }
    }
}

/// Puts records behind those that are there. Types come before strings in what compilers and libbpf write; in BTF where they do
/// not, the added records would need another place, and it is left as it is for the kernel to judge.
fn append_types(out: &mut Vec<u8>, added: &[u8]) {
    let (header, type_off, type_len, str_off) = (word(out, 4), word(out, 8), word(out, 12), word(out, 16));
    if added.is_empty() || str_off != type_off + type_len {
        return;
    }
    let at = (header + type_off + type_len) as usize;
    out.splice(at..at, added.iter().copied());
    put(out, 12, type_len + added.len() as u32);
    put(out, 16, str_off + added.len() as u32);
}

/// The functions of a program as ids in its types; empty where one of them has none, since the kernel wants all or none.
pub(crate) fn func_info(program: &Program) -> Vec<FuncInfo> {
    let all = program.funcs.iter().all(|f| f.type_id != 0);
    let infos = program.funcs.iter().map(|f| FuncInfo { insn_off: f.start as u32, type_id: f.type_id });
    if all { infos.collect() } else { Vec::new() }
}

/// The source lines of a program as offsets in the strings of its types; texts that are not among them become empty. Empty if a
/// function does not begin with a line, which the kernel refuses.
pub(crate) fn line_info(program: &Program, raw: &[u8]) -> Vec<LineInfo> {
    let begins = |f: &skep_program::Func| program.lines.binary_search_by_key(&f.start, |l| l.start).is_ok();
    if !program.funcs.iter().all(begins) {
        return Vec::new();
    }
    let start = (word(raw, 4) + word(raw, 16)) as usize;
    let strings = raw.get(start..start + word(raw, 20) as usize).unwrap_or(&[]);
    let mut offsets: HashMap<&[u8], u32> = HashMap::new();
    let mut at = 0u32;
    for s in strings.split(|b| *b == 0) {
        offsets.entry(s).or_insert(at);
        at += s.len() as u32 + 1;
    }
    let offset = |s: &str| offsets.get(s.as_bytes()).copied().unwrap_or(0);
    let mut lines: Vec<LineInfo> = Vec::with_capacity(program.lines.len());
    for l in &program.lines {
        let (insn_off, file_name_off) = (l.start as u32, offset(&l.file));
        let info = LineInfo { insn_off, file_name_off, line_off: offset(&l.text), line_col: l.line << 10 | l.column.min(1023) };
        // The kernel wants the slots to grow, and lines to point at code.
        if lines.last().is_none_or(|p| p.insn_off < insn_off) && l.start < program.insns.len() {
            lines.push(info);
        }
    }
    lines
}
