//! What can be wrong with an object.

use skep_btf::value::{SetError, ValueError};
use skep_btf::{BtfError, ExtError, Kind};

use crate::elf::ElfError;

/// An object that cannot be read. Every variant names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The file cannot be read from disk.
    #[error("{path}: {problem}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// The ELF structure is wrong.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The types are wrong.
    #[error("section `.BTF`: {0}")]
    Btf(#[from] BtfError),
    /// Lines, functions or CO-RE relocations are wrong.
    #[error("section `.BTF.ext`: {0}")]
    Ext(#[from] ExtError),
    /// A section of fixed shape has another.
    #[error("section `{section}` at file offset {offset:#x}: {problem}")]
    Section {
        /// The section.
        section: String,
        /// Where its bytes begin in the file.
        offset: u64,
        /// What is wrong with it.
        problem: SectionProblem,
    },
    /// A function symbol does not fit its section.
    #[error("section `{section}`, function `{function}` at offset {offset:#x} ({size} bytes): {problem}")]
    Function {
        /// The section.
        section: String,
        /// The symbol.
        function: String,
        /// Bytes into the section.
        offset: u64,
        /// Bytes of the function.
        size: u64,
        /// What is wrong with it.
        problem: FunctionProblem,
    },
    /// A relocation cannot be understood.
    #[error("section `{section}`, relocation at offset {offset:#x} against `{symbol}`: {problem}")]
    Relocation {
        /// The section that is relocated.
        section: String,
        /// Bytes into it.
        offset: u64,
        /// The symbol, or the section it stands for.
        symbol: String,
        /// What is wrong with it.
        problem: RelocationProblem,
    },
    /// A map definition is wrong.
    #[error("map `{map}` (section `{section}`, offset {offset:#x}): {problem}")]
    Map {
        /// The map.
        map: String,
        /// The section of the definition.
        section: String,
        /// Bytes into it.
        offset: u64,
        /// What is wrong with it.
        problem: Box<MapProblem>,
    },
    /// An `extern` is wrong.
    #[error("extern `{name}`: {problem}")]
    Extern {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: ExternProblem,
    },
    /// A `DATASEC` does not fit the ELF section of its name.
    #[error("section `.BTF`, DATASEC `{section}`: {problem}")]
    Datasec {
        /// The section.
        section: String,
        /// What is wrong.
        problem: DatasecProblem,
    },
    /// There is no program of this name.
    #[error("no program `{name}`; the object has {}", list(.known))]
    NoProgram {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// There is no map of this name that the object defines.
    #[error("no map `{name}`; the object defines {}", list(.known))]
    NoMap {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A global variable cannot be found or set.
    #[error("global variable `{path}`: {problem}")]
    Global {
        /// What was asked for.
        path: String,
        /// What is wrong.
        problem: GlobalProblem,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) }
}

/// What is wrong with a section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SectionProblem {
    /// `version` is a 32-bit number.
    #[error("{0} bytes; a kernel version has 4")]
    VersionSize(u64),
    /// A license is a short string.
    #[error("the license is not UTF-8")]
    License,
    /// Maps of `.maps` are found through BTF.
    #[error("maps are defined here, but the object has no BTF with a DATASEC `.maps`")]
    MapsWithoutBtf,
    /// The definitions do not divide the section.
    #[error("{bytes} bytes do not hold {maps} map definitions of one size")]
    LegacySize {
        /// Bytes of the section.
        bytes: u64,
        /// Symbols in it.
        maps: usize,
    },
    /// Arena variables need an arena.
    #[error("variables of an arena, but no map of type arena")]
    NoArena,
    /// Arena variables do not fit the arena.
    #[error("{need} bytes of arena variables do not fit the arena of {have} bytes")]
    ArenaTooSmall {
        /// Bytes of the section.
        need: u64,
        /// Bytes of the arena.
        have: u64,
    },
    /// A section with variables is too large for a map value.
    #[error("{0} bytes are too many for a map value")]
    TooLarge(u64),
}

/// What is wrong with a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FunctionProblem {
    /// It leaves its section.
    #[error("leaves the section of {0} bytes")]
    OutOfSection(u64),
    /// Instructions are 8 bytes.
    #[error("offset and size must be multiples of 8, and the size not 0")]
    Unaligned,
    /// Functions beside programs must be global; static ones belong into `.text`.
    #[error("a static function in a section of programs (`Repairs::static_programs` takes it)")]
    Static,
    /// Two functions of the same place.
    #[error("overlaps the function before it")]
    Overlap,
}

/// What is wrong with a relocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelocationProblem {
    /// It is not at an instruction.
    #[error("not at an instruction")]
    NotAtInsn,
    /// Only calls and wide loads can be relocated.
    #[error("opcode {0:#04x} is neither a call nor a 64-bit load")]
    Opcode(u8),
    /// A wide load without a second slot.
    #[error("a 64-bit load without its second half")]
    HalfLoad,
    /// A call that is not one of a function of the object.
    #[error("the call has source field {0}: it is not a call of a function of the object (1)")]
    NotLocalCall(u8),
    /// A call to something that is no code.
    #[error("a call into section `{0}`, where no function is")]
    CallTarget(String),
    /// A function address that is none.
    #[error("no function begins at offset {0:#x}")]
    NoFunction(i64),
    /// No map begins there.
    #[error("no map is defined at offset {0:#x} of section `{1}`")]
    NoMap(u64, String),
    /// A section that programs cannot reach.
    #[error("section `{0}` holds neither maps, variables nor functions")]
    DataSection(String),
    /// An absolute or common symbol.
    #[error("symbol in the special section {0:#x}; is the variable initialised?")]
    Special(u32),
    /// Undefined, and not an `extern` that BTF describes.
    #[error("undefined, and no `extern` that BTF describes")]
    Undefined,
    /// `.maps`: the pointer lies in no map.
    #[error("no map has a `values` pointer there")]
    NoSlot,
    /// `.maps`: a map of maps holds maps that the object defines.
    #[error("not a map of the object")]
    SlotMap,
    /// `.maps`: a prog array holds entry programs.
    #[error("not an entry program of the object")]
    SlotProgram,
    /// `.maps`: a hash of maps has integer keys if it is filled.
    #[error("only a hash of maps with 4-byte keys can be filled, and its keys have {0}")]
    SlotKey(u32),
    /// Jump tables need a map type that is not modelled.
    #[error("jump tables (`.jumptables`, map type BPF_MAP_TYPE_INSN_ARRAY) are not modelled")]
    JumpTable,
}

