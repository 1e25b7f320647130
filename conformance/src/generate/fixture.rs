//! What maps hold before a run: entries that the event is likely to ask for.

use std::sync::Arc;

use skep_btf::{Btf, Type, TypeId};
use skep_linux::MapType;
use skep_program::MapDef;

use super::facts::Facts;
use super::random::Random;
use crate::oracle::{Bytes, Fill};

/// A number or an array of bytes in a key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leaf {
    offset: usize,
    size: usize,
}

/// A map that fixtures are made for, with the places of its numbers.
#[derive(Debug)]
pub(super) struct Table {
    def: Arc<MapDef>,
    key: Vec<Leaf>,
    value: Vec<Leaf>,
    /// Bytes that the map starts with, for maps of variables.
    start: Option<Vec<u8>>,
}

/// Maps whose contents user space may set.
pub(super) fn tables<'a>(defs: impl Iterator<Item = &'a Arc<MapDef>>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for def in defs {
        let settable = !def.frozen
            && matches!(
                def.map_type,
                MapType::Hash
                    | MapType::Array
                    | MapType::PercpuHash
                    | MapType::PercpuArray
                    | MapType::LruHash
                    | MapType::LruPercpuHash
                    | MapType::LpmTrie
                    | MapType::Queue
                    | MapType::Stack
                    | MapType::BloomFilter
            );
        if settable && !tables.iter().any(|table| table.def.name == def.name) {
            let key = leaves(def.btf.as_deref(), def.key_type_id, def.key_size as usize);
            let value = leaves(def.btf.as_deref(), def.value_type_id, def.value_size as usize);
            let variables = def.section.is_some() || def.initial.is_some();
            let start = variables.then(|| {
                let mut bytes = def.initial.clone().unwrap_or_default();
                bytes.resize(def.value_size as usize, 0);
                bytes
            });
            tables.push(Table { def: def.clone(), key, value, start });
        }
    }
    tables
}

/// More members than this are no key, and say nothing of a value.
const MAX_LEAVES: usize = 256;

/// Where the numbers of a type lie; words where the type is not known.
fn leaves(btf: Option<&Btf>, id: u32, size: usize) -> Vec<Leaf> {
    let mut found = Vec::new();
    if let Some(btf) = btf
        && id != 0
    {
        walk(btf, TypeId(id), 0, 0, &mut found);
        found.retain(|leaf| leaf.size > 0 && leaf.offset + leaf.size <= size);
    }
    if found.is_empty() {
        let step = if size.is_multiple_of(8) && size > 8 { 8 } else { 4 };
        found = (0..size).step_by(step).map(|offset| Leaf { offset, size: step.min(size - offset) }).collect();
    }
    found
}

fn walk(btf: &Btf, id: TypeId, offset: usize, depth: usize, found: &mut Vec<Leaf>) {
    let id = btf.resolve(id);
    let size = btf.size_of(id).unwrap_or(0) as usize;
    if depth > 8 || found.len() > MAX_LEAVES {
        return;
    }
    match btf.get(id) {
        Some(Type::Struct(members) | Type::Union(members)) => {
            for member in members.members() {
                let bits = member.bit_offset as usize;
                walk(btf, member.ty, offset + bits / 8, depth + 1, found);
            }
        }
        Some(Type::Array(array)) => {
            let each = btf.size_of(array.element).unwrap_or(0) as usize;
            // Bytes and words of an array are one thing: an address, a name.
            if each <= 4 {
                found.push(Leaf { offset, size });
            } else {
                for index in 0..array.count.min(16) as usize {
                    walk(btf, array.element, offset + index * each, depth + 1, found);
                }
            }
        }
        Some(Type::Datasec(section)) => {
            for var in section.vars() {
                let ty = btf.referred(var.ty).unwrap_or_default();
                walk(btf, ty, var.offset as usize, depth + 1, found);
            }
        }
        Some(_) => found.push(Leaf { offset, size }),
        None => {}
    }
}

impl Table {
    /// Entries for an event.
    pub(super) fn fills(&self, random: &mut Random, facts: &Facts) -> Vec<Fill> {
        if let Some(start) = &self.start {
            return self.variables(start, random).into_iter().collect();
        }
        let keys: Vec<Vec<u8>> = match self.def.map_type {
            MapType::Array | MapType::PercpuArray => (0..random.below(4)).map(|_| self.index(random, facts)).collect(),
            MapType::Queue | MapType::Stack | MapType::BloomFilter => (0..random.below(3)).map(|_| Vec::new()).collect(),
            _ => (0..random.below(6)).map(|_| self.key(random, facts)).collect(),
        };
        let map = &self.def.name;
        let fill = |key| Fill { map: map.clone(), key: Bytes(key), value: Bytes(self.value(random, facts)) };
        keys.into_iter().map(fill).collect()
    }

    /// Variables are left as they are, but for one of them now and then.
    fn variables(&self, start: &[u8], random: &mut Random) -> Option<Fill> {
        if !random.chance(12) || self.value.is_empty() {
            return None;
        }
        let mut value = start.to_vec();
        let leaf = random.pick(&self.value);
        if leaf.size <= 8 {
            value[leaf.offset..leaf.offset + leaf.size].copy_from_slice(&random.interesting().to_le_bytes()[..leaf.size]);
        }
        Some(Fill { map: self.def.name.clone(), key: Bytes(vec![0; 4]), value: Bytes(value) })
    }

    fn index(&self, random: &mut Random, facts: &Facts) -> Vec<u8> {
        let end = self.def.max_entries;
        let index = match random.below(4) {
            0 => facts.protocols.first().map_or(0, |protocol| u32::from(*protocol)),
            1 => facts.ports.last().map_or(0, |port| u32::from(*port)),
            _ => random.below(8) as u32,
        };
        (index % end.max(1)).to_le_bytes().to_vec()
    }

    fn key(&self, random: &mut Random, facts: &Facts) -> Vec<u8> {
        let mut key = vec![0; self.def.key_size as usize];
        for leaf in &self.key {
            let bytes = facts.bytes(leaf.size, random);
            key[leaf.offset..leaf.offset + leaf.size].copy_from_slice(&bytes);
        }
        if self.def.map_type == MapType::LpmTrie {
            let bits = (key.len().saturating_sub(4) * 8) as u32;
            let prefix = random.pick(&[bits, bits, 32, 24, 16, 8, 0, 64]).min(bits);
            if let Some(to) = key.first_chunk_mut::<4>() {
                *to = prefix.to_le_bytes();
            }
        }
        key
    }

    fn value(&self, random: &mut Random, facts: &Facts) -> Vec<u8> {
        let mut value = vec![0; self.def.value_size as usize];
        match random.below(4) {
            0 => {}
            1 => value = random.bytes(value.len()),
            _ => {
                for leaf in &self.value {
                    let bytes = facts.bytes(leaf.size, random);
                    value[leaf.offset..leaf.offset + leaf.size].copy_from_slice(&bytes);
                }
            }
        }
        value
    }
}
