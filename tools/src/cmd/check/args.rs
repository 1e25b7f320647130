//! The arguments of `skep check`.

use std::path::PathBuf;

use crate::target::TargetArg;

const EXAMPLES: &str = "\
Examples:
  Would Linux 6.18 load this object? If not, why, where in the source, and what to change:
    skep check firewall.bpf.o
  With the constants that the loader sets before load, and for the kernel that runs here:
    skep check --global targ_pid=1 --global 'min_us=10' --target host opensnoop.bpf.o
  In CI: annotations on GitHub, or a report for code scanning:
    skep check --format github build/*.bpf.o
    skep check --format sarif build/*.bpf.o > skep.sarif
  What changed against the last release:
    skep check --format csv build/*.bpf.o > new.csv
    skep check --compare old.csv build/*.bpf.o

Exit codes: 0 accepted, 1 something is rejected, 2 wrong usage or unreadable input, 3 something is undecided and nothing is rejected.";

/// What a kernel may deny to everybody, whatever they are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Policy {
    /// Reading the memory of the kernel (allowed by default; lockdown "confidentiality" denies it)
    ReadKernel,
    /// Writing the memory of processes (denied by default; lockdown "integrity" denies it)
    WriteUser,
    /// Overriding what functions return (denied by default; CONFIG_BPF_KPROBE_OVERRIDE allows it)
    OverrideReturn,
}

/// Arguments of `skep check`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The object files
    #[arg(required_unless_present = "loads")]
    pub(super) objects: Vec<PathBuf>,

    /// Only programs whose `OBJECT@PROGRAM@INDEX` has this in it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) id: String,

    /// Set a global variable before load, in every object that has it
    #[arg(long, short = 'G', value_name = "NAME=VALUE")]
    pub(super) global: Vec<String>,

    /// As a user without privileges would load it
    #[arg(long)]
    pub(super) unprivileged: bool,

    /// What the kernel lets programs do that one which is locked down, or built without it, denies
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT,...")]
    pub(super) allow: Vec<Policy>,

    /// What the kernel denies to all programs
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT,...")]
    pub(super) deny: Vec<Policy>,

    /// What all programs are, as a section of that name would say: xdp, tc, kprobe, ...
    #[arg(long = "type", value_name = "SECTION")]
    pub(super) section: Option<String>,

    /// Mend what libbpf refuses in objects of old compilers and other loaders
    #[arg(long)]
    pub(super) repair: bool,

    #[command(flatten)]
    pub(super) target: TargetArg,

    /// After each program, the N source lines to which most processed instructions belong
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) top_lines: Option<usize>,

    /// What changed against an earlier run: its CSV (veristat's will do) or its JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) compare: Option<PathBuf>,

    /// The verifier's log in the kernel's words: 1 the path to the error, 2 every instruction with its state
    #[arg(long, value_name = "LEVEL", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2), help_heading = "Output")]
    pub(super) log: u8,

    /// Programs that are looked at at once; as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Output")]
    pub(super) jobs: Option<u16>,

    /// Recorded inputs of BPF_PROG_LOAD in place of objects, one a line
    #[arg(long, value_name = "FILE", help_heading = "Recorded loads", conflicts_with_all = ["objects", "global", "target", "section", "repair"])]
    pub(super) loads: Option<PathBuf>,

    /// The types that loads name, and those of their kernel, vmlinux-RELEASE.btf
    #[arg(long, value_name = "DIR", help_heading = "Recorded loads", requires = "loads")]
    pub(super) btf_dir: Option<PathBuf>,

    /// Hold the verdicts against those that a kernel gave, and show how they differ
    #[arg(long, value_name = "FILE", help_heading = "Recorded loads", requires = "loads")]
    pub(super) truth: Option<PathBuf>,

    /// List all differences of a kind: false-accept, false-reject, undecided, missing, insns, states, stack, message, selftest-message
    #[arg(long, value_name = "KIND", help_heading = "Recorded loads", requires = "truth")]
    pub(super) list: Option<String>,
}
