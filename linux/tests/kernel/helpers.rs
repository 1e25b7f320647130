//! The rows of helpers, held against the kernel of this host.

use crate::ask::{EXIT, Kind, can_ask, insn, kinds, set};
use skep_kernel::LogLevel;
use skep_linux::helpers::{ArgKind, HELPERS, Policy, Proto, Refusal, Sleeps};
use skep_linux::programs::{Sleepable, program};
use skep_linux::{AttachType, HelperRow, ProgType};

/// One kind of each program type, and all attach types where they decide.
fn kinds_that_differ() -> Vec<Kind> {
    let mut seen = Vec::new();
    let mut keep = Vec::new();
    for kind in kinds() {
        let decides = matches!(kind.prog, ProgType::CgroupSock | ProgType::CgroupSockAddr | ProgType::CgroupSockopt);
        if decides || !seen.contains(&kind.prog) {
            seen.push(kind.prog);
            keep.push(kind);
        }
    }
    keep
}

/// The line of the log that says what is wrong.
fn complaint(log: &str) -> &str {
    let noise = |line: &&str| {
        line.starts_with(|c: char| c.is_ascii_digit()) || line.starts_with("func#") || line.starts_with("processed")
    };
    log.lines().find(|line| !noise(line)).unwrap_or_default()
}

/// Helpers that a kernel's configuration or lockdown may deny to all, as that of this host may.
fn may_be_denied(row: &HelperRow) -> bool {
    row.policy != Policy::Free
}

