//! The kernel functions (kfuncs) that programs may call: what BTF does not say of them.
//!
//! Names, ids and types are in the kernel's BTF; whether a function acquires, releases, sleeps or may be called from a program
//! type is not. Program types were asked of Linux 6.18, those that need a trampoline follow the kernel's source; flags are the
//! source's. Functions of modules, of sched_ext and of HID are not here.

mod rows;

use skep_btf::{Btf, Kind, TypeId};

use crate::sets::Users;
use crate::target::Release;

/// What the verifier knows of a function beyond its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say what the functions do
pub enum Role {
    /// Nothing.
    Plain,
    /// Starts, steps and ends the iterator in its first argument.
    IterNew,
    IterNext,
    IterDestroy,
    /// Allocates an object of the type whose id is the first argument, and frees one.
    ObjNew,
    ObjDrop,
    PercpuObjNew,
    PercpuObjDrop,
    RefcountAcquire,
    /// Lists and trees in map values or objects.
    ListPush,
    ListPop,
    ListPeek,
    RbtreeAdd,
    RbtreeRemove,
    RbtreePeek,
    RbtreeChild,
    /// The context as the kernel's own struct.
    CastToKernCtx,
    /// A pointer as a read-only pointer to a type.
    RdonlyCast,
    /// Sections.
    RcuLock,
    RcuUnlock,
    PreemptDisable,
    PreemptEnable,
    IrqSave,
    IrqRestore,
    /// `struct bpf_res_spin_lock`.
    Lock,
    Unlock,
    LockIrqSave,
    UnlockIrqRestore,
    /// Dynptrs of packets, and pointers into dynptrs.
    DynptrFromSkb,
    DynptrFromSkbMeta,
    DynptrFromXdp,
    DynptrSlice,
    DynptrSliceWritable,
    DynptrClone,
    /// Ends the program.
    Throw,
    /// Calls a function of the program later.
    WqCallback,
    TaskWork,
    /// Left by compilers where code must not be reached.
    Trap,
    /// May move the packet.
    ChangesPacket,
}

/// When a function of the program runs that a kernel function is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Within the call, once or more often.
    Within,
    /// Later, by itself.
    Later,
}

impl Role {
    /// When the function of the program runs that it is given; `None` if it is given none.
    pub const fn runs(self) -> Option<Runs> {
        match self {
            Role::RbtreeAdd => Some(Runs::Within),
            Role::WqCallback | Role::TaskWork => Some(Runs::Later),
            Role::Plain
            | Role::IterNew
            | Role::IterNext
            | Role::IterDestroy
            | Role::ObjNew
            | Role::ObjDrop
            | Role::PercpuObjNew
            | Role::PercpuObjDrop
            | Role::RefcountAcquire
            | Role::ListPush
            | Role::ListPop
            | Role::ListPeek
            | Role::RbtreeRemove
            | Role::RbtreePeek
            | Role::RbtreeChild
            | Role::CastToKernCtx
            | Role::RdonlyCast
            | Role::RcuLock
            | Role::RcuUnlock
            | Role::PreemptDisable
            | Role::PreemptEnable
            | Role::IrqSave
            | Role::IrqRestore
            | Role::Lock
            | Role::Unlock
            | Role::LockIrqSave
            | Role::UnlockIrqRestore
            | Role::DynptrFromSkb
            | Role::DynptrFromSkbMeta
            | Role::DynptrFromXdp
            | Role::DynptrSlice
            | Role::DynptrSliceWritable
            | Role::DynptrClone
            | Role::Throw
            | Role::Trap
            | Role::ChangesPacket => None,
        }
    }
}

