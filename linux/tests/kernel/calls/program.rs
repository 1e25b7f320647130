//! Programs that call one helper with arguments as its row wants them.

use std::os::fd::{AsFd, AsRawFd};

use skep_isa::RawInsn;
use skep_kernel::{FuncInfo, Load, LoadError, LogLevel, Map};
use skep_linux::contexts::{self, Yields};
use skep_linux::flags::BPF_F_SLEEPABLE;
use skep_linux::helpers::{Access, Arg, ArgKind, BtfType, Lock, Proto, Ret, Role};
use skep_linux::maps::ValueArg;
use skep_linux::special::{SpecialKind, special};
use skep_linux::{Arch, HelperRow, MapType, helper_by_name};

use super::fixtures::Fixtures;
use crate::ask::{EXIT, Kind, insn, set};

/// Where an argument comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// A callee-saved register.
    Reg(u8),
    /// A number.
    Number(i32),
    /// The stack, so many bytes from its top.
    Stack(i16),
    /// A map, by its descriptor.
    Map(i32),
    /// The value of a map of one element.
    Value(i32),
    /// The function behind the program.
    Function,
    /// A variable of the kernel.
    Variable(i32),
}

/// Initialised stack, and stack that is not.
const ZEROS: i16 = -64;
const FRESH: i16 = -128;
/// Slots of dynptrs.
const DYNPTR: i16 = -160;
const NEW_DYNPTR: i16 = -192;
const KFUNC_CALL: u8 = 2;
/// Bytes of memory arguments.
const SIZE: i32 = 8;

pub(crate) fn fd(map: &Map) -> i32 {
    map.as_fd().as_raw_fd()
}

fn id(name: &str) -> i32 {
    helper_by_name(name).expect("a helper").id as i32
}

pub(crate) fn mov(dst: u8, src: u8) -> RawInsn {
    insn(0xbf, dst, src, 0, 0)
}

pub(crate) fn call(id: i32) -> RawInsn {
    insn(0x85, 0, 0, 0, id)
}

fn wide(dst: u8, pseudo: u8, imm: i32) -> [RawInsn; 2] {
    [insn(0x18, dst, pseudo, 0, imm), insn(0, 0, 0, 0, 0)]
}

/// A program on its way.
pub(crate) struct Builder<'a> {
    with: &'a Fixtures<'a>,
    kind: Kind,
    insns: Vec<RawInsn>,
    /// What must run after the call: references are given back.
    after: Vec<RawInsn>,
    next_reg: u8,
    /// Places of instructions that name the function.
    functions: Vec<usize>,
    /// The map argument of this type.
    pub(crate) map: Option<MapType>,
    /// What the function behind the program returns.
    pub(crate) callback_returns: i32,
}

/// There is no way to make such an argument.
pub(crate) type NoWay = String;

