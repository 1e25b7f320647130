//! Programs for a target: subprograms appended, CO-RE answered, externs resolved, maps named by index.

mod externs;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use skep_btf::{Btf, CoreError, Kind, Linkage, Resolver, Targets, Type, TypeId};
use skep_isa::RawInsn;
use skep_linux::{AttachType, ProgType, Target};
use skep_program::{Func, Kfunc, Ksym, Line, MapDef, Program};

pub use externs::KconfigProblem;
use externs::{Found, Resolved};

use crate::core_relo::{self, PatchProblem};
use crate::functions::{Function, Link};
use crate::object::{Entry, Object};

/// A program that cannot be made for a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelocateError {
    /// The section's name does not say what the program is.
    #[error(
        "program `{program}`: section `{section}` does not say what type of program it is; name a section of libbpf's, or give the type"
    )]
    UnknownType {
        /// The program.
        program: String,
        /// Its section.
        section: String,
    },
    /// A call of a function that the object does not have.
    #[error(
        "program `{program}`, instruction {slot} of `{function}`: a call to slot {target} of its section, where no function begins"
    )]
    NoFunction {
        /// The program.
        program: String,
        /// The function that calls.
        function: String,
        /// The instruction in the function.
        slot: usize,
        /// The slot in the section.
        target: i64,
    },
    /// A CO-RE relocation without an answer.
    #[error("program `{program}`, instruction {slot} of `{function}`: {error}")]
    Core {
        /// The program.
        program: String,
        /// The function.
        function: String,
        /// The instruction in the function.
        slot: usize,
        /// Why.
        error: Box<CoreError>,
    },
    /// A CO-RE relocation of an instruction that cannot hold it.
    #[error("program `{program}`, instruction {slot} of `{function}`: CO-RE relocation {relo}: {problem}")]
    CorePatch {
        /// The program.
        program: String,
        /// The function.
        function: String,
        /// The instruction in the function.
        slot: usize,
        /// What the relocation asks.
        relo: String,
        /// What does not fit.
        problem: PatchProblem,
    },
    /// CO-RE relocations, kernel functions and variables need the target's types.
    #[error("program `{program}`: {what} needs the types (BTF) of the target, which were not given")]
    NoTargetBtf {
        /// The program.
        program: String,
        /// What needs them.
        what: String,
    },
    /// A kernel function or variable that the target does not have.
    #[error("program `{program}`: extern `{name}`: not found in the target's types")]
    NoExtern {
        /// The program.
        program: String,
        /// The extern.
        name: String,
    },
    /// A kernel function or variable of another type.
    #[error("program `{program}`: extern `{name}`: the program declares it unlike the target has it (type {id})")]
    ExternType {
        /// The program.
        program: String,
        /// The extern.
        name: String,
        /// The target's type.
        id: TypeId,
    },
    /// A configuration value that does not fit its variable, or is missing.
    #[error("program `{program}`: extern `{name}`: {problem}")]
    Kconfig {
        /// The program.
        program: String,
        /// The extern.
        name: String,
        /// What is wrong.
        problem: KconfigProblem,
    },
    /// A variable is called or a function loaded.
    #[error("program `{program}`, instruction {slot} of `{function}`: extern `{name}` cannot be used by this instruction")]
    ExternUse {
        /// The program.
        program: String,
        /// The function.
        function: String,
        /// The instruction in the function.
        slot: usize,
        /// The extern.
        name: String,
    },
    /// Lines or functions of a subprogram are missing where the entry function has them.
    #[error("program `{program}`: BTF.ext has {what} for the program but none for subprogram `{function}`")]
    MissingInfo {
        /// The program.
        program: String,
        /// The subprogram.
        function: String,
        /// `func_info` or `line_info`.
        what: &'static str,
    },
    /// What the program is to be attached to is not in the target.
    #[error("program `{program}`: attach target `{target}` is not in the target's types")]
    NoAttachTarget {
        /// The program.
        program: String,
        /// The type that was sought, such as `bpf_lsm_file_open`.
        target: String,
    },
    /// The program would be larger than instruction offsets reach.
    #[error("program `{program}`: more than {limit} instructions with its subprograms")]
    TooLarge {
        /// The program.
        program: String,
        /// The most there may be.
        limit: usize,
    },
}

