//! Compiled programs: where their code lies, and the functions through which it reaches the run.
//!
//! Code and runtime share an [`Env`], which lies in a block, as all memory that programs and the host share.
#![allow(unsafe_code)] // enters compiled code, and is called by it; see ARCHITECTURE.md

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;
use std::mem::{offset_of, size_of};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use skep_isa::{Callee, eval};
use skep_jit::{Code, Env, Ret, Status, atomic_of, load_of};
use skep_memory::Block;

use crate::engine::{Engine, Hook};

/// Machine code of one program, ready to run. Its pages were written before they became executable, and cannot be written since.
#[derive(Debug)]
pub(crate) struct Native {
    code: Mmap,
    entry: usize,
    /// Offsets of functions by their first slots.
    functions: BTreeMap<usize, u32>,
    /// What its calls go to, as [`Linked::calls`](crate::link::Linked::calls) has them.
    pub(crate) callees: Vec<usize>,
    /// What its slots count from.
    pub(crate) first_slot: u32,
    /// Where the code of each slot begins.
    pub(crate) slots: Vec<u32>,
}

impl Native {
    /// Maps the code. `calls` are the callees that the program's links are for, in their order.
    pub(crate) fn new(code: Code, calls: &[Callee], first_slot: u32) -> io::Result<Native> {
        let Code { bytes, entry, functions, callees, slots } = code;
        let mut pages = MmapMut::map_anon(bytes.len().max(1))?;
        pages[..bytes.len()].copy_from_slice(&bytes);
        let callees = callees.iter().map(|callee| calls.iter().position(|known| known == callee));
        let callees = callees.collect::<Option<Vec<usize>>>();
        let callees = callees.ok_or_else(|| io::Error::other("compiled code calls what the program does not"))?;
        let code = pages.make_exec()?;
        show_to_fetch(&code);
        Ok(Native { code, entry: entry as usize, functions, callees, first_slot, slots })
    }

    /// How many functions it has.
    pub(crate) fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Address of the function at a slot.
    pub(crate) fn function(&self, slot: usize) -> Option<u64> {
        Some(self.code.as_ptr() as u64 + u64::from(*self.functions.get(&slot)?))
    }

    /// Whether a slot, as code tells it, is one of its own.
    pub(crate) fn has(&self, place: u32) -> bool {
        (place.wrapping_sub(self.first_slot) as usize) < self.slots.len()
    }
}

/// Lets the processor fetch what was written. Only some have caches for instructions that do not see stores.
#[cfg(not(target_arch = "aarch64"))]
fn show_to_fetch(_: &[u8]) {}

/// Lets the processor fetch what was written: its caches for instructions do not see stores.
#[cfg(target_arch = "aarch64")]
fn show_to_fetch(code: &[u8]) {
    use std::arch::asm;
    /// The shortest line that a cache may have.
    const LINE: usize = 16;
    let lines = || (0..code.len().div_ceil(LINE)).map(|line| code.as_ptr().wrapping_add(line * LINE));
    // SAFETY: the addresses lie in the mapping, whose length is rounded up to pages; cleaning and invalidating lines changes no memory.
    unsafe {
        lines().for_each(|line| asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)));
        asm!("dsb ish", options(nostack, preserves_flags));
        lines().for_each(|line| asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)));
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

/// What code and runtime share in the runs of an instance.
#[derive(Debug)]
pub(crate) struct Shared {
    block: Arc<Block>,
}

/// Where the block keeps the address of the engine.
const ENGINE: usize = size_of::<Env>();

impl Shared {
    pub(crate) fn new() -> Shared {
        Shared { block: Block::zeroed(size_of::<Env>() + 8) }
    }

    /// `r10` of the function that called.
    pub(crate) fn frame(&self) -> u64 {
        self.block.load(offset_of!(Env, frame), 8)
    }

    pub(crate) fn set_frame(&self, address: u64) {
        self.block.store(offset_of!(Env, frame), 8, address);
    }

    /// `r1` of programs that tail calls go to.
    pub(crate) fn set_context(&self, address: u64) {
        self.block.store(offset_of!(Env, context), 8, address);
    }

    /// What fields of the context yield that stand for the packet.
    pub(crate) fn set_packet(&self, start: u64, end: u64, meta: u64) {
        self.block.store(offset_of!(Env, packet_start), 8, start);
        self.block.store(offset_of!(Env, packet_end), 8, end);
        self.block.store(offset_of!(Env, packet_meta), 8, meta);
    }

    /// Where a tail call goes.
    pub(crate) fn set_tail_target(&self, address: u64) {
        self.block.store(offset_of!(Env, tail_target), 8, address);
    }

