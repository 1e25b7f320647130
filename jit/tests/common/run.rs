//! Maps compiled code and enters it, for tests.
#![allow(unsafe_code)] // calls what was compiled; see ARCHITECTURE.md

use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use skep_isa::{AtomicOp, RawInsn, Wide, eval};
use skep_jit::{Code, Env, Error, Options, Ret, Status, atomic_of, compile, load_of};
use skep_linux::ProgType;
use skep_program::{Facts, Program, Verified};

/// A program for which a test vouches.
pub(crate) fn vouched(prog_type: ProgType, insns: &[RawInsn], facts: Facts) -> Verified<Program> {
    let program = Program::bare("test", prog_type, insns);
    // SAFETY: tests write programs that touch their stack and what the test lends them, or they do not run them.
    unsafe { Verified::new_unchecked(Arc::new(program), facts) }
}

/// Compiles instructions for which a test vouches.
pub(crate) fn build_for(prog_type: ProgType, insns: &[RawInsn], facts: Facts, options: &Options) -> Result<Code, Error> {
    compile(&vouched(prog_type, insns, facts), options, &mut |slot: usize, value: Wide| match value {
        Wide::MapIndex(index) => 0x1234_5678_9abc_0000 | index as u64,
        _ => slot as u64,
    })
}

/// A call of the runtime, as it came: callee, slot, `r1` to `r5`.
pub(crate) type Call = (u32, u32, [u64; 5]);

/// What a test answers to a call.
pub(crate) type Answer = Box<dyn FnMut(&mut World, Call) -> Ret>;

/// The runtime of a test. The [`Env`] is its beginning.
#[repr(C)]
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) calls: Vec<Call>,
    /// Slots of accesses that came here.
    pub(crate) accesses: Vec<u32>,
    pub(crate) answer: Option<Answer>,
    /// Stacks of frames, from the first.
    pub(crate) stack: Vec<u64>,
    pub(crate) packet: Vec<u8>,
}

impl World {
    pub(crate) fn new() -> World {
        World::of(8)
    }

    /// With stacks for so many frames.
    pub(crate) fn of(frames: usize) -> World {
        let mut env = Env { context: 0xc0de, ..Env::default() };
        env.call = call as *const () as u64;
        env.load = load as *const () as u64;
        env.store = store as *const () as u64;
        env.atomic = atomic as *const () as u64;
        env.packet = packet as *const () as u64;
        env.cast = cast as *const () as u64;
        let stack = vec![0; frames * 576 / 8];
        World { env, calls: Vec::new(), accesses: Vec::new(), answer: None, stack, packet: (0..64).collect() }
    }

    /// `r10` of the first function.
    pub(crate) fn frame(&self) -> u64 {
        self.stack.as_ptr() as u64 + 512
    }
}

/// The world that an [`Env`] begins.
fn world<'a>(env: *mut Env) -> &'a mut World {
    // SAFETY: tests enter code with the env of a world only, and code hands on what it got.
    unsafe { &mut *env.cast::<World>() }
}

extern "C" fn call(env: *mut Env, r1: u64, r2: u64, r3: u64, r4: u64, r5: u64) -> Ret {
    let world = world(env);
    let call = (world.env.callee, world.env.slot, [r1, r2, r3, r4, r5]);
    world.calls.push(call);
    let Some(mut answer) = world.answer.take() else { return Ret::go_on(r1.wrapping_mul(3) ^ r5) };
    let ret = answer(world, call);
    world.answer = Some(answer);
    ret
}

extern "C" fn load(env: *mut Env, address: u64, code: u64) -> Ret {
    let world = world(env);
    world.accesses.push(world.env.slot);
    if address < 4096 {
        return Ret::end(Status::Stop);
    }
    let (size, signed) = load_of(code).expect("a code of a load");
    let mut bytes = [0; 8];
    // SAFETY: the test's program was made to load from its stack only.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), size.bytes().into()) };
    let value = u64::from_le_bytes(bytes);
    Ret::go_on(if signed { eval::sign_extend(size, value) } else { value })
}

extern "C" fn store(env: *mut Env, address: u64, bytes: u64, value: u64) -> Ret {
    let world = world(env);
    world.accesses.push(world.env.slot);
    // SAFETY: as in `load`.
    unsafe { std::ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), address as *mut u8, bytes as usize) };
    Ret::go_on(!0)
}

extern "C" fn atomic(env: *mut Env, address: u64, code: u64, value: u64, r0: u64) -> Ret {
    let (op, size): (AtomicOp, _) = atomic_of(code).expect("a code of an atomic operation");
    let old = load(env, address, size.bytes().into()).value;
    let new = eval::atomic(op, size, old, value, r0);
    // SAFETY: as in `load`.
    unsafe { std::ptr::copy_nonoverlapping(new.to_le_bytes().as_ptr(), address as *mut u8, size.bytes().into()) };
    Ret::go_on(old)
}

extern "C" fn packet(env: *mut Env, offset: u64, bytes: u64) -> Ret {
    let world = world(env);
    let from = offset as u32 as usize;
    if from == 0xdead {
        return Ret::end(Status::Stop);
    }
    match world.packet.get(from..from + bytes as usize) {
        Some(bytes) => Ret::go_on(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))),
        None => Ret::end(Status::Miss),
    }
}

extern "C" fn cast(_env: *mut Env, pointer: u64, to: u64) -> Ret {
    Ret::go_on(pointer | to << 48)
}

/// Code that can be entered.
pub(crate) struct Native {
    map: Mmap,
    pub(crate) code: Code,
}

impl Native {
    pub(crate) fn new(code: Code) -> Native {
        let mut map = MmapMut::map_anon(code.bytes.len()).unwrap();
        map.copy_from_slice(&code.bytes);
        Native { map: map.make_exec().unwrap(), code }
    }

    /// The address of the function that begins at a slot.
    pub(crate) fn function(&self, slot: usize) -> u64 {
        self.map.as_ptr() as u64 + u64::from(self.code.functions[&slot])
    }

    /// Enters the function at a slot.
    pub(crate) fn enter(&self, world: &mut World, slot: usize, args: [u64; 5], frame: u64) -> Ret {
        type Entry = extern "C" fn(*mut Env, u64, *const [u64; 5], u64) -> Ret;
        let entry = self.map[self.code.entry as usize..].as_ptr();
        // SAFETY: the entry is a function of this type, in code that a test vouched for.
        let entry: Entry = unsafe { std::mem::transmute(entry) };
        entry(std::ptr::from_mut(world).cast(), self.function(slot), &args, frame)
    }

    /// Runs the program.
    pub(crate) fn run(&self, world: &mut World, args: [u64; 5]) -> Ret {
        let frame = world.frame();
        self.enter(world, 0, args, frame)
    }
}
