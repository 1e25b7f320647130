//! Memory that programs allocate in the kernel, and the lists and trees that they put it in.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use skep_memory::{Block, Region, RegionKind};
use skep_program::SpecialField;

use crate::RbTree;

/// All objects together have at most this many bytes; then allocations fail, as they may in the kernel.
const BYTES_MAX: usize = 64 << 20;

/// An object that a program allocated.
#[derive(Debug, Clone)]
pub struct Allocation {
    /// Its memory.
    pub block: Arc<Block>,
    /// The name of its type.
    pub name: Arc<str>,
    /// References to it: of programs, maps, lists and trees.
    pub references: u32,
    /// Fields that hold other objects.
    pub fields: Vec<SpecialField>,
    /// Bytes from the copy of one CPU to the next, if each CPU has one.
    pub per_cpu: Option<usize>,
}

impl Allocation {
    /// What programs may reach.
    pub fn region(&self) -> Region {
        Region::whole(RegionKind::Lent(self.name.clone()), self.block.clone(), true)
    }
}

/// Objects by address; lists and trees by the address of their head.
#[derive(Debug, Clone, Default)]
pub struct Heap {
    objects: BTreeMap<u64, Allocation>,
    bytes: usize,
    lists: BTreeMap<u64, VecDeque<u64>>,
    trees: BTreeMap<u64, RbTree>,
    /// The head of the list or tree that a node is in.
    owners: BTreeMap<u64, u64>,
}

impl Heap {
    /// Allocates `len` zeroed bytes with one reference, once per CPU if `cpus` says so; `None` if there is no room.
    pub fn allocate(
        &mut self,
        name: &str,
        len: usize,
        cpus: Option<u32>,
        fields: Vec<SpecialField>,
    ) -> Option<(u64, &Allocation)> {
        let stride = len.max(1).next_multiple_of(8);
        let total = stride.checked_mul(cpus.unwrap_or(1).max(1) as usize)?;
        let bytes = self.bytes.checked_add(total).filter(|bytes| *bytes <= BYTES_MAX)?;
        let block = Block::try_zeroed(if cpus.is_some() { total } else { len })?;
        self.bytes = bytes;
        let addr = block.addr();
        let allocation = Allocation { block, name: name.into(), references: 1, fields, per_cpu: cpus.map(|_| stride) };
        self.objects.insert(addr, allocation);
        Some((addr, &self.objects[&addr]))
    }

    /// The objects that are there, with their addresses.
    pub fn objects(&self) -> impl Iterator<Item = (u64, &Allocation)> {
        self.objects.iter().map(|(addr, allocation)| (*addr, allocation))
    }

    /// The object that begins at an address.
    pub fn get(&self, addr: u64) -> Option<&Allocation> {
        self.objects.get(&addr)
    }

    /// Where the object begins that holds an address.
    pub fn holding(&self, addr: u64) -> Option<u64> {
        let (start, object) = self.objects.range(..=addr).next_back()?;
        (addr - start < object.block.len() as u64).then_some(*start)
    }

    /// The copy of a per-CPU object that belongs to a CPU.
    pub fn per_cpu(&self, addr: u64, cpu: u32) -> Option<u64> {
        let object = self.objects.get(&addr)?;
        let at = object.per_cpu?.checked_mul(cpu as usize)?;
        (at < object.block.len()).then_some(addr + at as u64)
    }

    /// One more reference; `None` if there is no such object.
    pub fn acquire(&mut self, addr: u64) -> Option<()> {
        let object = self.objects.get_mut(&addr)?;
        object.references = object.references.saturating_add(1);
        Some(())
    }

    /// One reference less: the object itself, if it was the last.
    pub fn release(&mut self, addr: u64) -> Option<Allocation> {
        let object = self.objects.get_mut(&addr)?;
        object.references = object.references.saturating_sub(1);
        if object.references > 0 {
            return None;
        }
        let object = self.objects.remove(&addr)?;
        let each = object.block.len().max(1).next_multiple_of(8);
        self.bytes = self.bytes.saturating_sub(each);
        Some(object)
    }