    fn u32(&self, offset: usize) -> u32 {
        self.block.load(offset, 4) as u32
    }

    /// The instruction that called the runtime.
    pub(crate) fn place(&self) -> u32 {
        self.u32(offset_of!(Env, slot))
    }

    /// What it called, by index.
    pub(crate) fn callee(&self) -> usize {
        self.u32(offset_of!(Env, callee)) as usize
    }
}

/// Enters the function of a program. What ended the run early is in the core.
pub(crate) fn enter<H: Hook>(engine: &mut Engine<'_, H>, native: &Native, function: u64, args: [u64; 5], frame: u64) -> Ret {
    let engine: *mut Engine<'_, H> = engine;
    let env = {
        // SAFETY: the engine was borrowed by the caller, and nobody else uses it here.
        let shared = unsafe { &(*engine).core.shared };
        let functions: [(usize, *const c_void); 6] = [
            (offset_of!(Env, call), call::<H> as *const c_void),
            (offset_of!(Env, load), load::<H> as *const c_void),
            (offset_of!(Env, store), store::<H> as *const c_void),
            (offset_of!(Env, atomic), atomic::<H> as *const c_void),
            (offset_of!(Env, packet), packet::<H> as *const c_void),
            (offset_of!(Env, cast), cast::<H> as *const c_void),
        ];
        functions.iter().for_each(|(offset, function)| shared.block.store(*offset, 8, *function as u64));
        shared.block.store(ENGINE, 8, engine as u64);
        shared.block.addr() as *mut Env
    };
    type Entry = extern "C" fn(*mut Env, u64, *const [u64; 5], u64) -> Ret;
    // SAFETY: `native` holds code that `skep_jit::compile` made of a verified program, executable and alive as long as it is borrowed; at
    // `entry` it has a function of this type.
    let entry = unsafe { std::mem::transmute::<*const u8, Entry>(native.code.as_ptr().add(native.entry)) };
    // The code calls back with `env`, behind which the address of the engine stands. Until it returns, only those calls use the engine.
    entry(env, function, &raw const args, frame)
}

/// The engine of the run that an environment belongs to.
///
/// # Safety
/// `env` is the one that [`enter`] gave to code that has not returned, and the engine is not used otherwise while the result lives.
unsafe fn engine<'a, 'e, H: Hook>(env: *mut Env) -> &'a mut Engine<'e, H> {
    // SAFETY: behind the environment stands the address of the engine that `enter` borrowed for this run, with the same `H`, since code gets
    // the functions of its own engine only. The borrow lasts until the code returns, and the caller promises not to use it twice.
    unsafe { &mut *(*env.cast::<u8>().add(ENGINE).cast::<u64>() as *mut Engine<'e, H>) }
}

/// Runs a function of the runtime for compiled code. A panic must not unwind through code that has no tables for it: it ends the process.
macro_rules! runtime {
    ($name:ident, |$engine:ident, $($arg:ident),*| $body:expr) => {
        extern "C" fn $name<H: Hook>(env: *mut Env, $($arg: u64),*) -> Ret {
            // SAFETY: only compiled code calls this, with the environment that it was entered with; the reference ends with this call.
            let $engine = unsafe { engine::<H>(env) };
            $engine.at_place();
            $body
        }
    };
}

runtime!(call, |engine, r1, r2, r3, r4, r5| engine.called([r1, r2, r3, r4, r5]));
runtime!(load, |engine, addr, code| {
    let Some((size, signed)) = load_of(code) else { return Ret::end(Status::Stop) };
    let loaded = engine.core.load(engine.core.pc, addr, size.bytes().into());
    engine.answer(loaded.map(|value| if signed { eval::sign_extend(size, value) } else { value }))
});
runtime!(store, |engine, addr, bytes, value| {
    let stored = engine.core.store(engine.core.pc, addr, bytes, value);
    engine.answer(stored.map(|()| 0))
});
runtime!(atomic, |engine, addr, code, value, r0| {
    let Some((op, size)) = atomic_of(code) else { return Ret::end(Status::Stop) };
    engine.core.regs[0] = r0;
    let done = engine.core.atomic(addr, op, size, value);
    engine.answer(done)
});
runtime!(packet, |engine, offset, bytes| match engine.core.context.load_packet(offset as u32 as i32, bytes as usize) {
    Some(value) => Ret::go_on(value),
    None => Ret::end(Status::Miss),
});
runtime!(cast, |engine, pointer, _to| Ret::go_on(engine.core.linked.user_pointer(pointer)));
