//! A small machine to run bodies in, and the same calls as a program in the host's kernel.
#![allow(dead_code)] // each test uses a part of it

use std::sync::Arc;

use skep_helpers::{Held, HelperFn, Machine, Parts, Stop};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, MapSpec, TestRun};
use skep_linux::{Arch, MapType, ProgType, Release, Target};
use skep_maps::Map;
use skep_memory::{Block, Memory, Region, RegionKind, Shape};
use skep_program::Program;
use skep_world::{Context, Packet, World};

/// Bytes of the memory that calls share.
pub(crate) const MEM: usize = 4096;
/// Bytes of read-only memory, for strings.
pub(crate) const RO: usize = 1024;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg {
    /// A number.
    Num(u64),
    /// An address in the shared memory.
    Mem(usize),
    /// An address in the read-only memory.
    Ro(usize),
    /// The context.
    Ctx,
}

/// Calls to make one after the other, in the kernel and here.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub prog_type: ProgType,
    pub calls: Vec<(Callee, Vec<Arg>)>,
    pub mem: Vec<u8>,
    pub ro: Vec<u8>,
    pub packet: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) enum Callee {
    Helper(u32),
    Kfunc(&'static str),
    /// No call: a store of an address.
    StoreAddress {
        at: usize,
        of: usize,
    },
}

/// What calls left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub rets: Vec<u64>,
    pub mem: Vec<u8>,
    pub packet: Vec<u8>,
}

impl Script {
    pub(crate) fn new(prog_type: ProgType) -> Script {
        Script { prog_type, calls: Vec::new(), mem: vec![0; MEM], ro: vec![0; RO], packet: vec![0; 64] }
    }

    pub(crate) fn helper(mut self, id: u32, args: &[Arg]) -> Script {
        self.calls.push((Callee::Helper(id), args.to_vec()));
        self
    }