    /// The head of the list or tree that a node is in.
    pub fn owner(&self, node: u64) -> Option<u64> {
        self.owners.get(&node).copied()
    }

    /// Puts a node that is in no list and no tree at one end of a list.
    pub fn push(&mut self, head: u64, node: u64, front: bool) {
        let list = self.lists.entry(head).or_default();
        if front {
            list.push_front(node);
        } else {
            list.push_back(node);
        }
        self.owners.insert(node, head);
    }

    /// The node at one end of a list.
    pub fn peek(&self, head: u64, front: bool) -> Option<u64> {
        let list = self.lists.get(&head)?;
        if front { list.front() } else { list.back() }.copied()
    }

    /// Takes the node at one end of a list.
    pub fn pop(&mut self, head: u64, front: bool) -> Option<u64> {
        let list = self.lists.get_mut(&head)?;
        let node = if front { list.pop_front() } else { list.pop_back() }?;
        self.owners.remove(&node);
        Some(node)
    }

    /// A tree; one without nodes where there is none yet.
    pub fn tree(&mut self, root: u64) -> &mut RbTree {
        self.trees.entry(root).or_default()
    }

    /// Puts a node that is in no list and no tree into a tree, below `parent`.
    pub fn insert(&mut self, root: u64, node: u64, parent: Option<u64>, left: bool) {
        self.tree(root).insert(node, parent, left);
        self.owners.insert(node, root);
    }

    /// Takes a node out of a tree; whether it was in it.
    pub fn remove(&mut self, root: u64, node: u64) -> bool {
        if self.owner(node) != Some(root) || !self.tree(root).remove(node) {
            return false;
        }
        self.owners.remove(&node);
        true
    }

    /// Empties a list or tree: the nodes that were in it.
    pub fn clear(&mut self, head: u64) -> Vec<u64> {
        let mut nodes: Vec<u64> = self.lists.remove(&head).into_iter().flatten().collect();
        nodes.extend(self.trees.remove(&head).iter().flat_map(RbTree::nodes));
        for node in &nodes {
            self.owners.remove(node);
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_live_as_long_as_references() {
        let mut heap = Heap::default();
        let (addr, object) = heap.allocate("node", 24, None, Vec::new()).unwrap();
        assert_eq!(object.block.len(), 24);
        assert_eq!(heap.holding(addr + 23), Some(addr));
        assert_eq!(heap.holding(addr + 24), None);
        heap.acquire(addr).unwrap();
        assert!(heap.release(addr).is_none());
        assert!(heap.release(addr).is_some());
        assert!(heap.release(addr).is_none());
        assert_eq!(heap.bytes, 0);
    }

    #[test]
    fn there_is_an_end_to_memory() {
        let mut heap = Heap::default();
        assert!(heap.allocate("large", BYTES_MAX + 1, None, Vec::new()).is_none());
        assert!(heap.allocate("many", BYTES_MAX / 2, Some(4), Vec::new()).is_none());
        let (addr, _) = heap.allocate("percpu", 12, Some(2), Vec::new()).unwrap();
        assert_eq!(heap.per_cpu(addr, 1), Some(addr + 16));
        assert_eq!(heap.per_cpu(addr, 2), None);
    }

    #[test]
    fn lists_and_their_nodes() {
        let mut heap = Heap::default();
        heap.push(1, 10, true);
        heap.push(1, 20, true);
        heap.push(1, 30, false);
        assert_eq!((heap.peek(1, true), heap.peek(1, false)), (Some(20), Some(30)));
        assert_eq!(heap.owner(30), Some(1));
        assert_eq!(heap.pop(1, false), Some(30));
        assert_eq!(heap.owner(30), None);
        assert_eq!(heap.clear(1), [20, 10]);
        assert_eq!(heap.pop(1, true), None);
    }
}
