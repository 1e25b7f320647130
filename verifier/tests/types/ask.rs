//! Putting small programs to the kernel of this host.

use std::sync::{Arc, OnceLock};

use skep_btf::{Btf, Kind as BtfKind, TypeId};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, LoadError, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_verifier::Fault;
use skep_verifier::state::{Flags, Kind, Reg, TypesOf};

/// Whether the kernel can be asked: the rules are those of 6.18. Says why not.
pub(crate) fn can_ask() -> bool {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return false;
    }
    if !Kernel::release().starts_with("6.18.") {
        println!("skipped: needs Linux 6.18");
        return false;
    }
    true
}

/// The types of this host's kernel.
pub(crate) fn vmlinux() -> Arc<Btf> {
    static READ: OnceLock<Arc<Btf>> = OnceLock::new();
    let read = || {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
        Arc::new(Btf::parse(&bytes).expect("the kernel's BTF"))
    };
    READ.get_or_init(read).clone()
}

/// This host's kernel.
pub(crate) fn host() -> Target {
    Target::new(Release::new(6, 18), Arch::X86_64).with_btf(vmlinux())
}

/// The id of a kernel function.
pub(crate) fn func(name: &str) -> i32 {
    vmlinux().find(name, BtfKind::Func).unwrap_or_else(|| panic!("the kernel has no {name}")).0 as i32
}

pub(crate) const EXIT: RawInsn = insn(0x95, 0, 0, 0, 0);

pub(crate) const fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> RawInsn {
    RawInsn { code, regs: src << 4 | dst, off, imm }
}

/// `dst = imm`.
pub(crate) const fn set(dst: u8, imm: i32) -> RawInsn {
    insn(0xb7, dst, 0, 0, imm)
}

/// `dst = src`.
pub(crate) const fn mov(dst: u8, src: u8) -> RawInsn {
    insn(0xbf, dst, src, 0, 0)
}

/// `dst = *(size *)(src + off)`.
pub(crate) fn load(size: u32, dst: u8, src: u8, off: i16) -> RawInsn {
    let code = match size {
        1 => 0x71,
        2 => 0x69,
        4 => 0x61,
        8 => 0x79,
        other => panic!("no load of {other} bytes"),
    };
    insn(code, dst, src, off, 0)
}

/// A call of a kernel function.
pub(crate) const fn kfunc(id: i32) -> RawInsn {
    insn(0x85, 0, 2, 0, id)
}

/// A call of a helper.
pub(crate) const fn helper(id: i32) -> RawInsn {
    insn(0x85, 0, 0, 0, id)
}

/// What the kernel says of a program.
pub(crate) struct Answer {
    pub(crate) accepted: bool,
    pub(crate) log: String,
}

impl Answer {
    /// What the log says of a register after the last instruction that says something of it.
    pub(crate) fn register(&self, reg: u8) -> Option<&str> {
        let name = format!(" R{reg}=");
        let line = self.log.lines().rev().find(|line| line.contains(&name))?;
        let (_, rest) = line.rsplit_once(&name)?;
        rest.split_whitespace().next()
    }

    /// The lines that are neither instructions nor counts.
    pub(crate) fn words(&self) -> Vec<&str> {
        let said = |line: &&str| {
            let first = line.split(':').next().unwrap_or("").trim_start();
            !line.is_empty()
                && first.parse::<u32>().is_err()
                && !["processed ", "func#", "from ", "arg#", "verification time", "stack depth", "mark_precise", "Live regs"]
                    .iter()
                    .any(|start| line.starts_with(start))
        };
        self.log.lines().filter(said).collect()
    }
}

impl Answer {
    /// The last of its words, if it is refused.
    pub(crate) fn said(&self) -> Result<(), String> {
        let words = || self.words().last().unwrap_or_else(|| panic!("no words: {}", self.log)).to_string();
        if self.accepted { Ok(()) } else { Err(words()) }
    }
}

/// Our words, if it is refused.
pub(crate) fn said<T>(result: Result<T, Fault>) -> Result<T, String> {
    result.map_err(|fault| match fault {
        Fault::Refused(why) => why.to_string(),
        Fault::Unknown(what) => panic!("{what}"),
    })
}

/// Puts it to the kernel.
pub(crate) fn ask(load: Load<'_>) -> Answer {
    match load.load_with_log() {
        Ok((_, log)) => Answer { accepted: true, log },
        Err(LoadError::Refused { errno, log }) => {
            Answer { accepted: false, log: if log.is_empty() { errno.to_string() } else { log } }
        }
        Err(other) => panic!("{other}"),
    }
}

/// A system call program, with the whole log.
pub(crate) fn syscall(insns: &[RawInsn]) -> Answer {
    ask(Load { flags: 1 << 4, log_level: LogLevel::States, ..Load::raw(ProgType::Syscall, insns) })
}

/// Numbers that look random, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// What the kernel calls a value of a kind with these marks.
pub(crate) fn named(kind: Kind, flags: Flags) -> String {
    Reg { flags, ..Reg::pointer(kind) }.type_name()
}

/// What the kernel calls a pointer to a struct with these marks, before the name of the struct.
pub(crate) fn pointer_name(flags: Flags) -> String {
    named(Kind::Btf { types: TypesOf::Kernel, id: TypeId::VOID }, flags)
}
