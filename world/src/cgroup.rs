//! The tree of cgroups.

use std::collections::BTreeMap;

/// Cgroups by id. Id 1 is the root, which is always there. Cgroup arrays hold ids.
#[derive(Debug, Clone, Default)]
pub struct Cgroups {
    /// All but the root.
    pub by_id: BTreeMap<u64, Cgroup>,
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
}
