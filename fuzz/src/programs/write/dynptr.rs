//! Dynptrs, and pointers into them.

use skep_isa::Reg;
use skep_linux::helpers::{ArgKind, Role};
use skep_linux::kfuncs::Role as KfuncRole;
use skep_verifier::types::kfunc_args;

use super::super::ground::KernelFunction;
use super::args::Source;
use super::{Family, Guess, Writer};

/// Bytes of `struct bpf_dynptr`.
const SIZE: u32 = 16;

impl Writer<'_> {
    pub(super) fn dynptr(&mut self) {
        if self.depth > 2 {
            return;
        }
        let low = self.low;
        let Some(at) = self.take_stack(SIZE) else { return };
        match self.rng.u32(..5) {
            0..2 => self.helper_dynptr(at, Role::MakeLocal),
            2 => self.helper_dynptr(at, Role::MakeRingbuf),
            _ => self.packet_dynptr(at),
        }
        self.low = low;
    }

    fn helper_dynptr(&mut self, at: i16, role: Role) {
        let index = |proto: &skep_linux::helpers::Proto| proto.args.iter().position(|arg| arg.kind == ArgKind::Dynptr(role));
        let makers = self.helpers(|_, proto| index(proto).is_some());
        let Some((row, proto)) = self.one_of(&makers) else { return };
        let (Some(index), local) = (index(proto), role == Role::MakeLocal) else { return };
        let mut given = vec![(index, Source::Stack(at))];
        if local {
            if !self.guesses.those(|guess| matches!(guess, Guess::Value(_, 0))).iter().any(|reg| *reg >= Reg::R6) {
                let all = self.usable_values();
                let (Some(values), Some(keep)) = (self.one_of(&all), self.keeper()) else { return };
                let map = values.map;
                if self.value_of(values, Reg::R0).is_none() {
                    return;
                }
                self.mov(keep, Reg::R0);
                return self.where_there(keep, map, |writer| {
                    writer.made(row, proto, &[(index, Source::Stack(at)), (2, Source::Number(0))], at, false)
                });
            }
            given.push((2, Source::Number(0)));
        }
        self.made(row, proto, &given, at, !local);
    }

    /// A dynptr that a helper makes, and what is done with it.
    fn made(
        &mut self,
        row: &'static skep_linux::HelperRow,
        proto: &'static skep_linux::helpers::Proto,
        given: &[(usize, Source)],
        at: i16,
        record: bool,
    ) {
        if self.helper_with(row, proto, given).is_none() {
            return;
        }
        self.used(at, record);
        if record {
            let ends = |kind: ArgKind| kind == ArgKind::Dynptr(Role::ReleaseRingbuf);
            let all = self.helpers(|_, proto| proto.args.first().is_some_and(|arg| ends(arg.kind)));
            if let Some((row, proto)) = self.one_of(&all)
                && !self.seldom(60)
            {
                self.helper_with(row, proto, &[(0, Source::Stack(at))]);
            }
        }
    }

    /// What is done with a dynptr that was made.
    fn used(&mut self, at: i16, record: bool) {
        self.families.add(Family::Dynptrs);
        self.dynptrs.push(at);
        self.open += u32::from(record);
        self.dynptr_use();
        self.within();
        self.open -= u32::from(record);
        self.dynptrs.retain(|other| *other != at);
        // Pointers into it are gone with a record.
        if record {
            self.guesses.forget(|guess| matches!(guess, Guess::Mem(_) | Guess::MemOrNull(_)));
        }
    }

    /// A dynptr of the packet.
    fn packet_dynptr(&mut self, at: i16) {
        let roles = [KfuncRole::DynptrFromSkb, KfuncRole::DynptrFromXdp, KfuncRole::DynptrFromSkbMeta];
        let makers: Vec<KernelFunction> = roles.into_iter().flat_map(|role| self.with_role(role)).collect();
        let Some(function) = self.one_of(&makers) else { return self.helper_dynptr(at, Role::MakeLocal) };
        let made = |param: &super::super::ground::Param| param.known == Some(kfunc_args::ArgKind::Dynptr { uninit: true });
        let Some(index) = function.params.iter().position(made) else { return };
        // Flags are 0.
        let mut given = vec![(index, Source::Stack(at))];
        given.extend(
            (0..function.params.len()).filter(|at| function.params[*at].number.is_some()).map(|at| (at, Source::Number(0))),
        );
        if self.kfunc_with(&function, &given).is_some() {
            self.used(at, false);
        }
    }

    /// Something that takes a dynptr.
    pub(super) fn dynptr_use(&mut self) {
        if self.dynptrs.is_empty() && self.guesses.those(|guess| guess == Guess::Dynptr).is_empty() {
            return;
        }
        if self.rng.bool() {
            let all = self.helpers(|_, proto| {
                let uses = proto.args.iter().any(|arg| arg.kind == ArgKind::Dynptr(Role::Use));
                uses && proto.args.iter().all(|arg| arg.kind != ArgKind::Func)
            });
            if let Some((row, proto)) = self.one_of(&all)
                && self.helper_with(row, proto, &[]).is_some()
            {
                self.families.add(Family::Dynptrs);
                self.after_call();
            }
            return;
        }
        let takes = |function: &&KernelFunction| {
            let uses = |param: &super::super::ground::Param| param.known == Some(kfunc_args::ArgKind::Dynptr { uninit: false });
            function.params.iter().any(uses) && (!function.row.sleepable || self.kind.sleepable())
        };
        let all: Vec<KernelFunction> = self.kind.functions.iter().filter(takes).cloned().collect();
        let Some(function) = self.one_of(&all) else { return };
        let mut given = Vec::new();
        let made = |param: &super::super::ground::Param| param.known == Some(kfunc_args::ArgKind::Dynptr { uninit: true });
        if let Some(index) = function.params.iter().position(made) {
            let Some(at) = self.take_stack(SIZE) else { return };
            given.push((index, Source::Stack(at)));
        }
        if self.kfunc_with(&function, &given).is_none() {
            return;
        }
        let slice = function.ret == kfunc_args::Ret::Slice;
        self.families.add(if slice { Family::Slices } else { Family::Dynptrs });
        self.after_call();
    }
}
