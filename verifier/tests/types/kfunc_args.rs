//! What kernel functions want of their arguments: each is called with NULL, with memory and with a task, and the kernel's words are held
//! against what its parameters are said to be.

use skep_btf::{Btf, Kind, TypeId};
use skep_isa::RawInsn;
use skep_kernel::{Load, LogLevel};
use skep_linux::kfuncs::{KFUNCS, Role, is_offered};
use skep_linux::{AttachType, KfuncRow, ProgType};
use skep_program::Program;
use skep_verifier::state::{Flags, Kind as Value};
use skep_verifier::types::kfunc_args::{ArgKind, Kfunc, Number, ParamKind, Ret, Seen, kfunc};
use skep_verifier::types::walk::embedded;
use skep_verifier::{Options, Setting, Verdict, verify};

use crate::ask::{Answer, EXIT, ask, can_ask, helper, host, insn, kfunc as call, mov, named, pointer_name, set, vmlinux};

/// What every pointer argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Null,
    Stack,
    Task,
}

const PROBES: [Probe; 3] = [Probe::Null, Probe::Stack, Probe::Task];

/// Bytes of the stack that are written.
const STACK: u32 = 64;
/// What every number is.
const NUMBER: i32 = 8;

struct Case<'a> {
    btf: &'a Btf,
    kfunc: &'a Kfunc<'a>,
    probe: Probe,
    task: TypeId,
}

/// What should be said of the call: words that are in the log, or, if every argument fits, nothing. `None`: this test does not know.
fn expect(case: &Case<'_>) -> Option<Result<(), String>> {
    let Case { btf, kfunc, probe, task } = *case;
    let trusting = kfunc.trusting;
    let mut skip = false;
    for (i, param) in kfunc.params.iter().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let refused = |words: String| Some(Err(words));
        let kind = match &param.kind {
            ParamKind::Ignored | ParamKind::Program => continue,
            ParamKind::Scalar(Number::Plain | Number::ReadSize | Number::WriteSize | Number::Constant) => continue,
            ParamKind::Unsupported(kind) => return refused(format!("Unrecognized arg#{i} type {kind}")),
            ParamKind::Pointer(_) | ParamKind::Open(_) if trusting && probe == Probe::Null && !param.may_be_null => {
                return refused(format!("Possibly NULL pointer passed to trusted arg{i}"));
            }
            ParamKind::Pointer(ArgKind::Context) => ArgKind::Context,
            ParamKind::Pointer(_) | ParamKind::Open(_) if probe == Probe::Null && param.nullable => continue,
            ParamKind::Pointer(kind) => *kind,
            ParamKind::Open(open) => match open.resolve(Seen { object: probe == Probe::Task, next_number: true }) {
                Ok(kind) => kind,
                Err(skep_verifier::Fault::Refused(why)) => return refused(why.to_string()),
                Err(fault) => panic!("{fault:?}"),
            },
        };
        let distrusted = trusting && probe != Probe::Task && matches!(kind, ArgKind::Allocated | ArgKind::Object { .. });
        if distrusted {
            let what = if kfunc.row.rcu { "be a rcu pointer" } else { "be referenced or trusted" };
            return refused(format!("R{} must {what}", i + 1));
        }
        let on_stack = probe == Probe::Stack;
        let words = match kind {
            ArgKind::Null => continue,
            ArgKind::Context => format!("arg#{i} expected pointer to ctx, but got {}", name_of(probe)),
            ArgKind::Allocated => format!("arg#{i} expected pointer to allocated object"),
            ArgKind::Refcounted => format!("arg#{i} is neither owning or non-owning ref"),
            ArgKind::Dynptr { .. } if on_stack => return None,
            ArgKind::Dynptr { .. } => format!("arg#{i} expected pointer to stack or const struct bpf_dynptr"),
            ArgKind::Iterator { .. } if kfunc.row.takes_css_lock || on_stack => return None,
            ArgKind::Iterator { .. } => format!("arg#{i} expected pointer to an iterator on stack"),
            ArgKind::ListHead | ArgKind::RbRoot => format!("arg#{i} expected pointer to map value or allocated object"),
            ArgKind::ListNode => format!("arg#{i} expected pointer to allocated object"),
            ArgKind::RbNode if kfunc.row.role == Role::RbtreeAdd => format!("arg#{i} expected pointer to allocated object"),
            ArgKind::RbNode => format!("{} can only take non-owning or refcounted bpf_rb_node pointer", kfunc.row.name),
            ArgKind::ConstString => format!("arg#{i} doesn't point to a const string"),
            // The kernel takes what lies behind a task for a map here.
            ArgKind::Map if probe == Probe::Task => return None,
            ArgKind::Map => format!("pointer in R{} isn't map pointer", i + 1),
            ArgKind::Workqueue | ArgKind::TaskWork => format!("arg#{i} doesn't point to a map value"),
            ArgKind::IrqFlag if on_stack => return None,
            ArgKind::IrqFlag => format!("arg#{i} doesn't point to an irq flag on stack"),
            ArgKind::ResSpinLock => format!("arg#{i} doesn't point to map value or allocated object"),
            ArgKind::Object { to } if embedded(btf, task, 0, to, false) => continue,
            ArgKind::Object { to } => format!(
                "kernel function {} args#{i} expected pointer to {} {} but R{} has a pointer to STRUCT task_struct",
                kfunc.row.name,
                btf.kind(to).name(),
                btf.name(to),
                i + 1
            ),
            ArgKind::Callback => format!("arg{i} expected pointer to func"),
            ArgKind::Memory { size } if probe == Probe::Null || on_stack && size <= STACK => continue,
            ArgKind::Memory { .. } => return None,
            ArgKind::Sized { optional, .. } => {
                skip = true;
                if on_stack || optional && probe == Probe::Null {
                    continue;
                }
                format!("arg#{i} arg#{} memory, len pair leads to invalid memory access", i + 1)
            }
        };
        return refused(words);
    }
    Some(Ok(()))
}