/// Numbers that stand for calls of kernel functions that the target does not have: this, and the number of the extern.
const POISON_KFUNC: i32 = 2_002_000_000;
/// The most instructions the kernel takes.
const MAX_INSNS: usize = 1_000_000;

const CALL: u8 = 0x85;
const LOAD_WIDE: u8 = 0x18;
const PSEUDO_KFUNC_CALL: u8 = 2;
const PSEUDO_BTF_ID: u8 = 3;
const PSEUDO_FUNC: u8 = 4;
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;

/// Makes programs of one object for one target; what programs have in common is worked out once.
pub struct Linker<'a> {
    object: &'a Object,
    target: &'a Target,
    /// The types of the target by name, once a CO-RE relocation asks.
    targets: OnceCell<Targets>,
    maps: Vec<Arc<MapDef>>,
    externs: Vec<Resolved>,
    /// Functions with their CO-RE relocations applied.
    patched: HashMap<usize, Arc<[RawInsn]>>,
    /// Files and lines as the program's own types have them.
    strings: HashMap<u32, Arc<str>>,
}

/// A program while it is put together.
struct Build<'p> {
    program: &'p str,
    insns: Vec<RawInsn>,
    /// Where functions of the object begin.
    at: HashMap<usize, usize>,
    /// In the order in which they were appended.
    order: Vec<usize>,
    /// Slots that name maps: slot, map of the object, offset in its value if that is meant.
    maps: Vec<(usize, usize, Option<u32>)>,
    kfuncs: Vec<Kfunc>,
    ksyms: Vec<Ksym>,
}