impl<'a> Builder<'a> {
    pub(crate) fn new(with: &'a Fixtures<'a>, kind: Kind) -> Builder<'a> {
        let mut insns = vec![mov(6, 1), set(0, 0)];
        insns.extend((1..=8).map(|n| insn(0x7b, 10, 0, -8 * n, 0)));
        Builder { with, kind, insns, after: Vec::new(), next_reg: 7, functions: Vec::new(), map: None, callback_returns: 0 }
    }

    fn reg(&mut self) -> Result<u8, NoWay> {
        self.next_reg += 1;
        if self.next_reg > 10 { Err("registers".to_owned()) } else { Ok(self.next_reg - 1) }
    }

    /// Leaves the program if `r0` is NULL.
    fn unless_null(&mut self) {
        self.insns.extend([insn(0x55, 0, 0, 2, 0), set(0, self.kind.returns), EXIT]);
    }

    fn may_call(&self, name: &str) -> Result<i32, NoWay> {
        let row = helper_by_name(name).expect("a helper");
        row.proto(self.kind.prog, self.kind.attach).map(|_| row.id as i32).ok_or_else(|| name.to_owned())
    }

    pub(crate) fn may_use(&self, field: SpecialKind) -> Result<(), NoWay> {
        special(field).refusal(self.kind.prog).map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// What the map argument asks of a value.
    fn value_arg(&self) -> ValueArg {
        let row = self.map.and_then(skep_linux::map);
        row.map_or(ValueArg::Memory, |row| row.value_arg)
    }

    fn sleeps(&self) -> bool {
        self.kind.flags & BPF_F_SLEEPABLE != 0
    }

    fn load(&mut self, dst: u8, place: Place) {
        match place {
            Place::Reg(reg) => self.insns.push(mov(dst, reg)),
            Place::Number(number) => self.insns.push(set(dst, number)),
            Place::Stack(offset) => self.insns.extend([mov(dst, 10), insn(0x07, dst, 0, 0, i32::from(offset))]),
            Place::Map(fd) => self.insns.extend(wide(dst, 1, fd)),
            Place::Value(fd) => self.insns.extend(wide(dst, 2, fd)),
            Place::Function => {
                self.functions.push(self.insns.len());
                self.insns.extend(wide(dst, 4, 0));
            }
            Place::Variable(id) => self.insns.extend(wide(dst, 3, id)),
        }
    }

    fn call_with(&mut self, id: i32, args: &[Place]) {
        for (reg, place) in (1..).zip(args) {
            self.load(reg, *place);
        }
        self.insns.push(call(id));
    }

    /// Puts `r0` into a register that keeps it.
    fn keep(&mut self) -> Result<Place, NoWay> {
        let reg = self.reg()?;
        self.insns.push(mov(reg, 0));
        Ok(Place::Reg(reg))
    }

    pub(crate) fn value(&mut self, map: &Map) -> Result<Place, NoWay> {
        self.call_with(id("bpf_map_lookup_elem"), &[Place::Map(fd(map)), Place::Stack(ZEROS)]);
        self.unless_null();
        self.keep()
    }

    /// A field of the context that yields such a pointer. Packet pointers are loaded as four bytes.
    fn of_context(&mut self, wanted: impl Fn(Yields) -> bool) -> Result<Place, NoWay> {
        let row = contexts::context(self.kind.prog, Arch::X86_64).expect("a context");
        let code = |field: &contexts::Field| {
            let allows = |size| field.allows(self.kind.prog, self.kind.attach, field.offset, size, contexts::Access::Read);
            [(8, 0x79), (4, 0x61)].into_iter().find(|(size, _)| allows(*size)).map(|(_, code)| code)
        };
        let mut fields = row.fields.iter().filter(|field| wanted(field.yields));
        let (field, code) = fields.find_map(|field| Some((field, code(field)?))).ok_or("a context without")?;
        self.insns.push(insn(code, 0, 6, field.offset as i16, 0));
        if matches!(field.yields, Yields::SockCommonOrNull | Yields::SockOrNull) {
            self.unless_null();
        }
        self.keep()
    }

    /// A socket with a reference.
    fn found_socket(&mut self) -> Result<Place, NoWay> {
        let lookup = self.may_call("bpf_sk_lookup_tcp")?;
        self.call_with(lookup, &[Place::Reg(6), Place::Stack(ZEROS), Place::Number(12), Place::Number(-1), Place::Number(0)]);
        self.unless_null();
        self.keep()
    }

    fn socket(&mut self, full: bool, released: bool) -> Result<Place, NoWay> {
        if !released {
            let of_context = self.of_context(|yields| match yields {
                Yields::Sock | Yields::SockOrNull => true,
                Yields::SockCommonOrNull => !full,
                _ => false,
            });
            if of_context.is_ok() {
                return of_context;
            }
        }
        let found = self.found_socket()?;
        if !released {
            let release = self.may_call("bpf_sk_release")?;
            let Place::Reg(reg) = found else { return Ok(found) };
            self.after.extend([mov(1, reg), call(release)]);
        }
        Ok(found)
    }

    /// A BTF pointer to a kernel struct: the current task, or what it leads to.
    fn kernel_struct(&mut self, to: BtfType) -> Result<Place, NoWay> {
        let path: &[(&str, &str)] = match to {
            BtfType::TaskStruct => &[],
            BtfType::Cgroup => &[("task_struct", "cgroups"), ("css_set", "dfl_cgrp")],
            BtfType::File => &[("task_struct", "mm"), ("mm_struct", "exe_file")],
            BtfType::Inode => &[("task_struct", "mm"), ("mm_struct", "exe_file"), ("file", "f_inode")],
            _ => return Err(format!("struct {}", to.name())),
        };
        if self.sleeps() && !path.is_empty() {
            return Err("a field outside of an RCU section".to_owned());
        }
        let task = self.may_call("bpf_get_current_task_btf")?;
        self.insns.push(call(task));
        for (of, field) in path {
            self.insns.push(insn(0x79, 0, 0, self.with.offset(of, field), 0));
        }
        self.keep()
    }

    fn dynptr(&mut self, role: Role) -> Result<Place, NoWay> {
        let ring = Place::Map(fd(&self.with.by_type[&MapType::Ringbuf]));
        match role {
            Role::MakeLocal => Ok(Place::Stack(NEW_DYNPTR)),
            Role::MakeRingbuf => {
                self.after.extend([mov(1, 10), insn(0x07, 1, 0, 0, i32::from(NEW_DYNPTR)), set(2, 0)]);
                self.after.push(call(id("bpf_ringbuf_discard_dynptr")));
                Ok(Place::Stack(NEW_DYNPTR))
            }
            Role::Use => {
                let args = [Place::Value(fd(&self.with.values)), Place::Number(16), Place::Number(0), Place::Stack(DYNPTR)];
                self.call_with(id("bpf_dynptr_from_mem"), &args);
                Ok(Place::Stack(DYNPTR))
            }
            Role::ReleaseRingbuf => {
                let args = [ring, Place::Number(16), Place::Number(0), Place::Stack(DYNPTR)];
                self.call_with(id("bpf_ringbuf_reserve_dynptr"), &args);
                Ok(Place::Stack(DYNPTR))
            }
        }
    }

    fn memory(access: Access) -> Place {
        Place::Stack(match access {
            Access::Read | Access::ReadOfWritable | Access::ReadWrite => ZEROS,
            Access::Fill => FRESH,
        })
    }

    /// Makes an argument.
    pub(crate) fn arg(&mut self, row: &HelperRow, arg: &Arg, proto: &Proto) -> Result<Place, NoWay> {
        let timer = proto.args.iter().any(|arg| arg.kind == ArgKind::Timer);
        Ok(match arg.kind {
            ArgKind::Anything => Place::Number(0),
            ArgKind::MapPtr if timer => Place::Map(fd(&self.with.timed)),
            ArgKind::MapPtr => {
                let usable = |map: MapType| !self.sleeps() || skep_linux::map(map).is_some_and(|row| row.in_sleepable);
                let takes = |map: &MapType| row.takes_map(*map, self.kind.prog, self.kind.attach) && usable(*map);
                let chosen = self.map.or_else(|| MapType::ALL.iter().copied().find(takes)).ok_or("a map")?;
                Place::Map(fd(self.with.by_type.get(&chosen).ok_or_else(|| format!("{chosen:?}"))?))
            }
            ArgKind::MapKey => Place::Stack(ZEROS),
            ArgKind::MapValue(_) if self.value_arg() == ValueArg::Socket => {
                self.socket(true, false).or_else(|_| self.socket(false, false))?
            }
            ArgKind::MapValue(access) => Self::memory(access),
            // What is kept beyond the call must be in a map.
            ArgKind::MapMem => Place::Value(fd(&self.with.values)),
            ArgKind::Mem(access) | ArgKind::FixedMem { access, .. } => Self::memory(access),
            ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => Place::Number(SIZE),
            ArgKind::Ctx => Place::Reg(6),
            ArgKind::Stack => Place::Stack(ZEROS),
            ArgKind::Func => Place::Function,
            ArgKind::SpinLock => {
                self.may_use(SpecialKind::SpinLock)?;
                let lock = self.value(&self.with.locked)?;
                let Place::Reg(reg) = lock else { return Ok(lock) };
                match row.lock {
                    Lock::Take => self.after.extend([mov(1, reg), call(id("bpf_spin_unlock"))]),
                    Lock::Release => self.insns.extend([mov(1, reg), call(id("bpf_spin_lock"))]),
                    Lock::No => return Err("a lock".to_owned()),
                }
                lock
            }
            ArgKind::Timer => {
                self.may_use(SpecialKind::Timer)?;
                self.value(&self.with.timed)?
            }
            ArgKind::SockCommon => self.socket(false, arg.released)?,
            ArgKind::Socket => self.socket(true, arg.released)?,
            ArgKind::BtfSockCommon => self.socket(true, arg.released).or_else(|_| self.socket(false, arg.released))?,
            ArgKind::Btf(to) => self.kernel_struct(to)?,
            ArgKind::RingbufMem => {
                let ring = Place::Map(fd(&self.with.by_type[&MapType::Ringbuf]));
                self.call_with(id("bpf_ringbuf_reserve"), &[ring, Place::Number(8), Place::Number(0)]);
                self.unless_null();
                self.keep()?
            }
            ArgKind::PercpuBtf => {
                // Some kernels keep no addresses of variables.
                let symbols = std::fs::read_to_string("/proc/kallsyms").expect("symbols");
                symbols.lines().find(|line| line.ends_with(" bpf_prog_active")).ok_or("a variable of the kernel")?;
                let variable = self.with.kernel.find("bpf_prog_active", skep_btf::Kind::Var).ok_or("a variable")?;
                Place::Variable(variable.0 as i32)
            }
            ArgKind::ConstStr => Place::Value(fd(&self.with.text)),
            ArgKind::KptrSlot => {
                let release = skep_linux::kfunc("bpf_task_release").expect("a row");
                if !release.users.contains(self.kind.prog, self.kind.attach) {
                    return Err("bpf_task_release".to_owned());
                }
                self.value(&self.with.slots)?
            }
            ArgKind::Kptr => Place::Number(0),
            ArgKind::Dynptr(role) => self.dynptr(role)?,
        })
    }

    /// The call of a kernel function.
    pub(crate) fn kernel_call(&self, name: &str) -> RawInsn {
        insn(0x85, 0, KFUNC_CALL, 0, self.with.function(name))
    }

    /// Instructions before the call.
    pub(crate) fn add(&mut self, insns: &[RawInsn]) {
        self.insns.extend_from_slice(insns);
    }

    /// Bytes of the packet.
    pub(crate) fn packet(&mut self) -> Result<Place, NoWay> {
        let Place::Reg(end) = self.of_context(|yields| yields == Yields::PacketEnd)? else { return Err(String::new()) };
        let Place::Reg(start) = self.of_context(|yields| yields == Yields::PacketStart)? else { return Err(String::new()) };
        // Up to 64 bytes, or none.
        self.insns.extend([mov(0, start), insn(0x07, 0, 0, 0, 64), insn(0xbd, 0, end, 2, 0)]);
        self.insns.extend([set(0, self.kind.returns), EXIT]);
        Ok(Place::Reg(start))
    }

    /// Memory that is read-only by its type.
    pub(crate) fn read_only_memory(&mut self) -> Result<Place, NoWay> {
        let Place::Stack(dynptr) = self.dynptr(Role::Use)? else { return Err(String::new()) };
        for (reg, place) in (1..).zip([Place::Stack(dynptr), Place::Number(0), Place::Stack(ZEROS), Place::Number(64)]) {
            self.load(reg, place);
        }
        let slice = self.kernel_call("bpf_dynptr_slice");
        self.insns.push(slice);
        self.unless_null();
        self.keep()
    }

    /// The program: the call, what must follow it, and the function.
    pub(crate) fn finish(mut self, row: &HelperRow, proto: &Proto, args: &[Place], then: &[RawInsn]) -> Program {
        for (reg, place) in (1..).zip(args) {
            self.load(reg, *place);
        }
        let call_at = self.insns.len();
        self.insns.push(call(row.id as i32));
        self.insns.extend_from_slice(then);
        let from_map = self.map.is_some_and(|map| row.acquires_from.contains(map));
        if row.acquires || from_map {
            let release: &[RawInsn] = match proto.ret {
                Ret::RingbufMemOrNull => &[set(2, 0), call(id("bpf_ringbuf_discard"))],
                Ret::KptrOrNull => &[insn(0x85, 0, KFUNC_CALL, 0, self.with.function("bpf_task_release"))],
                _ => &[call(id("bpf_sk_release"))],
            };
            self.insns.push(insn(0x15, 0, 0, release.len() as i16 + 1, 0));
            self.insns.push(mov(1, 0));
            self.insns.extend_from_slice(release);
        }
        let after = std::mem::take(&mut self.after);
        self.insns.extend(after);
        self.insns.extend([set(0, self.kind.returns), EXIT]);
        let function = self.insns.len();
        for at in &self.functions {
            self.insns[*at].imm = (function - at) as i32 - 1;
        }
        if !self.functions.is_empty() {
            self.insns.extend([set(0, self.callback_returns), EXIT]);
        }
        Program { insns: self.insns, call_at, function: (!self.functions.is_empty()).then_some(function) }
    }
}

