//! Loading programs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use skep_isa::RawInsn;
use skep_linux::{Errno, ProgType};
use skep_program::Program;

use crate::btf::{object_name, text};
use crate::sys::{self, FuncInfo, LineInfo, ProgLoad};
use crate::{Btf, BtfError, Map, MapError, Prog, types};

/// `BPF_LD | BPF_IMM | BPF_DW`.
const WIDE: u8 = 0x18;
const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;

/// How much the verifier is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Nothing, unless the program is refused: then the last path (level 1).
    #[default]
    OnFailure,
    /// `BPF_LOG_STATS` alone: counts, without the way there.
    Stats,
    /// `BPF_LOG_LEVEL1`: the path that failed, or every branch.
    Path,
    /// `BPF_LOG_LEVEL2`: every state.
    States,
    /// As `States`, but the first 4 MiB alone: a log that is longer makes the kernel answer `ENOSPC`, whatever its verdict.
    FirstStates,
}

impl LogLevel {
    fn bits(self) -> u32 {
        match self {
            LogLevel::OnFailure => 0,
            LogLevel::Stats => 4,
            LogLevel::Path => 4 | 1,
            LogLevel::States => 4 | 2,
            LogLevel::FirstStates => 8 | 4 | 2,
        }
    }
}

/// The attributes of `BPF_PROG_LOAD`.
#[derive(Debug, Clone)]
pub struct Load<'a> {
    /// Program type.
    pub prog_type: ProgType,
    /// `expected_attach_type`, as a number.
    pub attach_type: u32,
    /// The instructions. Maps are named by descriptor (pseudo 1 and 2), or by index in `maps` (pseudo 5 and 6).
    pub insns: Vec<RawInsn>,
    /// License.
    pub license: &'a str,
    /// `kern_version`.
    pub kern_version: u32,
    /// `BPF_F_*` program flags.
    pub flags: u32,
    /// Name.
    pub name: &'a str,
    /// What pseudo 5 and 6 mean.
    pub maps: &'a [&'a Map],
    /// Types of the program.
    pub btf: Option<&'a Btf>,
    /// Functions, as ids in `btf`.
    pub func_info: Vec<FuncInfo>,
    /// Source lines, as offsets in the strings of `btf`.
    pub line_info: Vec<LineInfo>,
    /// Id of the attach target in vmlinux's BTF, or in that of `attach_fd`.
    pub attach_btf_id: u32,
    /// The program that this one extends or traces, or the module's BTF that `attach_btf_id` is in.
    pub attach_fd: Option<BorrowedFd<'a>>,
    /// BTF of modules whose functions are called, by the index in the calls (the first is index 1; 0 means vmlinux).
    pub modules: &'a [&'a Btf],
    /// What to log.
    pub log_level: LogLevel,
}

/// A program that the kernel took, with what its verifier said.
#[derive(Debug)]
pub struct Loaded {
    /// The program.
    pub prog: Prog,
    /// The maps that its instructions name, in the order of [`Program::maps`].
    pub maps: Vec<Arc<Map>>,
    /// The log; empty at [`LogLevel::OnFailure`].
    pub log: String,
    /// Why the program and its maps are in the kernel without types, if the object has any.
    pub untyped: Option<BtfError>,
}

/// Why a program is not in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// `BPF_PROG_LOAD` failed.
    #[error("the kernel refuses the program: {errno}{}{}", if log.is_empty() { "" } else { "\n" }, log.trim_end())]
    Refused {
        /// What it said.
        errno: Errno,
        /// The verifier's log; empty where the program did not come so far.
        log: String,
    },
    /// The license has a zero byte.
    #[error("license {license:?} has a zero byte")]
    License {
        /// The license.
        license: String,
    },
    /// An instruction names a map that the program does not have.
    #[error("instruction {slot} names map {index} of {count}")]
    MapIndex {
        /// Slot of the instruction.
        slot: usize,
        /// Index it carries.
        index: i32,
        /// Maps there are.
        count: usize,
    },
    /// A map was refused.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl LoadError {
    /// Whether the verifier looked at the program and refused it (and not the system call before it).
    pub fn by_verifier(&self) -> bool {
        matches!(self, LoadError::Refused { log, .. } if log.contains("processed "))
    }

    /// Instructions that the verifier processed, where its log says so.
    pub fn processed(&self) -> Option<u64> {
        match self {
            LoadError::Refused { log, .. } => processed(log),
            LoadError::License { .. } | LoadError::MapIndex { .. } | LoadError::Map(_) => None,
        }
    }
}

