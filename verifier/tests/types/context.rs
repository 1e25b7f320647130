//! Targets of programs, and arguments that they load.

use skep_btf::{Btf, Kind};
use skep_isa::RawInsn;
use skep_kernel::{Load, LogLevel};
use skep_linux::contexts::Access;
use skep_linux::{AttachType, ProgType};
use skep_program::Program;
use skep_verifier::types::attach::target;
use skep_verifier::types::context::{Arg, argument};
use skep_verifier::{Options, Setting};

use crate::ask::{Answer, EXIT, Random, ask, can_ask, host, load, named, pointer_name, said, set, vmlinux};

/// A kind of program, and what it is attached to.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) prog: ProgType,
    pub(crate) attach: AttachType,
    pub(crate) id: u32,
    pub(crate) flags: u32,
    pub(crate) license: &'a str,
}

impl On<'_> {
    pub(crate) fn program(&self) -> Program {
        Program {
            attach_type: Some(self.attach),
            attach_btf_id: Some(self.id),
            flags: self.flags,
            license: self.license.to_owned(),
            ..Program::bare("p", self.prog, Vec::new())
        }
    }

    pub(crate) fn ask(&self, insns: &[RawInsn]) -> Answer {
        ask(Load {
            attach_type: self.attach as u32,
            attach_btf_id: self.id,
            flags: self.flags,
            license: self.license,
            log_level: LogLevel::States,
            ..Load::raw(self.prog, insns)
        })
    }
}

pub(crate) const fn on(prog: ProgType, attach: AttachType, id: u32) -> On<'static> {
    On { prog, attach, id, flags: 0, license: "GPL" }
}

/// The register after a load, or the words of the refusal, and the kernel's log lines about the argument.
type Said = (Result<String, String>, Vec<String>);

fn ours(btf: &Btf, on: On<'_>, offset: i16, size: u32) -> Said {
    let (target_kernel, options, program) = (host(), Options::default(), on.program());
    let setting = Setting::new(&program, &target_kernel, &options).unwrap();
    let attach = target(&setting).expect("a target").expect("one that types describe");
    match said(argument(&setting, &attach, offset.into(), size as u8, Access::Read)) {
        Ok(loaded) => {
            let register = match loaded.arg {
                Arg::Scalar => "scalar".to_owned(),
                Arg::ReturnValue => panic!("no hook here"),
                Arg::Buffer(flags) => named(skep_verifier::state::Kind::Buf, flags),
                Arg::Pointer { to, flags, .. } => pointer_name(flags) + btf.name(to),
            };
            let lines = loaded.logged(&attach).map(|lines| lines.to_string()).unwrap_or_default();
            (Ok(register), lines.lines().map(str::to_owned).collect())
        }
        Err(words) => (Err(words), Vec::new()),
    }
}

fn kernels(on: On<'_>, offset: i16, size: u32) -> Said {
    let answer = on.ask(&[load(size, 6, 1, offset), set(0, 0), EXIT]);
    let words = answer.words();
    if answer.accepted {
        let register = answer.register(6).unwrap_or_else(|| panic!("{}", answer.log));
        // The line about errors has no end: the next one follows it.
        let cut = |line: &str| {
            line.split("may encode error").next().unwrap_or("").to_owned()
                + if line.contains("may encode error") { "may encode error" } else { "" }
        };
        (Ok(register.split('(').next().unwrap_or("").to_owned()), words.into_iter().map(cut).collect())
    } else {
        (Err(words.join("\n")), Vec::new())
    }
}

fn compare(on: On<'_>, btf: &Btf, accesses: &[(i16, u32)], wrong: &mut Vec<String>) {
    for (offset, size) in accesses {
        let (ours, kernels) = (ours(btf, on, *offset, *size), kernels(on, *offset, *size));
        if ours != kernels {
            wrong.push(format!(
                "{} at {offset}, {size} bytes: ours {ours:?}, kernel's {kernels:?}",
                btf.name(skep_btf::TypeId(on.id))
            ));
        }
    }
}

/// Each argument whole, and some accesses that look for trouble.
fn accesses(random: &mut Random) -> Vec<(i16, u32)> {
    let whole = (0..13).map(|index| (index * 8, 8));
    let odd: Vec<_> = (0..6).map(|_| (random.below(112) as i16 - 4, 1 << random.below(4))).collect();
    whole.chain(odd).collect()
}

#[test]
fn arguments_of_tracepoints() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut random = Random(7);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for id in btf.ids().filter(|id| btf.kind(*id) == Kind::Typedef && btf.name(*id).starts_with("btf_trace_")) {
        count += 1;
        compare(on(ProgType::Tracing, AttachType::TraceRawTp, id.0), &btf, &accesses(&mut random), &mut wrong);
    }
    println!("{count} tracepoints, {} loads", count * 19);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(count > 1000);
}

