//! Contexts that are memory: arguments, registers, records, and structs of uapi without a file of their own here.

use std::ops::RangeInclusive;

use skep_linux::contexts::{self, ContextRow, Shape, Yields};
use skep_linux::{Arch, Errno, ProgType};
use skep_memory::{Block, RegionKind};
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields, refuse, sock};

/// Arguments that a BTF-typed context has at least: what no test gives is 0.
const MIN_ARGS: usize = 16 * 8;
/// The longest argument that the caller of a `syscall` program may hand over.
pub(super) const MAX_ARGUMENT: usize = 65535;
/// Arguments of raw tracepoints, at most.
pub(super) const MAX_RAW_ARGS: usize = 12 * 8;
/// The argument of a writable raw tracepoint that leads to its buffer.
const BUFFER_ARG: usize = 8;

/// `sizes` are those that a context may have, for types whose contexts have none of their own.
pub(super) fn prepare(
    program: &Program,
    world: &World,
    input: &Input,
    sizes: Option<RangeInclusive<usize>>,
) -> Result<Context, InputError> {
    let row = contexts::context(program.prog_type, world.target.arch);
    let mut least = match row {
        Some(row) if row.shape == Shape::BtfArgs => MIN_ARGS,
        Some(row) => row.size as usize,
        None => 0,
    };
    let given = input.context.as_deref().unwrap_or_default();
    if let Some(sizes) = sizes {
        let (reach, most) = sizes.into_inner();
        if given.len() > most {
            return refuse(format!("a context of {} bytes, more than {most}", given.len()), Errno::EINVAL);
        }
        // Without bytes, and beside fields by name, what is not given is 0.
        if input.context.is_none() || !input.fields.is_empty() {
            least = least.max(reach);
        } else if given.len() < reach {
            return refuse(format!("a context of {} bytes, of which the program uses {reach}", given.len()), Errno::EINVAL);
        } else {
            least = if input.data.is_some() { BUFFER_ARG } else { 0 };
        }
    }
    let block = Block::zeroed(least.max(given.len()));
    block.write(0, given);
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, block);
    fields(&context, input)?;
    if let Some(bytes) = &input.data {
        take_data(&mut context, row, bytes)?;
    }
    sock::lend(&mut context);
    Ok(context)
}

/// Whether a field of the context leads to the bytes that an input brings beside it.
pub(super) fn leads_to_bytes(prog_type: ProgType) -> bool {
    let leads = |field: &contexts::Field| matches!(field.yields, Yields::PacketStart | Yields::TracepointBuffer);
    // Contexts that differ from machine to machine are registers.
    contexts::context(prog_type, Arch::X86_64).is_some_and(|row| row.fields.iter().any(leads))
}

/// Puts the bytes where the fields that yield them lead: the packet, the message, the value of the option, the buffer of the tracepoint.
fn take_data(context: &mut Context, row: Option<&'static ContextRow>, bytes: &[u8]) -> Result<(), InputError> {
    let leads_to = |yields| row.and_then(|row| row.fields.iter().find(|field| field.yields == yields));
    if leads_to(Yields::PacketStart).is_some() {
        context.packet = Some(Packet::new(bytes, 0, 0));
        // Lengths that are not told follow the bytes; `len` and `size` always do.
        for name in ["optlen", "skb_len"] {
            if context.field(name) == Some(0) {
                context.set_field(name, bytes.len() as u64);
            }
        }
        return Ok(());
    }
    match leads_to(Yields::TracepointBuffer) {
        Some(field) => {
            let block = Block::from_bytes(bytes);
            context.block.store(field.offset as usize, 8, block.addr());
            context.lend(field.name, RegionKind::Lent("the buffer of the tracepoint".into()), block, true);
            Ok(())
        }
        None => Err(InputError::NoPacket(context.prog_type)),
    }
}

pub(super) fn finish(context: &Context) -> Output {
    let buffer = || context.lent.iter().find(|lent| lent.writable).map(|lent| lent.block.bytes(0, lent.block.len()));
    let bytes = |packet: &Packet| {
        let range = context.packet_bytes(packet);
        packet.block.bytes(range.start, range.len())
    };
    let packet = context.packet.as_ref().map(bytes).or_else(buffer);
    Output { packet, context: context.block.bytes(0, context.block.len()) }
}
