//! Objects that the program allocates; lists and trees of them.

use skep_isa::{Cond, Insn, Operand, Reg, Size, Width};
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;

use super::super::shell::Part;
use super::args::Source;
use super::{Family, Guess, Line, Writer};

impl Writer<'_> {
    /// An object of a struct, or NULL, in R0.
    pub(super) fn new_object(&mut self, item: usize) -> Option<()> {
        let id = self.ground.common.items[item].id.0 as i32;
        self.role(Role::ObjNew, &[(0, Source::Number(id)), (1, Source::Number(0))])?;
        self.guesses.set(Reg::R0, Guess::OwnOrNull(item));
        self.families.add(Family::Allocated);
        Some(())
    }

    /// Frees the object that begins so far from where a register points.
    pub(super) fn drop_object(&mut self, held: Reg, by: i16) {
        let source = if by == 0 { Source::Register(held) } else { Source::Behind(held, by) };
        self.role(Role::ObjDrop, &[(0, source), (1, Source::Number(0))]);
    }

    pub(super) fn allocated(&mut self) {
        if self.depth > 2 {
            return;
        }
        let item = self.rng.usize(..self.ground.common.items.len());
        let Some(keep) = self.keeper() else { return };
        if self.new_object(item).is_none() {
            return;
        }
        let counted = self.ground.common.items[item].counted;
        self.with(keep, true, |writer, held| {
            if counted && writer.rng.bool() {
                writer.another_reference(item, held);
            }
            writer.drop_object(held, 0);
        });
    }

    /// One more reference to an object.
    fn another_reference(&mut self, item: usize, held: Reg) {
        self.pinned.push(held);
        if let Some(keep) = self.keeper()
            && self.role(Role::RefcountAcquire, &[(0, Source::Register(held)), (1, Source::Number(0))]).is_some()
        {
            self.guesses.set(Reg::R0, Guess::OwnOrNull(item));
            self.open += 1;
            self.with(keep, true, |writer, more| writer.drop_object(more, 0));
            self.open -= 1;
        }
        self.pinned.retain(|reg| *reg != held);
    }

    /// A list or tree in a map value.
    pub(super) fn graph(&mut self) {
        if self.depth > 2 {
            return;
        }
        let kind = if self.rng.bool() { SpecialKind::ListHead } else { SpecialKind::RbRoot };
        if self.with_role(Role::ObjNew).is_empty() {
            return;
        }
        let Some((keep, _, map)) = self.value_with(kind) else { return };
        let parts = self.ground.common.values.iter().find(|values| values.map == map).map(|values| values.parts.clone());
        let parts = parts.unwrap_or_default();
        let part = |kind| parts.iter().find(|part| part.kind == kind).copied();
        let (Some(lock), Some(root)) = (part(SpecialKind::SpinLock), part(kind)) else { return };
        self.where_there(keep, map, |writer| match (kind, writer.rng.bool()) {
            (SpecialKind::ListHead, true) => writer.push(keep, lock, root),
            (SpecialKind::ListHead, false) => writer.pop(keep, lock, root),
            (_, true) => writer.plant(keep, lock, root),
            (_, false) => writer.uproot(keep, lock, root),
        });
    }

    /// A new object, and what becomes of it.
    fn with_new(&mut self, root: Part, then: impl FnOnce(&mut Self, Reg, usize)) {
        let (Some(item), Some(own)) = (root.holds, self.keeper()) else { return };
        if self.new_object(item).is_some() {
            self.with(own, true, |writer, held| then(writer, held, item));
        }
    }

    fn push(&mut self, value: Reg, lock: Part, root: Part) {
        self.with_new(root, |writer, held, item| {
            let Some(node) = writer.ground.common.items[item].list.map(|node| node as i16) else { return };
            writer.families.add(Family::Lists);
            writer.locked(value, lock.offset, |writer| {
                let given = [
                    (0, Source::Behind(value, root.offset)),
                    (1, Source::Behind(held, node)),
                    (2, Source::Number(0)),
                    (3, Source::Number(0)),
                ];
                writer.role(Role::ListPush, &given);
                writer.read_back(held, 0);
            });
        });
    }

    /// While the lock is held what was given away may still be read.
    fn read_back(&mut self, held: Reg, by: i16) {
        if self.rng.bool() {
            self.insn(Insn::Load { size: Size::Dw, signed: false, dst: Reg::R1, base: held, off: 8 + by });
            self.guesses.set(Reg::R1, Guess::Number(None));
        }
    }

    fn pop(&mut self, value: Reg, lock: Part, root: Part) {
        let (Some(item), Some(own)) = (root.holds, self.keeper()) else { return };
        let Some(node) = self.ground.common.items[item].list.map(|node| node as i16) else { return };
        self.families.add(Family::Lists);
        if self.seldom(3) {
            // Only looked at.
            return self.locked(value, lock.offset, |writer| {
                if writer.role(Role::ListPeek, &[(0, Source::Behind(value, root.offset))]).is_some() {
                    writer.where_not_null(Reg::R0, |writer| writer.read_back(Reg::R0, -node));
                }
            });
        }
        self.locked(value, lock.offset, |writer| {
            writer.role(Role::ListPop, &[(0, Source::Behind(value, root.offset))]);
            writer.mov(own, Reg::R0);
        });
        self.where_not_null(own, |writer| writer.drop_object(own, -node));
    }

    /// Writes `body` where a register is not NULL.
    fn where_not_null(&mut self, reg: Reg, body: impl FnOnce(&mut Self)) {
        let out = self.label();
        self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, reg, Operand::Imm(0), out));
        let before = self.guesses.clone();
        body(self);
        self.here(out);
        self.guesses.meet(&before);
    }

    /// A function that compares two items of a tree by their first numbers.
    fn less(&mut self, node: i16) -> Option<usize> {
        let number = self.another(self.ground.common.local, &[], 1)?;
        let out = self.label();
        let load = |dst: Reg| Line::Insn(Insn::Load { size: Size::Dw, signed: false, dst, base: dst, off: -node });
        let result = |value: i32| Line::Insn(Insn::Mov { width: Width::W64, dst: Reg::R0, src: Operand::Imm(value) });
        self.done[number].1 = vec![
            load(Reg::R1),
            load(Reg::R2),
            result(1),
            Line::JumpIf(Width::W64, Cond::Lt, Reg::R1, Operand::Reg(Reg::R2), out),
            result(0),
            Line::Here(out),
            Line::Insn(Insn::Exit),
        ];
        Some(number)
    }

    fn plant(&mut self, value: Reg, lock: Part, root: Part) {
        let Some(node) = root.holds.and_then(|item| self.ground.common.items[item].tree).map(|node| node as i16) else { return };
        let Some(less) = self.less(node) else { return };
        self.with_new(root, |writer, held, _| {
            writer.families.add(Family::Trees);
            writer.locked(value, lock.offset, |writer| {
                let given = [
                    (0, Source::Behind(value, root.offset)),
                    (1, Source::Behind(held, node)),
                    (2, Source::Function(less)),
                    (3, Source::Number(0)),
                    (4, Source::Number(0)),
                ];
                writer.role(Role::RbtreeAdd, &given);
                writer.read_back(held, 0);
            });
        });
    }

    fn uproot(&mut self, value: Reg, lock: Part, root: Part) {
        let (Some(item), Some(own)) = (root.holds, self.keeper()) else { return };
        let Some(node) = self.ground.common.items[item].tree.map(|node| node as i16) else { return };
        self.families.add(Family::Trees);
        self.set(own, 0);
        let only_looked_at = self.seldom(3);
        self.locked(value, lock.offset, |writer| {
            if writer.role(Role::RbtreePeek, &[(0, Source::Behind(value, root.offset))]).is_none() {
                return;
            }
            writer.where_not_null(Reg::R0, |writer| {
                if only_looked_at {
                    return writer.read_back(Reg::R0, -node);
                }
                let given = [(0, Source::Behind(value, root.offset)), (1, Source::Register(Reg::R0))];
                // R1 is written first, and R0 is read after it.
                writer.role(Role::RbtreeRemove, &given);
                writer.mov(own, Reg::R0);
            });
        });
        if !only_looked_at {
            self.where_not_null(own, |writer| writer.drop_object(own, -node));
        }
    }
}