/// A whole program.
pub(crate) struct Program {
    insns: Vec<RawInsn>,
    /// Where the call of the helper is.
    pub(crate) call_at: usize,
    /// Where the function behind the program is.
    function: Option<usize>,
}

impl Program {
    /// What the kernel says of it: its log if it takes it, the line that says what is wrong if not.
    pub(crate) fn load(&self, kind: Kind, with: &Fixtures<'_>, log_level: LogLevel) -> Result<String, String> {
        let mut load =
            Load { attach_type: kind.attach as u32, flags: kind.flags, log_level, ..Load::raw(kind.prog, &self.insns) };
        if let Some(function) = self.function {
            load.btf = Some(&with.types);
            load.func_info = [0, function as u32]
                .into_iter()
                .zip(with.functions)
                .map(|(insn_off, type_id)| FuncInfo { insn_off, type_id })
                .collect();
        }
        match load.load_with_log() {
            Ok((_, log)) => Ok(log),
            Err(LoadError::Refused { errno, log }) if log.is_empty() => Err(errno.to_string()),
            Err(LoadError::Refused { log, .. }) => Err(complaint(&log)),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The line of a log that says what is wrong.
fn complaint(log: &str) -> String {
    let noise = ["processed ", "stack depth ", "verification time "];
    let mut lines = log.lines().rev().filter(|line| !noise.iter().any(|n| line.starts_with(n)) && !line.trim().is_empty());
    lines.next().unwrap_or_default().to_owned()
}
