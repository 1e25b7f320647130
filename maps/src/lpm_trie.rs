//! `BPF_MAP_TYPE_LPM_TRIE`: the value of the longest prefix that matches a key.

use std::any::Any;
use std::sync::{Arc, PoisonError, RwLock};

use skep_linux::Errno;
use skep_memory::{Block, Region};
use skep_program::MapDef;

use crate::flags::*;
use crate::sys::BatchOps;
use crate::values::{Values, allocate};
use crate::{Base, Caller, CreateOptions, Found, Map};

/// Bytes of a prefix length, at the start of a key.
const LEN: usize = 4;
/// Most bytes of a prefix.
const DATA_MAX: u32 = 256;
/// Most bytes of a value: `KMALLOC_MAX_SIZE` less what the kernel puts beside it.
const VALUE_MAX: u32 = (4 << 20) - DATA_MAX - 24;

/// A longest-prefix-match trie. Keys are a prefix length in bits (4 bytes) and the prefix, most significant byte first.
///
/// Values take slots of one block. An update puts the new value into a slot of its own, and the old slot is used again when a later
/// one needs it; programs that hold the old value see it until then, as after the grace period of the kernel.
#[derive(Debug)]
pub struct LpmTrie {
    base: Base,
    values: Values,
    /// Prefix bytes of the nodes, by node.
    data: Arc<Block>,
    data_size: usize,
    nodes: RwLock<Nodes>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    prefix: u32,
    children: [Option<u32>; 2],
    /// The value's slot; `None` for a node that only parts its two children.
    value: Option<u32>,
}

#[derive(Debug, Default)]
struct Nodes {
    all: Vec<Node>,
    root: Option<u32>,
    entries: u32,
    free_nodes: Vec<u32>,
    free_values: Vec<u32>,
    fresh_values: u32,
}

/// Where a node hangs: below another, on one side, or at the root.
type Place = Option<(u32, usize)>;

impl Nodes {
    fn at(&self, place: Place) -> Option<u32> {
        match place {
            None => self.root,
            Some((parent, side)) => self.all[parent as usize].children[side],
        }
    }

    fn hang(&mut self, place: Place, node: Option<u32>) {
        match place {
            None => self.root = node,
            Some((parent, side)) => self.all[parent as usize].children[side] = node,
        }
    }

    fn node(&mut self, node: Node) -> u32 {
        if let Some(free) = self.free_nodes.pop() {
            self.all[free as usize] = node;
            return free;
        }
        self.all.push(node);
        self.all.len() as u32 - 1
    }

    fn value(&mut self) -> u32 {
        self.free_values.pop().unwrap_or_else(|| {
            self.fresh_values += 1;
            self.fresh_values - 1
        })
    }
}

fn bit(data: &[u8], index: u32) -> usize {
    usize::from(data[index as usize / 8] >> (7 - index % 8) & 1)
}

/// The prefix length of a key, and its prefix.
fn split(key: &[u8]) -> (u32, &[u8]) {
    let (len, data) = key.split_at(LEN);
    (u32::from_le_bytes([len[0], len[1], len[2], len[3]]), data)
}

impl LpmTrie {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<LpmTrie, Errno> {
        const FLAGS: u32 = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
        let key_fits = (LEN as u32 + 1..=LEN as u32 + DATA_MAX).contains(&def.key_size);
        let value_fits = (1..=VALUE_MAX).contains(&def.value_size);
        let flags_fit = def.flags & BPF_F_NO_PREALLOC != 0 && def.flags & !FLAGS == 0 && access_ok(def.flags);
        if def.max_entries == 0 || !key_fits || !value_fits || !flags_fit {
            return Err(Errno::EINVAL);
        }
        let data_size = def.key_size as usize - LEN;
        // An update holds one value more, and there are fewer parting nodes than others.
        let slots = def.max_entries as usize + 1;
        Ok(LpmTrie {
            values: Values::new(def.value_size as usize, slots, 1, options.max_bytes)?,
            data: allocate(data_size.checked_mul(2 * slots).ok_or(Errno::ENOMEM)?, options.max_bytes)?,
            data_size,
            nodes: RwLock::default(),
            base: Base::new(def, options, def.max_entries),
        })
    }

