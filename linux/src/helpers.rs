//! The helper functions: one row each, grouped by family in files that `skep-helpers` mirrors.
//!
//! A row has the columns of the kernel's own prototype and those that the kernel keeps elsewhere. Program types were asked of
//! Linux 6.18; those that need a trampoline (fentry, fexit, fmod_ret, lsm) or an absent subsystem (LIRC, kprobe overrides)
//! follow the kernel's source.

mod shape;
mod shared;

mod cgroup;
mod control;
mod cpu;
mod csum;
mod dynptr;
mod kptr;
mod lirc;
mod lock;
mod lsm;
mod lwt;
mod map;
mod perf;
mod print;
mod probe;
mod redirect;
mod ringbuf;
mod route;
mod skb;
mod sock;
mod sockmap;
mod stack;
mod storage;
mod string;
mod syscall;
mod sysctl;
mod task;
mod tcp;
mod time;
mod timer;
mod trace;
mod tunnel;
mod xdp;

pub use shape::{
    Access, Arg, ArgKind, Bound, BtfType, Callback, CallbackArg, HelperRow, Hooks, Leave, Lock, MapUse, Needs, Policy, Proto,
    Refusal, Ret, Role, Sleeps,
};

/// Helpers that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The name, which is also the name of the file that holds the rows and of the one that holds the bodies.
    pub name: &'static str,
    /// The rows, in the order of their ids.
    pub rows: &'static [HelperRow],
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family { name: "cgroup", rows: cgroup::ROWS },
    Family { name: "control", rows: control::ROWS },
    Family { name: "cpu", rows: cpu::ROWS },
    Family { name: "csum", rows: csum::ROWS },
    Family { name: "dynptr", rows: dynptr::ROWS },
    Family { name: "kptr", rows: kptr::ROWS },
    Family { name: "lirc", rows: lirc::ROWS },
    Family { name: "lock", rows: lock::ROWS },
    Family { name: "lsm", rows: lsm::ROWS },
    Family { name: "lwt", rows: lwt::ROWS },
    Family { name: "map", rows: map::ROWS },
    Family { name: "perf", rows: perf::ROWS },
    Family { name: "print", rows: print::ROWS },
    Family { name: "probe", rows: probe::ROWS },
    Family { name: "redirect", rows: redirect::ROWS },
    Family { name: "ringbuf", rows: ringbuf::ROWS },
    Family { name: "route", rows: route::ROWS },
    Family { name: "skb", rows: skb::ROWS },
    Family { name: "sock", rows: sock::ROWS },
    Family { name: "sockmap", rows: sockmap::ROWS },
    Family { name: "stack", rows: stack::ROWS },
    Family { name: "storage", rows: storage::ROWS },
    Family { name: "string", rows: string::ROWS },
    Family { name: "sysctl", rows: sysctl::ROWS },
    Family { name: "syscall", rows: syscall::ROWS },
    Family { name: "task", rows: task::ROWS },
    Family { name: "tcp", rows: tcp::ROWS },
    Family { name: "time", rows: time::ROWS },
    Family { name: "timer", rows: timer::ROWS },
    Family { name: "trace", rows: trace::ROWS },
    Family { name: "tunnel", rows: tunnel::ROWS },
    Family { name: "xdp", rows: xdp::ROWS },
];

/// The highest helper id.
pub const MAX_HELPER: u32 = 211;

/// The row of helper `id`, the number in a call instruction.
pub const fn helper(id: u32) -> Option<&'static HelperRow> {
    if id < 1 || id > MAX_HELPER { None } else { Some(BY_ID[id as usize - 1]) }
}

/// The row of the helper of this name, with or without `bpf_`.
pub fn helper_by_name(name: &str) -> Option<&'static HelperRow> {
    HELPERS.iter().copied().find(|row| row.name == name || row.short_name() == name)
}

/// All rows, in the order of their ids.
pub const HELPERS: &[&HelperRow] = &BY_ID;

static BY_ID: [&HelperRow; MAX_HELPER as usize] = by_id();

const fn by_id() -> [&'static HelperRow; MAX_HELPER as usize] {
    let mut table: [Option<&'static HelperRow>; MAX_HELPER as usize] = [None; MAX_HELPER as usize];
    let mut f = 0;
    while f < FAMILIES.len() {
        let rows = FAMILIES[f].rows;
        let mut r = 0;
        while r < rows.len() {
            let slot = rows[r].id as usize - 1;
            assert!(table[slot].is_none(), "two rows have one id");
            assert!(r == 0 || rows[r - 1].id < rows[r].id, "rows of a family are in the order of their ids");
            rows[r].check();
            table[slot] = Some(&rows[r]);
            r += 1;
        }
        f += 1;
    }
    let mut all = [&FAMILIES[0].rows[0]; MAX_HELPER as usize];
    let mut i = 0;
    while i < all.len() {
        match table[i] {
            Some(row) => all[i] = row,
            None => panic!("an id has no row"),
        }
        i += 1;
    }
    all
}
