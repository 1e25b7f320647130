//! Functions of the program that helpers call: within the call, or later.

use skep_btf::Kind as BtfKind;
use skep_isa::Reg as Name;
use skep_linux::helpers::{Callback, CallbackArg};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Frame, Kind, MapRef, Reg, TypesOf};
use crate::why::Call;

use super::super::call::enter;
use super::{Called, arg_name};

impl Walk<'_> {
    /// The function that the helper calls gets a path, which comes back to the call; the current one goes on as if it were done.
    pub(super) fn queue_callback(&mut self, called: &Called) -> Result<(), Fault> {
        let Some(callback) = called.row.callback else { return Ok(()) };
        let Kind::Func { subprog } = self.state.reg(arg_name(usize::from(callback.func))).kind else {
            return Err(Fault::bug("a callback that is no function"));
        };
        self.note_inlining(&callback, subprog)?;
        if let Some(rounds) = callback.rounds {
            let rounds = arg_name(usize::from(rounds));
            if !self.state.reg(rounds).is_scalar() {
                return Err(Call::RoundsNotNumber.into());
            }
            self.mark_precise(rounds)?;
            let most = self.state.reg(rounds).num.wide.umax;
            if u64::from(self.state.frame().callback_depth) >= most {
                self.state.frame_mut().callback_depth = 0;
                let frame = self.state.depth();
                if let Some(log) = &mut self.log {
                    log.detail(|| format!("frame{frame} bpf_loop iteration limit reached"));
                }
                return Ok(());
            }
        }
        let args = self.callback_args(called, &callback)?;
        self.called_back[subprog as usize] = true;
        if callback.later {
            return self.queue_async(subprog as usize, &callback, args);
        }
        let (pc, start) = (self.pc as u32, self.prep.subprogs[subprog as usize].slots.start);
        let state = self.fork(start)?;
        let caller = state.depth();
        let callee = enter(state, subprog as usize, pc)?;
        fill(callee, args, &callback);
        callee.in_callback = true;
        state.callback_unroll_depth += 1;
        state.frames[caller].callback_depth += 1;
        self.state.frame_mut().callback_depth = 0;
        self.check_each(called)
    }

    /// The kernel may put a loop in place of the call: then it relies on the flags.
    fn note_inlining(&mut self, callback: &Callback, subprog: u32) -> Result<(), Fault> {
        let Some(flags) = callback.inline_flags else { return Ok(()) };
        let (before, flags) = (self.notes[self.pc].loops, arg_name(usize::from(flags)));
        let mut fits = before.is_none_or(|(fits, _)| fits);
        if fits {
            let zero = self.state.reg(flags).is_null();
            if zero {
                self.mark_precise(flags)?;
            }
            fits = zero && before.is_none_or(|(_, other)| other == subprog);
        }
        let first = before.map_or(subprog, |(_, first)| first);
        self.notes[self.pc].loops = Some((fits, first));
        Ok(())
    }

    /// The elements of the map can be gone through.
    fn check_each(&self, called: &Called) -> Result<(), Fault> {
        if called.map.is_none() || called.row.callback.is_none_or(|callback| callback.args[0] != CallbackArg::Map) {
            return Ok(());
        }
        let map = self.called_map(called)?;
        if skep_linux::map(map.map_type).is_some_and(|row| row.for_each) { Ok(()) } else { Err(Call::NoEach.into()) }
    }

    /// What the function finds in `r1` to `r5`.
    fn callback_args(&mut self, called: &Called, callback: &Callback) -> Result<[Reg; 5], Fault> {
        let mut args = [Reg::NOT_INIT; 5];
        for (arg, kind) in args.iter_mut().zip(callback.args) {
            *arg = match kind {
                CallbackArg::Scalar => Reg::UNKNOWN,
                CallbackArg::Map => self.called_map_pointer(called)?,
                CallbackArg::MapKey => Reg::pointer(Kind::MapKey { map: map_of(called)?, uid: 0 }),
                CallbackArg::MapValue => Reg::pointer(Kind::MapValue { map: map_of(called)?, uid: 0 }),
                CallbackArg::Passed(index) => *self.state.reg(arg_name(usize::from(index))),
                CallbackArg::Task => *self.state.reg(Name::R1),
                CallbackArg::Vma => self.vma()?,
                CallbackArg::Dynptr => Reg { id: self.new_id(), ..Reg::pointer(Kind::ConstDynptr { of: DynptrKind::Local }) },
                CallbackArg::Unset => Reg::NOT_INIT,
            };
        }
        Ok(args)
    }

    /// The map: as the helper was given it, or the one that its argument lies in.
    fn called_map_pointer(&self, called: &Called) -> Result<Reg, Fault> {
        let first = *self.state.reg(Name::R1);
        match first.kind {
            Kind::MapPtr { .. } => Ok(first),
            _value => Ok(Reg::pointer(Kind::MapPtr { map: map_of(called)?, uid: 0 })),
        }
    }

    fn vma(&self) -> Result<Reg, Fault> {
        let vmlinux = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("a kernel whose types are not known"))?;
        let id = vmlinux.find("vm_area_struct", BtfKind::Struct);
        let id = id.ok_or_else(|| Fault::not_modelled("a kernel without struct vm_area_struct"))?;
        Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }))
    }

    /// The function runs by itself, later, and may not sleep.
    fn queue_async(&mut self, subprog: usize, callback: &Callback, args: [Reg; 5]) -> Result<(), Fault> {
        let entry = self.state.frame().async_entry.wrapping_add(1);
        self.called_later[subprog] = true;
        let callee = self.fork_async(subprog, false)?.frame_mut();
        fill(callee, args, callback);
        callee.async_entry = entry;
        callee.in_async_callback = true;
        Ok(())
    }
}

fn map_of(called: &Called) -> Result<MapRef, Fault> {
    called.map.map(|(map, _)| map).ok_or_else(|| Fault::bug("a callback of no map"))
}

fn fill(callee: &mut Frame, args: [Reg; 5], callback: &Callback) {
    callee.regs[1..=5].copy_from_slice(&args);
    callee.callback_range = (0, i32::try_from(callback.max_return).unwrap_or(i32::MAX));
}
