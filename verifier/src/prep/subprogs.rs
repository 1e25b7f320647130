//! The functions of a program: where each begins, what it has in it.

use skep_isa::RawInsn;
use skep_linux::helpers::Leave;
use skep_linux::limits;

use super::calls::Kfuncs;
use super::raw::{Step, class, code};
use super::{Early, Subprog, infos};
use crate::fault::At;
use crate::setting::Setting;
use crate::why::Form;

/// What is found in a first look over all slots.
pub(super) struct Found {
    /// The functions, by slot.
    pub(super) subprogs: Vec<Subprog>,
    /// The kernel functions that are called.
    pub(super) kfuncs: Kfuncs,
    /// Index of the function that ends the program after `bpf_throw`.
    pub(super) exception_callback: Option<usize>,
}

/// Finds functions and kernel functions.
pub(super) fn find(setting: &Setting<'_>, early: &mut Early) -> Result<Found, At> {
    let mut starts = Starts { at: vec![0], len: setting.program.insns.len() };
    let found = look(setting, &mut starts);
    early.functions = starts.at.len();
    let (kfuncs, callback) = found?;
    early.starts.clone_from(&starts.at);
    let subprogs = describe(setting, &starts.at);
    let exception_callback = callback.and_then(|start| starts.at.binary_search(&start).ok());
    Ok(Found { subprogs, kfuncs, exception_callback })
}

/// The kernel functions, and where the function begins that ends the program after `bpf_throw`.
fn look(setting: &Setting<'_>, starts: &mut Starts) -> Result<(Kfuncs, Option<usize>), At> {
    let raw = &setting.program.insns;
    let mut kfuncs = Kfuncs::default();
    for (slot, insn) in raw.iter().enumerate() {
        if !matches!(insn.code, code::CALL | code::WIDE) {
            continue;
        }
        let step = Step::of(*insn, slot);
        let kfunc = matches!(step, Step::Kfunc(..));
        if !kfunc && step.function().is_none() {
            continue;
        }
        if !setting.options.privileges.bpf {
            return Err(At::slot(slot, Form::CallsNeedBpf));
        }
        if let Step::Kfunc(id, module) = step {
            kfuncs.add(setting, id, module).map_err(|fault| At { pc: Some(slot), fault })?;
        }
        if let Some(to) = step.function() {
            starts.add(to).map_err(|form| At::slot(slot, form))?;
        }
    }
    let callback = infos::exception_callback(setting)?;
    if let Some(start) = callback {
        starts.add(start as i64).map_err(|form| At::slot(start, form))?;
    }
    Ok((kfuncs, callback))
}

/// Slots at which functions begin, in order.
struct Starts {
    at: Vec<usize>,
    len: usize,
}

impl Starts {
    fn add(&mut self, to: i64) -> Result<(), Form> {
        let to = usize::try_from(to).ok().filter(|to| *to < self.len).ok_or(Form::CallTarget)?;
        let Err(index) = self.at.binary_search(&to) else { return Ok(()) };
        if self.at.len() >= limits::MAX_SUBPROGS {
            return Err(Form::TooManySubprogs);
        }
        self.at.insert(index, to);
        Ok(())
    }
}

fn describe(setting: &Setting<'_>, starts: &[usize]) -> Vec<Subprog> {
    let program = setting.program;
    let ends = starts.iter().skip(1).copied().chain([program.insns.len()]);
    let subprog = |(index, (start, end)): (usize, (&usize, usize))| {
        let func = program.funcs.iter().find(|func| func.start == *start);
        Subprog {
            slots: *start..end,
            name: func.map(|func| func.name.clone()).unwrap_or_default(),
            type_id: func.map_or(0, |func| func.type_id),
            global: index > 0 && func.is_some_and(|func| func.global),
            ..Subprog::default()
        }
    };
    starts.iter().zip(ends).enumerate().map(subprog).collect()
}

/// Jumps stay in their function, and no function runs into the next.
pub(super) fn check(raw: &[RawInsn], subprogs: &mut [Subprog]) -> Result<(), At> {
    for subprog in subprogs {
        let slots = subprog.slots.clone();
        let inside = slots.start as i64..slots.end as i64;
        for slot in slots.clone() {
            let insn = raw[slot];
            match insn.code & 7 {
                class::JMP | class::JMP32 => {}
                class::LD => {
                    subprog.has_ld_abs |= matches!(insn.code & 0xe0, 0x20 | 0x40);
                    continue;
                }
                _ => continue,
            }
            let step = Step::of(insn, slot);
            if let Step::Helper(id) = step {
                subprog.has_tail_call |= leaves(id);
            }
            if let Some(to) = step.jump()
                && !inside.contains(&to)
            {
                return Err(At::slot(slot, Form::JumpOutOfRange { from: slot, to }));
            }
        }
        let last = slots.end - 1;
        if !matches!(raw[last].code, code::EXIT | code::JA | code::JA_LONG) {
            return Err(At::slot(last, Form::LastInsn));
        }
    }
    Ok(())
}

fn leaves(id: i32) -> bool {
    let row = u32::try_from(id).ok().and_then(skep_linux::helper);
    row.is_some_and(|row| row.leave == Leave::TailCall)
}
