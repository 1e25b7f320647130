//! What is found out about a program before any path is followed: its functions, its flow, what is live where.
//!
//! One file per phase. Each takes what the phases before it found and gives a value or a refusal.

use std::cell::OnceCell;
use std::ops::Range;

use skep_isa::Code;
use skep_linux::limits;

use crate::fault::{At, Fault};
use crate::setting::Setting;
use crate::types::attach::{self, Attach, AttachKind};
use crate::types::record::Metas;
use crate::why::Form;

mod calls;
mod cfg;
mod fastcall;
mod infos;
mod live;
mod loops;
mod opcodes;
mod raw;
pub mod stack_depth;
mod subprogs;
#[cfg(test)]
mod tests;
mod vars;

pub use calls::{KernelFunc, Kfuncs};
pub(crate) use raw::family;
pub use vars::{KernelVar, KernelVars};

/// What later phases know of the program as a whole.
#[derive(Debug, Clone)]
pub struct Prep {
    /// The instructions, by slot.
    pub code: Code,
    /// Functions in the order of their slots; the first is the program itself.
    pub subprogs: Vec<Subprog>,
    /// By slot.
    pub marks: Vec<Marks>,
    /// Slots in post-order of the flow graph, function by function: see [`Subprog::postorder`].
    pub postorder: Vec<u32>,
    /// The kernel functions that the program calls.
    pub kfuncs: Kfuncs,
    /// The kernel variables that its wide loads name.
    pub vars: KernelVars,
    /// The maps that it uses, as indices in the order in which its instructions name them.
    pub maps: Vec<u32>,
    /// The function that `bpf_throw` runs at the end, if the program names one.
    pub exception_callback: Option<usize>,
    /// See [`Prep::objects`].
    objects: OnceCell<Metas>,
}

impl Prep {
    /// The program's structs that have special fields: found when they are asked for, since few programs have such.
    ///
    /// # Errors
    /// Types that the kernel refuses: no program has them.
    pub fn objects(&self, setting: &Setting<'_>) -> Result<&Metas, Fault> {
        if let Some(metas) = self.objects.get() {
            return Ok(metas);
        }
        let metas = match &setting.program.btf {
            None => Metas::default(),
            Some(btf) => Metas::of(btf, setting.target)
                .map_err(|error| Fault::not_modelled(format!("types that Linux refuses: {error}")))?,
        };
        Ok(self.objects.get_or_init(|| metas))
    }

    /// The function that a slot is in.
    pub fn subprog_of(&self, slot: usize) -> usize {
        self.subprogs.partition_point(|subprog| subprog.slots.start <= slot) - 1
    }

    /// The function that begins at a slot.
    pub fn subprog_at(&self, slot: usize) -> Option<usize> {
        self.subprogs.binary_search_by_key(&slot, |subprog| subprog.slots.start).ok()
    }
}

/// A function of the program.
#[derive(Debug, Clone, Default)]
pub struct Subprog {
    /// Its slots.
    pub slots: Range<usize>,
    /// Its part of [`Prep::postorder`].
    pub postorder: Range<usize>,
    /// Its name; empty where types do not say it.
    pub name: String,
    /// Id of its `FUNC` in the program's types, 0 where there is none.
    pub type_id: u32,
    /// It is verified by itself, and calls to it are not followed. Never the first.
    pub global: bool,
    /// It has `BPF_LD_ABS` or `BPF_LD_IND`.
    pub has_ld_abs: bool,
    /// It calls `bpf_tail_call`.
    pub has_tail_call: bool,
    /// It, or one that it calls, may move the packet.
    pub changes_packet: bool,
    /// It, or one that it calls, may sleep.
    pub might_sleep: bool,
    /// Spills around calls marked `bpf_fastcall` may lie from here down (bytes from the frame pointer, negative); 0 if there are none.
    pub fastcall_stack: i32,
    /// The kernel keeps those spills, since some are around calls that it does not replace.
    pub keep_fastcall_stack: bool,
}

