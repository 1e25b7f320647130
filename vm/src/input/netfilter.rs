//! Netfilter hooks: a packet as `struct sk_buff`, and where it is as `struct nf_hook_state`, both typed by the target's BTF.

use skep_btf::{Kind, Layout};
use skep_linux::Errno;
use skep_memory::{Block, RegionKind};
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields, refuse};

/// `NET_SKB_PAD + NET_IP_ALIGN`.
const HEADROOM: usize = 64;
/// What the kernel keeps for `skb_shared_info` behind the packet.
const TAILROOM: usize = 320;
/// What buffers lie in.
const PAGE: usize = 4096;
const ETH_HLEN: usize = 14;
const IPV4_HLEN: usize = 20;
const IPV6_HLEN: usize = 40;
/// `sizeof(struct bpf_nf_ctx)`.
const SIZE: usize = 16;
/// Where the pointers of `struct nf_hook_state` begin.
const POINTERS: usize = 8;
const NF_INET_LOCAL_OUT: u8 = 3;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;

/// The context that an input brings is a `struct nf_hook_state` of which only `hook` and `pf` may be set.
pub(super) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    let given = input.context.as_deref().unwrap_or_default();
    if given.iter().skip(POINTERS).any(|byte| *byte != 0) {
        return refuse("only `hook` and `pf` of struct nf_hook_state are inputs", Errno::EINVAL);
    }
    let (hook, family) = match given {
        [] => (NF_INET_LOCAL_OUT, NFPROTO_IPV4),
        [hook] => (*hook, 0),
        [hook, family, ..] => (*hook, *family),
    };
    if !matches!(family, NFPROTO_IPV4 | NFPROTO_IPV6) {
        return refuse(format!("protocol family {family} is neither IPv4 nor IPv6"), Errno::EINVAL);
    }
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, Block::zeroed(SIZE));
    fields(&context, input)?;
    // Packets that this machine sends have no link-layer header yet.
    let packet = packet(input.data.as_deref().unwrap_or_default(), hook == NF_INET_LOCAL_OUT, family)?;
    let lend = |context: &mut Context, field, name: &'static str, values: &[(&str, u64)]| {
        let block = object(world, name, values).ok_or(InputError::NoTypes(name))?;
        context.lend(field, RegionKind::Kernel(name.into()), block, false);
        Ok(())
    };
    lend(&mut context, "state", "nf_hook_state", &[("hook", hook.into()), ("pf", family.into())])?;
    let protocol: u16 = if family == NFPROTO_IPV4 { 0x0800 } else { 0x86dd };
    let head = packet.block.addr();
    let values = [
        ("len", packet.len() as u64),
        ("protocol", protocol.to_be().into()),
        ("network_header", packet.network as u64),
        ("head", head),
        ("data", head + packet.data as u64),
        ("tail", packet.end as u64),
        ("end", packet.limit as u64),
    ];
    lend(&mut context, "skb", "sk_buff", &values)?;
    context.packet = Some(packet);
    Ok(context)
}

/// The packet of a hook, from its network header on.
fn packet(data: &[u8], bare: bool, family: u8) -> Result<Packet, InputError> {
    let network = if bare { 0 } else { ETH_HLEN };
    let long_enough = |header: usize| match data.len() < network + header {
        true => refuse(format!("a packet of {} bytes, fewer than {}", data.len(), network + header), Errno::EINVAL),
        false => Ok(()),
    };
    long_enough(IPV4_HLEN)?;
    if data.len() > PAGE - HEADROOM - TAILROOM {
        return refuse(format!("a packet of {} bytes does not fit a page", data.len()), Errno::EINVAL);
    }
    if !bare {
        let of = match u16::from_be_bytes([data[12], data[13]]) {
            0x0800 => NFPROTO_IPV4,
            0x86dd => {
                long_enough(IPV6_HLEN)?;
                NFPROTO_IPV6
            }
            other => return refuse(format!("protocol {other:#06x} is neither IPv4 nor IPv6"), Errno::EPROTO),
        };
        if of != family {
            return refuse("a packet of another protocol family than the hook", Errno::EINVAL);
        }
    }
    let mut packet = Packet::new(data, HEADROOM, TAILROOM);
    packet.network += network;
    packet.data = packet.network;
    packet.meta = packet.data;
    Ok(packet)
}

/// An object with these numbers in its fields; `None` if the target has no such type.
fn object(world: &World, name: &str, values: &[(&str, u64)]) -> Option<std::sync::Arc<Block>> {
    let btf = world.target.btf()?;
    let ty = btf.find(name, Kind::Struct)?;
    let mut bytes = vec![0; btf.size_of(ty).ok()? as usize];
    for (field, value) in values {
        // Fields that a kernel does not have stay away.
        let _absent = Layout::new(btf, ty).set(&mut bytes, field, *value);
    }
    Some(Block::from_bytes(&bytes))
}

/// The kernel gives nothing back but the verdict.
pub(super) fn finish(context: &Context) -> Output {
    Output { packet: None, context: context.block.bytes(0, SIZE) }
}
