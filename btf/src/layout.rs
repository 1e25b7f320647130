//! Sizes and alignments.

use std::collections::HashMap;

use crate::{Btf, BtfError, Composite, Kind, Type, TypeId};

/// Bytes of a pointer.
pub(crate) const POINTER_SIZE: u32 = 8;

impl Btf {
    /// The bytes that a value of the type takes.
    ///
    /// # Errors
    /// An id out of range, a type without a size, an array whose size does not fit in 32 bits.
    pub fn size_of(&self, id: TypeId) -> Result<u32, BtfError> {
        let mut elements = 1u32;
        let mut at = id;
        loop {
            let kind = self.kind(at);
            let size = match self.ty(at)? {
                Type::Int(int) => int.size,
                Type::Ptr(_) => POINTER_SIZE,
                Type::Struct(composite) | Type::Union(composite) => composite.size(),
                Type::Enum(e) => e.size(),
                Type::Float(float) => float.size,
                Type::Datasec(section) => section.size(),
                Type::Array(array) => {
                    elements = elements.checked_mul(array.count).ok_or(BtfError::ArrayTooBig { id })?;
                    at = array.element;
                    continue;
                }
                Type::Typedef(tag) | Type::TypeTag(tag) => {
                    at = tag.to;
                    continue;
                }
                Type::Volatile(to) | Type::Const(to) | Type::Restrict(to) => {
                    at = to.to;
                    continue;
                }
                Type::Var(var) => {
                    at = var.ty;
                    continue;
                }
                Type::Void | Type::Fwd(_) | Type::Func(_) | Type::FuncProto(_) | Type::DeclTag(_) => {
                    return Err(BtfError::NoSize { id, kind });
                }
            };
            return elements.checked_mul(size).ok_or(BtfError::ArrayTooBig { id });
        }
    }

    /// The alignment in bytes that C gives the type on a 64-bit machine: 1 for a struct whose members show that it is packed.
    ///
    /// # Errors
    /// As [`Btf::size_of`].
    pub fn align_of(&self, id: TypeId) -> Result<u32, BtfError> {
        self.align_with(id, &mut HashMap::new())
    }

    pub(crate) fn align_with(&self, id: TypeId, known: &mut HashMap<TypeId, u32>) -> Result<u32, BtfError> {
        let mut at = id;
        loop {
            let kind = self.kind(at);
            let size = match self.ty(at)? {
                Type::Int(int) => int.size,
                Type::Ptr(_) => POINTER_SIZE,
                Type::Enum(e) => e.size(),
                Type::Float(float) => float.size,
                Type::Struct(composite) | Type::Union(composite) => return self.align_composite(composite, known),
                Type::Array(array) => {
                    at = array.element;
                    continue;
                }
                Type::Typedef(tag) | Type::TypeTag(tag) => {
                    at = tag.to;
                    continue;
                }
                Type::Volatile(to) | Type::Const(to) | Type::Restrict(to) => {
                    at = to.to;
                    continue;
                }
                Type::Var(var) => {
                    at = var.ty;
                    continue;
                }
                Type::Void | Type::Fwd(_) | Type::Func(_) | Type::FuncProto(_) | Type::DeclTag(_) | Type::Datasec(_) => {
                    return Err(BtfError::NoSize { id, kind });
                }
            };
            return Ok(natural_alignment(size));
        }
    }

    /// Recursion is as deep as types nest, which the parser bounds; each struct is worked out once.
    fn align_composite(&self, composite: Composite<'_>, known: &mut HashMap<TypeId, u32>) -> Result<u32, BtfError> {
        if let Some(align) = known.get(&composite.id()) {
            return Ok(*align);
        }
        let mut most = 1;
        let mut packed = false;
        for member in composite.members() {
            let align = self.align_with(member.ty, known)?;
            most = most.max(align);
            packed |= member.bitfield.is_none() && member.bit_offset % (8 * align) != 0;
        }
        packed |= !composite.size().is_multiple_of(most);
        let align = if packed { 1 } else { most };
        known.insert(composite.id(), align);
        Ok(align)
    }

    /// Whether a member type is an array at the end of a struct whose length C leaves open (`x[]` or `x[0]`).
    pub fn is_flexible_array(&self, id: TypeId) -> bool {
        let id = self.resolve(id);
        self.kind(id) == Kind::Array && matches!(self.get(id), Some(Type::Array(array)) if array.count == 0)
    }
}

/// Scalars are aligned to their size up to 8 bytes; 16-byte integers to 16.
fn natural_alignment(size: u32) -> u32 {
    match size {
        0 => 1,
        s if s >= 16 => 16,
        s if s.is_power_of_two() => s,
        s => s.next_power_of_two() / 2,
    }
}
