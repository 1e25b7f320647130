//! Wide loads: constants, maps, variables, functions.

use skep_isa::{Reg as Name, Wide};
use skep_linux::MapType;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Kind, MapRef, Reg};
use crate::why::Form;

impl Walk<'_> {
    pub(super) fn load_wide(&mut self, dst: Name, value: Wide) -> Result<(), Fault> {
        self.writable(dst)?;
        let reg = match value {
            Wide::Const(value) => Reg::exact(value),
            Wide::MapIndex(index) => Reg::pointer(Kind::MapPtr { map: self.map_index(index)?, uid: 0 }),
            Wide::MapIndexValue { index, off } => {
                let map = self.map_index(index)?;
                match self.setting.map(map).map(|def| def.map_type) {
                    Some(MapType::Arena) => Reg::UNKNOWN,
                    _other => Reg { off, ..Reg::pointer(Kind::MapValue { map, uid: 0 }) },
                }
            }
            Wide::Func(distance) => self.callback(distance)?,
            Wide::BtfId { .. } => self.variable()?,
            Wide::MapFd(_) | Wide::MapFdValue { .. } => return Err(Fault::not_modelled("maps by descriptor")),
        };
        self.write(dst, reg)
    }

    fn map_index(&self, index: i32) -> Result<MapRef, Fault> {
        let map = u16::try_from(index).ok().map(MapRef).filter(|map| self.setting.map(*map).is_some());
        map.ok_or_else(|| Fault::bug("a map that the program does not have"))
    }

    fn callback(&self, distance: i32) -> Result<Reg, Fault> {
        let subprog = self.prep.subprog_at(self.target(distance)).ok_or_else(|| Fault::bug("the address of no function"))?;
        if self.setting.program.funcs.is_empty() {
            return Err(Form::NoFuncInfo.into());
        }
        if self.prep.subprogs[subprog].global {
            return Err(Form::CallbackNotStatic.into());
        }
        Ok(Reg::pointer(Kind::Func { subprog: subprog as u32 }))
    }
}
