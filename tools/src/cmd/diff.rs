//! `skep diff`.

use std::path::{Path, PathBuf};

use skep::{Object, Options};
use skep_conformance::diff::{self, Inputs, Report, Verdict};
use skep_conformance::oracle::{Bytes, Case};

use super::Io;
use crate::cli::Format;
use crate::engine::EngineArg;
use crate::exit::{Exit, Failure};
use crate::hex;

const EXAMPLES: &str = "\
Examples:
  skep diff firewall.bpf.o
  skep diff firewall.bpf.o firewall --inputs 1000 --seed 7
  skep diff firewall.bpf.o --packet @telnet.bin
  skep diff firewall.bpf.o --cases cases.jsonl

The exit code is 0 if skep and the kernel agree, 1 if they differ, 3 if something could not be compared.";

/// Arguments of `skep diff`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The object file
    object: PathBuf,
    /// The programs; all that the kernel runs on request if none is named
    programs: Vec<String>,
    /// How many inputs are generated for each program
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with_all = ["packet", "context", "cases"])]
    inputs: usize,
    /// Decides the generated inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// A packet in place of generated inputs: hexadecimal digits, or @FILE with its bytes
    #[arg(long, value_name = "HEX|@FILE")]
    packet: Vec<String>,
    /// The bytes of the context: hexadecimal digits, or @FILE
    #[arg(long, value_name = "HEX|@FILE")]
    context: Option<String>,
    /// Inputs in place of generated ones: one JSON object a line, as the `case` of a difference
    #[arg(long, value_name = "FILE", conflicts_with_all = ["packet", "context"])]
    cases: Option<PathBuf>,
    /// Set a global variable before load
    #[arg(long, short = 'G', value_name = "NAME=VALUE")]
    global: Vec<String>,
    /// What runs programs in skep
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    engine: EngineArg,
    /// Instructions that skep may execute for one program
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let cannot = || format!("cannot read the object `{}`", args.object.display());
    let mut object = Object::open(&args.object, &Options::default()).map_err(|error| Failure::usage(error).within(cannot()))?;
    for text in &args.global {
        super::set_global(&mut object, text)?;
    }
    for name in &args.programs {
        object.program(name).map_err(Failure::usage)?;
    }
    let target = skep::host().map_err(|error| Failure::undecided(error).within("the kernel of this host cannot be asked"))?;
    let mut options = diff::Options::new(target);
    options.programs.clone_from(&args.programs);
    options.inputs = inputs(args)?;
    options.mode = args.engine.mode();
    if let Some(budget) = args.budget {
        options.instructions = budget;
    }
    let report = diff::object(&object, &options);
    match io.format {
        Format::Human => writeln!(io.out, "{report}")?,
        Format::Json => {
            serde_json::to_writer(&mut *io.out, &report)?;
            writeln!(io.out)?;
        }
    }
    Ok(exit(&report))
}

fn inputs(args: &Args) -> Result<Inputs, Failure> {
    if let Some(path) = &args.cases {
        return cases(path).map(Inputs::Given);
    }
    let context = args.context.as_deref().map(hex::bytes).transpose()?.map(Bytes);
    if args.packet.is_empty() && context.is_none() {
        return Ok(Inputs::Generated { count: args.inputs, seed: args.seed });
    }
    let case = |packet| Case { packet, context: context.clone(), fills: Vec::new() };
    if args.packet.is_empty() {
        return Ok(Inputs::Given(vec![case(None)]));
    }
    let packets = args.packet.iter().map(|text| Ok(case(Some(Bytes(hex::bytes(text)?)))));
    Ok(Inputs::Given(packets.collect::<Result<_, Failure>>()?))
}

fn cases(path: &Path) -> Result<Vec<Case>, Failure> {
    let cannot = || format!("cannot read inputs from `{}`", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(error).within(cannot()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let case = |(nth, line)| {
        serde_json::from_str(line).map_err(|error| Failure::usage(error).within(format!("{}, line {}", cannot(), nth + 1)))
    };
    lines.map(case).collect()
}

/// A difference fails; what could not be compared is not decided.
fn exit(report: &Report) -> Exit {
    let compared = report.programs.iter().any(|program| matches!(program.verdict, Verdict::Agree));
    let refused = report.programs.iter().any(|program| matches!(program.verdict, Verdict::SkepRefuses(_)));
    match (report.agrees(), compared, refused) {
        (false, ..) => Exit::Failed,
        (true, true, false) => Exit::Passed,
        (true, _, _) => Exit::Undecided,
    }
}
