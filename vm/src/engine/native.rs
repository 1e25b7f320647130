//! Runs of compiled programs, as helpers see them.

use std::sync::Arc;

use skep_helpers::{Stop, Trap};
use skep_jit::{Ret, STRIDE, Status};
use skep_linux::contexts::Shape;

use super::hook::Hook;
use super::run::{Engine, MAX_TAIL_CALLS};
use super::state::{FRAME, FRAMES, STRIDE as FRAME_STRIDE};
use crate::link::Linked;
use crate::native::enter;

/// Frames that one program may stack from where it is entered, callbacks included.
const DEEPEST: u64 = super::MAX_DEPTH as u64;

const _: () = assert!(STRIDE as usize == FRAME_STRIDE);

impl<H: Hook> Engine<'_, H> {
    /// Whether the program runs as machine code. Those who watch want to see instructions.
    pub(super) fn runs_native(&self, linked: &Linked) -> bool {
        !H::ACTIVE && linked.native.is_some()
    }

    /// Runs the program that the core was made ready for as machine code.
    pub(super) fn run_native(&mut self, slot: usize, args: [u64; 5]) -> Result<u64, Stop> {
        let top = self.core.bottom() + FRAME as u64;
        self.core.shared.set_context(args[0]);
        self.knows_context(&self.core.linked)?;
        self.enter_native(self.core.linked.clone(), slot, args, top)
    }

    /// Whether the context is what the code of a program takes it for: it reads fields of structs, and of no other contexts, by itself.
    fn knows_context(&self, linked: &Linked) -> Result<(), Trap> {
        let context = &self.core.context;
        let row = context.row().filter(|row| row.shape == Shape::Struct);
        let whole = row.is_none_or(|row| row.size as usize <= context.block.len());
        if whole && context.prog_type == linked.image.program.prog_type {
            return Ok(());
        }
        Err(Trap::Illegal("the context is not one of the program's type".into()))
    }

    /// Calls a function of a compiled program from a helper.
    pub(super) fn call_native(&mut self, linked: Arc<Linked>, slot: usize, args: [u64; 5]) -> Result<u64, Stop> {
        let (caller, pc, regs) = (self.core.linked.clone(), self.core.pc, self.core.regs);
        let frame = self.core.shared.frame();
        self.core.switch(linked.clone());
        let value = self.enter_native(linked, slot, args, frame.wrapping_add(u64::from(STRIDE)))?;
        self.core.shared.set_frame(frame);
        self.core.switch(caller);
        self.core.pc = pc;
        self.core.regs = regs;
        Ok(value)
    }

    fn enter_native(&mut self, linked: Arc<Linked>, slot: usize, args: [u64; 5], frame: u64) -> Result<u64, Stop> {
        let native = linked.native.as_ref().ok_or_else(|| Trap::Illegal("a program that was not compiled".into()))?;
        let function = native.function(slot).ok_or_else(|| Trap::Illegal("a function that was not compiled".into()))?;
        self.room(frame, DEEPEST.min(native.functions() as u64))?;
        // A function that is called from here and calls nothing leaves this as it is.
        self.core.shared.set_frame(frame.wrapping_sub(u64::from(STRIDE)));
        let ret = enter(self, native, function, args, frame);
        if ret.status == Status::GoOn as u64 {
            return Ok(ret.value);
        }
        Err(self.core.stop.take().unwrap_or_else(|| Trap::Illegal("compiled code stopped and nobody says why".into()).into()))
    }

    /// From this frame on there is stack for all frames that a program may need; so many of them may be used.
    fn room(&mut self, frame: u64, frames: u64) -> Result<(), Trap> {
        let index = frame.wrapping_sub(self.core.bottom()) / FRAME_STRIDE as u64;
        if index + DEEPEST > FRAMES as u64 {
            return Err(Trap::CallDepth);
        }
        self.core.uses((index + frames) as usize);
        Ok(())
    }

    /// Code calls the runtime: where it is becomes where the core is.
    pub(crate) fn at_place(&mut self) {
        let place = self.core.shared.place();
        let is_of = |linked: &Linked| linked.native.as_ref().filter(|native| native.has(place)).map(|native| native.first_slot);
        let first = match is_of(&self.core.linked) {
            Some(first) => first,
            // After a tail call from a function, its caller goes on.
            None => {
                let found = self.env.programs.iter().find_map(|program| Some((program.clone(), is_of(program)?)));
                let Some((program, first)) = found else { return };
                self.core.switch(program);
                first
            }
        };
        self.core.pc = place.wrapping_sub(first) as usize;
    }

    /// A result for code, or the end of the run.
    pub(crate) fn answer(&mut self, result: Result<u64, Trap>) -> Ret {
        match result {
            Ok(value) => Ret::go_on(value),
            Err(trap) => self.stopped(trap.into()),
        }
    }

    fn stopped(&mut self, stop: Stop) -> Ret {
        self.core.stop = Some(stop);
        Ret::end(Status::Stop)
    }

    /// Calls a helper or kernel function for code.
    pub(crate) fn called(&mut self, args: [u64; 5]) -> Ret {
        let linked = self.core.linked.clone();
        let callee = linked.native.as_ref().and_then(|native| native.callees.get(self.core.shared.callee()));
        let Some(callee) = callee.and_then(|index| linked.calls.get(*index)) else {
            return self.stopped(Trap::Illegal("compiled code calls what the program does not".into()).into());
        };
        self.core.regs[1..6].copy_from_slice(&args);
        let result = self.body(callee, args);
        let ret = match result {
            Ok(value) => Ret::go_on(value),
            Err(Stop::TailCall(id)) => match self.tail_native(id) {
                Ok(ret) => ret,
                Err(trap) => return self.stopped(trap.into()),
            },
            Err(stop) => return self.stopped(stop),
        };
        self.core.follow_packet();
        self.core.follow_objects();
        ret
    }

    /// Goes on in another program, in the frame of the function that calls.
    fn tail_native(&mut self, id: u32) -> Result<Ret, Trap> {
        let program = (id as usize).checked_sub(1).and_then(|index| self.env.programs.get(index));
        let Some(program) = program.filter(|_| self.tail_calls < MAX_TAIL_CALLS).cloned() else {
            return Ok(Ret::go_on(self.core.regs[0]));
        };
        let target = program.native.as_ref().and_then(|native| native.function(0));
        let target = target.ok_or_else(|| Trap::Illegal("a tail call to a program that was not compiled".into()))?;
        self.room(self.core.shared.frame().wrapping_add(u64::from(STRIDE)), DEEPEST)?;
        self.knows_context(&program)?;
        self.tail_calls += 1;
        self.core.shared.set_tail_target(target);
        self.core.switch(program);
        Ok(Ret::end(Status::Tail))
    }
}
