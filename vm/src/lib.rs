//! *What it is*: a userspace home for eBPF: loads compiled objects and runs their programs in a checked interpreter, with live maps and
//! a simulated kernel around them. No root, no kernel, the same result every time.
//!
//! *Invariant*: a program reaches no byte outside of the regions that it was given, and runs no longer than its budget.
//!
//! *Start here*: [`Object`] is a file as the compiler wrote it; [`Instance`] is its programs linked to live maps and a [`World`]; a run
//! takes an [`Input`] and gives an [`Outcome`]. [`raw::run`] runs bare instructions.
//!
//! # A program on a packet
//!
//! ```
//! use skep::{Arch, Input, Instance, Object, Options, Release, Target};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut object = Object::open("../conformance/programs/firewall.bpf.o", &Options::default())?;
//! object.set_global("strict", 1)?; // before load, as loaders do with `const volatile` variables
//! let target = Target::new(Release::new(6, 18), Arch::X86_64); // the kernel to be
//! let mut instance = Instance::builder(target).object(&object)?.build()?;
//!
//! let mut frame = vec![0; 54]; // Ethernet, IPv4, TCP
//! (frame[12], frame[14], frame[23], frame[37]) = (0x08, 0x45, 6, 23); // to port 23
//! let mut program = instance.program("firewall")?;
//! assert_eq!(program.run(&Input::packet(&frame))?.retval(), 2); // XDP_PASS
//!
//! instance.map("blocked_ports")?.set_value(23, 1)?; // key and value by their BTF types
//! let outcome = instance.program("firewall")?.run(&Input::packet(&frame))?;
//! assert_eq!(outcome.retval(), 1); // XDP_DROP
//! let dropped = instance.map("dropped")?.value(6)?.expect("a counter for each protocol");
//! assert_eq!(dropped.to_string(), "{.packets = 1, .bytes = 54}");
//! # Ok(())
//! # }
//! ```
//!
//! # An event, and the record it leaves
//!
//! [`Instance::world_mut`] is the kernel around the programs: clock, random numbers, CPU, current task, cgroups, devices and routes,
//! objects of the kernel. What programs send out comes from [`Instance::records`] (ring buffers, perf event arrays) and from the world
//! (trace lines, signals, redirects).
//!
//! ```
//! # use skep::{Arch, Input, Instance, Object, Options, Release, Target};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let object = Object::open("../conformance/programs/exec.bpf.o", &Options::default())?;
//! let target = Target::new(Release::new(6, 18), Arch::X86_64);
//! let mut instance = Instance::builder(target).object(&object)?.build()?;
//! let world = instance.world_mut();
//! world.clock.monotonic = 5_000_000_000; // nanoseconds
//! (world.task.tgid, world.task.uid) = (42, 1000);
//!
//! // The tracepoint's record: common fields, where the text lies (offset 20, 8 bytes), pid, old pid, text.
//! let mut event = vec![0; 20];
//! (event[8], event[10]) = (20, 8);
//! event.extend(b"/bin/ls\0");
//! instance.program("handle_exec")?.run(&Input::context(&event))?;
//!
//! let record = instance.records("events")?.remove(0);
//! let event = skep::decode(object.btf().unwrap(), "event", &record)?;
//! assert_eq!(
//!     event.to_string(),
//!     r#"{.time_ns = 5000000000, .tgid = 42, .uid = 1000, .comm = "skep", .filename = "/bin/ls"}"#
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # Structs of the kernel
//!
//! With the types of a kernel ([`Target::of`] has recorded ones, [`host`] this machine's, [`btf`] those of a file), objects of the kernel
//! are made and set by the paths of their fields. Programs reach them as in the kernel: through pointers that BTF types, and by probe
//! reads.
//!
//! ```
//! # use skep::{Arch, Input, Instance, Object, Options, Release, Target};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let object = Object::open("../conformance/programs/parents.bpf.o", &Options::default())?;
//! let target = Target::of(Release::new(6, 18), Arch::X86_64);
//! let mut instance = Instance::builder(target).object(&object)?.build()?;
//! let world = instance.world_mut();
//! let task = world.current_task()?; // made from `world.task`
//! world.set(task, "real_parent.comm", "systemd")?;
//! let binary = world.new_object("linux_binprm")?;
//! world.set(binary, "filename", "/usr/bin/make")?;
//! instance.program("started")?.run(&Input::args([task, 42, binary]))?; // the arguments of the tracepoint
//! assert_eq!(instance.world().output.printk, ["systemd starts /usr/bin/make"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Untrusted code
//!
//! Nothing is taken on trust: every access is tested, instructions are counted. What stops a run says where it was, in the program and in
//! its source.
//!
//! ```
//! # use skep::{Arch, Input, Instance, Object, Options, Release, RunError, Target};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let object = Object::open("../conformance/programs/crash.bpf.o", &Options::default())?;
//! let target = Target::new(Release::new(6, 18), Arch::X86_64);
//! let mut instance = Instance::builder(target).object(&object)?.budget(10_000).build()?;
//! let Err(RunError::Stopped(stopped)) = instance.program("unchecked")?.run(&Input::packet(&[0; 60])) else { panic!() };
//! let place = &stopped.place;
//! assert_eq!(place.function.as_deref(), Some("count_of"));
//! assert_eq!(place.insn.as_deref(), Some("r0 = *(u64 *)(r0 +0)"));
//! assert_eq!(place.source.as_ref().unwrap().line, 17);
//! assert!(stopped.trap.to_string().ends_with("null pointer"));
//! # Ok(())
//! # }
//! ```
//!
//! # Verified programs
//!
//! [`Builder::verify`] asks what Linux would say first. What it refuses does not build; what it accepts runs without tests of memory
//! accesses, as in the kernel. [`verifier`] is that by itself.
//!
//! ```
//! # use skep::{Arch, BuildError, Instance, Object, Options, Release, Target, verifier};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let object = Object::open("../conformance/programs/crash.bpf.o", &Options::default())?;
//! let target = Target::new(Release::new(6, 18), Arch::X86_64);
//! let built = Instance::builder(target).object(&object)?.verify(verifier::Options::default()).build();
//! let Err(BuildError::Refused { program, reject }) = built else { panic!() };
//! assert_eq!(program, "unchecked");
//! assert_eq!(reject.why.to_string(), "R0 invalid mem access 'map_value_or_null'");
//! # Ok(())
//! # }
//! ```
//!
//! In [`Mode::Jit`] they run as machine code, on x86-64 and aarch64:
//!
//! ```
//! # use skep::{Arch, Input, Instance, Mode, Object, Options, Release, Target};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # if !Instance::can_compile() { return Ok(()) }
//! let object = Object::open("../conformance/programs/firewall.bpf.o", &Options::default())?;
//! let target = Target::new(Release::new(6, 18), Arch::X86_64);
//! let mut instance = Instance::builder(target).object(&object)?.mode(Mode::Jit).build()?;
//! assert_eq!(instance.program("firewall")?.run(&Input::packet(&[0; 54]))?.retval(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Helpers of an application
//!
//! [`Builder::helper`] supplies a helper; [`Machine`] is what a helper sees of the run.
//!
//! ```
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU64, Ordering};
//! # use skep::{Arch, Input, Instance, ProgType, Program, Release, Target};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let total = Arc::new(AtomicU64::new(0));
//! let counter = total.clone();
//! let add = Arc::new(move |_: &mut dyn skep::Machine, args: [u64; 5]| Ok(counter.fetch_add(args[0], Ordering::Relaxed)));
//!
//! let insns = skep::asm::kernel::assemble("r1 = 5\ncall 1000\nr0 = 0\nexit")?;
//! let program = Program::bare("plugin", ProgType::SocketFilter, insns);
//! let target = Target::new(Release::new(6, 18), Arch::X86_64);
//! let mut instance = Instance::builder(target).program(program).helper(1000, add).build()?;
//! instance.program("plugin")?.run(&Input::packet(&[0; 60]))?;
//! assert_eq!(total.load(Ordering::Relaxed), 5);
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//!
//! An [`Instance`] moves between threads; [`Instance::fork`] makes one for each thread that runs the same programs over the same maps.
//! [`Object`], [`Program`] and [`MapRef`] are shared as they are.
#![deny(unsafe_code)]

mod engine;
mod error;
mod host;
mod image;
mod input;
mod instance;
mod link;
mod native;
pub mod raw;
mod record;

pub use engine::{At, Hook, Step, Strict, Trace};
pub use error::{Place, Source, Stopped};
pub use host::{HostError, btf, host};
pub use input::{Input, InputError};
pub use instance::{
    BuildError, Builder, CompileError, DEFAULT_BUDGET, Instance, MapEntry, MapError, MapRef, Mode, NameError, Outcome,
    ProgramMut, RunError,
};
pub use link::Closure;
pub use record::{DecodeError, decode};
pub use skep_btf::{Btf, Literal, Value};
pub use skep_helpers::{Held, HeldKind, Machine, Parts, Stop, Trap};
pub use skep_isa::{Insn, RawInsn, asm};
pub use skep_linux::{Arch, AttachType, Errno, MapType, ProgType, Release, Target};
pub use skep_memory::{Fault, Memory};
pub use skep_object::{Object, ObjectError, Options, RelocateError, Repairs};
pub use skep_program::{Fact, Facts, MapDef, Program, Through, Verified};
pub use skep_verifier as verifier;
pub use skep_world::{self as world, Effect, KernelObjectError, Packet, Random, Redirect, Task, World};
