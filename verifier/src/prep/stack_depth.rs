//! The stack that nested calls need together: known once every path has been followed.

use std::collections::HashSet;

use skep_linux::features;
use skep_linux::kfuncs::Role;
use skep_linux::limits::{MAX_CALL_FRAMES, MAX_STACK, MAX_STACK_BEFORE_TAIL_CALL};

use super::raw::Step;
use super::{Prep, Subprog};
use crate::fault::At;
use crate::setting::Setting;
use crate::why::Form;

/// What the paths have shown of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of the stack that it uses.
    pub depth: u32,
    /// The slots of its `bpf_fastcall` spills are used for something else too, so that spills stay.
    pub fastcall_broken: bool,
    /// It is called back.
    pub callback: bool,
    /// It is called back later, by itself.
    pub later: bool,
    /// It has a call of `bpf_loop` that always has the same function and no flags: the kernel puts a loop in its place.
    pub inlines_loop: bool,
}

/// A function needs this much stack to get one of its own where such stacks are given out.
const SMALLEST_PRIVATE: u32 = 64;
/// Bytes that the loop in the place of `bpf_loop` needs.
const INLINED_LOOP: u32 = 24;
/// Bytes that the instructions in the place of `may_goto` need: a count and a time.
const MAY_GOTO: u32 = 16;
/// The JIT gives every function a multiple of this.
const ALIGN: u32 = 16;

/// Bytes of stack of each function, once the spills are gone that the kernel takes away.
fn depths(prep: &Prep, frames: &[Frame]) -> Vec<u32> {
    let depth = |(subprog, frame): (&Subprog, &Frame)| {
        let replaced = || prep.marks[subprog.slots.clone()].iter().any(|mark| mark.fastcall_pairs > 0);
        if !frame.fastcall_broken && !subprog.keep_fastcall_stack && replaced() {
            subprog.fastcall_stack.unsigned_abs()
        } else {
            frame.depth
        }
    };
    prep.subprogs.iter().zip(frames).map(depth).collect()
}

/// Bytes of stack of each function as the kernel counts them in the end: with what its own instructions need that it puts in the place
/// of loops, and without functions that no path came to. `frames` are in the order of [`Prep::subprogs`]; `reached` says whether a path
/// came to a slot.
pub fn reported(setting: &Setting<'_>, prep: &Prep, frames: &[Frame], reached: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut reported = Vec::with_capacity(frames.len());
    let all = prep.subprogs.iter().zip(frames).zip(depths(prep, frames));
    for ((subprog, frame), depth) in all {
        if setting.options.privileges.bpf && !subprog.slots.clone().any(&reached) {
            continue;
        }
        let counts = |slot: usize| match Step::of(prep.code.raw()[slot], slot) {
            Step::MayGoto(to) => to <= slot as i64 || (slot + 1..to as usize).any(&reached),
            _ => false,
        };
        let may_goto = subprog.slots.clone().any(|slot| reached(slot) && counts(slot));
        let depth = if frame.inlines_loop { depth.next_multiple_of(8) + INLINED_LOOP } else { depth };
        reported.push(if may_goto { depth + MAY_GOTO } else { depth });
    }
    reported
}

/// Whether all calls fit on the stack; `frames` are in the order of [`Prep::subprogs`].
///
/// # Errors
/// The first chain of calls that does not, or that must not be.
pub fn check(setting: &Setting<'_>, prep: &Prep, frames: &[Frame]) -> Result<(), At> {
    let depths = depths(prep, frames);
    let sites = Sites::of(prep);
    let private = private_stacks(setting, prep);
    let mut walk = Walk {
        prep,
        frames,
        sites: &sites,
        depths: &depths,
        stacks: vec![Stack::Undecided; frames.len()],
        seen: HashSet::new(),
        chain: Vec::with_capacity(MAX_CALL_FRAMES as usize),
        tail_call: false,
    };
    // Functions that run later use the normal stack; so do those that they call, wherever else they are called from.
    for index in (0..frames.len()).rev() {
        if index == 0 || frames[index].later || Some(index) == prep.exception_callback {
            walk.from(index, index == 0 && private)?;
        }
    }
    Ok(())
}

/// Functions of programs of this kind may have stacks of their own.
fn private_stacks(setting: &Setting<'_>, prep: &Prep) -> bool {
    setting.target.has(&features::PRIVATE_STACK)
        && setting.row.private_stack.contains(setting.attach)
        && !prep.subprogs.iter().any(|subprog| subprog.has_tail_call)
}

/// What a slot has to do with other functions.
#[derive(Debug, Clone, Copy)]
enum Site {
    /// A call of this function.
    Call(usize),
    /// The address of this function is taken.
    Address(usize),
    /// `bpf_throw`.
    Throw,
}

/// The sites of all functions, in the order of their slots.
struct Sites {
    all: Vec<(usize, Site)>,
    /// Where those of a function begin; one more than there are functions.
    first: Vec<usize>,
}

impl Sites {
    fn of(prep: &Prep) -> Sites {
        let mut sites = Sites { all: Vec::new(), first: Vec::with_capacity(prep.subprogs.len() + 1) };
        for subprog in &prep.subprogs {
            sites.first.push(sites.all.len());
            for slot in subprog.slots.clone() {
                let at = |to: i64| usize::try_from(to).ok().and_then(|to| prep.subprog_at(to));
                let site = match Step::of(prep.code.raw()[slot], slot) {
                    Step::Local(to) => at(to).map(Site::Call),
                    Step::Func(to) => at(to).map(Site::Address),
                    Step::Kfunc(id, 0) => {
                        let row = prep.kfuncs.get(id).and_then(|func| func.row);
                        row.filter(|row| row.role == Role::Throw).map(|_| Site::Throw)
                    }
                    Step::Kfunc(..)
                    | Step::Next
                    | Step::Wide
                    | Step::Goto(_)
                    | Step::Branch(_)
                    | Step::MayGoto(_)
                    | Step::Helper(_)
                    | Step::OtherCall
                    | Step::Exit => None,
                };
                sites.all.extend(site.map(|site| (slot, site)));
            }
        }
        sites.first.push(sites.all.len());
        sites
    }
}

