//! Struct_ops: kernel structs of functions that an object fills in.

use std::collections::HashMap;

use skep_btf::{Btf, Kind, Type, TypeId};

use crate::elf::{Elf, Place};
use crate::error::{ObjectError, RelocationProblem};
use crate::fixup::datasecs;
use crate::functions::{self, Function};

/// A variable in a section `.struct_ops`: a kernel struct whose functions are programs of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructOps {
    /// The variable.
    pub name: String,
    /// The struct, such as `tcp_congestion_ops`.
    pub struct_name: String,
    /// The struct in the object's types.
    pub type_id: TypeId,
    /// Whether it is attached by a link (`.struct_ops.link`).
    pub link: bool,
    /// Whether loaders create it without being asked to: its section has no leading `?`.
    pub autocreate: bool,
    /// Its bytes, with 0 where programs are named.
    pub bytes: Vec<u8>,
    /// Members that are programs: name of the member, name of the program.
    pub members: Vec<(String, String)>,
}

const SECTIONS: [&str; 4] = [".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"];

/// Names of the members that are pointers, by their offset, for each struct.
type Pointers<'a> = HashMap<TypeId, HashMap<u64, &'a str>>;

fn pointers(btf: &Btf, structure: TypeId) -> HashMap<u64, &str> {
    let Some(Type::Struct(s)) = btf.get(structure) else { return HashMap::new() };
    let plain = s.members().filter(|m| m.bitfield.is_none() && btf.kind(btf.resolve(m.ty)) == Kind::Ptr);
    plain.map(|m| (u64::from(m.bit_offset / 8), m.name)).collect()
}

/// Which member of which variable lies at an offset.
fn member_at<'a>(btf: &'a Btf, ops: &[(u32, StructOps)], known: &mut Pointers<'a>, offset: u64) -> Option<(usize, String)> {
    let index = ops.partition_point(|(start, _)| u64::from(*start) <= offset).checked_sub(1)?;
    let (start, found) = &ops[index];
    let members = known.entry(found.type_id).or_insert_with(|| pointers(btf, found.type_id));
    let name = members.get(&(offset - u64::from(*start)))?;
    Some((index, (*name).to_owned()))
}

pub(crate) fn collect(elf: &Elf<'_>, btf: Option<&Btf>, functions: &[Function]) -> Result<Vec<StructOps>, ObjectError> {
    let mut all = Vec::new();
    let Some(btf) = btf else { return Ok(all) };
    for name in SECTIONS {
        let (Some(section), Some(datasec)) = (elf.section(name), datasecs(btf).find(|s| s.name() == name)) else { continue };
        let mut ops: Vec<(u32, StructOps)> = Vec::new();
        for var in datasec.vars() {
            let Some(ty) = btf.referred(var.ty).map(|ty| btf.resolve(ty)) else { continue };
            let start = var.offset as usize;
            let bytes = section.data.get(start..start.saturating_add(var.size as usize)).unwrap_or_default().to_vec();
            ops.push((
                var.offset,
                StructOps {
                    name: btf.name(var.ty).to_owned(),
                    struct_name: btf.name(ty).to_owned(),
                    type_id: ty,
                    link: name.ends_with(".link"),
                    autocreate: !name.starts_with('?'),
                    bytes,
                    members: Vec::new(),
                },
            ));
        }
        let mut known = Pointers::new();
        for table in elf.relocations_of(section.index) {
            for reloc in elf.relocations(table)? {
                let symbol = &elf.symbols[reloc.symbol];
                let error = |problem| ObjectError::Relocation {
                    section: name.to_owned(),
                    offset: reloc.offset,
                    symbol: elf.symbol_name(symbol).to_owned(),
                    problem,
                };
                let (index, member) =
                    member_at(btf, &ops, &mut known, reloc.offset).ok_or_else(|| error(RelocationProblem::NoSlot))?;
                let Place::Section(code) = symbol.place else { return Err(error(RelocationProblem::SlotProgram)) };
                let program = functions::starting_at(functions, code, (symbol.value / 8) as i64);
                let program =
                    program.filter(|_| symbol.value.is_multiple_of(8)).ok_or_else(|| error(RelocationProblem::SlotProgram))?;
                ops[index].1.members.push((member, functions[program].name.clone()));
            }
        }
        all.extend(ops.into_iter().map(|(_, ops)| ops));
    }
    Ok(all)
}