impl<'a> Linker<'a> {
    /// Programs of `object` for `target`.
    pub fn new(object: &'a Object, target: &'a Target) -> Linker<'a> {
        let (externs, kconfig) = externs::resolve(object, target);
        let mut maps: Vec<Arc<MapDef>> = object.data.maps.all.iter().map(|entry| entry.def.clone()).collect();
        if let Some(index) = object.data.maps.kconfig {
            Arc::make_mut(&mut maps[index]).initial = Some(kconfig);
        }
        Linker { object, target, targets: OnceCell::new(), maps, externs, patched: HashMap::new(), strings: HashMap::new() }
    }

    /// The program with this entry in [`Object::programs`], whose section says its type, or `forced` does.
    pub(crate) fn program(&mut self, entry: &Entry) -> Result<Program, RelocateError> {
        let object = self.object;
        let function = &object.data.functions[entry.function];
        let kind = self.kind(entry, function)?;
        let mut build = Build {
            program: &function.name,
            insns: Vec::new(),
            at: HashMap::new(),
            order: Vec::new(),
            maps: Vec::new(),
            kfuncs: Vec::new(),
            ksyms: Vec::new(),
        };
        self.append(&mut build, entry.function)?;
        if let Some(callback) = function.exception_callback {
            self.append(&mut build, callback)?;
        }
        let maps = number_maps(&mut build, &self.maps);
        let (funcs, lines) = (self.funcs(&build)?, self.lines(&build)?);
        Ok(Program {
            name: function.name.clone(),
            section: function.section_name.to_string(),
            prog_type: kind.prog_type,
            attach_type: kind.attach_type,
            attach_to: kind.attach_to,
            attach_btf_id: kind.attach_btf_id,
            flags: kind.flags,
            license: object.data.license.clone(),
            kern_version: object.data.version.unwrap_or_default(),
            insns: build.insns,
            maps,
            btf: object.data.btf.clone(),
            funcs,
            lines,
            kfuncs: build.kfuncs,
            ksyms: build.ksyms,
        })
    }

    /// Appends a function and, one after the other, those it names that are not there yet. Depth first, as libbpf does: the order is the
    /// order in which the kernel numbers subprograms.
    fn append(&mut self, build: &mut Build<'_>, function: usize) -> Result<(), RelocateError> {
        let mut open = vec![(function, self.place(build, function)?, 0)];
        while let Some((index, base, next)) = open.last_mut() {
            let (index, base) = (*index, *base);
            let object = self.object;
            let links = &object.data.functions[index].links;
            let Some((slot, link)) = links.get(*next) else {
                open.pop();
                continue;
            };
            let (Link::Call(callee) | Link::Func(callee)) = *link else {
                *next += 1;
                self.apply(build, index, base, *slot, link)?;
                continue;
            };
            if build.at.contains_key(&callee) {
                *next += 1;
                self.apply(build, index, base, *slot, link)?;
            } else {
                let at = self.place(build, callee)?;
                open.push((callee, at, 0));
            }
        }
        Ok(())
    }

    /// Copies the instructions of a function to the end; says where they begin.
    fn place(&mut self, build: &mut Build<'_>, index: usize) -> Result<usize, RelocateError> {
        let insns = self.patched(build.program, index)?;
        let at = build.insns.len();
        if at + insns.len() > MAX_INSNS {
            return Err(RelocateError::TooLarge { program: build.program.to_owned(), limit: MAX_INSNS });
        }
        build.insns.extend_from_slice(&insns);
        build.at.insert(index, at);
        build.order.push(index);
        Ok(at)
    }

    /// The instructions of a function with its CO-RE relocations answered.
    fn patched(&mut self, program: &str, index: usize) -> Result<Arc<[RawInsn]>, RelocateError> {
        if let Some(done) = self.patched.get(&index) {
            return Ok(done.clone());
        }
        let function = &self.object.data.functions[index];
        let mut insns = function.insns.clone();
        if !function.core.is_empty() {
            let needs = || RelocateError::NoTargetBtf { program: program.to_owned(), what: "a CO-RE relocation".to_owned() };
            let types = self.target.btf().ok_or_else(needs)?;
            let targets = self.targets.get_or_init(|| Targets::from(&**types));
            let empty = Btf::default();
            let local = self.object.data.btf.as_deref().unwrap_or(&empty);
            let mut resolver = Resolver::new(local, targets);
            for (slot, relo) in &function.core {
                let answer = resolver.resolve(relo).map_err(|error| RelocateError::Core {
                    program: program.to_owned(),
                    function: function.name.clone(),
                    slot: *slot,
                    error: Box::new(error),
                })?;
                core_relo::patch(&mut insns[*slot..], &answer).map_err(|problem| RelocateError::CorePatch {
                    program: program.to_owned(),
                    function: function.name.clone(),
                    slot: *slot,
                    relo: skep_btf::core_relo::describe(local, relo),
                    problem,
                })?;
            }
        }
        let insns: Arc<[RawInsn]> = insns.into();
        self.patched.insert(index, insns.clone());
        Ok(insns)
    }

    /// Writes what one instruction names. Functions that it names have been placed.
    fn apply(&self, build: &mut Build<'_>, index: usize, base: usize, slot: usize, link: &Link) -> Result<(), RelocateError> {
        let function = &self.object.data.functions[index];
        let at = base + slot;
        match *link {
            Link::Map(map) => build.maps.push((at, map, None)),
            Link::Data { map, offset } => build.maps.push((at, map, Some(offset))),
            Link::Call(callee) | Link::Func(callee) => {
                let insn = &mut build.insns[at];
                insn.imm = (build.at[&callee] as i64 - at as i64 - 1) as i32;
                if insn.code == LOAD_WIDE {
                    insn.regs = insn.dst() | PSEUDO_FUNC << 4;
                }
            }
            Link::Extern(number) => self.apply_extern(build, function, at, slot, number)?,
            Link::NoFunction(target) => {
                return Err(RelocateError::NoFunction {
                    program: build.program.to_owned(),
                    function: function.name.clone(),
                    slot,
                    target,
                });
            }
        }
        Ok(())
    }

    fn apply_extern(
        &self,
        build: &mut Build<'_>,
        function: &Function,
        at: usize,
        slot: usize,
        number: usize,
    ) -> Result<(), RelocateError> {
        let name = &self.object.data.externs[number].name;
        let found = self.externs[number].found(build.program, name)?;
        let insn = build.insns[at];
        let wide = insn.code == LOAD_WIDE;
        match found {
            Found::Func(id) if insn.code == CALL => {
                let imm = id.map_or(POISON_KFUNC + number as i32, |id| id.0 as i32);
                build.insns[at] = match id {
                    Some(_) => RawInsn { imm, off: 0, regs: insn.dst() | PSEUDO_KFUNC_CALL << 4, ..insn },
                    None => RawInsn::new(CALL, 0, 0, 0, imm),
                };
                let kfunc = Kfunc { name: name.clone(), id: imm, present: id.is_some() };
                if !build.kfuncs.contains(&kfunc) {
                    build.kfuncs.push(kfunc);
                }
            }
            Found::Func(Some(id)) | Found::Var(id) if wide => {
                build.insns[at] = RawInsn { imm: id.0 as i32, regs: insn.dst() | PSEUDO_BTF_ID << 4, ..insn };
                build.insns[at + 1].imm = 0;
                let ksym = Ksym { name: name.clone(), id: id.0 };
                if !build.ksyms.contains(&ksym) {
                    build.ksyms.push(ksym);
                }
            }
            Found::Func(None) if wide => {
                (build.insns[at].imm, build.insns[at + 1].imm) = (0, 0);
            }
            Found::Address(address) if wide => {
                build.insns[at].imm = address as i32;
                build.insns[at + 1].imm = (address >> 32) as i32;
            }
            Found::Kconfig(offset) if wide => {
                let map = self.object.data.maps.kconfig.unwrap_or_default();
                build.maps.push((at, map, Some(offset)));
            }
            Found::Func(_) | Found::Var(_) | Found::Address(_) | Found::Kconfig(_) => {
                return Err(RelocateError::ExternUse {
                    program: build.program.to_owned(),
                    function: function.name.clone(),
                    slot,
                    name: name.clone(),
                });
            }
        }
        Ok(())
    }

    fn funcs(&self, build: &Build<'_>) -> Result<Vec<Func>, RelocateError> {
        let functions = &self.object.data.functions;
        let has_info = functions[build.order[0]].type_id.is_some();
        let mut funcs = Vec::with_capacity(build.order.len());
        for index in &build.order {
            let function = &functions[*index];
            let type_id = if has_info { function.type_id } else { None };
            if has_info && type_id.is_none() {
                let (program, function) = (build.program.to_owned(), function.name.clone());
                return Err(RelocateError::MissingInfo { program, function, what: "func_info" });
            }
            let linkage = type_id.and_then(|id| match self.object.data.btf.as_ref()?.get(id)? {
                Type::Func(func) => Some(func.linkage),
                _ => None,
            });
            funcs.push(Func {
                start: build.at[index],
                name: function.name.clone(),
                type_id: type_id.map_or(0, |id| id.0),
                global: linkage == Some(Linkage::Global),
            });
        }
        Ok(funcs)
    }

    fn lines(&mut self, build: &Build<'_>) -> Result<Vec<Line>, RelocateError> {
        let object = self.object;
        let functions = &object.data.functions;
        let mut lines = Vec::new();
        let has_lines = !functions[build.order[0]].lines.is_empty();
        let Some(btf) = object.data.btf.as_deref().filter(|_| has_lines) else {
            return Ok(self.dwarf_lines(build));
        };
        for index in &build.order {
            let function = &functions[*index];
            if function.lines.is_empty() {
                let (program, function) = (build.program.to_owned(), function.name.clone());
                return Err(RelocateError::MissingInfo { program, function, what: "line_info" });
            }
            let base = build.at[index];
            for (slot, info) in &function.lines {
                lines.push(Line {
                    start: base + slot,
                    file: self.string(btf, info.file_off),
                    line: info.line,
                    column: info.column.into(),
                    text: self.string(btf, info.text_off),
                });
            }
        }
        Ok(lines)
    }

    fn dwarf_lines(&self, build: &Build<'_>) -> Vec<Line> {
        let mut lines = Vec::new();
        for index in &build.order {
            let function = &self.object.data.functions[*index];
            let Some(table) = self.object.data.dwarf.get(&function.section) else { continue };
            let first = table.partition_point(|line| line.start <= function.start).saturating_sub(1);
            let inside = table[first..].iter().take_while(|line| line.start < function.end());
            for line in inside {
                let slot = line.start.saturating_sub(function.start);
                lines.push(Line { start: build.at[index] + slot, ..line.clone() });
            }
        }
        lines
    }

    fn string(&mut self, btf: &Btf, offset: u32) -> Arc<str> {
        let text = || shortened(btf.string(offset).unwrap_or_default()).into();
        self.strings.entry(offset).or_insert_with(text).clone()
    }
}

