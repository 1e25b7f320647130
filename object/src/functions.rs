//! The functions of an object: entry programs and subprograms.

use std::collections::HashMap;
use std::sync::Arc;

use skep_btf::{BtfExt, CoreRelo, ExtSection, LineInfo, TypeId};
use skep_isa::RawInsn;

use crate::Repairs;
use crate::elf::{Binding, Elf, Place, Section, Symbol, SymbolKind};
use crate::error::{FunctionProblem, ObjectError};

pub(crate) const TEXT: &str = ".text";

/// What a relocated instruction names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// A map, by its index in the object.
    Map(usize),
    /// An address in the first value of a map.
    Data { map: usize, offset: u32 },
    /// An extern, by its number.
    Extern(usize),
    /// A call of a function, by its index in the object.
    Call(usize),
    /// The address of a function.
    Func(usize),
    /// A call to where no function begins: slots into the section.
    NoFunction(i64),
}

/// A function as the object has it.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Index of its section.
    pub(crate) section: usize,
    /// Name of its section without the leading `?`.
    pub(crate) section_name: Arc<str>,
    /// The section's name has no leading `?`.
    pub(crate) autoload: bool,
    /// First slot in the section.
    pub(crate) start: usize,
    pub(crate) insns: Vec<RawInsn>,
    pub(crate) global: bool,
    pub(crate) hidden: bool,
    /// It is a program by itself.
    pub(crate) entry: bool,
    /// What instructions name, by slot, in order.
    pub(crate) links: Vec<(usize, Link)>,
    /// CO-RE relocations by slot, in the order of the file.
    pub(crate) core: Vec<(usize, CoreRelo)>,
    /// Its `FUNC`.
    pub(crate) type_id: Option<TypeId>,
    /// Source lines of BTF.ext by slot.
    pub(crate) lines: Vec<(usize, LineInfo)>,
    /// The function that takes its exceptions.
    pub(crate) exception_callback: Option<usize>,
}

impl Function {
    /// One past its last slot in the section.
    pub(crate) fn end(&self) -> usize {
        self.start + self.insns.len()
    }
}

/// A piece of code that a symbol names.
struct Piece<'a> {
    name: &'a str,
    global: bool,
    hidden: bool,
    offset: u64,
    size: u64,
}

/// Function symbols by section, in the order of the table.
fn symbols_by_section<'e, 'a>(elf: &'e Elf<'a>) -> HashMap<usize, Vec<&'e Symbol<'a>>> {
    let mut by_section: HashMap<usize, Vec<&Symbol<'_>>> = HashMap::new();
    for symbol in &elf.symbols {
        if let Place::Section(section) = symbol.place
            && elf.sections[section].is_exec()
            && !symbol.name.is_empty()
        {
            by_section.entry(section).or_default().push(symbol);
        }
    }
    by_section
}

/// Old compilers gave functions symbols without type and size: each global one reaches to the next.
fn untyped_pieces<'a>(symbols: &[&Symbol<'a>], section: &Section<'_>) -> Vec<Piece<'a>> {
    let is_function = |s: &&&Symbol<'_>| s.kind == SymbolKind::NoType && s.binding != Binding::Local && s.value < section.size;
    let mut found: Vec<&Symbol<'a>> = symbols.iter().filter(is_function).copied().collect();
    found.sort_by_key(|s| s.value);
    found.dedup_by_key(|s| s.value);
    let ends = found.iter().skip(1).map(|s| s.value).chain([section.size]);
    let piece = |(s, end): (&&Symbol<'a>, u64)| Piece {
        name: s.name,
        global: true,
        hidden: s.hidden,
        offset: s.value,
        size: end - s.value,
    };
    found.iter().zip(ends).map(piece).collect()
}

fn pieces<'a>(symbols: &[&Symbol<'a>], section: &Section<'_>, repairs: &Repairs) -> Vec<Piece<'a>> {
    let typed: Vec<Piece<'a>> = symbols
        .iter()
        .filter(|s| s.kind == SymbolKind::Func)
        .map(|s| Piece { name: s.name, global: s.binding != Binding::Local, hidden: s.hidden, offset: s.value, size: s.size })
        .collect();
    if typed.is_empty() && repairs.untyped_symbols { untyped_pieces(symbols, section) } else { typed }
}