fn name_of(probe: Probe) -> String {
    match probe {
        Probe::Null => "scalar".to_owned(),
        Probe::Stack => "fp".to_owned(),
        Probe::Task => pointer_name(Flags::TRUSTED),
    }
}

/// What `r0` holds after the call, as far as types say it.
fn result(btf: &Btf, kfunc: &Kfunc<'_>) -> Option<String> {
    let null = if kfunc.row.ret_null { Flags::MAYBE_NULL } else { Flags::NONE };
    match &kfunc.ret {
        Ret::Scalar(_) => Some("scalar".to_owned()),
        Ret::Struct { to, flags } => Some(pointer_name(flags.with(null)) + btf.name(*to)),
        Ret::Memory { size: Some(_), rdonly, flags } => {
            let rdonly = if *rdonly { Flags::RDONLY } else { Flags::NONE };
            Some(named(Value::Mem { size: 0, dynptr: 0 }, flags.with(rdonly).with(null)))
        }
        _ => None,
    }
}

struct On {
    prog: ProgType,
    attach: AttachType,
    id: u32,
    flags: u32,
}

fn programs(btf: &Btf) -> Vec<On> {
    let find = |name: &str, kind| btf.find(name, kind).unwrap().0;
    let zero = AttachType::CgroupInetIngress;
    let plain = |prog| On { prog, attach: zero, id: 0, flags: 0 };
    vec![
        plain(ProgType::SocketFilter),
        plain(ProgType::SchedCls),
        plain(ProgType::Xdp),
        plain(ProgType::Tracepoint),
        plain(ProgType::CgroupSkb),
        plain(ProgType::SockOps),
        On { attach: AttachType::Netfilter, ..plain(ProgType::Netfilter) },
        On { flags: 1 << 4, ..plain(ProgType::Syscall) },
        On { attach: AttachType::TraceRawTp, id: find("btf_trace_sched_switch", Kind::Typedef), ..plain(ProgType::Tracing) },
        On { attach: AttachType::TraceIter, id: find("bpf_iter_task", Kind::Func), flags: 1 << 4, ..plain(ProgType::Tracing) },
        On { attach: AttachType::CgroupInetEgress, id: find("tcp_congestion_ops", Kind::Struct), ..plain(ProgType::StructOps) },
        On { attach: AttachType::TraceKprobeSession, ..plain(ProgType::Kprobe) },
    ]
}

