//! Flow dissectors: a frame, and the keys that the program finds in it.

use skep_linux::{Errno, contexts};
use skep_memory::{Block, RegionKind};
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields, padded, refuse};

/// Bytes of a link-layer header: what the dissector is to begin behind.
const ETH_HLEN: usize = 14;
/// What a packet has to fit into: dissectors run on the bare bytes.
const PAGE: usize = 4096;
/// `sizeof(struct __sk_buff)`: only the fields that lead to the frame and to the keys may be read.
const SIZE: usize = 192;
/// `sizeof(struct bpf_flow_keys)`.
const KEYS: usize = contexts::FLOW_KEYS.size as usize;
/// Places in it.
const NHOFF: usize = 0;
const THOFF: usize = 2;
const N_PROTO: usize = 10;
const FLAGS: std::ops::Range<usize> = 48..52;
/// The field that leads to the keys.
const FIELD: &str = "flow_keys";

/// The context that an input brings is a `struct bpf_flow_keys` of which only `flags` may be set.
pub(super) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    let data = input.data.as_deref().unwrap_or_default();
    if data.len() < ETH_HLEN {
        return refuse(format!("a packet of {} bytes, fewer than {ETH_HLEN}", data.len()), Errno::EINVAL);
    }
    if data.len() > PAGE {
        return refuse(format!("a packet of {} bytes does not fit a page", data.len()), Errno::EINVAL);
    }
    let given = padded(input, KEYS, "struct bpf_flow_keys")?;
    if let Some(at) = (0..KEYS).find(|at| given[*at] != 0 && !FLAGS.contains(at)) {
        return refuse(format!("byte {at} of struct bpf_flow_keys is not an input: only `flags` is"), Errno::EINVAL);
    }
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, Block::zeroed(SIZE));
    fields(&context, input)?;
    let keys = Block::zeroed(KEYS);
    keys.store(NHOFF, 2, ETH_HLEN as u64);
    keys.store(THOFF, 2, ETH_HLEN as u64);
    keys.write(N_PROTO, &data[12..14]);
    keys.write(FLAGS.start, &given[FLAGS]);
    context.lend(FIELD, RegionKind::Kernel(contexts::FLOW_KEYS.name.into()), keys, true);
    context.packet = Some(Packet::new(data, 0, 0));
    Ok(context)
}

/// The keys come back in place of the packet, as from the kernel: offsets stay between the header and the end of the frame.
pub(super) fn finish(input: &Input, context: &Context) -> Output {
    let keys = context.lent.iter().find(|lent| lent.start() == context.pointer(FIELD)).map(|lent| {
        let mut keys = lent.block.bytes(0, KEYS);
        let end = context.packet.as_ref().map_or(0, Packet::len).clamp(ETH_HLEN, u16::MAX.into()) as u16;
        let word = |keys: &[u8], at: usize| u16::from_le_bytes([keys[at], keys[at + 1]]);
        let network = word(&keys, NHOFF).clamp(ETH_HLEN as u16, end);
        let transport = word(&keys, THOFF).clamp(network, end);
        keys[NHOFF..NHOFF + 2].copy_from_slice(&network.to_le_bytes());
        keys[THOFF..THOFF + 2].copy_from_slice(&transport.to_le_bytes());
        keys
    });
    let mut given = input.context.clone().unwrap_or_default();
    given.resize(KEYS, 0);
    Output { packet: keys, context: given }
}
