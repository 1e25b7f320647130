//! What calls do: what they return, what is invalid after them, where they are allowed, how they call back.

use skep_isa::RawInsn;
use skep_kernel::LogLevel;
use skep_linux::helpers::{ArgKind, Bound, CallbackArg, Leave, Lock, Ret, Role, Sleeps};
use skep_linux::special::SpecialKind;
use skep_linux::{MapType, ProgType};

use super::program::{Builder, NoWay, Place, call as call_insn, fd, mov};
use super::{Call, Tally, every_call};
use crate::ask::{can_ask, insn};

/// What the log says of a register in a line: `scalar()` of `R0=scalar() R1=ctx()`.
fn state<'a>(line: &'a str, reg: &str) -> Option<&'a str> {
    let at = line.match_indices(reg).find_map(|(at, _)| {
        let rest = line[at + reg.len()..].strip_prefix("_w").unwrap_or(&line[at + reg.len()..]);
        rest.strip_prefix('=')
    })?;
    let mut depth = 0;
    let end = at.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ' ' && depth == 0
    });
    Some(&at[..end.unwrap_or(at.len())])
}

/// What the log says of a register after the instruction in this slot: behind it, or before the next.
fn state_after<'a>(log: &'a str, slot: usize, reg: &str) -> Option<&'a str> {
    let (call, next) = (format!("{slot}: (85) call "), format!("{}: R", slot + 1));
    let line = log.lines().find(|line| line.starts_with(&call)).and_then(|line| state(line, reg));
    line.or_else(|| log.lines().find(|line| line.starts_with(&next)).and_then(|line| state(line, reg)))
}

/// The beginning of the state that a row promises of `r0`.
fn promised(call: &Call<'_>) -> Option<String> {
    let null = |nullable| if nullable { "_or_null" } else { "" };
    Some(match call.proto.ret {
        Ret::Void => return None,
        Ret::Integer => "scalar".to_owned(),
        // What it is, a map, a socket or memory, is decided when it is known not to be NULL.
        Ret::MapValue { nullable } => format!("map_value{}", null(nullable)),
        Ret::SocketOrNull => "sock_or_null".to_owned(),
        Ret::TcpSockOrNull => "tcp_sock_or_null".to_owned(),
        Ret::SockCommonOrNull => "sock_common_or_null".to_owned(),
        Ret::RingbufMemOrNull => "ringbuf_mem_or_null".to_owned(),
        Ret::DynptrMemOrNull => "mem_or_null".to_owned(),
        Ret::PercpuVar { nullable } => format!("mem{}", null(nullable)),
        Ret::Btf { to, nullable, trusted } => {
            let trusted = if trusted { "trusted_" } else { "" };
            format!("{trusted}ptr{}_{}", null(nullable), to.name())
        }
        Ret::KptrOrNull => "ptr_or_null_task_struct".to_owned(),
    })
}

#[test]
fn what_calls_return() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    // The state behind a call that calls back is that of a later pass.
    every_call(|call| {
        if call.row.callback.is_some_and(|callback| !callback.later) {
            return;
        }
        let takes = |map: &MapType| call.row.takes_map(*map, call.kind.prog, call.kind.attach);
        let usable = |map: &MapType| {
            call.with.by_type.contains_key(map)
                && (call.kind.prog != ProgType::Syscall || skep_linux::map(*map).is_some_and(|row| row.in_sleepable))
        };
        let maps: Vec<Option<MapType>> = match call.proto.map_arg() {
            Some(_) => MapType::ALL.iter().copied().filter(takes).filter(usable).map(Some).collect(),
            None => vec![None],
        };
        for map in maps {
            let mut builder = Builder::new(call.with, call.kind);
            builder.map = map;
            let Ok(args) = super::args(&mut builder, call.row, call.proto) else { continue };
            let program = builder.finish(call.row, call.proto, &args, &[]);
            // A socket that cannot be given back.
            let Ok(log) = program.load(call.kind, call.with, LogLevel::States) else { continue };
            let kernel = state_after(&log, program.call_at, "R0");
            let row = promised(call);
            let bounds = match call.row.bound {
                Bound::None => true,
                Bound::SizeArg(_) => kernel.is_some_and(|state| state.contains("smin=smin32=-4095,smax=smax32=8")),
                Bound::Cpus => kernel.is_some_and(|state| state.contains("smin=smin32=0,smax=umax=")),
            };
            let kind = kernel.map(|state| state.split('(').next().unwrap_or_default());
            // A number of which all is known has no word before it.
            let same =
                kind == row.as_deref() || row.as_deref() == Some("scalar") && kind.is_some_and(|k| k.parse::<i64>().is_ok());
            let said = if same && bounds { Ok(String::new()) } else { Err(format!("{kernel:?}")) };
            tally.hold(call, &format!("returns {row:?} with {:?} ({map:?})", call.row.bound), true, &said);
        }
    });
    tally.end(2000);
}