/// The instructions of a call with such arguments.
fn calls(kfunc: &Kfunc<'_>, id: TypeId, probe: Probe) -> Vec<RawInsn> {
    let mut insns = vec![helper(158), mov(7, 0)];
    insns.extend((1..=STACK as i16 / 8).map(|slot| insn(0x7a, 10, 0, -8 * slot, 0)));
    for (number, param) in kfunc.params.iter().enumerate() {
        let reg = number as u8 + 1;
        let pointer = matches!(param.kind, ParamKind::Pointer(_) | ParamKind::Open(_));
        let load: Vec<RawInsn> = match (pointer, probe) {
            (false, _) => vec![set(reg, NUMBER)],
            (true, Probe::Null) => vec![set(reg, 0)],
            (true, Probe::Stack) => vec![mov(reg, 10), insn(0x07, reg, 0, 0, -(STACK as i32))],
            (true, Probe::Task) => vec![mov(reg, 7)],
        };
        insns.extend(load);
    }
    insns.extend([call(id.0 as i32), set(0, 0), EXIT]);
    insns
}

impl On {
    fn ask(&self, insns: &[RawInsn]) -> Answer {
        ask(Load {
            attach_type: self.attach as u32,
            attach_btf_id: self.id,
            flags: self.flags,
            log_level: LogLevel::States,
            ..Load::raw(self.prog, insns)
        })
    }

    fn program(&self, insns: Vec<RawInsn>) -> Program {
        Program {
            attach_type: Some(self.attach),
            attach_btf_id: Some(self.id),
            flags: self.flags,
            ..Program::bare("p", self.prog, insns)
        }
    }

    /// What the verifier says of the program beside the kernel: a difference, if there is one.
    fn judge(&self, insns: Vec<RawInsn>, answer: &Answer, undecided: &mut u32) -> Option<String> {
        let report = verify(&self.program(insns), &host(), &Options::default());
        match (&report.verdict, answer.accepted) {
            (Verdict::Accept, true) => None,
            (Verdict::Reject(reject), false) => {
                let ours = reject.why.to_string();
                let counts =
                    |line: &&str| ["processed ", "verification time", "stack depth"].iter().any(|start| line.starts_with(start));
                let kernels: Vec<_> = answer.log.trim_end().lines().filter(|line| !counts(line)).collect();
                (!kernels.join("\n").ends_with(&ours)).then(|| format!("ours {ours}, kernel's {:?}", kernels.last()))
            }
            (Verdict::Undecided(_), _) => {
                *undecided += 1;
                None
            }
            (verdict, accepted) => Some(format!("ours {verdict:?}, kernel's {accepted} {:?}", answer.words())),
        }
    }
}

/// What the log says of `r0` after the call: its type, and whether it holds a reference.
fn after_call(answer: &Answer, row: &KfuncRow) -> Option<(String, bool)> {
    let line = answer.log.lines().find(|line| line.contains(&format!("call {}#", row.name)) && line.contains(" R0="))?;
    let (_, rest) = line.split_once(" R0=")?;
    let (name, inside) = rest.split_once('(')?;
    Some((name.to_owned(), inside.split(')').next()?.contains("ref_obj_id=")))
}

