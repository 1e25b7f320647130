//! Parameters of global functions: signatures made at random, and what the kernel's registers hold where such a function begins.

use std::sync::Arc;

use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, MemberDef, TypeDef, TypeId};
use skep_kernel::{FuncInfo, Load, LogLevel};
use skep_linux::{AttachType, ProgType};
use skep_program::Program;
use skep_verifier::state::{Flags, Kind};
use skep_verifier::types::func_args::{FuncArg, Signature, signature};
use skep_verifier::{Options, Setting};

use crate::ask::{Answer, EXIT, Random, ask, can_ask, helper, host, insn, mov, named, pointer_name, said, set, vmlinux};

/// Programs that have functions, and what they are attached to.
fn kinds(btf: &Btf) -> Vec<(ProgType, AttachType, u32, u32)> {
    let find = |name: &str, kind| btf.find(name, kind).unwrap().0;
    let zero = AttachType::CgroupInetIngress;
    vec![
        (ProgType::SocketFilter, zero, 0, 0),
        (ProgType::SchedCls, zero, 0, 0),
        (ProgType::Kprobe, zero, 0, 0),
        (ProgType::Xdp, zero, 0, 0),
        (ProgType::PerfEvent, zero, 0, 0),
        (ProgType::RawTracepoint, zero, 0, 0),
        (ProgType::RawTracepointWritable, zero, 0, 0),
        (ProgType::Tracepoint, zero, 0, 0),
        (ProgType::Syscall, zero, 0, 1 << 4),
        (ProgType::CgroupSockopt, AttachType::CgroupGetsockopt, 0, 0),
        (ProgType::SkMsg, zero, 0, 0),
        (ProgType::Tracing, AttachType::TraceRawTp, find("btf_trace_sched_switch", skep_btf::Kind::Typedef), 0),
        (ProgType::Tracing, AttachType::TraceIter, find("bpf_iter_task", skep_btf::Kind::Func), 0),
        (ProgType::StructOps, AttachType::CgroupInetEgress, find("tcp_congestion_ops", skep_btf::Kind::Struct), 0),
    ]
}

const NAMES: [&str; 20] = [
    "__sk_buff",
    "sk_buff",
    "xdp_md",
    "xdp_buff",
    "pt_regs",
    "user_pt_regs",
    "bpf_perf_event_data",
    "bpf_raw_tracepoint_args",
    "bpf_iter__task",
    "bpf_iter__other",
    "bpf_sockopt",
    "sk_msg_md",
    "task_struct",
    "task_struct___local",
    "cpumask",
    "bpf_dynptr",
    "own_thing",
    "list_head",
    "",
    "file",
];

/// Types of which parameters are made.
struct Types {
    build: BtfBuilder,
    int: TypeId,
    values: Vec<TypeId>,
    targets: Vec<TypeId>,
}

impl Types {
    fn new() -> Types {
        let mut build = BtfBuilder::new();
        let int = build.int("int", 4, IntEncoding::Signed);
        let long = build.int("unsigned long", 8, IntEncoding::Unsigned);
        let char = build.int("char", 1, IntEncoding::Char);
        let wide = build.int("__int128", 16, IntEncoding::Signed);
        let float = build.add(TypeDef::Float { name: "double".to_owned(), size: 8 });
        let choice =
            build.add(TypeDef::Enum { name: "choice".to_owned(), size: 4, signed: false, values: vec![("A".to_owned(), 1)] });
        let pid = build.typedef("pid_t", int);
        let member = || vec![MemberDef::new("a", long, 0), MemberDef::new("b", int, 8)];
        let mut targets: Vec<TypeId> = NAMES.iter().map(|name| build.structure(name, 16, member())).collect();
        let regs = build.structure("pt_regs", 16, member());
        targets.push(build.typedef("bpf_user_pt_regs_t", regs));
        targets.push(build.typedef("other_t", regs));
        targets.push(build.union("nameless", 8, vec![MemberDef::new("a", long, 0)]));
        targets.push(build.add(TypeDef::Fwd { name: "bpf_dynptr".to_owned(), union: false }));
        // The kernel finds what it last looked up by this name, of whatever kind: no other type here may have it.
        targets.push(build.add(TypeDef::Fwd { name: "nowhere".to_owned(), union: false }));
        targets.push(build.array(int, int, 3));
        targets.extend([TypeId::VOID, int, long, char, wide, choice, float, pid]);
        let function = build.add(TypeDef::FuncProto { ret: int, params: Vec::new() });
        targets.push(function);
        let constants: Vec<TypeId> = targets[..20].iter().map(|to| build.add(TypeDef::Const { to: *to })).collect();
        targets.extend(constants);
        let pointer = build.ptr(int);
        targets.push(pointer);
        Types { build, int, values: vec![int, long, char, choice, pid, wide, float, targets[12]], targets }
    }