/// What is wrong with a map definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapProblem {
    /// It leaves its section.
    #[error("leaves the section of {0} bytes")]
    OutOfSection(u64),
    /// It is not a struct variable.
    #[error("defined by a {0:?} instead of a global struct variable")]
    NotStruct(Kind),
    /// It is static or extern.
    #[error("must be a global variable")]
    Linkage,
    /// Its struct is larger than the variable.
    #[error("the struct is larger than the variable")]
    StructSize,
    /// A number attribute is a pointer to an array, whose length is the number.
    #[error("field `{0}` is not a pointer to an array (`__uint`) or an enum value (`__ulong`)")]
    NotNumber(String),
    /// `key` and `value` are pointers to the type.
    #[error("field `{0}` is not a pointer to a type")]
    NotPointer(String),
    /// A type without a size.
    #[error("field `{field}`: {error}")]
    Size {
        /// `key` or `value`.
        field: String,
        /// Why it has no size.
        error: BtfError,
    },
    /// Two sizes for the same thing.
    #[error("conflicting {0} sizes {1} and {2}")]
    Conflict(&'static str, u32, u32),
    /// `values` is last.
    #[error("`values` must be the last field")]
    ValuesNotLast,
    /// Only maps of maps and prog arrays have `values`.
    #[error("`values` is for maps of maps and prog arrays alone")]
    ValuesType,
    /// `values` is `typeof(..) *values[]`.
    #[error("`values` is not an array of unknown length of pointers to a {0}")]
    ValuesShape(&'static str),
    /// Maps of maps of maps.
    #[error("an inner map cannot have `{0}`")]
    Inner(&'static str),
    /// An unknown pinning.
    #[error("pinning {0} is neither LIBBPF_PIN_NONE (0) nor LIBBPF_PIN_BY_NAME (1)")]
    Pinning(u32),
    /// A field of no known attribute.
    #[error("unknown attribute `{0}`")]
    UnknownField(String),
    /// No type was given.
    #[error("no type given")]
    NoType,
    /// A type that this release does not know.
    #[error("map type {0} is unknown to this release")]
    UnknownType(u32),
    /// Two arenas.
    #[error("a second arena, beside `{0}`")]
    SecondArena(String),
    /// A map of maps whose template is not known.
    #[error("the inner map (`{0}`) is not in the object")]
    NoInner(String),
}

/// What is wrong with an `extern`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternProblem {
    /// BTF does not describe it.
    #[error("undefined symbol that BTF does not describe (failed to find BTF for extern)")]
    NoBtf,
    /// BTF describes something that is not an extern.
    #[error("undefined symbol, but BTF describes it as defined here")]
    NotExtern,
    /// It is in no `DATASEC`.
    #[error("BTF has it in no section (`__ksym` and `__kconfig` set one)")]
    NoSection,
    /// It is in a section that has no meaning for externs.
    #[error("section `{0}` is neither `.ksyms` nor `.kconfig`")]
    Section(String),
    /// A function cannot be a configuration value.
    #[error("a function in section `.kconfig`")]
    KconfigFunc,
    /// A type that no configuration value has.
    #[error("a configuration value cannot have this type ({0:?})")]
    KconfigType(Kind),
    /// More bytes than configurations have.
    #[error("a configuration value of {size} bytes: all of them together may have {most}")]
    KconfigSize {
        /// Bytes of this one.
        size: u32,
        /// Bytes of all.
        most: u32,
    },
    /// Its type has no size or alignment.
    #[error("{0}")]
    Size(BtfError),
    /// BTF's section names an extern that no symbol has.
    #[error("in BTF section `{0}`, but no symbol has this name")]
    NoSymbol(String),
}

/// What is wrong with a `DATASEC`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasecProblem {
    /// No such ELF section, or an empty one.
    #[error("no ELF section of this name has bytes")]
    NoSection,
    /// Not a variable.
    #[error("type {0} is not a variable")]
    NotVar(u32),
    /// A global variable without a symbol.
    #[error("no symbol for variable `{0}`")]
    NoSymbol(String),
}

/// What is wrong with a request about a global variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobalProblem {
    /// There is none.
    #[error("there is none; the object has {}", list(.0))]
    None(Vec<String>),
    /// Several sections have one.
    #[error("sections {} each have one", list(.0))]
    Ambiguous(Vec<String>),
    /// BTF has no size for it, or it leaves its section.
    #[error("it lies outside its section")]
    OutOfSection,
    /// It is read-only before load too.
    #[error("values of section `{0}` come from the target and cannot be set")]
    Fixed(String),
    /// The path leads nowhere, or the bytes are no value of the type.
    #[error(transparent)]
    Read(#[from] ValueError),
    /// The path leads nowhere, or the value does not fit.
    #[error(transparent)]
    Set(#[from] SetError),
}
