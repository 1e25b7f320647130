//! Programs in the kernel of this host, run case after case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skep_kernel::{Entry, Kernel, Map, Prog, TestRun};
use skep_linux::Errno;
use skep_program::MapDef;

use super::create::{Made, create};
use super::records::Readers;
use super::table::{Keeper, Table, TableError};
use super::{Case, Ended, Engine, HostError, Observed, Set, Shape, shape};

/// More than any program makes of a packet: what the kernel lets a packet grow by is a page, or what a device's MTU leaves.
const GROWTH: usize = 16384;
/// `sizeof(struct __sk_buff)`, `sizeof(struct xdp_md)`, `sizeof(struct bpf_flow_keys)`.
const SKB_SIZE: usize = 192;
const XDP_SIZE: usize = 24;
const FLOW_KEYS_SIZE: usize = 56;

/// A set of programs in the kernel, of which the first is run; the others are there to be called by it.
#[derive(Debug)]
pub struct Host {
    made: Made,
    keepers: Vec<Keeper>,
    readers: Readers,
    shape: Shape,
    spent: Duration,
}

/// A map in the kernel with what it was made from.
struct HostTable<'a> {
    def: &'a MapDef,
    map: &'a Map,
}

impl Table for HostTable<'_> {
    fn def(&self) -> &MapDef {
        self.def
    }

    fn value_size(&self) -> usize {
        self.map.value_len()
    }

    fn array(&self) -> Result<Vec<u8>, Errno> {
        match self.def.max_entries {
            1 => self.map.lookup(&[0; 4], 0),
            _ => self.map.read_array(),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        self.map.entries()
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<(), Errno> {
        self.map.update(key, value, 0)
    }

    fn delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.map.delete(key)
    }

    fn pop(&self) -> Result<Vec<u8>, Errno> {
        self.map.lookup_and_delete(&[], 0)
    }
}

impl Host {
    /// Puts programs and maps into the kernel.
    ///
    /// # Errors
    /// [`HostError`], with the errno and the verifier's log.
    pub fn new(set: &Set) -> Result<Host, HostError> {
        Kernel::available()?;
        let first = set.programs.first().ok_or(HostError::Empty)?;
        let shape = shape(first.prog_type).ok_or(HostError::NoTestRun(first.prog_type.name()))?;
        let made = create(&set.programs, &set.others)?;
        let readers = Readers::new(&made.maps)?;
        let keepers = made.maps.iter().map(|(def, map)| Keeper::new(&HostTable { def, map })).collect::<Result<Vec<_>, _>>()?;
        Ok(Host { made, keepers, readers, shape, spent: Duration::ZERO })
    }

    /// How long runs took, all together.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// The program that is run.
    pub fn program(&self) -> &Prog {
        &self.made.programs[0]
    }

    /// The map of this name.
    pub fn map(&self, name: &str) -> Option<&Arc<Map>> {
        self.made.map(name)
    }

    /// Puts all maps into the state of a case: what the map answered to each fill that it refused.
    fn prepare(&mut self, case: &Case) -> Result<BTreeMap<usize, String>, TableError> {
        let mut unfilled = BTreeMap::new();
        for ((def, map), keeper) in self.made.maps.iter().zip(&mut self.keepers) {
            let table = HostTable { def, map };
            keeper.reset(&table)?;
            for (at, fill) in case.fills.iter().enumerate().filter(|(_, fill)| fill.map == def.name) {
                if let Err(errno) = keeper.fill(&table, &fill.key, &fill.value) {
                    unfilled.insert(at, errno.to_string());
                }
            }
        }
        Ok(unfilled)
    }

    fn test_run(&self, case: &Case) -> TestRun {
        let data = case.packet.as_ref().map(|bytes| bytes.0.clone()).unwrap_or_default();
        let ctx = case.context.as_ref().map(|bytes| bytes.0.clone()).unwrap_or_default();
        let (data_out, ctx_out) = match self.shape {
            Shape::Skb => (data.len() + GROWTH, SKB_SIZE),
            Shape::Xdp => (data.len() + GROWTH, XDP_SIZE),
            Shape::FlowDissector => (FLOW_KEYS_SIZE, 0),
            Shape::SkLookup | Shape::Args | Shape::Memory | Shape::Netfilter => (0, 0),
        };
        // The kernel takes room for a context that comes back as a context of zeros that came in.
        let ctx_out = if case.context.is_some() { ctx_out } else { 0 };
        TestRun { data, data_out, ctx, ctx_out, ..TestRun::default() }
    }
}

impl Engine for Host {
    fn run(&mut self, case: &Case) -> Result<Observed, TableError> {
        let unfilled = self.prepare(case)?;
        let (packet, context) = match self.shape {
            Shape::Skb | Shape::Xdp => (true, true),
            Shape::FlowDissector => (true, false),
            Shape::Memory => (false, true),
            Shape::SkLookup | Shape::Args | Shape::Netfilter => (false, false),
        };
        let (run, start) = (self.test_run(case), Instant::now());
        let ran = self.program().test_run(&run);
        self.spent += start.elapsed();
        let ended = match ran {
            Ok(ran) => Ended::Returned {
                value: ran.retval,
                packet: packet.then_some(ran.data.into()),
                context: (context && case.context.is_some()).then_some(ran.ctx.into()),
            },
            Err(errno) => Ended::Refused(errno.to_string()),
        };
        let mut maps = BTreeMap::new();
        for ((def, map), keeper) in self.made.maps.iter().zip(&mut self.keepers) {
            maps.insert(def.name.clone(), keeper.read(&HostTable { def, map })?.clone());
        }
        Ok(Observed { ended, maps, records: self.readers.drain(), unfilled })
    }
}
