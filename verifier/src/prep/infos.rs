//! What the object's own types say of functions and lines.

use skep_btf::{Btf, Kind, Linkage, Type, TypeId};
use skep_program::{Func, Program};

use super::Subprog;
use crate::fault::{At, Fault};
use crate::setting::Setting;
use crate::why::Form;

/// Types and functions with types: without both, the kernel is told of no functions.
pub(super) fn described(program: &Program) -> Option<(&Btf, &[Func])> {
    let btf = program.btf.as_deref()?;
    program.funcs.first().filter(|func| func.type_id != 0)?;
    Some((btf, &program.funcs))
}

/// Functions without types: no packet loads and no tail calls but in the first.
fn check_undescribed(subprogs: &[Subprog]) -> Result<(), At> {
    for subprog in subprogs.iter().skip(1) {
        if subprog.has_ld_abs {
            return Err(At::slot(subprog.slots.start, Form::LdAbsWithoutTypes));
        }
        if subprog.has_tail_call {
            return Err(At::slot(subprog.slots.start, Form::TailCallWithoutTypes));
        }
    }
    Ok(())
}

/// The records of functions by themselves.
pub(super) fn check_records(program: &Program) -> Result<(), At> {
    let Some((btf, funcs)) = described(program) else { return Ok(()) };
    let mut before = None;
    for func in funcs {
        match before {
            None if func.start != 0 => return Err(At::whole(Form::FirstFuncInfo(func.start))),
            Some(before) if func.start <= before => {
                return Err(At::whole(Form::FuncInfoOrder { at: func.start, before }));
            }
            Some(_) | None => {}
        }
        let proto = match btf.get(TypeId(func.type_id)) {
            Some(Type::Func(func)) => btf.get(func.proto),
            _ => return Err(At::slot(func.start, Form::FuncInfoType(func.type_id))),
        };
        if !matches!(proto, Some(Type::FuncProto(_))) {
            return Err(At::slot(func.start, Fault::bug("a function whose type is none")));
        }
        before = Some(func.start);
    }
    Ok(())
}

/// Where the function begins that the first one names for the end after `bpf_throw`.
pub(super) fn exception_callback(setting: &Setting<'_>) -> Result<Option<usize>, At> {
    const KEY: &str = "exception_callback:";
    let Some((btf, funcs)) = described(setting.program) else { return Ok(None) };
    let tags = btf.decl_tags(TypeId(funcs[0].type_id)).filter(|tag| tag.component.is_none());
    let mut names = tags.filter_map(|tag| tag.value.strip_prefix(KEY));
    let Some(name) = names.next() else { return Ok(None) };
    let refuse = |form: Form| Err(At::whole(form));
    if names.next().is_some() {
        return refuse(Form::ExceptionCallbacks);
    }
    let Some(id) = btf.find(name, Kind::Func) else {
        return refuse(Form::ExceptionCallbackAbsent(name.to_owned()));
    };
    if !matches!(btf.get(id), Some(Type::Func(func)) if func.linkage == Linkage::Global) {
        return refuse(Form::ExceptionCallbackStatic(name.to_owned()));
    }
    match funcs.iter().rev().find(|func| func.type_id == id.0) {
        None => refuse(Form::ExceptionCallbackUnplaced),
        Some(func) if func.start == 0 => refuse(Form::ExceptionCallbackFirst),
        Some(func) => Ok(Some(func.start)),
    }
}

/// The records of functions beside the functions that were found.
pub(super) fn check_funcs(program: &Program, subprogs: &[Subprog]) -> Result<(), At> {
    let Some((btf, funcs)) = described(program) else { return check_undescribed(subprogs) };
    if funcs.len() != subprogs.len() {
        return Err(At::whole(Form::FuncInfoCount));
    }
    for (index, (subprog, func)) in subprogs.iter().zip(funcs).enumerate() {
        if subprog.slots.start != func.start {
            return Err(At::whole(Form::FuncInfoLayout));
        }
        if index == 0 || !subprog.has_ld_abs && !subprog.has_tail_call || returns_number(btf, func) {
            continue;
        }
        let form = if subprog.has_ld_abs { Form::LdAbsReturn } else { Form::TailCallReturn };
        return Err(At::slot(func.start, form));
    }
    Ok(())
}

/// It returns an integer of at most eight bytes, or an enumeration.
fn returns_number(btf: &Btf, func: &Func) -> bool {
    let Some(Type::Func(func)) = btf.get(TypeId(func.type_id)) else { return false };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return false };
    match btf.get(btf.resolve(proto.ret())) {
        Some(Type::Int(int)) => int.size <= 8,
        Some(Type::Enum(_)) => true,
        _ => false,
    }
}

/// The records of lines.
pub(super) fn check_lines(program: &Program, subprogs: &[Subprog]) -> Result<(), At> {
    if program.btf.is_none() || program.lines.is_empty() {
        return Ok(());
    }
    let (raw, mut before, mut next) = (&program.insns, 0, 0);
    for (index, line) in program.lines.iter().enumerate() {
        if index > 0 && line.start <= before || line.start >= raw.len() {
            return Err(At::whole(Form::LineOrder { index, at: line.start, before, len: raw.len() }));
        }
        if raw[line.start].code == 0 {
            return Err(At::whole(Form::LineCode(index)));
        }
        if let Some(subprog) = subprogs.get(next) {
            if line.start == subprog.slots.start {
                next += 1;
            } else if line.start > subprog.slots.start {
                return Err(At::whole(Form::FuncWithoutLine(next)));
            }
        }
        before = line.start;
    }
    if next < subprogs.len() {
        return Err(At::whole(Form::FuncsWithoutLine { count: subprogs.len() - next, first: next }));
    }
    Ok(())
}