#[test]
fn packet_pointers_after_calls() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let mut builder = Builder::new(call.with, call.kind);
        let Ok(Place::Reg(packet)) = builder.packet() else { return };
        let Ok(args) = super::args(&mut builder, call.row, call.proto) else { return };
        let kernel = call.load_then(builder, &args, &[insn(0x71, 1, packet, 0, 0)]);
        tally.hold(call, "packet pointers stay", !call.row.changes_packet || call.row.leave == Leave::TailCall, &kernel);
    });
    tally.end(800);
}

/// The call between two others.
fn between(
    call: &Call<'_>,
    make: impl Fn(&mut Builder<'_>) -> Result<(Vec<RawInsn>, Vec<RawInsn>), NoWay>,
) -> Option<Result<String, String>> {
    let (mut builder, args) = call.start().ok()?;
    let (before, after) = make(&mut builder).ok()?;
    builder.add(&before);
    // What the call returned is kept for what must be done with it.
    let mut then = vec![mov(9, 0)];
    then.extend(after);
    then.push(mov(0, 9));
    let then = if call.proto.ret == Ret::Void { then[1..then.len() - 1].to_vec() } else { then };
    Some(call.load_then(builder, &args, &then))
}

#[test]
fn calls_under_a_lock() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        if call.row.lock != Lock::No || !call.row.acquires_from.is_empty() || call.row.acquires {
            return;
        }
        let kernel = between(call, |builder| {
            builder.may_use(SpecialKind::SpinLock)?;
            let Place::Reg(lock) = builder.value(&call.with.locked)? else { return Err(String::new()) };
            if lock == 9 {
                return Err("registers".to_owned());
            }
            Ok((vec![mov(1, lock), call_insn(93)], vec![mov(1, lock), call_insn(94)]))
        });
        if let Some(kernel) = kernel {
            tally.hold(call, "under a lock", call.row.under_lock, &kernel);
        }
    });
    tally.end(500);
}

#[test]
fn calls_in_sections() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    let sections = [("bpf_rcu_read_lock", "bpf_rcu_read_unlock"), ("bpf_preempt_disable", "bpf_preempt_enable")];
    every_call(|call| {
        if call.kind.prog != ProgType::Syscall || call.row.lock != Lock::No {
            return;
        }
        for (enter, leave) in sections {
            let kernel = between(call, |builder| Ok((vec![builder.kernel_call(enter)], vec![builder.kernel_call(leave)])));
            if let Some(kernel) = kernel {
                tally.hold(call, enter, call.row.sleeps != Sleeps::Always, &kernel);
            }
        }
    });
    tally.end(120);
}

/// The call with 1 for every number, so that what is done so many times is done.
fn once<'a>(call: &Call<'a>) -> (Builder<'a>, Vec<Place>) {
    let (builder, mut args) = call.start().expect("a way");
    for (place, arg) in args.iter_mut().zip(call.proto.args) {
        if arg.kind == ArgKind::Anything {
            *place = Place::Number(1);
        }
    }
    (builder, args)
}

#[test]
fn callbacks() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(callback) = call.row.callback else { return };
        assert_eq!(call.proto.args[usize::from(callback.func)].kind, ArgKind::Func, "{}", call.row.name);
        for returns in [-1, 0, 1, 2] {
            let (mut builder, args) = once(call);
            builder.callback_returns = returns;
            let kernel = call.load(builder, &args, LogLevel::OnFailure);
            tally.hold(
                call,
                &format!("callback returns {returns}"),
                (0..=callback.max_return as i32).contains(&returns),
                &kernel,
            );
        }
        let (builder, args) = once(call);
        let log = call.load(builder, &args, LogLevel::States).expect("taken");
        let entry =
            log.lines().find(|line| line.starts_with("from ") && line.ends_with("cb")).unwrap_or_else(|| panic!("{call}: {log}"));
        for (reg, arg) in (1..).zip(callback.args) {
            let kernel = state(entry, &format!("R{reg}"));
            let kind = kernel.map(|state| state.split('(').next().unwrap_or_default());
            let row = match arg {
                CallbackArg::Scalar => Some("scalar"),
                CallbackArg::Map => Some("map_ptr"),
                CallbackArg::MapKey => Some("map_key"),
                CallbackArg::MapValue => Some("map_value"),
                CallbackArg::Passed(_) => Some("fp[0]-64"),
                CallbackArg::Task => Some("trusted_ptr_task_struct"),
                CallbackArg::Vma => Some("ptr_vm_area_struct"),
                CallbackArg::Dynptr => Some("dynptr_ptr"),
                CallbackArg::Unset => None,
            };
            let said = if kind == row { Ok(String::new()) } else { Err(format!("{kernel:?} in {entry}")) };
            tally.hold(call, &format!("callback has {arg:?} in r{reg}"), true, &said);
        }
    });
    tally.end(300);
}