/// A kernel function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KfuncRow {
    /// The name in BTF.
    pub name: &'static str,
    /// Programs that may call it.
    pub users: Users,
    /// The release that it came with.
    pub since: Release,
    /// What it returns holds a reference.
    pub acquire: bool,
    /// Its pointer argument gives up the reference that it holds.
    pub release: bool,
    /// It may return NULL.
    pub ret_null: bool,
    /// Its pointer arguments must be trusted and not NULL.
    pub trusted_args: bool,
    /// Its pointer arguments must be trusted, or valid in the RCU section.
    pub rcu: bool,
    /// Must be called within an RCU section.
    pub rcu_protected: bool,
    /// May sleep.
    pub sleepable: bool,
    /// Needs `CAP_SYS_BOOT`.
    pub destructive: bool,
    /// `bpf_fastcall`.
    pub fastcall: bool,
    /// The memory that it returns may be written, too.
    pub ret_writable: bool,
    /// What it returns is not trusted.
    pub ret_untrusted: bool,
    /// Only for programs of security modules and iterators, and for those that sleep: others may hold the lock that it takes.
    pub takes_css_lock: bool,
    /// Only for programs that are bound to a device, whose driver answers.
    pub device_bound: bool,
    /// May be called while a lock is held, besides those whose role says so.
    pub under_lock: bool,
    /// What else the verifier knows of it.
    pub role: Role,
}

impl KfuncRow {
    const fn new(name: &'static str, users: Users, since: Release) -> KfuncRow {
        KfuncRow {
            name,
            users,
            since,
            acquire: false,
            release: false,
            ret_null: false,
            trusted_args: false,
            rcu: false,
            rcu_protected: false,
            sleepable: false,
            destructive: false,
            fastcall: false,
            ret_writable: false,
            ret_untrusted: false,
            takes_css_lock: false,
            device_bound: false,
            under_lock: false,
            role: Role::Plain,
        }
    }

    const fn under_lock(self) -> KfuncRow {
        KfuncRow { under_lock: true, ..self }
    }

    const fn acquire(self) -> KfuncRow {
        KfuncRow { acquire: true, ..self }
    }

    const fn release(self) -> KfuncRow {
        KfuncRow { release: true, ..self }
    }

    const fn ret_null(self) -> KfuncRow {
        KfuncRow { ret_null: true, ..self }
    }

    const fn trusted_args(self) -> KfuncRow {
        KfuncRow { trusted_args: true, ..self }
    }

    const fn rcu(self) -> KfuncRow {
        KfuncRow { rcu: true, ..self }
    }

    const fn rcu_protected(self) -> KfuncRow {
        KfuncRow { rcu_protected: true, ..self }
    }

    const fn sleepable(self) -> KfuncRow {
        KfuncRow { sleepable: true, ..self }
    }

    const fn destructive(self) -> KfuncRow {
        KfuncRow { destructive: true, ..self }
    }

    const fn fastcall(self) -> KfuncRow {
        KfuncRow { fastcall: true, ..self }
    }

    const fn ret_writable(self) -> KfuncRow {
        KfuncRow { ret_writable: true, ..self }
    }

    const fn ret_untrusted(self) -> KfuncRow {
        KfuncRow { ret_untrusted: true, ..self }
    }

    const fn device_bound(self) -> KfuncRow {
        KfuncRow { device_bound: true, ..self }
    }

    const fn takes_css_lock(self) -> KfuncRow {
        KfuncRow { takes_css_lock: true, ..self }
    }

    const fn role(self, role: Role) -> KfuncRow {
        KfuncRow { role, ..self }
    }

    /// Whether pointer arguments must be trusted: those of a function that releases must be too.
    pub const fn wants_trusted(&self) -> bool {
        self.trusted_args || self.release
    }
}

/// Every kernel function that has a row.
pub const KFUNCS: &[KfuncRow] = rows::ROWS;

/// The row of the kernel function of this name.
pub fn kfunc(name: &str) -> Option<&'static KfuncRow> {
    KFUNCS.iter().find(|row| row.name == name)
}

/// Whether the kernel with these types lets programs call the function at all: with some configurations it has functions that it does
/// not offer. Types of kernels before 6.10 do not say.
pub fn is_offered(btf: &Btf, id: TypeId) -> bool {
    let tagged = |id| btf.decl_tags(id).any(|tag| tag.value == "bpf_kfunc");
    let says = || btf.find("bpf_rcu_read_lock", Kind::Func).is_some_and(tagged);
    tagged(id) || !says()
}
