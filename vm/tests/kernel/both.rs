//! The same program on both sides.

use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use skep::{Arch, Errno, Input, InputError, Instance, MapDef, ProgType, Program, Release, RunError, Target};
use skep_isa::asm::kernel;
use skep_kernel::{Kernel, Loaded, LogLevel, TestRun};

/// Whether the kernel can be asked; says so if not.
pub(crate) fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

/// The kernel of this host, or one like it without types.
pub(crate) fn target() -> Arc<Target> {
    static TARGET: OnceLock<Arc<Target>> = OnceLock::new();
    let host = || Arc::new(skep::host().unwrap_or_else(|_| Target::new(Release::new(6, 18), Arch::X86_64)));
    TARGET.get_or_init(host).clone()
}

/// A program in the notation of the kernel's log. Maps are named by `map[idx:N]`, kernel functions by their ids.
pub(crate) fn program(prog_type: ProgType, text: &str, maps: Vec<MapDef>) -> Program {
    let insns = kernel::assemble(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // `BPF_F_SLEEPABLE`, which programs of this type must have.
    let flags = if prog_type == ProgType::Syscall { 1 << 4 } else { 0 };
    Program { flags, maps: maps.into_iter().map(Arc::new).collect(), ..Program::bare("test", prog_type, insns) }
}

/// What a run left: value, packet and context; or the error number with which the input was refused.
pub(crate) type Left = Result<(u32, Vec<u8>, Vec<u8>), Errno>;

/// What goes into a run on both sides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Both {
    /// The packet; `None` for program types without one.
    pub(crate) data: Option<Vec<u8>>,
    /// The context, as `ctx_in`.
    pub(crate) ctx: Vec<u8>,
    /// Room for the context that comes back.
    pub(crate) ctx_out: usize,
}

impl Both {
    pub(crate) fn packet(bytes: &[u8]) -> Both {
        Both { data: Some(bytes.to_vec()), ..Both::default() }
    }

    pub(crate) fn context(bytes: &[u8]) -> Both {
        Both { ctx: bytes.to_vec(), ..Both::default() }
    }

    /// Runs a program on both sides and gives what both left.
    pub(crate) fn run(&self, program: &Program) -> Left {
        let loaded = Loaded::create(program, LogLevel::OnFailure).unwrap_or_else(|error| panic!("{error}"));
        // The program is the only one that its prog arrays can name.
        for (def, map) in program.maps.iter().zip(&loaded.maps) {
            for (key, _) in &def.slots {
                map.set_fd(&key.to_le_bytes(), loaded.prog.as_fd(), 0).unwrap();
            }
        }
        let data = self.data.clone().unwrap_or_default();
        // Types without a packet take no room for one.
        let data_out = if data.is_empty() || program.prog_type == ProgType::Netfilter { 0 } else { data.len() + 256 };
        let run = TestRun { data, data_out, ctx: self.ctx.clone(), ctx_out: self.ctx_out, ..TestRun::default() };
        let theirs = loaded.prog.test_run(&run).map(|ran| (ran.retval, ran.data, ran.ctx));

        let mut instance = Instance::builder(target()).program(program.clone()).build().unwrap();
        let mut input = match &self.data {
            Some(data) => Input::packet(data),
            None => Input::none(),
        };
        if !self.ctx.is_empty() {
            input = input.with_context(&self.ctx);
        }
        let ours = match instance.program(&program.name).unwrap().run(&input) {
            Ok(outcome) => {
                let keeps = self.ctx_out > 0 || program.prog_type == ProgType::Syscall;
                let context = if keeps { outcome.context } else { self.ctx.clone() };
                Ok((outcome.value as u32, outcome.packet.unwrap_or_default(), context))
            }
            Err(RunError::Input(InputError::Refused { errno, .. })) => Err(errno),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(ours, theirs, "ours, and the kernel's, on {self:?}");
        ours
    }

    /// The value that both return.
    pub(crate) fn value(&self, program: &Program) -> u32 {
        self.run(program).unwrap().0
    }
}