/// What is known of one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// States are compared here, and kept.
    pub prune: bool,
    /// A path comes here by other ways than from the slot before: the path must be remembered.
    pub jump: bool,
    /// A state is kept here whenever the path comes by.
    pub force_checkpoint: bool,
    /// A call that runs a function of the program within the call.
    pub calls_callback: bool,
    /// The call of the function that steps an open-coded iterator.
    pub iter_next: bool,
    /// A spill or fill that belongs to a call marked `bpf_fastcall`.
    pub fastcall_pattern: bool,
    /// Of a call marked `bpf_fastcall`: pairs of spills and fills around it.
    pub fastcall_pairs: u8,
    /// The loop (strongly connected component of the flow graph) that the slot is in; 0 for none.
    pub scc: u32,
    /// Registers that are read at or after this slot before they are written: bit n is `rn`.
    pub live_regs: u16,
}

/// Everything that is found out before any path is followed.
///
/// # Errors
/// The first thing that the kernel would refuse.
pub fn prepare(setting: &Setting<'_>) -> Result<Prep, At> {
    prepare_counting(setting, &mut Early::default()).map(|(prep, _)| prep)
}

/// What is known of a program that is refused early.
#[derive(Debug, Default)]
pub(crate) struct Early {
    /// How many functions had been found by then.
    pub(crate) functions: usize,
    /// Where functions begin; empty unless all were found.
    pub(crate) starts: Vec<usize>,
}

/// As [`prepare`], with what the program is attached to; `early` is for when it fails.
pub(crate) fn prepare_counting<'a>(setting: &Setting<'a>, early: &mut Early) -> Result<(Prep, Option<Attach<'a>>), At> {
    let program = setting.program;
    check_call(setting)?;
    infos::check_records(program)?;
    let subprogs::Found { mut subprogs, kfuncs, exception_callback } = subprogs::find(setting, early)?;
    subprogs::check(&program.insns, &mut subprogs)?;
    infos::check_funcs(program, &subprogs)?;
    infos::check_lines(program, &subprogs)?;
    let opcodes::Named { maps, vars } = opcodes::check(setting)?;
    let mut marks = cfg::check(setting, &kfuncs, &mut subprogs, exception_callback)?;
    let target = target(setting, &subprogs)?;
    let next = raw::Successors::of_all(&program.insns);
    let postorder = loops::find(&next, &mut subprogs, &mut marks);
    live::find(setting, &kfuncs, &next, &postorder, &mut marks);
    fastcall::mark(setting, &kfuncs, &mut subprogs, &mut marks);
    let code = Code::decode_each(&program.insns);
    let prep = Prep { code, subprogs, marks, postorder, kfuncs, vars, maps, exception_callback, objects: OnceCell::new() };
    Ok((prep, target))
}

/// The system call refuses programs of no length and of too much, and types that the user may not load, without a word.
fn check_call(setting: &Setting<'_>) -> Result<(), At> {
    let count = setting.program.insns.len();
    let most = if setting.options.privileges.bpf { limits::MAX_INSNS } else { limits::MAX_INSNS_UNPRIVILEGED };
    if count == 0 || count > most as usize {
        return Err(At::whole(Form::Length { count, most }));
    }
    match setting.options.privileges.lacks_for(setting.row) {
        Some(needs) => Err(At::whole(Form::TypeNeeds { prog: setting.prog_type(), needs })),
        None => Ok(()),
    }
}

/// What the program is attached to, which must be there; and it must not leave with references that it was given.
fn target<'a>(setting: &Setting<'a>, subprogs: &[Subprog]) -> Result<Option<Attach<'a>>, At> {
    let target = attach::target(setting).map_err(At::whole)?;
    let given = match target.as_ref().map(|target| &target.kind) {
        Some(AttachKind::Operation { args, .. }) => args.iter().any(|arg| arg.referenced),
        _ => false,
    };
    match subprogs.iter().find(|subprog| given && subprog.has_tail_call) {
        Some(subprog) => Err(At::slot(subprog.slots.start, Form::ReferenceTailCall)),
        None => Ok(target),
    }
}
