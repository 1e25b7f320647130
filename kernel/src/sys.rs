//! The system calls: the one file of this crate with `unsafe`.
//!
//! Every function here is safe to call: lengths that the kernel takes from a map or a program rather than from the call are
//! kept beside the descriptor ([`MapFd`]) and tested before the kernel sees a pointer.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use skep_isa::RawInsn;
use skep_linux::{Errno, MapType};

use crate::attr::*;

pub(crate) const MAP_CREATE: u32 = 0;
pub(crate) const MAP_LOOKUP_ELEM: u32 = 1;
pub(crate) const MAP_UPDATE_ELEM: u32 = 2;
pub(crate) const MAP_DELETE_ELEM: u32 = 3;
pub(crate) const MAP_GET_NEXT_KEY: u32 = 4;
pub(crate) const PROG_LOAD: u32 = 5;
pub(crate) const PROG_TEST_RUN: u32 = 10;
pub(crate) const OBJ_GET_INFO_BY_FD: u32 = 15;
pub(crate) const RAW_TRACEPOINT_OPEN: u32 = 17;
pub(crate) const BTF_LOAD: u32 = 18;
pub(crate) const MAP_LOOKUP_AND_DELETE_ELEM: u32 = 21;
pub(crate) const MAP_FREEZE: u32 = 22;
pub(crate) const BTF_GET_NEXT_ID: u32 = 23;
pub(crate) const BTF_GET_FD_BY_ID: u32 = 19;
pub(crate) const MAP_LOOKUP_BATCH: u32 = 24;
pub(crate) const MAP_LOOKUP_AND_DELETE_BATCH: u32 = 25;
pub(crate) const MAP_UPDATE_BATCH: u32 = 26;
pub(crate) const MAP_DELETE_BATCH: u32 = 27;

