//! What a loader changes in an object's BTF before the kernel takes it: facts that only the ELF file has, externs, and kinds that an
//! older kernel does not know.

use crate::build::{BtfBuilder, MemberDef, TypeDef};
use crate::{Btf, BtfError, IntEncoding, Kind, Linkage, SecVar, Type, TypeId};

/// The section of externs that hold kernel configuration.
pub const KCONFIG: &str = ".kconfig";
/// The section of externs that name kernel functions and variables.
pub const KSYMS: &str = ".ksyms";

/// The name of the variable that stands for functions in `.ksyms`, and of parameters that have none.
const DUMMY: &str = "dummy_ksym";

/// A variable as the ELF symbol table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarSymbol {
    /// Bytes from the start of its section.
    pub offset: u32,
    /// Whether its visibility is hidden or internal: it is not for other files, so its linkage becomes static.
    pub hidden: bool,
}

/// What the ELF file knows and BTF does not.
pub trait ElfFacts {
    /// The bytes of a section; `None` when there is none of that name.
    fn section_size(&self, name: &str) -> Option<u32>;
    /// The symbol of a global variable.
    fn variable(&self, name: &str) -> Option<VarSymbol>;
    /// Whether a global function is hidden: the verifier then checks it together with its callers.
    fn is_hidden_function(&self, name: &str) -> bool;
}

/// BTF that does not fit its ELF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixupError {
    /// A data section that the ELF file does not have, or that is empty there.
    #[error("BTF type {id}: the ELF file has no section `{name}` with data")]
    NoSection {
        /// The `DATASEC`.
        id: TypeId,
        /// Its name.
        name: String,
    },
    /// Something in a data section that is no variable.
    #[error("BTF type {id}: `{section}` holds type {ty} of kind {kind}, not a variable")]
    NotVariable {
        /// The `DATASEC`.
        id: TypeId,
        /// Its name.
        section: String,
        /// What it holds.
        ty: TypeId,
        /// Its kind.
        kind: Kind,
    },
    /// A global variable without a symbol.
    #[error("BTF type {id}: variable `{name}` of `{section}` has no symbol")]
    NoSymbol {
        /// The `DATASEC`.
        id: TypeId,
        /// Its name.
        section: String,
        /// The variable.
        name: String,
    },
    /// The types do not answer.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

/// Where an extern of `.kconfig` lies in the map that holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KconfigVar<'a> {
    /// The `VAR`.
    pub id: TypeId,
    /// Its name, such as `CONFIG_HZ`.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Bytes from the start of the map's value.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
}

/// The externs of `.kconfig` in the order of their offsets: by falling alignment, then by size, then by name.
///
/// # Errors
/// A variable whose type has no size.
pub fn kconfig_layout(btf: &Btf) -> Result<Vec<KconfigVar<'_>>, BtfError> {
    let Some(Type::Datasec(section)) = btf.find(KCONFIG, Kind::Datasec).and_then(|id| btf.get(id)) else {
        return Ok(Vec::new());
    };
    let mut vars = Vec::new();
    for place in section.vars() {
        if let Type::Var(var) = btf.ty(place.ty)? {
            let (align, size) = (btf.align_of(var.ty)?, btf.size_of(var.ty)?);
            vars.push((std::cmp::Reverse(align), size, var.name, var));
        }
    }
    vars.sort_by_key(|(align, size, name, _)| (*align, *size, *name));
    let mut end = 0u32;
    let mut laid = Vec::with_capacity(vars.len());
    for (align, size, name, var) in vars {
        let offset = end.checked_next_multiple_of(align.0).ok_or(BtfError::ArrayTooBig { id: section.id() })?;
        end = offset.checked_add(size).ok_or(BtfError::ArrayTooBig { id: section.id() })?;
        laid.push(KconfigVar { id: var.id, name, ty: var.ty, offset, size });
    }
    Ok(laid)
}

/// The object's BTF as a loader hands it to the kernel: sizes of sections and offsets of variables filled in, hidden variables and
/// functions made static, externs turned into variables.
///
/// # Errors
/// A section or variable that the ELF file does not have.
pub fn fix_up(btf: &Btf, elf: &dyn ElfFacts) -> Result<Btf, FixupError> {
    let mut builder = BtfBuilder::copy(btf);
    let externs = btf.own_ids().any(|id| is_extern_section(btf, id));
    let ksyms = btf.find(KSYMS, Kind::Datasec);
    if externs && let Some(ksyms) = ksyms {
        fix_ksyms(btf, ksyms, &mut builder)?;
    }
    if let Some(kconfig) = btf.find(KCONFIG, Kind::Datasec) {
        fix_kconfig(btf, kconfig, &mut builder)?;
    }
    for id in btf.own_ids() {
        match btf.ty(id)? {
            Type::Datasec(section) if !is_extern_section(btf, id) => fix_section(btf, section, elf, &mut builder)?,
            Type::Func(func) if func.linkage == Linkage::Global && elf.is_hidden_function(func.name) => {
                let def = TypeDef::Func { name: func.name.to_owned(), proto: func.proto, linkage: Linkage::Static };
                builder.replace(id, def)?;
            }
            _ => {}
        }
    }
    Ok(builder.build()?)
}

