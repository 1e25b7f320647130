//! What BTF says of a program's context: the prototype of the function or tracepoint it is attached to, or the struct it gets.

use std::sync::Arc;

use skep::{AttachType, Btf, ProgType, Program};
use skep_btf::{Kind, Type, TypeId};

use super::types::Types;

/// The parameters of a function or a tracepoint.
pub(super) struct Prototype {
    /// Where the types are.
    pub(super) btf: Arc<Btf>,
    /// Name, type and slot (of eight bytes) of each parameter; the return value, where the program sees one, is the last.
    params: Vec<(String, TypeId, usize)>,
    slots: usize,
}

impl Prototype {
    fn new(btf: Arc<Btf>, proto: TypeId, skip: usize, returns: bool) -> Option<Prototype> {
        let Type::FuncProto(function) = btf.get(proto)? else { return None };
        let mut params = Vec::new();
        let mut slots = 0;
        for param in function.params().skip(skip).filter(|param| !param.ty.is_void()) {
            params.push((param.name.to_owned(), param.ty, slots));
            slots += (btf.size_of(param.ty).unwrap_or(8) as usize).div_ceil(8).max(1);
        }
        if returns {
            params.push(("ret".to_owned(), function.ret(), slots));
            slots += 1;
        }
        Some(Prototype { btf: btf.clone(), params, slots })
    }

    /// Words that all arguments take.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Slot and type of a parameter, by its name or as `arg1`.
    pub(super) fn find(&self, name: &str) -> Option<(usize, TypeId)> {
        let named = self.params.iter().find(|(param, ..)| param == name);
        let numbered = || self.params.get(name.strip_prefix("arg")?.parse::<usize>().ok()?.checked_sub(1)?);
        let (_, ty, slot) = named.or_else(numbered)?;
        // A function that returns nothing leaves a word without a type.
        (!ty.is_void()).then_some((*slot, *ty))
    }

    /// The names.
    pub(super) fn names(&self) -> Vec<String> {
        let numbered = |(nth, (name, ..)): (usize, &(String, TypeId, usize))| match name.is_empty() {
            true => format!("arg{}", nth + 1),
            false => name.clone(),
        };
        self.params.iter().enumerate().map(numbered).collect()
    }
}

/// The prototype of what a program is attached to, in the target's types.
pub(super) fn prototype(types: &Types, program: &Program) -> Option<Prototype> {
    let btf = types.kernel.clone()?;
    let to = program.attach_to.as_deref()?;
    let function = |name: &str| {
        let func = btf.find(name, Kind::Func)?;
        btf.referred(func)
    };
    match (program.prog_type, program.attach_type) {
        (ProgType::RawTracepoint | ProgType::RawTracepointWritable, _) | (ProgType::Tracing, Some(AttachType::TraceRawTp)) => {
            // `typedef void (*btf_trace_NAME)(void *, ...)`; programs do not see the first parameter. Parameters of a typedef have
            // no names; those of the function that calls all probes do.
            let pointer = btf.resolve(btf.find(&format!("btf_trace_{to}"), Kind::Typedef)?);
            let caller = function(&format!("__traceiter_{to}"));
            Prototype::new(btf.clone(), caller.or_else(|| btf.referred(pointer))?, 1, false)
        }
        (ProgType::Lsm, _) => Prototype::new(btf.clone(), function(&format!("bpf_lsm_{to}"))?, 0, false),
        (ProgType::Tracing, attach) => {
            let returns = matches!(attach, Some(AttachType::TraceFexit | AttachType::ModifyReturn));
            Prototype::new(btf.clone(), function(to)?, 0, returns)
        }
        (_, _) => None,
    }
}

/// The struct that a program's context is: what its own types say its parameter points to; of structs that the kernel makes, as the
/// target lays them out. Failing that, what the tracepoint's name says.
pub(super) fn record(types: &Types, program: &Program) -> Option<(Arc<Btf>, TypeId)> {
    let own = parameter(program);
    let name = own.as_ref().map(|(btf, ty)| essential(btf.name(*ty)).to_owned()).or_else(|| by_tracepoint(program));
    let in_target = name.filter(|name| of_kernel(name)).and_then(|name| {
        let btf = types.kernel.clone()?;
        let ty = btf.find(&name, Kind::Struct)?;
        Some((btf, ty))
    });
    in_target.or(own)
}

/// Whether the kernel makes contexts of this name; an object may call its own structs as it likes.
fn of_kernel(name: &str) -> bool {
    ["trace_event_raw_", "syscall_trace_", "bpf_iter__"].iter().any(|prefix| name.starts_with(prefix))
}

/// The name of a type without what follows `___`, which CO-RE passes over.
fn essential(name: &str) -> &str {
    name.split_once("___").map_or(name, |(essential, _)| essential)
}

/// The struct that the program's own types say its context is.
fn parameter(program: &Program) -> Option<(Arc<Btf>, TypeId)> {
    let btf = program.btf.clone()?;
    let func = TypeId(program.funcs.first()?.type_id);
    let Type::FuncProto(proto) = btf.get(btf.referred(func)?)? else { return None };
    let param = proto.params().next()?;
    let Type::Ptr(to) = btf.get(btf.resolve(param.ty))? else { return None };
    let to = btf.resolve(to.to);
    (btf.kind(to) == Kind::Struct).then(|| (btf.clone(), to))
}

/// The struct of a tracepoint, `category/name`.
fn by_tracepoint(program: &Program) -> Option<String> {
    let (category, name) = program.attach_to.as_deref()?.split_once('/')?;
    Some(match category {
        "syscalls" if name.starts_with("sys_enter_") => "syscall_trace_enter".to_owned(),
        "syscalls" if name.starts_with("sys_exit_") => "syscall_trace_exit".to_owned(),
        _ => format!("trace_event_raw_{name}"),
    })
}
