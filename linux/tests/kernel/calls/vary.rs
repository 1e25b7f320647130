//! Arguments other than those that the row asks for.

use skep_kernel::LogLevel;
use skep_linux::helpers::{Access, ArgKind, CallbackArg};
use skep_linux::maps::ValueArg;
use skep_linux::programs::{PacketArgs, program as program_row};
use skep_linux::{MapType, ProgType};

use super::program::{Builder, NoWay, Place, fd};
use super::{Call, Tally, every_call};
use crate::ask::can_ask;

/// What happens with memory that the argument points to.
fn access(kind: ArgKind) -> Option<Access> {
    match kind {
        ArgKind::MapKey => Some(Access::ReadOfWritable),
        ArgKind::MapValue(access) | ArgKind::Mem(access) | ArgKind::FixedMem { access, .. } => Some(access),
        _ => None,
    }
}

/// The call with another place for the argument of this index.
fn with_place(
    call: &Call<'_>,
    index: usize,
    make: impl Fn(&mut Builder<'_>) -> Result<Place, NoWay>,
) -> Option<Result<String, String>> {
    // First, since it may leave the program, and what the arguments hold would not be given back.
    let mut builder = Builder::new(call.with, call.kind);
    let place = make(&mut builder).ok()?;
    let mut args = super::args(&mut builder, call.row, call.proto).ok()?;
    args[index] = place;
    Some(call.load(builder, &args, LogLevel::OnFailure))
}

#[test]
fn null_and_zero() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        for (index, arg) in call.proto.args.iter().enumerate() {
            let (builder, mut args) = call.start().expect("a way");
            let row = match arg.kind {
                ArgKind::Anything => continue,
                // The map itself must be known, and a function.
                ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => {
                    args[index] = Place::Number(0);
                    arg.kind != ArgKind::Size
                }
                _ => {
                    args[index] = Place::Number(0);
                    if arg.kind.has_size() {
                        args[index + 1] = Place::Number(0);
                    }
                    arg.nullable
                }
            };
            // References that are given up stay held without the call.
            if arg.released && matches!(arg.kind, ArgKind::RingbufMem | ArgKind::BtfSockCommon | ArgKind::Dynptr(_)) {
                continue;
            }
            let kernel = call.load(builder, &args, LogLevel::OnFailure);
            tally.hold(call, &format!("argument {} 0", index + 1), row, &kernel);
        }
    });
    tally.end(3000);
}

#[test]
fn memory_that_is_guarded() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        for (index, arg) in call.proto.args.iter().enumerate() {
            let Some(access) = access(arg.kind) else { continue };
            let read_only = with_place(call, index, |_| Ok(Place::Value(fd(&call.with.read_only)))).expect("a way");
            let reads = matches!(access, Access::Read | Access::ReadOfWritable);
            tally.hold(call, &format!("argument {} in a map to be read", index + 1), reads, &read_only);
            let writes = matches!(access, Access::Fill | Access::ReadWrite);
            let write_only = with_place(call, index, |_| Ok(Place::Value(fd(&call.with.write_only)))).expect("a way");
            tally.hold(call, &format!("argument {} in a map to be written", index + 1), writes, &write_only);
            if let Some(typed) = with_place(call, index, |builder| builder.read_only_memory()) {
                let what = format!("argument {} in memory that is read-only by type", index + 1);
                tally.hold(call, &what, access == Access::Read, &typed);
            }
        }
    });
    tally.end(1000);
}

#[test]
fn memory_of_packets() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let row = program_row(call.kind.prog).expect("a row");
        let takes = match row.packet_args {
            PacketArgs::None => false,
            PacketArgs::Marked => call.proto.takes_packet,
            PacketArgs::All => true,
        };
        for (index, arg) in call.proto.args.iter().enumerate().filter(|(_, arg)| access(arg.kind).is_some()) {
            // No place in a packet is known to be aligned.
            if matches!(arg.kind, ArgKind::FixedMem { aligned: true, .. }) {
                continue;
            }
            if let Some(kernel) = with_place(call, index, |builder| builder.packet()) {
                tally.hold(call, &format!("argument {} in the packet", index + 1), takes, &kernel);
            }
        }
    });
    tally.end(400);
}

#[test]
fn types_of_maps() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(index) = call.proto.map_arg() else { return };
        if call.proto.args.iter().any(|arg| arg.kind == ArgKind::Timer) {
            return;
        }
        for (map_type, map) in &call.with.by_type {
            let row = call.row.takes_map(*map_type, call.kind.prog, call.kind.attach)
                && (call.kind.prog != ProgType::Syscall || skep_linux::map(*map_type).is_some_and(|row| row.in_sleepable));
            // Elements are handed to a function of the program by few types.
            let each = call.row.callback.is_some_and(|callback| callback.args.contains(&CallbackArg::Map));
            let row = row && (!each || skep_linux::map(*map_type).is_some_and(|row| row.for_each));
            if skep_linux::map(*map_type).is_some_and(|row| row.value_arg == ValueArg::Socket) && !call.can_release() {
                continue;
            }
            let mut builder = Builder::new(call.with, call.kind);
            builder.map = Some(*map_type);
            let mut args = super::args(&mut builder, call.row, call.proto).expect("a way");
            args[index] = Place::Map(fd(map));
            let kernel = call.load(builder, &args, LogLevel::OnFailure);
            tally.hold(call, &format!("map {map_type:?}"), row, &kernel);
        }
    });
    tally.end(15_000);
}

#[test]
fn maps_that_are_guarded() {
    if !can_ask() {
        return;
    }
    use skep_linux::helpers::MapUse;
    let mut tally = Tally::default();
    every_call(|call| {
        let Some(index) = call.proto.map_arg() else { return };
        let timer = call.proto.args.iter().any(|arg| arg.kind == ArgKind::Timer);
        if timer || !call.row.takes_map(MapType::Array, call.kind.prog, call.kind.attach) {
            return;
        }
        let read_only = with_place(call, index, |_| Ok(Place::Map(fd(&call.with.read_only)))).expect("a way");
        tally.hold(call, "map to be read", call.row.map_use != MapUse::Write, &read_only);
        let write_only = with_place(call, index, |_| Ok(Place::Map(fd(&call.with.write_only)))).expect("a way");
        tally.hold(call, "map to be written", true, &write_only);
    });
    tally.end(100);
}

#[test]
fn arguments_that_must_be_zero() {
    if !can_ask() {
        return;
    }
    let mut tally = Tally::default();
    every_call(|call| {
        for (index, _) in call.proto.args.iter().enumerate().filter(|(_, arg)| arg.kind == ArgKind::Anything) {
            let row = !call.row.zero_args.contains(&(index as u8));
            for number in [1, -1] {
                let kernel = with_place(call, index, |_| Ok(Place::Number(number))).expect("a way");
                tally.hold(call, &format!("argument {} {number}", index + 1), row, &kernel);
            }
        }
    });
    tally.end(1000);
}
