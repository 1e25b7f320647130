//! Functions of the program that kernel functions call: within the call, or later.

use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;
use skep_linux::special::special;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Frame, Kind, MapRef, Reg};
use crate::step::call::enter;
use crate::why::Kfunc;

use super::Call;

impl Walk<'_> {
    /// The argument is a function of the program.
    pub(super) fn callback_arg(&self, call: &mut Call<'_>, name: Name) -> Result<(), Fault> {
        match self.state.reg(name).kind {
            Kind::Func { subprog } => {
                call.callback = Some(subprog as usize);
                Ok(())
            }
            _other => Err(Kfunc::NotFunction(name.number() - 1).into()),
        }
    }

    /// The argument is the field of a map value from which a function is called later.
    pub(super) fn later_arg(&self, call: &mut Call<'_>, name: Name, kind: SpecialKind) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let (number, what) = (name.number(), special(kind).label());
        let (Kind::MapValue { map, uid }, Flags::NONE) = (reg.kind, reg.flags) else {
            return Err(Kfunc::NotMapValue(number - 1).into());
        };
        let off = reg.fixed_offset().ok_or(Kfunc::FieldVariable { reg: number, what })?;
        let Some(def) = self.setting.map(map) else { return Err(Fault::bug("a map that the program does not have")) };
        if def.btf.is_none() {
            return Err(Kfunc::FieldWithoutTypes { map: def.name.clone(), what }.into());
        }
        let fields = self.fields_of(&reg)?;
        let field = fields.find(kind).ok_or_else(|| Kfunc::NoField { map: def.name.clone(), what })?;
        if i64::from(field.offset) != off {
            return Err(Kfunc::FieldOffset { off, what, at: field.offset }.into());
        }
        if call.map.is_some() {
            return Err(Fault::bug("two maps of work for later"));
        }
        call.map = Some((map, uid));
        Ok(())
    }

    /// Functions of the program that this call runs get a path of their own.
    pub(super) fn queue_callbacks(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        match call.row.role {
            Role::RbtreeAdd => self.queue_comparison(call),
            Role::WqCallback => self.queue_later(call, Name::R1, (0, 0)),
            Role::TaskWork => self.queue_later(call, Name::R3, (i32::MIN, i32::MAX)),
            _other => Ok(()),
        }
    }

    /// The function that compares two items: called with pointers to their nodes, while the lock of the tree is held.
    fn queue_comparison(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        let subprog = call.callback.ok_or_else(|| Fault::bug("a comparison by no function"))?;
        let items = call.items.ok_or_else(|| Fault::bug("a tree of nothing"))?;
        let node = Walk::node_pointer(items);
        let node = Reg { flags: node.flags.with(self.borrowed_flags(&node)?), ..node };
        self.called_back[subprog] = true;
        let (pc, start) = (self.pc, self.prep.subprogs[subprog].slots.start);
        let state = self.fork(start)?;
        let callee = enter(state, subprog, pc as u32)?;
        callee.regs[Name::R1.index()] = node;
        callee.regs[Name::R2.index()] = node;
        callee.in_callback = true;
        callee.callback_range = (0, 1);
        state.callback_unroll_depth += 1;
        let caller = state.depth() - 1;
        state.frames[caller].callback_depth += 1;
        self.state.frame_mut().callback_depth = 0;
        Ok(())
    }

    /// A function that runs later, by itself, with the map, a key and a value; it may sleep.
    fn queue_later(&mut self, call: &Call<'_>, map: Name, range: (i32, i32)) -> Result<(), Fault> {
        let subprog = call.callback.ok_or_else(|| Fault::bug("work of no function"))?;
        let (Kind::MapValue { map, .. } | Kind::MapPtr { map, .. }) = self.state.reg(map).kind else {
            return Err(Fault::bug("work of no map"));
        };
        (self.called_back[subprog], self.called_later[subprog]) = (true, true);
        let entry = self.state.frame().async_entry.wrapping_add(1);
        let state = self.fork_async(subprog, true)?;
        let callee = state.frame_mut();
        callee.async_entry = entry;
        callee.in_async_callback = true;
        callee.callback_range = range;
        map_args(callee, map);
        Ok(())
    }
}

/// The map, a key of it and a value.
fn map_args(callee: &mut Frame, map: MapRef) {
    callee.regs[Name::R1.index()] = Reg::pointer(Kind::MapPtr { map, uid: 0 });
    callee.regs[Name::R2.index()] = Reg::pointer(Kind::MapKey { map, uid: 0 });
    callee.regs[Name::R3.index()] = Reg::pointer(Kind::MapValue { map, uid: 0 });
}
