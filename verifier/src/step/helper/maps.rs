//! The map argument of a helper: its key, and whether map and helper go together.

use skep_isa::Reg as Name;
use skep_linux::MapType;
use skep_linux::helpers::{Leave, MapUse};
use skep_program::MapDef;

use crate::explore::{Masks, Walk};
use crate::fault::Fault;
use crate::state::{Byte, Kind, Reg, byte_of, slot_of};
use crate::why::Call;

use super::super::Note;
use super::Called;

impl<'a> Walk<'a> {
    /// The map that the call is about.
    pub(super) fn called_map(&self, called: &Called) -> Result<&'a MapDef, Fault> {
        let map = called.map.and_then(|(map, _)| self.setting.map(map));
        map.ok_or_else(|| Fault::bug("a helper without the map that it is about"))
    }

    /// The argument is the map that the call is about.
    pub(super) fn take_map(&mut self, called: &mut Called, reg: &Reg) -> Result<(), Fault> {
        let Kind::MapPtr { map, uid } = reg.kind else { return Err(Fault::bug("a map argument that is none")) };
        if let Some((first, first_uid)) = called.map
            && (first, first_uid) != (map, uid)
        {
            return Err(Call::OtherMap { timer: first_uid, map: uid }.into());
        }
        called.map = Some((map, uid));
        Ok(())
    }

    /// The argument is a key of the map.
    pub(super) fn check_key(&mut self, called: &mut Called, name: Name, reg: &Reg) -> Result<(), Fault> {
        let map = self.called_map(called)?;
        let size = i32::try_from(map.key_size).map_err(|_| Fault::bug("a key of more than 2 GiB"))?;
        self.check_helper_memory(name, size, false, false, false, true)?;
        if called.row.known_key.contains(map.map_type) {
            called.key = self.known_key(reg, size as usize)?;
        }
        Ok(())
    }

    /// The key, if it lies on the stack as a known number: the path relies on it.
    fn known_key(&mut self, reg: &Reg, size: usize) -> Result<Option<u64>, Fault> {
        if !self.setting.options.privileges.bpf {
            return Ok(None);
        }
        let (Kind::Stack { frame }, Some(off)) = (reg.kind, reg.fixed_offset()) else { return Ok(None) };
        let off = i32::try_from(off).map_err(|_| Fault::bug("a key beyond the stack"))?;
        let (spi, at) = (slot_of(off), byte_of(off));
        let slot = *self.state.frames[usize::from(frame)].stack.slot(spi);
        let run = |wanted: Byte| slot.bytes[..=at].iter().rev().take_while(|byte| **byte == wanted).count();
        if run(Byte::Zero) >= size {
            return Ok(Some(0));
        }
        if !slot.is_spilled_scalar() || run(Byte::Spill) != size {
            return Ok(None);
        }
        let Some(value) = slot.reg.num.constant() else { return Ok(None) };
        self.mark_precise_masks(Masks::slot(self.state.depth(), usize::from(frame), spi))?;
        Ok(Some(value))
    }

    /// Notes the map, and the number of the program that is called.
    pub(super) fn record_map(&mut self, called: &Called) -> Result<(), Fault> {
        let Some((map, _)) = called.map else { return Ok(()) };
        let def = self.called_map(called)?;
        if called.row.map_use == MapUse::Write && self.setting.is_read_only(def) {
            return Err(Call::ReadOnlyMap.into());
        }
        let mut key = called.key;
        if called.row.leave == Leave::TailCall {
            if def.map_type != MapType::ProgArray {
                return Err(Call::NoProgArray.into());
            }
            key = self.state.reg(Name::R3).constant().filter(|key| *key < u64::from(def.max_entries));
            if key.is_some() {
                self.mark_precise(Name::R3)?;
            }
        }
        let note: &mut Note = &mut self.notes[self.pc];
        (note.map, note.key) = match note.map {
            Some((before, mixed)) => (Some((before, mixed || before != map)), note.key.filter(|before| key == Some(*before))),
            None => (Some((map, false)), key),
        };
        Ok(())
    }

    /// The helper goes with maps of this type.
    pub(super) fn check_map_type(&self, called: &Called) -> Result<(), Fault> {
        if called.map.is_none() {
            return Ok(());
        }
        let map = self.called_map(called)?;
        let row = called.row;
        if row.takes_map(map.map_type, self.setting.prog_type(), self.setting.attach) {
            return Ok(());
        }
        let guarded = row.maps_for.iter().any(|(maps, _)| maps.contains(map.map_type));
        let first = if guarded { "cannot update sockmap in this context\n" } else { "" };
        Err(Call::MapType { first, map: map.map_type as u32, name: row.name, id: row.id }.into())
    }

    /// A lookup with this key finds a value.
    pub(super) fn finds_value(&self, called: &Called) -> bool {
        let entries = self.called_map(called).map_or(0, |map| u64::from(map.max_entries));
        called.key.is_some_and(|key| key < entries)
    }
}
