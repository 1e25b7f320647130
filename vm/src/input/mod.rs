//! From what a test says of an event to the context that a program gets, and back: what `BPF_PROG_TEST_RUN` does, for every program
//! type.

mod flow_dissector;
mod memory;
mod netfilter;
mod sk_lookup;
mod skb;
mod sock;
mod xdp;

use skep_linux::{Errno, ProgType};
use skep_program::Program;
use skep_world::{Context, World};

use crate::image::Image;

/// What a program is run on: a packet, a context, fields of the context. What is not given is 0, or what the kernel's own test run puts
/// there.
///
/// | program types | [`packet`](Input::packet) | [`context`](Input::context), [`args`](Input::args) | [`field`](Input::field) |
/// |---|---|---|---|
/// | `xdp` | the frame; required | `struct xdp_md`: room for metadata, fragments, device | as in `xdp_md` |
/// | `sched_cls`, `sched_act`, `socket_filter`, `cgroup_skb`, `lwt_*` | the frame; required | `struct __sk_buff`: what the test run takes | as in `__sk_buff`, of these |
/// | `sk_skb` | the frame; required | as above | as above |
/// | `flow_dissector` | the frame; required. The keys come back as the outcome's packet | `struct bpf_flow_keys`: `flags` | none |
/// | `netfilter` | the packet, without link-layer header at `LOCAL_OUT`; required | `struct nf_hook_state`: `hook`, `pf` | none |
/// | `sk_lookup` | none | `struct bpf_sk_lookup` | as there; `family` is required |
/// | `sk_reuseport` | the packet | `struct sk_reuseport_md` | as there |
/// | `sk_msg` | the message | `struct sk_msg_md` | as there |
/// | `sock_ops` | the segment | `struct bpf_sock_ops` | as there; with `is_fullsock`, `sk` is a socket |
/// | `cgroup_sock`, `cgroup_sock_addr` | none | `struct bpf_sock`, `struct bpf_sock_addr` | as there |
/// | `cgroup_sockopt` | the value of the option | `struct bpf_sockopt` | as there; `optlen` is the value's length |
/// | `cgroup_device`, `cgroup_sysctl` | none | `struct bpf_cgroup_dev_ctx`, `struct bpf_sysctl` | as there |
/// | `kprobe`, `uprobe` and kin | none | `struct pt_regs` of the target's machine | registers: `di`, `ax`, `ip` ... |
/// | `perf_event` | none | `struct bpf_perf_event_data` | registers, `sample_period`, `addr` |
/// | `tracepoint` | none | the record, common fields first | none |
/// | `raw_tracepoint` | none | arguments, 8 bytes each: all that the program reads | `args[0]` ... |
/// | `raw_tracepoint_writable` | the buffer that `args[0]` leads to; it comes back | arguments | `args[1]` ... |
/// | `tracing`, `lsm`, `struct_ops`, `ext` | none | arguments, 8 bytes each; the returned value after them | none |
/// | `syscall` | none | the argument, all that the program reads, up to 65,535 bytes; it comes back | none |
/// | `lirc_mode2` | none | the sample, 4 bytes | `sample` |
///
/// Arguments and registers that are pointers are addresses of objects that a test made ([`World::new_object`],
/// [`World::new_user_memory`], [`World::current_task`]).
///
/// ```
/// use skep::Input;
/// let packet = Input::packet(&[0; 64]).field("mark", 7);
/// let event = Input::args([1, 2, 3]);
/// # let _ = (packet, event);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Input {
    data: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    fields: Vec<(String, u64)>,
}

impl Input {
    /// Whether programs of this type may be given a [`packet`](Input::packet); those that are called so in the table need one.
    pub fn takes_packet(prog_type: ProgType) -> bool {
        match shape(prog_type) {
            Shape::Skb { .. } | Shape::Xdp | Shape::FlowDissector | Shape::Netfilter => true,
            Shape::SkLookup => false,
            Shape::Memory | Shape::Sized { .. } => memory::leads_to_bytes(prog_type),
        }
    }

    /// Nothing: a context of zeros.
    pub fn none() -> Input {
        Input::default()
    }

    /// A packet from its link-layer header on; the message or the option value, for program types that see such.
    pub fn packet(bytes: &[u8]) -> Input {
        Input { data: Some(bytes.to_vec()), ..Input::default() }
    }

    /// The context as memory: a tracepoint's record, `pt_regs`, the argument of a syscall program, or a struct of uapi.
    pub fn context(bytes: &[u8]) -> Input {
        Input::none().with_context(bytes)
    }

    /// Arguments of a function or tracepoint: what `fentry`, `fexit`, `tp_btf`, `raw_tp`, `lsm` and `struct_ops` programs get, eight
    /// bytes each. Of a function that returned, the value comes after the arguments.
    pub fn args(args: impl IntoIterator<Item = u64>) -> Input {
        let bytes: Vec<u8> = args.into_iter().flat_map(u64::to_le_bytes).collect();
        Input { context: Some(bytes), ..Input::default() }
    }

    /// The same with the context's memory, as `ctx_in` of `BPF_PROG_TEST_RUN`.
    #[must_use]
    pub fn with_context(mut self, bytes: &[u8]) -> Input {
        self.context = Some(bytes.to_vec());
        self
    }

