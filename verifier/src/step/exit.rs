//! The end of a function.

use skep_btf::TypeId;
use skep_isa::Reg as Name;
use skep_linux::{AttachType, ProgType};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Kind, Reg, TypesOf};
use crate::types::context::{Returns, returns};
use crate::why::{self, Flow};

use super::Next;

impl Walk<'_> {
    pub(super) fn exit(&mut self) -> Result<Next, Fault> {
        let nested = self.state.depth() > 0;
        self.check_nothing_held(!nested, false, "BPF_EXIT instruction in main prog")?;
        if nested {
            let next = self.leave_frame()?;
            if let Some(log) = &mut self.log {
                log.moved = true;
            }
            return Ok(next);
        }
        self.check_return(Name::R0)?;
        Ok(Next::End)
    }

    /// The program ends here, whatever calls wait: all that it holds would be lost.
    pub(super) fn throw(&mut self) -> Result<Next, Fault> {
        self.check_nothing_held(true, true, "bpf_throw")?;
        Ok(Next::End)
    }

    /// Nothing that must be given back is held, in the outermost frame or if the program is `thrown` out of all; no section is open, if
    /// `sections` matter.
    pub(super) fn check_nothing_held(&self, sections: bool, thrown: bool, what: &'static str) -> Result<(), Fault> {
        use crate::state::RefKind;
        let refs = &self.state.refs;
        if sections && refs.active_locks > 0 {
            return Err(Flow::Held { what, section: "bpf_spin_lock-ed" }.into());
        }
        if thrown || self.state.depth() == 0 {
            let returned = self.state.reg(Name::R0).ref_id;
            let may_return = !thrown && self.setting.prog_type() == ProgType::StructOps;
            let leaks = |held: &&crate::state::Ref| held.kind == RefKind::Pointer && !(may_return && held.id == returned);
            let leaks: Vec<(u32, u32)> = refs.held.iter().filter(leaks).map(|held| (held.id, held.pc)).collect();
            if !leaks.is_empty() {
                return Err(Flow::Leak { refs: leaks, what }.into());
            }
        }
        if sections && refs.irq_id != 0 {
            return Err(Flow::Held { what, section: "bpf_local_irq_save-ed" }.into());
        }
        if sections && refs.rcu_locks > 0 {
            return Err(Flow::Held { what, section: "bpf_rcu_read_lock-ed" }.into());
        }
        if sections && refs.preempt_locks > 0 {
            return Err(Flow::Held { what, section: "bpf_preempt_disable-ed" }.into());
        }
        Ok(())
    }

    /// Back to the caller; from a callback, back to the call that may call it again.
    pub(super) fn leave_frame(&mut self) -> Result<Next, Fault> {
        self.settle_stack();
        let frame = self.state.frame();
        let r0 = frame.regs[Name::R0.index()];
        let (callsite, in_callback, range) = (frame.callsite as usize, frame.in_callback, frame.callback_range);
        if matches!(r0.kind, Kind::Stack { .. }) {
            return Err(Flow::ReturnsStack.into());
        }
        if in_callback {
            if !r0.is_scalar() {
                return Err(Flow::CallbackReturnsPointer.into());
            }
            self.mark_precise(Name::R0)?;
            check_range(&r0, range, false, "At callback return", "R0")?;
        }
        let before = self.log.is_some().then(|| self.state.clone());
        self.state.frames.pop();
        let to = if in_callback { callsite } else { callsite + 1 };
        if !in_callback {
            *self.state.reg_mut(Name::R0) = r0;
        }
        if let (Some(log), Some(before)) = (&mut self.log, before) {
            log.returns(self.setting, &before, &self.state, to);
        }
        if !in_callback {
            return Ok(Next::At(to));
        }
        if let Some(round) = self.previous_round(callsite, self.state.dfs_depth) {
            self.widen_current(round);
        }
        Ok(Next::At(callsite))
    }

    /// What the program, or a global function, returns: in `r0`, or in the register of what it throws.
    pub(super) fn check_return(&mut self, name: Name) -> Result<(), Fault> {
        let frame = &self.state.frames[0];
        let (asynchronous, exception, range) = (frame.in_async_callback, frame.in_exception_callback, frame.callback_range);
        let subprog = frame.subprog > 0;
        let may = returns(self.setting, self.attach);
        if !subprog || exception {
            match may {
                Returns::Nothing => return Ok(()),
                Returns::Pointer(to) if !exception && self.returns_own(name, to) => {
                    return self.check_unmodified(self.state.reg(name), name);
                }
                Returns::Pointer(_) | Returns::Any | Returns::In(_) => {}
            }
        }
        let r0 = *self.read(name)?;
        if self.is_guarded_pointer(name) {
            return Err(why::Reg::LeaksAsReturn(name.number()).into());
        }
        if asynchronous {
            return self.check_returned(name, range, false, "At async callback return");
        }
        if subprog && !exception {
            if !r0.is_scalar() {
                return Err(Flow::SubprogReturns(r0.type_name()).into());
            }
            return Ok(());
        }
        // A raw tracepoint by its name may return anything; one by its BTF id may not.
        if self.setting.prog_type() == ProgType::RawTracepoint && self.setting.program.attach_btf_id.is_none() {
            return Ok(());
        }
        // Of what a hook answers, the low half counts.
        let low = self.setting.prog_type() == ProgType::Lsm && self.setting.attach != AttachType::LsmCgroup;
        match may {
            Returns::Any | Returns::Nothing => Ok(()),
            Returns::In(range) => self.check_returned(name, (range.min, range.max), low, "At program exit"),
            Returns::Pointer(_) => self.check_returned(name, (0, 0), false, "At program exit"),
        }
    }

    /// The program returns a pointer to this struct, and the reference with it.
    fn returns_own(&self, name: Name, to: TypeId) -> bool {
        let r0 = self.state.reg(name);
        r0.kind == Kind::Btf { types: TypesOf::Kernel, id: to } && r0.ref_id != 0
    }

    fn check_returned(&mut self, name: Name, range: (i32, i32), low: bool, when: &'static str) -> Result<(), Fault> {
        const NAMES: [&str; 2] = ["R0", "R1"];
        let r0 = *self.state.reg(name);
        if !r0.is_scalar() {
            return Err(Flow::ReturnNotKnown { when, kind: r0.type_name() }.into());
        }
        self.mark_precise(name)?;
        check_range(&r0, range, low, when, NAMES[usize::from(name != Name::R0)])
    }
}

/// The number lies in the range.
pub(super) fn check_range(
    reg: &Reg,
    (min, max): (i32, i32),
    low: bool,
    when: &'static str,
    name: &'static str,
) -> Result<(), Fault> {
    let (smin, smax) = if low { (reg.num.low.smin, reg.num.low.smax) } else { (reg.num.wide.smin, reg.num.wide.smax) };
    if i64::from(min) <= smin && smax <= i64::from(max) {
        return Ok(());
    }
    let (smin, smax) = (reg.num.wide.smin, reg.num.wide.smax);
    Err(Flow::ReturnRange { when, name, smin, smax, min, max }.into())
}
