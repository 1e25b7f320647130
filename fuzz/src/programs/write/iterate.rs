//! Open-coded iterators.

use skep_isa::{Cond, Operand, Reg, Width};
use skep_linux::kfuncs::Role;
use skep_verifier::types::kfunc_args::ArgKind;

use super::super::ground::KernelFunction;
use super::args::Source;
use super::{Family, Guess, Line, Writer};

impl Writer<'_> {
    /// The function of an iterator that does this.
    fn of_iterator(&self, prefix: &str, role: Role) -> Option<KernelFunction> {
        let named = |function: &KernelFunction| {
            let name = function.row.name;
            name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_') && !rest[1..].contains('_'))
        };
        self.with_role(role).into_iter().find(named)
    }

    pub(super) fn iterator(&mut self) {
        if self.depth > 1 {
            return;
        }
        let makers: Vec<KernelFunction> = self.with_role(Role::IterNew);
        let able = |function: &KernelFunction| !function.row.sleepable || self.kind.sleepable();
        let makers: Vec<KernelFunction> = makers.into_iter().filter(able).collect();
        // Numbers are iterated over as often as all else together.
        let (Some(any), Some(first)) = (self.one_of(&makers), makers.iter().find(|function| function.row.under_lock).cloned())
        else {
            return;
        };
        let new = if self.rng.bool() { first } else { any };
        let Some(prefix) = new.row.name.strip_suffix("_new") else { return };
        let (next, destroy) = (self.of_iterator(prefix, Role::IterNext), self.of_iterator(prefix, Role::IterDestroy));
        let (Some(next), Some(destroy)) = (next, destroy) else { return };
        let Some(ArgKind::Iterator { state }) = new.params.first().and_then(|param| param.known) else { return };
        let low = self.low;
        let size = self.ground.size_of(state);
        if let Some(state) = self.take_stack(size) {
            // Where programs may sleep, what RCU guards must be in its section.
            let section = self.kind.sleepable() && new.row.rcu_protected && !self.seldom(8);
            if !section || self.role(Role::RcuLock, &[]).is_some() {
                self.iterate(&new, &next, &destroy, state);
            }
            if section {
                self.role(Role::RcuUnlock, &[]);
            }
        }
        self.low = low;
    }

    fn iterate(&mut self, new: &KernelFunction, next: &KernelFunction, destroy: &KernelFunction, state: i16) {
        let given = [(0, Source::Stack(state))];
        if self.kfunc_with(new, &given).is_none() {
            return;
        }
        self.families.add(Family::Iterators);
        self.open += 1;
        let (head, out) = (self.label(), self.label());
        // What is in registers that calls do not keep is gone in the second round.
        self.guesses.scratch();
        self.here(head);
        let before = self.guesses.clone();
        self.kfunc_with(next, &given);
        let guess = self.guesses.get(Reg::R0);
        self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, Reg::R0, Operand::Imm(0), out));
        self.guesses.set(Reg::R0, guess.not_null().unwrap_or(Guess::Dead));
        if self.rng.bool() {
            self.load();
        }
        self.within();
        if !self.seldom(20) {
            self.lines.push(Line::Jump(head));
        }
        self.here(out);
        self.guesses.meet(&before);
        self.open -= 1;
        if !self.seldom(60) {
            self.kfunc_with(destroy, &given);
        }
    }
}
