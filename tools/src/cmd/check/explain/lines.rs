//! The source lines of a path, and what happens in each.

use skep::Program;
use skep_isa::{Callee, Code, Insn, Names, Operand, Reg};
use skep_program::Line;

use super::follow::{Followed, Way};
use super::origin::{self, What};

/// A line that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cmd::check) struct Shown {
    /// The file; none where there is no source, and instructions are shown in its place.
    pub(in crate::cmd::check) file: Option<String>,
    /// Line, from 1; without source, the slot.
    pub(in crate::cmd::check) number: usize,
    /// Column, from 1; 0 if unknown.
    pub(in crate::cmd::check) column: u32,
    /// The line, or the instruction.
    pub(in crate::cmd::check) text: String,
    /// What happens here.
    pub(in crate::cmd::check) labels: Vec<String>,
}

/// Something that happens at a slot of the path.
struct Event {
    visit: usize,
    label: String,
}

/// The most branches that are told: the last.
const BRANCHES: usize = 6;
/// The most changes of a value that are told: the last.
const CHANGES: usize = 3;

/// The line of a slot, with its instruction.
pub(super) fn at(program: &Program, slot: usize) -> Shown {
    let code = Code::decode_each(&program.insns);
    shown(program, &code, slot, vec![instruction(program, &code, slot)])
}

/// The lines of a path: where the value in the register came from, which way branches went, and where it ended.
///
/// The register comes with whether it held anything there; `taken` is the slot where something was taken that must be given back.
pub(super) fn of_path(
    program: &Program,
    code: &Code,
    followed: &Followed,
    register: Option<(Reg, bool)>,
    taken: Option<usize>,
) -> Vec<Shown> {
    let Some(last) = followed.visits.len().checked_sub(1) else { return Vec::new() };
    let mut events = branches(program, code, followed);
    if let Some((reg, readable)) = register {
        events.extend(origins(program, code, followed, last, (reg, readable)));
    }
    if let Some(slot) = taken
        && let Some(visit) = followed.visits.iter().rposition(|visit| visit.slot == slot)
    {
        events.push(Event { visit, label: format!("{} gives it here", callee(program, code, slot)) });
    }
    events.sort_by_key(|event| event.visit);
    events.push(Event { visit: last, label: instruction(program, code, followed.visits[last].slot) });
    let mut lines: Vec<Shown> = Vec::new();
    for Event { visit, label } in events {
        let line = shown(program, code, followed.visits[visit].slot, vec![label]);
        match lines.last_mut().filter(|before| (&before.file, before.number) == (&line.file, line.number)) {
            Some(before) => {
                before.column = line.column;
                before.labels.retain(|label| !line.labels.contains(label));
                before.labels.extend(line.labels);
            }
            None => lines.push(line),
        }
    }
    lines
}

/// `instruction 12: r1 = *(u64 *)(r0 +0)`.
fn instruction(program: &Program, code: &Code, slot: usize) -> String {
    match code.insn(slot) {
        Some(insn) => format!("instruction {slot}: {}", insn.display(slot, program)),
        None => format!("instruction {slot}"),
    }
}

fn shown(program: &Program, code: &Code, slot: usize, labels: Vec<String>) -> Shown {
    match line(program, slot) {
        Some(line) => Shown {
            file: Some(line.file.to_string()),
            number: line.line as usize,
            column: line.column,
            text: line.text.to_string(),
            labels,
        },
        None => {
            let text = code.insn(slot).map_or_else(String::new, |insn| insn.display(slot, program).to_string());
            let prefix = instruction(program, code, slot);
            // The instruction stands there already.
            let labels = labels.into_iter().filter(|label| *label != prefix).collect();
            Shown { file: None, number: slot, column: 0, text, labels }
        }
    }
}

/// The line that a slot belongs to.
fn line(program: &Program, slot: usize) -> Option<&Line> {
    let lines = &program.lines;
    lines[..lines.partition_point(|line| line.start <= slot)].last()
}