    pub(crate) fn kfunc(mut self, name: &'static str, args: &[Arg]) -> Script {
        self.calls.push((Callee::Kfunc(name), args.to_vec()));
        self
    }

    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Script {
        self.mem[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn put_ro(mut self, at: usize, bytes: &[u8]) -> Script {
        self.ro[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Stores the address of shared memory at `of` into shared memory at `at`.
    pub(crate) fn store_address(mut self, at: usize, of: usize) -> Script {
        self.calls.push((Callee::StoreAddress { at, of }, Vec::new()));
        self
    }

    /// Runs it in the host's kernel; the error is the verifier's.
    pub(crate) fn in_kernel(&self) -> Result<Outcome, String> {
        let value = MEM + 8 * self.calls.len();
        let shared = MapSpec::new(MapType::Array, 4, value as u32, 1).create().map_err(|e| format!("map: {e}"))?;
        let mut bytes = self.mem.clone();
        bytes.resize(value, 0);
        shared.update(&[0; 4], &bytes, 0).map_err(|e| format!("update: {e}"))?;
        const RDONLY_PROG: u32 = 1 << 7;
        let ro = MapSpec::new(MapType::Array, 4, RO as u32, 1).flags(RDONLY_PROG).create().map_err(|e| format!("map: {e}"))?;
        ro.update(&[0; 4], &self.ro, 0).map_err(|e| format!("update: {e}"))?;
        ro.freeze().map_err(|e| format!("freeze: {e}"))?;
        let insns = self.program()?;
        let maps = [&shared, &ro];
        let load = Load { maps: &maps, ..Load::raw(self.prog_type, &insns) };
        let prog = load.load().map_err(|e| e.to_string())?;
        let has_packet = has_packet(self.prog_type);
        let input = TestRun {
            data: if has_packet { self.packet.clone() } else { Vec::new() },
            data_out: if has_packet { 1 << 16 } else { 0 },
            ..TestRun::default()
        };
        let ran = prog.test_run(&input).map_err(|e| format!("test run: {e}"))?;
        let after = shared.lookup(&[0; 4], 0).map_err(|e| format!("lookup: {e}"))?;
        let rets = after[MEM..].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
        let packet = if has_packet { ran.data } else { Vec::new() };
        Ok(Outcome { rets, mem: after[..MEM].to_vec(), packet })
    }

    fn program(&self) -> Result<Vec<RawInsn>, String> {
        // r6 = ctx; r7 = shared memory; then each call, and its result into the memory behind
        let mut insns = vec![mov(6, 1), wide(7, 6, 0), RawInsn::default()];
        for (n, (callee, args)) in self.calls.iter().enumerate() {
            for (i, arg) in args.iter().enumerate() {
                let reg = i as u8 + 1;
                match *arg {
                    Arg::Num(value) => {
                        insns.push(RawInsn::new(0x18, reg, 0, 0, value as i32));
                        insns.push(RawInsn::new(0, 0, 0, 0, (value >> 32) as i32));
                    }
                    Arg::Mem(at) => insns.extend([mov(reg, 7), RawInsn::new(0x07, reg, 0, 0, at as i32)]),
                    Arg::Ro(at) => insns.extend([wide(reg, 6, 1), RawInsn::new(0, 0, 0, 0, at as i32)]),
                    Arg::Ctx => insns.push(mov(reg, 6)),
                }
            }
            match callee {
                Callee::Helper(id) => insns.push(RawInsn::new(0x85, 0, 0, 0, *id as i32)),
                Callee::Kfunc(name) => {
                    let id = kernel_btf().find(name, skep_btf::Kind::Func).ok_or(format!("no kfunc {name}"))?;
                    insns.push(RawInsn::new(0x85, 0, 2, 0, id.0 as i32));
                }
                Callee::StoreAddress { at, of } => {
                    insns.extend([mov(1, 7), RawInsn::new(0x07, 1, 0, 0, *of as i32)]);
                    insns.push(RawInsn::new(0x7b, 7, 1, *at as i16, 0));
                    insns.push(RawInsn::new(0xb7, 0, 0, 0, 0));
                }
            }
            insns.push(RawInsn::new(0x7b, 7, 0, (MEM + 8 * n) as i16, 0));
        }
        insns.extend([RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)]);
        Ok(insns)
    }

    /// Runs it in a machine made for it.
    pub(crate) fn in_skep(&self) -> Result<Outcome, Stop> {
        let mut machine = TestMachine::new(self.prog_type, &self.packet);
        self.run_in(&mut machine)
    }

    /// Runs it in a machine.
    pub(crate) fn run_in(&self, machine: &mut TestMachine) -> Result<Outcome, Stop> {
        let mem = Block::from_bytes(&self.mem);
        let ro = Block::from_bytes(&self.ro);
        machine.memory.add(Region::whole(RegionKind::MapValue("shared".into()), mem.clone(), true));
        machine.memory.add(Region::whole(RegionKind::MapValue("ro".into()), ro.clone(), false));
        let mut rets = Vec::new();
        for (callee, args) in &self.calls {
            if let Callee::StoreAddress { at, of } = callee {
                mem.store(*at, 8, mem.addr() + *of as u64);
                rets.push(0);
                continue;
            }
            let mut regs = [0; 5];
            for (reg, arg) in regs.iter_mut().zip(args) {
                *reg = match *arg {
                    Arg::Num(value) => value,
                    Arg::Mem(at) => mem.addr() + at as u64,
                    Arg::Ro(at) => ro.addr() + at as u64,
                    Arg::Ctx => machine.context.block.addr(),
                };
            }
            rets.push(body(callee)(machine, regs)?);
        }
        let packet = machine.context.packet.as_ref().map(|p| p.block.bytes(p.data, p.end - p.data)).unwrap_or_default();
        Ok(Outcome { rets, mem: mem.bytes(0, MEM), packet })
    }

    /// Compares the two.
    #[track_caller]
    pub(crate) fn compare(&self) -> Outcome {
        self.compare_but(0..0)
    }

    /// Compares the two but for this part of the memory, which holds addresses.
    #[track_caller]
    pub(crate) fn compare_but(&self, hole: std::ops::Range<usize>) -> Outcome {
        let mut ours = self.in_skep().unwrap_or_else(|stop| panic!("{stop:?} of {:?}", self.calls));
        let mut theirs = self.in_kernel().unwrap_or_else(|e| panic!("{e} of {:?}", self.calls));
        ours.mem[hole.clone()].fill(0);
        theirs.mem[hole].fill(0);
        assert_eq!(ours.rets, theirs.rets, "return values (left: skep) of {:?}", self.calls);
        same_bytes("memory", &ours.mem, &theirs.mem, &self.calls);
        if has_packet(self.prog_type) {
            same_bytes("packet", &ours.packet, &theirs.packet, &self.calls);
        }
        ours
    }
}

#[track_caller]
fn same_bytes(what: &str, ours: &[u8], theirs: &[u8], calls: &dyn std::fmt::Debug) {
    if ours != theirs {
        let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
        let piece = |bytes: &[u8]| bytes[at.min(bytes.len())..(at + 32).min(bytes.len())].to_vec();
        panic!(
            "{what} at {at} of {} and {} bytes: skep {:x?}, kernel {:x?}, after {calls:?}",
            ours.len(),
            theirs.len(),
            piece(ours),
            piece(theirs)
        );
    }
}

fn has_packet(prog_type: ProgType) -> bool {
    !matches!(prog_type, ProgType::Syscall | ProgType::RawTracepoint | ProgType::SkLookup)
}

fn mov(dst: u8, src: u8) -> RawInsn {
    RawInsn::new(0xbf, dst, src, 0, 0)
}

fn wide(dst: u8, pseudo: u8, map: i32) -> RawInsn {
    RawInsn::new(0x18, dst, pseudo, 0, map)
}

pub(crate) fn body(callee: &Callee) -> HelperFn {
    match callee {
        Callee::Helper(id) => skep_helpers::helper(*id).unwrap_or_else(|| panic!("no body of helper {id}")),
        Callee::Kfunc(name) => skep_helpers::kfunc(name).unwrap_or_else(|| panic!("no body of {name}")),
        Callee::StoreAddress { .. } => panic!("not a call"),
    }
}

/// The types of the host's kernel.
pub(crate) fn kernel_btf() -> skep_btf::Btf {
    use std::sync::OnceLock;
    static BTF: OnceLock<skep_btf::Btf> = OnceLock::new();
    BTF.get_or_init(|| {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").expect("the kernel's BTF");
        skep_btf::Btf::parse(&bytes).expect("the kernel's BTF")
    })
    .clone()
}

/// Says so, once in a test, and returns false where the kernel cannot be asked.
pub(crate) fn kernel() -> bool {
    // A test is a thread.
    thread_local!(static SAID: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            if !SAID.replace(true) {
                println!("skipped: needs {why}");
            }
            false
        }
    }
}

/// What stands for a function of the program: given its address and arguments.
pub(crate) type Callback = fn(&mut TestMachine, u64, [u64; 5]) -> Result<u64, Stop>;

/// State of a run without instructions.
pub(crate) struct TestMachine {
    pub memory: Memory,
    pub world: World,
    pub context: Context,
    pub held: Held,
    pub program: Program,
    pub maps: Vec<Arc<dyn Map>>,
    /// Addresses that callbacks were called with, and what they return.
    pub callback: Option<Callback>,
}

impl TestMachine {
    pub(crate) fn new(prog_type: ProgType, packet: &[u8]) -> TestMachine {
        let target = Target::new(Release::new(6, 18), Arch::X86_64);
        let mut memory = Memory::new();
        let context = context(prog_type, packet, &mut memory);
        let program = Program {
            name: "test".into(),
            section: String::new(),
            prog_type,
            attach_type: None,
            attach_to: None,
            attach_btf_id: None,
            flags: 0,
            license: "GPL".into(),
            kern_version: 0,
            insns: Vec::new(),
            maps: Vec::new(),
            btf: None,
            funcs: Vec::new(),
            lines: Vec::new(),
            kfuncs: Vec::new(),
            ksyms: Vec::new(),
        };
        TestMachine {
            memory,
            world: World::new(Arc::new(target)),
            context,
            held: Held::default(),
            program,
            maps: Vec::new(),
            callback: None,
        }
    }

    /// User memory with these bytes; its address.
    pub(crate) fn user(&mut self, bytes: &[u8], writable: bool) -> u64 {
        let block = Block::from_bytes(bytes);
        let region = Region { kind: RegionKind::User, offset: 0, len: bytes.len(), shape: Shape::Flat, writable, block };
        let addr = region.start();
        self.memory.add(region);
        addr
    }
}

fn context(prog_type: ProgType, packet: &[u8], memory: &mut Memory) -> Context {
    let block = Block::zeroed(256);
    memory.add(Region::whole(RegionKind::Context, block.clone(), true));
    let mut context = Context::new(prog_type, None, Arch::X86_64, block);
    context.packet = has_packet(prog_type).then(|| Packet::new(packet, 256, 4096));
    context
}

impl Machine for TestMachine {
    fn parts(&mut self) -> Parts<'_> {
        Parts { memory: &mut self.memory, world: &mut self.world, context: &mut self.context, held: &mut self.held }
    }

    fn program(&self) -> &Program {
        &self.program
    }

    fn map(&self, handle: u64) -> Option<Arc<dyn Map>> {
        self.maps.iter().find(|m| m.handle().addr() == handle).cloned()
    }

    fn find_map(&self, which: &dyn Fn(&dyn Map) -> bool) -> Option<Arc<dyn Map>> {
        self.maps.iter().find(|map| which(map.as_ref())).cloned()
    }

    fn adopt(&mut self, map: Arc<dyn Map>) -> u64 {
        let handle = map.handle().addr();
        self.maps.push(map);
        handle
    }

    fn call(&mut self, function: u64, args: [u64; 5]) -> Result<u64, Stop> {
        match self.callback {
            Some(callback) => callback(self, function, args),
            None => Ok(0),
        }
    }
}