fn function(piece: &Piece<'_>, section: &Section<'_>, section_name: &Arc<str>) -> Result<Function, FunctionProblem> {
    let end = piece.offset.checked_add(piece.size).filter(|end| *end <= section.size);
    let end = end.ok_or(FunctionProblem::OutOfSection(section.size))?;
    if piece.size == 0 || !piece.size.is_multiple_of(8) || !piece.offset.is_multiple_of(8) {
        return Err(FunctionProblem::Unaligned);
    }
    let bytes = &section.data[piece.offset as usize..end as usize];
    Ok(Function {
        name: piece.name.to_owned(),
        section: section.index,
        section_name: section_name.clone(),
        autoload: !section.name.starts_with('?'),
        start: piece.offset as usize / 8,
        insns: bytes.as_chunks::<8>().0.iter().map(|slot| RawInsn::from_le_bytes(*slot)).collect(),
        global: piece.global,
        hidden: piece.global && piece.hidden,
        entry: section.name != TEXT && piece.global,
        links: Vec::new(),
        core: Vec::new(),
        type_id: None,
        lines: Vec::new(),
        exception_callback: None,
    })
}

/// All functions, by section and offset.
pub(crate) fn collect(elf: &Elf<'_>, repairs: &Repairs) -> Result<Vec<Function>, ObjectError> {
    let by_section = symbols_by_section(elf);
    let mut all: Vec<Function> = Vec::new();
    for section in elf.sections.iter().filter(|s| s.is_exec() && s.size > 0) {
        let Some(symbols) = by_section.get(&section.index) else { continue };
        let section_name: Arc<str> = section.name.strip_prefix('?').unwrap_or(section.name).into();
        let mut pieces = pieces(symbols, section, repairs);
        pieces.sort_by_key(|piece| piece.offset);
        let mut end = 0;
        for piece in &pieces {
            let error = |problem| ObjectError::Function {
                section: section.name.to_owned(),
                function: piece.name.to_owned(),
                offset: piece.offset,
                size: piece.size,
                problem,
            };
            let found = function(piece, section, &section_name).map_err(error)?;
            if found.start < end {
                return Err(error(FunctionProblem::Overlap));
            }
            end = found.end();
            all.push(found);
        }
    }
    if repairs.text_programs && !all.iter().any(|f| f.entry) {
        for function in all.iter_mut().filter(|f| f.global) {
            function.entry = true;
        }
    }
    Ok(all)
}

/// The function that holds a slot of a section.
pub(crate) fn at(functions: &[Function], section: usize, slot: usize) -> Option<usize> {
    let after = functions.partition_point(|f| (f.section, f.start) <= (section, slot));
    let index = after.checked_sub(1)?;
    let function = &functions[index];
    (function.section == section && slot < function.end()).then_some(index)
}

/// The function that begins at a slot of a section.
pub(crate) fn starting_at(functions: &[Function], section: usize, slot: i64) -> Option<usize> {
    let slot = usize::try_from(slot).ok()?;
    functions.binary_search_by_key(&(section, slot), |f| (f.section, f.start)).ok()
}

/// Static functions of program sections are refused, as libbpf does. Where they are asked for, those that something names are subprograms,
/// the others programs.
pub(crate) fn classify_static(functions: &mut [Function], repairs: &Repairs) -> Result<(), ObjectError> {
    let mut named = vec![false; functions.len()];
    for function in functions.iter() {
        for (_, link) in &function.links {
            if let Link::Call(to) | Link::Func(to) = link {
                named[*to] = true;
            }
        }
    }
    for (function, named) in functions.iter_mut().zip(named) {
        if function.global || &*function.section_name == TEXT {
            continue;
        }
        if !repairs.static_programs {
            return Err(ObjectError::Function {
                section: function.section_name.to_string(),
                function: function.name.clone(),
                offset: function.start as u64 * 8,
                size: function.insns.len() as u64 * 8,
                problem: FunctionProblem::Static,
            });
        }
        function.entry = !named;
    }
    Ok(())
}

/// Calls `each` with the function and the slot in it of every record of BTF.ext whose function is there.
fn each_record<R: Clone>(
    elf: &Elf<'_>,
    functions: &mut [Function],
    sections: &[ExtSection<R>],
    offset: impl Fn(&R) -> u32,
    mut each: impl FnMut(&mut Function, usize, &R),
) {
    for part in sections {
        let Some(section) = elf.section(&part.section) else { continue };
        for record in &part.records {
            let slot = offset(record) as usize / 8;
            if let Some(index) = at(functions, section.index, slot) {
                let function = &mut functions[index];
                let slot = slot - function.start;
                each(function, slot, record);
            }
        }
    }
}

/// Hands the records of BTF.ext to the functions they belong to.
pub(crate) fn attach_ext(elf: &Elf<'_>, functions: &mut [Function], ext: &BtfExt) {
    each_record(
        elf,
        functions,
        &ext.func_info,
        |r| r.insn_off,
        |function, slot, record| {
            if slot == 0 && function.type_id.is_none() {
                function.type_id = Some(record.type_id);
            }
        },
    );
    each_record(elf, functions, &ext.line_info, |r| r.insn_off, |function, slot, record| function.lines.push((slot, *record)));
    each_record(
        elf,
        functions,
        &ext.core_relos,
        |r| r.insn_off,
        |function, slot, record| {
            function.core.push((slot, record.clone()));
        },
    );
}
