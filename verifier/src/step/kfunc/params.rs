//! What the kernel's types say of a parameter of a kernel function.

use skep_btf::{Btf, Kind, Param, Type, TypeId};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A number of so many bytes.
    Scalar(u32),
    /// A pointer to this type, behind aliases.
    Pointer(TypeId),
    /// Anything else.
    Other(&'static str),
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Shape,
}

impl<'a> Parameter<'a> {
    pub(super) fn new(btf: &Btf, param: Param<'a>) -> Parameter<'a> {
        let id = btf.resolve(param.ty);
        let shape = match btf.get(id) {
            Some(Type::Int(int)) => Shape::Scalar(int.size),
            Some(Type::Enum(e)) => Shape::Scalar(e.size()),
            Some(Type::Ptr(to)) => Shape::Pointer(btf.resolve(to.to)),
            _other => Shape::Other(kind_word(btf, id)),
        };
        Parameter { name: param.name, shape }
    }

    /// Whether its name says so: what is before the suffix must not be empty.
    pub(super) fn has(&self, suffix: &str) -> bool {
        self.name.len() > suffix.len() && self.name.ends_with(suffix)
    }

    /// Its name says that it is the number of bytes of the memory that the parameter before it points to.
    pub(super) fn is_size(&self) -> bool {
        matches!(self.shape, Shape::Scalar(_)) && (self.has("__sz") || self.has("__szk"))
    }

    /// The struct that it points to has this name in the kernel.
    pub(super) fn points_to(&self, btf: &Btf, name: &str) -> bool {
        match self.shape {
            Shape::Pointer(to) => btf.kind(to) == Kind::Struct && btf.name(to) == name,
            Shape::Scalar(_) | Shape::Other(_) => false,
        }
    }
}

/// How messages call the kind of a type.
pub(super) fn kind_word(btf: &Btf, id: TypeId) -> &'static str {
    match btf.kind(id) {
        Kind::Void => "UNKNOWN",
        kind => kind.name(),
    }
}

/// A number of any kind.
pub(super) fn is_scalar(btf: &Btf, id: TypeId) -> bool {
    matches!(btf.get(id), Some(Type::Int(_) | Type::Enum(_)))
}

/// A struct of numbers alone, and of such structs to a depth of four.
pub(super) fn is_scalar_struct(btf: &Btf, id: TypeId, depth: u32) -> bool {
    const DEEPEST: u32 = 3;
    let (Some(Type::Struct(within)) | Some(Type::Union(within))) = btf.get(id) else { return false };
    within.members().all(|member| {
        let ty = btf.resolve(member.ty);
        match btf.get(ty) {
            Some(Type::Struct(_) | Type::Union(_)) => depth < DEEPEST && is_scalar_struct(btf, ty, depth + 1),
            Some(Type::Array(array)) => array.count != 0 && is_scalar(btf, btf.resolve(array.element)),
            _other => is_scalar(btf, ty),
        }
    })
}
