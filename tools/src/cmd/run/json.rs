//! Answers as JSON: the schema is in `docs/run.md`.

use serde_json::{Map, Value as Json, json};
use skep::{Effect, Place, Redirect, RunError, Step, Value};
use skep_linux::HelperNames;

use super::maps::{Dump, Shown};
use super::records::Record;
use super::report::Report;
use crate::{hex, names};

/// A value by its type.
pub(super) fn value(value: &Value) -> Json {
    match value {
        Value::Unsigned(number) => u64::try_from(*number).map_or_else(|_| json!(number.to_string()), |number| json!(number)),
        Value::Signed(number) => i64::try_from(*number).map_or_else(|_| json!(number.to_string()), |number| json!(number)),
        Value::Bool(set) => json!(set),
        Value::Float(number) => json!(number),
        Value::Enum { name: Some(name), .. } => json!(name),
        Value::Enum { name: None, value } => json!(value),
        Value::Pointer(addr) => json!(format!("{addr:#x}")),
        Value::Text(bytes) => json!(String::from_utf8_lossy(bytes)),
        Value::Array(items) => Json::Array(items.iter().map(self::value).collect()),
        Value::Struct(fields) => Json::Object(fields.iter().map(|(name, field)| (name.clone(), self::value(field))).collect()),
        Value::Bytes(bytes) => json!(hex::text(bytes)),
    }
}

/// An object without the fields that are null.
pub(super) fn object(fields: impl IntoIterator<Item = (&'static str, Json)>) -> Json {
    Json::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(n, v)| (n.to_owned(), v)).collect::<Map<_, _>>())
}

/// One run.
pub(super) fn report(report: &Report<'_>) -> Json {
    let program = report.program;
    let mut fields = vec![
        ("run", json!(report.number)),
        ("kind", json!(report.kind)),
        ("program", json!(program.name)),
        ("section", json!(program.section)),
        ("program_type", json!(names::prog_type(program.prog_type))),
    ];
    match &report.result {
        Ok(outcome) => fields.extend([
            ("outcome", json!("returned")),
            ("retval", json!(outcome.retval() as i32)),
            ("verdict", json!(report.meaning().name(outcome.retval() as i32))),
            ("executed", json!(report.counted.then_some(outcome.executed))),
            ("average_ns", json!(report.nanoseconds)),
        ]),
        Err(RunError::Input(error)) => fields.extend([("outcome", json!("refused")), ("error", json!(error.to_string()))]),
        Err(RunError::Stopped(stopped)) => fields.extend([
            ("outcome", json!("stopped")),
            ("error", json!(stopped.trap.to_string())),
            ("executed", json!(stopped.executed)),
            ("place", place(&stopped.place)),
        ]),
    }
    let changes = report.changes();
    let changed = changes.iter().map(|change| (change.field.clone(), json!({ "before": change.before, "after": change.after })));
    fields.extend([
        ("packet", json!(report.packet.map(hex::text))),
        ("packet_out", json!(report.packet_changed().map(|packet| hex::text(&packet)))),
        ("context", if changes.is_empty() { Json::Null } else { Json::Object(changed.collect()) }),
        ("context_out", json!(report.record_after().as_ref().map(value))),
        ("redirect", json!(report.redirect.as_ref().map(redirect))),
        ("effects", list(report.effects.iter().map(effect))),
        ("printk", list(report.printk.iter().map(|line| json!(line)))),
        ("seq", if report.seq.is_empty() { Json::Null } else { json!(String::from_utf8_lossy(&report.seq)) }),
        ("records", list(report.records.iter().map(record))),
        ("trace", json!(report.trace.as_ref().map(|(steps, _)| steps.iter().map(step).collect::<Vec<_>>()))),
        ("trace_dropped", json!(report.trace.as_ref().map(|(_, dropped)| dropped))),
    ]);
    object(fields)
}

/// A list; nothing where it is empty.
fn list(items: impl Iterator<Item = Json>) -> Json {
    let items: Vec<Json> = items.collect();
    if items.is_empty() { Json::Null } else { Json::Array(items) }
}

fn place(place: &Place) -> Json {
    let source =
        place.source.as_ref().map(|source| json!({ "file": &*source.file, "line": source.line, "text": source.text.trim() }));
    object([
        ("program", json!(place.program)),
        ("function", json!(place.function)),
        ("instruction", json!(place.slot)),
        ("insn", json!(place.insn)),
        ("source", json!(source)),
        ("registers", json!(place.registers.iter().map(|value| format!("{value:#x}")).collect::<Vec<_>>())),
    ])
}

