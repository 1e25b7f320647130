//! From a file to programs that can be checked.

use std::path::Path;

use skep::{Object, Options, Program, Repairs, Target};
use skep_object::{GlobalProblem, Linker, Named, ObjectError, ProgramRef, Relocation};

use super::args::Args;
use crate::exit::Failure;
use crate::names;

/// A program of an object, made for the target.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) object: String,
    pub(super) section: String,
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) prog_type: Option<String>,
    /// Or why no loader could make it.
    pub(super) program: Result<Program, String>,
    /// CO-RE relocations without an answer, by slot of the program.
    pub(super) relocations: Vec<(usize, String)>,
}

/// The programs of an object, and which of the variables of `--global` it has.
pub(super) fn programs(path: &Path, args: &Args, target: &Target) -> Result<(Vec<Made>, Vec<bool>), Failure> {
    let shown = path.display().to_string();
    let repairs = if args.repair { Repairs::ALL } else { Repairs::NONE };
    let options = Options { repairs, ..Options::default() };
    let unreadable = |error| Failure::usage(error).within(format!("cannot read the object `{shown}`"));
    let mut object = Object::open(path, &options).map_err(unreadable)?;
    let set = args.global.iter().map(|text| set(&mut object, text)).collect::<Result<Vec<bool>, Failure>>();
    let set = set.map_err(|failure| failure.within(shown.clone()))?;
    let forced = args.section.as_deref().map(section).transpose()?;
    let mut linker = Linker::new(&object, target);
    let mut made = Vec::new();
    for (index, mut found) in (0..).zip(object.programs()) {
        if !format!("{shown}@{}@{index}", found.name()).contains(&args.id) {
            continue;
        }
        if let Some(row) = forced {
            found = found.as_type(row.prog_type, row.attach_type);
        }
        let program = found.relocate_in(&mut linker).map_err(|error| error.to_string());
        made.push(Made {
            object: shown.clone(),
            section: found.section().to_owned(),
            name: found.name().to_owned(),
            index,
            prog_type: found.prog_type().map(names::prog_type),
            relocations: program.as_ref().map_or_else(|_| Vec::new(), |program| unanswered(&found, program)),
            program,
        });
    }
    Ok((made, set))
}

/// What libbpf puts in place of a CO-RE relocation without an answer: a call of this helper.
const POISON: i32 = 195_896_080;

/// The CO-RE relocations of a program that have no answer, by slot.
fn unanswered(found: &ProgramRef<'_>, program: &Program) -> Vec<(usize, String)> {
    if !program.insns.iter().any(|insn| insn.code == CALL && insn.imm == POISON) {
        return Vec::new();
    }
    let start = |name: &str| program.funcs.iter().find(|func| func.name == name).map(|func| func.start);
    let poisoned = |slot: &usize| program.insns.get(*slot).is_some_and(|insn| insn.code == CALL && insn.imm == POISON);
    let of = |relocation: &Relocation<'_>| match &relocation.names {
        Named::Core { text, .. } => Some((start(relocation.function)? + relocation.slot, text.clone())),
        Named::Map(_) | Named::Variable { .. } | Named::Extern(_) | Named::Call(_) | Named::Function(_) | Named::Nowhere => None,
    };
    found.relocations().iter().filter_map(of).filter(|(slot, _)| poisoned(slot)).collect()
}

const CALL: u8 = 0x85;

/// Sets a variable; `false` where the object does not have it.
fn set(object: &mut Object, text: &str) -> Result<bool, Failure> {
    let path = text.split_once('=').map_or(text, |(path, _)| path).trim();
    if let Err(ObjectError::Global { problem: GlobalProblem::None(_), .. }) = object.global(path) {
        return Ok(false);
    }
    crate::cmd::set_global(object, text)?;
    Ok(true)
}

fn section(name: &str) -> Result<&'static skep_linux::SectionRow, Failure> {
    let found = skep_linux::section(name).map(|found| found.row);
    found.ok_or_else(|| Failure::usage(format!("--type {name}: no section is called so")))
}
