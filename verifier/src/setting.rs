//! What every phase may read: the program, the kernel it is for, and the rows about both.

use skep_btf::Btf;
use skep_linux::helpers::{Needs, Policy, Proto};
use skep_linux::{AttachType, ContextRow, HelperRow, ProgRow, ProgType, Target};
use skep_program::{MapDef, Program};

use crate::fault::Fault;
use crate::options::Options;
use crate::state::MapRef;

/// BPF_F_*: flags of a program that tests set, and those that change what is checked.
pub mod flags {
    /// Accesses are aligned even where the machine would not mind.
    pub const STRICT_ALIGNMENT: u32 = 1;
    /// No access needs to be aligned.
    pub const ANY_ALIGNMENT: u32 = 2;
    /// States are kept at every place where they may be.
    pub const TEST_STATE_FREQ: u32 = 8;
    /// The program may sleep.
    pub const SLEEPABLE: u32 = 16;
    /// Packets in several pieces.
    pub const XDP_HAS_FRAGS: u32 = 32;
    /// Only for one device.
    pub const XDP_DEV_BOUND_ONLY: u32 = 64;
    /// Bounds that contradict each other are an error.
    pub const TEST_REG_INVARIANTS: u32 = 128;
}

/// What every phase may read.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The program.
    pub program: &'a Program,
    /// The kernel.
    pub target: &'a Target,
    /// What else the answer depends on.
    pub options: &'a Options,
    /// The row of the program's type.
    pub row: &'static ProgRow,
    /// What the program is attached to, with the default of the type.
    pub attach: AttachType,
    /// The row of its context; `None` where the type has none of its own.
    pub context: Option<&'static ContextRow>,
}

impl<'a> Setting<'a> {
    /// What is known of this program for this kernel.
    ///
    /// # Errors
    /// A program type that is not modelled.
    pub fn new(program: &'a Program, target: &'a Target, options: &'a Options) -> Result<Setting<'a>, Fault> {
        let row = skep_linux::program(program.prog_type)
            .ok_or_else(|| Fault::not_modelled(format!("programs of type {:?}", program.prog_type)))?;
        let attach = program.attach_type.unwrap_or_else(|| AttachType::from_u32(0).expect("0 is an attach type"));
        Ok(Setting {
            program,
            target,
            options,
            row,
            attach: program.prog_type.attach_meant(attach),
            context: skep_linux::context(program.prog_type, target.arch),
        })
    }

    /// The type of the program.
    pub fn prog_type(&self) -> ProgType {
        self.program.prog_type
    }

    /// The kernel's own types.
    pub fn vmlinux(&self) -> Option<&'a Btf> {
        self.target.btf().map(|btf| &**btf)
    }

    /// Whether the program was loaded with this flag.
    pub fn flag(&self, flag: u32) -> bool {
        self.program.flags & flag != 0
    }

    /// The program may sleep.
    pub fn sleepable(&self) -> bool {
        self.flag(flags::SLEEPABLE)
    }

    /// Pointers may be seen as numbers, and compared.
    pub fn may_leak(&self) -> bool {
        self.options.privileges.perfmon
    }

    /// Bytes of the stack may be read before they are written.
    pub fn may_read_uninit(&self) -> bool {
        self.options.privileges.perfmon
    }

    /// Ways that the processor takes by a wrong guess of a branch or of an offset are followed as well (Spectre v1).
    pub fn follows_guesses(&self) -> bool {
        !self.options.privileges.perfmon
    }

    /// A load must not find what lay on the stack before a store (Spectre v4).
    pub fn guards_old_values(&self) -> bool {
        !self.options.privileges.perfmon && self.target.arch.guards_old_values()
    }

    /// All numbers count as relied on: only who has `CAP_BPF` has others.
    pub fn relies_on_all(&self) -> bool {
        !self.options.privileges.bpf
    }

    /// Accesses must be aligned to their size.
    pub fn strict_alignment(&self) -> bool {
        self.flag(flags::STRICT_ALIGNMENT)
    }

    /// States are kept wherever they may be: for tests of those who have `CAP_BPF`.
    pub fn keeps_all_states(&self) -> bool {
        self.flag(flags::TEST_STATE_FREQ) && self.options.privileges.bpf
    }

    /// A map that a pointer names: one of the program's, or the template of the maps in one of them.
    pub fn map(&self, map: MapRef) -> Option<&'a MapDef> {
        let index = usize::from(map.0);
        let maps = &self.program.maps;
        match index.checked_sub(maps.len()) {
            None => maps.get(index).map(|map| &**map),
            Some(outer) => maps.get(outer)?.inner.as_deref(),
        }
    }

    /// Programs may not write the map: it was made so, or all of its type are.
    pub fn is_read_only(&self, map: &MapDef) -> bool {
        use skep_linux::maps::Lookup;
        let always = skep_linux::map(map.map_type).is_some_and(|row| row.lookup == Lookup::ReadOnly);
        always || map.flags & skep_linux::flags::BPF_F_RDONLY_PROG != 0
    }

    /// The template of the maps in a map.
    pub fn inner_map(&self, map: MapRef) -> Option<MapRef> {
        let inner = MapRef(u16::try_from(self.program.maps.len()).ok()?.checked_add(map.0)?);
        self.map(inner).map(|_| inner)
    }

    /// The prototype of a helper that this program may call, as far as its type, its user and the host decide.
    pub fn may_call(&self, row: &'static HelperRow) -> Option<&'static Proto> {
        let proto = row.proto(self.prog_type(), self.attach)?;
        self.may_use(row).then_some(proto)
    }

    /// Whether user and host let programs call the helper.
    pub fn may_use(&self, row: &HelperRow) -> bool {
        let privileges = self.options.privileges;
        let allowed = match row.needs {
            Needs::Nothing => true,
            Needs::Bpf => privileges.bpf,
            Needs::Perfmon => privileges.perfmon,
        };
        let policies = self.options.policies;
        let denied = match row.policy {
            Policy::Free => false,
            Policy::ReadKernel => !policies.read_kernel,
            Policy::WriteUser => !policies.write_user || !privileges.sys_admin,
            Policy::Override => !policies.override_return,
        };
        allowed && !denied
    }
}