fn record(record: &Record) -> Json {
    object([
        ("map", json!(record.map)),
        ("type", json!(record.decoded.as_ref().map(|(ty, _)| ty))),
        ("value", json!(record.decoded.as_ref().map(|(_, decoded)| value(decoded)))),
        ("bytes", json!(hex::text(&record.bytes))),
    ])
}

fn step(step: &Step) -> Json {
    object([
        ("program", json!(&*step.program)),
        ("instruction", json!(step.slot)),
        ("text", json!(step.insn.map(|insn| insn.display(step.slot, &HelperNames).to_string()))),
        ("depth", json!(step.depth)),
        ("registers", json!(step.registers.iter().map(|value| format!("{value:#x}")).collect::<Vec<_>>())),
    ])
}

fn redirect(redirect: &Redirect) -> Json {
    match redirect {
        Redirect::Device { ifindex, ingress } => json!({ "device": ifindex, "ingress": ingress }),
        Redirect::Peer { ifindex } => json!({ "peer_of": ifindex }),
        Redirect::Neighbour { ifindex, via } => {
            json!({ "device": ifindex, "via": via.map(|via| via.to_string()), "neighbour": true })
        }
        Redirect::Map { map, key, broadcast, flags } => {
            json!({ "map": map, "key": hex::text(key), "broadcast": broadcast, "flags": flags })
        }
    }
}

fn effect(effect: &Effect) -> Json {
    match effect {
        Effect::Signal { pid, signal, thread, value } => {
            json!({ "effect": "signal", "pid": pid, "signal": signal, "thread": thread, "value": value })
        }
        Effect::OverrideReturn(value) => json!({ "effect": "override_return", "value": value }),
        Effect::Clone { ifindex, ingress, data } => {
            json!({ "effect": "clone", "device": ifindex, "ingress": ingress, "packet": hex::text(data) })
        }
        Effect::BprmOptions(options) => json!({ "effect": "bprm_options", "options": options }),
        Effect::ApplyBytes(bytes) => json!({ "effect": "apply_bytes", "bytes": bytes }),
        Effect::CorkBytes(bytes) => json!({ "effect": "cork_bytes", "bytes": bytes }),
        Effect::Acknowledge { socket, sequence } => json!({ "effect": "acknowledge", "socket": socket, "sequence": sequence }),
        Effect::Assign(cookie) => json!({ "effect": "assign", "socket": cookie }),
        Effect::Bind(address) => json!({ "effect": "bind", "address": address.to_string() }),
        Effect::SetSockOpt { cookie, level, name, value } => {
            json!({ "effect": "setsockopt", "socket": cookie, "level": level, "name": name, "value": hex::text(value) })
        }
        Effect::RemoteKey { protocol, scancode, toggle } => {
            json!({ "effect": "remote_key", "protocol": protocol, "scancode": scancode, "toggle": toggle })
        }
        Effect::RemoteRepeat => json!({ "effect": "remote_repeat" }),
        Effect::RemotePointer { x, y } => json!({ "effect": "remote_pointer", "x": x, "y": y }),
        Effect::Destroy(cookie) => json!({ "effect": "destroy", "socket": cookie }),
    }
}

/// What maps hold, in the form that `--maps` reads.
pub(super) fn dumps(dumps: &[Dump]) -> Json {
    let entry = |entry: &Shown| {
        let mut json = Map::new();
        if let Some(key) = &entry.key {
            json.insert("key".into(), key.json());
        }
        match (entry.per_cpu, &entry.values[..]) {
            (false, [only]) => json.insert("value".into(), only.json()),
            (_, values) => {
                let values = values.iter().enumerate().map(|(cpu, value)| json!({ "cpu": cpu, "value": value.json() }));
                json.insert("values".into(), values.collect())
            }
        };
        Json::Object(json)
    };
    let maps = dumps.iter().map(|dump| (dump.name.clone(), Json::Array(dump.entries.iter().map(entry).collect())));
    json!({ "maps": maps.collect::<Map<_, _>>() })
}

/// How often each verdict came.
pub(super) fn summary(runs: usize, verdicts: &[(String, usize)]) -> Json {
    let counts: Map<String, Json> = verdicts.iter().map(|(verdict, count)| (verdict.clone(), json!(count))).collect();
    json!({ "summary": { "runs": runs, "verdicts": counts } })
}