    fn bits(&self) -> u32 {
        self.data_size as u32 * 8
    }

    fn prefix_of(&self, node: u32) -> Vec<u8> {
        self.data.bytes(node as usize * self.data_size, self.data_size)
    }

    /// How many bits of a key's prefix and of a node's agree.
    fn agree(&self, nodes: &Nodes, node: u32, prefix: u32, data: &[u8]) -> u32 {
        let limit = nodes.all[node as usize].prefix.min(prefix);
        let at = node as usize * self.data_size;
        let mut agreed = 0;
        for (i, byte) in data.iter().enumerate() {
            let differ = *byte ^ self.data.load(at + i, 1) as u8;
            agreed += differ.leading_zeros();
            if differ != 0 || agreed >= limit {
                break;
            }
        }
        agreed.min(limit)
    }

    fn key(&self, key: &[u8]) -> Result<(), Errno> {
        if key.len() == self.base.key_size() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// The value slot of the longest prefix that matches.
    fn find(&self, key: &[u8]) -> Result<Option<u32>, Errno> {
        self.key(key)?;
        let (prefix, data) = split(key);
        if prefix > self.bits() {
            return Ok(None);
        }
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        let mut at = nodes.root;
        while let Some(i) = at {
            let node = nodes.all[i as usize];
            let agreed = self.agree(&nodes, i, prefix, data);
            if agreed == self.bits() {
                // A node of full length is never a parting one.
                return Ok(node.value);
            }
            if agreed < node.prefix {
                break;
            }
            found = node.value.or(found);
            at = node.children[bit(data, node.prefix)];
        }
        Ok(found)
    }

    fn insert(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.key(key)?;
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let (prefix, data) = split(key);
        if prefix > self.bits() {
            return Err(Errno::EINVAL);
        }
        let nodes = &mut *self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let (mut place, mut agreed) = (None, 0);
        while let Some(i) = nodes.at(place) {
            let node = nodes.all[i as usize];
            agreed = self.agree(nodes, i, prefix, data);
            if node.prefix != agreed || node.prefix == prefix || node.prefix == self.bits() {
                break;
            }
            place = Some((i, bit(data, node.prefix)));
        }
        let there = nodes.at(place);
        let same = there.filter(|i| nodes.all[*i as usize].prefix == agreed);
        let old = same.and_then(|i| nodes.all[i as usize].value);
        if old.is_some() {
            if flags == BPF_NOEXIST {
                return Err(Errno::EEXIST);
            }
        } else {
            if flags == BPF_EXIST {
                return Err(Errno::ENOENT);
            }
            if nodes.entries == self.base.def().max_entries {
                return Err(Errno::ENOSPC);
            }
            nodes.entries += 1;
        }
        let slot = nodes.value();
        self.values.write(&self.base, slot as usize, 0, value);
        let children = same.map_or([None; 2], |i| nodes.all[i as usize].children);
        let new = nodes.node(Node { prefix, children, value: Some(slot) });
        self.data.write(new as usize * self.data_size, data);
        match (there, same) {
            (None, _) => nodes.hang(place, Some(new)),
            (_, Some(i)) => {
                nodes.hang(place, Some(new));
                nodes.free_nodes.push(i);
                nodes.free_values.extend(old);
            }
            (Some(i), None) if agreed == prefix => {
                let side = bit(&self.prefix_of(i), agreed);
                nodes.all[new as usize].children[side] = Some(i);
                nodes.hang(place, Some(new));
            }
            (Some(i), None) => {
                let side = bit(data, agreed);
                let mut children = [Some(i); 2];
                children[side] = Some(new);
                let parting = nodes.node(Node { prefix: agreed, children, value: None });
                self.data.write(parting as usize * self.data_size, &self.prefix_of(i));
                nodes.hang(place, Some(parting));
            }
        }
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        self.key(key)?;
        let (prefix, data) = split(key);
        if prefix > self.bits() {
            return Err(Errno::EINVAL);
        }
        let nodes = &mut *self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let (mut place, mut above, mut agreed) = (None, None, 0);
        while let Some(i) = nodes.at(place) {
            let node = nodes.all[i as usize];
            agreed = self.agree(nodes, i, prefix, data);
            if node.prefix != agreed || node.prefix == prefix {
                break;
            }
            above = place;
            place = Some((i, bit(data, node.prefix)));
        }
        let i = nodes.at(place).ok_or(Errno::ENOENT)?;
        let node = nodes.all[i as usize];
        let Some(slot) = node.value.filter(|_| node.prefix == prefix && node.prefix == agreed) else {
            return Err(Errno::ENOENT);
        };
        nodes.entries -= 1;
        nodes.free_values.push(slot);
        match (node.children, place) {
            ([Some(_), Some(_)], _) => {
                nodes.all[i as usize].value = None;
                return Ok(());
            }
            ([None, None], Some((parent, side))) if nodes.all[parent as usize].value.is_none() => {
                let other = nodes.all[parent as usize].children[1 - side];
                nodes.hang(above, other);
                nodes.free_nodes.push(parent);
            }
            (children, _) => nodes.hang(place, children[0].or(children[1])),
        }
        nodes.free_nodes.push(i);
        Ok(())
    }

    /// The first entry below a node: children come before their parents. A parting node always leads to one.
    fn first_below(&self, nodes: &Nodes, mut at: Option<u32>) -> Option<u32> {
        let mut found = None;
        while let Some(i) = at {
            let node = nodes.all[i as usize];
            at = node.children[0];
            if node.value.is_some() {
                found = Some(i);
                at = at.or(node.children[1]);
            }
        }
        found
    }

    fn next(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let nodes = &*self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let root = Some(nodes.root.ok_or(Errno::ENOENT)?);
        let next = match key.map(split).filter(|(prefix, _)| *prefix <= self.bits()) {
            None => self.first_below(nodes, root),
            Some((prefix, data)) => match self.path(nodes, prefix, data) {
                None => self.first_below(nodes, root),
                Some(path) => self.after(nodes, &path),
            },
        };
        let next = next.ok_or(Errno::ENOENT)?;
        let mut key = nodes.all[next as usize].prefix.to_le_bytes().to_vec();
        key.extend(self.prefix_of(next));
        Ok(key)
    }

    /// The nodes from the root to the entry of this key, if there is one.
    fn path(&self, nodes: &Nodes, prefix: u32, data: &[u8]) -> Option<Vec<u32>> {
        let mut path = Vec::new();
        let mut at = nodes.root;
        loop {
            let i = at?;
            path.push(i);
            let node = nodes.all[i as usize];
            let agreed = self.agree(nodes, i, prefix, data);
            if node.prefix != agreed {
                return None;
            }
            if node.prefix == prefix {
                return node.value.map(|_| path);
            }
            at = node.children[bit(data, node.prefix)];
        }
    }

    /// The entry after the last node of a path.
    fn after(&self, nodes: &Nodes, path: &[u32]) -> Option<u32> {
        for pair in path.windows(2).rev() {
            let (parent, child) = (nodes.all[pair[0] as usize], pair[1]);
            if parent.children[0] == Some(child)
                && let Some(other) = parent.children[1]
            {
                return self.first_below(nodes, Some(other));
            }
            if parent.value.is_some() {
                return Some(pair[0]);
            }
        }
        None
    }
}

impl Map for LpmTrie {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn regions(&self) -> Vec<Region> {
        vec![self.values.region(&self.base)]
    }

    fn lookup(&self, _caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.find(key)?.map(|slot| Found::Slot(self.values.slot(slot as usize, 0))))
    }

    fn update(&self, _caller: Caller, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.insert(key, value, flags)
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let slot = self.find(key)?.ok_or(Errno::ENOENT)?;
        self.values.read(&self.base, slot as usize, 0, value);
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.insert(key, value, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.next(key)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::TRIE
    }
}
