//! Which slots can be reached, and where a path must be remembered.

use skep_isa::RawInsn;
use skep_linux::helpers::Sleeps;
use skep_linux::kfuncs::{Role, Runs};

use super::calls::{Kfuncs, helper};
use super::raw::{Step, code};
use super::{Marks, Subprog};
use crate::fault::{At, Fault};
use crate::setting::Setting;
use crate::why::Form;

/// How far the search has come with a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    /// On the way that is followed now; that many of its edges have been.
    Open(u8),
    Done,
}

/// Follows every edge of the flow graph, calls included, and marks slots.
pub(super) fn check(
    setting: &Setting<'_>,
    kfuncs: &Kfuncs,
    subprogs: &mut [Subprog],
    exception_callback: Option<usize>,
) -> Result<Vec<Marks>, At> {
    let raw = &setting.program.insns;
    let mut search = Search {
        setting,
        kfuncs,
        subprogs,
        raw,
        seen: vec![Seen::Not; raw.len()],
        marks: vec![Marks::default(); raw.len()],
        way: Vec::with_capacity(64.min(raw.len())),
    };
    search.from(0)?;
    if let Some(index) = exception_callback {
        let start = search.subprogs[index].slots.start;
        if search.seen[start] == Seen::Not {
            search.from(start)?;
        }
    }
    search.all_reached()?;
    Ok(search.marks)
}

struct Search<'a, 's> {
    setting: &'a Setting<'s>,
    kfuncs: &'a Kfuncs,
    subprogs: &'a mut [Subprog],
    raw: &'a [RawInsn],
    seen: Vec<Seen>,
    marks: Vec<Marks>,
    way: Vec<u32>,
}

/// An edge: where it leads, and whether it is one that the kernel calls a branch.
struct Edge {
    to: usize,
    branch: bool,
}

impl Search<'_, '_> {
    fn from(&mut self, start: usize) -> Result<(), At> {
        self.seen[start] = Seen::Open(0);
        self.way.push(start as u32);
        while let Some(&slot) = self.way.last() {
            let slot = slot as usize;
            let step = Step::of(self.raw[slot], slot);
            let followed = match self.seen[slot] {
                Seen::Open(edges) => edges,
                Seen::Not | Seen::Done => return Err(At::slot(slot, Fault::bug("a slot on the way is not open"))),
            };
            if followed == 0 {
                self.enter(slot, step);
            } else {
                self.leave_edge(slot, step, followed - 1);
            }
            match self.edge(slot, step, followed)? {
                Some(edge) => {
                    self.seen[slot] = Seen::Open(followed + 1);
                    self.follow(slot, &edge)?;
                }
                None => {
                    self.seen[slot] = Seen::Done;
                    self.way.pop();
                }
            }
        }
        Ok(())
    }

    /// The edge of this number, in the order in which they are followed.
    fn edge(&self, slot: usize, step: Step, number: u8) -> Result<Option<Edge>, At> {
        let (to, branch) = match (number, step) {
            (0, Step::Goto(to)) => (Some(to), false),
            (0, _) => (step.next(slot).map(|to| to as i64), false),
            (1, Step::Branch(to) | Step::MayGoto(to) | Step::Local(to) | Step::Func(to)) => (Some(to), true),
            (_, _) => (None, false),
        };
        let Some(to) = to else { return Ok(None) };
        match usize::try_from(to) {
            Ok(to) if to < self.raw.len() => Ok(Some(Edge { to, branch })),
            _ => Err(At::slot(slot, Form::JumpOutOfRange { from: slot, to })),
        }
    }

    fn follow(&mut self, slot: usize, edge: &Edge) -> Result<(), At> {
        if edge.branch {
            self.mark_target(edge.to);
        }
        match self.seen[edge.to] {
            Seen::Not => {
                self.seen[edge.to] = Seen::Open(0);
                self.way.push(edge.to as u32);
                Ok(())
            }
            Seen::Open(_) if !self.setting.options.privileges.bpf => {
                Err(At::slot(slot, Form::BackEdge { from: slot, to: edge.to }))
            }
            Seen::Open(_) | Seen::Done => Ok(()),
        }
    }