fn last_errno() -> Errno {
    Errno(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// `bpf(2)` with the attribute of the command.
///
/// # Safety
/// Every address in `attr` must be valid for what the command reads and writes there.
unsafe fn bpf<T>(cmd: u32, attr: &mut T) -> Result<i32, Errno> {
    // SAFETY: `attr` is a live `repr(C)` value of the size given; the addresses in it are the caller's promise.
    let r = unsafe { libc::syscall(libc::SYS_bpf, cmd as libc::c_long, attr as *mut T, size_of::<T>()) };
    if r < 0 { Err(last_errno()) } else { Ok(r as i32) }
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: called with a number that a system call has just returned as a new descriptor, and nobody else has.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn addr<T>(s: &[T]) -> u64 {
    if s.is_empty() { 0 } else { s.as_ptr() as u64 }
}

fn addr_mut<T>(s: &mut [T]) -> u64 {
    if s.is_empty() { 0 } else { s.as_mut_ptr() as u64 }
}

/// A map's descriptor and the lengths that the kernel will read and write for it.
#[derive(Debug)]
pub(crate) struct MapFd {
    fd: OwnedFd,
    map_type: u32,
    key: usize,
    value: usize,
}

/// Number of CPUs that per-CPU values have room for.
pub(crate) fn possible_cpus() -> usize {
    static COUNT: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *COUNT.get_or_init(|| {
        let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
        let last = text.trim().rsplit(['-', ',']).next().and_then(|n| n.parse::<usize>().ok());
        // The kernel writes num_possible_cpus() values: a number that is too small would let it write beyond a buffer.
        last.map_or(8192, |n| n + 1)
    })
}

fn user_value_len(map_type: u32, value_size: u32) -> usize {
    const PERCPU: [MapType; 4] =
        [MapType::PercpuHash, MapType::PercpuArray, MapType::LruPercpuHash, MapType::PercpuCgroupStorage];
    let size = value_size as usize;
    if PERCPU.iter().any(|t| *t as u32 == map_type) { size.next_multiple_of(8).saturating_mul(possible_cpus()) } else { size }
}

impl MapFd {
    pub(crate) fn create(mut attr: MapCreateAttr) -> Result<MapFd, Errno> {
        // SAFETY: the attribute holds no addresses.
        let fd = owned(unsafe { bpf(MAP_CREATE, &mut attr) }?);
        Ok(MapFd {
            fd,
            map_type: attr.map_type,
            key: attr.key_size as usize,
            value: user_value_len(attr.map_type, attr.value_size),
        })
    }

    /// From a descriptor of unknown shape: asks the kernel.
    pub(crate) fn adopt(fd: OwnedFd) -> Result<MapFd, Errno> {
        let info = map_info(fd.as_fd())?;
        Ok(MapFd {
            fd,
            map_type: info.map_type,
            key: info.key_size as usize,
            value: user_value_len(info.map_type, info.value_size),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn map_type(&self) -> u32 {
        self.map_type
    }

    pub(crate) fn key_len(&self) -> usize {
        self.key
    }

    pub(crate) fn value_len(&self) -> usize {
        self.value
    }

    /// Commands with a key and, perhaps, a value that is read or written. `EINVAL` where a length is not the map's.
    pub(crate) fn elem(&self, cmd: u32, key: &[u8], value: Option<&mut [u8]>, flags: u64) -> Result<(), Errno> {
        if key.len() != self.key || value.as_ref().is_some_and(|v| v.len() != self.value) {
            return Err(Errno::EINVAL);
        }
        // Where no value is handed over, the kernel gets a null pointer and answers EFAULT at worst.
        let value = value.map_or(0, addr_mut);
        let mut attr = ElemAttr { map_fd: self.fd.as_raw_fd() as u32, pad: 0, key: addr(key), value, flags };
        // SAFETY: the key has the map's key length and the value the length that the kernel copies for this type of map.
        unsafe { bpf(cmd, &mut attr) }.map(|_| ())
    }

    /// `BPF_MAP_GET_NEXT_KEY`.
    pub(crate) fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        if key.is_some_and(|k| k.len() != self.key) {
            return Err(Errno::EINVAL);
        }
        let mut next = vec![0; self.key];
        let (map_fd, key) = (self.fd.as_raw_fd() as u32, key.map_or(0, addr));
        let mut attr = ElemAttr { map_fd, pad: 0, key, value: addr_mut(&mut next), flags: 0 };
        // SAFETY: both keys have the map's key length.
        unsafe { bpf(MAP_GET_NEXT_KEY, &mut attr) }?;
        Ok(next)
    }

    /// Batch commands. `token` is where to begin, as an earlier call handed it out; `keys` and `values` hold `count` pieces.
    pub(crate) fn batch(&self, cmd: u32, batch: Batch<'_>) -> Result<u32, (Errno, u32)> {
        let count = batch.count as usize;
        let fits = batch.keys.len() == count.saturating_mul(self.key)
            && batch.values.as_ref().is_none_or(|v| v.len() == count.saturating_mul(self.value));
        // The token is a 4-byte bucket number or a key, by map type.
        let token_len = self.key.max(8);
        if !fits || batch.token.is_some_and(|t| t.len() != token_len) {
            return Err((Errno::EINVAL, 0));
        }
        batch.next.clear();
        batch.next.resize(token_len, 0);
        let mut attr = BatchAttr {
            in_batch: batch.token.map_or(0, addr),
            out_batch: addr_mut(batch.next),
            keys: addr_mut(batch.keys),
            values: batch.values.map_or(0, addr_mut),
            count: batch.count,
            map_fd: self.fd.as_raw_fd() as u32,
            elem_flags: batch.elem_flags,
            flags: batch.flags,
        };
        // SAFETY: keys and values have room for `count` pieces of the map's lengths, and tokens for the longer of its two kinds.
        match unsafe { bpf(cmd, &mut attr) } {
            Ok(_) => Ok(attr.count),
            Err(e) => Err((e, attr.count)),
        }
    }

    pub(crate) fn freeze(&self) -> Result<(), Errno> {
        let mut attr = self.fd.as_raw_fd() as u32;
        // SAFETY: the attribute is one descriptor.
        unsafe { bpf(MAP_FREEZE, &mut attr) }.map(|_| ())
    }
}

/// What a batch command takes.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) token: Option<&'a [u8]>,
    pub(crate) next: &'a mut Vec<u8>,
    pub(crate) keys: &'a mut [u8],
    pub(crate) values: Option<&'a mut [u8]>,
    pub(crate) count: u32,
    pub(crate) elem_flags: u64,
    pub(crate) flags: u64,
}

pub(crate) fn map_info(fd: BorrowedFd<'_>) -> Result<MapInfo, Errno> {
    let mut info = MapInfo::default();
    let info_len = size_of::<MapInfo>() as u32;
    let mut attr = InfoAttr { bpf_fd: fd.as_raw_fd() as u32, info_len, info: (&raw mut info) as u64 };
    // SAFETY: the kernel writes at most `info_len` bytes, and the zeroed struct holds no addresses for any kind of object
    // that a map descriptor can be; for other kinds of descriptors a zeroed info asks for no arrays.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}

/// Facts of a program; `xlated` and `jited` are filled as far as they reach.
pub(crate) fn prog_info(fd: BorrowedFd<'_>, xlated: &mut [u8], jited: &mut [u8]) -> Result<ProgInfo, Errno> {
    let mut info = ProgInfo {
        xlated_prog_len: xlated.len() as u32,
        xlated_prog_insns: addr_mut(xlated),
        jited_prog_len: jited.len() as u32,
        jited_prog_insns: addr_mut(jited),
        ..ProgInfo::default()
    };
    let info_len = size_of::<ProgInfo>() as u32;
    let mut attr = InfoAttr { bpf_fd: fd.as_raw_fd() as u32, info_len, info: (&raw mut info) as u64 };
    // SAFETY: `fd` is a program's (this crate calls it with no other); the two arrays have the lengths that are named.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}

/// Name and size of a BTF object. `data` is filled as far as it reaches.
pub(crate) fn btf_info(fd: BorrowedFd<'_>, data: &mut [u8]) -> Result<(String, usize), Errno> {
    let mut name = [0u8; 64];
    let mut info = BtfInfo {
        btf: addr_mut(data),
        btf_size: data.len() as u32,
        name: addr_mut(&mut name),
        name_len: name.len() as u32,
        ..BtfInfo::default()
    };
    let info_len = size_of::<BtfInfo>() as u32;
    let mut attr = InfoAttr { bpf_fd: fd.as_raw_fd() as u32, info_len, info: (&raw mut info) as u64 };
    // SAFETY: `fd` is a BTF object's (this crate calls it with no other); both buffers have the lengths that are named.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let name = CStr::from_bytes_until_nul(&name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((name, info.btf_size as usize))
}

/// The id of the BTF object after `id`.
pub(crate) fn btf_next_id(id: u32) -> Result<u32, Errno> {
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: the attribute holds no addresses.
    unsafe { bpf(BTF_GET_NEXT_ID, &mut attr) }?;
    Ok(attr.next_id)
}

/// A descriptor of the BTF object with this id.
pub(crate) fn btf_by_id(id: u32) -> Result<OwnedFd, Errno> {
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: the attribute holds no addresses.
    unsafe { bpf(BTF_GET_FD_BY_ID, &mut attr) }.map(owned)
}

/// `BPF_BTF_LOAD`. `log` may be empty.
pub(crate) fn btf_load(data: &[u8], log: &mut [u8]) -> Result<OwnedFd, Errno> {
    let size = u32::try_from(data.len()).map_err(|_| Errno::E2BIG)?;
    let mut attr = BtfLoadAttr {
        btf: addr(data),
        btf_size: size,
        btf_log_size: log.len() as u32,
        btf_log_level: u32::from(!log.is_empty()),
        btf_log_buf: addr_mut(log),
    };
    // SAFETY: both buffers have the lengths that are named.
    unsafe { bpf(BTF_LOAD, &mut attr) }.map(owned)
}

/// `struct bpf_func_info`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FuncInfo {
    /// Slot at which the function begins.
    pub insn_off: u32,
    /// Id of its `FUNC`.
    pub type_id: u32,
}

/// `struct bpf_line_info`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineInfo {
    /// First slot.
    pub insn_off: u32,
    /// Offset of the file name in the strings of the BTF.
    pub file_name_off: u32,
    /// Offset of the line's text in the strings of the BTF.
    pub line_off: u32,
    /// Line in the upper 22 bits, column in the lower 10.
    pub line_col: u32,
}

/// What `BPF_PROG_LOAD` takes.
#[derive(Debug)]
pub(crate) struct ProgLoad<'a> {
    pub(crate) prog_type: u32,
    pub(crate) expected_attach_type: u32,
    pub(crate) insns: &'a [RawInsn],
    pub(crate) license: &'a CStr,
    pub(crate) log_level: u32,
    pub(crate) log: &'a mut [u8],
    pub(crate) kern_version: u32,
    pub(crate) prog_flags: u32,
    pub(crate) prog_name: [u8; 16],
    pub(crate) btf: Option<BorrowedFd<'a>>,
    pub(crate) func_info: &'a [FuncInfo],
    pub(crate) line_info: &'a [LineInfo],
    pub(crate) attach_btf_id: u32,
    pub(crate) attach_fd: Option<BorrowedFd<'a>>,
    pub(crate) fd_array: &'a [BorrowedFd<'a>],
}

/// `BPF_PROG_LOAD`: the program and the length of the whole log, which may be more than the buffer took.
pub(crate) fn prog_load(p: ProgLoad<'_>) -> (Result<OwnedFd, Errno>, u32) {
    let bytes: Vec<u8> = p.insns.iter().flat_map(|i| i.to_le_bytes()).collect();
    let raw = |fd: Option<BorrowedFd<'_>>| fd.map_or(0, |f| f.as_raw_fd() as u32);
    let fds: Vec<RawFd> = p.fd_array.iter().map(|f| f.as_raw_fd()).collect();
    let log_level = if p.log.is_empty() { 0 } else { p.log_level };
    let mut attr = ProgLoadAttr {
        prog_type: p.prog_type,
        insn_cnt: p.insns.len() as u32,
        insns: addr(&bytes),
        license: p.license.as_ptr() as u64,
        log_level,
        log_size: if log_level == 0 { 0 } else { p.log.len() as u32 },
        log_buf: if log_level == 0 { 0 } else { addr_mut(p.log) },
        kern_version: p.kern_version,
        prog_flags: p.prog_flags,
        prog_name: p.prog_name,
        expected_attach_type: p.expected_attach_type,
        prog_btf_fd: raw(p.btf),
        func_info_rec_size: if p.func_info.is_empty() { 0 } else { size_of::<FuncInfo>() as u32 },
        func_info: addr(p.func_info),
        func_info_cnt: p.func_info.len() as u32,
        line_info_rec_size: if p.line_info.is_empty() { 0 } else { size_of::<LineInfo>() as u32 },
        line_info: addr(p.line_info),
        line_info_cnt: p.line_info.len() as u32,
        attach_btf_id: p.attach_btf_id,
        attach_fd: raw(p.attach_fd),
        fd_array: addr(&fds),
        ..ProgLoadAttr::default()
    };
    // SAFETY: every array has the count that is named; the license ends in a zero byte; `fd_array` is read at the indices that
    // the instructions name, with copies from user space that fail and do not fault us; the kernel writes to the log alone.
    let r = unsafe { bpf(PROG_LOAD, &mut attr) };
    (r.map(owned), attr.log_true_size)
}

/// What `BPF_PROG_TEST_RUN` takes, beside the program.
#[derive(Debug)]
pub(crate) struct TestRun<'a> {
    pub(crate) data_in: &'a [u8],
    pub(crate) data_out: &'a mut [u8],
    /// Mutable, since the kernel writes the context of a syscall program back to where it came from.
    pub(crate) ctx_in: &'a mut [u8],
    pub(crate) ctx_out: &'a mut [u8],
    pub(crate) repeat: u32,
    pub(crate) flags: u32,
    pub(crate) cpu: u32,
    pub(crate) batch_size: u32,
}

/// `BPF_PROG_TEST_RUN`.
pub(crate) fn test_run(prog: BorrowedFd<'_>, t: TestRun<'_>) -> Result<TestRunAttr, Errno> {
    let mut attr = TestRunAttr {
        prog_fd: prog.as_raw_fd() as u32,
        data_size_in: t.data_in.len() as u32,
        data_size_out: t.data_out.len() as u32,
        data_in: addr(t.data_in),
        data_out: addr_mut(t.data_out),
        repeat: t.repeat,
        ctx_size_in: t.ctx_in.len() as u32,
        ctx_size_out: t.ctx_out.len() as u32,
        ctx_in: addr_mut(t.ctx_in),
        ctx_out: addr_mut(t.ctx_out),
        flags: t.flags,
        cpu: t.cpu,
        batch_size: t.batch_size,
        ..TestRunAttr::default()
    };
    // SAFETY: the four buffers have the lengths that are named, and the kernel copies no more than them.
    unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
    Ok(attr)
}

/// `BPF_RAW_TRACEPOINT_OPEN`: attaches until the descriptor closes. `None` where the program knows its target itself.
pub(crate) fn raw_tracepoint_open(prog: BorrowedFd<'_>, name: Option<&CStr>) -> Result<OwnedFd, Errno> {
    let name = name.map_or(0, |n| n.as_ptr() as u64);
    let mut attr = RawTracepointAttr { name, prog_fd: prog.as_raw_fd() as u32, pad: 0 };
    // SAFETY: the name ends in a zero byte.
    unsafe { bpf(RAW_TRACEPOINT_OPEN, &mut attr) }.map(owned)
}

/// Memory that the kernel shares with us: a map, or a ring of samples.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: *mut u8,
    len: usize,
    writable: bool,
}