/// The last branches of the path, those of one line once.
fn branches(program: &Program, code: &Code, followed: &Followed) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut told = Vec::new();
    for (at, visit) in followed.visits.iter().enumerate().rev() {
        let Some(insn @ (Insn::JumpIf { .. } | Insn::MayGoto { .. })) = code.insn(visit.slot) else { continue };
        let place = line(program, visit.slot).map_or((None, visit.slot), |line| (Some(&line.file), line.line as usize));
        if told.contains(&place) {
            continue;
        }
        told.push(place);
        let Some(next) = followed.visits.get(at + 1).map(|next| next.slot) else { continue };
        let here = line(program, visit.slot).map(|line| line.line);
        let mut after = followed.visits[at + 1..].iter().filter_map(|visit| line(program, visit.slot)).map(|line| line.line);
        let goes = match here {
            Some(here) => format!("the path goes on at line {}", after.find(|line| *line != here).unwrap_or(here)),
            None => format!("the path goes on at instruction {next}"),
        };
        let condition = match (insn, visit.way) {
            (Insn::JumpIf { .. }, Way::Past) => " (the jump is not taken)",
            (Insn::JumpIf { .. }, _) => " (the jump is taken)",
            (_, _) => "", // may_goto has no condition that the source shows
        };
        let text = insn.display(visit.slot, program).to_string();
        let text = text.split(" goto").next().unwrap_or_default().to_owned();
        events.push(Event { visit: at, label: format!("{goes}: {text}{condition}") });
        if events.len() == BRANCHES {
            break;
        }
    }
    events
}

/// Where the value in a register came from.
fn origins(program: &Program, code: &Code, followed: &Followed, last: usize, (reg, readable): (Reg, bool)) -> Vec<Event> {
    let mut changes = 0;
    let mut events = Vec::new();
    for found in origin::origin(code, followed, last, reg) {
        let text = || code.insn(found.slot).map_or_else(String::new, |insn| insn.display(found.slot, program).to_string());
        let label = match found.what {
            What::Result if !readable => format!("{} returns nothing that can be used", callee(program, code, found.slot)),
            What::Result => format!("{reg} is what {} returned", callee(program, code, found.slot)),
            What::Constant => format!("the value of {reg} is set here: {}", text()),
            What::Loaded => format!("the value of {reg} is read here: {}", text()),
            What::Changed => {
                changes += 1;
                if changes > CHANGES {
                    continue;
                }
                format!("the value of {reg} is changed here: {}", text())
            }
            What::Clobbered => format!("the call of {} leaves nothing in {reg}", callee(program, code, found.slot)),
            What::Passed => format!("{} is called with it", callee(program, code, found.slot)),
        };
        if let Some(visit) = followed.visits[..last].iter().rposition(|visit| visit.slot == found.slot) {
            events.push(Event { visit, label });
        }
    }
    events
}

/// The function that an instruction calls, by its name.
fn callee(program: &Program, code: &Code, slot: usize) -> String {
    let name = match code.insn(slot) {
        Some(Insn::Call(Callee::Helper(id))) => program.helper(id),
        Some(Insn::Call(Callee::Kfunc { id, module })) => program.kfunc(id, module),
        Some(Insn::Call(Callee::Local(_))) => code.target(slot).ok().flatten().and_then(|target| program.function(target)),
        _ => None, // nothing else has a name
    };
    name.map_or_else(|| "the function".to_owned(), |name| format!("{name}()"))
}

/// The registers that an instruction reads; of a call, none.
pub(super) fn operands(insn: &Insn) -> Vec<Reg> {
    let reg = |operand: Operand| match operand {
        Operand::Reg(reg) => Some(reg),
        Operand::Imm(_) => None,
    };
    match *insn {
        Insn::Alu { dst, src, .. } | Insn::JumpIf { dst, src, .. } => [Some(dst), reg(src)].into_iter().flatten().collect(),
        Insn::Mov { src, .. } => reg(src).into_iter().collect(),
        Insn::Store { base, src, .. } => [Some(base), reg(src)].into_iter().flatten().collect(),
        Insn::Atomic { base, src, .. } | Insn::StoreRelease { base, src, .. } => vec![base, src],
        Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => vec![base],
        Insn::MovSx { src, .. } | Insn::AddrSpaceCast { src, .. } => vec![src],
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } | Insn::JumpReg { dst } => vec![dst],
        Insn::Exit => vec![Reg::R0],
        Insn::LoadWide { .. } | Insn::LoadPacket { .. } | Insn::Jump { .. } | Insn::MayGoto { .. } | Insn::Call(_) => Vec::new(),
    }
}
