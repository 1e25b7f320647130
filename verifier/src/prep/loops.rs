//! Post-order and loops of the flow graph within functions: Tarjan's algorithm, without recursion.

use super::raw::Successors;
use super::{Marks, Subprog};

/// Larger than every number in [`Search::low`]: the slot's component is complete.
const COMPLETE: u32 = u32::MAX;

struct Search<'a> {
    next: &'a [Successors],
    marks: &'a mut [Marks],
    /// In which order slots are come to, from 1; 0 for those that are not yet.
    number: Vec<u32>,
    /// The smallest number that can be reached among the slots of components that are not complete.
    low: Vec<u32>,
    /// Slots of components that are not complete.
    open: Vec<u32>,
    postorder: Vec<u32>,
    next_number: u32,
    next_component: u32,
}

/// Numbers loops in [`Marks::scc`], sets [`Subprog::postorder`], and gives the slots in post-order.
pub(super) fn find(next: &[Successors], subprogs: &mut [Subprog], marks: &mut [Marks]) -> Vec<u32> {
    let mut search = Search {
        next,
        marks,
        number: vec![0; next.len()],
        low: vec![0; next.len()],
        open: Vec::new(),
        postorder: Vec::with_capacity(next.len()),
        next_number: 1,
        next_component: 1,
    };
    let mut way = Vec::new();
    for subprog in subprogs {
        let start = search.postorder.len();
        search.function(subprog.slots.start as u32, &mut way);
        subprog.postorder = start..search.postorder.len();
    }
    search.postorder
}

impl Search<'_> {
    fn function(&mut self, start: u32, way: &mut Vec<u32>) {
        way.push(start);
        while let Some(&slot) = way.last() {
            let index = slot as usize;
            if self.number[index] == 0 {
                (self.number[index], self.low[index]) = (self.next_number, self.next_number);
                self.next_number += 1;
                self.open.push(slot);
            }
            let successors = self.next[index];
            let unseen = successors.as_slice().iter().find(|next| self.number[**next as usize] == 0);
            if let Some(next) = unseen {
                way.push(*next);
                continue;
            }
            let low = successors.as_slice().iter().map(|next| self.low[*next as usize]).min();
            self.low[index] = self.low[index].min(low.unwrap_or(COMPLETE));
            if self.low[index] == self.number[index] {
                self.complete(slot, successors.as_slice().contains(&slot));
            }
            self.postorder.push(slot);
            way.pop();
        }
    }

    /// The slots from `root` on are a component: a loop, if there are several, or one that follows itself.
    fn complete(&mut self, root: u32, itself: bool) {
        let is_loop = itself || self.open.last() != Some(&root);
        while let Some(slot) = self.open.pop() {
            self.low[slot as usize] = COMPLETE;
            if is_loop {
                self.marks[slot as usize].scc = self.next_component;
            }
            if slot == root {
                break;
            }
        }
        self.next_component += u32::from(is_loop);
    }
}
