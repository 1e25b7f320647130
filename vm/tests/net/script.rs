//! Programs that call helpers one after the other, run in skep and in the host's kernel on the same input.

use std::sync::Arc;

use skep::{AttachType, Input, Instance, MapDef, MapType, ProgType, Program, RunError, Target, World};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Loaded, LogLevel, TestRun};
use skep_linux::Arch;
use skep_linux::contexts::{self, Access, Yields};

/// Bytes of the memory that calls share.
pub(crate) const MEM: usize = 2048;
/// Room for a packet that comes back.
const DATA_OUT: usize = 1 << 17;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg {
    /// A number.
    Num(u64),
    /// An address in the shared memory.
    Mem(usize),
    /// The context.
    Ctx,
    /// A map, by its place in [`Script::maps`].
    Map(usize),
    /// The pointer that a [`Step::Pointer`] returned, by its place among the steps.
    Ret(usize),
    /// The pointer in the field at an offset of the context, which must not be NULL.
    Field(i16),
}

/// What a program does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Calls a helper and keeps what it returns.
    Call(u32, Vec<Arg>),
    /// Calls a helper that returns a pointer, and keeps whether it is NULL; then the steps behind are skipped, up to the last one if it
    /// is a call that gives an earlier pointer back.
    Pointer(u32, Vec<Arg>),
    /// Reads as many bytes (4 or 2) at an offset of what a [`Step::Pointer`] returned.
    Load(usize, i16, u8),
    /// Keeps every number in the context that the program may read, and how far the packet's pointers lie apart.
    Snapshot,
}

/// A program, and what it is run on.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) prog_type: ProgType,
    pub(crate) attach_type: Option<AttachType>,
    pub(crate) flags: u32,
    pub(crate) steps: Vec<Step>,
    pub(crate) mem: Vec<u8>,
    pub(crate) packet: Vec<u8>,
    pub(crate) ctx: Vec<u8>,
    pub(crate) test_flags: u32,
    pub(crate) ret: i32,
    pub(crate) maps: Vec<Arc<MapDef>>,
    /// Values of these maps: map, key, value.
    pub(crate) fill: Vec<(usize, Vec<u8>, Vec<u8>)>,
    /// Sockets in these maps: map, key, descriptor, cookie in the world.
    pub(crate) sockets: Vec<(usize, Vec<u8>, i32, u64)>,
    /// The kernel around it.
    pub(crate) world: World,
}

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) retval: u32,
    pub(crate) rets: Vec<u64>,
    pub(crate) mem: Vec<u8>,
    pub(crate) packet: Vec<u8>,
    pub(crate) ctx: Vec<u8>,
    /// By name of the field.
    pub(crate) seen: Vec<Vec<(String, u64)>>,
}

/// A field that a snapshot reads: name, offset, bytes.
type Seen = (String, i16, u8);

impl Script {
    pub(crate) fn new(prog_type: ProgType, packet: &[u8]) -> Script {
        let target = Arc::new(Target::new(skep::Release::new(6, 18), Arch::X86_64));
        Script {
            prog_type,
            attach_type: None,
            flags: 0,
            steps: Vec::new(),
            mem: vec![0; MEM],
            packet: packet.to_vec(),
            ctx: Vec::new(),
            test_flags: 0,
            ret: 0,
            maps: Vec::new(),
            fill: Vec::new(),
            sockets: Vec::new(),
            world: World::new(target),
        }
    }

    pub(crate) fn call(mut self, id: u32, args: &[Arg]) -> Script {
        self.steps.push(Step::Call(id, args.to_vec()));
        self
    }

