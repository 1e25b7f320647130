//! From a step to what an engine takes.

use std::collections::BTreeMap;

use skep::{KernelObjectError, World};
use skep_btf::{Literal, Type, TypeId};
use skep_linux::Arch;
use skep_linux::contexts::{ContextRow, context};
use skep_program::{MapDef, Program};

use super::file::{Fill, Step, WorldSettings};
use super::text::{self, Typed, ValueProblem};
use crate::hex;
use crate::oracle::{self, Bytes};

/// Something in a case that does not fit its object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InputProblem {
    /// A value.
    #[error("{what}: {problem}")]
    Value {
        /// Of what.
        what: String,
        /// What is wrong.
        problem: ValueProblem,
    },
    /// An address that no object has.
    #[error("no object is called `@{0}`")]
    NoObject(String),
    /// A field that the context does not have.
    #[error("the context has no field `{0}`")]
    NoField(String),
    /// A map that the programs do not have.
    #[error("no map is called `{0}`")]
    NoMap(String),
    /// A context given in several ways.
    #[error("context, fields and args exclude each other")]
    Contexts,
    /// An object of the kernel.
    #[error("object `{name}`: {error}")]
    Object {
        /// Its name.
        name: String,
        /// Why it was not made.
        error: KernelObjectError,
    },
}

/// Addresses of the objects of a world, by name.
pub(super) type Addresses = BTreeMap<String, u64>;

fn of(what: impl Into<String>) -> impl FnOnce(ValueProblem) -> InputProblem {
    let what = what.into();
    move |problem| InputProblem::Value { what, problem }
}

/// A number or the address of an object.
fn literal(what: &str, text: &str, addresses: &Addresses) -> Result<Literal, InputProblem> {
    if let Some(name) = text.strip_prefix('@') {
        let addr = addresses.get(name).ok_or_else(|| InputProblem::NoObject(name.to_owned()))?;
        return Ok((*addr).into());
    }
    Literal::parse(text).map_err(|error| of(what)(error.into()))
}

/// Bytes of a number or an address.
fn word(what: &str, size: usize, text: &str, addresses: &Addresses) -> Result<Vec<u8>, InputProblem> {
    match literal(what, text, addresses)? {
        Literal::Number(number) => Ok(number.to_le_bytes()[..size.min(16)].to_vec()),
        _no_number => text::bytes(None, size, text).map_err(of(what)),
    }
}

/// Sets the world of a case; the addresses of its objects.
pub(super) fn world(world: &mut World, settings: &WorldSettings) -> Result<Addresses, InputProblem> {
    let mut addresses = Addresses::new();
    if let Some(clock) = settings.clock {
        world.clock.monotonic = clock;
    }
    for object in &settings.objects {
        let failed = |error| InputProblem::Object { name: object.name.clone(), error };
        let addr = match &object.ty {
            Some(ty) => world.new_object(ty).map_err(failed)?,
            None => {
                let text = object.text.as_deref().unwrap_or_default();
                world.new_kernel_memory(&[text.as_bytes(), b"\0"].concat()).map_err(failed)?
            }
        };
        addresses.insert(object.name.clone(), addr);
        set(world, addr, &object.name, &object.set, &addresses)?;
    }
    if let Some(task) = &settings.task {
        world.task.pid = task.pid.unwrap_or(world.task.pid);
        world.task.tgid = task.tgid.unwrap_or(world.task.tgid);
        world.task.uid = task.uid.unwrap_or(world.task.uid);
        world.task.comm.clone_from(task.comm.as_ref().unwrap_or(&world.task.comm.clone()));
        if !task.set.is_empty() {
            let addr = world.current_task().map_err(|error| InputProblem::Object { name: "task".into(), error })?;
            set(world, addr, "task", &task.set, &addresses)?;
        }
    }
    Ok(addresses)
}

fn set(
    world: &mut World,
    addr: u64,
    name: &str,
    fields: &BTreeMap<String, String>,
    addresses: &Addresses,
) -> Result<(), InputProblem> {
    for (path, text) in fields {
        let value = literal(path, text, addresses)?;
        world.set(addr, path, value).map_err(|error| InputProblem::Object { name: name.to_owned(), error })?;
    }
    Ok(())
}

