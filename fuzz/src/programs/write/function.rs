//! Functions of the program: called, verified by themselves, called back.

use skep_btf::TypeId;
use skep_isa::{Insn, Operand, Reg, Size};
use skep_linux::helpers::{ArgKind, CallbackArg, Leave};

use super::super::shell::{GLOBALS, POINT, Takes};
use super::args::Source;
use super::{DEEP, FUNCTIONS, Family, Guess, Guesses, Line, Writer};

impl Writer<'_> {
    /// Writes another function, with arguments of these kinds, that returns at most `most`; its number.
    pub(super) fn another(&mut self, type_id: u32, args: &[Guess], most: i32) -> Option<usize> {
        if self.done.len() >= FUNCTIONS || self.inside > 1 {
            return None;
        }
        let number = self.done.len();
        self.done.push((type_id, Vec::new(), args.to_vec()));
        let lines = std::mem::take(&mut self.lines);
        let guesses = std::mem::replace(&mut self.guesses, Guesses::new(args));
        let pinned = std::mem::take(&mut self.pinned);
        let dynptrs = std::mem::take(&mut self.dynptrs);
        let (depth, budget, open, low) = (self.depth, self.budget, self.open, self.low);
        (self.depth, self.budget, self.open, self.low) = (1, self.rng.u32(0..6), 0, DEEP);
        self.inside += 1;
        // Arguments are kept, as compilers do.
        for (from, to) in [(Reg::R1, Reg::R6), (Reg::R2, Reg::R7), (Reg::R3, Reg::R8)] {
            if self.guesses.get(from) != Guess::Dead && self.rng.u32(..4) > 0 {
                self.mov(to, from);
            }
        }
        self.pieces();
        self.end(most);
        self.inside -= 1;
        (self.depth, self.budget, self.open, self.low) = (depth, budget, open, low);
        self.done[number].1 = std::mem::replace(&mut self.lines, lines);
        self.guesses = guesses;
        self.pinned = pinned;
        self.dynptrs = dynptrs;
        Some(number)
    }

    /// A static function, which takes what the caller has.
    pub(super) fn local_call(&mut self) {
        let known = self.one_of(&self.callable.clone()).filter(|_| self.rng.bool());
        let args: Vec<Guess> = match known {
            Some(number) => self.done[number].2.clone(),
            None => {
                let count = self.rng.usize(0..4);
                let mut args = Vec::new();
                for _ in 0..count {
                    let passed = |guess: Guess| !matches!(guess, Guess::Dead | Guess::Stack(_));
                    let Some(reg) = self.any_kept(passed) else { break };
                    args.push(match self.guesses.get(reg) {
                        Guess::Number(_) => Guess::Number(None),
                        Guess::Stack(_) | Guess::Dead => Guess::Number(None),
                        // What must be given back is the caller's to give back.
                        other => other,
                    });
                }
                args
            }
        };
        let mut sources = Vec::new();
        for arg in &args {
            let fits = |guess: Guess| guess == *arg || arg.is_number() && guess.is_number();
            sources.push(match self.any_kept(fits) {
                Some(reg) => Source::Register(reg),
                None if arg.is_number() => Source::Number(self.imm()),
                None => return,
            });
        }
        let made = known.or_else(|| self.another(self.ground.common.local, &args, 1));
        let Some(number) = made else { return };
        if known.is_none() {
            self.callable.push(number);
        }
        self.put(&sources);
        self.families.add(Family::Locals);
        self.lines.push(Line::Call(number));
        self.called();
    }

    fn called(&mut self) {
        self.guesses.scratch();
        self.guesses.forget(|guess| matches!(guess, Guess::Packet(..) | Guess::PacketEnd));
        self.guesses.set(Reg::R0, Guess::Number(None));
    }

    /// A function that is verified by itself.
    pub(super) fn global_call(&mut self) {
        let which = self.rng.usize(..GLOBALS.len());
        let type_id = self.ground.common.globals[which];
        let takes = GLOBALS[which].1;
        let mut sources = Vec::new();
        let task = self.ground.struct_id("task_struct").unwrap_or(TypeId(0)).0;
        for one in takes {
            let source = match one {
                Takes::Number => Some(Source::Number(self.rng.i32(0..100))),
                Takes::Context => self.any_kept(|guess| guess == Guess::Context).map(Source::Register),
                Takes::Point | Takes::PointOrNull => self.point(*one),
                Takes::Dynptr => self.some_dynptr(),
                Takes::Task => self.any_kept(|guess| matches!(guess, Guess::Object(of, _) if of == task)).map(Source::Register),
            };
            let Some(source) = source else { return };
            sources.push(source);
        }
        let args: Vec<Guess> = takes
            .iter()
            .map(|one| match one {
                Takes::Number => Guess::Number(None),
                Takes::Context => Guess::Context,
                Takes::Point => Guess::Mem(POINT as i16),
                Takes::PointOrNull => Guess::MemOrNull(POINT as i16),
                Takes::Dynptr => Guess::Dynptr,
                Takes::Task => Guess::Object(task, false),
            })
            .collect();
        let known = self.done.iter().position(|(id, lines, _)| *id == type_id && !lines.is_empty());
        let Some(number) = known.or_else(|| self.another(type_id, &args, 1)) else { return };
        self.put(&sources);
        self.families.add(Family::Globals);
        self.lines.push(Line::Call(number));
        self.called();
    }

    fn point(&mut self, takes: Takes) -> Option<Source> {
        if takes == Takes::PointOrNull && self.seldom(3) {
            return Some(Source::Number(0));
        }
        let held = |guess: Guess| matches!(guess, Guess::Mem(size) if size >= POINT as i16);
        if let Some(reg) = self.any_kept(held).filter(|_| self.rng.bool()) {
            return Some(Source::Register(reg));
        }
        let off = super::SCRATCH - POINT as i16;
        for at in [off, off + 8] {
            let value = self.rng.i32(0..9);
            self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off: at, src: Operand::Imm(value) });
        }
        Some(Source::Stack(off))
    }

    /// A helper that calls a function of the program, now or later.
    pub(super) fn callback(&mut self) {
        let all = self.helpers(|row, _| row.callback.is_some());
        let Some((row, proto)) = self.one_of(&all) else { return };
        let Some(callback) = row.callback else { return };
        let Some(plan) = self.plan(row, proto, &[(usize::from(callback.func), Source::Number(0))]) else { return };
        let values = plan.map.and_then(|map| self.ground.common.values.iter().find(|values| values.map == map));
        let (value, key) =
            values.map_or((Guess::Dead, Guess::Dead), |values| (Guess::Value(values.map, 0), Guess::Mem(values.key as i16)));
        let task = self.ground.struct_id("task_struct").unwrap_or(TypeId(0)).0;
        let passed = |index: u8| match plan.sources.get(usize::from(index)) {
            Some(Source::Stack(_)) => Guess::Mem(8),
            Some(_) | None => Guess::Number(None),
        };
        let args: Vec<Guess> = callback
            .args
            .iter()
            .map(|arg| match arg {
                CallbackArg::Scalar => Guess::Number(None),
                CallbackArg::Map | CallbackArg::Vma | CallbackArg::Unset => Guess::Dead,
                CallbackArg::MapKey => key,
                CallbackArg::MapValue => value,
                CallbackArg::Passed(index) => passed(*index),
                CallbackArg::Task => Guess::Object(task, false),
                CallbackArg::Dynptr => Guess::Dynptr,
            })
            .collect();
        let Some(number) = self.another(self.ground.common.local, &args, callback.max_return as i32) else { return };
        let mut plan = plan;
        plan.sources[usize::from(callback.func)] = Source::Function(number);
        if let Some(rounds) = callback.rounds {
            plan.sources[usize::from(rounds)] = Source::Number(self.rng.i32(0..20));
        }
        if let Some(flags) = callback.inline_flags.filter(|_| !self.seldom(12)) {
            plan.sources[usize::from(flags)] = Source::Number(0);
        }
        self.families.add(if callback.later { Family::Later } else { Family::Callbacks });
        self.call_helper(row, proto, &plan);
        self.guesses.forget(|guess| matches!(guess, Guess::Packet(..) | Guess::PacketEnd));
    }

    /// A call of another program.
    pub(super) fn tail_call(&mut self) {
        let all =
            self.helpers(|row, proto| row.leave == Leave::TailCall && proto.args.iter().all(|arg| arg.kind != ArgKind::Func));
        let Some((row, proto)) = self.one_of(&all) else { return };
        if self.open == 0 && self.helper_with(row, proto, &[]).is_some() {
            self.families.add(Family::TailCalls);
        }
    }
}
