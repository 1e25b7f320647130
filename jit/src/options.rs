//! For which machine code is made.

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64, System V convention.
    X86_64,
    /// aarch64, little-endian, AAPCS64.
    Aarch64,
}

impl Arch {
    /// The machine that this runs on, if code can be made for it.
    pub const fn host() -> Option<Arch> {
        if cfg!(target_arch = "x86_64") {
            Some(Arch::X86_64)
        } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
            Some(Arch::Aarch64)
        } else {
            None
        }
    }
}

/// What a machine has beyond the least that every one of its kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features {
    /// x86-64: shifts by any register that leave the flags alone.
    pub bmi2: bool,
    /// x86-64: loads and stores in the other byte order.
    pub movbe: bool,
    /// aarch64: atomic instructions.
    pub lse: bool,
}

impl Features {
    /// What every machine of the kind has.
    pub const fn baseline() -> Features {
        Features { bmi2: false, movbe: false, lse: false }
    }

    /// Everything that code can make use of.
    pub const fn all() -> Features {
        Features { bmi2: true, movbe: true, lse: true }
    }

    /// What this machine has.
    pub fn host() -> Features {
        #[cfg(target_arch = "x86_64")]
        return Features {
            bmi2: std::arch::is_x86_feature_detected!("bmi2"),
            movbe: std::arch::is_x86_feature_detected!("movbe"),
            lse: false,
        };
        #[cfg(target_arch = "aarch64")]
        return Features { bmi2: false, movbe: false, lse: std::arch::is_aarch64_feature_detected!("lse") };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Features::baseline()
    }
}

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// For which machine.
    pub arch: Arch,
    /// What it has.
    pub features: Features,
    /// What [`Env::slot`](crate::Env::slot) is for the first slot of the program: the runtime tells programs apart by it.
    pub first_slot: u32,
}

impl Options {
    /// For every machine of a kind.
    pub const fn baseline(arch: Arch) -> Options {
        Options { arch, features: Features::baseline(), first_slot: 0 }
    }

    /// For this machine, if code can be made for it.
    pub fn host() -> Option<Options> {
        Some(Options { arch: Arch::host()?, features: Features::host(), first_slot: 0 })
    }
}
