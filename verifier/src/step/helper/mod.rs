//! Calls of helpers: whether the program may call it, what each argument must be, and what the call leaves.
//!
//! Everything is read off the helper's row; a file per question.

mod accepts;
mod allowed;
mod arg;
mod callback;
mod kptr;
mod maps;
mod result;
mod strings;

use skep_btf::{Type, TypeId};
use skep_isa::{Reg as Name, Size};
use skep_linux::helpers::{ArgKind, Leave, Proto};
use skep_linux::{HelperRow, ProgType};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Flags, Kind, MapRef, Reg};
use crate::types::record::Field;
use crate::why::Call;

use super::Next;
use super::dynptr::Dynptr;
use super::mem::{Access, Does};

/// A call, and what its arguments said so far.
#[derive(Debug)]
pub(super) struct Called {
    /// The helper.
    row: &'static HelperRow,
    /// Its prototype for this program.
    proto: &'static Proto,
    /// The map argument, and which lookup it came from.
    map: Option<(MapRef, u32)>,
    /// The key of the map, if it is a known number.
    key: Option<u64>,
    /// The reference that an argument holds; 0 for none.
    ref_id: u32,
    /// The argument whose reference is given up.
    released: Option<Name>,
    /// Bytes of what it returns.
    alloc_size: u32,
    /// The most that a size argument may be.
    most_size: u64,
    /// The argument that points to stack which the call fills, and bytes.
    fills: Option<(Name, i32)>,
    /// The dynptr that an argument points to.
    dynptr: Option<Dynptr>,
    /// The place of a kernel pointer that the call is about.
    field: Option<Field>,
    /// The argument that names a variable of each CPU.
    variable: Option<Reg>,
}

/// The register of an argument, from 0.
pub(super) fn arg_name(index: usize) -> Name {
    [Name::R1, Name::R2, Name::R3, Name::R4, Name::R5][index]
}

impl Walk<'_> {
    pub(super) fn call_helper(&mut self, id: i32) -> Result<Next, Fault> {
        let (row, proto) = self.allowed_helper(id)?;
        let mut called = Called {
            row,
            proto,
            map: None,
            key: None,
            ref_id: 0,
            released: None,
            alloc_size: 0,
            most_size: 0,
            fills: None,
            dynptr: None,
            field: None,
            variable: None,
        };
        for index in 0..proto.args.len() {
            self.check_arg(&mut called, index)?;
        }
        self.record_map(&called)?;
        self.fill_stack(&called)?;
        self.release_arg(&called)?;
        self.check_call(&called)?;
        self.leave_call(&called)?;
        self.after_call(&called)
    }

    /// The call writes what it filled, byte by byte.
    fn fill_stack(&mut self, called: &Called) -> Result<(), Fault> {
        let Some((base, bytes)) = called.fills else { return Ok(()) };
        if let Some(log) = &mut self.log {
            log.touch_filled(self.state.reg(base), bytes.into());
        }
        for off in 0..bytes {
            self.access(&Access { base, off, size: Size::B, does: Does::Write, strict: false })?;
        }
        Ok(())
    }

    /// The reference of the argument that is given up is gone, and all that belongs to it.
    fn release_arg(&mut self, called: &Called) -> Result<(), Fault> {
        let Some(name) = called.released else { return Ok(()) };
        let released = called.proto.args.iter().find(|arg| arg.released).map(|arg| arg.kind);
        if matches!(released, Some(ArgKind::Dynptr(_))) {
            return self.end_dynptr(name);
        }
        if called.ref_id == 0 {
            return Ok(());
        }
        let held = match released {
            Some(ArgKind::Kptr) => self.move_reference(called.ref_id),
            _other => self.release_reference(called.ref_id),
        };
        if !held {
            return Err(Call::NotAcquired { name: called.row.name, id: called.row.id }.into());
        }
        Ok(())
    }

    /// What is checked once all arguments are known.
    fn check_call(&mut self, called: &Called) -> Result<(), Fault> {
        let row = called.row;
        if row.leave == Leave::TailCall {
            self.check_nothing_held(true, false, "tail_call")?;
        }
        for &index in row.zero_args {
            if !self.state.reg(arg_name(usize::from(index))).is_null() {
                return Err(Call::NonzeroFlags(row.short_name()).into());
            }
        }
        self.queue_callback(called)?;
        if row.format {
            self.check_format(called)?;
        }
        if let Some(at) = called.proto.args.iter().position(|arg| arg.kind == ArgKind::MapMem) {
            let reg = self.state.reg(arg_name(at));
            if !matches!(reg.kind, Kind::MapValue { .. }) || reg.flags != Flags::NONE {
                return Err(Call::DynptrMemory { kind: reg.type_name(), name: row.name }.into());
            }
        }
        if row.sets_result && self.setting.prog_type() == ProgType::Lsm && self.is_hook_void()? {
            return Err(Call::VoidHook.into());
        }
        Ok(())
    }

    /// The kernel function that the program is attached to returns nothing.
    fn is_hook_void(&self) -> Result<bool, Fault> {
        let unknown = || Fault::not_modelled("a program that is attached to no known function");
        let (Some(btf), Some(id)) = (self.setting.vmlinux(), self.setting.program.attach_btf_id) else { return Err(unknown()) };
        match btf.get(TypeId(id)) {
            Some(Type::Func(func)) => match btf.get(func.proto) {
                Some(Type::FuncProto(proto)) => Ok(proto.ret() == TypeId(0)),
                _other => Err(unknown()),
            },
            _other => Err(unknown()),
        }
    }

    /// Where the path goes after the call.
    fn after_call(&mut self, called: &Called) -> Result<Next, Fault> {
        let next = Next::At(self.pc + 1);
        if called.row.leave == Leave::TailCall {
            if self.state.depth() == 0 {
                return Ok(next);
            }
            return self.leave_by_tail_call();
        }
        let of_packet = called.dynptr.is_some_and(|dynptr| matches!(dynptr.of, DynptrKind::Skb | DynptrKind::SkbMeta));
        if called.row.changes_packet || called.row.writes_dynptr && of_packet {
            self.forget_packet();
        }
        Ok(next)
    }

    /// In a function that is called, the other program ends the function: its caller goes on. The path on which there is no other
    /// program is followed later.
    fn leave_by_tail_call(&mut self) -> Result<Next, Fault> {
        self.fork(self.pc + 1)?;
        self.forget_packet();
        *self.state.reg_mut(Name::R0) = Reg::UNKNOWN;
        self.leave_frame()
    }
}