    pub(crate) fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }

    pub(crate) fn snapshot(self) -> Script {
        self.step(Step::Snapshot)
    }

    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Script {
        self.mem[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Sets bytes of the context that the run starts with.
    pub(crate) fn context(mut self, at: usize, bytes: &[u8]) -> Script {
        let len = self.ctx.len().max(at + bytes.len());
        self.ctx.resize(len, 0);
        self.ctx[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn map(mut self, def: MapDef) -> Script {
        self.maps.push(Arc::new(def));
        self
    }

    fn attach(&self) -> AttachType {
        self.attach_type.unwrap_or(AttachType::CgroupInetIngress)
    }

    /// What snapshots read: numbers by their fields, and the packet's pointers.
    fn fields(&self) -> Vec<Seen> {
        let row = contexts::context(self.prog_type, Arch::X86_64).expect("a context");
        let mut fields = Vec::new();
        for field in row.fields.iter().filter(|field| field.yields == Yields::Number) {
            let step = if field.size == 8 { 8 } else { field.size.min(4) as i32 };
            for at in (field.offset..field.offset + field.size as i32).step_by(step as usize) {
                if row.access(self.prog_type, self.attach(), at, step as u8, Access::Read).is_ok() {
                    fields.push((format!("{}+{}", field.name, at - field.offset), at as i16, step as u8));
                }
            }
        }
        fields
    }

    /// Offsets of the context that yield packet pointers: metadata (where programs have it), start, end.
    fn pointers(&self) -> Vec<(&'static str, i16, u8)> {
        let row = contexts::context(self.prog_type, Arch::X86_64).expect("a context");
        let is_pointer = |y| matches!(y, Yields::PacketMeta | Yields::PacketStart | Yields::PacketEnd);
        let fields = row.fields.iter().filter(|field| is_pointer(field.yields));
        let size = |field: &contexts::Field| if field.size == 8 { 8 } else { 4 };
        let fields = fields.filter(|f| row.access(self.prog_type, self.attach(), f.offset, size(f), Access::Read).is_ok());
        fields.map(|field| (field.name, field.offset as i16, size(field))).collect()
    }

    /// Bytes of a snapshot: eight for each field, and for two differences.
    fn snapshot_len(&self) -> usize {
        (self.fields().len() + 2) * 8
    }

    fn snapshots(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Snapshot)).count()
    }

    /// Bytes of the value of the shared map: memory, then a number for each step, then snapshots.
    fn value_len(&self) -> usize {
        MEM + 8 * self.steps.len() + self.snapshots() * self.snapshot_len()
    }

    pub(crate) fn program(&self) -> Program {
        let mut shared = MapDef::new("shared", MapType::Array);
        (shared.key_size, shared.value_size, shared.max_entries) = (4, self.value_len() as u32, 1);
        let mut bytes = self.mem.clone();
        bytes.resize(self.value_len(), 0);
        shared.initial = Some(bytes);
        let mut maps = vec![Arc::new(shared)];
        maps.extend(self.maps.iter().cloned());
        Program {
            name: "test".into(),
            section: String::new(),
            prog_type: self.prog_type,
            attach_type: self.attach_type,
            attach_to: None,
            attach_btf_id: None,
            flags: self.flags,
            license: "GPL".into(),
            kern_version: 0,
            insns: self.instructions(),
            maps,
            btf: None,
            funcs: Vec::new(),
            lines: Vec::new(),
            kfuncs: Vec::new(),
            ksyms: Vec::new(),
        }
    }

    fn instructions(&self) -> Vec<RawInsn> {
        // r6 = ctx; r7 = the value of the shared map
        let mut insns = vec![mov(6, 1)];
        insns.extend(wide(7, 6, 0));
        let (mut snapshots, mut skips, mut last) = (0, Vec::new(), 0);
        for (n, step) in self.steps.iter().enumerate() {
            let ret = (MEM + 8 * n) as i16;
            last = insns.len();
            match step {
                Step::Call(id, args) => {
                    self.arguments(&mut insns, args);
                    insns.push(RawInsn::new(0x85, 0, 0, 0, *id as i32));
                    insns.push(RawInsn::new(0x7b, 7, 0, ret, 0));
                }
                Step::Pointer(id, args) => {
                    self.arguments(&mut insns, args);
                    insns.push(RawInsn::new(0x85, 0, 0, 0, *id as i32));
                    insns.push(RawInsn::new(0x7b, 10, 0, slot_of(n), 0));
                    skips.push((n, insns.len()));
                    insns.push(RawInsn::new(0x15, 0, 0, 0, 0));
                    insns.push(RawInsn::new(0x7a, 7, 0, ret, 1));
                }
                Step::Load(of, offset, size) => {
                    insns.push(RawInsn::new(0x79, 1, 10, slot_of(*of), 0));
                    insns.push(RawInsn::new(if *size == 4 { 0x61 } else { 0x69 }, 1, 1, *offset, 0));
                    insns.push(RawInsn::new(0x7b, 7, 1, ret, 0));
                }
                Step::Snapshot => {
                    let at = MEM + 8 * self.steps.len() + snapshots * self.snapshot_len();
                    self.snapshot_insns(&mut insns, at);
                    snapshots += 1;
                }
            }
        }
        let returned = match self.steps.last() {
            Some(Step::Call(_, args)) => args.iter().find_map(|arg| if let Arg::Ret(of) = arg { Some(*of) } else { None }),
            _other => None,
        };
        for (n, skip) in skips {
            let target = if returned.is_some_and(|of| of < n) { last } else { insns.len() };
            insns[skip].off = (target - skip - 1) as i16;
        }
        insns.extend([RawInsn::new(0xb7, 0, 0, 0, self.ret), RawInsn::new(0x95, 0, 0, 0, 0)]);
        insns
    }

    fn arguments(&self, insns: &mut Vec<RawInsn>, args: &[Arg]) {
        for (i, arg) in args.iter().enumerate() {
            let reg = i as u8 + 1;
            match *arg {
                Arg::Num(value) => {
                    insns.push(RawInsn::new(0x18, reg, 0, 0, value as i32));
                    insns.push(RawInsn::new(0, 0, 0, 0, (value >> 32) as i32));
                }
                Arg::Mem(at) => insns.extend([mov(reg, 7), RawInsn::new(0x07, reg, 0, 0, at as i32)]),
                Arg::Ctx => insns.push(mov(reg, 6)),
                Arg::Map(map) => insns.extend(wide(reg, 5, map as i32 + 1)),
                Arg::Ret(of) => insns.push(RawInsn::new(0x79, reg, 10, slot_of(of), 0)),
                Arg::Field(offset) => {
                    insns.push(RawInsn::new(0x79, reg, 6, offset, 0));
                    insns.push(RawInsn::new(0x55, reg, 0, 2, 0));
                    insns.extend([RawInsn::new(0xb7, 0, 0, 0, 1), RawInsn::new(0x95, 0, 0, 0, 0)]);
                }
            }
        }
    }

    fn snapshot_insns(&self, insns: &mut Vec<RawInsn>, at: usize) {
        let load = |size: u8| match size {
            1 => 0x71,
            2 => 0x69,
            4 => 0x61,
            _ => 0x79,
        };
        let mut slot = at as i16;
        for (_, offset, size) in self.fields() {
            insns.push(RawInsn::new(load(size), 1, 6, offset, 0));
            insns.push(RawInsn::new(0x7b, 7, 1, slot, 0));
            slot += 8;
        }
        let pointers = self.pointers();
        let start = pointers.iter().find(|(name, ..)| *name == "data");
        let others = pointers.iter().filter(|(name, ..)| *name != "data");
        for ((_, offset, size), (_, from, of)) in others.zip(std::iter::repeat(start).flatten()) {
            insns.push(RawInsn::new(load(*size), 1, 6, *offset, 0));
            insns.push(RawInsn::new(load(*of), 2, 6, *from, 0));
            insns.push(RawInsn::new(0x1f, 1, 2, 0, 0));
            insns.push(RawInsn::new(0x7b, 7, 1, slot, 0));
            slot += 8;
        }
    }

    /// Takes apart the value of the shared map.
    fn left(&self, retval: u32, value: &[u8], packet: Vec<u8>, ctx: Vec<u8>) -> Left {
        let word = |at: usize| u64::from_le_bytes(value[at..at + 8].try_into().expect("eight bytes"));
        let first = MEM + 8 * self.steps.len();
        let mut names: Vec<String> = self.fields().into_iter().map(|(name, ..)| name).collect();
        names.extend(self.pointers().iter().filter(|p| p.0 != "data").map(|(name, ..)| format!("{name} - data")));
        let snapshot = |n: usize| {
            let at = first + n * self.snapshot_len();
            names.iter().enumerate().map(|(i, name)| (name.clone(), word(at + 8 * i))).collect()
        };
        Left {
            retval,
            rets: (0..self.steps.len()).map(|n| word(MEM + 8 * n)).collect(),
            mem: value[..MEM].to_vec(),
            packet,
            ctx,
            seen: (0..self.snapshots()).map(snapshot).collect(),
        }
    }

    /// Runs it in the host's kernel: what it left, or the error number of the test run.
    pub(crate) fn in_kernel(&self) -> Result<Left, skep::Errno> {
        let loaded = Loaded::create(&self.program(), LogLevel::OnFailure).unwrap_or_else(|e| panic!("{e}\n{:?}", self.steps));
        for (map, key, value) in &self.fill {
            loaded.maps[map + 1].update(key, value, 0).unwrap_or_else(|e| panic!("update of map {map}: {e}"));
        }
        for (map, key, descriptor, _) in &self.sockets {
            let value = u64::from(*descriptor as u32).to_le_bytes();
            loaded.maps[map + 1].update(key, &value[..loaded.maps[map + 1].value_len()], 0).expect("a socket in a map");
        }
        let input = TestRun {
            data: self.packet.clone(),
            data_out: if self.packet.is_empty() { 0 } else { DATA_OUT },
            ctx: self.ctx.clone(),
            // Room for a context stands for a context of zeros, which of a frame says that it has no bytes.
            ctx_out: if self.ctx.is_empty() && self.prog_type == ProgType::Xdp { 0 } else { 256 },
            flags: self.test_flags,
            ..TestRun::default()
        };
        let ran = loaded.prog.test_run(&input)?;
        let value = loaded.maps[0].lookup(&[0; 4], 0).expect("the value of the shared map");
        Ok(self.left(ran.retval, &value, ran.data, ran.ctx))
    }

    /// The instance that runs it in skep.
    pub(crate) fn instance(&self) -> Instance {
        let instance = Instance::builder(self.world.target.clone()).world(self.world.clone()).program(self.program()).build();
        let instance = instance.unwrap_or_else(|e| panic!("{e}"));
        for (map, key, value) in &self.fill {
            let map = instance.map(&self.maps[*map].name).expect("a map");
            map.set(key, value).expect("a value");
        }
        for (map, key, _, cookie) in &self.sockets {
            let map = instance.map(&self.maps[*map].name).expect("a map");
            map.inner().update_object(key, *cookie, 0).expect("a socket");
        }
        instance
    }

    /// Runs it in skep.
    pub(crate) fn in_skep(&self) -> Result<Left, skep::Errno> {
        let mut instance = self.instance();
        let mut input = if self.packet.is_empty() { Input::none() } else { Input::packet(&self.packet) };
        if !self.ctx.is_empty() {
            input = input.with_context(&self.ctx);
        }
        let outcome = match instance.program("test").expect("the program").run(&input) {
            Ok(outcome) => outcome,
            Err(RunError::Input(skep::InputError::Refused { errno, .. })) => return Err(errno),
            Err(error) => panic!("{error}\n{:?}", self.steps),
        };
        let value = instance.map("shared").expect("the map").get(&[0; 4]).expect("a value").expect("a value");
        let ctx = if self.ctx.is_empty() && self.prog_type == ProgType::Xdp { Vec::new() } else { outcome.context.clone() };
        Ok(self.left(outcome.retval(), &value, outcome.packet.clone().unwrap_or_default(), ctx))
    }

    /// Compares the two.
    #[track_caller]
    pub(crate) fn compare(&self) -> Result<Left, skep::Errno> {
        let (theirs, ours) = (self.in_kernel(), self.in_skep());
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => self.same(ours, theirs),
            (ours, theirs) => assert_eq!(ours.as_ref().err(), theirs.as_ref().err(), "errors (left: skep) of {:?}", self.steps),
        }
        ours
    }

    #[track_caller]
    fn same(&self, ours: &Left, theirs: &Left) {
        let hex: String = self.packet.iter().take(80).map(|byte| format!("{byte:02x}")).collect();
        let what = format!("(left: skep) of {:?} on {:?} of {} bytes {hex}", self.steps, self.prog_type, self.packet.len());
        let signed = |rets: &[u64]| rets.iter().map(|ret| *ret as i64).collect::<Vec<_>>();
        assert_eq!(signed(&ours.rets), signed(&theirs.rets), "return values {what}");
        assert_eq!(ours.retval, theirs.retval, "value {what}");
        same_bytes("memory", &ours.mem, &theirs.mem, &what);
        for (ours, theirs) in ours.seen.iter().zip(&theirs.seen) {
            let differ: Vec<_> = ours.iter().zip(theirs).filter(|(a, b)| a != b).collect();
            assert!(differ.is_empty(), "context {differ:x?} {what}");
        }
        same_bytes("packet", &ours.packet, &theirs.packet, &what);
        same_bytes("context", &ours.ctx, &theirs.ctx, &what);
    }
}

