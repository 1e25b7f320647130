//! Timers, work queues and task work: functions of programs that run later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use skep_program::SpecialKind;

use crate::Clock;

/// What calls the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaterKind {
    /// `bpf_timer`.
    Timer,
    /// `bpf_wq`: as soon as time passes.
    Work,
    /// `bpf_task_work`: as soon as time passes.
    TaskWork,
}

/// The clock that a timer goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerClock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// `CLOCK_REALTIME`.
    Real,
    /// `CLOCK_BOOTTIME`.
    Boot,
}

impl TimerClock {
    /// What it shows, in nanoseconds.
    pub fn now(self, clock: &Clock) -> u64 {
        match self {
            TimerClock::Monotonic => clock.monotonic,
            TimerClock::Real => clock.tai(),
            TimerClock::Boot => clock.boot(),
        }
    }
}

/// A timer or piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterCall {
    /// What it is.
    pub kind: LaterKind,
    /// The pointer that names its map.
    pub map: u64,
    /// The clock it goes by.
    pub clock: TimerClock,
    /// Address of the function.
    pub callback: Option<u64>,
    /// When it runs, by its clock; `None` if it was not started.
    pub due: Option<u64>,
    /// Orders those that are due at the same time.
    turn: u64,
}

impl LaterCall {
    /// One that was not started.
    pub fn new(kind: LaterKind, map: u64, clock: TimerClock) -> LaterCall {
        LaterCall { kind, map, clock, callback: None, due: None, turn: 0 }
    }
}

/// Timers and pieces of work, by the address of the field that holds them.
#[derive(Debug, Clone, Default)]
pub struct Later {
    calls: BTreeMap<u64, LaterCall>,
    turns: u64,
    /// The one whose function runs.
    pub running: Option<u64>,
}

impl Later {
    /// Those that there are, with the address of their field.
    pub fn calls(&self) -> impl Iterator<Item = (u64, &LaterCall)> {
        self.calls.iter().map(|(field, call)| (*field, call))
    }

    /// The one in a field.
    pub fn get(&mut self, field: u64) -> Option<&mut LaterCall> {
        self.calls.get_mut(&field)
    }

    /// Puts one into a field.
    pub fn insert(&mut self, field: u64, call: LaterCall) {
        self.calls.insert(field, call);
    }

    /// Forgets the one in a field.
    pub fn remove(&mut self, field: u64) {
        self.calls.remove(&field);
    }

    /// Starts the one in a field, anew if it was started already.
    pub fn start(&mut self, field: u64, due: u64) {
        self.turns += 1;
        if let Some(call) = self.calls.get_mut(&field) {
            call.due = Some(due);
            call.turn = self.turns;
        }
    }

    /// The field of the next one to run, and how many nanoseconds it is until then.
    pub fn next(&self, clock: &Clock) -> Option<(u64, u64)> {
        let waits = self.calls.iter().filter_map(|(field, call)| {
            let wait = call.due?.saturating_sub(call.clock.now(clock));
            Some((wait, call.turn, *field))
        });
        waits.min().map(|(wait, _, field)| (field, wait))
    }
}

/// A field of a map value that was cleared because the value went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreedField {
    /// What it is.
    pub kind: SpecialKind,
    /// Its address.
    pub addr: u64,
    /// Its first eight bytes: the pointer, of fields that are pointers.
    pub word: u64,
}

/// Fields that maps told of and the world has not looked at yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Freed {
    fields: Arc<Mutex<Vec<FreedField>>>,
}

impl Freed {
    /// Takes note of a field.
    pub fn push(&self, field: FreedField) {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).push(field);
    }

    /// Takes all fields.
    pub fn take(&self) -> Vec<FreedField> {
        std::mem::take(&mut self.fields.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_by_each_clock() {
        let clock = Clock { monotonic: 1000, suspended: 500, epoch: 10_000, ..Clock::default() };
        let mut later = Later::default();
        for (field, kind, due) in [(1, TimerClock::Monotonic, 1100), (2, TimerClock::Boot, 1550), (3, TimerClock::Real, 11_050)] {
            later.insert(field, LaterCall::new(LaterKind::Timer, 9, kind));
            later.start(field, due);
        }
        // Two are due at the same time: the one that was started first comes first.
        assert_eq!(later.next(&clock), Some((2, 50)));
        later.remove(2);
        assert_eq!(later.next(&clock), Some((3, 50)));
        later.start(3, 20_000);
        assert_eq!(later.next(&clock), Some((1, 100)));
    }
}
