//! What is acquired and given back.

use skep_isa::{Cond, Operand, Reg, Width};
use skep_linux::helpers::{ArgKind, HelperRow, Proto, Ret};
use skep_verifier::types::kfunc_args;

use super::super::ground::KernelFunction;
use super::args::Source;
use super::{Family, Guess, Line, Writer};

/// How a reference is given back.
#[derive(Debug, Clone)]
pub(super) enum Release {
    /// By a helper, whose argument of this index it is.
    Helper(&'static HelperRow, &'static Proto, usize),
    /// By a kernel function, whose first argument it is.
    Kfunc(Box<KernelFunction>),
}

impl Writer<'_> {
    /// R0 is a pointer that must be given back, or NULL. Pieces follow in the way where it is no NULL, and then `close`.
    pub(super) fn with(&mut self, keep: Reg, may_be_null: bool, close: impl FnOnce(&mut Self, Reg)) {
        let guess = self.guesses.get(Reg::R0);
        let held = guess.not_null().unwrap_or(guess);
        self.mov(keep, Reg::R0);
        let out = self.label();
        if may_be_null {
            let tested = if self.rng.bool() { keep } else { Reg::R0 };
            self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, tested, Operand::Imm(0), out));
        }
        self.guesses.set(Reg::R0, Guess::Dead);
        self.guesses.set(keep, Guess::Dead);
        let before = self.guesses.clone();
        self.guesses.set(keep, held);
        self.pinned.push(keep);
        self.open += 1;
        self.within();
        self.open -= 1;
        self.pinned.retain(|reg| *reg != keep);
        if !self.seldom(60) {
            close(self, keep);
        }
        self.guesses.forget(|guess| guess == held);
        self.here(out);
        self.guesses.meet(&before);
    }

    pub(super) fn give_back(&mut self, release: &Release, held: Reg) {
        match release {
            Release::Helper(row, proto, index) => {
                self.helper_with(row, proto, &[(*index, Source::Register(held))]);
            }
            Release::Kfunc(function) => {
                self.kfunc_with(function, &[(0, Source::Register(held))]);
            }
        }
    }

    /// Helpers that give up a reference of an argument of this kind.
    fn helper_releases(&self, kinds: &[ArgKind]) -> Vec<Release> {
        let releases = |proto: &Proto| proto.release_arg().filter(|index| kinds.contains(&proto.args[*index].kind));
        let all = self.helpers(|_, proto| releases(proto).is_some());
        all.into_iter().filter_map(|(row, proto)| Some(Release::Helper(row, proto, releases(proto)?))).collect()
    }

    /// Kernel functions that give up a reference to an object of this struct.
    pub(super) fn kfunc_releases(&self, to: u32) -> Vec<Release> {
        let takes = |function: &&KernelFunction| {
            function.row.release
                && !function.row.acquire
                && function.params.first().is_some_and(|param| param.object.is_some_and(|object| object.0 == to))
        };
        self.kind.functions.iter().filter(takes).map(|function| Release::Kfunc(Box::new(function.clone()))).collect()
    }

    /// A socket or a ring buffer record.
    pub(super) fn helper_reference(&mut self) {
        if self.depth > 2 {
            return;
        }
        let all = self.helpers(|row, proto| {
            row.acquires
                && matches!(proto.ret, Ret::SocketOrNull | Ret::SockCommonOrNull | Ret::TcpSockOrNull | Ret::RingbufMemOrNull)
        });
        let (Some((row, proto)), Some(keep)) = (self.one_of(&all), self.keeper()) else { return };
        let record = proto.ret == Ret::RingbufMemOrNull;
        let kinds: &[ArgKind] = match record {
            true => &[ArgKind::RingbufMem],
            false => &[ArgKind::SockCommon, ArgKind::Socket, ArgKind::BtfSockCommon],
        };
        let Some(release) = self.one_of(&self.helper_releases(kinds)) else { return };
        if self.helper_with(row, proto, &[]).is_none() {
            return;
        }
        self.families.add(if record { Family::Records } else { Family::Sockets });
        self.with(keep, true, |writer, held| writer.give_back(&release, held));
    }

    /// A kernel object that a kernel function acquires.
    pub(super) fn kfunc_reference(&mut self) {
        if self.depth > 2 {
            return;
        }
        let acquires = |function: &&KernelFunction| {
            function.row.acquire
                && !function.row.release
                && (!function.row.sleepable || self.kind.sleepable())
                && matches!(function.ret, kfunc_args::Ret::Struct { .. })
        };
        let all: Vec<&KernelFunction> = self.kind.functions.iter().filter(acquires).collect();
        for _ in 0..4 {
            let (Some(function), Some(keep)) = (self.one_of(&all), self.keeper()) else { return };
            let kfunc_args::Ret::Struct { to, .. } = function.ret else { return };
            let Some(release) = self.one_of(&self.kfunc_releases(to.0)) else { continue };
            if self.kfunc_with(function, &[]).is_none() {
                continue;
            }
            self.families.add(Family::Objects);
            return self.with(keep, function.row.ret_null, |writer, held| writer.give_back(&release, held));
        }
    }
}
