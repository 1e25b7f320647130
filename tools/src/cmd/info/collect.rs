//! What there is to say of an object.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use skep::{Instance, MapDef, Object, Program, Target};
use skep_btf::TypeId;
use skep_isa::{Callee, Code, Insn};
use skep_linux::HelperNames;
use skep_object::{ExternClass, Linker, Named, ProgramRef};

use crate::names;

/// An object.
#[derive(Debug, Serialize)]
pub(super) struct Info {
    pub(super) object: String,
    pub(super) license: String,
    /// The kernel that the answers are for.
    pub(super) target: String,
    /// Number of types in `.BTF`; absent if there is none.
    pub(super) types: Option<u32>,
    pub(super) programs: Vec<ProgramInfo>,
    pub(super) maps: Vec<MapInfo>,
    pub(super) globals: Vec<GlobalInfo>,
    pub(super) externs: Vec<ExternInfo>,
    pub(super) struct_ops: Vec<StructOpsInfo>,
}

/// A program.
#[derive(Debug, Serialize)]
pub(super) struct ProgramInfo {
    pub(super) name: String,
    pub(super) section: String,
    /// `xdp`, `sched_cls`; absent for sections that no loader knows.
    pub(super) prog_type: Option<String>,
    pub(super) attach_type: Option<&'static str>,
    /// What the section says it attaches to.
    pub(super) attach_to: Option<String>,
    /// Whether loaders load it without being asked to.
    pub(super) autoload: bool,
    /// Instruction slots, with those of the subprograms it reaches.
    pub(super) slots: usize,
    pub(super) functions: Vec<String>,
    pub(super) helpers: Vec<String>,
    pub(super) kfuncs: Vec<String>,
    pub(super) maps: Vec<String>,
    pub(super) relocations: Vec<RelocationInfo>,
    /// Whether skep can run it.
    pub(super) runs: bool,
    /// What stands in the way, if it cannot.
    pub(super) missing: Vec<String>,
}

/// A relocation.
#[derive(Debug, Serialize)]
pub(super) struct RelocationInfo {
    pub(super) function: String,
    pub(super) slot: usize,
    /// `map`, `variable`, `extern`, `call`, `function`, `core`.
    pub(super) kind: &'static str,
    pub(super) names: String,
}

/// A map.
#[derive(Debug, Serialize)]
pub(super) struct MapInfo {
    pub(super) name: String,
    /// The section whose variables it holds.
    pub(super) section: Option<String>,
    pub(super) map_type: String,
    pub(super) key_size: u32,
    pub(super) key_type: Option<String>,
    pub(super) value_size: u32,
    pub(super) value_type: Option<String>,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
    pub(super) pinned: bool,
    /// Template of the inner maps.
    pub(super) inner: Option<String>,
}

/// A global variable.
#[derive(Debug, Serialize)]
pub(super) struct GlobalInfo {
    pub(super) name: String,
    pub(super) section: String,
    pub(super) type_name: String,
    pub(super) size: u32,
    pub(super) read_only: bool,
    /// Its value at load, as text.
    pub(super) value: Option<String>,
}

/// An extern.
#[derive(Debug, Serialize)]
pub(super) struct ExternInfo {
    pub(super) name: String,
    /// `kconfig`, `kfunc`, `ksym`, `address`.
    pub(super) kind: &'static str,
    pub(super) weak: bool,
}

/// A struct_ops variable.
#[derive(Debug, Serialize)]
pub(super) struct StructOpsInfo {
    pub(super) name: String,
    pub(super) struct_name: String,
    /// Member and program.
    pub(super) members: Vec<(String, String)>,
}

/// All of it.
pub(super) fn info(object: &Object, path: &Path, target: &Target) -> Info {
    let mut linker = Linker::new(object, target);
    Info {
        object: path.display().to_string(),
        license: object.license().to_owned(),
        target: format!("Linux {} {}", target.release, target.arch),
        types: object.btf().map(|btf| btf.len()),
        programs: object.programs().map(|found| program(object, found, &mut linker, target)).collect(),
        maps: object.maps().map(|def| map(def)).collect(),
        globals: globals(object),
        externs: object.externs().map(|found| extern_info(found.name, found.kind, found.weak)).collect(),
        struct_ops: object.struct_ops().iter().map(struct_ops).collect(),
    }
}

fn struct_ops(found: &skep_object::StructOps) -> StructOpsInfo {
    StructOpsInfo { name: found.name.clone(), struct_name: found.struct_name.clone(), members: found.members.clone() }
}

fn extern_info(name: &str, kind: ExternClass, weak: bool) -> ExternInfo {
    let kind = match kind {
        ExternClass::Kconfig => "kconfig",
        ExternClass::Kfunc => "kfunc",
        ExternClass::Ksym => "ksym",
        ExternClass::Address => "address",
    };
    ExternInfo { name: name.to_owned(), kind, weak }
}

