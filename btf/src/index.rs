//! Indexes that are built when they are first asked: types by name, declaration tags by what they tag.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::{Btf, Kind, TypeId};

/// A name without its flavor: `task_struct___v5` is `task_struct`. A name that begins with its only `___` has no flavor.
pub fn essential_name(name: &str) -> &str {
    // The mark has a name before it and a flavor behind it that does not begin with an underscore.
    let bytes = name.as_bytes();
    let mut end = bytes.len().saturating_sub(4);
    while end > 0 {
        let mark = &bytes[end - 1..end + 4];
        if mark[0] != b'_' && &mark[1..4] == b"___" && mark[4] != b'_' {
            return name.get(..end).unwrap_or(name);
        }
        end -= 1;
    }
    name
}

/// Chains of the types of one BTF (without its base) whose essential names have the same hash, in the order of ids.
#[derive(Debug)]
pub(crate) struct NameIndex {
    hasher: RandomState,
    /// Index of the first type of each chain, plus one; 0 for none.
    heads: Vec<u32>,
    /// Index of the type that follows each, plus one.
    next: Vec<u32>,
}

impl NameIndex {
    pub(crate) fn build(btf: &Btf) -> NameIndex {
        let ids = btf.own_ids();
        let slots = ids.len().next_power_of_two().max(1);
        let mut index = NameIndex { hasher: RandomState::new(), heads: vec![0; slots], next: vec![0; ids.len()] };
        for (place, id) in ids.enumerate().rev() {
            let name = btf.name(id);
            if name.is_empty() {
                continue;
            }
            let slot = index.slot(essential_name(name));
            index.next[place] = index.heads[slot];
            index.heads[slot] = place as u32 + 1;
        }
        index
    }

    fn slot(&self, essential: &str) -> usize {
        self.hasher.hash_one(essential) as usize & (self.heads.len() - 1)
    }

    pub(crate) fn first(&self, essential: &str) -> Option<u32> {
        self.heads[self.slot(essential)].checked_sub(1)
    }

    pub(crate) fn after(&self, index: u32) -> Option<u32> {
        self.next[index as usize].checked_sub(1)
    }
}

/// The declaration tags of one BTF (without its base) by the type they tag.
#[derive(Debug)]
pub(crate) struct TagIndex(HashMap<TypeId, Vec<TypeId>>);

impl TagIndex {
    pub(crate) fn build(btf: &Btf) -> TagIndex {
        let mut tags: HashMap<TypeId, Vec<TypeId>> = HashMap::new();
        for id in btf.own_ids() {
            if btf.kind(id) == Kind::DeclTag
                && let Some(of) = btf.referred(id)
            {
                tags.entry(of).or_default().push(id);
            }
        }
        TagIndex(tags)
    }

    pub(crate) fn of(&self, id: TypeId) -> &[TypeId] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::essential_name;

    #[test]
    fn flavors_are_taken_away() {
        for (name, essential) in [
            ("task_struct", "task_struct"),
            ("task_struct___old", "task_struct"),
            ("a___b___c", "a___b"),
            ("___x", "___x"),
            ("x___", "x___"),
            ("x____y", "x____y"),
            ("a___b", "a"),
            ("", ""),
            ("é___ü", "é"),
        ] {
            assert_eq!(essential_name(name), essential, "{name}");
        }
    }
}
