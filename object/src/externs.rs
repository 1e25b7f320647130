//! `extern` symbols: kernel functions and variables (`.ksyms`), configuration values (`.kconfig`).

use std::cmp::Reverse;
use std::collections::HashMap;

use skep_btf::{Btf, IntEncoding, Kind, Linkage, Type, TypeId};

use crate::elf::{Binding, Elf};
use crate::error::{ExternProblem, ObjectError};
use crate::fixup::{KCONFIG, KSYMS, datasecs};

/// What a configuration value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KconfigKind {
    Bool,
    Char,
    Int { signed: bool },
    Tristate,
    String,
}

/// What an extern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExternKind {
    /// A configuration value, which lives in the map `.kconfig`.
    Kconfig { kind: KconfigKind, size: u32, align: u32, offset: u32 },
    /// A kernel function with this prototype.
    Func { proto: TypeId },
    /// A kernel variable of this type (modifiers and typedefs taken off); `void` where only its address is asked for.
    Var { ty: TypeId },
}

/// An undefined symbol that the target is to define.
#[derive(Debug, Clone)]
pub(crate) struct Extern {
    pub(crate) name: String,
    pub(crate) symbol: usize,
    pub(crate) weak: bool,
    pub(crate) kind: ExternKind,
    /// The `DATASEC` it is in.
    pub(crate) section: TypeId,
}

impl Extern {
    pub(crate) fn kconfig_offset(&self) -> Option<u32> {
        match self.kind {
            ExternKind::Kconfig { offset, .. } => Some(offset),
            ExternKind::Func { .. } | ExternKind::Var { .. } => None,
        }
    }

    pub(crate) fn kconfig_size(&self) -> Option<u32> {
        match self.kind {
            ExternKind::Kconfig { size, .. } => Some(size),
            ExternKind::Func { .. } | ExternKind::Var { .. } => None,
        }
    }

    /// The order that decides the layout of `.kconfig` and the numbers of absent functions.
    fn key(&self) -> (u8, Reverse<u32>, u32, &str) {
        match self.kind {
            ExternKind::Kconfig { align, size, .. } => (0, Reverse(align), size, &self.name),
            ExternKind::Func { .. } | ExternKind::Var { .. } => (1, Reverse(0), 0, &self.name),
        }
    }
}

fn kconfig_kind(btf: &Btf, ty: TypeId) -> Option<KconfigKind> {
    match btf.get(btf.resolve(ty))? {
        Type::Int(int) => match (int.encoding, int.size) {
            (IntEncoding::Bool, 1) => Some(KconfigKind::Bool),
            (IntEncoding::Bool, _) => None,
            (_, 1) => Some(KconfigKind::Char),
            (_, 2 | 4 | 8) => Some(KconfigKind::Int { signed: int.is_signed() }),
            (_, _) => None,
        },
        Type::Enum(e) if e.name() == "libbpf_tristate" && (e.is_64() || e.size() == 4) => Some(KconfigKind::Tristate),
        Type::Array(array) if array.count != 0 && kconfig_kind(btf, array.element)? == KconfigKind::Char => {
            Some(KconfigKind::String)
        }
        _ => None,
    }
}

/// The types and sections that names of externs have in BTF.
struct Names<'a> {
    btf: &'a Btf,
    /// The first variable or function of each name.
    types: HashMap<&'a str, TypeId>,
    /// The section of each variable and function.
    sections: HashMap<TypeId, TypeId>,
}

impl<'a> Names<'a> {
    fn new(btf: &'a Btf) -> Names<'a> {
        let mut types = HashMap::new();
        for id in btf.ids().filter(|id| matches!(btf.kind(*id), Kind::Var | Kind::Func)) {
            types.entry(btf.name(id)).or_insert(id);
        }
        let mut sections = HashMap::new();
        for section in datasecs(btf) {
            for var in section.vars() {
                sections.entry(var.ty).or_insert(section.id());
            }
        }
        Names { btf, types, sections }
    }

    fn describe(&self, name: &str) -> Result<(ExternKind, TypeId), ExternProblem> {
        let btf = self.btf;
        let id = *self.types.get(name).ok_or(ExternProblem::NoBtf)?;
        let (linkage, ty, is_func) = match btf.get(id) {
            Some(Type::Var(var)) => (var.linkage, var.ty, false),
            Some(Type::Func(func)) => (func.linkage, func.proto, true),
            _ => return Err(ExternProblem::NoBtf),
        };
        if linkage != Linkage::Extern {
            return Err(ExternProblem::NotExtern);
        }
        let section = *self.sections.get(&id).ok_or(ExternProblem::NoSection)?;
        let kind = match btf.name(section) {
            KCONFIG if is_func => return Err(ExternProblem::KconfigFunc),
            KCONFIG => {
                let kind = kconfig_kind(btf, ty).ok_or_else(|| ExternProblem::KconfigType(btf.kind(btf.resolve(ty))))?;
                let (size, align) =
                    (btf.size_of(ty).map_err(ExternProblem::Size)?, btf.align_of(ty).map_err(ExternProblem::Size)?);
                ExternKind::Kconfig { kind, size, align, offset: 0 }
            }
            KSYMS if is_func => ExternKind::Func { proto: ty },
            KSYMS => ExternKind::Var { ty: btf.resolve(ty) },
            other => return Err(ExternProblem::Section(other.to_owned())),
        };
        Ok((kind, section))
    }
}

/// Bytes that all configuration values may have together; the kernel's own are numbers and short strings.
const MAX_KCONFIG: u32 = 1 << 20;

/// All externs, in the order of their numbers.
pub(crate) fn collect(elf: &Elf<'_>, btf: Option<&Btf>) -> Result<Vec<Extern>, ObjectError> {
    if !elf.symbols.iter().any(|s| s.is_extern()) {
        return Ok(Vec::new());
    }
    let empty = Btf::default();
    let names = Names::new(btf.unwrap_or(&empty));
    let mut externs = Vec::new();
    for (symbol, entry) in elf.symbols.iter().enumerate().filter(|(_, s)| s.is_extern()) {
        let described = names.describe(entry.name);
        let (kind, section) = described.map_err(|problem| ObjectError::Extern { name: entry.name.to_owned(), problem })?;
        externs.push(Extern { name: entry.name.to_owned(), symbol, weak: entry.binding == Binding::Weak, kind, section });
    }
    externs.sort_by(|a, b| a.key().cmp(&b.key()));
    let mut end = 0u32;
    for entry in &mut externs {
        if let ExternKind::Kconfig { size, align, ref mut offset, .. } = entry.kind {
            let start = end.checked_next_multiple_of(align.max(1));
            let fits = start.and_then(|start| Some((start, start.checked_add(size).filter(|end| *end <= MAX_KCONFIG)?)));
            (*offset, end) = fits.ok_or_else(|| ObjectError::Extern {
                name: entry.name.clone(),
                problem: ExternProblem::KconfigSize { size, most: MAX_KCONFIG },
            })?;
        }
    }
    Ok(externs)
}
