//! Externs as one target defines them.

use skep_btf::core_relo::types_are_compatible;
use skep_btf::{Kind, Type, TypeId};
use skep_linux::Target;

use super::RelocateError;
use crate::externs::{Extern, ExternKind, KconfigKind};
use crate::object::Object;

/// Why a configuration value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KconfigProblem {
    /// Not set, and not weak.
    #[error("the target's configuration does not set it")]
    Missing,
    /// `LINUX_*` values are made by loaders, and this is none of them.
    #[error("neither a CONFIG_ value nor one that loaders make (LINUX_KERNEL_VERSION, ...)")]
    Unknown,
    /// The value is not one of the variable's type.
    #[error("value `{0}` does not suit the variable's type")]
    Type(String),
    /// The value is too large.
    #[error("value `{value}` does not fit {bytes} bytes")]
    Range {
        /// The value.
        value: String,
        /// Bytes of the variable.
        bytes: u32,
    },
}

/// What an extern is in the target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// A kernel function; `None` where a weak one is absent.
    Func(Option<TypeId>),
    /// A kernel variable.
    Var(TypeId),
    /// An address; 0 where a weak one is absent.
    Address(u64),
    /// Bytes into the map of configuration values.
    Kconfig(u32),
}

/// Why an extern is nothing in the target.
#[derive(Debug, Clone)]
pub(super) enum Lost {
    NoBtf,
    Absent,
    OtherType(TypeId),
    Kconfig(KconfigProblem),
}

/// The answer for one extern; what is wrong with it concerns only the programs that use it.
#[derive(Debug, Clone)]
pub(super) struct Resolved(Result<Found, Lost>);

impl Resolved {
    pub(super) fn found(&self, program: &str, name: &str) -> Result<Found, RelocateError> {
        let (program, name) = (program.to_owned(), name.to_owned());
        self.0.as_ref().copied().map_err(|lost| match lost {
            Lost::NoBtf => RelocateError::NoTargetBtf { program, what: format!("extern `{name}`") },
            Lost::Absent => RelocateError::NoExtern { program, name },
            Lost::OtherType(id) => RelocateError::ExternType { program, name, id: *id },
            Lost::Kconfig(problem) => RelocateError::Kconfig { program, name, problem: problem.clone() },
        })
    }
}

