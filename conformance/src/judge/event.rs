//! What programs are run on, for every type that the interpreter can make a context of.

use std::sync::Arc;

use skep::{Input, ProgType, Program, Target, World};
use skep_btf::{Btf, FuncProto, Type, TypeId};
use skep_linux::contexts::{self, Yields};
use skep_linux::trust::{TRUST, Trust};
use skep_verifier::types::attach::{self, Attach, AttachKind};
use skep_verifier::{Options, Setting};

use crate::generate::{Generator, Random, frame};
use crate::oracle::{Bytes, Case, Set, shape};

/// Makes cases for a program of any type.
#[derive(Debug)]
pub struct Events {
    generator: Generator,
    seed: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The generator of test runs knows the type.
    Known,
    /// Arguments of eight bytes each.
    Args(Vec<Arg>),
    /// So many bytes, and a packet or buffer beside them.
    Bytes { size: usize, packet: bool },
}

/// An argument of a function that a program is attached to.
#[derive(Debug, Clone, Copy)]
enum Arg {
    Number,
    /// An object of the kernel.
    Object(u64),
}

/// Bytes of a context whose type says no size.
const SOME: usize = 64;
/// Arguments that are given where nothing is known of them.
const SOME_ARGS: usize = 12;

impl Events {
    /// For the program of the set that is run. Objects that its arguments lead to are made in `world`.
    pub fn new(set: &Set, target: &Arc<Target>, world: &mut World, seed: u64) -> Events {
        let generator = Generator::new(set, seed);
        let kind = set.programs.first().map_or(Kind::Known, |program| Kind::of(program, target, world));
        Events { generator, seed, kind }
    }

    /// Whether arguments lead to objects that are made up: all zero, with nothing behind most of their pointers.
    pub fn makes_objects(&self) -> bool {
        matches!(&self.kind, Kind::Args(args) if args.iter().any(|arg| matches!(arg, Arg::Object(_))))
    }

    /// The case of this number.
    pub fn case(&self, index: usize) -> Case {
        let case = self.generator.case(index);
        let random = &mut Random::new(!self.seed, index as u64);
        match &self.kind {
            Kind::Known => case,
            Kind::Args(args) => {
                let value = |arg: &Arg| match arg {
                    Arg::Number => random.interesting(),
                    Arg::Object(addr) => *addr,
                };
                let bytes = args.iter().map(value).flat_map(u64::to_le_bytes).collect();
                Case { context: Some(Bytes(bytes)), packet: None, ..case }
            }
            Kind::Bytes { size, packet } => {
                let mut bytes = Vec::with_capacity(size + 8);
                while bytes.len() < *size {
                    let number = if random.chance(50) { random.interesting() } else { random.below(16) as u64 };
                    bytes.extend(&number.to_le_bytes()[..4]);
                }
                bytes.truncate(*size);
                let packet = packet.then(|| Bytes(frame(random)));
                Case { context: Some(Bytes(bytes)), packet, ..case }
            }
        }
    }
}

impl Kind {
    fn of(program: &Program, target: &Arc<Target>, world: &mut World) -> Kind {
        if shape(program.prog_type).is_some() {
            return Kind::Known;
        }
        let packet = Input::takes_packet(program.prog_type);
        match program.prog_type {
            ProgType::Tracing | ProgType::Lsm | ProgType::StructOps | ProgType::Ext => Kind::Args(args(program, target, world)),
            ProgType::SkSkb => Kind::Bytes { size: 0, packet },
            ProgType::RawTracepointWritable => Kind::Bytes { size: SOME_ARGS * 8, packet: true },
            _with_a_row => {
                let row = contexts::context(program.prog_type, target.arch);
                let fixed = row.is_some_and(|row| row.fields.iter().any(|field| field.yields != Yields::Number) || row.size > 0);
                let size = match row {
                    Some(row) if fixed => row.size as usize,
                    Some(_) | None => program.context_reach().max(SOME),
                };
                let size = if program.prog_type == ProgType::Tracepoint { program.context_reach().max(SOME) } else { size };
                Kind::Bytes { size, packet }
            }
        }
    }
}

/// The arguments of what a program is attached to.
fn args(program: &Program, target: &Arc<Target>, world: &mut World) -> Vec<Arg> {
    let options = Options::default();
    let unknown = || vec![Arg::Number; SOME_ARGS];
    let Ok(setting) = Setting::new(program, target, &options) else { return unknown() };
    let Ok(Some(attach)) = attach::target(&setting) else { return unknown() };
    let skipped = usize::from(matches!(attach.kind, AttachKind::Tracepoint));
    let mut args: Vec<Arg> = params(&attach.proto).into_iter().skip(skipped).flat_map(|ty| arg(&attach, ty, world)).collect();
    args.resize(args.len().max(SOME_ARGS), Arg::Number);
    args
}

fn params(proto: &FuncProto<'_>) -> Vec<TypeId> {
    proto.params().map(|param| param.ty).collect()
}

/// The words of an argument.
fn arg(attach: &Attach<'_>, ty: TypeId, world: &mut World) -> Vec<Arg> {
    let btf = attach.btf;
    match btf.get(btf.resolve(ty)) {
        Some(Type::Ptr(pointer)) => match btf.get(btf.resolve(pointer.to)) {
            Some(Type::Struct(record)) => {
                vec![object(world, btf, record.name(), MOST_DEEP).map_or(Arg::Number, Arg::Object)]
            }
            _other => vec![Arg::Number],
        },
        _other => vec![Arg::Number; btf.size_of(ty).map_or(1, |size| (size as usize).div_ceil(8).max(1))],
    }
}

/// How far pointers of made up objects lead.
const MOST_DEEP: u32 = 3;

/// An object of a struct: all zero, but for pointers that the kernel never lets be NULL, which lead to others.
fn object(world: &mut World, btf: &Btf, name: &str, deep: u32) -> Option<u64> {
    if name == "task_struct" {
        return world.current_task().ok();
    }
    let addr = world.new_object(name).ok()?;
    let lists = TRUST.iter().filter(|row| matches!(row.trust, Trust::Trusted | Trust::Rcu));
    for row in lists.filter(|_| deep > 0) {
        let list = btf.find(&format!("{name}{}", row.suffix), skep_btf::Kind::Struct).and_then(|id| btf.get(id));
        let Some(Type::Struct(list)) = list else { continue };
        for member in list.members() {
            let to = match btf.get(btf.resolve(member.ty)) {
                Some(Type::Ptr(pointer)) => btf.get(btf.resolve(pointer.to)),
                _other => None,
            };
            // A field that the target does not have leads nowhere.
            if let Some(Type::Struct(to)) = to
                && let Some(to) = object(world, btf, to.name(), deep - 1)
            {
                let _ = world.set(addr, member.name, to);
            }
        }
    }
    Some(addr)
}
