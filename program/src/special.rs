//! Fields of map values, and of objects that programs allocate, that mean more to the kernel than bytes: locks, timers, kernel pointers, roots of lists and trees.
//!
//! The rule is the kernel's: fields are found by the name of their struct, in structs and arrays of structs inside of the value too, but not
//! behind typedefs or in unions; pointers by their type tag.

use crate::{SpecialField, SpecialKind};
use skep_btf::{Btf, Type, TypeId};
use skep_linux::special::{Mark, SPECIAL, SpecialRow};

/// One more than the fields a value may have (11), so that too many are seen as such.
const MOST: usize = 12;
/// How deep structs are searched.
const MAX_DEPTH: u32 = 32;

/// The row of the struct of this name, if it means something in a map value: nodes of lists and trees are plain bytes there.
fn in_values(name: &str) -> Option<&'static SpecialRow> {
    let found = SPECIAL.iter().find(|row| matches!(row.mark, Mark::Struct(struct_name) if struct_name == name))?;
    (!matches!(found.kind, SpecialKind::ListNode | SpecialKind::RbNode)).then_some(found)
}

struct Search<'a> {
    btf: &'a Btf,
    found: Vec<SpecialField>,
    /// Members looked at: bounds the work on types that nest widely.
    steps: u32,
}

const MAX_STEPS: u32 = 10_000;

impl Search<'_> {
    fn full(&mut self) -> bool {
        self.steps += 1;
        self.found.len() >= MOST || self.steps > MAX_STEPS
    }

    fn tagged_pointer(&self, id: TypeId) -> Option<&'static SpecialRow> {
        let id = match self.btf.get(id)? {
            Type::Volatile(inner) => inner.to,
            _ => id,
        };
        let Type::Ptr(pointer) = self.btf.get(id)? else { return None };
        let Type::TypeTag(tag) = self.btf.get(pointer.to)? else { return None };
        SPECIAL.iter().find(|row| matches!(row.mark, Mark::Tag(name) if name == tag.name))
    }

    /// A variable or member at an offset; `size` is what a section says of its bytes.
    fn field(&mut self, id: TypeId, offset: u32, size: Option<u32>, depth: u32) {
        let (mut id, mut count) = (id, 1u32);
        while let Some(Type::Array(array)) = self.btf.get(id) {
            count = count.saturating_mul(array.count);
            id = array.element;
        }
        if count == 0 || self.full() {
            return;
        }
        let fits = |bytes: u32| size.is_none_or(|size| size == bytes.saturating_mul(count));
        let structure = match self.btf.get(id) {
            Some(Type::Struct(s)) => Some(s),
            _ => None,
        };
        let row = match &structure {
            Some(s) => in_values(s.name()),
            None => self.tagged_pointer(id),
        };
        if let Some(row) = row {
            let whole = structure.is_none_or(|s| s.size() == row.size);
            if whole && fits(row.size) && offset.is_multiple_of(row.align) {
                self.repeat(SpecialField { kind: row.kind, offset, size: row.size }, count, row.size);
            }
            return;
        }
        if let Some(s) = structure
            && fits(s.size())
            && depth < MAX_DEPTH
        {
            let first = self.found.len();
            for member in s.members().filter(|member| member.bitfield.is_none()) {
                self.field(member.ty, offset.saturating_add(member.bit_offset / 8), None, depth + 1);
            }
            for field in self.found.split_off(first) {
                self.repeat(field, count, s.size());
            }
        }
    }

    fn repeat(&mut self, field: SpecialField, count: u32, stride: u32) {
        for nth in 0..count {
            if self.found.len() >= MOST {
                return;
            }
            let offset = field.offset.saturating_add(nth.saturating_mul(stride));
            self.found.push(SpecialField { offset, ..field });
        }
    }
}

/// The special fields of a value of this type (a struct, or a section of variables), by offset; at most 12.
pub fn special_fields(btf: &Btf, id: TypeId) -> Vec<SpecialField> {
    let mut search = Search { btf, found: Vec::new(), steps: 0 };
    match btf.get(id) {
        Some(Type::Struct(s)) => {
            for member in s.members().filter(|member| member.bitfield.is_none()) {
                search.field(member.ty, member.bit_offset / 8, None, 0);
            }
        }
        Some(Type::Datasec(section)) => {
            for var in section.vars() {
                if let Some(ty) = btf.referred(var.ty) {
                    search.field(ty, var.offset, Some(var.size), 0);
                }
            }
        }
        _ => {}
    }
    search.found.sort_by_key(|field| field.offset);
    search.found
}