fn globals(object: &Object) -> Vec<GlobalInfo> {
    let Some(btf) = object.btf() else { return Vec::new() };
    let one = |var: skep_object::Global<'_>| GlobalInfo {
        name: var.name.to_owned(),
        section: var.section.to_owned(),
        type_name: names::type_name(btf, var.ty),
        size: var.size,
        read_only: var.read_only,
        value: object.global(var.name).ok().map(|value| value.to_string()),
    };
    object.globals().map(one).collect()
}

fn map(def: &MapDef) -> MapInfo {
    let type_name = |id: u32| match (&def.btf, id) {
        (None, _) | (_, 0) => None,
        (Some(btf), id) => Some(names::type_name(btf, TypeId(id))),
    };
    MapInfo {
        name: def.name.clone(),
        section: def.section.clone(),
        map_type: names::map_type(def.map_type),
        key_size: def.key_size,
        key_type: type_name(def.key_type_id),
        value_size: def.value_size,
        value_type: type_name(def.value_type_id),
        max_entries: def.max_entries,
        flags: def.flags,
        pinned: def.pinning != 0,
        inner: def.inner.as_ref().map(|inner| names::map_type(inner.map_type)),
    }
}

fn relocations(found: ProgramRef<'_>) -> Vec<RelocationInfo> {
    let one = |relocation: skep_object::Relocation<'_>| {
        let (kind, names) = match relocation.names {
            Named::Map(name) => ("map", name.to_owned()),
            Named::Variable { section, offset } => ("variable", format!("{section}+{offset}")),
            Named::Extern(name) => ("extern", name.to_owned()),
            Named::Call(name) => ("call", name.to_owned()),
            Named::Function(name) => ("function", name.to_owned()),
            Named::Core { text, .. } => ("core", text),
            Named::Nowhere => ("call", "no function".to_owned()),
        };
        RelocationInfo { function: relocation.function.to_owned(), slot: relocation.slot, kind, names }
    };
    found.relocations().into_iter().map(one).collect()
}

/// What the calls of a program go to.
#[derive(Default)]
struct Calls {
    helpers: BTreeSet<String>,
    kfuncs: BTreeSet<String>,
    /// Those that skep has no body of.
    missing: BTreeSet<String>,
}

fn calls(program: &Program) -> Calls {
    let mut calls = Calls::default();
    for (_, insn) in Code::decode_each(&program.insns).iter() {
        let Insn::Call(callee) = insn else { continue };
        match callee {
            Callee::Helper(id) => {
                let name = skep_isa::Names::helper(&HelperNames, id);
                let name = name.map_or_else(|| format!("helper {id}"), |name| name.into_owned());
                // Numbers of no helper are calls that CO-RE poisoned: code that is never reached.
                let known = u32::try_from(id).ok().filter(|id| skep_linux::helper(*id).is_some());
                let Some(id) = known else { continue };
                if skep_helpers::helper(id).is_none() {
                    calls.missing.insert(name.clone());
                }
                calls.helpers.insert(name);
            }
            Callee::Kfunc { id, .. } => {
                let Some(kfunc) = program.kfuncs.iter().find(|kfunc| kfunc.id == id) else { continue };
                if kfunc.present && skep_helpers::kfunc(&kfunc.name).is_none() {
                    calls.missing.insert(kfunc.name.clone());
                }
                calls.kfuncs.insert(kfunc.name.clone());
            }
            Callee::Local(_) | Callee::Reg(_) => {}
        }
    }
    calls
}

/// What keeps an instance of the program from being made.
fn obstacle(object: &Object, program: &str, target: &Target) -> Option<String> {
    match Instance::builder(target.clone()).object_programs(object, &[program]) {
        Ok(builder) => builder.build().err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

fn program<'a>(object: &Object, found: ProgramRef<'a>, linker: &mut Linker<'a>, target: &Target) -> ProgramInfo {
    let row = found.section_match();
    let mut info = ProgramInfo {
        name: found.name().to_owned(),
        section: found.section().to_owned(),
        prog_type: found.prog_type().map(names::prog_type),
        attach_type: row.and_then(|found| found.row.attach_type).map(|attach| attach.name()),
        attach_to: row.map(|found| found.rest.to_owned()).filter(|rest| !rest.is_empty()),
        autoload: found.autoload(),
        slots: found.len(),
        functions: Vec::new(),
        helpers: Vec::new(),
        kfuncs: Vec::new(),
        maps: Vec::new(),
        relocations: relocations(found),
        runs: false,
        missing: Vec::new(),
    };
    let program = match found.relocate_in(linker) {
        Ok(program) => program,
        Err(error) => {
            info.missing.push(error.to_string());
            return info;
        }
    };
    let calls = calls(&program);
    info.slots = program.insns.len();
    info.functions = program.funcs.iter().skip(1).map(|func| func.name.clone()).collect();
    info.maps = program.maps.iter().map(|def| def.section.clone().unwrap_or_else(|| def.name.clone())).collect();
    info.helpers = calls.helpers.into_iter().collect();
    info.kfuncs = calls.kfuncs.into_iter().collect();
    info.missing = calls.missing.into_iter().map(|name| format!("`{name}` is not simulated")).collect();
    if info.missing.is_empty() {
        info.missing.extend(obstacle(object, found.name(), target));
    }
    info.runs = info.missing.is_empty();
    info
}
