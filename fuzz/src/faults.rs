//! Programs that a kernel is not asked about, since it would not survive them: faults of Linux 6.18 that random programs found.

use skep_btf::{Kind, TypeId};
use skep_isa::{Callee, Code, Insn, Wide};
use skep_linux::kfuncs::KFUNCS;
use skep_linux::{ProgType, Target};
use skep_program::Program;
use skep_verifier::types::kfunc_args::{self, ArgKind, ParamKind};
use skep_verifier::{Options, Setting};

/// What is known of them.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Kernel functions that are given a work queue, or work for a task, and its map: the kernel looks into the fields of that map, and a map
    /// without any has none to look into.
    with_map: Vec<i32>,
}

impl Faults {
    pub(crate) fn new(target: &Target) -> Faults {
        let mut faults = Faults { with_map: Vec::new() };
        let (bare, options) = (Program::bare("", ProgType::Syscall, Vec::new()), Options::default());
        let (Some(btf), Ok(setting)) = (target.btf(), Setting::new(&bare, target, &options)) else { return faults };
        for row in KFUNCS {
            let Some(id) = btf.find(row.name, Kind::Func) else { continue };
            let Ok(function) = kfunc_args::kfunc(&setting, id, row) else { continue };
            let has = |kind: ArgKind| function.params.iter().any(|param| param.kind == ParamKind::Pointer(kind));
            if has(ArgKind::Map) && (has(ArgKind::Workqueue) || has(ArgKind::TaskWork)) {
                faults.with_map.push(id.0 as i32);
            }
        }
        faults
    }

    /// Why the kernel is not asked about a program.
    pub(crate) fn of(&self, program: &Program) -> Option<&'static str> {
        let (mut plain, mut calls) = (false, false);
        for (_, insn) in Code::decode_each(&program.insns).iter() {
            match insn {
                Insn::Call(Callee::Kfunc { id, .. }) => calls |= self.with_map.contains(&id),
                Insn::LoadWide { value: Wide::MapIndex(index), .. } => {
                    let map = usize::try_from(index).ok().and_then(|index| program.maps.get(index));
                    plain |= map.is_some_and(|map| map.special.is_empty());
                }
                _other => {}
            }
        }
        if plain && calls {
            return Some("the kernel may fault: a work queue beside a map without fields");
        }
        let first = program.funcs.first().map_or(0, |func| func.type_id);
        let btf = program.btf.as_deref()?;
        let throws = btf.decl_tags(TypeId(first)).any(|tag| tag.value.starts_with("exception_callback:"));
        throws.then_some("the kernel may fault: a function for exceptions, which dead code shifts")
    }
}