    /// The same with a field of the context, by its name in uapi.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: u64) -> Input {
        self.fields.push((name.into(), value));
        self
    }
}

/// An input that does not fit the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// `BPF_PROG_TEST_RUN` refuses it with this error number.
    #[error("{what} ({errno})")]
    Refused {
        /// What is wrong.
        what: String,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A name that is no field of the context.
    #[error("{context} has no field `{field}` of 1, 2, 4 or 8 bytes")]
    NoField {
        /// Name of the struct.
        context: &'static str,
        /// The name.
        field: String,
    },
    /// A program type that gets no packet.
    #[error("{} programs get no packet", .0.name())]
    NoPacket(ProgType),
    /// The context leads to a struct of the kernel that the target's types do not describe.
    #[error("the target has no types to make a `struct {0}` of")]
    NoTypes(&'static str),
}

pub(crate) fn refuse<T>(what: impl Into<String>, errno: Errno) -> Result<T, InputError> {
    Err(InputError::Refused { what: what.into(), errno })
}

/// The context that an input brings, as long as its struct; bytes beyond must be 0.
fn padded(input: &Input, size: usize, what: &str) -> Result<Vec<u8>, InputError> {
    let mut bytes = input.context.clone().unwrap_or_default();
    if bytes.iter().skip(size).any(|byte| *byte != 0) {
        return refuse(format!("the context has bytes behind {what}"), Errno::E2BIG);
    }
    bytes.resize(size, 0);
    Ok(bytes)
}

/// What comes back from a run beside the return value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Output {
    pub(crate) packet: Option<Vec<u8>>,
    pub(crate) context: Vec<u8>,
}

/// How a type's inputs become contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A socket buffer; whether the program sees the link-layer header.
    Skb {
        link_layer: bool,
    },
    Xdp,
    FlowDissector,
    SkLookup,
    Netfilter,
    Memory,
    /// Memory of the size that the input has: what the program reads of it, up to `most` bytes.
    Sized {
        most: usize,
    },
}

fn shape(prog_type: ProgType) -> Shape {
    match prog_type {
        ProgType::SchedCls | ProgType::SchedAct => Shape::Skb { link_layer: true },
        ProgType::SocketFilter
        | ProgType::CgroupSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::SkSkb => Shape::Skb { link_layer: false },
        ProgType::Xdp => Shape::Xdp,
        ProgType::FlowDissector => Shape::FlowDissector,
        ProgType::SkLookup => Shape::SkLookup,
        ProgType::Netfilter => Shape::Netfilter,
        ProgType::Unspec
        | ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::CgroupSock
        | ProgType::SockOps
        | ProgType::CgroupDevice
        | ProgType::SkMsg
        | ProgType::CgroupSockAddr
        | ProgType::LircMode2
        | ProgType::SkReuseport
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt
        | ProgType::Tracing
        | ProgType::StructOps
        | ProgType::Ext
        | ProgType::Lsm => Shape::Memory,
        ProgType::RawTracepoint | ProgType::RawTracepointWritable => Shape::Sized { most: memory::MAX_RAW_ARGS },
        ProgType::Syscall => Shape::Sized { most: memory::MAX_ARGUMENT },
    }
}

/// Whether the size of the context is the input's: what the program reaches of it then counts.
pub(crate) fn takes_sizes(prog_type: ProgType) -> bool {
    matches!(shape(prog_type), Shape::Sized { .. })
}

/// Makes the context of a run.
pub(crate) fn prepare(image: &Image, world: &World, input: &Input) -> Result<Context, InputError> {
    let program = &image.program;
    let context = match shape(program.prog_type) {
        Shape::Skb { link_layer } => skb::prepare(program, world, input, link_layer)?,
        Shape::Xdp => xdp::prepare(program, world, input)?,
        Shape::FlowDissector => flow_dissector::prepare(program, world, input)?,
        Shape::SkLookup => sk_lookup::prepare(program, world, input)?,
        Shape::Netfilter => netfilter::prepare(program, world, input)?,
        Shape::Memory => memory::prepare(program, world, input, None)?,
        Shape::Sized { most } => memory::prepare(program, world, input, Some(image.context_reach..=most))?,
    };
    Ok(context)
}

/// Sets the fields that an input names, in bytes laid out as the context's row says.
fn fields(context: &Context, input: &Input) -> Result<(), InputError> {
    for (name, value) in &input.fields {
        let name_of = context.row().map_or("the context", |row| row.name);
        let no_field = || InputError::NoField { context: name_of, field: name.clone() };
        context.set_field(name, *value).ok_or_else(no_field)?;
    }
    Ok(())
}

/// Reads the context and the packet after a run.
pub(crate) fn finish(program: &Program, input: &Input, context: &Context, world: &World) -> Output {
    match shape(program.prog_type) {
        Shape::Skb { link_layer } => skb::finish(input, context, link_layer),
        Shape::Xdp => xdp::finish(input, context),
        Shape::FlowDissector => flow_dissector::finish(input, context),
        Shape::SkLookup => sk_lookup::finish(input, context, world),
        Shape::Netfilter => netfilter::finish(context),
        Shape::Memory | Shape::Sized { .. } => memory::finish(context),
    }
}
