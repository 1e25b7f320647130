//! An object: what is in the file, the same on every host.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use skep_btf::{Btf, BtfExt, Kind, TypeId};
use skep_linux::{AttachType, ProgType, SectionMatch, Target};
use skep_program::{Line, MapDef, Program};

use crate::elf::{Elf, Section};
use crate::error::{ObjectError, SectionProblem};
use crate::externs::{self, Extern, ExternKind};
use crate::functions::{self, Function, TEXT};
use crate::link::{Linker, RelocateError};
use crate::maps::{self, Maps};
use crate::struct_ops::{self, StructOps};
use crate::{Options, Repairs, dwarf, fixup, reloc};

/// What all parts of the crate read.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) license: String,
    pub(crate) version: Option<u32>,
    /// By section and place.
    pub(crate) functions: Vec<Function>,
    pub(crate) maps: Maps,
    pub(crate) externs: Vec<Extern>,
    pub(crate) struct_ops: Vec<StructOps>,
    pub(crate) btf: Option<Arc<Btf>>,
    /// Lines of DWARF by section, by slot; only where BTF.ext has none.
    pub(crate) dwarf: HashMap<usize, Vec<Line>>,
    /// Why there are no more of them.
    pub(crate) dwarf_problem: Option<String>,
    pub(crate) repairs: Repairs,
    pub(crate) symbols: BTreeMap<String, u64>,
}

/// A compiled object, as it is in the file: nothing in it depends on the host or on a kernel.
///
/// Global variables can be set ([`Object::set_global`]) before programs are made of it ([`ProgramRef::relocate`]).
#[derive(Debug, Clone)]
pub struct Object {
    pub(crate) data: Data,
}

/// An extern, as the object declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether the object can do without.
    pub weak: bool,
    /// What it stands for.
    pub kind: ExternClass,
}

/// What an extern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternClass {
    /// A value of the kernel's configuration, or one that loaders make up (`LINUX_KERNEL_VERSION`).
    Kconfig,
    /// A kernel function.
    Kfunc,
    /// A kernel variable with a type.
    Ksym,
    /// A kernel symbol of which only the address is asked for.
    Address,
}

fn license(section: Option<&Section<'_>>) -> Result<String, ObjectError> {
    let Some(section) = section else { return Ok(String::new()) };
    let bytes = section.data.split(|b| *b == 0).next().unwrap_or_default();
    let error =
        || ObjectError::Section { section: section.name.to_owned(), offset: section.offset, problem: SectionProblem::License };
    // Loaders keep 63 bytes.
    std::str::from_utf8(&bytes[..bytes.len().min(63)]).map(str::to_owned).map_err(|_| error())
}

fn version(section: Option<&Section<'_>>) -> Result<Option<u32>, ObjectError> {
    let Some(section) = section else { return Ok(None) };
    match section.data.try_into() {
        Ok(bytes) => Ok(Some(u32::from_le_bytes(bytes))),
        Err(_) => Err(ObjectError::Section {
            section: section.name.to_owned(),
            offset: section.offset,
            problem: SectionProblem::VersionSize(section.size),
        }),
    }
}

/// The function that a program's `exception_callback:` tag names.
fn exception_callbacks(functions: &mut [Function], btf: &Btf) {
    let by_name: HashMap<String, usize> = functions.iter().enumerate().map(|(i, f)| (f.name.clone(), i)).collect();
    for function in functions.iter_mut().filter(|f| f.entry) {
        let Some(id) = function.type_id else { continue };
        let named = btf.decl_tags(id).find_map(|tag| tag.value.strip_prefix("exception_callback:").map(str::to_owned));
        function.exception_callback = named.and_then(|name| by_name.get(&name).copied());
    }
}

impl Object {
    /// Reads the bytes of an object as libbpf would. Set [`Options::name`] where the names of the variables' maps matter.
    ///
    /// # Errors
    /// What is wrong with the file, and where. An object that the compiler made for big-endian machines is refused.
    pub fn parse(bytes: &[u8]) -> Result<Object, ObjectError> {
        Object::parse_with(bytes, &Options::default())
    }

