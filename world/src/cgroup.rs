//! The tree of cgroups.

use std::collections::BTreeMap;

use crate::{KernelObjectError, World};

/// Cgroups by id. Id 1 is the root, which is always there. Cgroup arrays hold ids.
#[derive(Debug, Clone, Default)]
pub struct Cgroups {
    /// All but the root.
    pub by_id: BTreeMap<u64, Cgroup>,
    /// Addresses of `struct cgroup`, by id.
    objects: BTreeMap<u64, u64>,
}

/// A cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Id of its parent.
    pub parent: u64,
    /// Its name in the parent.
    pub name: String,
    /// `net_cls.classid`.
    pub class_id: u32,
}

impl Cgroups {
    /// Id of the root.
    pub const ROOT: u64 = 1;

    /// Whether there is one of this id.
    pub fn has(&self, id: u64) -> bool {
        id == Self::ROOT || self.by_id.contains_key(&id)
    }

    /// The ids from the root down to this one; empty if it is not there.
    pub fn path(&self, id: u64) -> Vec<u64> {
        let mut path = Vec::new();
        let mut at = id;
        while at != Self::ROOT {
            let Some(cgroup) = self.by_id.get(&at) else {
                return Vec::new();
            };
            // A ring of parents has no root.
            if path.len() > self.by_id.len() {
                return Vec::new();
            }
            path.push(at);
            at = cgroup.parent;
        }
        path.push(Self::ROOT);
        path.reverse();
        path
    }

    /// The ancestor at a level (0 is the root), which may be the cgroup itself.
    pub fn ancestor(&self, id: u64, level: i32) -> Option<u64> {
        self.path(id).get(usize::try_from(level).ok()?).copied()
    }

    /// Whether a cgroup is `ancestor` or below it.
    pub fn is_under(&self, id: u64, ancestor: u64) -> bool {
        self.path(id).contains(&ancestor)
    }

    /// A cgroup and all below it, each before those below it; what has no way to the root is left out.
    pub fn descendants(&self, id: u64) -> Vec<u64> {
        let ids = self.by_id.keys().copied().chain([Self::ROOT]);
        let mut paths: Vec<Vec<u64>> = ids.map(|id| self.path(id)).filter(|path| path.contains(&id)).collect();
        paths.sort();
        paths.iter().filter_map(|path| path.last().copied()).collect()
    }

    /// The id of the cgroup whose `struct cgroup` begins at an address.
    pub fn at(&self, addr: u64) -> Option<u64> {
        self.objects.iter().find(|(_, object)| **object == addr).map(|(id, _)| *id)
    }
}

impl World {
    /// Address of the `struct cgroup` of a cgroup, made when it is asked for first; `None` if there is no such cgroup.
    ///
    /// # Errors
    /// A target without BTF.
    pub fn cgroup_object(&mut self, id: u64) -> Result<Option<u64>, KernelObjectError> {
        if let Some(addr) = self.cgroups.objects.get(&id) {
            return Ok(Some(*addr));
        }
        let path = self.cgroups.path(id);
        let Some(level) = path.len().checked_sub(1) else {
            return Ok(None);
        };
        let addr = self.new_object("cgroup")?;
        self.cgroups.objects.insert(id, addr);
        let name = self.cgroups.by_id.get(&id).map_or_else(String::new, |cgroup| cgroup.name.clone());
        self.set_if_there(addr, "level", level as u64)?;
        self.set_if_there(addr, "kn.id", id)?;
        self.set_if_there(addr, "kn.name", name.as_str())?;
        self.set_if_there(addr, "self.cgroup", addr)?;
        self.set_if_there(addr, "self.id", 1)?;
        Ok(Some(addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_below_come_after() {
        let mut groups = Cgroups::default();
        for (id, parent) in [(20, 1), (5, 20), (7, 20), (6, 5), (30, 1), (9, 99)] {
            groups.by_id.insert(id, Cgroup { parent, name: String::new(), class_id: 0 });
        }
        assert_eq!(groups.descendants(1), [1, 20, 5, 6, 7, 30]);
        assert_eq!(groups.descendants(20), [20, 5, 6, 7]);
        assert!(groups.descendants(9).is_empty());
    }
}
