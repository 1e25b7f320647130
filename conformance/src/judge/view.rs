//! A run of the interpreter, as the verifier's judge asks of it.

use skep::{At, HeldKind, Target};
use skep_btf::TypeId;
use skep_linux::maps::Lookup;
use skep_memory::{RegionKind, Shape};
use skep_program::{MapDef, Program};
use skep_verifier::kept::{Held, Kept, PacketPlace, Run};
use skep_verifier::state::{MapRef, TypesOf};

/// The most values of a map that are looked at for one pointer.
const MOST_VALUES: u64 = 4096;

/// A run before an instruction, or right after the exit of its last frame.
pub(super) struct View<'a> {
    pub(super) at: &'a At<'a>,
    pub(super) program: &'a Program,
    pub(super) target: &'a Target,
    pub(super) kept: &'a Kept,
    /// Registers of all frames of the run.
    pub(super) regs: &'a [[u64; 11]],
    /// The frames that are judged: the first, and how many.
    pub(super) base: usize,
    pub(super) count: usize,
    /// What is held by callers that are not judged with them.
    pub(super) before: Held,
}

impl View<'_> {
    fn map_def(&self, map: MapRef) -> Option<&MapDef> {
        self.program.maps.get(usize::from(map.0)).map(|def| &**def)
    }

    fn name(&self, types: TypesOf, id: TypeId) -> Option<&str> {
        let btf = match types {
            TypesOf::Kernel => self.target.btf()?,
            TypesOf::Program => self.program.btf.as_ref()?,
        };
        match btf.get(id)? {
            skep_btf::Type::Struct(record) => Some(record.name()),
            _other => None,
        }
    }
}

impl Run for View<'_> {
    fn frames(&self) -> usize {
        self.count
    }

    fn registers(&self, frame: usize) -> [u64; 11] {
        self.regs[self.base + frame]
    }

    fn stack(&self, frame: usize) -> [u8; 512] {
        self.at.stack(self.base + frame)
    }

    fn context(&self) -> u64 {
        self.at.context().block.addr()
    }

    fn packet(&self) -> Option<PacketPlace> {
        let packet = self.at.context().packet.as_ref()?;
        let at = |offset: usize| packet.block.addr() + offset as u64;
        Some(PacketPlace { meta: at(packet.meta), data: at(packet.data), end: at(packet.linear_end) })
    }

    fn values(&self, map: MapRef, low: u64, high: u64) -> Option<Vec<u64>> {
        let def = self.map_def(map)?;
        let name = &def.name;
        match skep_linux::map(def.map_type)?.lookup {
            Lookup::Value | Lookup::ReadOnly | Lookup::None => {}
            // Until it is found not to be NULL, what lookups give counts as a value of the map.
            Lookup::Map | Lookup::Socket | Lookup::XdpSock => return None,
        }
        let mut starts = Vec::new();
        for region in self.at.memory().regions() {
            let ours = matches!(&region.kind, RegionKind::MapValue(of) if **of == **name);
            if !ours || region.end() <= low || region.start() > high {
                continue;
            }
            let stride = match region.shape {
                Shape::Flat => region.len as u64,
                Shape::Cells { stride, .. } => stride,
            }
            .max(1);
            let first = low.saturating_sub(region.start()).div_ceil(stride);
            let last = (high.min(region.end() - 1) - region.start()) / stride;
            if last.saturating_sub(first) > MOST_VALUES {
                return None;
            }
            starts.extend((first..=last).map(|at| region.start() + at * stride));
        }
        Some(starts)
    }

    fn is_map(&self, map: MapRef, addr: u64) -> Option<bool> {
        let found = self.at.map(addr);
        let Some(def) = self.map_def(map) else {
            // A map of a map: it is like the template, and any of them.
            return found.is_none().then_some(false);
        };
        Some(found.is_some_and(|found| found.def().name == def.name))
    }

    fn is_object(&self, types: TypesOf, id: TypeId, addr: u64) -> Option<bool> {
        let Some(region) = self.at.memory().find(addr) else { return Some(false) };
        let name = self.name(types, id)?;
        match &region.kind {
            RegionKind::Kernel(of) | RegionKind::Lent(of) if **of == *name => Some(addr == region.start()),
            // Seen as another type: of a socket, or of what is inside.
            _other => None,
        }
    }

    fn is_function(&self, subprog: u32, addr: u64) -> bool {
        self.kept.function(subprog).is_some_and(|slot| self.at.function(slot) == addr)
    }

    fn piece(&self, addr: u64) -> Option<(u64, u64)> {
        let region = self.at.memory().find(addr)?;
        match region.shape {
            Shape::Flat => Some((region.start(), region.end())),
            Shape::Cells { stride, len } => {
                let start = addr - (addr - region.start()) % stride.max(1);
                (addr < start + len).then_some((start, start + len))
            }
        }
    }

    fn held(&self) -> Held {
        let (all, before) = (held(self.at), self.before);
        Held {
            references: all.references.saturating_sub(before.references),
            locks: all.locks.saturating_sub(before.locks),
            rcu: all.rcu.saturating_sub(before.rcu),
            preempt: all.preempt.saturating_sub(before.preempt),
        }
    }
}

/// All that the run holds.
pub(super) fn held(at: &At<'_>) -> Held {
    let mut held = Held::default();
    for reference in at.held().live() {
        match reference.kind {
            HeldKind::Object(_) | HeldKind::Record | HeldKind::Allocation | HeldKind::Iterator => held.references += 1,
            HeldKind::Lock => held.locks += 1,
            HeldKind::Rcu => held.rcu += 1,
            HeldKind::Preempt => held.preempt += 1,
            HeldKind::Irq => {}
        }
    }
    held
}