/// Pointers that are not trusted, to the struct that the first parameter is to.
#[test]
fn trust_of_arguments() {
    if !can_ask() {
        return;
    }
    let (btf, host, options) = (vmlinux(), host(), Options::default());
    let cast = btf.find("bpf_rdonly_cast", Kind::Func).unwrap();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for on in programs(&btf) {
        let program = on.program(Vec::new());
        let setting = Setting::new(&program, &host, &options).unwrap();
        for row in KFUNCS.iter().filter(|row| row.users.contains(on.prog, on.attach) && !is_special(row)) {
            let Some(id) = btf.find(row.name, Kind::Func).filter(|id| is_offered(&btf, *id)) else { continue };
            let known = kfunc(&setting, id, row).unwrap();
            let Some(ParamKind::Open(open)) = known.params.first().map(|param| &param.kind) else { continue };
            let Ok(ArgKind::Object { to }) = open.resolve(Seen { object: true, next_number: true }) else { continue };
            if row.sleepable && on.flags == 0 {
                continue;
            }
            let mut insns = vec![set(1, 0), set(2, to.0 as i32), call(cast.0 as i32), mov(1, 0)];
            insns.extend((2..=5).map(|reg| set(reg, NUMBER)));
            insns.extend([call(id.0 as i32), set(0, 0), EXIT]);
            let answer = on.ask(&insns);
            let words = if row.rcu { "R1 must be a rcu pointer" } else { "R1 must be referenced or trusted" };
            asked += 1;
            if answer.words().last() != Some(&words) {
                wrong.push(format!("{} in {:?}: ours {words}, kernel's {:?}", row.name, on.prog, answer.words()));
            }
        }
    }
    println!("{asked} calls");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(asked > 200);
}

/// Functions whose calls are more than their arguments.
fn is_special(row: &KfuncRow) -> bool {
    row.device_bound || matches!(row.role, Role::Trap | Role::Throw | Role::Lock | Role::LockIrqSave)
}

#[test]
fn arguments_of_kernel_functions() {
    if !can_ask() {
        return;
    }
    let (btf, host, options) = (vmlinux(), host(), Options::default());
    let task = btf.find("task_struct", Kind::Struct).unwrap();
    let (mut wrong, mut words, mut results, mut undecided) = (Vec::new(), 0, 0, 0);
    for on in programs(&btf) {
        let program = on.program(Vec::new());
        let setting = Setting::new(&program, &host, &options).unwrap();
        for row in KFUNCS.iter().filter(|row| row.users.contains(on.prog, on.attach) && !is_special(row)) {
            let Some(id) = btf.find(row.name, Kind::Func).filter(|id| is_offered(&btf, *id)) else { continue };
            if row.sleepable && on.flags == 0 {
                continue;
            }
            let known = kfunc(&setting, id, row).unwrap();
            for probe in PROBES {
                let insns = calls(&known, id, probe);
                let answer = on.ask(&insns);
                if let Some(difference) = on.judge(insns, &answer, &mut undecided) {
                    wrong.push(format!("{} {probe:?} in {:?}: {difference}", row.name, on.prog));
                }
                let r0 = after_call(&answer, row);
                match expect(&Case { btf: &btf, kfunc: &known, probe, task }) {
                    Some(Err(said)) => {
                        words += 1;
                        if !answer.log.contains(&said) {
                            wrong.push(format!(
                                "{} {probe:?} in {:?}: ours {said}, kernel's {:?}",
                                row.name,
                                on.prog,
                                answer.words()
                            ));
                        }
                    }
                    Some(Ok(())) if r0.is_some() && result(&btf, &known).is_some() => {
                        results += 1;
                        let (name, referenced) = r0.clone().unwrap_or_default();
                        if referenced != row.acquire {
                            wrong.push(format!("{} in {:?} acquires: {referenced}", row.name, on.prog));
                        }
                        let ours = result(&btf, &known);
                        if Some(name) != ours {
                            wrong.push(format!("{} in {:?} returns: ours {ours:?}, kernel's {r0:?}", row.name, on.prog));
                        }
                    }
                    Some(Ok(())) | None => {}
                }
            }
        }
    }
    println!("{words} refusals, {results} results; {undecided} undecided");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(words > 2000 && results > 50);
}
