//! Bodies: objects that programs allocate, and the lists and trees that they put them in. Which list or tree a node is in is known to the
//! world; the nodes' memory is left alone.

use skep_btf::{Btf, TypeId};
use skep_linux::Errno;
use skep_program::{SpecialKind, special_fields};
use skep_world::FreedField;

use crate::call::{Call, Done, Fail, kfuncs};
use crate::{HeldKind, Parts};

kfuncs! {
    "bpf_obj_new_impl" => |c| new_object(c, false),
    "bpf_percpu_obj_new_impl" => |c| new_object(c, true),
    "bpf_obj_drop_impl" => drop_object,
    "bpf_percpu_obj_drop_impl" => drop_object,
    "bpf_refcount_acquire_impl" => refcount_acquire,
    "bpf_list_push_front_impl" => |c| push(c, true),
    "bpf_list_push_back_impl" => |c| push(c, false),
    "bpf_list_pop_front" => |c| pop(c, true),
    "bpf_list_pop_back" => |c| pop(c, false),
    "bpf_list_front" => |c| peek(c, true),
    "bpf_list_back" => |c| peek(c, false),
    "bpf_rbtree_add_impl" => add,
    "bpf_rbtree_remove" => remove,
    "bpf_rbtree_first" => |c| {
        let root = c.arg(1);
        Ok(c.world().heap.tree(root).first().unwrap_or(0))
    },
    "bpf_rbtree_root" => |c| {
        let root = c.arg(1);
        Ok(c.world().heap.tree(root).root().unwrap_or(0))
    },
    "bpf_rbtree_left" => |c| child(c, true),
    "bpf_rbtree_right" => |c| child(c, false),
}

/// The most bytes of one object: what the kernel's allocator serves.
const BYTES_MAX: u32 = 4096 - 8;
/// Turns of a search in a tree: more than the height of any.
const HEIGHT_MAX: usize = 128;

/// `(local_type_id, meta)`: an object of a type of the program's own.
fn new_object(c: &mut Call<'_>, per_cpu: bool) -> Done {
    let id = TypeId(c.arg32(1));
    let btf = c.machine.program().btf.clone();
    let btf: &Btf = btf.as_deref().ok_or_else(|| c.bad(1, "a program without types"))?;
    let size = btf.size_of(id).ok().filter(|size| (1..=BYTES_MAX).contains(size));
    let size = size.ok_or_else(|| c.bad(1, format_args!("{} is no type that can be allocated", id.0)))?;
    let name = format!("an object of type {}", btf.name(btf.resolve(id)));
    let fields = special_fields(btf, btf.resolve(id));
    let cpus = per_cpu.then(|| c.world().cpus);
    allocate(c, &name, size as usize, cpus, fields)
}

/// A zeroed object with one reference, which the program holds; 0 if there is no room.
pub(crate) fn allocate(
    c: &mut Call<'_>,
    name: &str,
    size: usize,
    cpus: Option<u32>,
    fields: Vec<skep_program::SpecialField>,
) -> Done {
    let by = c.name;
    let parts = c.parts();
    let Some((addr, object)) = parts.world.heap.allocate(name, size, cpus, fields) else {
        return Ok(0);
    };
    parts.memory.add(object.region());
    parts.held.acquire(HeldKind::Allocation, addr, by);
    Ok(addr)
}

/// Gives up a reference that nobody holds any more; objects whose last one it was are freed, and what they held likewise.
pub(crate) fn let_go(parts: &mut Parts<'_>, addr: u64) {
    let mut left = vec![addr];
    while let Some(addr) = left.pop() {
        let Some(object) = parts.world.heap.release(addr) else {
            continue;
        };
        parts.memory.remove(addr);
        for field in &object.fields {
            let at = field.offset as usize;
            match field.kind {
                SpecialKind::KptrUntrusted | SpecialKind::KptrRef | SpecialKind::KptrPercpu => {
                    left.push(object.block.load(at, 8));
                }
                SpecialKind::ListHead | SpecialKind::RbRoot => left.extend(emptied(parts, addr + at as u64)),
                SpecialKind::SpinLock
                | SpecialKind::ResSpinLock
                | SpecialKind::Timer
                | SpecialKind::Workqueue
                | SpecialKind::TaskWork
                | SpecialKind::Uptr
                | SpecialKind::ListNode
                | SpecialKind::RbNode
                | SpecialKind::Refcount => {}
            }
        }
    }
}

/// Empties a list or tree: the objects whose nodes were in it.
fn emptied(parts: &mut Parts<'_>, head: u64) -> Vec<u64> {
    let nodes = parts.world.heap.clear(head);
    nodes.iter().filter_map(|node| parts.world.heap.holding(*node)).collect()
}

