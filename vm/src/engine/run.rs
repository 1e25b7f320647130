//! The loop, and the engine as helpers see it.

use std::sync::Arc;

use skep_helpers::{Machine, Parts, Stop, Trap};
use skep_maps::Map;
use skep_program::Program;

use super::hook::Hook;
use super::{Core, Event};
use crate::link::{Linked, Outside};

/// Programs that one run may tail-call (`MAX_TAIL_CALL_CNT`).
pub(super) const MAX_TAIL_CALLS: u32 = 33;

/// What a run reaches beyond its own state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// Programs by index; their ids in prog arrays count from 1.
    pub(crate) programs: Vec<Arc<Linked>>,
    /// The maps that programs can name.
    pub(crate) maps: MapTable,
}

/// Maps by the address of their handle, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapTable {
    entries: Vec<(u64, Arc<dyn Map>)>,
}

impl MapTable {
    fn place(&self, handle: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&handle, |(addr, _)| *addr)
    }

    /// All maps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Map>> {
        self.entries.iter().map(|(_, map)| map)
    }

    /// The map of a handle.
    #[inline]
    pub(crate) fn get(&self, handle: u64) -> Option<&Arc<dyn Map>> {
        self.place(handle).ok().map(|at| &self.entries[at].1)
    }

    /// Adds a map; false if it is there already.
    pub(crate) fn insert(&mut self, map: Arc<dyn Map>) -> bool {
        let handle = map.handle().addr();
        match self.place(handle) {
            Ok(_) => false,
            Err(at) => {
                self.entries.insert(at, (handle, map));
                true
            }
        }
    }
}

/// A run in progress.
pub(crate) struct Engine<'e, H> {
    pub(crate) core: &'e mut Core,
    pub(crate) env: &'e mut Environment,
    pub(crate) hook: &'e mut H,
    pub(super) tail_calls: u32,
}

