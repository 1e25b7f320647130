//! Work on many things at once, answers in order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Bytes of stack of a thread. Pages are committed when they are touched.
const STACK: usize = 64 << 20;

/// As many threads as the machine runs at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Calls `work` on every index below `count`, on `jobs` threads, and `each` on the answers, in order and on the calling thread. No work is
/// begun after `each` fails.
///
/// # Errors
/// What `each` gives.
///
/// # Panics
/// Where no thread can be made, or where `work` panics.
pub fn ordered<T, E>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    mut each: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
{
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (sender, work, next, stop) = (sender.clone(), &work, &next, &stop);
            let run = move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || sender.send((index, work(index))).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).expect("the system gives a thread");
        }
        drop(sender);
        let (mut early, mut wanted) = (BTreeMap::new(), 0);
        for (index, answer) in receiver {
            early.insert(index, answer);
            while let Some(answer) = early.remove(&wanted) {
                if let Err(error) = each(wanted, answer) {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                wanted += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order() {
        for (count, jobs) in [(0, 4), (1, 4), (1000, 1), (1000, 7)] {
            let mut seen = Vec::new();
            let work = |index: usize| {
                if index.is_multiple_of(3) {
                    thread::yield_now();
                }
                index * 2
            };
            ordered(count, jobs, work, |index, answer| {
                seen.push((index, answer));
                Ok::<_, ()>(())
            })
            .unwrap();
            assert_eq!(seen, (0..count).map(|index| (index, index * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_failure_ends_the_work() {
        let done = AtomicUsize::new(0);
        let work = |index: usize| {
            done.fetch_add(1, Ordering::Relaxed);
            index
        };
        let result = ordered(1_000_000, 2, work, |index, _| if index == 10 { Err("enough") } else { Ok(()) });
        assert_eq!(result, Err("enough"));
        assert!(done.load(Ordering::Relaxed) < 1_000_000);
    }
}
