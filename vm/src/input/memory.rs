//! Contexts that are memory: arguments, registers, records, and structs of uapi without a packet of their own.

use skep_linux::contexts::Shape;
use skep_memory::Block;
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields};

/// Arguments that a BTF-typed context has at least: what no test gives is 0.
const MIN_ARGS: usize = 16 * 8;

pub(super) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    let row = skep_linux::contexts::context(program.prog_type, world.target.arch);
    let least = match row {
        Some(row) if row.shape == Shape::BtfArgs => MIN_ARGS,
        Some(row) => row.size as usize,
        None => 0,
    };
    let given = input.context.as_deref().unwrap_or_default();
    let block = Block::zeroed(least.max(given.len()));
    block.write(0, given);
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, block);
    fields(&context, input)?;
    if let Some(bytes) = &input.data {
        let packet = row.is_some_and(|row| row.fields.iter().any(|field| field.yields.is_pointer()));
        if !packet {
            return Err(InputError::NoPacket(program.prog_type));
        }
        context.packet = Some(Packet::new(bytes, 0, 0));
    }
    Ok(context)
}

pub(super) fn finish(context: &Context) -> Output {
    let packet = context.packet.as_ref().map(Packet::bytes);
    Output { packet, context: context.block.bytes(0, context.block.len()) }
}