#[track_caller]
fn same_bytes(what: &str, ours: &[u8], theirs: &[u8], after: &str) {
    if ours != theirs {
        let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
        let piece = |bytes: &[u8]| bytes[at.min(bytes.len())..(at + 32).min(bytes.len())].to_vec();
        let (a, b) = (piece(ours), piece(theirs));
        panic!("{what} at {at} of {} and {} bytes: skep {a:02x?}, kernel {b:02x?} {after}", ours.len(), theirs.len());
    }
}

/// Where the stack keeps what a step returned.
fn slot_of(step: usize) -> i16 {
    -8 * (step as i16 + 1)
}

fn mov(dst: u8, src: u8) -> RawInsn {
    RawInsn::new(0xbf, dst, src, 0, 0)
}

fn wide(dst: u8, pseudo: u8, map: i32) -> [RawInsn; 2] {
    [RawInsn::new(0x18, dst, pseudo, 0, map), RawInsn::default()]
}

/// Says so and returns false where the kernel cannot be asked.
pub(crate) fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

/// A TCP packet over IPv4 with as many bytes behind its headers.
pub(crate) fn tcp4(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00];
    let len = (40 + payload) as u16;
    bytes.extend([0x45, 0x02, (len >> 8) as u8, len as u8, 0x12, 0x34, 0x40, 0, 64, 6, 0xb1, 0xe6, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0x1f, 0x90, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0xff, 0xff, 0xab, 0xcd, 0, 0]);
    bytes.extend((0..payload).map(|i| i as u8));
    bytes
}

/// A UDP packet over IPv6 with as many bytes behind its headers.
pub(crate) fn udp6(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x86, 0xdd];
    let len = (8 + payload) as u16;
    bytes.extend([0x60, 0x10, 0, 0, (len >> 8) as u8, len as u8, 17, 64]);
    bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([0x1f, 0x90, 0x00, 0x35, (len >> 8) as u8, len as u8, 0x12, 0x34]);
    bytes.extend((0..payload).map(|i| i as u8));
    bytes
}

/// A frame with a VLAN tag in its bytes around the packet.
pub(crate) fn tagged(packet: &[u8], tci: u16) -> Vec<u8> {
    let mut bytes = packet[..12].to_vec();
    bytes.extend([0x81, 0x00]);
    bytes.extend(tci.to_be_bytes());
    bytes.extend(&packet[12..]);
    bytes
}

/// How random tests run: so many cases, and no file of those that failed.
pub(crate) fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config { cases, failure_persistence: None, ..proptest::test_runner::Config::default() }
}
