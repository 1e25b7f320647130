//! Every slot has an opcode that the kernel knows, and every wide load has two halves and names something that is there.

use skep_isa::RawInsn;
use skep_linux::limits;
use skep_linux::maps::DirectValue;
use skep_program::MapDef;

use super::raw::{ATOMIC, class, code, op, pseudo};
use super::vars::{self, KernelVars};
use crate::fault::{At, Fault};
use crate::setting::Setting;
use crate::types::map_compat;
use crate::why::Form;

/// By opcode: an instruction that the kernel knows.
static KNOWN: [bool; 256] = known();

const fn known() -> [bool; 256] {
    let mut table = [false; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = is_known(code as u8);
        code += 1;
    }
    table
}

const fn is_known(opcode: u8) -> bool {
    const DW: u8 = 0x18;
    let (class, mode, size, op, of_register) = (opcode & 7, opcode & 0xe0, opcode & 0x18, opcode & 0xf0, opcode & 0x08 != 0);
    const MEM: u8 = 0x60;
    const MEM_SIGNED: u8 = 0x80;
    const PACKET: [u8; 2] = [0x20, 0x40];
    match class {
        class::LD => opcode == code::WIDE || (mode == PACKET[0] || mode == PACKET[1]) && size != DW,
        class::LDX => mode == MEM || mode == MEM_SIGNED && size != DW,
        class::ST => mode == MEM,
        class::STX => mode == MEM || mode == ATOMIC,
        class::ALU | class::ALU64 => match op {
            op::NEG => !of_register,
            op::END => class == class::ALU || !of_register,
            _ => op < op::END,
        },
        _ => match op {
            op::JA => !of_register,
            op::CALL | op::EXIT | op::JCOND => class == class::JMP && !of_register,
            _ => op <= op::LAST_CONDITION,
        },
    }
}

/// What the wide loads name.
pub(super) struct Named {
    /// Indices of maps in the order in which the program names them, each once.
    pub(super) maps: Vec<u32>,
    /// Kernel variables.
    pub(super) vars: KernelVars,
}

/// Checks every slot.
pub(super) fn check(setting: &Setting<'_>) -> Result<Named, At> {
    let raw = &setting.program.insns;
    let mut named = Named { maps: Vec::new(), vars: KernelVars::default() };
    let mut slot = 0;
    while let Some(insn) = raw.get(slot) {
        if insn.code & 7 == class::LDX && (!matches!(insn.code & 0xe0, 0x60 | 0x80) || insn.imm != 0) {
            return Err(At::slot(slot, Form::LoadFields));
        }
        if insn.code == code::WIDE {
            let whole = |second: &&RawInsn| (second.code, second.regs, second.off) == (0, 0, 0);
            let second = raw.get(slot + 1).filter(whole).ok_or_else(|| At::slot(slot, Form::WideHalf))?;
            wide(setting, &mut named, slot, *insn, second.imm).map_err(|fault| At::slot(slot, fault))?;
            slot += 2;
            continue;
        }
        if !KNOWN[usize::from(insn.code)] {
            return Err(At::slot(slot, Form::Opcode(insn.code)));
        }
        slot += 1;
    }
    Ok(named)
}

fn wide(setting: &Setting<'_>, named: &mut Named, slot: usize, insn: RawInsn, second: i32) -> Result<(), Fault> {
    match insn.src() {
        pseudo::CONST | pseudo::FUNC => Ok(()),
        pseudo::BTF_ID => {
            if second != 0 {
                return Err(Fault::not_modelled("variables of modules"));
            }
            named.vars.add(slot, vars::find(setting, insn.imm)?);
            Ok(())
        }
        pseudo::MAP_FD if second == 0 => Err(Form::MapDescriptor(insn.imm).into()),
        pseudo::MAP_FD_VALUE => Err(Form::MapDescriptor(insn.imm).into()),
        pseudo::MAP_INDEX if second == 0 => used(setting, named, insn.imm).map(|_| ()),
        pseudo::MAP_INDEX_VALUE => {
            let map = used(setting, named, insn.imm)?;
            value(map, second as u32).map_err(Fault::from)
        }
        _ => Err(Form::WideKind.into()),
    }
}

/// The map of this index; used from now on, if it was not.
fn used<'a>(setting: &Setting<'a>, named: &mut Named, index: i32) -> Result<&'a MapDef, Fault> {
    let map = usize::try_from(index).ok().and_then(|index| setting.program.maps.get(index));
    let map = map.ok_or_else(|| Fault::bug(format!("the program has no map {index}")))?;
    if !named.maps.contains(&(index as u32)) {
        if named.maps.len() >= limits::MAX_USED_MAPS {
            return Err(Form::TooManyMaps(limits::MAX_USED_MAPS).into());
        }
        map_compat::check(setting, map)?;
        map_compat::check_beside(map, named.maps.iter().map(|other| &*setting.program.maps[*other as usize]))?;
        named.maps.push(index as u32);
    }
    Ok(map)
}

/// An address in the value of a map.
fn value(map: &MapDef, offset: u32) -> Result<(), Form> {
    if offset >= limits::MAX_VAR_OFF {
        return Err(Form::ValueFar(offset));
    }
    let fits = match skep_linux::map(map.map_type).map_or(DirectValue::None, |row| row.direct_value) {
        DirectValue::None => return Err(Form::NoDirectValue),
        DirectValue::Only => map.max_entries == 1 && offset < map.value_size,
        DirectValue::Pages => u64::from(offset) <= u64::from(map.max_entries) * PAGE,
    };
    if fits { Ok(()) } else { Err(Form::ValueOffset { size: map.value_size, offset }) }
}

/// Bytes of a page, the unit of an arena's size.
const PAGE: u64 = 4096;