#[test]
fn programs_that_may_call_each_helper() {
    if !can_ask() {
        return;
    }
    let mut wrong = Vec::new();
    for kind in kinds_that_differ() {
        for row in HELPERS.iter().filter(|row| !may_be_denied(row)) {
            let call = [insn(0x85, 0, 0, 0, row.id as i32), set(0, kind.returns), EXIT];
            let log = kind.load(&call, LogLevel::OnFailure).err().unwrap_or_default();
            let said = complaint(&log);
            let kernel = if said.contains("cannot use helper") {
                Some(Refusal::CannotUse)
            } else if said.contains("not allowed in probe") {
                Some(Refusal::NotInProbe)
            } else if said.contains("not supported for program type") {
                Some(Refusal::NotSupported)
            } else {
                None
            };
            let proto = row.proto(kind.prog, kind.attach);
            let ours = if proto.is_some() { None } else { Some(row.refusal(kind.prog, kind.attach)) };
            if kernel != ours {
                wrong.push(format!("{} in {:?} {:?}: row {ours:?}, kernel {said:?}", row.name, kind.prog, kind.attach));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// What the kernel answers to a number where the argument should be, by the kind of argument.
fn expected(kind: ArgKind) -> Option<&'static str> {
    Some(match kind {
        ArgKind::Anything | ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => return None,
        ArgKind::MapPtr => "map_ptr",
        ArgKind::MapKey | ArgKind::MapValue(_) => return None, // the map is looked at first
        ArgKind::Mem(_) | ArgKind::MapMem | ArgKind::FixedMem { .. } => "fp, pkt, pkt_meta, map_key, map_value, mem, ",
        ArgKind::Ctx => "ctx",
        ArgKind::Stack => "fp",
        ArgKind::Func => "func",
        ArgKind::SpinLock => "map_value, ptr_",
        ArgKind::Timer => "map_value",
        ArgKind::SockCommon => "sock_common, sock, tcp_sock, xdp_sock",
        ArgKind::Socket => "sock",
        ArgKind::Btf(_) => "ptr_, trusted_ptr_, rcu_ptr_",
        ArgKind::BtfSockCommon => "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
        ArgKind::RingbufMem => "ringbuf_mem",
        ArgKind::PercpuBtf => "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_",
        ArgKind::ConstStr => "map_value",
        ArgKind::KptrSlot => "map_value, ptr_",
        ArgKind::Kptr => return None,
        ArgKind::Dynptr(_) => "fp, dynptr_ptr",
    })
}

#[test]
fn kinds_of_first_arguments() {
    if !can_ask() {
        return;
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    for kind in kinds_that_differ() {
        for row in HELPERS.iter().filter(|row| !may_be_denied(row)) {
            let Some(proto) = row.proto(kind.prog, kind.attach) else { continue };
            let sleeps = program(kind.prog).is_some_and(|p| p.sleepable == Sleepable::Always);
            if row.sleeps == Sleeps::Always && !sleeps {
                continue; // refused for that, see `helpers_that_sleep`
            }
            asked += 1;
            // Numbers in all argument registers but the context, where the first argument is one.
            let ctx_first = proto.args.first().is_some_and(|arg| arg.kind == ArgKind::Ctx);
            let mut insns: Vec<_> = (if ctx_first { 2 } else { 1 }..=5).map(|reg| set(reg, 7)).collect();
            insns.extend([insn(0x85, 0, 0, 0, row.id as i32), set(0, kind.returns), EXIT]);
            let log = kind.load(&insns, LogLevel::OnFailure).err().unwrap_or_default();
            if let Some(why) = disagrees(proto, ctx_first, complaint(&log)) {
                wrong.push(format!("{} in {:?}: {why}, kernel: {}", row.name, kind.prog, complaint(&log)));
            }
        }
    }
    assert!(asked > 2000, "only {asked} calls");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// Holds the complaint about a call with numbers for arguments against the prototype.
fn disagrees(proto: &Proto, ctx_first: bool, said: &str) -> Option<String> {
    let first =
        proto.args.iter().enumerate().skip(usize::from(ctx_first)).find_map(|(i, arg)| Some((i, arg, expected(arg.kind)?)));
    let Some((index, _, expected)) = first else {
        return said.contains("expected=").then(|| "no argument that must be a pointer".to_string());
    };
    let wanted = format!("R{} type=scalar expected={expected}", index + 1);
    let exact = said == wanted || (wanted.ends_with(", ") && said.starts_with(&wanted));
    // A map value or key before that argument is refused first, since there is no map.
    (!exact).then(|| format!("row wants {wanted:?}"))
}

#[test]
fn helpers_that_sleep() {
    if !can_ask() {
        return;
    }
    let awake = Kind { prog: ProgType::Kprobe, attach: AttachType::CgroupInetIngress, flags: 0, returns: 0 };
    for row in HELPERS.iter().filter(|row| row.proto(awake.prog, awake.attach).is_some() && !may_be_denied(row)) {
        let call = [insn(0x85, 0, 0, 0, row.id as i32), set(0, 0), EXIT];
        let log = awake.load(&call, LogLevel::OnFailure).err().unwrap_or_default();
        let sleeps = log.contains("helper call might sleep in a non-sleepable prog");
        assert_eq!(row.sleeps == Sleeps::Always, sleeps, "{}", row.name);
    }
}

#[test]
fn helpers_for_gpl_programs() {
    if !can_ask() {
        return;
    }
    for kind in kinds_that_differ() {
        for row in HELPERS.iter().filter(|row| !may_be_denied(row)) {
            let Some(proto) = row.proto(kind.prog, kind.attach) else { continue };
            let insns = [insn(0x85, 0, 0, 0, row.id as i32), set(0, kind.returns), EXIT];
            let load = skep_kernel::Load {
                attach_type: kind.attach as u32,
                flags: kind.flags,
                license: "MIT",
                ..skep_kernel::Load::raw(kind.prog, &insns)
            };
            let log = match load.load_with_log() {
                Err(skep_kernel::LoadError::Refused { log, .. }) => log,
                _ => String::new(),
            };
            let refused = log.contains("cannot call GPL-restricted function from non-GPL compatible program");
            assert_eq!(proto.gpl_only, refused, "{} in {kind:?}: {}", row.name, complaint(&log));
        }
    }
}