/// The beginning of a text that is only shown: a file or a line of source.
fn shortened(text: &str) -> &str {
    const MOST: usize = 1024;
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Gives every map that is named an index, in the order of the instructions.
fn number_maps(build: &mut Build<'_>, all: &[Arc<MapDef>]) -> Vec<Arc<MapDef>> {
    build.maps.sort_unstable();
    let mut index_of: HashMap<usize, usize> = HashMap::new();
    let mut maps = Vec::new();
    for (at, map, offset) in &build.maps {
        let index = *index_of.entry(*map).or_insert_with(|| {
            maps.push(all[*map].clone());
            maps.len() - 1
        });
        let insn = &mut build.insns[*at];
        let pseudo = if offset.is_some() { PSEUDO_MAP_IDX_VALUE } else { PSEUDO_MAP_IDX };
        insn.regs = insn.dst() | pseudo << 4;
        insn.imm = index as i32;
        if let Some(offset) = offset {
            build.insns[*at + 1].imm = *offset as i32;
        }
    }
    maps
}

/// What a program is.
struct ProgKind {
    prog_type: ProgType,
    attach_type: Option<AttachType>,
    attach_to: Option<String>,
    attach_btf_id: Option<u32>,
    flags: u32,
}

const F_SLEEPABLE: u32 = 1 << 4;
const F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// The name that the target's types have for what a program is attached to.
fn attach_type_name(attach: Option<AttachType>, rest: &str) -> (String, Kind) {
    match attach {
        Some(AttachType::TraceRawTp) => (format!("btf_trace_{rest}"), Kind::Typedef),
        Some(AttachType::LsmMac | AttachType::LsmCgroup) => (format!("bpf_lsm_{rest}"), Kind::Func),
        Some(AttachType::TraceIter) => (format!("bpf_iter_{rest}"), Kind::Func),
        _ => (rest.to_owned(), Kind::Func),
    }
}

impl Linker<'_> {
    fn kind(&self, entry: &Entry, function: &Function) -> Result<ProgKind, RelocateError> {
        let program = || function.name.clone();
        let found = skep_linux::section(&function.section_name);
        let Some(found) = found else {
            let Some((prog_type, attach_type)) = entry.forced else {
                return Err(RelocateError::UnknownType { program: program(), section: function.section_name.to_string() });
            };
            return Ok(ProgKind { prog_type, attach_type, attach_to: None, attach_btf_id: None, flags: 0 });
        };
        let (prog_type, attach_type) = entry.forced.unwrap_or((found.row.prog_type, found.row.attach_type));
        let mut flags = 0;
        if found.row.sleepable {
            flags |= F_SLEEPABLE;
        }
        if found.row.xdp_frags {
            flags |= F_XDP_HAS_FRAGS;
        }
        let mut attach_btf_id = None;
        if found.row.attach_btf
            && entry.forced.is_none()
            && prog_type != ProgType::Ext
            && !found.rest.is_empty()
            && let Some(btf) = self.target.btf()
        {
            let (name, kind) = attach_type_name(attach_type, found.rest);
            attach_btf_id = btf.find(&name, kind).map(|id| id.0);
            if attach_btf_id.is_none() && !self.object.data.repairs.attach_targets {
                return Err(RelocateError::NoAttachTarget { program: program(), target: name });
            }
        }
        let attach_to = (!found.rest.is_empty()).then(|| found.rest.to_owned());
        Ok(ProgKind { prog_type, attach_type, attach_to, attach_btf_id, flags })
    }
}
