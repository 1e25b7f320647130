//! *What it is*: the simulated kernel that a test sets and reads: clock, CPUs, tasks, devices, sockets, routes, typed kernel
//! objects, packets, and everything a program sends out.
//!
//! *Invariant*: deterministic: the same world and the same input give the same outcome.
//!
//! *Start here*: [`World`], [`Packet`], [`Context`].
#![forbid(unsafe_code)]

mod clock;
mod context;
mod net;
mod output;
mod packet;
mod random;
mod task;

pub use clock::Clock;
pub use context::Context;
pub use net::{Device, Net, Route};
pub use output::{Output, Record, Sink};
pub use packet::Packet;
pub use random::Random;
pub use task::Task;

use std::sync::Arc;

use skep_linux::Target;

/// The simulated kernel.
#[derive(Debug, Clone)]
pub struct World {
    /// The kernel it plays.
    pub target: Arc<Target>,
    /// Time; it moves only when somebody moves it.
    pub clock: Clock,
    /// Random numbers of `bpf_get_prandom_u32`.
    pub random: Random,
    /// The CPU programs run on.
    pub cpu: u32,
    /// Number of CPUs: of values in per-CPU maps.
    pub cpus: u32,
    /// The current task.
    pub task: Task,
    /// Devices, routes, neighbours, sockets.
    pub net: Net,
    /// What programs sent out.
    pub output: Output,
}