// SAFETY: the memory is reached through volatile and atomic accesses alone, whoever else writes to it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    // SAFETY: asks for a number.
    let n = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(n).unwrap_or(4096)
}

impl Mapping {
    /// Maps `len` bytes from `offset` of a descriptor; at address `at` if it is not 0 and nothing else is there.
    pub(crate) fn new(fd: BorrowedFd<'_>, len: usize, offset: usize, writable: bool, at: u64) -> Result<Mapping, Errno> {
        let prot = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let flags = libc::MAP_SHARED | if at == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
        let hint = at as *mut libc::c_void;
        // SAFETY: a new mapping at a place that the kernel chooses, or that is refused where something is mapped already.
        let base = unsafe { libc::mmap(hint, len, prot, flags, fd.as_raw_fd(), offset as libc::off_t) };
        if base == libc::MAP_FAILED { Err(last_errno()) } else { Ok(Mapping { base: base.cast(), len, writable }) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn addr(&self) -> u64 {
        self.base as u64
    }

    fn cell(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < self.len && self.len - offset >= 8, "word {offset} of {}", self.len);
        // SAFETY: in range and aligned (mappings begin at pages); the memory lives as long as `self`.
        unsafe { &*self.base.add(offset).cast::<AtomicU64>() }
    }

    /// The word at `offset`, as it was before what this thread reads next.
    pub(crate) fn load(&self, offset: usize) -> u64 {
        // A plain load with acquire order is all that a read-only page takes.
        self.cell(offset).load(Ordering::Acquire)
    }

    /// Writes the word at `offset` after what this thread did before.
    pub(crate) fn store(&self, offset: usize, value: u64) {
        assert!(self.writable, "a read-only mapping");
        self.cell(offset).store(value, Ordering::Release);
    }

    /// Copies bytes out.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) {
        assert!(offset <= self.len && to.len() <= self.len - offset, "{} bytes at {offset} of {}", to.len(), self.len);
        for (i, b) in to.iter_mut().enumerate() {
            // SAFETY: in range; volatile, since the kernel may write at the same time.
            *b = unsafe { self.base.add(offset + i).read_volatile() };
        }
    }

