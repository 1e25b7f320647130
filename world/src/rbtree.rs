//! Red-black trees of nodes that are named by address. Programs can look at their shape, so it is that of the kernel's: nodes are coloured
//! and turned by the textbook's rules, and a node with two children is replaced by the next one in order.

use std::collections::BTreeMap;

/// The two sides of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    parent: Option<u64>,
    left: Option<u64>,
    right: Option<u64>,
    red: bool,
}

/// A tree.
#[derive(Debug, Clone, Default)]
pub struct RbTree {
    root: Option<u64>,
    nodes: BTreeMap<u64, Node>,
}

impl RbTree {
    /// The node at the top.
    pub fn root(&self) -> Option<u64> {
        self.root
    }

    /// The children of a node.
    pub fn left(&self, node: u64) -> Option<u64> {
        self.child(node, Side::Left)
    }

    /// See [`RbTree::left`].
    pub fn right(&self, node: u64) -> Option<u64> {
        self.child(node, Side::Right)
    }

    /// The first node in order.
    pub fn first(&self) -> Option<u64> {
        self.root.map(|root| self.outermost(root, Side::Left))
    }

    /// All nodes, in no order.
    pub fn nodes(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    fn outermost(&self, mut node: u64, side: Side) -> u64 {
        while let Some(child) = self.child(node, side) {
            node = child;
        }
        node
    }

    fn get(&self, node: u64) -> Node {
        self.nodes.get(&node).copied().unwrap_or_default()
    }

    fn node(&mut self, node: u64) -> &mut Node {
        self.nodes.entry(node).or_default()
    }

    fn child(&self, node: u64, side: Side) -> Option<u64> {
        let node = self.get(node);
        match side {
            Side::Left => node.left,
            Side::Right => node.right,
        }
    }

    fn set_child(&mut self, node: u64, side: Side, child: Option<u64>) {
        let at = self.node(node);
        match side {
            Side::Left => at.left = child,
            Side::Right => at.right = child,
        }
        if let Some(child) = child {
            self.node(child).parent = Some(node);
        }
    }

    fn is_red(&self, node: Option<u64>) -> bool {
        node.is_some_and(|node| self.get(node).red)
    }

    fn side_of(&self, node: u64, parent: u64) -> Side {
        if self.child(parent, Side::Left) == Some(node) { Side::Left } else { Side::Right }
    }

    /// Puts `new` (or nothing) where `old` is below its parent.
    fn replace(&mut self, old: u64, new: Option<u64>) {
        match self.get(old).parent {
            Some(parent) => {
                let side = self.side_of(old, parent);
                self.set_child(parent, side, new);
            }
            None => {
                self.root = new;
                if let Some(new) = new {
                    self.node(new).parent = None;
                }
            }
        }
    }

    /// Turns a node down to one side: its child on the other side takes its place.
    fn rotate(&mut self, node: u64, side: Side) {
        let Some(up) = self.child(node, side.other()) else {
            return;
        };
        let inner = self.child(up, side);
        self.replace(node, Some(up));
        self.set_child(node, side.other(), inner);
        self.set_child(up, side, Some(node));
    }

    /// Puts a new node below `parent` (at the top if there is none), on its left or right, where no child is.
    pub fn insert(&mut self, node: u64, parent: Option<u64>, left: bool) {
        self.nodes.insert(node, Node { red: true, ..Node::default() });
        match parent {
            Some(parent) => self.set_child(parent, if left { Side::Left } else { Side::Right }, Some(node)),
            None => self.root = Some(node),
        }
        self.balance_inserted(node);
    }

    fn balance_inserted(&mut self, mut node: u64) {
        while let Some(mut parent) = self.get(node).parent.filter(|parent| self.get(*parent).red) {
            // A red node has a parent, since the top is black.
            let Some(grand) = self.get(parent).parent else { break };
            let side = self.side_of(parent, grand);
            let uncle = self.child(grand, side.other());
            if let Some(uncle) = uncle.filter(|uncle| self.get(*uncle).red) {
                self.node(parent).red = false;
                self.node(uncle).red = false;
                self.node(grand).red = true;
                node = grand;
                continue;
            }
            if self.side_of(node, parent) != side {
                self.rotate(parent, side);
                (node, parent) = (parent, node);
            }
            self.node(parent).red = false;
            self.node(grand).red = true;
            self.rotate(grand, side.other());
        }
        if let Some(root) = self.root {
            self.node(root).red = false;
        }
    }

    /// Takes a node out; whether it was there.
    pub fn remove(&mut self, node: u64) -> bool {
        let Some(&Node { parent, left, right, red }) = self.nodes.get(&node) else {
            return false;
        };
        // What moves up into the gap, the node above the gap, and whether a black one is missing there.
        let (moved, above, side, lost_black) = match (left, right) {
            (Some(left), Some(right)) => {
                let next = self.outermost(right, Side::Left);
                let Node { parent: next_parent, right: moved, red: next_red, .. } = self.get(next);
                let gap = if next_parent == Some(node) {
                    (Some(next), Side::Right)
                } else {
                    self.replace(next, moved);
                    self.set_child(next, Side::Right, Some(right));
                    (next_parent, Side::Left)
                };
                self.replace(node, Some(next));
                self.set_child(next, Side::Left, Some(left));
                self.node(next).red = red;
                (moved, gap.0, gap.1, !next_red)
            }
            (child, None) | (None, child) => {
                let side = parent.map_or(Side::Left, |parent| self.side_of(node, parent));
                self.replace(node, child);
                (child, parent, side, !red)
            }
        };
        self.nodes.remove(&node);
        if lost_black {
            self.balance_removed(moved, above, side);
        }
        true
    }

    /// Restores the colours where a black node is missing: at `node` (which may be none), below `above` on a side.
    fn balance_removed(&mut self, mut node: Option<u64>, mut above: Option<u64>, mut side: Side) {
        while let Some(parent) = above.filter(|_| !self.is_red(node)) {
            let Some(mut sibling) = self.child(parent, side.other()) else { break };
            if self.get(sibling).red {
                self.node(sibling).red = false;
                self.node(parent).red = true;
                self.rotate(parent, side);
                let Some(next) = self.child(parent, side.other()) else { break };
                sibling = next;
            }
            let (near, far) = (self.child(sibling, side), self.child(sibling, side.other()));
            if !self.is_red(near) && !self.is_red(far) {
                self.node(sibling).red = true;
                node = Some(parent);
                above = self.get(parent).parent;
                side = above.map_or(Side::Left, |above| self.side_of(parent, above));
                continue;
            }
            if let Some(near) = near.filter(|_| !self.is_red(far)) {
                self.node(near).red = false;
                self.node(sibling).red = true;
                self.rotate(sibling, side.other());
                sibling = near;
            }
            self.node(sibling).red = self.get(parent).red;
            self.node(parent).red = false;
            if let Some(far) = self.child(sibling, side.other()) {
                self.node(far).red = false;
            }
            self.rotate(parent, side);
            node = self.root;
            break;
        }
        if let Some(node) = node {
            self.node(node).red = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl RbTree {
        fn add(&mut self, node: u64) {
            let (mut parent, mut left, mut at) = (None, false, self.root);
            while let Some(here) = at {
                parent = at;
                left = node < here;
                at = if left { self.left(here) } else { self.right(here) };
            }
            self.insert(node, parent, left);
        }

        /// The number of black nodes on each way down.
        fn check(&self, node: Option<u64>, parent: Option<u64>) -> usize {
            let Some(at) = node else { return 1 };
            let found = self.get(at);
            assert_eq!(found.parent, parent);
            assert!(!(found.red && self.is_red(parent)), "a red node below a red node");
            let (left, right) = (self.check(found.left, node), self.check(found.right, node));
            assert_eq!(left, right, "ways down with different numbers of black nodes");
            left + usize::from(!found.red)
        }

        fn in_order(&self, node: Option<u64>, out: &mut Vec<u64>) {
            if let Some(at) = node {
                self.in_order(self.left(at), out);
                out.push(at);
                self.in_order(self.right(at), out);
            }
        }
    }

    #[test]
    fn stays_a_red_black_tree() {
        let mut tree = RbTree::default();
        let mut there = std::collections::BTreeSet::new();
        let mut random = crate::Random::new(7);
        for _ in 0..3000 {
            let node = u64::from(random.next_u32() % 200) + 1;
            if there.insert(node) {
                tree.add(node);
            } else {
                assert!(tree.remove(node));
                there.remove(&node);
            }
            assert!(!tree.is_red(tree.root()));
            tree.check(tree.root(), None);
            let mut order = Vec::new();
            tree.in_order(tree.root(), &mut order);
            assert!(order.iter().eq(there.iter()));
            assert_eq!(tree.first(), there.first().copied());
        }
        assert!(!tree.remove(1000));
    }
}
