//! Kernel variables that wide loads name.

use skep_btf::{Btf, Kind, Type, TypeId};

use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Form;

/// What the address of a kernel variable is to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelVar {
    /// Memory of this size in bytes, read only; 0 for functions.
    Memory(u32),
    /// A BTF pointer to a struct of this type.
    Struct(TypeId),
    /// A per-CPU variable of this type.
    PerCpu(TypeId),
}

/// The kernel variables of a program by the slot that names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelVars {
    at: Vec<(u32, KernelVar)>,
}

impl KernelVars {
    /// The variable that the wide load in this slot names.
    pub fn get(&self, slot: usize) -> Option<KernelVar> {
        self.at.binary_search_by_key(&(slot as u32), |entry| entry.0).ok().map(|index| self.at[index].1)
    }

    /// Slots are added in their order.
    pub(super) fn add(&mut self, slot: usize, var: KernelVar) {
        self.at.push((slot as u32, var));
    }
}

/// The variable or function of this id in the kernel's types.
pub(super) fn find(setting: &Setting<'_>, id: i32) -> Result<KernelVar, Fault> {
    let Some(btf) = setting.vmlinux() else {
        return Err(Fault::not_modelled("variables of a kernel whose types are not known"));
    };
    let id = TypeId(id as u32);
    let var = match btf.get(id) {
        Some(Type::Var(var)) => var,
        Some(Type::Func(_)) => return Ok(KernelVar::Memory(0)),
        Some(_) => return Err(Form::VarKind(id.0 as i32).into()),
        None => return Err(Form::VarId(id.0 as i32).into()),
    };
    if !addresses_are_known(setting) {
        return Err(Form::VarAddress(var.name.to_owned()).into());
    }
    if is_per_cpu(btf, id) {
        return Ok(KernelVar::PerCpu(var.ty));
    }
    let ty = btf.resolve(var.ty);
    if let Some(Type::Struct(_) | Type::Union(_)) = btf.get(ty) {
        return Ok(KernelVar::Struct(var.ty));
    }
    match btf.size_of(ty) {
        Ok(size) => Ok(KernelVar::Memory(size)),
        Err(_) => Err(Form::VarSize(btf.name(ty).to_owned()).into()),
    }
}

/// The kernel finds addresses by name; one that is built to know functions alone has none of variables. Where nothing is known of its
/// configuration, it is taken to be one of those that people use.
fn addresses_are_known(setting: &Setting<'_>) -> bool {
    let is_set = |name| setting.target.config(name) == Some("y");
    is_set("CONFIG_KALLSYMS_ALL") || !is_set("CONFIG_KALLSYMS")
}

fn is_per_cpu(btf: &Btf, id: TypeId) -> bool {
    let section = btf.find(".data..percpu", Kind::Datasec);
    match section.and_then(|section| btf.get(section)) {
        Some(Type::Datasec(section)) => section.vars().any(|var| var.ty == id),
        _ => false,
    }
}