impl<'e, H: Hook> Engine<'e, H> {
    pub(crate) fn new(core: &'e mut Core, env: &'e mut Environment, hook: &'e mut H) -> Engine<'e, H> {
        Engine { core, env, hook, tail_calls: 0 }
    }

    /// Runs the program that the core was made ready for, to its end.
    pub(crate) fn run(&mut self) -> Result<u64, Trap> {
        match self.from(0, self.core.regs[1]) {
            Ok(value) => Ok(value),
            Err(Stop::Trap(trap)) => Err(trap),
            Err(Stop::Throw(cookie)) => self.catch(cookie),
            Err(Stop::TailCall(id)) => Err(Trap::Illegal(format!("a tail call to program {id} from a callback"))),
        }
    }

    /// Runs the function at a slot in the lowest frame.
    fn from(&mut self, slot: usize, argument: u64) -> Result<u64, Stop> {
        if self.runs_native(&self.core.linked) {
            return self.run_native(slot, [argument, 0, 0, 0, 0]);
        }
        self.core.regs[1] = argument;
        self.core.pc = slot;
        self.frames()
    }

    /// All frames are gone: the exception callback says what the program returns, or the cookie does.
    fn catch(&mut self, cookie: u64) -> Result<u64, Trap> {
        while self.core.leave_frame().is_some() {}
        let Some(slot) = self.core.linked.image.exception_callback else {
            return Ok(cookie);
        };
        self.core.base = 0;
        match self.from(slot, cookie) {
            Ok(value) => Ok(value),
            Err(Stop::Trap(trap)) => Err(trap),
            Err(Stop::Throw(_) | Stop::TailCall(_)) => {
                Err(Trap::Illegal("an exception callback threw or made a tail call".into()))
            }
        }
    }

    /// Runs until the frame at `core.base` exits.
    fn frames(&mut self) -> Result<u64, Stop> {
        let mut linked = self.core.linked.clone();
        loop {
            if !Arc::ptr_eq(&linked, &self.core.linked) {
                linked = self.core.linked.clone();
            }
            self.steps(&linked);
            match std::mem::replace(&mut self.core.event, Event::None) {
                Event::Done => return Ok(self.core.regs[0]),
                Event::Return { program, slot } => {
                    self.core.switch(self.env.programs[program].clone());
                    self.core.pc = slot;
                }
                Event::Call(index) => self.outside(&linked.calls[index])?,
                Event::CallNumber(number) => {
                    let callee = linked.by_number.get(&number);
                    self.outside(callee.ok_or_else(|| Trap::Illegal("callx: no kernel takes it".into()))?)?;
                }
                Event::Trap(trap) => return Err(trap.into()),
                Event::None => return Err(Trap::Illegal("the program left its instructions".into()).into()),
            }
        }
    }

    /// Runs instructions until something outside of the loop must happen.
    fn steps(&mut self, linked: &Linked) {
        let core = &mut *self.core;
        let ops = linked.image.ops.as_slice();
        let mut pc = core.pc;
        let mut fuel = core.fuel;
        while let Some(op) = ops.get(pc) {
            if fuel == 0 {
                core.leave(pc, Event::Trap(Trap::Budget(core.budget)));
                break;
            }
            if H::ACTIVE
                && let Err(trap) = self.hook.before(&super::hook::At::new(core, self.env, pc))
            {
                core.leave(pc, Event::Trap(trap));
                break;
            }
            fuel -= 1;
            pc = (op.run)(core, op, pc);
        }
        core.fuel = fuel;
    }

    /// Calls a helper or kernel function.
    fn outside(&mut self, callee: &Outside) -> Result<(), Stop> {
        let args = [self.core.regs[1], self.core.regs[2], self.core.regs[3], self.core.regs[4], self.core.regs[5]];
        match self.body(callee, args) {
            Ok(value) => {
                self.core.regs[0] = value;
                self.core.pc += 1;
            }
            Err(Stop::TailCall(id)) => self.tail_call(id),
            Err(stop) => return Err(stop),
        }
        self.core.follow_packet();
        self.core.follow_objects();
        Ok(())
    }

    /// What a helper or kernel function does.
    pub(super) fn body(&mut self, callee: &Outside, args: [u64; 5]) -> Result<u64, Stop> {
        match callee {
            Outside::Body(body) => body(self, args),
            Outside::Closure(closure) => closure(self, args),
            Outside::Absent(what) => Err(Trap::NotSimulated(what.to_string()).into()),
        }
    }

    /// Goes on in another program; behind the call if there is none or there were too many.
    fn tail_call(&mut self, id: u32) {
        let program = (id as usize).checked_sub(1).and_then(|index| self.env.programs.get(index));
        match program {
            Some(program) if self.tail_calls < MAX_TAIL_CALLS => {
                self.tail_calls += 1;
                self.core.become_program(program.clone());
                self.core.pc = 0;
            }
            Some(_) | None => self.core.pc += 1,
        }
    }
}

impl<H: Hook> Machine for Engine<'_, H> {
    fn parts(&mut self) -> Parts<'_> {
        let core = &mut *self.core;
        Parts { memory: &mut core.memory, world: &mut core.world, context: &mut core.context, held: &mut core.held }
    }

    fn program(&self) -> &Program {
        &self.core.linked.image.program
    }

    fn map(&self, handle: u64) -> Option<Arc<dyn Map>> {
        self.env.maps.get(handle).cloned()
    }

    fn find_map(&self, which: &dyn Fn(&dyn Map) -> bool) -> Option<Arc<dyn Map>> {
        self.env.maps.iter().find(|map| which(map.as_ref())).cloned()
    }

    fn adopt(&mut self, map: Arc<dyn Map>) -> u64 {
        let handle = map.handle().addr();
        if self.env.maps.insert(map.clone()) {
            self.core.add_map(map.as_ref());
        }
        handle
    }

    fn call(&mut self, function: u64, args: [u64; 5]) -> Result<u64, Stop> {
        let (program, slot) = match self.core.linked.image.slot_of(function) {
            Some(slot) => (self.core.linked.clone(), slot),
            None => self
                .env
                .programs
                .iter()
                .find_map(|program| Some((program.clone(), program.image.slot_of(function)?)))
                .ok_or_else(|| Trap::Illegal(format!("{function:#x} is no function that can be called back")))?,
        };
        if self.runs_native(&program) {
            return self.call_native(program, slot, args);
        }
        if self.core.depth() >= super::MAX_DEPTH {
            return Err(Trap::CallDepth.into());
        }
        let (regs, pc, base, caller) = (self.core.regs, self.core.pc, self.core.base, self.core.linked.clone());
        self.core.enter(pc)?;
        self.core.switch(program);
        self.core.base = self.core.height();
        self.core.regs[1..6].copy_from_slice(&args);
        self.core.pc = slot;
        let value = self.frames()?;
        self.core.leave_frame();
        self.core.switch(caller);
        self.core.regs = regs;
        self.core.pc = pc;
        self.core.base = base;
        Ok(value)
    }
}
