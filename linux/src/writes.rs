//! Fields of the kernel's structs that programs may write in place.
//!
//! Asked of Linux 6.18.

use skep_btf::{Btf, Kind, TypeId};

use crate::ProgType;
use crate::sets::ProgSet;

/// A field that programs may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writable {
    /// The struct that the field is in, such as `sock`, which begins where the struct that pointers are to begins.
    pub of: &'static str,
    /// The path of the field from there.
    pub field: &'static str,
    /// A write may begin anywhere in it, not only at its start.
    pub anywhere: bool,
}

/// What programs may write. A write ends in the field that it begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    /// The structs that pointers must be to. The kernel's messages name the first.
    pub through: &'static [&'static str],
    /// The fields.
    pub fields: &'static [Writable],
    /// The kernel says of a write that is refused where it is, and no more.
    pub brief: bool,
}

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// Nothing of the struct may be written.
    Struct,
    /// No field that may be written begins there.
    Nothing,
    /// The write goes beyond the field.
    Beyond {
        /// Where the field ends.
        end: u32,
    },
}

impl Writes {
    /// Nothing.
    pub const NONE: Writes = Writes { through: &[], fields: &[], brief: false };

    /// Whether `size` bytes at `offset` of the struct may be written.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, btf: &Btf, id: TypeId, offset: u32, size: u32) -> Result<(), Unwritable> {
        if !self.through.iter().any(|name| btf.find(name, Kind::Struct) == Some(id)) {
            return Err(Unwritable::Struct);
        }
        let found = self.fields.iter().find_map(|field| {
            let (start, end) = field.place(btf)?;
            let begins = if field.anywhere { (start..end).contains(&offset) } else { offset == start };
            begins.then_some(end)
        });
        match found {
            None => Err(Unwritable::Nothing),
            Some(end) if offset.saturating_add(size) > end => Err(Unwritable::Beyond { end }),
            Some(_) => Ok(()),
        }
    }
}

impl Writable {
    /// Where it begins and ends, in bytes.
    fn place(&self, btf: &Btf) -> Option<(u32, u32)> {
        let of = btf.find(self.of, Kind::Struct)?;
        let access = btf.walk(of, self.field).ok()?;
        let start = access.place.offset();
        Some((start, start + access.place.size(btf).ok()?))
    }
}

/// What programs of the networking core may write: the mark of a tracked connection.
const CONNECTION: Writes = Writes {
    through: &["nf_conn", "nf_conn___init"],
    fields: &[Writable { of: "nf_conn", field: "mark", anywhere: false }],
    brief: false,
};

/// What programs of a type may write, whatever they are attached to; `None` where the type has no such rule. Programs that implement
/// operations of a struct have the rule of that struct.
pub fn writes(prog: ProgType) -> Option<&'static Writes> {
    const NETWORKING: ProgSet = ProgSet::of(&[ProgType::SchedCls, ProgType::SchedAct, ProgType::Xdp]);
    NETWORKING.contains(prog).then_some(&CONNECTION)
}
