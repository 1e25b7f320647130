//! A loaded program: running it, and what the kernel made of it.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use skep_isa::RawInsn;
use skep_linux::{Errno, ProgType};

use crate::btf::text;
use crate::sys;

/// A loaded program.
#[derive(Debug)]
pub struct Prog {
    fd: OwnedFd,
}

/// Input of a test run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestRun {
    /// Packet, from the Ethernet header. Empty for program types that take none.
    pub data: Vec<u8>,
    /// Room for the packet that comes back. Most program types answer `EINVAL` to any where there is no packet.
    pub data_out: usize,
    /// Context as uapi lays it out; may be shorter than the struct, or empty.
    pub ctx: Vec<u8>,
    /// Room for the context that comes back.
    pub ctx_out: usize,
    /// How often to run; 0 means once.
    pub repeat: u32,
    /// `BPF_F_TEST_*`.
    pub flags: u32,
    /// The CPU to run on, with `BPF_F_TEST_RUN_ON_CPU`.
    pub cpu: u32,
    /// Packets at a time, with `BPF_F_TEST_XDP_LIVE_FRAMES`.
    pub batch_size: u32,
}

/// Outcome of a test run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What the program returned, as the kernel hands it on: 32 bits.
    pub retval: u32,
    /// The packet afterwards, as far as there was room.
    pub data: Vec<u8>,
    /// Length of the packet afterwards.
    pub data_len: usize,
    /// The context afterwards.
    pub ctx: Vec<u8>,
    /// Mean time of a run, to the nanosecond.
    pub duration: Duration,
}

/// What the kernel made of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its type, if skep knows it.
    pub prog_type: Option<ProgType>,
    /// Its id.
    pub id: u32,
    /// Digest of its instructions.
    pub tag: [u8; 8],
    /// Name.
    pub name: String,
    /// Instructions after the verifier's rewrites.
    pub xlated: Vec<RawInsn>,
    /// Bytes of native code; 0 without a JIT.
    pub jited_len: usize,
    /// Instructions that the verifier processed.
    pub verified_insns: u32,
    /// Nanoseconds and runs, where `kernel.bpf_stats_enabled` is on.
    pub run_time: (u64, u64),
}

impl Prog {
    pub(crate) fn new(fd: OwnedFd) -> Prog {
        Prog { fd }
    }

    /// `BPF_PROG_TEST_RUN`. `ENOTSUPP` for program types that have none; `EINVAL` for inputs that the type does not take.
    pub fn test_run(&self, input: &TestRun) -> Result<Ran, Errno> {
        let mut data = vec![0; input.data_out];
        let mut ctx_in = input.ctx.clone();
        let mut ctx = vec![0; input.ctx_out];
        let run = sys::TestRun {
            data_in: &input.data,
            data_out: &mut data,
            ctx_in: &mut ctx_in,
            ctx_out: &mut ctx,
            repeat: input.repeat,
            flags: input.flags,
            cpu: input.cpu,
            batch_size: input.batch_size,
        };
        let attr = sys::test_run(self.fd.as_fd(), run)?;
        let data_len = attr.data_size_out as usize;
        data.truncate(data_len);
        ctx.truncate(attr.ctx_size_out as usize);
        // Syscall programs have no context out: theirs is written back in place.
        let ctx = if input.ctx_out == 0 { ctx_in } else { ctx };
        Ok(Ran { retval: attr.retval, data, data_len, ctx, duration: Duration::from_nanos(u64::from(attr.duration)) })
    }

    /// Attaches to a raw tracepoint by name, or (`None`) to the kernel function that the program was loaded for. Detaches when
    /// the descriptor closes.
    pub fn attach_raw(&self, tracepoint: Option<&str>) -> Result<OwnedFd, Errno> {
        let name = tracepoint.map(CString::new).transpose().map_err(|_| Errno::EINVAL)?;
        sys::raw_tracepoint_open(self.fd.as_fd(), name.as_deref())
    }

    /// What the kernel made of it.
    pub fn info(&self) -> Result<Info, Errno> {
        let lengths = sys::prog_info(self.fd.as_fd(), &mut [], &mut [])?;
        let mut xlated = vec![0; lengths.xlated_prog_len as usize];
        let info = sys::prog_info(self.fd.as_fd(), &mut xlated, &mut [])?;
        let slots = xlated.chunks_exact(8).map(|c| RawInsn::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]));
        Ok(Info {
            prog_type: ProgType::from_u32(info.prog_type),
            id: info.id,
            tag: info.tag,
            name: text(&info.name),
            xlated: slots.collect(),
            jited_len: lengths.jited_prog_len as usize,
            verified_insns: info.verified_insns,
            run_time: (info.run_time_ns, info.run_cnt),
        })
    }
}

impl AsFd for Prog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
