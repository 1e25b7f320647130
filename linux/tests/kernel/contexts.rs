//! The rows of contexts, held against the kernel of this host.

use std::os::fd::{AsFd, AsRawFd};

use crate::ask::{EXIT, Kind, can_ask, insn, kinds, set};
use skep_kernel::{LogLevel, Map, MapSpec};
use skep_linux::contexts::{self, Access, Object, Yields};
use skep_linux::{Arch, AttachType, MapType, ProgType};

const SIZES: [(u8, u8, u8); 4] = [(1, 0x71, 0x73), (2, 0x69, 0x6b), (4, 0x61, 0x63), (8, 0x79, 0x7b)];

/// Attach types that make no difference to a program type need not be asked one by one.
fn worth_asking(kind: &Kind) -> bool {
    let few = |attach: &[AttachType]| attach.contains(&kind.attach);
    match kind.prog {
        ProgType::SchedCls => few(&[AttachType::CgroupInetIngress, AttachType::TcxIngress, AttachType::NetkitPeer]),
        ProgType::Xdp => few(&[AttachType::Xdp, AttachType::XdpCpumap, AttachType::XdpDevmap]),
        ProgType::CgroupSock
        | ProgType::CgroupSockAddr
        | ProgType::CgroupSockopt
        | ProgType::CgroupSkb
        | ProgType::SkReuseport
        | ProgType::SkLookup
        | ProgType::Netfilter => true,
        _ => kind.attach == AttachType::CgroupInetIngress,
    }
}

/// What the log says of `r0` after the first instruction.
fn r0_of(log: &str) -> &str {
    let line = log.lines().find(|l| l.contains("; R0")).unwrap_or_default();
    let state = line.split_once("; R0").map_or("", |(_, rest)| rest);
    state.split_once('=').map_or("", |(_, value)| value.split(' ').next().unwrap_or_default())
}

fn yields_as(state: &str) -> Option<Yields> {
    let kind = state.split('(').next().unwrap_or_default();
    Some(match kind {
        "scalar" => Yields::Number,
        "pkt" => Yields::PacketStart,
        "pkt_end" => Yields::PacketEnd,
        "pkt_meta" => Yields::PacketMeta,
        "sock_common_or_null" => Yields::SockCommonOrNull,
        "sock" => Yields::Sock,
        "sock_or_null" => Yields::SockOrNull,
        "flow_keys" => Yields::FlowKeys,
        "tp_buffer" => Yields::TracepointBuffer,
        "trusted_ptr_nf_hook_state" => Yields::Btf("nf_hook_state"),
        "trusted_ptr_sk_buff" => Yields::Btf("sk_buff"),
        _ if kind.parse::<u64>().is_ok() => Yields::Number,
        _ => return None,
    })
}

#[test]
fn every_access_is_allowed_or_refused_as_the_kernel_does() {
    if !can_ask() {
        return;
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    for kind in kinds().iter().filter(|kind| worth_asking(kind)) {
        let row = contexts::context(kind.prog, Arch::X86_64).expect("a program that loads has a context");
        let edges = [-32768, 8184, 8188, 8191, 8192, 32760, 32767];
        for offset in (-16..272).chain(edges) {
            for (size, load, store) in SIZES {
                asked += 2;
                let read = [insn(load, 0, 1, offset, 0), set(0, kind.returns), EXIT];
                let write = [set(2, 0), insn(store, 1, 2, offset, 0), set(0, kind.returns), EXIT];
                let of_row = |access| row.access(kind.prog, kind.attach, i32::from(offset), size, access).ok();
                let of_kernel = kind.load(&read, LogLevel::States);
                match (&of_kernel, of_row(Access::Read)) {
                    (Ok(log), Some(field)) => {
                        // The result of the test of a register that is not read again may be left out of the log.
                        if yields_as(r0_of(log)) != Some(field.yields) {
                            wrong.push(format!("{kind:?} {}: {:?}, kernel {:?}", field.name, field.yields, r0_of(log)));
                        }
                    }
                    (Err(_), None) => {}
                    (kernel, row) => wrong.push(format!(
                        "{:?} {:?} read {size} at {offset}: kernel {}, row {:?}",
                        kind.prog,
                        kind.attach,
                        kernel.is_ok(),
                        row.map(|f| f.name)
                    )),
                }
                let kernel = kind.load(&write, LogLevel::OnFailure).is_ok();
                if kernel != of_row(Access::Write).is_some() {
                    wrong.push(format!("{:?} {:?} write {size} at {offset}: kernel {kernel}", kind.prog, kind.attach));
                }
            }
        }
    }
    println!("{asked} accesses");
    assert!(asked > 50_000, "only {asked} accesses were asked");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// Instructions that put a pointer to the object into `r1`, in a program of this type.
fn way_to(object: &Object, sockets: &Map) -> (ProgType, Vec<skep_isa::RawInsn>) {
    let call = |id| insn(0x85, 0, 0, 0, id);
    let unless_null = |reg, skip| insn(0x55, reg, 0, skip, 0);
    let mut insns = vec![insn(0x79, 1, 1, 168, 0), unless_null(1, 2), set(0, 0), EXIT];
    match object.pointer {
        "sock_common" => {}
        "sock" => insns.extend([call(95), unless_null(0, 1), EXIT, insn(0xbf, 1, 0, 0, 0)]),
        "tcp_sock" => insns.extend([call(96), unless_null(0, 1), EXIT, insn(0xbf, 1, 0, 0, 0)]),
        // The element 0 of a map of such sockets.
        "xdp_sock" => {
            let key = [insn(0x62, 10, 0, -4, 0), insn(0xbf, 2, 10, 0, 0), insn(0x07, 2, 0, 0, -4)];
            let map = [insn(0x18, 1, 1, 0, sockets.as_fd().as_raw_fd()), insn(0, 0, 0, 0, 0)];
            let found = [call(1), unless_null(0, 2), set(0, 0), EXIT, insn(0xbf, 1, 0, 0, 0)];
            return (ProgType::Xdp, key.into_iter().chain(map).chain(found).collect());
        }
        "flow_keys" => return (ProgType::FlowDissector, vec![insn(0x79, 1, 1, 144, 0)]),
        other => panic!("no way to {other}"),
    }
    (ProgType::SchedCls, insns)
}

#[test]
fn every_access_to_an_object_is_allowed_or_refused_as_the_kernel_does() {
    if !can_ask() {
        return;
    }
    let sockets = MapSpec::new(MapType::Xskmap, 4, 4, 1).create().expect("a map");
    let mut wrong = Vec::new();
    for object in [&contexts::SOCK_COMMON, &contexts::SOCK, &contexts::TCP_SOCK, &contexts::XDP_SOCK, &contexts::FLOW_KEYS] {
        let (prog, way) = way_to(object, &sockets);
        let kind = Kind { prog, attach: AttachType::CgroupInetIngress, flags: 0, returns: 0 };
        for offset in -8..136 {
            for (size, load, store) in SIZES {
                for (access, last) in [
                    (Access::Read, vec![insn(load, 0, 1, offset, 0)]),
                    (Access::Write, vec![set(2, 0), insn(store, 1, 2, offset, 0)]),
                ] {
                    let insns: Vec<_> = way.iter().copied().chain(last).chain([set(0, 0), EXIT]).collect();
                    let kernel = kind.load(&insns, LogLevel::OnFailure);
                    let row = object.access(i32::from(offset), size, access);
                    if kernel.is_ok() != row.is_ok() {
                        wrong.push(format!("{} {access:?} {size} at {offset}: kernel {kernel:?}", object.pointer));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
