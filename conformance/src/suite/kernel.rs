//! The kernel of this host as an engine of the suite.
//!
//! A test run hands back 32 bits, so the case becomes a function whose caller keeps all 64 in a map; and a program has no buffer, so
//! the case runs as XDP, on a packet that it reaches through the check that the verifier wants to see.

use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, Map, MapSpec, TestRun, Why};
use skep_linux::{Errno, MapType, ProgType};

use super::engine::{Answer, Engine};

/// The shortest packet that a test run takes: an Ethernet header.
const SHORTEST: usize = 14;
/// `XDP_PASS`.
const PASS: i32 = 2;
/// What the function returns where the packet is not there: the value is of no use to any case.
const NO_PACKET: i32 = -1;

/// The kernel of this host.
pub struct HostKernel {
    result: Map,
}

/// Why the kernel cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// Not on this host.
    #[error("needs {0}")]
    Missing(#[from] Why),
    /// A step around the case failed.
    #[error("{step}: {errno}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// The memory of the case does not fit the immediate that says its length.
    #[error("{len} bytes of memory are more than a packet")]
    TooLong {
        /// Its length.
        len: usize,
    },
}

impl HostKernel {
    /// The kernel, if it can be asked.
    ///
    /// # Errors
    /// [`HostProblem`].
    pub fn new() -> Result<HostKernel, HostProblem> {
        Kernel::available()?;
        let result = MapSpec::new(MapType::Array, 4, 8, 1).create();
        let result = result.map_err(|errno| HostProblem::Step { step: "a map for the result", errno })?;
        Ok(HostKernel { result })
    }

    fn ask(&self, program: &[RawInsn], memory: &[u8]) -> Result<Answer, HostProblem> {
        let size = i32::try_from(memory.len()).map_err(|_| HostProblem::TooLong { len: memory.len() })?;
        let mut insns = caller();
        insns.extend(prolog(size));
        insns.extend(program);
        let maps = [&self.result];
        let load = Load { maps: &maps, ..Load::raw(ProgType::Xdp, &insns) };
        let prog = match load.load() {
            Ok(prog) => prog,
            Err(error) => return Ok(Answer::Refused(error.into())),
        };
        let step = |step| move |errno| HostProblem::Step { step, errno };
        let key = 0u32.to_le_bytes();
        self.result.update(&key, &[0; 8], 0).map_err(step("the result set to 0"))?;
        let mut data = memory.to_vec();
        data.resize(data.len().max(SHORTEST), 0);
        prog.test_run(&TestRun { data, ..TestRun::default() }).map_err(step("test run"))?;
        let value = self.result.lookup(&key, 0).map_err(step("the result"))?;
        let value = value.try_into().map_err(|_| HostProblem::Step { step: "the result", errno: Errno::EINVAL })?;
        Ok(Answer::Value(u64::from_le_bytes(value)))
    }
}

impl Engine for HostKernel {
    fn name(&self) -> &str {
        "kernel"
    }

    fn run(&mut self, program: &[RawInsn], memory: &[u8]) -> Answer {
        self.ask(program, memory).unwrap_or_else(|problem| Answer::NotAsked(problem.into()))
    }
}

/// Calls what follows it, keeps r0 in the first map, and returns.
fn caller() -> Vec<RawInsn> {
    vec![
        RawInsn::new(0x85, 0, 1, 0, 5),    // call the slot after exit
        RawInsn::new(0x18, 1, 6, 0, 0),    // r1 = value of map 0
        RawInsn::new(0, 0, 0, 0, 0),       // its second half: offset 0
        RawInsn::new(0x7b, 1, 0, 0, 0),    // *(u64 *)(r1 + 0) = r0
        RawInsn::new(0xb7, 0, 0, 0, PASS), // r0 = XDP_PASS
        RawInsn::new(0x95, 0, 0, 0, 0),    // exit
    ]
}

/// `r1` to the packet and `r2` its length.
fn prolog(size: i32) -> Vec<RawInsn> {
    if size == 0 {
        return vec![RawInsn::new(0xb7, 1, 0, 0, 0), RawInsn::new(0xb7, 2, 0, 0, 0)];
    }
    vec![
        RawInsn::new(0x61, 2, 1, 4, 0),         // r2 = ctx->data_end
        RawInsn::new(0x61, 1, 1, 0, 0),         // r1 = ctx->data
        RawInsn::new(0xbf, 3, 1, 0, 0),         // r3 = r1
        RawInsn::new(0x07, 3, 0, 0, size),      // r3 += size
        RawInsn::new(0xbd, 3, 2, 2, 0),         // if r3 <= r2 goto +2
        RawInsn::new(0xb7, 0, 0, 0, NO_PACKET), // r0 = -1
        RawInsn::new(0x95, 0, 0, 0, 0),         // exit
        RawInsn::new(0xb7, 2, 0, 0, size),      // r2 = size
    ]
}