    fn param(&mut self, random: &mut Random) -> TypeId {
        if random.below(5) == 0 {
            return *random.pick(&self.values);
        }
        let target = *random.pick(&self.targets);
        self.build.ptr(target)
    }
}

struct Made {
    btf: Btf,
    main: TypeId,
    func: TypeId,
}

/// A program with a function of a random signature.
fn make(random: &mut Random) -> Made {
    let mut types = Types::new();
    let params = random.below(4) + u64::from(random.below(30) == 0) * 3;
    let params: Vec<_> = (0..params).map(|n| (format!("p{n}"), types.param(random))).collect();
    let ret = if random.below(30) == 0 { types.param(random) } else { types.int };
    let count = params.len() as u64;
    let ctx = types.build.ptr(types.targets[0]);
    let main = types.build.add(TypeDef::FuncProto { ret: types.int, params: vec![("ctx".to_owned(), ctx)] });
    let main = types.build.add(TypeDef::Func { name: "main".to_owned(), proto: main, linkage: Linkage::Global });
    let proto = types.build.add(TypeDef::FuncProto { ret, params });
    let func = types.build.add(TypeDef::Func { name: "f".to_owned(), proto, linkage: Linkage::Global });
    let tags = ["ctx", "trusted", "untrusted", "nonnull", "nullable", "arena", "odd"];
    for component in 0..count {
        while random.below(5) < 2 {
            let known = if random.below(9) == 0 { 7 } else { 6 };
            let tag = tags[random.below(known) as usize];
            let value = format!("arg:{tag}");
            types.build.add(TypeDef::DeclTag { value, attribute: false, of: func, component: Some(component as u32) });
        }
    }
    Made { btf: types.build.build().expect("types that hold together"), main, func }
}

/// The arguments that a caller would have to hand over, as far as a caller of a few instructions has them.
fn fits(arg: FuncArg, task: TypeId) -> bool {
    match arg {
        FuncArg::Dynptr => false,
        FuncArg::Trusted { to, nullable } => nullable || to == task,
        FuncArg::Scalar
        | FuncArg::Context
        | FuncArg::Memory { .. }
        | FuncArg::UntrustedMemory
        | FuncArg::Untrusted { .. }
        | FuncArg::Arena => true,
    }
}

/// What the kernel's log says of a register that holds the parameter.
fn register(arg: FuncArg, kernel: &Btf) -> Option<String> {
    let null = |nullable| if nullable { Flags::MAYBE_NULL } else { Flags::NONE };
    Some(match arg {
        FuncArg::Scalar | FuncArg::Arena => "scalar".to_owned(),
        FuncArg::Context => "ctx".to_owned(),
        FuncArg::Dynptr => return None,
        FuncArg::Memory { size, nullable } => {
            format!("{} sz={size}", named(Kind::Mem { size, dynptr: 0 }, null(nullable)))
        }
        FuncArg::UntrustedMemory => {
            format!("{} sz=0", named(Kind::Mem { size: 0, dynptr: 0 }, Flags::RDONLY.with(Flags::UNTRUSTED)))
        }
        FuncArg::Trusted { to, nullable } => pointer_name(Flags::TRUSTED.with(null(nullable))) + kernel.name(to),
        FuncArg::Untrusted { to } => pointer_name(Flags::UNTRUSTED) + kernel.name(to),
    })
}

