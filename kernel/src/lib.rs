//! *What it is*: `bpf(2)` of the host kernel behind a safe face: create and reach maps, load programs and BTF, test runs.
//!
//! *Invariant*: `unsafe` lives in `sys.rs` alone; every descriptor is an `OwnedFd`.
//!
//! *Start here*: [`Kernel::available`], then [`Map::from_def`] and [`Load::program`].
//!
//! A loaded program does to this machine what the kernel lets it do. The crate is for programs that a test or the user of a
//! command chose, and answers with the kernel's own error numbers and log.
//!
//! ```
//! use skep_isa::RawInsn;
//! use skep_kernel::{Kernel, Load, TestRun};
//! use skep_linux::ProgType;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! if let Err(why) = Kernel::available() {
//!     println!("skipped: needs {why}");
//!     return Ok(());
//! }
//! // r0 = 7; exit
//! let insns = [RawInsn::new(0xb7, 0, 0, 0, 7), RawInsn::new(0x95, 0, 0, 0, 0)];
//! let prog = Load::raw(ProgType::SocketFilter, &insns).load()?;
//! let ran = prog.test_run(&TestRun { data: vec![0; 14], ..TestRun::default() })?;
//! assert_eq!(ran.retval, 7);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

mod attr;
mod available;
mod btf;
mod load;
mod map;
mod map_spec;
mod prog;
mod rings;
mod sys;
mod thread;
mod types;

pub use available::{Kernel, Why};
pub use btf::{Btf, BtfError};
pub use load::{Load, LoadError, Loaded, LogLevel, Types};
pub use map::{BatchPage, Entry, Map, MappedMap};
pub use map_spec::{MapError, MapSpec};
pub use prog::{Info, Prog, Ran, TestRun};
pub use rings::{PerfReader, PerfSample, RingReader};
pub use sys::{FuncInfo, LineInfo};
pub use thread::{
    Capability, Times, Who, cpus, isolate_network, pin_thread, times, unprivileged_may_load, who, with_capabilities,
};

/// Number of CPUs that this kernel could have: user space sees as many pieces in a per-CPU value.
pub fn possible_cpus() -> usize {
    sys::possible_cpus()
}