impl Loaded {
    /// Instructions that the verifier processed, where the log says so.
    pub fn processed(&self) -> Option<u64> {
        processed(&self.log)
    }
}

/// The number in the line `processed N insns (limit ...)`.
fn processed(log: &str) -> Option<u64> {
    let (_, rest) = log.rsplit_once("processed ")?;
    rest.split_once(" insns")?.0.parse().ok()
}

impl<'a> Load<'a> {
    /// Plain instructions under the license "GPL", without maps and types.
    pub fn raw(prog_type: ProgType, insns: &[RawInsn]) -> Load<'a> {
        Load {
            prog_type,
            attach_type: 0,
            insns: insns.to_vec(),
            license: "GPL",
            kern_version: 0,
            flags: 0,
            name: "",
            maps: &[],
            btf: None,
            func_info: Vec::new(),
            line_info: Vec::new(),
            attach_btf_id: 0,
            attach_fd: None,
            modules: &[],
            log_level: LogLevel::OnFailure,
        }
    }

    /// A program with everything but its maps and types: those are the caller's to create. See [`Loaded::create`] for the whole.
    pub fn program(program: &'a Program, maps: &'a [&'a Map]) -> Load<'a> {
        Load {
            prog_type: program.prog_type,
            attach_type: program.attach_type.map_or(0, |t| t as u32),
            license: &program.license,
            kern_version: program.kern_version,
            flags: program.flags,
            name: &program.name,
            maps,
            attach_btf_id: program.attach_btf_id.unwrap_or(0),
            ..Load::raw(program.prog_type, &program.insns)
        }
    }

    /// Puts it to the kernel.
    pub fn load(&self) -> Result<Prog, LoadError> {
        self.load_with_log().map(|(prog, _)| prog)
    }

    /// Puts it to the kernel, and brings the log.
    pub fn load_with_log(&self) -> Result<(Prog, String), LoadError> {
        let insns = self.resolved()?;
        let license = CString::new(self.license).map_err(|_| LoadError::License { license: self.license.to_string() })?;
        // Index 0 is never read: it means vmlinux. The kernel wants a place for it all the same.
        let mut fds: Vec<BorrowedFd<'_>> = self.modules.iter().map(|b| b.as_fd()).collect();
        if let Some(first) = fds.first().copied() {
            fds.insert(0, first);
        }
        let attempt = |level: u32, log: &mut Vec<u8>| {
            let (r, wanted) = sys::prog_load(ProgLoad {
                prog_type: self.prog_type as u32,
                expected_attach_type: self.attach_type,
                insns: &insns,
                license: &license,
                log_level: level,
                log,
                kern_version: self.kern_version,
                prog_flags: self.flags,
                prog_name: object_name(self.name),
                btf: self.btf.map(|b| b.as_fd()),
                func_info: &self.func_info,
                line_info: &self.line_info,
                attach_btf_id: self.attach_btf_id,
                attach_fd: self.attach_fd,
                fd_array: &fds,
            });
            (r.map(Prog::new), wanted as usize)
        };
        let level = self.log_level.bits();
        if level == 0
            && let (Ok(prog), _) = attempt(0, &mut Vec::new())
        {
            return Ok((prog, String::new()));
        }
        let level = if level == 0 { LogLevel::Path.bits() } else { level };
        let whole = self.log_level != LogLevel::FirstStates;
        let mut size = if whole { 1 << 18 } else { 1 << 22 };
        loop {
            let mut log = vec![0; size];
            match attempt(level, &mut log) {
                (Ok(prog), _) => return Ok((prog, text(&log))),
                // The buffer was too small for the log; 1 GiB is as much as the kernel takes.
                (Err(Errno::ENOSPC), wanted) if whole && size < 1 << 29 => size = wanted.max(size * 4).min(1 << 29),
                (Err(errno), _) => return Err(LoadError::Refused { errno, log: text(&log) }),
            }
        }
    }

    /// The instructions with map indices replaced by descriptors.
    fn resolved(&self) -> Result<Vec<RawInsn>, LoadError> {
        let mut insns = self.insns.clone();
        let mut slot = 0;
        while slot < insns.len() {
            let insn = insns[slot];
            if insn.code == WIDE {
                let fd_kind = match insn.src() {
                    PSEUDO_MAP_IDX => Some(PSEUDO_MAP_FD),
                    PSEUDO_MAP_IDX_VALUE => Some(PSEUDO_MAP_VALUE),
                    _ => None, // constants, descriptors, BTF ids and functions stay as they are
                };
                if let Some(kind) = fd_kind {
                    let map = usize::try_from(insn.imm).ok().and_then(|i| self.maps.get(i));
                    let map = map.ok_or(LoadError::MapIndex { slot, index: insn.imm, count: self.maps.len() })?;
                    insns[slot] = RawInsn::new(WIDE, insn.dst(), kind, insn.off, map.as_fd().as_raw_fd());
                }
                slot += 1; // the second half of a wide load is no instruction
            }
            slot += 1;
        }
        Ok(insns)
    }
}

impl Loaded {
    /// Creates the maps of a program, with their types, and loads it. As libbpf does, goes on without types that the kernel
    /// refuses; what needs them is refused then, and [`Loaded::untyped`] says why.
    pub fn create(program: &Program, log_level: LogLevel) -> Result<Loaded, LoadError> {
        let mut types = Types::default();
        let mut maps = Vec::with_capacity(program.maps.len());
        for def in &program.maps {
            maps.push(Arc::new(Map::from_def(def, types.get(def.btf.as_ref()))?));
        }
        Loaded::with_types(program, maps, &mut types, log_level)
    }

    /// Loads a program over maps that are there already, in the order of [`Program::maps`].
    pub fn with_maps(program: &Program, maps: Vec<Arc<Map>>, log_level: LogLevel) -> Result<Loaded, LoadError> {
        Loaded::with_types(program, maps, &mut Types::default(), log_level)
    }

    /// As [`Loaded::with_maps`], with types that stay in the kernel for the next program of the same object.
    pub fn with_types(
        program: &Program,
        maps: Vec<Arc<Map>>,
        types: &mut Types,
        log_level: LogLevel,
    ) -> Result<Loaded, LoadError> {
        let refs: Vec<&Map> = maps.iter().map(Arc::as_ref).collect();
        let btf = types.get(program.btf.as_ref());
        let mut load = Load { log_level, btf, ..Load::program(program, &refs) };
        if let (Some(_), Some(own)) = (btf, &program.btf) {
            load.func_info = types::func_info(program);
            // Lines without functions are refused.
            load.line_info = if load.func_info.is_empty() { Vec::new() } else { types::line_info(program, own.raw()) };
        }
        let (prog, log) = load.load_with_log()?;
        Ok(Loaded { prog, maps, log, untyped: types.refused.clone() })
    }
}

/// BTF of objects that is in the kernel already, by the address of ours.
#[derive(Debug, Default)]
pub struct Types {
    loaded: HashMap<*const skep_btf::Btf, InKernel>,
    refused: Option<BtfError>,
}

/// Types, and what keeps their address from being another's.
#[derive(Debug)]
struct InKernel {
    loaded: Option<Btf>,
    _ours: Arc<skep_btf::Btf>,
}

impl Types {
    /// The types in the kernel; `None` where there are none, and where it refuses them.
    pub fn get(&mut self, btf: Option<&Arc<skep_btf::Btf>>) -> Option<&Btf> {
        let btf = btf.filter(|b| b.len() > 1)?;
        match self.loaded.entry(Arc::as_ptr(btf)) {
            Entry::Occupied(e) => e.into_mut().loaded.as_ref(),
            Entry::Vacant(e) => {
                let loaded = Btf::of_object(btf).map_err(|error| self.refused = Some(error)).ok();
                e.insert(InKernel { loaded, _ours: btf.clone() }).loaded.as_ref()
            }
        }
    }
}
