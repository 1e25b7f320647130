//! Kernel pointers in values and objects, timers in values, and variables of CPUs.

use skep_btf::{Btf, Kind as BtfKind, TypeId};
use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::special::special;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::types::record::{Field, Link, Record};
use crate::types::walk::embedded;
use crate::why::Call;

use super::Called;

/// Bytes of a map's name in the kernel.
const NAME: usize = 15;

/// The map's name as the kernel has it.
fn map_name(name: &str) -> String {
    let cut = (0..=name.len().min(NAME)).rev().find(|cut| name.is_char_boundary(*cut)).unwrap_or(0);
    name[..cut].to_owned()
}

/// The name of a struct.
fn struct_name(walk: &Walk<'_>, types: TypesOf, id: TypeId) -> String {
    walk.types_of_id(types).map(|btf| btf.name(id).to_owned()).unwrap_or_default()
}

impl Walk<'_> {
    /// The types that an id is one of.
    fn types_of_id(&self, types: TypesOf) -> Option<&Btf> {
        match types {
            TypesOf::Kernel => self.setting.vmlinux(),
            TypesOf::Program => self.setting.program.btf.as_deref(),
        }
    }

    /// The argument is a timer in a map value: the call is about that map.
    pub(super) fn check_timer(&self, called: &mut Called, name: Name, reg: &Reg) -> Result<(), Fault> {
        let (number, what) = (name.number(), special(SpecialKind::Timer).label());
        let Kind::MapValue { map, uid } = reg.kind else { return Err(Fault::bug("a timer in no map")) };
        let off = reg.fixed_offset().ok_or(Call::FieldVariable { reg: number, what })?;
        let def = self.setting.map(map).ok_or_else(|| Fault::bug("a map that the program does not have"))?;
        if !has_types(def) {
            return Err(Call::FieldWithoutTypes { map: map_name(&def.name), what }.into());
        }
        let field = def.special.iter().find(|field| field.kind == SpecialKind::Timer);
        let field = field.ok_or_else(|| Call::NoField { map: map_name(&def.name), what })?;
        if i64::from(field.offset) != off {
            return Err(Call::FieldOffset { off, what, at: field.offset }.into());
        }
        if self.setting.target.config("CONFIG_PREEMPT_RT") == Some("y") {
            return Err(Call::TimerRealtime.into());
        }
        called.map = Some((map, uid));
        Ok(())
    }

    /// The argument is a place for a kernel pointer that holds a reference.
    pub(super) fn check_kptr_slot(&self, called: &mut Called, name: Name, reg: &Reg) -> Result<(), Fault> {
        let number = name.number();
        let record = match reg.kind {
            Kind::MapValue { map, uid } => {
                let def = self.setting.map(map).ok_or_else(|| Fault::bug("a map that the program does not have"))?;
                if !has_types(def) {
                    return Err(Call::FieldWithoutTypes { map: map_name(&def.name), what: called.row.name }.into());
                }
                called.map = Some((map, uid));
                Record::of_map(def, self.setting.target)
            }
            Kind::Btf { types: TypesOf::Program, id } => self.prep.objects(self.setting)?.get(id).cloned().unwrap_or_default(),
            _other => return Err(Fault::bug("a kernel pointer in nothing")),
        };
        let off = reg.fixed_offset().ok_or(Call::FieldVariable { reg: number, what: "kptr" })?;
        if !record.fields.iter().any(|field| is_kptr(field.kind)) {
            return Err(Call::NoKptr(number).into());
        }
        let field = record.fields.iter().find(|field| i64::from(field.offset) == off && is_kptr(field.kind));
        let field = field.ok_or(Call::KptrOffset(off))?;
        if !matches!(field.kind, SpecialKind::KptrRef | SpecialKind::KptrPercpu) {
            return Err(Call::KptrUncounted(off).into());
        }
        called.field = Some(*field);
        Ok(())
    }

    /// The pointer is one that the place takes.
    pub(super) fn check_kptr(&self, called: &Called, name: Name, reg: &Reg) -> Result<(), Fault> {
        let (field, (wanted, to)) = place_of(called)?;
        let Kind::Btf { types, id } = reg.kind else { return Err(Fault::bug("a kernel pointer that is none")) };
        let allowed = match types {
            TypesOf::Kernel => Flags::MAYBE_NULL.with(Flags::TRUSTED).with(Flags::RCU),
            TypesOf::Program if field.kind == SpecialKind::KptrPercpu => Flags::MAYBE_NULL.with(Flags::ALLOC).with(Flags::PERCPU),
            TypesOf::Program => Flags::MAYBE_NULL.with(Flags::ALLOC),
        };
        let fits = reg.flags.without(allowed) == Flags::NONE;
        if fits {
            self.check_fixed_offset(reg, name, true)?;
        }
        let same = types == wanted;
        let off = u32::try_from(reg.off).ok();
        let fits = fits && same && self.types_of_id(types).zip(off).is_some_and(|(btf, off)| embedded(btf, id, off, to, true));
        if fits {
            return Ok(());
        }
        let own = if reg.flags.without(allowed) == Flags::NONE { struct_name(self, types, id) } else { String::new() };
        let wanted = struct_name(self, wanted, to);
        Err(Call::KptrStruct { reg: name.number(), kind: reg.type_name(), own, wanted }.into())
    }

    /// What was in the place before.
    pub(super) fn kptr_before(&self, called: &Called) -> Result<Reg, Fault> {
        let (field, (types, to)) = place_of(called)?;
        let mut flags = Flags::MAYBE_NULL;
        if types == TypesOf::Program {
            flags = flags.with(Flags::ALLOC);
            if field.kind == SpecialKind::KptrPercpu {
                flags = flags.with(Flags::PERCPU);
            }
        }
        Ok(Reg::pointer(Kind::Btf { types, id: to }).flagged(flags))
    }

    /// The reference moves into the place. What belongs to each CPU may still be used within the RCU section.
    pub(super) fn move_reference(&mut self, id: u32) -> bool {
        if !self.state.refs.release_pointer(id) {
            return false;
        }
        let refs = &self.state.refs;
        let guarded = refs.rcu_locks > 0 || refs.active_locks > 0 || !self.state.sleepable;
        let per_cpu = Flags::ALLOC.with(Flags::PERCPU);
        let stays = move |reg: &Reg| guarded && reg.flags.has(per_cpu);
        self.invalidate(|reg| reg.ref_id == id && !stays(reg));
        let change = |reg: &mut Reg| {
            reg.ref_id = 0;
            reg.flags = reg.flags.without(Flags::ALLOC).with(Flags::RCU);
        };
        self.state.change_all(|reg| reg.ref_id == id && stays(reg), change);
        true
    }

    /// The variable of one CPU that the first argument names.
    pub(super) fn cpu_variable(&self, called: &Called, nullable: bool) -> Result<Reg, Fault> {
        let argument = called.variable.ok_or_else(|| Fault::bug("a variable of no CPU"))?;
        let Kind::Btf { types, id } = argument.kind else { return Err(Fault::bug("a variable of no type")) };
        let btf = self.types_of_id(types).ok_or_else(|| Fault::not_modelled("types that are not known"))?;
        let of_program = argument.flags.has(Flags::RCU);
        let bare = btf.resolve(id);
        let composite = matches!(btf.kind(bare), BtfKind::Struct | BtfKind::Union);
        let null = if nullable { Flags::MAYBE_NULL } else { Flags::NONE };
        if !composite {
            if of_program {
                return Err(Call::CpuObject.into());
            }
            let size = btf.size_of(bare).map_err(|_| Call::VariableSize(btf.name(bare).to_owned()))?;
            return Ok(Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(null.with(Flags::RDONLY)));
        }
        let flags = if of_program { Flags::ALLOC.with(Flags::RCU) } else { null };
        Ok(Reg::pointer(Kind::Btf { types, id }).flagged(flags))
    }
}

/// The kernel knows the types of the map's keys and values.
fn has_types(map: &skep_program::MapDef) -> bool {
    map.btf.is_some() && (map.key_type_id != 0 || map.value_type_id != 0)
}

const fn is_kptr(kind: SpecialKind) -> bool {
    matches!(kind, SpecialKind::KptrUntrusted | SpecialKind::KptrRef | SpecialKind::KptrPercpu)
}

/// The place that the call is about, and the struct that it points to.
fn place_of(called: &Called) -> Result<(Field, (TypesOf, TypeId)), Fault> {
    let field = called.field.ok_or_else(|| Fault::bug("a call about no place of a kernel pointer"))?;
    match field.to {
        Link::Pointee { types, id } => Ok((field, (types, id))),
        Link::Nothing | Link::Items { .. } => Err(Fault::bug("a kernel pointer to nothing")),
    }
}