    /// Copies bytes in.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) {
        assert!(self.writable && offset <= self.len && from.len() <= self.len - offset);
        for (i, b) in from.iter().enumerate() {
            // SAFETY: in range and writable; volatile, since the kernel may read at the same time.
            unsafe { self.base.add(offset + i).write_volatile(*b) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nobody holds a reference into it.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

/// An event on one CPU that `bpf_perf_event_output` writes raw samples to.
pub(crate) fn perf_bpf_output(cpu: u32) -> Result<OwnedFd, Errno> {
    const PERF_TYPE_SOFTWARE: u32 = 1;
    const PERF_COUNT_SW_BPF_OUTPUT: u64 = 10;
    const PERF_SAMPLE_RAW: u64 = 1 << 10;
    let mut attr = PerfEventAttr {
        kind: PERF_TYPE_SOFTWARE,
        size: size_of::<PerfEventAttr>() as u32,
        config: PERF_COUNT_SW_BPF_OUTPUT,
        sample_period: 1,
        sample_type: PERF_SAMPLE_RAW,
        wakeup_events: 1,
        ..PerfEventAttr::default()
    };
    const ANY_PID: libc::c_int = -1;
    const NO_GROUP: libc::c_int = -1;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    // SAFETY: the attribute has the size that it names.
    let r = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw mut attr, ANY_PID, cpu as libc::c_int, NO_GROUP, PERF_FLAG_FD_CLOEXEC)
    };
    if r < 0 { Err(last_errno()) } else { Ok(owned(r as RawFd)) }
}

/// Starts an event of [`perf_bpf_output`].
pub(crate) fn perf_enable(event: BorrowedFd<'_>) -> Result<(), Errno> {
    const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
    // SAFETY: the request takes no memory.
    let r = unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_ENABLE, 0) };
    if r < 0 { Err(last_errno()) } else { Ok(()) }
}
