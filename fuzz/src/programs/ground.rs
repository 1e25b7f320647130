//! What random programs are made from: the rows, and the types of the kernel that they are made for.

use skep_btf::{Kind as BtfKind, TypeId};
use skep_linux::kfuncs::{KFUNCS, is_offered};
use skep_linux::{AttachType, KfuncRow, ProgRow, ProgType, Target};
use skep_program::{Func, Kfunc, Program};
use skep_verifier::types::kfunc_args::{self, ArgKind, Number, ParamKind, Ret, Seen};
use skep_verifier::{Options, Privileges, Setting};

use super::shell::Common;

/// A parameter of a kernel function.
#[derive(Debug, Clone)]
pub(super) struct Param {
    /// It is a number of this kind.
    pub(super) number: Option<Number>,
    /// It is known by its type or name.
    pub(super) known: Option<ArgKind>,
    /// A pointer to this struct of the kernel will do.
    pub(super) object: Option<TypeId>,
    /// So will memory.
    pub(super) memory: Option<ArgKind>,
    /// NULL will do.
    pub(super) nullable: bool,
}

/// A kernel function that programs of a type may call.
#[derive(Debug, Clone)]
pub(super) struct KernelFunction {
    pub(super) row: &'static KfuncRow,
    pub(super) id: i32,
    pub(super) params: Vec<Param>,
    pub(super) ret: Ret,
}

/// A type of programs that this kernel loads.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) row: &'static ProgRow,
    pub(super) attach: AttachType,
    pub(super) flags: u32,
    pub(super) functions: Vec<KernelFunction>,
}

impl Kind {
    /// The program may sleep.
    pub(super) fn sleepable(&self) -> bool {
        self.flags & skep_verifier::flags::SLEEPABLE != 0
    }

    pub(super) fn prog_type(&self) -> ProgType {
        self.row.prog_type
    }
}

/// What random programs are made from.
#[derive(Debug)]
pub struct Ground {
    pub(super) target: Target,
    pub(super) common: Common,
    pub(super) kinds: Vec<Kind>,
}

/// Types of programs of which there are more than of others.
const OFTEN: [ProgType; 9] = [
    ProgType::SchedCls,
    ProgType::Xdp,
    ProgType::Syscall,
    ProgType::SchedCls,
    ProgType::Xdp,
    ProgType::Syscall,
    ProgType::SocketFilter,
    ProgType::Tracepoint,
    ProgType::Kprobe,
];

impl Ground {
    /// For the kernel of a target, whose types are known.
    pub fn new(target: Target) -> Ground {
        let common = Common::new();
        let zero = AttachType::ALL[0];
        let loads = |row: &&ProgRow| !row.needs_btf_target && row.attach.contains(row.prog_type.attach_meant(zero));
        let rows = ProgType::ALL.iter().filter_map(|prog_type| skep_linux::program(*prog_type)).filter(loads);
        let kinds = rows.map(|row| {
            let attach = row.prog_type.attach_meant(zero);
            let flags = match row.sleepable {
                skep_linux::programs::Sleepable::Always => skep_verifier::flags::SLEEPABLE,
                skep_linux::programs::Sleepable::Never | skep_linux::programs::Sleepable::If(_) => 0,
            };
            Kind { row, attach, flags, functions: functions(&target, row.prog_type, attach) }
        });
        Ground { kinds: kinds.collect(), common, target }
    }

    /// A type of programs that somebody may load, by chance.
    pub(super) fn kind(&self, rng: &mut fastrand::Rng, privileges: Privileges) -> &Kind {
        let kinds: Vec<&Kind> = self.kinds.iter().filter(|kind| privileges.lacks_for(kind.row).is_none()).collect();
        let wanted = OFTEN[rng.usize(..OFTEN.len())];
        let often = kinds.iter().find(|kind| kind.prog_type() == wanted);
        often.filter(|_| rng.u32(..4) > 0).unwrap_or(&kinds[rng.usize(..kinds.len())])
    }

    /// A program without instructions.
    pub fn shell(&self) -> Program {
        Program {
            maps: self.common.maps.clone(),
            btf: Some(self.common.btf.clone()),
            ..Program::bare("generated", ProgType::Xdp, Vec::new())
        }
    }

    /// A program of a kind, whose functions have these types.
    pub(super) fn program(&self, kind: &Kind, funcs: &[u32]) -> Program {
        let func = |(index, type_id): (usize, &u32)| Func {
            start: index,
            name: self.common.btf.name(TypeId(*type_id)).to_owned(),
            type_id: *type_id,
            global: self.common.globals.contains(type_id),
        };
        let kfunc = |function: &KernelFunction| Kfunc { name: function.row.name.to_owned(), id: function.id, present: true };
        Program {
            prog_type: kind.prog_type(),
            flags: kind.flags,
            funcs: funcs.iter().enumerate().map(func).collect(),
            btf: Some(self.common.btf.clone()).filter(|_| !funcs.is_empty()),
            kfuncs: kind.functions.iter().map(kfunc).collect(),
            ..self.shell()
        }
    }

    /// The struct of the kernel of this name.
    pub(super) fn struct_id(&self, name: &str) -> Option<TypeId> {
        self.target.btf()?.find(name, BtfKind::Struct)
    }

    /// Bytes of a type of the kernel.
    pub(super) fn size_of(&self, id: TypeId) -> u32 {
        self.target.btf().and_then(|btf| btf.size_of(id).ok()).unwrap_or(0)
    }
}

/// The kernel functions that programs of a type may call.
fn functions(target: &Target, prog_type: ProgType, attach: AttachType) -> Vec<KernelFunction> {
    let Some(btf) = target.btf() else { return Vec::new() };
    let (bare, options) = (Program::bare("", prog_type, Vec::new()), Options::default());
    let Ok(setting) = Setting::new(&bare, target, &options) else { return Vec::new() };
    let mut all = Vec::new();
    for row in KFUNCS.iter().filter(|row| row.users.contains(prog_type, attach)) {
        let Some(id) = btf.find(row.name, BtfKind::Func).filter(|id| is_offered(btf, *id)) else { continue };
        let Ok(found) = kfunc_args::kfunc(&setting, id, row) else { continue };
        let params = found.params.iter().map(param).collect();
        all.push(KernelFunction { row, id: id.0 as i32, params, ret: found.ret });
    }
    all
}

fn param(param: &kfunc_args::KfuncParam<'_>) -> Param {
    let mut made = Param { number: None, known: None, object: None, memory: None, nullable: param.nullable };
    match param.kind {
        ParamKind::Ignored | ParamKind::Program => made.number = Some(Number::Constant),
        ParamKind::Scalar(number) => made.number = Some(number),
        ParamKind::Unsupported(_) => {}
        ParamKind::Pointer(kind) => made.known = Some(kind),
        ParamKind::Open(open) => {
            let seen = |object, next_number| open.resolve(Seen { object, next_number }).ok();
            made.object = match seen(true, true) {
                Some(ArgKind::Object { to }) => Some(to),
                _other => None,
            };
            made.memory = seen(false, true);
        }
    }
    made
}