    /// Reads the bytes of an object.
    ///
    /// # Errors
    /// As [`Object::parse`].
    pub fn parse_with(bytes: &[u8], options: &Options) -> Result<Object, ObjectError> {
        let elf = Elf::parse(bytes)?;
        let (license, version) = (license(elf.section("license"))?, version(elf.section("version"))?);
        let mut functions = functions::collect(&elf, &options.repairs)?;
        let compiled = elf.section(".BTF").map(|s| Btf::parse(s.data)).transpose()?;
        let externs = externs::collect(&elf, compiled.as_ref())?;
        let hidden: Vec<String> =
            functions.iter().filter(|f| f.hidden && &*f.section_name == TEXT).map(|f| f.name.clone()).collect();
        let btf = compiled.map(|btf| fixed(&btf, &elf, &externs, &hidden)).transpose()?.map(Arc::new);
        let ext = match (elf.section(".BTF.ext"), &btf) {
            (Some(section), Some(btf)) => BtfExt::parse(section.data, btf)?,
            (_, _) => BtfExt::default(),
        };
        functions::attach_ext(&elf, &mut functions, &ext);
        let source = maps::Source { elf: &elf, btf: btf.as_ref(), externs: &externs, functions: &functions, options };
        let maps = maps::collect(&source)?;
        reloc::link(&elf, &mut functions, &maps, &externs)?;
        functions::classify_static(&mut functions, &options.repairs)?;
        let struct_ops = struct_ops::collect(&elf, btf.as_deref(), &functions)?;
        if let Some(btf) = &btf {
            exception_callbacks(&mut functions, btf);
        }
        let (dwarf, dwarf_problem) = if ext.line_info.is_empty() { dwarf::lines(&elf) } else { Default::default() };
        Ok(Object {
            data: Data {
                name: options.name.clone(),
                license,
                version,
                functions,
                maps,
                externs,
                struct_ops,
                btf,
                dwarf,
                dwarf_problem,
                repairs: options.repairs,
                symbols: options.symbols.clone(),
            },
        })
    }

    /// Reads a file; its name up to the first dot is the object's name unless the options have one.
    ///
    /// # Errors
    /// [`ObjectError::Io`], and as [`Object::parse`].
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Object, ObjectError> {
        let path = path.as_ref();
        let io = |e: std::io::Error| ObjectError::Io { path: path.display().to_string(), problem: e.to_string() };
        let bytes = std::fs::read(path).map_err(io)?;
        let mut options = options.clone();
        if options.name.is_empty() {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            options.name = file.split('.').next().unwrap_or_default().to_owned();
        }
        Object::parse_with(&bytes, &options)
    }

    /// The name that [`Options::name`] gave it.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The license: empty where the object has none.
    pub fn license(&self) -> &str {
        &self.data.license
    }

    /// The kernel version that a section `version` gives.
    pub fn kern_version(&self) -> Option<u32> {
        self.data.version
    }

    /// The object's types, made ready for the kernel: sizes and offsets of variables filled in, externs defined.
    pub fn btf(&self) -> Option<&Arc<Btf>> {
        self.data.btf.as_ref()
    }

    /// What is wrong with the debug information (DWARF) that source lines are taken from where BTF.ext has none; such an object loads all the
    /// same, with the lines that could be read.
    pub fn debug_problem(&self) -> Option<&str> {
        self.data.dwarf_problem.as_deref()
    }

    /// The programs, by section and place.
    pub fn programs(&self) -> impl Iterator<Item = ProgramRef<'_>> {
        let entries = self.data.functions.iter().enumerate().filter(|(_, f)| f.entry);
        entries.map(|(function, _)| ProgramRef { object: self, entry: Entry { function, forced: None } })
    }

    /// The program with this entry function.
    ///
    /// # Errors
    /// [`ObjectError::NoProgram`] names those there are.
    pub fn program(&self, name: &str) -> Result<ProgramRef<'_>, ObjectError> {
        self.programs().find(|p| p.name() == name).ok_or_else(|| ObjectError::NoProgram {
            name: name.to_owned(),
            known: self.programs().map(|p| p.name().to_owned()).collect(),
        })
    }

    /// The maps: those the object defines, then those of its variables, then that of configuration values (whose bytes a target gives).
    pub fn maps(&self) -> impl ExactSizeIterator<Item = &Arc<MapDef>> {
        self.data.maps.all.iter().map(|entry| &entry.def)
    }

    /// The map of this name; the map of variables may be named by its section too (`.rodata`).
    pub fn map(&self, name: &str) -> Option<&Arc<MapDef>> {
        self.maps().find(|map| map.name == name).or_else(|| self.maps().find(|map| map.section.as_deref() == Some(name)))
    }

    /// The externs, in the order of their numbers (which poisoned calls carry).
    pub fn externs(&self) -> impl ExactSizeIterator<Item = ExternRef<'_>> {
        self.data.externs.iter().map(|entry| ExternRef {
            name: &entry.name,
            weak: entry.weak,
            kind: match entry.kind {
                ExternKind::Kconfig { .. } => ExternClass::Kconfig,
                ExternKind::Func { .. } => ExternClass::Kfunc,
                ExternKind::Var { ty } if ty.is_void() => ExternClass::Address,
                ExternKind::Var { .. } => ExternClass::Ksym,
            },
        })
    }

    /// The struct_ops maps.
    pub fn struct_ops(&self) -> &[StructOps] {
        &self.data.struct_ops
    }
}