/// Where the stack of a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Undecided,
    Normal,
    Private,
}

/// A call that is not over.
struct Open {
    function: usize,
    /// The next of its sites.
    site: usize,
}

/// All that the answer about a function depends on, beside what is the same for the whole walk.
type Entry = (usize, u32, usize, bool, bool);

struct Walk<'a> {
    prep: &'a Prep,
    frames: &'a [Frame],
    sites: &'a Sites,
    depths: &'a [u32],
    stacks: Vec<Stack>,
    /// Functions that were followed to their end: following them again finds the same, and there are as many ways to a function as
    /// there are chains of calls.
    seen: HashSet<Entry>,
    chain: Vec<Open>,
    /// A function with a tail call was called.
    tail_call: bool,
}

impl Walk<'_> {
    fn from(&mut self, first: usize, private: bool) -> Result<(), At> {
        self.seen.clear();
        self.tail_call = false;
        let mut depth = self.enter(first, 0, private)?;
        while let Some(open) = self.chain.last_mut() {
            let function = open.function;
            if open.site >= self.sites.first[function + 1] {
                self.leave()?;
                depth -= self.charge(function);
                continue;
            }
            let (slot, site) = self.sites.all[open.site];
            open.site += 1;
            if let Some(callee) = self.callee(slot, site)? {
                if !private {
                    self.stacks[callee] = Stack::Normal;
                }
                self.tail_call |= self.prep.subprogs[callee].has_tail_call;
                if self.chain.len() >= MAX_CALL_FRAMES as usize {
                    return Err(At::slot(slot, Form::TooManyFrames(self.chain.len())));
                }
                let entry = (callee, depth, self.chain.len(), self.tail_call, self.in_callback());
                if self.seen.insert(entry) {
                    depth = self.enter(callee, depth, private)?;
                } else {
                    self.end_of_call()?;
                }
            }
        }
        Ok(())
    }

    /// The function that a site leads to.
    fn callee(&self, slot: usize, site: Site) -> Result<Option<usize>, At> {
        match site {
            Site::Throw if self.in_callback() => {
                let subprog = self.prep.subprog_of(slot);
                Err(At::slot(slot, Form::ThrowInCallback { insn: slot, subprog }))
            }
            Site::Throw => Ok(None),
            Site::Address(callee) => Ok((!self.is_later(callee)).then_some(callee)),
            Site::Call(callee) if self.prep.exception_callback == Some(callee) => {
                Err(At::slot(slot, Form::CallsExceptionCallback(slot)))
            }
            Site::Call(callee) => Ok(Some(callee)),
        }
    }

    fn is_later(&self, function: usize) -> bool {
        self.frames[function].later || self.prep.exception_callback == Some(function)
    }

    fn in_callback(&self) -> bool {
        let is_callback = |open: &Open| self.frames[open.function].callback || self.is_later(open.function);
        self.chain.iter().any(is_callback)
    }

    /// The depth with the stack of this function.
    fn enter(&mut self, function: usize, before: u32, private: bool) -> Result<u32, At> {
        let subprog = &self.prep.subprogs[function];
        let refuse = |form: Form| Err(At::slot(subprog.slots.start, form));
        if function > 0 && subprog.has_tail_call && before >= MAX_STACK_BEFORE_TAIL_CALL {
            return refuse(Form::StackBeforeTailCall(before));
        }
        let own = self.rounded(function);
        if !private {
            self.stacks[function] = Stack::Normal;
        } else if self.stacks[function] == Stack::Undecided && own >= SMALLEST_PRIVATE {
            self.stacks[function] = Stack::Private;
        }
        self.chain.push(Open { function, site: self.sites.first[function] });
        let depth = before + self.charge(function);
        if self.stacks[function] == Stack::Private && own > MAX_STACK {
            return refuse(Form::OwnStack { subprog: function, depth: own });
        }
        if self.stacks[function] != Stack::Private && depth > MAX_STACK {
            return refuse(Form::CombinedStack { calls: self.chain.len(), depth });
        }
        Ok(depth)
    }

    fn rounded(&self, function: usize) -> u32 {
        self.depths[function].next_multiple_of(ALIGN)
    }

    /// What the function takes from the stack of the chain.
    fn charge(&self, function: usize) -> u32 {
        if self.stacks[function] == Stack::Private { 0 } else { self.rounded(function) }
    }

    fn leave(&mut self) -> Result<(), At> {
        self.chain.pop();
        self.end_of_call()
    }

    /// A function is left: if one with a tail call has been called by now, those that called this one pass on the count of tail calls,
    /// which the function that ends the program cannot.
    fn end_of_call(&self) -> Result<(), At> {
        let open = self.chain.iter().find(|open| self.prep.exception_callback == Some(open.function));
        match open {
            Some(open) if self.tail_call => {
                Err(At::slot(self.prep.subprogs[open.function].slots.start, Form::TailCallInExceptionCallback))
            }
            Some(_) | None => Ok(()),
        }
    }
}