fn call(
    made: &Made,
    loaded: &skep_kernel::Btf,
    kind: (ProgType, AttachType, u32, u32),
    args: &[FuncArg],
    task: TypeId,
) -> Answer {
    let (prog, attach, id, flags) = kind;
    let trusted = |arg: &FuncArg| matches!(arg, FuncArg::Trusted { nullable: false, to } if *to == task);
    let mut insns = vec![mov(6, 1), set(7, 0)];
    if args.iter().any(trusted) {
        insns.extend([helper(158), mov(7, 0)]);
    }
    for (reg, arg) in (1..=5).zip(args.iter().map(Some).chain(std::iter::repeat(None))) {
        insns.push(match arg {
            Some(FuncArg::Context) => mov(reg, 6),
            Some(arg) if trusted(arg) => mov(reg, 7),
            Some(_) | None => set(reg, 0),
        });
    }
    insns.extend([insn(0x85, 0, 1, 0, 2), set(0, 0), EXIT]);
    let func = insns.len() as u32;
    // Reading each argument makes the kernel show it.
    insns.extend((1..=args.len() as u8).map(|reg| mov(0, reg)));
    insns.extend([set(0, 0), EXIT]);
    let func_info = vec![FuncInfo { insn_off: 0, type_id: made.main.0 }, FuncInfo { insn_off: func, type_id: made.func.0 }];
    ask(Load {
        attach_type: attach as u32,
        attach_btf_id: id,
        flags,
        btf: Some(loaded),
        func_info,
        log_level: LogLevel::States,
        ..Load::raw(prog, &insns)
    })
}

/// The registers with which the second function begins.
fn begins(answer: &Answer) -> Option<&str> {
    let (_, after) = answer.log.split_once("Validating f() func#1...\n")?;
    after.lines().next()
}

/// A register in a line of the log, and the size of memory in it.
fn shown(line: &str, reg: usize) -> Option<String> {
    let (_, rest) = line.split_once(&format!("R{reg}="))?;
    let (name, rest) = rest.split_once('(')?;
    let inside = rest.split(')').next()?;
    let size = inside.split(',').find_map(|part| part.strip_prefix("sz="));
    Some(if name.contains("mem") { format!("{name} sz={}", size.unwrap_or("0")) } else { name.to_owned() })
}

#[test]
fn parameters_of_global_functions() {
    if !can_ask() {
        return;
    }
    let (kernel, host, options) = (vmlinux(), host(), Options::default());
    let task = kernel.find("task_struct", skep_btf::Kind::Struct).unwrap();
    let kinds = kinds(&kernel);
    let mut random = Random(0x77);
    let (mut wrong, mut refused, mut begun) = (Vec::new(), 0, 0);
    for round in 0..3000 {
        let made = make(&mut random);
        let loaded = skep_kernel::Btf::load(made.btf.raw()).unwrap_or_else(|error| panic!("{error}"));
        let kind = kinds[round % kinds.len()];
        let program = Program {
            attach_type: Some(kind.1),
            attach_btf_id: Some(kind.2),
            flags: kind.3,
            btf: Some(Arc::new(made.btf.clone())),
            ..Program::bare("p", kind.0, Vec::new())
        };
        let setting = Setting::new(&program, &host, &options).unwrap();
        let ours = said(signature(&setting, made.func, 1, true));
        let args = match &ours {
            Ok(Signature::Known(args)) => args.clone(),
            Ok(Signature::Unknown) => panic!("a global function has a signature"),
            Err(_) => Vec::new(),
        };
        let answer = call(&made, &loaded, kind, &args, task);
        let context =
            |what: &str| format!("{:?} {what}: ours {ours:?}, kernel's {:?} {:?}", kind.0, begins(&answer), answer.words());
        match (&ours, begins(&answer)) {
            (Err(words), None) => {
                refused += 1;
                let first = answer.log.lines().find(|line| line.to_lowercase().starts_with("arg#") || line.starts_with("Global"));
                if first != Some(words) {
                    wrong.push(context("words"));
                }
            }
            (Ok(_), Some(line)) => {
                begun += 1;
                for (index, arg) in args.iter().enumerate() {
                    if register(*arg, &kernel) != shown(line, index + 1) {
                        wrong.push(context(&format!("argument {index}")));
                    }
                }
            }
            (Ok(_), None) => {
                // The first argument that this caller does not have is named.
                let index = args.iter().position(|arg| !fits(*arg, task));
                let said = &answer.log;
                let expected = index.is_some_and(|index| match args[index] {
                    FuncArg::Dynptr => {
                        said.contains(&format!("arg#{index} expected pointer to stack or const struct bpf_dynptr"))
                    }
                    _ => said.contains(&format!("R{} type=scalar expected=", index + 1)),
                });
                if !expected {
                    wrong.push(context("call"));
                }
            }
            (Err(_), Some(_)) => wrong.push(context("accepted")),
        }
    }
    println!("{refused} signatures refused, {begun} functions begun");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(25)].join("\n"));
    assert!(refused > 500 && begun > 500);
}