/// A function's name without its flavor: `bpf_task_acquire___local` is `bpf_task_acquire`.
fn essential(name: &str) -> &str {
    match name.rfind("___") {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

fn func(object: &Object, entry: &Extern, proto: TypeId, target: &Target) -> Result<Found, Lost> {
    let lenient = entry.weak || object.data.repairs.missing_kfuncs;
    let absent = |lost| if lenient { Ok(Found::Func(None)) } else { Err(lost) };
    let Some(btf) = target.btf() else { return absent(Lost::NoBtf) };
    let Some(id) = btf.find(essential(&entry.name), Kind::Func) else { return absent(Lost::Absent) };
    let compatible = match (object.data.btf.as_deref(), btf.get(id)) {
        (Some(local), Some(Type::Func(func))) => types_are_compatible(local, proto, btf, func.proto).unwrap_or(false),
        _ => false,
    };
    if compatible { Ok(Found::Func(Some(id))) } else { absent(Lost::OtherType(id)) }
}

fn var(object: &Object, entry: &Extern, ty: TypeId, target: &Target) -> Result<Found, Lost> {
    if ty.is_void() {
        let symbols = &object.data.symbols;
        return match symbols.get(&entry.name) {
            Some(address) => Ok(Found::Address(*address)),
            None if entry.weak || symbols.is_empty() => Ok(Found::Address(0)),
            None => Err(Lost::Absent),
        };
    }
    let Some(btf) = target.btf() else { return if entry.weak { Ok(Found::Address(0)) } else { Err(Lost::NoBtf) } };
    match btf.find(&entry.name, Kind::Var) {
        None if entry.weak => Ok(Found::Address(0)),
        None => Err(Lost::Absent),
        Some(id) => {
            let (local, theirs) = (object.data.btf.as_deref(), btf.referred(id));
            let compatible = match (local, theirs) {
                (Some(local), Some(theirs)) => types_are_compatible(local, ty, btf, btf.resolve(theirs)).unwrap_or(false),
                _ => false,
            };
            if compatible { Ok(Found::Var(id)) } else { Err(Lost::OtherType(id)) }
        }
    }
}

/// What loaders say of a kernel beyond its configuration. The cookie came with 5.15, system call wrappers with 4.17.
fn virtual_value(name: &str, target: &Target) -> Option<u64> {
    let at_least = |major, minor| u64::from(target.release >= skep_linux::Release::new(major, minor));
    match name {
        "LINUX_KERNEL_VERSION" => Some(u64::from(target.version_code())),
        "LINUX_HAS_BPF_COOKIE" => Some(at_least(5, 15)),
        "LINUX_HAS_SYSCALL_WRAPPER" => Some(at_least(4, 17)),
        _ => None,
    }
}

/// Decimal, octal with 0 and hexadecimal with 0x; negative numbers wrap.
fn number(text: &str) -> Option<u64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

fn fits(value: u64, size: u32, signed: bool) -> bool {
    if size >= 8 {
        return true;
    }
    let bits = size * 8;
    if signed { value.wrapping_add(1 << (bits - 1)) < 1 << bits } else { value >> bits == 0 }
}

fn write_number(bytes: &mut [u8], kind: KconfigKind, value: u64, text: &str) -> Result<(), KconfigProblem> {
    let signed = match kind {
        KconfigKind::Int { signed } => signed,
        KconfigKind::Char => false,
        KconfigKind::Bool if value <= 1 => false,
        KconfigKind::Bool | KconfigKind::Tristate | KconfigKind::String => return Err(KconfigProblem::Type(text.to_owned())),
    };
    let size = bytes.len() as u32;
    if !fits(value, size, signed) {
        return Err(KconfigProblem::Range { value: text.to_owned(), bytes: size });
    }
    let len = bytes.len().min(8);
    bytes[..len].copy_from_slice(&value.to_le_bytes()[..len]);
    Ok(())
}

/// Writes a value of the target's configuration into the bytes of its variable.
fn write(bytes: &mut [u8], kind: KconfigKind, text: &str) -> Result<(), KconfigProblem> {
    let wrong = || KconfigProblem::Type(text.to_owned());
    match (text, kind) {
        ("y" | "n", KconfigKind::Bool) => bytes[0] = u8::from(text == "y"),
        ("y" | "n" | "m", KconfigKind::Tristate) => {
            bytes[0] = match text {
                "y" => 1,
                "m" => 2,
                _ => 0,
            };
        }
        ("y" | "n" | "m", KconfigKind::Char) => bytes[0] = text.as_bytes()[0],
        (_, KconfigKind::String) => {
            let inner = text.strip_prefix('"').map_or(Some(text), |rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
            let len = inner.len().min(bytes.len() - 1);
            bytes[..len].copy_from_slice(&inner.as_bytes()[..len]);
        }
        (_, KconfigKind::Int { .. } | KconfigKind::Char) => {
            write_number(bytes, kind, number(text).ok_or_else(wrong)?, text)?;
        }
        (_, KconfigKind::Bool | KconfigKind::Tristate) => return Err(wrong()),
    }
    Ok(())
}

fn kconfig(entry: &Extern, kind: KconfigKind, bytes: &mut [u8], target: &Target) -> Result<(), KconfigProblem> {
    let name = entry.name.as_str();
    if name.starts_with("CONFIG_") {
        return match target.config(name) {
            Some(text) => write(bytes, kind, text),
            None if entry.weak => Ok(()),
            None => Err(KconfigProblem::Missing),
        };
    }
    match virtual_value(name, target) {
        Some(value) => write_number(bytes, kind, value, &value.to_string()),
        None if name.starts_with("LINUX_") && entry.weak => Ok(()),
        None => Err(KconfigProblem::Unknown),
    }
}

/// Every extern, and the bytes of the map of configuration values.
pub(super) fn resolve(object: &Object, target: &Target) -> (Vec<Resolved>, Vec<u8>) {
    let externs = &object.data.externs;
    let ends = externs.iter().filter_map(|e| Some(e.kconfig_offset()? as usize + e.kconfig_size()? as usize));
    let mut bytes = vec![0; ends.max().unwrap_or(0)];
    let mut resolved = Vec::with_capacity(externs.len());
    for entry in externs {
        resolved.push(Resolved(match entry.kind {
            ExternKind::Func { proto } => func(object, entry, proto, target),
            ExternKind::Var { ty } => var(object, entry, ty, target),
            ExternKind::Kconfig { kind, size, offset, .. } => {
                let place = &mut bytes[offset as usize..offset as usize + size as usize];
                kconfig(entry, kind, place, target).map(|()| Found::Kconfig(offset)).map_err(Lost::Kconfig)
            }
        }));
    }
    (resolved, bytes)
}

#[cfg(test)]
mod tests {
    use super::{essential, fits, number, write};
    use crate::externs::KconfigKind as K;

    #[test]
    fn numbers_and_ranges() {
        assert_eq!(number("250"), Some(250));
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("-1"), Some(u64::MAX));
        assert_eq!(number("1x"), None);
        assert!(fits(255, 1, false) && !fits(256, 1, false));
        assert!(fits(127, 1, true) && !fits(128, 1, true) && fits((-128i64) as u64, 1, true));
    }

    #[test]
    fn configuration_values() {
        let set = |kind, size, text: &str| {
            let mut bytes = vec![0; size];
            write(&mut bytes, kind, text).map(|()| bytes)
        };
        assert_eq!(set(K::Bool, 1, "y"), Ok(vec![1]));
        assert_eq!(set(K::Tristate, 4, "m"), Ok(vec![2, 0, 0, 0]));
        assert_eq!(set(K::Char, 1, "m"), Ok(vec![b'm']));
        assert_eq!(set(K::Int { signed: false }, 4, "0x200"), Ok(vec![0, 2, 0, 0]));
        assert_eq!(set(K::String, 4, "\"(none)\""), Ok(b"(no\0".to_vec()));
        assert!(set(K::Bool, 1, "m").is_err());
        assert!(set(K::Int { signed: false }, 1, "300").is_err());
        assert!(set(K::Int { signed: false }, 4, "y").is_err());
    }

    #[test]
    fn flavors() {
        assert_eq!(essential("bpf_task_acquire___mine"), "bpf_task_acquire");
        assert_eq!(essential("___x"), "___x");
    }
}
