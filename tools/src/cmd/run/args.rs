//! The arguments of `skep run`.

use std::path::PathBuf;

use crate::engine::EngineArg;
use crate::target::TargetArg;

const EXAMPLES: &str = "\
Examples:
  One packet, as hexadecimal digits or from a file:
    skep run firewall.bpf.o --map 'blocked_ports[23]=1' --packet @telnet.bin
  Every packet of a capture, and what passed to another:
    skep run firewall.bpf.o firewall --pcap in.pcap --pcap-out passed.pcap --dump dropped
  A context field, and what the program changed:
    skep run filter.bpf.o --packet @frame.bin --ctx mark=7,ingress_ifindex=1
  Two tracepoints that share maps, and the record that they emit:
    skep run opensnoop.bpf.o --task pid=42,comm=cat \\
      --event 'sys_enter_openat:args[1]=\"/etc/passwd\"' --event sys_exit_openat:ret=3 \\
      --record 'events=struct event' --types layouts.bpf.o
  A kernel object, passed to a typed tracepoint:
    skep run biosnoop.bpf.o --object rq=request --set rq.__data_len=4096 \\
      --event block_rq_issue:rq=@rq --event block_rq_complete:rq=@rq,@clock=+2ms

Values are numbers, \"text\", names of enum values, [lists], {records}; hex:DIGITS for bytes, IP addresses, @NAME for the address
of an object, &VALUE or &(TYPE)VALUE for the address of memory that holds the value. docs/run.md has them all.";

/// Arguments of `skep run`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The object file
    pub(super) object: PathBuf,

    /// The program: its function, its section, or what it is attached to; not needed where the object has one
    pub(super) program: Option<String>,

    /// What the program is, as a section of that name would say: xdp, tc, kprobe, ...
    #[arg(long = "type", value_name = "SECTION", help_heading = "Input", conflicts_with = "event")]
    pub(super) section: Option<String>,

    /// A packet: hexadecimal digits, or @FILE with its bytes; each is a run
    #[arg(long, value_name = "HEX|@FILE", help_heading = "Input")]
    pub(super) packet: Vec<String>,

    /// A capture (pcap or pcapng): each packet is a run, and the clock moves as its timestamps do
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(super) pcap: Option<PathBuf>,

    /// Write the packets that the program passes on, as it left them
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(super) pcap_out: Option<PathBuf>,

    /// Fields of the context, or its bytes as hex:DIGITS
    #[arg(long, value_name = "FIELD=VALUE,...", help_heading = "Input")]
    pub(super) ctx: Vec<String>,

    /// Run a program with these fields of its context or arguments; several events run in the order given
    #[arg(
        long,
        value_name = "PROGRAM:FIELD=VALUE,...",
        help_heading = "Input",
        conflicts_with_all = ["program", "packet", "pcap", "ctx"]
    )]
    pub(super) event: Vec<String>,

    /// Do each run this often, and show the last
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Input")]
    pub(super) repeat: u64,

    /// The current task: pid, tgid, comm, uid, gid, cgroup
    #[arg(long, value_name = "FIELD=VALUE,...", help_heading = "World")]
    pub(super) task: Vec<String>,

    /// Make a kernel object of a type of the target
    #[arg(long = "object", value_name = "NAME=TYPE", help_heading = "World")]
    pub(super) objects: Vec<String>,

    /// Set a field of an object, or of `task`: `rq.q.disk.major=8`, `task.real_parent.tgid=1`
    #[arg(long, value_name = "NAME.FIELD=VALUE", help_heading = "World")]
    pub(super) set: Vec<String>,

    /// Make a network device: index, name, mac, mtu, address, up, forwarding
    #[arg(long = "device", value_name = "index=N,FIELD=VALUE,...", help_heading = "World")]
    pub(super) devices: Vec<String>,

    /// Make a route: to (a prefix), device, via, metric, table, mtu, source
    #[arg(long = "route", value_name = "to=PREFIX,device=N,...", help_heading = "World")]
    pub(super) routes: Vec<String>,

    /// Make a neighbour: addr, device, mac
    #[arg(long = "neighbour", value_name = "addr=IP,device=N,mac=MAC", help_heading = "World")]
    pub(super) neighbours: Vec<String>,

    /// Make a cgroup: id, parent, name, class_id
    #[arg(long = "cgroup", value_name = "id=N,FIELD=VALUE,...", help_heading = "World")]
    pub(super) cgroups: Vec<String>,

    /// The monotonic clock: nanoseconds, or with a unit (ns, us, ms, s)
    #[arg(long, value_name = "TIME", help_heading = "World")]
    pub(super) clock: Option<String>,

    /// The CPU that programs run on
    #[arg(long, value_name = "N", help_heading = "World")]
    pub(super) cpu: Option<u32>,

    /// The number of CPUs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192), help_heading = "World")]
    pub(super) cpus: Option<u32>,

    /// The seed of random numbers
    #[arg(long, value_name = "N", help_heading = "World")]
    pub(super) seed: Option<u64>,

    #[command(flatten)]
    pub(super) target: TargetArg,

    /// Change the size of a map before load: max_entries, key_size, value_size
    #[arg(long, value_name = "NAME.FIELD=N,...", help_heading = "Maps")]
    pub(super) resize: Vec<String>,

    /// Put a value into a map before the runs: @NAME is a map or a program
    #[arg(long, value_name = "NAME[KEY]=VALUE", help_heading = "Maps")]
    pub(super) map: Vec<String>,

    /// Put values into maps: JSON, as --dump and `bpftool map dump -j` write it
    #[arg(long, value_name = "FILE", help_heading = "Maps")]
    pub(super) maps: Vec<PathBuf>,

    /// Set a global variable before load
    #[arg(long, short = 'G', value_name = "NAME=VALUE", help_heading = "Maps")]
    pub(super) global: Vec<String>,

    /// Show a map after the runs; `all` shows those that hold something
    #[arg(long, value_name = "NAME|all", help_heading = "Maps")]
    pub(super) dump: Vec<String>,

    /// The type of the records that a map takes
    #[arg(long, value_name = "MAP=TYPE", help_heading = "Output")]
    pub(super) record: Vec<String>,

    /// More types for --record and for values: an object or a file of BTF
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) types: Vec<PathBuf>,

    /// Show how often each verdict came, in place of the runs
    #[arg(long, short, help_heading = "Output", conflicts_with = "trace")]
    pub(super) quiet: bool,

    /// Show each instruction with the registers that it changed, at most N of a run
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10000", help_heading = "Output")]
    pub(super) trace: Option<usize>,

    /// What runs programs
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE", help_heading = "Output")]
    pub(super) engine: EngineArg,

    /// Instructions that a run may execute; compiled programs have no such limit
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) budget: Option<u64>,
}
