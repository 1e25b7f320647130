//! A call in progress: arguments, and guest memory with errors that name the argument.

use std::sync::Arc;

use skep_linux::Errno;
use skep_maps::{Caller, Map};
use skep_memory::{Access, Fault, Memory};

use crate::{HelperFn, Machine, Parts, Stop, Trap};

/// Why a body did not produce a value.
pub(crate) enum Fail {
    /// The helper returns this error.
    Errno(Errno),
    /// The run does not go on after the call.
    Stop(Stop),
}

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Fail {
        Fail::Errno(errno)
    }
}

impl From<Stop> for Fail {
    fn from(stop: Stop) -> Fail {
        Fail::Stop(stop)
    }
}

impl From<Trap> for Fail {
    fn from(trap: Trap) -> Fail {
        Fail::Stop(Stop::Trap(trap))
    }
}

/// What a body returns: the value of `r0`, an error number, or a reason to stop.
pub(crate) type Done = Result<u64, Fail>;

/// Row of a table: the number of a helper, its name in uapi and its body.
pub(crate) type HelperBody = (u32, &'static str, HelperFn);

/// Row of a table: the name of a kfunc and its body.
pub(crate) type KfuncBody = (&'static str, HelperFn);

/// Number, name and body of each helper of a family. An error number becomes a negative 64-bit `r0`.
macro_rules! helpers {
    ($($id:literal $name:literal => $body:expr),* $(,)?) => {
        pub(crate) const HELPERS: &[crate::call::HelperBody] = &[$((
            $id,
            $name,
            |machine, args| crate::call::run(machine, $name, args, $body, crate::call::as_long),
        )),*];
    };
}
pub(crate) use helpers;

/// Name and body of each kfunc of a family. An error number becomes a negative 32-bit `r0`, as a function that returns `int` leaves it.
macro_rules! kfuncs {
    ($($name:literal => $body:expr),* $(,)?) => {
        pub(crate) const KFUNCS: &[crate::call::KfuncBody] = &[$((
            $name,
            |machine, args| crate::call::run(machine, $name, args, $body, crate::call::as_int),
        )),*];
    };
}
pub(crate) use kfuncs;

pub(crate) fn as_long(errno: Errno) -> u64 {
    errno.negated()
}

pub(crate) fn as_int(errno: Errno) -> u64 {
    int(-errno.0)
}

/// A C `int` in a 64-bit register, as compiled functions return it: the upper half is zero.
pub(crate) fn int(value: i32) -> u64 {
    u64::from(value as u32)
}

pub(crate) fn run(
    machine: &mut dyn Machine,
    name: &'static str,
    args: [u64; 5],
    body: fn(&mut Call<'_>) -> Done,
    errno: fn(Errno) -> u64,
) -> Result<u64, Stop> {
    match body(&mut Call { machine, name, args }) {
        Ok(value) => Ok(value),
        Err(Fail::Errno(e)) => Ok(errno(e)),
        Err(Fail::Stop(stop)) => Err(stop),
    }
}

/// A call of a helper or kfunc.
pub(crate) struct Call<'m> {
    pub(crate) machine: &'m mut dyn Machine,
    /// The name, for messages.
    pub(crate) name: &'static str,
    /// `r1` to `r5`.
    pub(crate) args: [u64; 5],
}

impl Call<'_> {
    pub(crate) fn parts(&mut self) -> Parts<'_> {
        self.machine.parts()
    }

    pub(crate) fn memory(&mut self) -> &mut Memory {
        self.machine.parts().memory
    }

    pub(crate) fn world(&mut self) -> &mut skep_world::World {
        self.machine.parts().world
    }

    /// An argument by its number, from 1.
    pub(crate) fn arg(&self, n: usize) -> u64 {
        self.args[n - 1]
    }

    /// The low half of an argument, for parameters that C declares with 32 bits.
    pub(crate) fn arg32(&self, n: usize) -> u32 {
        self.args[n - 1] as u32
    }

    /// The trap for an argument that is not what the prototype asks for.
    pub(crate) fn bad(&self, n: usize, what: impl std::fmt::Display) -> Fail {
        Trap::Argument { helper: self.name, what: format!("argument {n}: {what}") }.into()
    }

    /// The trap for what skep has no model of.
    pub(crate) fn not_simulated(&self, what: impl std::fmt::Display) -> Fail {
        Trap::NotSimulated(format!("{}: {what}", self.name)).into()
    }

    fn named<T>(&self, n: usize, result: Result<T, Fault>) -> Result<T, Fail> {
        result.map_err(|fault| self.bad(n, fault))
    }

    /// A copy of the memory that argument `n` points to.
    pub(crate) fn bytes(&mut self, n: usize, len: u64) -> Result<Vec<u8>, Fail> {
        let addr = self.arg(n);
        let read = self.machine.parts().memory.bytes(addr, len);
        self.named(n, read)
    }

    /// As [`Call::bytes`], into a buffer.
    pub(crate) fn read(&mut self, n: usize, out: &mut [u8]) -> Result<(), Fail> {
        let addr = self.arg(n);
        let read = self.machine.parts().memory.read(addr, out);
        self.named(n, read)
    }

    /// The number that argument `n` points to.
    pub(crate) fn load(&mut self, n: usize, offset: u64, size: u64) -> Result<u64, Fail> {
        let addr = self.arg(n).wrapping_add(offset);
        let read = self.machine.parts().memory.load(addr, size);
        self.named(n, read)
    }

    /// Writes a number where argument `n` points to.
    pub(crate) fn store(&mut self, n: usize, offset: u64, size: u64, value: u64) -> Result<(), Fail> {
        let addr = self.arg(n).wrapping_add(offset);
        let written = self.machine.parts().memory.store(addr, size, value);
        self.named(n, written)
    }

    /// Writes where argument `n` points to.
    pub(crate) fn write(&mut self, n: usize, bytes: &[u8]) -> Result<(), Fail> {
        let addr = self.arg(n);
        let written = self.machine.parts().memory.write(addr, bytes);
        self.named(n, written)
    }

    /// Sets `len` bytes where argument `n` points to; nothing is allocated before the access is tested.
    pub(crate) fn fill(&mut self, n: usize, len: u64, value: u8) -> Result<(), Fail> {
        if len == 0 {
            return Ok(());
        }
        let addr = self.arg(n);
        let checked = self.machine.parts().memory.check(addr, len, Access::Write).map(|(region, at)| {
            region.block.fill(at, len as usize, value);
        });
        self.named(n, checked)
    }

    /// Tests that argument `n` points to `len` bytes that may be written.
    pub(crate) fn writable(&mut self, n: usize, len: u64) -> Result<(), Fail> {
        if len == 0 {
            return Ok(());
        }
        let addr = self.arg(n);
        let checked = self.machine.parts().memory.check(addr, len, Access::Write).map(|_| ());
        self.named(n, checked)
    }

    /// The map that argument `n` names.
    pub(crate) fn map(&self, n: usize) -> Result<Arc<dyn Map>, Fail> {
        self.machine.map(self.arg(n)).ok_or_else(|| self.bad(n, format_args!("{:#x} names no map", self.arg(n))))
    }

    /// Argument `n` as the context of the run, or as the socket buffer that the context leads to.
    pub(crate) fn context(&mut self, n: usize) -> Result<&mut skep_world::Context, Fail> {
        let addr = self.arg(n);
        let context = self.machine.parts().context;
        if context.block.addr() != addr && (addr == 0 || context.pointer("skb") != addr) {
            return Err(self.bad(n, format_args!("{addr:#x} is not the context")));
        }
        Ok(self.machine.parts().context)
    }

    /// Where the program stands, as maps see it.
    pub(crate) fn caller(&mut self) -> Caller {
        Caller { cpu: self.machine.parts().world.cpu }
    }

    /// Makes a kernel object or other memory reachable, under an address that programs hold.
    pub(crate) fn lend(&mut self, kind: skep_memory::RegionKind, block: Arc<skep_memory::Block>, writable: bool) -> u64 {
        let addr = block.addr();
        self.memory().add(skep_memory::Region::whole(kind, block, writable));
        addr
    }
}
