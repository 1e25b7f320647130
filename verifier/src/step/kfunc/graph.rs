//! Lists and trees of objects: their roots, their nodes, and who owns what is in them.

use skep_btf::TypeId;
use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;
use skep_linux::special::special;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::why::Kfunc;

use super::Call;

/// The items of a list or tree: the program's struct, and where in it the node lies.
pub(super) type Items = (TypeId, u32);

/// A pointer to an object of the program, with no other mark.
fn is_object(reg: &Reg) -> bool {
    matches!(reg.kind, Kind::Btf { .. }) && reg.flags == Flags::ALLOC
}

/// A pointer to an object that a list or tree owns.
pub(super) fn is_borrowed(reg: &Reg) -> bool {
    matches!(reg.kind, Kind::Btf { .. }) && reg.flags.has(Flags::ALLOC.with(Flags::NON_OWNING))
}

impl Walk<'_> {
    /// The argument is the root of a list or tree, whose lock is held.
    pub(super) fn root_arg(&self, call: &mut Call<'_>, name: Name, kind: SpecialKind) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        let value = matches!(reg.kind, Kind::MapValue { .. }) && reg.flags == Flags::NONE;
        if !value && !is_object(&reg) {
            return Err(Kfunc::RootNowhere(arg).into());
        }
        if !value && reg.ref_id == 0 {
            return Err(Kfunc::ObjectNotHeld.into());
        }
        let what = special(kind).label();
        let off = reg.fixed_offset().ok_or(Kfunc::FieldVariable { reg: name.number(), what })?;
        let fields = self.fields_of(&reg)?;
        let field = fields.at(off, kind).ok_or(Kfunc::FieldAbsent { what, off: off as u32 })?;
        if !self.holds_lock_of(&reg)? {
            let other = self.state.refs.active_locks > 0;
            let at = fields.find(SpecialKind::SpinLock).map_or(-22, |lock| lock.offset as i32);
            return Err(Kfunc::RootUnlocked { other, at, what }.into());
        }
        call.items = Some(field.items.ok_or_else(|| Fault::bug("a list of nothing"))?);
        Ok(())
    }

    /// The argument is a node of an object that goes into a list or tree.
    pub(super) fn new_node_arg(&self, call: &mut Call<'_>, name: Name, node: SpecialKind) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        if !is_object(&reg) {
            return Err(Kfunc::NotObject(name.number() - 1).into());
        }
        if reg.ref_id == 0 {
            return Err(Kfunc::ObjectNotHeld.into());
        }
        self.node_arg(call, name, node)
    }

    /// The argument is a node that is in a tree.
    pub(super) fn tree_node_arg(&self, call: &mut Call<'_>, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        if !is_borrowed(&reg) && reg.ref_id == 0 {
            return Err(Kfunc::NodeOwned(call.func.name.to_owned()).into());
        }
        if self.in_tree_callback() {
            return Err(Kfunc::InTreeCallback(call.func.name.to_owned()).into());
        }
        self.node_arg(call, name, SpecialKind::RbNode)
    }

    fn node_arg(&self, call: &mut Call<'_>, name: Name, node: SpecialKind) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let root = if node == SpecialKind::ListNode { SpecialKind::ListHead } else { SpecialKind::RbRoot };
        let (root, what) = (special(root).label(), special(node).label());
        let off = reg.fixed_offset().ok_or(Kfunc::FieldVariable { reg: name.number(), what })?;
        if self.fields_of(&reg)?.at(off, node).is_none() {
            return Err(Kfunc::FieldAbsent { what, off: off as u32 }.into());
        }
        let (item, expected) = call.items.ok_or_else(|| Fault::bug("a node of no list"))?;
        let Kind::Btf { types: TypesOf::Program, id } = reg.kind else { return Err(Fault::bug("a node in no object")) };
        let btf = self.setting.program.btf.as_deref().ok_or_else(|| Fault::bug("an object without types"))?;
        let (wanted, off) = (btf.name(item).to_owned(), off as i32);
        if id != item {
            let given = btf.name(id).to_owned();
            return Err(Kfunc::NodeStruct { root, what, expected, wanted, off, given }.into());
        }
        if off != expected as i32 {
            return Err(Kfunc::NodeOffset { off, what, expected, wanted }.into());
        }
        call.object = Some(id);
        Ok(())
    }

    /// What the second argument points to belongs to the list or tree from now on: the program may use it as long as the lock is held.
    pub(super) fn give_to_root(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        match call.row.role {
            Role::ListPush | Role::RbtreeAdd => {}
            _other => return Ok(()),
        }
        let node = *self.state.reg(Name::R2);
        if !self.state.refs.has_pointer(node.ref_id) {
            return Err(Fault::bug("a node that nobody holds"));
        }
        let borrowed = self.borrowed_flags(&node)?;
        self.state.change_all(
            |reg| reg.ref_id == node.ref_id,
            |reg| {
                reg.ref_id = 0;
                reg.flags = reg.flags.with(borrowed);
            },
        );
        self.state.refs.release_pointer(node.ref_id);
        Ok(())
    }

    /// Marks of a pointer to an object that another owns.
    pub(super) fn borrowed_flags(&self, reg: &Reg) -> Result<Flags, Fault> {
        let counted = self.fields_of(reg)?.find(SpecialKind::Refcount).is_some();
        Ok(if counted { Flags::NON_OWNING.with(Flags::RCU) } else { Flags::NON_OWNING })
    }

    /// A pointer to the node of an item.
    pub(super) fn node_pointer(items: Items) -> Reg {
        let (id, node) = items;
        let reg = Reg::pointer(Kind::Btf { types: TypesOf::Program, id }).flagged(Flags::ALLOC);
        Reg { off: node as i32, ..reg }
    }
}
