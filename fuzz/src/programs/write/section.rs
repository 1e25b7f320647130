//! Sections in which something is off, and locks.

use skep_isa::{Cond, Operand, Reg, Width};
use skep_linux::SpecialKind;
use skep_linux::helpers::Lock;
use skep_linux::kfuncs::Role;

use super::args::Source;
use super::{Family, Guess, Line, Writer};

/// What begins a section and what ends it.
const SECTIONS: [(Role, Role); 3] =
    [(Role::RcuLock, Role::RcuUnlock), (Role::PreemptDisable, Role::PreemptEnable), (Role::IrqSave, Role::IrqRestore)];

impl Writer<'_> {
    /// A kernel function of a role with one argument or none.
    pub(super) fn role(&mut self, role: Role, given: &[(usize, Source)]) -> Option<()> {
        let all = self.with_role(role);
        let function = self.one_of(&all)?;
        self.kfunc_with(&function, given).map(|_| ())
    }

    pub(super) fn section(&mut self) {
        let (begin, end) = SECTIONS[self.rng.usize(..SECTIONS.len())];
        let low = self.low;
        let mut given = Vec::new();
        if begin == Role::IrqSave {
            let Some(flags) = self.take_stack(8) else { return };
            given.push((0, Source::Stack(flags)));
        }
        if self.role(begin, &given).is_some() {
            self.families.add(Family::Sections);
            self.open += 1;
            self.within();
            self.open -= 1;
            if !self.seldom(60) {
                self.role(end, &given);
            }
        }
        self.low = low;
    }

    /// A register that will point to a value with such a field; the place of the field.
    pub(super) fn value_with(&mut self, kind: SpecialKind) -> Option<(Reg, i16, usize)> {
        let all = self.with_field(kind);
        let (values, at) = self.one_of(&all)?;
        let keep = self.keeper()?;
        self.value_of(&values, Reg::R0)?;
        self.mov(keep, Reg::R0);
        Some((keep, at, values.map))
    }

    /// Writes what `body` writes where the value in a register is not NULL.
    pub(super) fn where_there(&mut self, keep: Reg, map: usize, body: impl FnOnce(&mut Self)) {
        let out = self.label();
        self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, keep, Operand::Imm(0), out));
        self.guesses.set(Reg::R0, Guess::Dead);
        self.guesses.set(keep, Guess::Dead);
        let before = self.guesses.clone();
        self.guesses.set(keep, Guess::Value(map, 0));
        self.pinned.push(keep);
        body(self);
        self.pinned.retain(|reg| *reg != keep);
        self.here(out);
        self.guesses.meet(&before);
    }

    pub(super) fn lock(&mut self) {
        if self.depth > 2 {
            return;
        }
        match self.rng.u32(..3) {
            0 => {
                let Some((keep, at, map)) = self.value_with(SpecialKind::SpinLock) else { return };
                self.where_there(keep, map, |writer| {
                    writer.locked(keep, at, |writer| writer.quiet());
                });
            }
            1 => self.resilient(Role::Lock, Role::Unlock),
            _ => self.resilient(Role::LockIrqSave, Role::UnlockIrqRestore),
        }
    }

    /// Pieces that may be under a lock.
    fn quiet(&mut self) {
        self.calm = true;
        self.within();
        self.calm = false;
    }

    /// What is written under the lock of a value.
    pub(super) fn locked(&mut self, value: Reg, at: i16, body: impl FnOnce(&mut Self)) {
        let lock = |kind: Lock| move |row: &skep_linux::HelperRow| row.lock == kind;
        let (take, release) = (lock(Lock::Take), lock(Lock::Release));
        let takes = self.helpers(|row, _| take(row)).first().copied();
        let releases = self.helpers(|row, _| release(row)).first().copied();
        let (Some(takes), Some(releases)) = (takes, releases) else { return };
        self.families.add(Family::Locks);
        let given = [(0, Source::Behind(value, at))];
        self.helper_with(takes.0, takes.1, &given);
        self.open += 1;
        body(self);
        self.open -= 1;
        if !self.seldom(60) {
            self.helper_with(releases.0, releases.1, &given);
        }
    }

    /// A lock that may not be had.
    fn resilient(&mut self, take: Role, release: Role) {
        let low = self.low;
        let Some(flags) = self.take_stack(8) else { return };
        if self.with_role(take).is_empty() {
            return;
        }
        if let Some((keep, at, map)) = self.value_with(SpecialKind::ResSpinLock) {
            self.where_there(keep, map, |writer| {
                let given = [(0, Source::Behind(keep, at)), (1, Source::Stack(flags))];
                if writer.role(take, &given).is_none() {
                    return;
                }
                writer.families.add(Family::Locks);
                let out = writer.label();
                writer.lines.push(Line::JumpIf(Width::W64, Cond::Ne, Reg::R0, Operand::Imm(0), out));
                let before = writer.guesses.clone();
                writer.open += 1;
                writer.quiet();
                writer.open -= 1;
                if !writer.seldom(60) {
                    writer.role(release, &given);
                }
                writer.here(out);
                writer.guesses.meet(&before);
            });
        }
        self.low = low;
    }
}
