//! The same program on both sides.

use std::sync::{Arc, OnceLock};

use skep::{Arch, Input, Instance, MapDef, ProgType, Program, Release, Target};
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

/// What a run left: value, packet and context.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) value: u32,
    pub(crate) packet: Vec<u8>,
}

/// Runs a program on both sides on a packet (empty: none) and gives what both left.
pub(crate) fn same(program: &Program, packet: &[u8]) -> Left {
    let loaded = Loaded::create(program, LogLevel::OnFailure).unwrap_or_else(|error| panic!("{error}"));
    let room = if packet.is_empty() { 0 } else { packet.len() + 256 };
    let ran = loaded.prog.test_run(&TestRun { data: packet.to_vec(), data_out: room, ..TestRun::default() }).unwrap();
    let theirs = Left { value: ran.retval, packet: ran.data };

    let mut instance = Instance::builder(target()).program(program.clone()).build().unwrap();
    let input = if packet.is_empty() { Input::none() } else { Input::packet(packet) };
    let outcome = instance.program(&program.name).unwrap().run(&input).unwrap();
    let ours = Left { value: outcome.retval(), packet: outcome.packet.unwrap_or_default() };
    assert_eq!(ours, theirs, "ours, and the kernel's");
    ours
}
