//! Kernel pointers in map values.

use skep_isa::{Insn, Reg, Size};
use skep_linux::SpecialKind;
use skep_linux::helpers::ArgKind;
use skep_verifier::types::kfunc_args;

use super::super::ground::KernelFunction;
use super::super::shell::Part;
use super::args::Source;
use super::held::Release;
use super::{Family, Guess, Writer};

/// What a field points to.
#[derive(Clone)]
enum Target {
    /// An object of the program's own.
    Own(usize),
    /// One of the kernel's, and how it is given back.
    Kernel(u32, Release),
}

impl Writer<'_> {
    pub(super) fn kptr(&mut self) {
        if self.depth > 1 {
            return;
        }
        let Some((keep, _, map)) = self.value_with(SpecialKind::KptrRef) else { return };
        let parts = self.ground.common.values.iter().find(|values| values.map == map).map(|values| values.parts.clone());
        let Some(part) = self.one_of(&parts.unwrap_or_default()) else { return };
        self.where_there(keep, map, |writer| {
            let target = writer.target_of(part);
            match (writer.rng.u32(..3), target) {
                (0, _) | (_, None) => writer.load_kptr(keep, part),
                (1, Some(target)) => writer.take(keep, part, &target, Source::Number(0)),
                (_, Some(target)) => writer.put_in(keep, part, &target),
            }
        });
    }

    fn target_of(&mut self, part: Part) -> Option<Target> {
        let name = part.points.filter(|_| part.kind == SpecialKind::KptrRef)?;
        let own = self.ground.common.items.iter().position(|item| self.ground.common.btf.name(item.id) == name);
        if let Some(item) = own {
            return Some(Target::Own(item));
        }
        let id = self.ground.struct_id(name)?.0;
        let release = self.one_of(&self.kfunc_releases(id))?;
        Some(Target::Kernel(id, release))
    }

    /// Reads the pointer that is there.
    fn load_kptr(&mut self, value: Reg, part: Part) {
        let dst = self.target();
        self.families.add(Family::Kptrs);
        self.insn(Insn::Load { size: Size::Dw, signed: false, dst, base: value, off: part.offset });
        let id = part.points.and_then(|name| self.ground.struct_id(name));
        self.guesses.set(dst, id.map_or(Guess::Dead, |id| Guess::ObjectOrNull(id.0, false)));
        self.null_check();
    }

    fn free(&mut self, target: &Target, held: Reg) {
        match target {
            Target::Own(_) => self.drop_object(held, 0),
            Target::Kernel(_, release) => self.give_back(release, held),
        }
    }

    /// Puts something into the field, and gives back what was there.
    fn take(&mut self, value: Reg, part: Part, target: &Target, new: Source) {
        let all = self.helpers(|_, proto| proto.args.first().is_some_and(|arg| arg.kind == ArgKind::KptrSlot));
        let (Some((row, proto)), Some(keep)) = (all.first().copied(), self.keeper()) else { return };
        if self.helper_with(row, proto, &[(0, Source::Behind(value, part.offset)), (1, new)]).is_none() {
            return;
        }
        self.families.add(Family::Kptrs);
        self.guesses.set(
            Reg::R0,
            match target {
                Target::Own(item) => Guess::OwnOrNull(*item),
                Target::Kernel(id, _) => Guess::ObjectOrNull(*id, true),
            },
        );
        self.with(keep, true, |writer, held| writer.free(target, held));
    }

    /// Acquires something, and puts it into the field.
    fn put_in(&mut self, value: Reg, part: Part, target: &Target) {
        let Some(keep) = self.keeper() else { return };
        let mut may_be_null = true;
        match target {
            Target::Own(item) => {
                if self.new_object(*item).is_none() {
                    return;
                }
            }
            Target::Kernel(id, _) => {
                let acquires = |function: &&KernelFunction| {
                    let returns = matches!(function.ret, kfunc_args::Ret::Struct { to, .. } if to.0 == *id);
                    function.row.acquire && !function.row.release && returns
                };
                let all: Vec<KernelFunction> = self.kind.functions.iter().filter(acquires).cloned().collect();
                let Some(function) = self.one_of(&all) else { return };
                if self.kfunc_with(&function, &[]).is_none() {
                    return;
                }
                may_be_null = function.row.ret_null;
            }
        }
        self.with(keep, may_be_null, |writer, held| {
            // What is in the register is no longer the program's once it is in the field.
            writer.take(value, part, target, Source::Register(held));
        });
    }
}
