//! Which maps a program may use, by the types of both.

use skep_linux::special::special;
use skep_linux::{MapType, SpecialKind};
use skep_program::MapDef;

use super::record::Record;
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// Fields that some programs may not have, in the order in which the kernel looks for them.
const BARRED: [SpecialKind; 6] = [
    SpecialKind::ListHead,
    SpecialKind::RbRoot,
    SpecialKind::SpinLock,
    SpecialKind::ResSpinLock,
    SpecialKind::Timer,
    SpecialKind::Workqueue,
];

/// Whether the program may use the map, whatever others it uses.
///
/// # Errors
/// Why not, in the kernel's words.
pub fn check(setting: &Setting<'_>, map: &MapDef) -> Result<(), Fault> {
    let record = Record::of_map(map, setting.target);
    for kind in BARRED.into_iter().filter(|kind| record.has(*kind)) {
        if let Some(words) = special(kind).refusal(setting.prog_type()) {
            return Err(Types::MapField(words).into());
        }
    }
    if map.map_type == MapType::StructOps {
        return Err(Types::StructOpsMap.into());
    }
    let row = skep_linux::map(map.map_type).ok_or_else(|| Fault::not_modelled(format!("maps of type {:?}", map.map_type)))?;
    if setting.sleepable() && !row.in_sleepable {
        return Err(Types::SleepableMap.into());
    }
    let privileges = setting.options.privileges;
    if map.map_type == MapType::Arena && !(privileges.perfmon && privileges.bpf) {
        return Err(Types::ArenaCapabilities.into());
    }
    Ok(())
}

/// Whether the program may use the map beside those that it uses already: of some types it may have one alone.
///
/// # Errors
/// Why not, in the kernel's words.
pub fn check_beside<'m>(map: &MapDef, others: impl IntoIterator<Item = &'m MapDef>) -> Result<(), Fault> {
    let only = match map.map_type {
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => Types::CgroupStorages,
        MapType::Arena => Types::Arenas,
        _ => return Ok(()),
    };
    if others.into_iter().any(|other| other.map_type == map.map_type) { Err(only.into()) } else { Ok(()) }
}