fn is_extern_section(btf: &Btf, id: TypeId) -> bool {
    btf.kind(id) == Kind::Datasec && matches!(btf.name(id), KCONFIG | KSYMS)
}

fn fix_section(btf: &Btf, section: crate::Datasec<'_>, elf: &dyn ElfFacts, builder: &mut BtfBuilder) -> Result<(), FixupError> {
    let (id, name) = (section.id(), section.name());
    let unsized_ = section.size() == 0;
    let size = match section.size() {
        0 => elf.section_size(name).filter(|size| *size != 0),
        size => Some(size),
    };
    let size = size.ok_or_else(|| FixupError::NoSection { id, name: name.to_owned() })?;
    let mut vars = Vec::with_capacity(section.vars().len());
    for mut place in section.vars() {
        let Type::Var(var) = btf.ty(place.ty)? else {
            let kind = btf.kind(place.ty);
            return Err(FixupError::NotVariable { id, section: name.to_owned(), ty: place.ty, kind });
        };
        if !matches!(var.linkage, Linkage::Static | Linkage::Extern) {
            let symbol = elf.variable(var.name).ok_or_else(|| FixupError::NoSymbol {
                id,
                section: name.to_owned(),
                name: var.name.to_owned(),
            })?;
            if unsized_ {
                place.offset = symbol.offset;
            }
            if symbol.hidden {
                let def = TypeDef::Var { name: var.name.to_owned(), ty: var.ty, linkage: Linkage::Static };
                builder.replace(var.id, def)?;
            }
        }
        vars.push(place);
    }
    vars.sort_by_key(|place| place.offset);
    builder.replace(id, TypeDef::Datasec { name: name.to_owned(), size, vars })?;
    Ok(())
}

/// Kernel symbols become 4-byte variables in a row; functions are stood for by one dummy variable.
fn fix_ksyms(btf: &Btf, id: TypeId, builder: &mut BtfBuilder) -> Result<(), FixupError> {
    let Type::Datasec(section) = btf.ty(id)? else { return Ok(()) };
    let is_int = |id: &TypeId| matches!(btf.get(*id), Some(Type::Int(int)) if int.size == 4 && int.bits == 32);
    let int = btf.ids().find(is_int);
    let int = int.unwrap_or_else(|| builder.int("int", 4, IntEncoding::Signed));
    let has_functions = section.vars().any(|place| btf.kind(place.ty) == Kind::Func);
    let dummy = match has_functions {
        true => builder.add(TypeDef::Var { name: DUMMY.to_owned(), ty: int, linkage: Linkage::Global }),
        false => TypeId::VOID,
    };
    let mut vars = Vec::with_capacity(section.vars().len());
    for (nth, place) in (0..).zip(section.vars()) {
        let ty = match btf.ty(place.ty)? {
            Type::Func(func) => {
                name_params(btf, func.proto, builder)?;
                let def = TypeDef::Func { name: func.name.to_owned(), proto: func.proto, linkage: Linkage::Global };
                builder.replace(func.id, def)?;
                dummy
            }
            Type::Var(var) => {
                builder.replace(var.id, TypeDef::Var { name: var.name.to_owned(), ty: int, linkage: Linkage::Global })?;
                var.id
            }
            _ => {
                let kind = btf.kind(place.ty);
                return Err(FixupError::NotVariable { id, section: KSYMS.to_owned(), ty: place.ty, kind });
            }
        };
        vars.push(SecVar { ty, offset: nth * 4, size: 4 });
    }
    let size = vars.len() as u32 * 4;
    builder.replace(id, TypeDef::Datasec { name: KSYMS.to_owned(), size, vars })?;
    Ok(())
}

/// The kernel wants every parameter of a function named; compilers leave those of externs out.
fn name_params(btf: &Btf, id: TypeId, builder: &mut BtfBuilder) -> Result<(), FixupError> {
    if let Some(TypeDef::FuncProto { ret, mut params }) = btf.definition(id) {
        for (name, ty) in &mut params {
            if name.is_empty() && !ty.is_void() {
                *name = DUMMY.to_owned();
            }
        }
        builder.replace(id, TypeDef::FuncProto { ret, params })?;
    }
    Ok(())
}

