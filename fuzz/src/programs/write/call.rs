//! Calls of helpers and kernel functions that open nothing and close nothing.

use skep_isa::{Callee, Insn, Reg};
use skep_linux::helpers::{self as rows, ArgKind, HelperRow, Hooks, Leave, Lock, Policy, Proto, Ret, Sleeps};
use skep_linux::kfuncs::Role;
use skep_verifier::types::kfunc_args;

use super::super::ground::KernelFunction;
use super::super::shell::Values;
use super::args::{Plan, Source};
use super::{Family, Guess, Writer};

impl Writer<'_> {
    /// Calls a helper with what was planned.
    pub(super) fn call_helper(&mut self, row: &HelperRow, proto: &Proto, plan: &Plan) {
        self.put(&plan.sources);
        self.insn(Insn::Call(Callee::Helper(row.id as i32)));
        self.guesses.scratch();
        if row.changes_packet || row.writes_dynptr {
            self.guesses.forget(|guess| matches!(guess, Guess::Packet(..) | Guess::PacketEnd));
        }
        let held = row.acquires;
        let guess = match proto.ret {
            Ret::Integer => Guess::Number(None),
            Ret::Void | Ret::PercpuVar { .. } | Ret::KptrOrNull => Guess::Dead,
            Ret::MapValue { nullable } => plan.map.filter(|_| nullable).map_or(Guess::Dead, Guess::ValueOrNull),
            Ret::SocketOrNull | Ret::TcpSockOrNull | Ret::SockCommonOrNull => Guess::SockOrNull(held),
            Ret::RingbufMemOrNull => Guess::RecordOrNull(plan.size as u32),
            Ret::DynptrMemOrNull => Guess::MemOrNull(plan.size as i16),
            Ret::Btf { to, nullable, .. } => match (self.ground.struct_id(to.name()), nullable) {
                (Some(id), true) => Guess::ObjectOrNull(id.0, held),
                (Some(id), false) => Guess::Object(id.0, held),
                (None, _) => Guess::Dead,
            },
        };
        self.guesses.set(Reg::R0, guess);
    }

    /// Plans and calls; whether it could.
    pub(super) fn helper_with(
        &mut self,
        row: &'static HelperRow,
        proto: &'static Proto,
        given: &[(usize, Source)],
    ) -> Option<Plan> {
        let plan = self.plan(row, proto, given)?;
        self.call_helper(row, proto, &plan);
        Some(plan)
    }

    /// A helper that needs nothing and returns a number.
    pub(super) fn number_helper(&mut self) -> bool {
        let all = self.helpers(|row, proto| {
            proto.args.is_empty() && proto.ret == Ret::Integer && row.policy == Policy::Free && proto.hooks == Hooks::Any
        });
        let Some((row, proto)) = self.one_of(&all) else { return false };
        self.helper_with(row, proto, &[]).is_some()
    }

    /// Whether a helper leaves everything as open as it was.
    fn is_closed(&self, row: &HelperRow, proto: &Proto) -> bool {
        let moves = |kind: ArgKind| match kind {
            ArgKind::Dynptr(role) => role != rows::Role::Use,
            ArgKind::KptrSlot | ArgKind::Kptr | ArgKind::SpinLock => true,
            _other => false,
        };
        let policy = matches!(row.policy, Policy::Free | Policy::ReadKernel);
        row.callback.is_none()
            && row.leave == Leave::Next
            && row.lock == Lock::No
            && !row.acquires
            && policy
            && proto.hooks == Hooks::Any
            && (row.sleeps != Sleeps::Always || self.kind.sleepable())
            && proto.release_arg().is_none()
            && !proto.args.iter().any(|arg| moves(arg.kind))
    }

    /// Any helper that the program may call, with arguments of the kinds that its row names.
    pub(super) fn some_helper(&mut self) {
        let all = self.helpers(|row, proto| self.is_closed(row, proto));
        for _ in 0..4 {
            let Some((row, proto)) = self.one_of(&all) else { return };
            if self.helper_with(row, proto, &[]).is_some() {
                self.families.add(Family::Helpers);
                return self.after_call();
            }
        }
    }

    /// What comes from a call is often tested and used at once.
    pub(super) fn after_call(&mut self) {
        if self.guesses.get(Reg::R0).not_null().is_some() && self.rng.u32(..4) > 0 {
            self.null_check();
        }
    }

    /// A pointer to a value, or NULL, in R0.
    pub(super) fn value_of(&mut self, values: &Values, reg: Reg) -> Option<()> {
        let looks_up = |proto: &Proto| {
            let kinds: Vec<ArgKind> = proto.args.iter().map(|arg| arg.kind).collect();
            proto.ret == Ret::MapValue { nullable: true } && kinds == [ArgKind::MapPtr, ArgKind::MapKey]
        };
        let (row, proto) = self.helpers(|_, proto| looks_up(proto)).first().copied()?;
        let key = self.key(values.key);
        self.helper_with(row, proto, &[(0, Source::Map(values.map)), (1, Source::Stack(key))])?;
        self.guesses.set(Reg::R0, Guess::ValueOrNull(values.map));
        if reg != Reg::R0 {
            self.mov(reg, Reg::R0);
        }
        Some(())
    }

    /// Calls a kernel function with what was planned.
    pub(super) fn call_kfunc(&mut self, function: &KernelFunction, plan: &Plan) {
        self.put(&plan.sources);
        self.insn(Insn::Call(Callee::Kfunc { id: function.id, module: 0 }));
        self.guesses.scratch();
        if function.row.role == Role::ChangesPacket {
            self.guesses.forget(|guess| matches!(guess, Guess::Packet(..) | Guess::PacketEnd));
        }
        let (null, held) = (function.row.ret_null, function.row.acquire);
        let guess = match &function.ret {
            kfunc_args::Ret::Scalar(_) | kfunc_args::Ret::Address => Guess::Number(None),
            kfunc_args::Ret::Struct { to, .. } if null => Guess::ObjectOrNull(to.0, held),
            kfunc_args::Ret::Struct { to, .. } => Guess::Object(to.0, held),
            kfunc_args::Ret::Memory { size, .. } => {
                let size = size.map_or(plan.size as i16, |size| size as i16);
                if null { Guess::MemOrNull(size) } else { Guess::Mem(size) }
            }
            kfunc_args::Ret::Slice => Guess::MemOrNull(plan.size as i16),
            kfunc_args::Ret::Void
            | kfunc_args::Ret::Allocated
            | kfunc_args::Ret::SameObject
            | kfunc_args::Ret::Node
            | kfunc_args::Ret::KernelContext
            | kfunc_args::Ret::Cast
            | kfunc_args::Ret::Unsupported(..)
            | kfunc_args::Ret::Other => Guess::Dead,
        };
        self.guesses.set(Reg::R0, guess);
    }

    /// Plans and calls; `None` if it could not.
    pub(super) fn kfunc_with(&mut self, function: &KernelFunction, given: &[(usize, Source)]) -> Option<Plan> {
        let plan = self.plan_kfunc(function, given)?;
        self.call_kfunc(function, &plan);
        Some(plan)
    }

    /// Kernel functions of this role.
    pub(super) fn with_role(&self, role: Role) -> Vec<KernelFunction> {
        self.kind.functions.iter().filter(|function| function.row.role == role).cloned().collect()
    }

    /// Any kernel function that opens and closes nothing.
    pub(super) fn some_kfunc(&mut self) {
        let kind = self.kind;
        let closed = kind.functions.iter().filter(|function| {
            let row = function.row;
            let role = matches!(
                row.role,
                Role::Plain
                    | Role::ChangesPacket
                    | Role::DynptrSlice
                    | Role::DynptrSliceWritable
                    | Role::RdonlyCast
                    | Role::CastToKernCtx
            );
            let able = !row.sleepable || kind.sleepable();
            role && able && !row.acquire && !row.release && !row.destructive && !row.device_bound
        });
        let all: Vec<&KernelFunction> = closed.collect();
        for _ in 0..6 {
            let Some(function) = self.one_of(&all) else { return };
            if self.kfunc_with(function, &[]).is_some() {
                self.families.add(Family::Kfuncs);
                return self.after_call();
            }
        }
    }
}
