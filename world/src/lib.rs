//! *What it is*: the simulated kernel that a test sets and reads: clock, CPUs, tasks, devices, sockets, routes, typed kernel
//! objects, packets, and everything a program sends out.
//!
//! *Invariant*: deterministic: the same world and the same input give the same outcome.
//!
//! *Start here*: [`World`], [`Packet`], [`Context`].
#![forbid(unsafe_code)]

mod cgroup;
mod clock;
mod context;
mod effect;
mod event;
mod heap;
mod later;
mod net;
mod objects;
mod output;
mod packet;
mod perf;
mod random;
mod rbtree;
mod skb;
mod symbols;
mod task;
mod tasks;

pub use cgroup::{Cgroup, Cgroups};
pub use clock::Clock;
pub use context::{Context, ContextFault};
pub use effect::{Effect, Redirect};
pub use event::{Event, Sysctl};
pub use heap::{Allocation, Heap};
pub use later::{Freed, FreedField, Later, LaterCall, LaterKind, TimerClock};
pub use net::{Device, Flow, Found, Link, Lookup, Neighbour, Net, Route, RouteKind, Socket, SocketState, Sockets, Tables};
pub use objects::{KernelObjectError, Objects};
pub use output::{Output, Record, Sink};
pub use packet::{Packet, PacketPlace};
pub use perf::{Branch, Counter, Perf};
pub use random::Random;
pub use rbtree::RbTree;
pub use skb::{Checksum, Skb, Tunnel, Xfrm};
pub use symbols::Symbols;
pub use task::{Mapping, PidNamespace, Task};
pub use tasks::Tasks;

use std::collections::{BTreeMap, BTreeSet};
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
    /// The NUMA node of that CPU.
    pub numa_node: u32,
    /// The current task.
    pub task: Task,
    /// Tasks as kernel objects, and tasks beside the current one.
    pub tasks: Tasks,
    /// Cgroups by id.
    pub cgroups: Cgroups,
    /// Devices, routes, neighbours, sockets.
    pub net: Net,
    /// Hardware counters and branches.
    pub perf: Perf,
    /// What the run of the event itself brings, beside the context.
    pub event: Event,
    /// Names of kernel addresses.
    pub symbols: Symbols,
    /// Kernel objects typed by BTF.
    pub objects: Objects,
    /// What IMA measured: the number of the hash algorithm and the digest, by the address of a `struct inode`.
    pub ima: BTreeMap<u64, (u32, Vec<u8>)>,
    /// Extended attributes, by the address of a `struct inode` or `struct cgroup` and the name.
    pub xattrs: BTreeMap<(u64, String), Vec<u8>>,
    /// Memory that programs allocated.
    pub heap: Heap,
    /// Timers and work.
    pub later: Later,
    /// What maps let go.
    pub freed: Freed,
    /// The CPU that `bpf_cpumask_any_distribute` gave last.
    pub last_distributed: u32,
    /// Addresses of kernel structs behind contexts, by type.
    pub kernel_contexts: BTreeMap<&'static str, u64>,
    /// Serial numbers of the keys that there are.
    pub keys: BTreeSet<i32>,
    /// What programs sent out.
    pub output: Output,
}

impl World {
    /// A machine with one CPU that has just come up, with one task and no network.
    pub fn new(target: Arc<Target>) -> World {
        World {
            target,
            clock: Clock::default(),
            random: Random::new(0),
            cpu: 0,
            cpus: 1,
            numa_node: 0,
            task: Task::default(),
            tasks: Tasks::default(),
            cgroups: Cgroups::default(),
            net: Net::default(),
            perf: Perf::default(),
            event: Event::default(),
            symbols: Symbols::default(),
            objects: Objects::default(),
            ima: BTreeMap::new(),
            xattrs: BTreeMap::new(),
            heap: Heap::default(),
            later: Later::default(),
            freed: Freed::default(),
            last_distributed: 0,
            kernel_contexts: BTreeMap::new(),
            keys: BTreeSet::new(),
            output: Output::default(),
        }
    }
}