fn fix_kconfig(btf: &Btf, id: TypeId, builder: &mut BtfBuilder) -> Result<(), FixupError> {
    let Type::Datasec(section) = btf.ty(id)? else { return Ok(()) };
    let layout = kconfig_layout(btf)?;
    let size = layout.last().map_or(0, |last| last.offset + last.size);
    let mut vars = Vec::with_capacity(section.vars().len());
    for place in section.vars() {
        let Some(var) = layout.iter().find(|var| var.id == place.ty) else {
            let kind = btf.kind(place.ty);
            return Err(FixupError::NotVariable { id, section: KCONFIG.to_owned(), ty: place.ty, kind });
        };
        builder.replace(var.id, TypeDef::Var { name: var.name.to_owned(), ty: var.ty, linkage: Linkage::Global })?;
        vars.push(SecVar { offset: var.offset, ..place });
    }
    vars.sort_by_key(|place| place.offset);
    builder.replace(id, TypeDef::Datasec { name: KCONFIG.to_owned(), size, vars })?;
    Ok(())
}

/// The kinds, of those that came after the first BTF, that a kernel knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each field is the kind, or the linkage of functions, that it names
pub struct Kinds {
    pub func: bool,
    pub global_func: bool,
    pub datasec: bool,
    pub float: bool,
    pub decl_tag: bool,
    pub type_tag: bool,
    pub enum64: bool,
}

impl Kinds {
    /// Everything that Linux 6.18 knows.
    pub const ALL: Kinds =
        Kinds { func: true, global_func: true, datasec: true, float: true, decl_tag: true, type_tag: true, enum64: true };
}

/// A copy in which kinds that a kernel does not know are others that it knows, of the same size and under the same ids: a variable an
/// integer, a data section and a floating-point number a struct, a function a typedef, a prototype an enum, a declaration tag an integer,
/// a type tag `const`, a 64-bit enum a union.
///
/// # Errors
/// As [`Btf::parse`].
pub fn replace_kinds(btf: &Btf, known: Kinds) -> Result<Btf, BtfError> {
    let mut builder = BtfBuilder::copy(btf);
    let mut filler = None;
    for id in btf.own_ids() {
        let byte = |builder: &mut BtfBuilder, filler: &mut Option<TypeId>| {
            *filler.get_or_insert_with(|| builder.int("__u8", 1, IntEncoding::Unsigned))
        };
        let def = match btf.ty(id)? {
            Type::Var(_) if !known.datasec => small_int(1),
            Type::Datasec(section) if !known.datasec => {
                let member = |place: SecVar| MemberDef::new(btf.name(place.ty), place.ty, place.offset);
                let name = section.name().replace(['.', '?', '-', '$'], "_");
                TypeDef::Struct { name, size: section.size(), members: section.vars().map(member).collect() }
            }
            Type::FuncProto(proto) if !known.func => {
                // An enum's values have the records of parameters: a name and a number.
                let values = proto.raw_params().map(|p| (p.name.to_owned(), p.ty.0 as i32)).collect();
                TypeDef::Enum { name: String::new(), size: 4, signed: false, values }
            }
            Type::Func(func) if !known.func => TypeDef::Typedef { name: func.name.to_owned(), to: func.proto },
            Type::Func(func) if !known.global_func && func.linkage == Linkage::Global => {
                TypeDef::Func { name: func.name.to_owned(), proto: func.proto, linkage: Linkage::Static }
            }
            Type::Float(float) if !known.float => TypeDef::Struct { name: String::new(), size: float.size, members: Vec::new() },
            Type::DeclTag(_) if !known.decl_tag => small_int(1),
            Type::TypeTag(tag) if !known.type_tag => TypeDef::Const { to: tag.to },
            Type::Enum(e) if e.is_64() && !known.enum64 => {
                let ty = byte(&mut builder, &mut filler);
                let members = e.values().map(|v| MemberDef::new(v.name, ty, 0)).collect();
                TypeDef::Union { name: e.name().to_owned(), size: e.size(), members }
            }
            _ => continue,
        };
        builder.replace(id, def)?;
    }
    builder.build()
}

/// A number in the place of something that has no size.
fn small_int(size: u32) -> TypeDef {
    TypeDef::Int { name: "__skep".to_owned(), size, bits: (size * 8) as u8, bit_offset: 0, encoding: IntEncoding::Unsigned }
}
