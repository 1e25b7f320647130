//! What a run shows, as text.

use std::collections::BTreeMap;

use skep::{Stopped, Trap};
use skep_btf::{Btf, Kind, Type, TypeId};
use skep_linux::ProgType;
use skep_memory::Access;
use skep_program::{MapDef, Program};

use super::file::{File, Step, Stepped};
use super::input::{context_type, row, types};
use super::text::{Typed, show};
use crate::hex;
use crate::oracle::{Bytes, Contents};

/// What a program returned and changed.
pub(super) fn step(program: &Program, step: &Step, value: u32, packet: Option<&[u8]>, context: Option<&[u8]>) -> Stepped {
    let before = step.packet.as_deref().and_then(|text| hex::decode(text).ok());
    let packet = packet.filter(|after| before.as_deref() != Some(*after)).map(hex::encode);
    Stepped { returned: value.cast_signed(), packet, context: context.and_then(|bytes| shown_context(program, bytes)) }
}

fn shown_context(program: &Program, bytes: &[u8]) -> Option<String> {
    if program.prog_type == ProgType::Syscall {
        return Some(show(context_type(program).filter(|_| !bytes.is_empty()), bytes)).filter(|_| !bytes.is_empty());
    }
    let mut parts = Vec::new();
    for field in row(program)?.fields {
        let start = field.offset as usize;
        let Some(value) = bytes.get(start..start + field.size as usize) else { continue };
        if value.iter().all(|byte| *byte == 0) {
            continue;
        }
        let number = value.first_chunk::<4>().map(|word| u32::from_le_bytes(*word)).filter(|_| value.len() == 4);
        parts.push(format!("{} = {}", field.name, number.map_or_else(|| show(None, value), |number| number.to_string())));
    }
    Some(parts.join(", ")).filter(|text| !text.is_empty())
}

/// Why a run was ended and in which line, without addresses: they are others in every run.
pub(super) fn stopped(stopped: &Stopped) -> String {
    let place = &stopped.place;
    let function = place.function.as_deref().unwrap_or(&place.program);
    let line = place.source.as_ref().map_or_else(String::new, |source| format!(", {}:{}", source.file, source.line));
    let why = match &stopped.trap {
        Trap::Fault(fault) => {
            let access = match fault.access {
                Access::Read => "read",
                Access::Write => "write",
            };
            format!("{access} of {} bytes: {}", fault.size, fault.why)
        }
        other => other.to_string(), // without addresses
    };
    format!("{function}{line}: {why}")
}

/// The entries of a map that say something.
pub(super) fn map(def: &MapDef, contents: &Contents) -> BTreeMap<String, String> {
    let (key_type, value_type) = types(def);
    if let (Some(section), Contents::Array { values, .. }) = (&def.section, contents)
        && let Some((btf, ty)) = value_type
        && let Some(Type::Datasec(_)) = btf.get(ty)
        && !section.is_empty()
    {
        return variables(def, btf, ty, &values.0);
    }
    let value_size = def.value_size as usize;
    match contents {
        Contents::Array { size, values } => {
            let entries = values.0.chunks(*size).enumerate();
            let entries = entries.filter(|(_, value)| value.iter().any(|byte| *byte != 0));
            entries.map(|(index, value)| (index.to_string(), pieces(value_type, value_size, value))).collect()
        }
        Contents::Keyed(entries) => {
            let shown = |(key, value): (&Bytes, &Bytes)| (show(key_type, &key.0), pieces(value_type, value_size, &value.0));
            entries.iter().map(shown).collect()
        }
        Contents::Queue(values) => {
            values.iter().enumerate().map(|(place, value)| (place.to_string(), show(value_type, &value.0))).collect()
        }
        Contents::Hidden(_) => BTreeMap::new(),
    }
}

/// A value, or of a value per CPU those that are not 0.
fn pieces(ty: Typed<'_>, size: usize, value: &[u8]) -> String {
    if value.len() == size || size == 0 {
        return show(ty, value);
    }
    let all = value.chunks(size.next_multiple_of(8)).filter_map(|piece| piece.get(..size));
    let set: Vec<String> = all.filter(|piece| piece.iter().any(|byte| *byte != 0)).map(|piece| show(ty, piece)).collect();
    if set.is_empty() { show(ty, &vec![0; size]) } else { set.join("; ") }
}

/// Variables that are not as they were at load.
fn variables(def: &MapDef, btf: &Btf, ty: TypeId, bytes: &[u8]) -> BTreeMap<String, String> {
    let Some(Type::Datasec(section)) = btf.get(ty) else { return BTreeMap::new() };
    let mut shown = BTreeMap::new();
    for var in section.vars() {
        let range = var.offset as usize..var.offset as usize + var.size as usize;
        let Some(now) = bytes.get(range.clone()) else { continue };
        let start = def.initial.as_deref().and_then(|initial| initial.get(range));
        let same = start.map_or_else(|| now.iter().all(|byte| *byte == 0), |start| start == now);
        if !same {
            let ty = btf.referred(var.ty).map(|ty| (btf, ty));
            shown.insert(btf.name(var.ty).to_owned(), show(ty, now));
        }
    }
    shown
}

/// Records by the types that the file says. Those of perf event arrays have zeros behind them.
pub(super) fn records(file: &File, btf: Option<&Btf>, map: &str, records: &[Bytes]) -> Vec<String> {
    let ty = file.records.get(map).and_then(|name| {
        let btf = btf?;
        let id = [Kind::Struct, Kind::Typedef, Kind::Int].into_iter().find_map(|kind| btf.find(name, kind))?;
        Some((btf, id, btf.size_of(id).ok()? as usize))
    });
    let shown = |record: &Bytes| match ty {
        Some((btf, id, size)) if record.0.len() >= size => {
            let (head, tail) = record.0.split_at(size);
            let rest = if tail.iter().all(|byte| *byte == 0) { String::new() } else { format!(" + hex:{}", hex::encode(tail)) };
            format!("{}{rest}", show(Some((btf, id)), head))
        }
        Some(_) | None => show(None, &record.0),
    };
    records.iter().map(shown).collect()
}