/// Deals with fields of map values that were cleared.
pub(crate) fn sweep(parts: &mut Parts<'_>) {
    for FreedField { kind, addr, word } in parts.world.freed.take() {
        match kind {
            SpecialKind::Timer | SpecialKind::Workqueue | SpecialKind::TaskWork => parts.world.later.remove(addr),
            SpecialKind::KptrUntrusted | SpecialKind::KptrRef | SpecialKind::KptrPercpu => let_go(parts, word),
            SpecialKind::ListHead | SpecialKind::RbRoot => {
                for object in emptied(parts, addr) {
                    let_go(parts, object);
                }
            }
            SpecialKind::SpinLock
            | SpecialKind::ResSpinLock
            | SpecialKind::Uptr
            | SpecialKind::ListNode
            | SpecialKind::RbNode
            | SpecialKind::Refcount => {}
        }
    }
}

/// `(object, meta)`.
fn drop_object(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    if c.parts().held.release_object(addr).is_none() {
        return Err(c.bad(1, format_args!("{addr:#x} is no object that this run holds")));
    }
    let_go(&mut c.parts(), addr);
    Ok(0)
}

/// `(object, meta)`: the object, with a reference more.
fn refcount_acquire(c: &mut Call<'_>) -> Done {
    let (addr, by) = (c.arg(1), c.name);
    let parts = c.parts();
    match parts.world.heap.acquire(addr) {
        Some(()) => {
            parts.held.acquire(HeldKind::Allocation, addr, by);
            Ok(addr)
        }
        None => Ok(0),
    }
}

/// Gives the reference to the object of the node in argument 2 away. A node that is in a list or tree already costs the reference.
fn give(c: &mut Call<'_>) -> Result<(), Fail> {
    let node = c.arg(2);
    let object = c.world().heap.holding(node);
    let object = object.ok_or_else(|| c.bad(2, format_args!("{node:#x} lies in no object that a program allocated")))?;
    if c.parts().held.release_object(object).is_none() {
        return Err(c.bad(2, format_args!("{object:#x} is no object that this run holds")));
    }
    if c.world().heap.owner(node).is_some() {
        let_go(&mut c.parts(), object);
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

/// Takes the reference to the object of a node.
fn take(c: &mut Call<'_>, node: u64) {
    let by = c.name;
    if let Some(object) = c.world().heap.holding(node) {
        c.parts().held.acquire(HeldKind::Allocation, object, by);
    }
}

/// `(head, node, meta, off)`.
fn push(c: &mut Call<'_>, front: bool) -> Done {
    let (head, node) = (c.arg(1), c.arg(2));
    give(c)?;
    c.world().heap.push(head, node, front);
    Ok(0)
}

/// `(head)`: the node, or NULL.
fn pop(c: &mut Call<'_>, front: bool) -> Done {
    let head = c.arg(1);
    let Some(node) = c.world().heap.pop(head, front) else {
        return Ok(0);
    };
    take(c, node);
    Ok(node)
}

/// `(head)`: the node, or NULL.
fn peek(c: &mut Call<'_>, front: bool) -> Done {
    let head = c.arg(1);
    Ok(c.world().heap.peek(head, front).unwrap_or(0))
}

/// `(root, node, less, meta, off)`: the function orders the node against those on its way down.
fn add(c: &mut Call<'_>) -> Done {
    let [root, node, less, ..] = c.args;
    give(c)?;
    let (mut parent, mut left, mut at) = (None, false, c.world().heap.tree(root).root());
    for _ in 0..HEIGHT_MAX {
        let Some(here) = at else { break };
        left = c.machine.call(less, [node, here, 0, 0, 0])? as u8 != 0;
        parent = Some(here);
        let tree = c.world().heap.tree(root);
        at = if left { tree.left(here) } else { tree.right(here) };
    }
    if at.is_some() || c.world().heap.owner(node).is_some() {
        return Err(c.bad(3, "the function changed the tree"));
    }
    c.world().heap.insert(root, node, parent, left);
    Ok(0)
}

/// `(root, node)`: the node, or NULL if it is not in this tree.
fn remove(c: &mut Call<'_>) -> Done {
    let (root, node) = (c.arg(1), c.arg(2));
    if !c.world().heap.remove(root, node) {
        return Ok(0);
    }
    take(c, node);
    Ok(node)
}

/// `(root, node)`: a child of a node of this tree, or NULL.
fn child(c: &mut Call<'_>, left: bool) -> Done {
    let (root, node) = (c.arg(1), c.arg(2));
    if c.world().heap.owner(node) != Some(root) {
        return Ok(0);
    }
    let tree = c.world().heap.tree(root);
    Ok(if left { tree.left(node) } else { tree.right(node) }.unwrap_or(0))
}
