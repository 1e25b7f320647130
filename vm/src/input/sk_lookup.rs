//! `struct bpf_sk_lookup`: addresses and ports of a connection that looks for its socket.

use std::ops::Range;

use skep_linux::Errno;
use skep_memory::Block;
use skep_program::Program;
use skep_world::{Context, World};

use super::{Input, InputError, Output, fields, padded, refuse};

/// `sizeof(struct bpf_sk_lookup)`.
const SIZE: usize = 72;
/// Bytes from here on are not an input: `ingress_ifindex`.
const INPUT_END: usize = 64;
const LOCAL_PORT: usize = 60;
const FAMILY: usize = 8;
const PROTOCOL: usize = 12;
const REMOTE_IP4: Range<usize> = 16..20;
const REMOTE_IP6: Range<usize> = 20..36;
const REMOTE_PORT: usize = 36;
const LOCAL_IP4: Range<usize> = 40..44;
const LOCAL_IP6: Range<usize> = 44..60;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;

pub(super) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    if input.data.is_some() {
        return Err(InputError::NoPacket(program.prog_type));
    }
    if input.context.is_none() && input.fields.is_empty() {
        return refuse("no context: a lookup is for addresses and ports", Errno::EINVAL);
    }
    let block = Block::from_bytes(&padded(input, SIZE, "struct bpf_sk_lookup")?);
    let context = Context::new(program.prog_type, program.attach_type, world.target.arch, block);
    fields(&context, input)?;
    let block = &context.block;
    if block.load(0, 8) != 0 || block.bytes(INPUT_END, SIZE - INPUT_END).iter().any(|byte| *byte != 0) {
        return refuse("`sk` and `ingress_ifindex` of struct bpf_sk_lookup are not inputs", Errno::EINVAL);
    }
    let port = block.load(LOCAL_PORT, 4);
    if port > u16::MAX.into() {
        return refuse(format!("local_port {port}"), Errno::ERANGE);
    }
    // The kernel keeps 16 bits of these, and the addresses of one family.
    for halves in [FAMILY, PROTOCOL, REMOTE_PORT] {
        block.store(halves, 4, block.load(halves, 4) & 0xffff);
    }
    let others: [Range<usize>; 2] = match block.load(FAMILY, 4) {
        AF_INET => [REMOTE_IP6, LOCAL_IP6],
        AF_INET6 => [REMOTE_IP4, LOCAL_IP4],
        other => return refuse(format!("family {other} is neither AF_INET nor AF_INET6"), Errno::EAFNOSUPPORT),
    };
    for range in others {
        block.fill(range.start, range.len(), 0);
    }
    Ok(context)
}

/// The context comes back as it was given, with the cookie of the socket that the program chose.
pub(super) fn finish(input: &Input, context: &Context, world: &World) -> Output {
    let mut given = input.context.clone().unwrap_or_else(|| context.block.bytes(0, SIZE));
    given.resize(SIZE, 0);
    let cookie = world.net.sockets.at(context.pointer("sk")).unwrap_or_default();
    given[..8].copy_from_slice(&cookie.to_le_bytes());
    Output { packet: None, context: given }
}
