//! Open-coded iterators: what `new`, `next` and `destroy` do, and the fork at `next`.

use skep_btf::{Type, TypeId};
use skep_isa::{Reg as Name, Size};
use skep_linux::kfuncs::Role;
use skep_linux::{AttachType, ProgType};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, Flags, IterState, Kind, Reg, Slot};
use crate::step::jump::not_null;
use crate::step::mem::{Access, Does};
use crate::step::slots::{Slots, mask};
use crate::why::{Kfunc, Note};

use super::Call;

/// The iterator that a parameter is.
struct Iterator {
    id: TypeId,
    /// Its name without `bpf_iter_`.
    name: String,
    slots: usize,
}

impl Walk<'_> {
    /// The argument is an iterator on the stack.
    pub(super) fn iter_arg(&mut self, call: &mut Call<'_>, name: Name, to: TypeId) -> Result<(), Fault> {
        if call.row.takes_css_lock && !self.may_walk_css_tasks() {
            return Err(Kfunc::CssTaskIter.into());
        }
        let arg = name.number() - 1;
        let reg = *self.state.reg(name);
        if !matches!(reg.kind, Kind::Stack { .. }) {
            return Err(Kfunc::IterNotOnStack(arg).into());
        }
        let iter = iterator(call, to)?;
        if call.row.role == Role::IterNew {
            return self.iter_new(call, name, &iter);
        }
        let (frame, spi) = self.begun(call, &reg, arg, &iter)?;
        self.stack_read(frame, mask(spi, iter.slots));
        call.iter = Some((frame, spi));
        call.ref_id = self.state.frames[frame].stack.slot(spi).reg.ref_id;
        if call.row.role == Role::IterDestroy {
            if !self.release_reference(call.ref_id) {
                return Err(Fault::bug("an iterator without a reference"));
            }
            self.put_slots(frame, spi, iter.slots, |_| Slot::EMPTY);
        }
        Ok(())
    }

    fn iter_new(&mut self, call: &Call<'_>, name: Name, iter: &Iterator) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let reg = *self.state.reg(name);
        let note = match self.object_slots(&reg, "iter", iter.slots) {
            Slots::At { frame, spi } => {
                let stack = &self.state.frames[frame].stack;
                let used = |at: usize| stack.slot(spi - at).bytes.contains(&Byte::Iter);
                (0..iter.slots).any(used).then_some(Note(None))
            }
            Slots::Beyond => None,
            Slots::Nowhere(line) => Some(Note(Some(line))),
        };
        if let Some(note) = note {
            return Err(Kfunc::IterInUse { name: iter.name.clone(), arg, note }.into());
        }
        for at in 0..iter.slots {
            self.access(&Access { base: name, off: at as i32 * 8, size: Size::Dw, does: Does::Write, strict: false })?;
        }
        let Slots::At { frame, spi } = self.object_slots(&reg, "iter", iter.slots) else {
            return Err(Fault::bug("an iterator that is nowhere"));
        };
        let ref_id = self.acquire_reference();
        let flags = match (call.row.rcu_protected, self.in_rcu_section()) {
            (true, true) => Flags::RCU,
            (true, false) => Flags::UNTRUSTED,
            (false, _) => Flags::NONE,
        };
        let id = iter.id;
        self.put_slots(frame, spi, iter.slots, |at| {
            let first = at == 0;
            let kind = Kind::IterSlot { id, state: first.then_some(IterState::Active), depth: 0 };
            let reg = Reg { ref_id: if first { ref_id } else { 0 }, flags, ..Reg::pointer(kind) };
            Slot { bytes: [Byte::Iter; 8], reg }
        });
        Ok(())
    }

    fn put_slots(&mut self, frame: usize, spi: usize, count: usize, slot: impl Fn(usize) -> Slot) {
        self.stack_written(frame, mask(spi, count));
        for at in 0..count {
            *self.state.frames[frame].stack.slot_mut(spi - at) = slot(at);
        }
    }

    /// Where an iterator is that was begun and not ended.
    fn begun(&self, call: &Call<'_>, reg: &Reg, arg: u8, iter: &Iterator) -> Result<(usize, usize), Fault> {
        let not_begun = |note| Fault::from(Kfunc::IterNotBegun { name: iter.name.clone(), arg, note: Note(note) });
        let (frame, spi) = match self.object_slots(reg, "iter", iter.slots) {
            Slots::At { frame, spi } => (frame, spi),
            Slots::Beyond => return Err(not_begun(None)),
            Slots::Nowhere(line) => return Err(not_begun(Some(line))),
        };
        for at in 0..iter.slots {
            let slot = self.state.frames[frame].stack.slot(spi - at);
            if slot.reg.flags.has(Flags::UNTRUSTED) {
                return Err(Kfunc::IterOutsideRcu(call.func.name.to_owned()).into());
            }
            let Kind::IterSlot { id, state, .. } = slot.reg.kind else { return Err(not_begun(None)) };
            let right = id == iter.id && state.is_some() == (at == 0) && slot.bytes == [Byte::Iter; 8];
            if !right {
                return Err(not_begun(None));
            }
        }
        Ok((frame, spi))
    }

    /// Walking the tasks of a control group takes a lock: only some programs may.
    fn may_walk_css_tasks(&self) -> bool {
        match self.setting.prog_type() {
            ProgType::Lsm => true,
            ProgType::Tracing if self.setting.attach == AttachType::TraceIter => true,
            _other => self.state.sleepable,
        }
    }

    /// The path goes on with NULL, and the iterator has nothing more to give. If it had, another path waits, with an element.
    pub(super) fn iter_next(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        let (frame, spi) = call.iter.ok_or_else(|| Fault::bug("a step of no iterator"))?;
        let Kind::IterSlot { id, state: Some(state), depth } = self.state.frames[frame].stack.slot(spi).reg.kind else {
            return Err(Fault::bug("a step of what is no iterator"));
        };
        if state == IterState::Active {
            self.fork_at_next(frame, spi, Kind::IterSlot { id, state: Some(state), depth: depth.wrapping_add(1) })?;
        }
        let drained = Kind::IterSlot { id, state: Some(IterState::Drained), depth };
        self.state.frames[frame].stack.slot_mut(spi).reg.kind = drained;
        *self.state.reg_mut(Name::R0) = Reg::exact(0);
        Ok(())
    }

    fn fork_at_next(&mut self, frame: usize, spi: usize, iter: Kind) -> Result<(), Fault> {
        let pc = self.pc;
        let parent = self.state.parent.map(|id| self.kept(id));
        let parent = parent.filter(|kept| kept.pc as usize == pc && kept.same_callsites(&self.state));
        let depth = parent.ok_or_else(|| Fault::bug("a step of an iterator without a kept state"))?.dfs_depth;
        let round = self.previous_round(pc, depth);
        let setting = self.setting;
        let queued = self.fork(pc + 1)?;
        queued.frames[frame].stack.slot_mut(spi).reg.kind = iter;
        if let Some(round) = round {
            self.widen_pending(round);
        }
        let r0 = self.last_pending().reg_mut(Name::R0);
        *r0 = not_null(setting, *r0);
        Ok(())
    }
}

/// The iterator that a pointer to this struct means.
fn iterator(call: &Call<'_>, to: TypeId) -> Result<Iterator, Fault> {
    let Some(Type::Struct(it)) = call.btf.get(to) else { return Err(Fault::bug("an iterator that is no struct")) };
    let name = it.name().strip_prefix("bpf_iter_").filter(|_| it.size() >= 8 && it.size() % 8 == 0);
    let name = name.ok_or_else(|| Fault::bug("an iterator of another name"))?;
    Ok(Iterator { id: to, name: name.to_owned(), slots: it.size() as usize / 8 })
}
