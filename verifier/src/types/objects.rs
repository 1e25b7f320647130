//! Objects that programs allocate or cast to: what type ids that are handed to kernel functions mean.

use skep_btf::{Btf, Kind, Type, TypeId};

use super::func_args::kernel_context;
use super::record::Metas;
use super::{Flags, is_composite, kfunc_args};
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// The most bytes of an object of which each CPU has its own.
const PERCPU_MAX: u32 = 512;

/// Whether a program may allocate an object of the type with this id, given as a 64-bit number; `percpu` for one that each CPU has. Its id,
/// in the program's types.
///
/// # Errors
/// Why not, in the kernel's words.
pub fn allocated(setting: &Setting<'_>, metas: &Metas, id: u64, percpu: bool) -> Result<TypeId, Fault> {
    let id = u32::try_from(id).map_err(|_| Types::LocalTypeId)?;
    let btf = setting.program.btf.as_deref().ok_or(Types::LocalTypes)?;
    let id = TypeId(id);
    let Some(Type::Struct(s)) = btf.get(id) else { return Err(Types::LocalStruct.into()) };
    if percpu {
        if s.size() > PERCPU_MAX {
            return Err(Types::PercpuSize { size: s.size(), most: PERCPU_MAX }.into());
        }
        if !kfunc_args::is_scalar_struct(btf, id) {
            return Err(Types::PercpuScalars.into());
        }
        if metas.get(id).is_some() {
            return Err(Types::PercpuFields.into());
        }
    }
    Ok(id)
}

/// What a cast to a type of the kernel gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A pointer to the struct, with these marks.
    Struct(TypeId, Flags),
    /// Memory of unknown size that may be read with guarded loads.
    Memory,
}

/// What a cast of a pointer to the type with this id gives.
///
/// # Errors
/// An id that is none, a type that is neither a struct nor `void`.
pub fn cast(btf: &Btf, id: u64) -> Result<Cast, Fault> {
    // The kernel looks at the low half alone.
    let known = Some(TypeId(id as u32)).filter(|id| btf.get(*id).is_some());
    match known {
        None => Err(Types::CastUnknown(id as i64).into()),
        Some(id) if is_composite(btf, id) => Ok(Cast::Struct(id, Flags::UNTRUSTED)),
        Some(id) if btf.kind(id) == Kind::Void => Ok(Cast::Memory),
        Some(_) => Err(Types::CastKind.into()),
    }
}

/// The kernel's own struct of the context of programs of this type, which is trusted.
///
/// # Errors
/// Programs whose context is no struct.
pub fn kernel_struct_of_context(setting: &Setting<'_>) -> Result<TypeId, Fault> {
    let Some((btf, id)) = kernel_context(setting.target, setting.prog_type()) else {
        return Err(Fault::not_modelled("contexts of a kernel whose types are not known"));
    };
    if is_composite(btf, id) { Ok(id) } else { Err(Types::ContextNoStruct(id.0).into()) }
}
