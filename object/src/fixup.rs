//! BTF as compilers leave it to BTF as the kernel takes it: sizes and offsets of variables, externs turned into variables,
//! hidden functions made static.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use skep_btf::{Btf, BtfError, Kind, Linkage, Type, TypeId};

use crate::elf::{Elf, Place, SymbolKind, u32_at};
use crate::error::{DatasecProblem, ExternProblem, ObjectError};
use crate::externs::Extern;

pub(crate) const KSYMS: &str = ".ksyms";
pub(crate) const KCONFIG: &str = ".kconfig";
/// The variable that stands for functions in the section of kernel symbols, which the kernel takes variables in alone.
const DUMMY: &str = "dummy_ksym";

/// The bytes of a BTF, to be changed in place.
pub(crate) struct Patch<'a> {
    btf: &'a Btf,
    raw: Vec<u8>,
}

impl<'a> Patch<'a> {
    pub(crate) fn new(btf: &'a Btf) -> Patch<'a> {
        Patch { btf, raw: btf.raw().to_vec() }
    }

    /// Writes a 32-bit word of a type's record; `at` counts bytes from the record's start.
    fn set(&mut self, id: TypeId, at: usize, value: u32) {
        if let Some(offset) = self.btf.offset_of(id) {
            let at = offset as usize + at;
            self.raw[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
    }

    fn get(&self, id: TypeId, at: usize) -> u32 {
        self.btf.offset_of(id).map_or(0, |offset| u32_at(&self.raw, offset as usize + at))
    }

    fn set_func_linkage(&mut self, id: TypeId, linkage: Linkage) {
        let info = self.get(id, 4) & !0xffff;
        self.set(id, 4, info | linkage.number());
    }

    fn set_var_linkage(&mut self, id: TypeId, linkage: Linkage) {
        self.set(id, 12, linkage.number());
    }

    pub(crate) fn finish(self) -> Result<Btf, BtfError> {
        Btf::parse_shared(Arc::from(self.raw))
    }
}

pub(crate) fn datasecs(btf: &Btf) -> impl Iterator<Item = skep_btf::Datasec<'_>> {
    btf.ids().filter_map(|id| match btf.kind(id) {
        Kind::Datasec => match btf.get(id) {
            Some(Type::Datasec(section)) => Some(section),
            _ => None,
        },
        _ => None,
    })
}

/// The first 32-bit integer type.
fn int_type(btf: &Btf) -> TypeId {
    let is_int = |id: &TypeId| matches!(btf.get(*id), Some(Type::Int(int)) if int.bits == 32);
    btf.ids().find(is_int).unwrap_or_default()
}

/// Adds the variable that stands for functions, where the section of kernel symbols has any. Also says its id.
pub(crate) fn add_dummy(btf: &Btf) -> Result<Option<(Btf, TypeId)>, BtfError> {
    let has_funcs = datasecs(btf)
        .filter(|section| section.name() == KSYMS)
        .any(|section| section.vars().any(|var| btf.kind(var.ty) == Kind::Func));
    if !has_funcs {
        return Ok(None);
    }
    let raw = btf.raw();
    let header = u32_at(raw, 4);
    let part = |at: usize| {
        let start = (header + u32_at(raw, at)) as usize;
        &raw[start..start + u32_at(raw, at + 4) as usize]
    };
    let (mut types, mut strings) = (part(8).to_vec(), part(16).to_vec());
    let name = match find_string(&strings, DUMMY) {
        Some(offset) => offset,
        None => {
            let offset = strings.len();
            strings.extend_from_slice(DUMMY.as_bytes());
            strings.push(0);
            offset
        }
    };
    let id = TypeId(btf.len());
    for word in [name as u32, (Kind::Var as u32) << 24, int_type(btf).0, Linkage::Global.number()] {
        types.extend_from_slice(&word.to_le_bytes());
    }
    let mut out = raw[..4].to_vec();
    for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&types);
    out.extend_from_slice(&strings);
    Ok(Some((Btf::parse_shared(Arc::from(out))?, id)))
}

/// Where a whole string of this content begins.
fn find_string(strings: &[u8], wanted: &str) -> Option<usize> {
    let mut at = 0;
    for text in strings.split(|b| *b == 0) {
        if text == wanted.as_bytes() {
            return Some(at);
        }
        at += text.len() + 1;
    }
    None
}

/// Turns the externs of `.ksyms` and `.kconfig` into variables that are defined here.
pub(crate) fn externs(patch: &mut Patch<'_>, externs: &[Extern], dummy: Option<TypeId>) -> Result<(), ObjectError> {
    let btf = patch.btf;
    let int = int_type(btf);
    let mut by_name: HashMap<&str, &Extern> = HashMap::new();
    for found in externs {
        by_name.entry(&found.name).or_insert(found);
    }
    for section in datasecs(btf).filter(|section| [KSYMS, KCONFIG].contains(&section.name())) {
        if !externs.iter().any(|e| e.section == section.id()) {
            continue;
        }
        let mut size = 0;
        for (nth, var) in section.vars().enumerate() {
            let entry = 12 + nth * 12;
            let name = btf.name(var.ty);
            let Some(found) = by_name.get(name) else {
                let problem = ExternProblem::NoSymbol(section.name().to_owned());
                return Err(ObjectError::Extern { name: name.to_owned(), problem });
            };
            if section.name() == KCONFIG {
                patch.set_var_linkage(var.ty, Linkage::Global);
                let offset = found.kconfig_offset().unwrap_or_default();
                patch.set(section.id(), entry + 4, offset);
                size = size.max(offset + found.kconfig_size().unwrap_or_default());
                continue;
            }
            match btf.get(var.ty) {
                Some(Type::Func(func)) => {
                    let dummy = dummy.unwrap_or_default();
                    name_params(patch, func.proto, dummy);
                    patch.set(section.id(), entry, dummy.0);
                    patch.set_func_linkage(var.ty, Linkage::Global);
                }
                _ => {
                    patch.set_var_linkage(var.ty, Linkage::Global);
                    patch.set(var.ty, 8, int.0);
                }
            }
            patch.set(section.id(), entry + 4, nth as u32 * 4);
            patch.set(section.id(), entry + 8, 4);
            size = (nth as u32 + 1) * 4;
        }
        patch.set(section.id(), 8, size);
    }
    Ok(())
}

/// The kernel wants names for the parameters of global functions.
fn name_params(patch: &mut Patch<'_>, proto: TypeId, dummy: TypeId) {
    let btf = patch.btf;
    let name = patch.get(dummy, 0);
    if let Some(Type::FuncProto(params)) = btf.get(proto) {
        for (nth, param) in params.params().enumerate() {
            if param.name.is_empty() && !param.ty.is_void() {
                patch.set(proto, 12 + nth * 8, name);
            }
        }
    }
}

/// Fills sizes and offsets of sections that the compiler left 0, makes hidden variables static, and sorts variables by offset.
pub(crate) fn sections(patch: &mut Patch<'_>, elf: &Elf<'_>) -> Result<(), ObjectError> {
    let btf = patch.btf;
    let mut symbols = HashMap::new();
    for symbol in &elf.symbols {
        let global = symbol.binding != crate::elf::Binding::Local;
        if symbol.kind == SymbolKind::Object && global && matches!(symbol.place, Place::Section(_)) {
            symbols.entry(symbol.name).or_insert(symbol);
        }
    }
    for section in datasecs(btf) {
        let name = section.name();
        let error = |problem| ObjectError::Datasec { section: name.to_owned(), problem };
        if name != KSYMS && name != KCONFIG {
            let fill = section.size() == 0;
            if fill {
                let size = elf.section(name).map_or(0, |s| s.size);
                if size == 0 || size > u64::from(u32::MAX) {
                    return Err(error(DatasecProblem::NoSection));
                }
                patch.set(section.id(), 8, size as u32);
            }
            for (nth, var) in section.vars().enumerate() {
                let Some(Type::Var(decl)) = btf.get(var.ty) else {
                    return Err(error(DatasecProblem::NotVar(var.ty.0)));
                };
                if decl.linkage != Linkage::Global {
                    continue;
                }
                let symbol = symbols.get(decl.name).ok_or_else(|| error(DatasecProblem::NoSymbol(decl.name.to_owned())))?;
                if fill {
                    patch.set(section.id(), 12 + nth * 12 + 4, symbol.value as u32);
                }
                if symbol.hidden {
                    patch.set_var_linkage(var.ty, Linkage::Static);
                }
            }
        }
        sort_vars(patch, section);
    }
    Ok(())
}

fn sort_vars(patch: &mut Patch<'_>, section: skep_btf::Datasec<'_>) {
    let Some(start) = patch.btf.offset_of(section.id()).map(|at| at as usize + 12) else { return };
    let bytes = &mut patch.raw[start..start + section.var_count() as usize * 12];
    let mut entries: Vec<[u8; 12]> = bytes.as_chunks::<12>().0.to_vec();
    entries.sort_by_key(|entry| u32_at(entry, 4));
    bytes.copy_from_slice(entries.as_flattened());
}

/// Makes the functions of these names static: those whose symbols are hidden.
pub(crate) fn hide_functions(patch: &mut Patch<'_>, hidden: &[String]) {
    let mut left: HashSet<&str> = hidden.iter().map(String::as_str).collect();
    if left.is_empty() {
        return;
    }
    let btf = patch.btf;
    for id in btf.ids() {
        if let Some(Type::Func(func)) = btf.get(id)
            && func.linkage == Linkage::Global
            && left.remove(func.name)
        {
            patch.set_func_linkage(id, Linkage::Static);
        }
    }
}
