//! Putting small programs to the kernel of this host.

use std::sync::OnceLock;

use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, LoadError, LogLevel};
use skep_linux::{AttachType, ProgType};

/// Whether the kernel can be asked about the rows, which are those of 6.18. Says why not.
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

pub(crate) const EXIT: RawInsn = insn(0x95, 0, 0, 0, 0);

pub(crate) const fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> RawInsn {
    RawInsn { code, regs: src << 4 | dst, off, imm }
}

/// `dst = imm`.
pub(crate) const fn set(dst: u8, imm: i32) -> RawInsn {
    insn(0xb7, dst, 0, 0, imm)
}

/// A program type with an attach type that this host's kernel loads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) prog: ProgType,
    pub(crate) attach: AttachType,
    pub(crate) flags: u32,
    /// A value that such a program may return.
    pub(crate) returns: i32,
}

impl Kind {
    /// What the kernel says of these instructions: its log if it takes them, its error and log if not.
    pub(crate) fn load(&self, insns: &[RawInsn], log_level: LogLevel) -> Result<String, String> {
        let load = Load { attach_type: self.attach as u32, flags: self.flags, log_level, ..Load::raw(self.prog, insns) };
        match load.load_with_log() {
            Ok((_, log)) => Ok(log),
            Err(LoadError::Refused { errno, log }) => Err(if log.is_empty() { errno.to_string() } else { log }),
            Err(other) => panic!("{other}"),
        }
    }
}

const BPF_F_SLEEPABLE: u32 = 1 << 4;

/// Every kind of program that this kernel loads without a BTF target. It is found once.
pub(crate) fn kinds() -> Vec<Kind> {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(find_kinds).clone()
}

fn find_kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for &prog in ProgType::ALL {
        let flags = if prog == ProgType::Syscall { BPF_F_SLEEPABLE } else { 0 };
        for &attach in AttachType::ALL {
            let returns = |&returns: &i32| {
                let kind = Kind { prog, attach, flags, returns };
                kind.load(&[set(0, returns), EXIT], LogLevel::OnFailure).is_ok()
            };
            if let Some(returns) = [0, 1].into_iter().find(returns) {
                kinds.push(Kind { prog, attach, flags, returns });
            }
        }
    }
    kinds
}