    fn mark_target(&mut self, slot: usize) {
        self.marks[slot].prune = true;
        self.marks[slot].jump = true;
    }

    /// What a slot does when it is come to first.
    fn enter(&mut self, slot: usize, step: Step) {
        match step {
            Step::Branch(_) => self.marks[slot].prune = true,
            Step::MayGoto(_) => self.force(slot),
            Step::Local(_) | Step::Func(_) => self.marks[slot].prune = true,
            Step::Helper(id) => self.enter_helper(slot, id),
            Step::Kfunc(id, 0) => self.enter_kfunc(slot, id),
            Step::Kfunc(..) | Step::Next | Step::Wide | Step::Goto(_) | Step::OtherCall | Step::Exit => {}
        }
    }

    fn force(&mut self, slot: usize) {
        self.marks[slot].prune = true;
        self.marks[slot].force_checkpoint = true;
    }

    /// A call that runs a function of the program within the call comes back to itself.
    fn calls_back(&mut self, slot: usize) {
        self.force(slot);
        self.marks[slot].calls_callback = true;
        self.marks[slot].jump = true;
    }

    fn subprog_of(&mut self, slot: usize) -> &mut Subprog {
        let index = self.subprogs.partition_point(|subprog| subprog.slots.start <= slot) - 1;
        &mut self.subprogs[index]
    }

    fn enter_helper(&mut self, slot: usize, id: i32) {
        let Some(row) = helper(id) else { return };
        match row.callback {
            Some(callback) if callback.later => self.marks[slot].prune = true,
            Some(_) => self.calls_back(slot),
            None => {}
        }
        let may_call = self.setting.may_call(row).is_some();
        let subprog = self.subprog_of(slot);
        subprog.might_sleep |= may_call && row.sleeps == Sleeps::Always;
        subprog.changes_packet |= row.changes_packet;
    }

    fn enter_kfunc(&mut self, slot: usize, id: i32) {
        let Some(func) = self.kfuncs.get(id) else { return };
        let Some(row) = func.row else { return };
        match row.role.runs() {
            Some(Runs::Within) => self.calls_back(slot),
            Some(Runs::Later) => self.marks[slot].prune = true,
            None => {}
        }
        if !func.allowed {
            return;
        }
        if row.role == Role::IterNext {
            self.force(slot);
            self.marks[slot].iter_next = true;
        }
        let subprog = self.subprog_of(slot);
        subprog.might_sleep |= row.sleepable;
        subprog.changes_packet |= row.role == Role::ChangesPacket;
    }

    /// What a slot does when all that an edge leads to has been seen.
    fn leave_edge(&mut self, slot: usize, step: Step, number: u8) {
        match (number, step) {
            (0, Step::Goto(to)) => self.mark_target(to as usize),
            (0, Step::Helper(_) | Step::Kfunc(..) | Step::OtherCall | Step::Local(_)) => self.mark_target(slot + 1),
            (0, Step::Func(_)) => self.mark_target(slot + 2),
            (1, Step::Local(to) | Step::Func(to)) => self.take_effects(slot, to as usize),
            (_, _) => {}
        }
    }

    /// What a called function does, its caller does too.
    fn take_effects(&mut self, call: usize, callee: usize) {
        let callee = self.subprog_of(callee);
        let (changes_packet, might_sleep) = (callee.changes_packet, callee.might_sleep);
        let caller = self.subprog_of(call);
        caller.changes_packet |= changes_packet;
        caller.might_sleep |= might_sleep;
    }

    fn all_reached(&self) -> Result<(), At> {
        let mut slot = 0;
        while slot < self.raw.len() {
            if self.seen[slot] != Seen::Done {
                return Err(At::slot(slot, Form::Unreachable(slot)));
            }
            if self.raw[slot].code == code::WIDE {
                if self.seen[slot + 1] != Seen::Not {
                    return Err(At::slot(slot, Form::IntoWide(slot)));
                }
                slot += 1;
            }
            slot += 1;
        }
        Ok(())
    }
}
