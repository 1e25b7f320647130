//! From what a test says of an event to the context that a program gets, and back: what `BPF_PROG_TEST_RUN` does, for every program
//! type.

mod memory;
mod skb;
mod xdp;

use skep_linux::{Errno, ProgType};
use skep_program::Program;
use skep_world::{Context, World};

/// What a program is run on.
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
}

pub(crate) fn refuse<T>(what: impl Into<String>, errno: Errno) -> Result<T, InputError> {
    Err(InputError::Refused { what: what.into(), errno })
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
    Memory,
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
        ProgType::Unspec
        | ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::CgroupSock
        | ProgType::SockOps
        | ProgType::CgroupDevice
        | ProgType::SkMsg
        | ProgType::RawTracepoint
        | ProgType::CgroupSockAddr
        | ProgType::LircMode2
        | ProgType::SkReuseport
        | ProgType::FlowDissector
        | ProgType::CgroupSysctl
        | ProgType::RawTracepointWritable
        | ProgType::CgroupSockopt
        | ProgType::Tracing
        | ProgType::StructOps
        | ProgType::Ext
        | ProgType::Lsm
        | ProgType::SkLookup
        | ProgType::Syscall
        | ProgType::Netfilter => Shape::Memory,
    }
}

/// Makes the context of a run.
pub(crate) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    let context = match shape(program.prog_type) {
        Shape::Skb { link_layer } => skb::prepare(program, world, input, link_layer)?,
        Shape::Xdp => xdp::prepare(program, world, input)?,
        Shape::Memory => memory::prepare(program, world, input)?,
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
pub(crate) fn finish(program: &Program, input: &Input, context: &Context) -> Output {
    match shape(program.prog_type) {
        Shape::Skb { link_layer } => skb::finish(input, context, link_layer),
        Shape::Xdp => xdp::finish(input, context),
        Shape::Memory => memory::finish(context),
    }
}