/// BTF as the kernel takes it.
fn fixed(btf: &Btf, elf: &Elf<'_>, externs: &[Extern], hidden: &[String]) -> Result<Btf, ObjectError> {
    let added = fixup::add_dummy(btf)?;
    let (btf, dummy) = added.as_ref().map_or((btf, None), |(btf, dummy)| (btf, Some(*dummy)));
    let mut patch = fixup::Patch::new(btf);
    fixup::externs(&mut patch, externs, dummy)?;
    let with_externs = patch.finish()?;
    let mut patch = fixup::Patch::new(&with_externs);
    fixup::sections(&mut patch, elf)?;
    fixup::hide_functions(&mut patch, hidden);
    Ok(patch.finish()?)
}

/// An entry function, and the type that was given for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) function: usize,
    pub(crate) forced: Option<(ProgType, Option<AttachType>)>,
}

/// A program of an object.
#[derive(Debug, Clone, Copy)]
pub struct ProgramRef<'a> {
    object: &'a Object,
    entry: Entry,
}

impl<'a> ProgramRef<'a> {
    /// The object it is of.
    pub(crate) fn object(&self) -> &'a Object {
        self.object
    }

    /// Index of its entry function among the functions of the object.
    pub(crate) fn entry_index(&self) -> usize {
        self.entry.function
    }

    fn function(&self) -> &'a Function {
        &self.object.data.functions[self.entry.function]
    }

    /// Its entry function.
    pub fn name(&self) -> &'a str {
        &self.function().name
    }

    /// Its section, without the `?` of programs that are not loaded by default.
    pub fn section(&self) -> &'a str {
        &self.function().section_name
    }

    /// Whether loaders load it without being asked to: its section has no leading `?`.
    pub fn autoload(&self) -> bool {
        self.function().autoload
    }

    /// What its section says it is; `None` for names that no loader knows.
    pub fn section_match(&self) -> Option<SectionMatch<'a>> {
        skep_linux::section(self.section())
    }

    /// Its type: the one that was given, or the one that its section says.
    pub fn prog_type(&self) -> Option<ProgType> {
        self.entry.forced.map(|(prog_type, _)| prog_type).or_else(|| self.section_match().map(|m| m.row.prog_type))
    }

    /// Instructions of the entry function alone.
    pub fn len(&self) -> usize {
        self.function().insns.len()
    }

    /// No program is empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Its `FUNC` in the object's types.
    pub fn type_id(&self) -> Option<TypeId> {
        let function = self.function();
        function.type_id.or_else(|| self.object.data.btf.as_ref()?.find(&function.name, Kind::Func))
    }

    /// Its declaration tags (`__attribute__((btf_decl_tag("...")))`), such as those of the kernel's selftests.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> {
        let btf = self.object.data.btf.as_deref();
        let of = btf.and_then(|btf| Some((btf, self.type_id()?)));
        of.into_iter().flat_map(|(btf, id)| btf.decl_tags(id)).filter(|tag| tag.component.is_none()).map(|tag| tag.value)
    }

    /// The same program with a type of the caller's choice, whatever its section says.
    pub fn as_type(self, prog_type: ProgType, attach_type: Option<AttachType>) -> ProgramRef<'a> {
        ProgramRef { entry: Entry { forced: Some((prog_type, attach_type)), ..self.entry }, ..self }
    }

    /// The program as `BPF_PROG_LOAD` takes it on this target. To make several programs of an object, a [`Linker`] is quicker.
    ///
    /// # Errors
    /// What the target does not have, or what in the program does not fit.
    pub fn relocate(&self, target: &Target) -> Result<Program, RelocateError> {
        self.relocate_in(&mut Linker::new(self.object, target))
    }

    /// The program as made by a linker of the same object.
    ///
    /// # Errors
    /// As [`ProgramRef::relocate`].
    pub fn relocate_in(&self, linker: &mut Linker<'a>) -> Result<Program, RelocateError> {
        linker.program(&self.entry)
    }
}