#[test]
fn spills_that_are_removed() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    let mut seen = std::collections::HashSet::new();
    every_call(|call| {
        // Arguments of other kinds need the stack for themselves.
        let plain = call.proto.args.iter().all(|arg| arg.kind == ArgKind::Anything);
        let first = seen.insert((call.row.id, call.kind.prog as u32));
        if !plain || call.proto.args.len() > 4 || !first {
            return;
        }
        let mut insns: Vec<_> = (1..=5).map(|reg| crate::ask::set(reg, 0)).collect();
        insns.extend([insn(0x7b, 10, 5, -8, 0), call_insn(call.row.id as i32), insn(0x79, 5, 10, -8, 0)]);
        insns.extend([crate::ask::set(0, call.kind.returns), crate::ask::EXIT]);
        let log = call.kind.load(&insns, LogLevel::Stats).expect("taken");
        let removed = log.lines().any(|line| line.trim_end() == "stack depth 0");
        let said = if removed == call.proto.fastcall { Ok(String::new()) } else { Err(format!("removed: {removed}")) };
        tally.hold(call, "spills", true, &said);
    });
    tally.end(150);
}

#[test]
fn formats() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(index) = call.proto.args.iter().position(|arg| arg.kind == ArgKind::ConstStr) else { return };
        let (builder, mut args) = call.start().expect("a way");
        args[index] = Place::Value(fd(&call.with.format));
        // There is one value of eight bytes, and the format is for two.
        let kernel = call.load(builder, &args, LogLevel::OnFailure);
        tally.hold(call, "a string for two numbers", !call.row.format, &kernel);
    });
    tally.end(40);
}

#[test]
fn keys_that_are_known() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(key) = call.proto.args.iter().position(|arg| arg.kind == ArgKind::MapKey) else { return };
        if call.kind.prog != ProgType::SchedCls || !matches!(call.proto.ret, Ret::MapValue { .. }) {
            return;
        }
        let index = call.proto.map_arg().expect("a key has a map");
        for (map_type, map) in &call.with.by_type {
            // A key of four bytes that is 0, or out of range.
            for (number, in_range) in [(0, true), (100, false)] {
                let (mut builder, mut args) = call.start().expect("a way");
                builder.map = Some(*map_type);
                builder.add(&[insn(0x62, 10, 0, -200, number)]);
                args[key] = Place::Stack(-200);
                args[index] = Place::Map(fd(map));
                let program = builder.finish(call.row, call.proto, &args, &[]);
                let Ok(log) = program.load(call.kind, call.with, LogLevel::States) else { continue };
                let state = state_after(&log, program.call_at, "R0").unwrap_or_default();
                let row = call.row.known_key.contains(*map_type) && in_range;
                let known = state.starts_with("map_value(");
                let said = if known { Ok(String::new()) } else { Err(state.to_owned()) };
                tally.hold(call, &format!("key {number} in {map_type:?} is there"), row, &said);
            }
        }
    });
    tally.end(20);
}

#[test]
fn writes_to_dynptrs_of_packets() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(index) = call.proto.args.iter().position(|arg| arg.kind == ArgKind::Dynptr(Role::Use)) else { return };
        if call.kind.prog != ProgType::SchedCls {
            return;
        }
        let mut builder = Builder::new(call.with, call.kind);
        let Ok(Place::Reg(packet)) = builder.packet() else { return };
        let from_skb = builder.kernel_call("bpf_dynptr_from_skb");
        builder.add(&[mov(1, 6), crate::ask::set(2, 0), mov(3, 10), insn(0x07, 3, 0, 0, -224), from_skb]);
        let mut args = super::args(&mut builder, call.row, call.proto).expect("a way");
        args[index] = Place::Stack(-224);
        let kernel = call.load_then(builder, &args, &[insn(0x71, 1, packet, 0, 0)]);
        tally.hold(call, "packet pointers stay", !call.row.writes_dynptr, &kernel);
    });
    tally.end(3);
}