/// The struct that a program takes a pointer to, where its type says so.
pub(super) fn context_type(program: &Program) -> Typed<'_> {
    let btf = program.btf.as_deref()?;
    let Some(Type::Func(func)) = btf.get(TypeId(program.funcs.first()?.type_id)) else { return None };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return None };
    let first = proto.params().next()?;
    let Some(Type::Ptr(pointer)) = btf.get(btf.resolve(first.ty)) else { return None };
    let pointee = btf.resolve(pointer.to);
    matches!(btf.get(pointee), Some(Type::Struct(_))).then_some((btf, pointee))
}

/// The rows of a program's context.
pub(super) fn row(program: &Program) -> Option<&'static ContextRow> {
    context(program.prog_type, Arch::X86_64)
}

/// The memory of the context that a step gives.
fn context_bytes(program: &Program, step: &Step, addresses: &Addresses) -> Result<Option<Vec<u8>>, InputProblem> {
    match (&step.context, step.fields.is_empty(), step.args.is_empty()) {
        (None, true, true) => Ok(None),
        (Some(text), true, true) => {
            let ty = context_type(program);
            let size = match (ty, text.strip_prefix("hex:")) {
                (Some((btf, ty)), None) => btf.size_of(ty).unwrap_or_default() as usize,
                (_, Some(digits)) => hex::decode(digits).map_err(|error| of("context")(error.into()))?.len(),
                (None, None) => return Err(of("context")(ValueProblem::Untyped(text.clone()))),
            };
            text::bytes(ty, size, text).map(Some).map_err(of("context"))
        }
        (None, false, true) => fields(program, step, addresses).map(Some),
        (None, true, false) => {
            let mut bytes = Vec::with_capacity(step.args.len() * 8);
            for arg in &step.args {
                bytes.extend(word("args", 8, arg, addresses)?);
            }
            Ok(Some(bytes))
        }
        (Some(_) | None, _, _) => Err(InputProblem::Contexts),
    }
}

fn fields(program: &Program, step: &Step, addresses: &Addresses) -> Result<Vec<u8>, InputProblem> {
    let row = row(program);
    let mut bytes = vec![0; row.map_or(0, |row| row.size as usize)];
    for (name, value) in &step.fields {
        let field = row.and_then(|row| row.field(name)).filter(|field| field.size <= 8);
        let field = field.ok_or_else(|| InputProblem::NoField(name.clone()))?;
        let value = word(name, field.size as usize, value, addresses)?;
        let place = bytes.get_mut(field.offset as usize..field.offset as usize + value.len());
        place.ok_or_else(|| InputProblem::NoField(name.clone()))?.copy_from_slice(&value);
    }
    Ok(bytes)
}

/// The types of a map's keys and values.
pub(super) fn types(def: &MapDef) -> (Typed<'_>, Typed<'_>) {
    let typed = |id| def.btf.as_deref().filter(|_| id != 0).map(|btf| (btf, TypeId(id)));
    (typed(def.key_type_id), typed(def.value_type_id))
}

fn fill<'a>(fill: &Fill, mut maps: impl Iterator<Item = &'a MapDef>) -> Result<oracle::Fill, InputProblem> {
    let def = maps.find(|def| def.is_called(&fill.map)).ok_or_else(|| InputProblem::NoMap(fill.map.clone()))?;
    let (key_type, value_type) = types(def);
    let what = |part: &str| of(format!("map `{}`, {part}", fill.map));
    let key = match &fill.key {
        Some(key) => text::bytes(key_type, def.key_size as usize, key).map_err(what("key"))?,
        None => Vec::new(),
    };
    let value = text::bytes(value_type, def.value_size as usize, &fill.value).map_err(what("value"))?;
    Ok(oracle::Fill { map: def.name.clone(), key: Bytes(key), value: Bytes(value) })
}

/// Entries of maps.
pub(super) fn fills<'a>(
    fills: &[Fill],
    maps: impl Iterator<Item = &'a MapDef> + Clone,
) -> Result<Vec<oracle::Fill>, InputProblem> {
    fills.iter().map(|entry| fill(entry, maps.clone())).collect()
}

/// The input of a step.
pub(super) fn case(program: &Program, step: &Step, addresses: &Addresses) -> Result<oracle::Case, InputProblem> {
    let packet = step.packet.as_deref().map(hex::decode).transpose().map_err(|error| of("packet")(error.into()))?;
    let context = context_bytes(program, step, addresses)?;
    Ok(oracle::Case { packet: packet.map(Bytes), context: context.map(Bytes), fills: Vec::new() })
}