#[test]
fn arguments_of_iterators() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut random = Random(8);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in skep_linux::iterators::ITERATORS {
        let id = btf.find(&format!("bpf_iter_{}", row.name), Kind::Func).unwrap();
        for flags in [0, 1 << 4] {
            let on = On { flags, ..on(ProgType::Tracing, AttachType::TraceIter, id.0) };
            // Some hosts refuse programs that could write values of maps.
            if on.ask(&[set(0, 0), EXIT]).accepted {
                count += 1;
                compare(on, &btf, &accesses(&mut random), &mut wrong);
            }
        }
    }
    println!("{count} kinds of programs");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(count >= 30);
}

#[test]
fn arguments_of_operations() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut random = Random(9);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in skep_linux::struct_ops::STRUCT_OPS {
        let id = btf.find(row.name, Kind::Struct).unwrap();
        for member in (0..20).filter_map(AttachType::from_u32) {
            for flags in [0, 1 << 4] {
                let on = On { flags, ..on(ProgType::StructOps, member, id.0) };
                if on.ask(&[set(0, 0), EXIT]).accepted {
                    count += 1;
                    compare(on, &btf, &accesses(&mut random), &mut wrong);
                }
            }
        }
    }
    println!("{count} kinds of programs");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(count >= 15);
}

#[test]
fn targets() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let host = host();
    let mut random = Random(10);
    let ids: Vec<u32> = btf.ids().map(|id| id.0).collect();
    let find = |name: &str, kind| btf.find(name, kind).unwrap().0;
    let known = [
        0,
        find("task_struct", Kind::Struct),
        find("tcp_congestion_ops", Kind::Struct),
        find("bpf_dummy_ops", Kind::Struct),
        find("bpf_iter_task", Kind::Func),
        find("bpf_iter_num_new", Kind::Func),
        find("_printk", Kind::Func),
        find("vfs_read", Kind::Func),
        find("btf_trace_sched_switch", Kind::Typedef),
        find("u32", Kind::Typedef),
    ];
    let kinds = [
        (ProgType::Tracing, AttachType::TraceRawTp),
        (ProgType::Tracing, AttachType::TraceIter),
        (ProgType::StructOps, AttachType::CgroupInetIngress),
        (ProgType::StructOps, AttachType::CgroupInetEgress),
        (ProgType::StructOps, AttachType::CgroupDevice),
        (ProgType::StructOps, AttachType::CgroupUdp4Sendmsg),
        (ProgType::StructOps, AttachType::TraceFentry),
    ];
    let (mut asked, mut taken, mut wrong) = (0, 0, Vec::new());
    for (prog, attach) in kinds {
        let more: Vec<u32> = (0..300).map(|_| *random.pick(&ids)).collect();
        for id in known.iter().copied().chain(more).chain([u32::MAX / 2]) {
            for (flags, license) in [(0, "GPL"), (1 << 4, "GPL"), (0, "other")] {
                let on = On { prog, attach, id, flags, license };
                let answer = on.ask(&[set(0, 0), EXIT]);
                let (options, program) = (Options::default(), on.program());
                let setting = Setting::new(&program, &host, &options).unwrap();
                let ours = said(target(&setting).map(|_| ()));
                let words = answer.words().join("\n");
                let before = !answer.log.contains("processed ");
                let kernels = if answer.accepted { Ok(()) } else { Err(words) };
                asked += 1;
                taken += u32::from(answer.accepted);
                if before || ours == kernels {
                    continue;
                }
                wrong.push(format!(
                    "{prog:?} {attach:?} on {id} {} {flags} {license}: {ours:?}, {kernels:?}",
                    btf.name(skep_btf::TypeId(id))
                ));
            }
        }
    }
    println!("{asked} targets, {taken} taken");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(taken > 10);
}

/// Programs that are attached to nothing, and sleep.
#[test]
fn sleep() {
    if !can_ask() {
        return;
    }
    let host = host();
    for prog in [ProgType::Xdp, ProgType::Kprobe, ProgType::Syscall, ProgType::SocketFilter, ProgType::Tracepoint] {
        for flags in [0, 1 << 4] {
            let on = On { flags, ..on(prog, AttachType::CgroupInetIngress, 0) };
            let answer = on.ask(&[set(0, 0), EXIT]);
            let (options, program) = (Options::default(), on.program());
            let setting = Setting::new(&program, &host, &options).unwrap();
            assert_eq!(said(target(&setting).map(|_| ())), answer.said(), "{prog:?} {flags}");
        }
    }
}
