//! How long verification takes beside the time that the kernel took when the loads were recorded, and how much memory.
//!
//! `cargo run --release -p skep-conformance --example speed -- [--times N] [--only TEXT] [PART...]`
//!
//! Where the kernel of this host can be asked (root), long programs are put to it in the same run.
//!
//! Parts: `sets` (the recorded loads), `long` (those of them that are long, one by one), `linear` (programs of ours of 1,000 to 1,000,000
//! processed instructions). All, if none is named. Times are those of the processor: the least of N runs.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::speed::{LONG, Recorded, Shape, best_of, forget_peak, kernel_here, median, peak_memory, recorded};
use skep_kernel::Kernel;
use skep_linux::{Arch, Release, Target};

const USAGE: &str = "speed [--times N] [--only TEXT] [sets] [long] [linear]";

struct Arguments {
    times: u32,
    only: String,
    parts: Vec<String>,
}

impl Arguments {
    fn read() -> Result<Arguments, Box<dyn Error>> {
        let mut read = Arguments { times: 5, only: String::new(), parts: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--times" => read.times = args.next().ok_or(USAGE)?.parse()?,
                "--only" => read.only = args.next().ok_or(USAGE)?,
                "sets" | "long" | "linear" => read.parts.push(arg),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(read)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

/// Our time and the kernel's.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    ours: Duration,
    kernel: Duration,
}

impl Times {
    fn add(&mut self, other: Times) {
        self.ours += other.ours;
        self.kernel += other.kernel;
    }

    fn row(&self, name: &str, programs: usize) {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let ratio = self.ours.as_secs_f64() / self.kernel.as_secs_f64();
        println!("{name:50} {programs:8} {:12.2} {:12.2} {ratio:8.3}", millis(self.ours), millis(self.kernel));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")).join("corpus");
    if root.exists() {
        let corpus = Corpus::open(&root)?;
        if arguments.wants("sets") || arguments.wants("long") {
            sets(&corpus, &arguments)?;
        }
    } else {
        println!("skipped: recorded loads need ../shared/corpus");
    }
    if arguments.wants("linear") {
        linear(arguments.times);
    }
    Ok(())
}

fn sets(corpus: &Corpus, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let target = corpus.types().target();
    let host = Kernel::available().ok().filter(|_| arguments.wants("long")).and_then(|_| skep::host().ok());
    println!("{:50} {:>8} {:>12} {:>12} {:>8}", "", "programs", "skep ms", "kernel ms", "ratio");
    let (mut all, mut long) = ((0, Times::default()), (0, Times::default()));
    let mut rows = Vec::new();
    for set in Set::ALL {
        let loads = recorded(corpus, set, &arguments.only)?;
        let (mut total, mut each) = (Times::default(), Vec::new());
        for Recorded { load, kernel, processed } in &loads {
            forget_peak()?;
            let (_, ours) = best_of(arguments.times, &load.program, &target);
            let times = Times { ours, kernel: *kernel };
            total.add(times);
            each.push(ours);
            if *processed > LONG {
                let peak = peak_memory()?;
                let here = host.as_ref().and_then(|host| kernel_here(arguments.times, corpus, load, host));
                rows.push((load.id.clone(), *processed, times, peak, here));
                if set != Set::Selftests {
                    long.0 += 1;
                    long.1.add(times);
                }
            }
        }
        total.row(set.name(), loads.len());
        if set == Set::Selftests {
            println!("{:50} {:8} {:12.4}", "  the median of them", "", median(each).as_secs_f64() * 1e3);
        } else {
            all.0 += loads.len();
            all.1.add(total);
        }
    }
    all.1.row("ebpf-samples and libbpf-tools", all.0);
    long.1.row(&format!("  of more than {LONG} processed instructions"), long.0);
    if arguments.wants("long") {
        println!(
            "\n{:80} {:>10} {:>10} {:>10} {:>8} {:>8} {:>10}",
            "", "processed", "skep ms", "kernel ms", "ratio", "peak MB", "here ms"
        );
        for (id, processed, Times { ours, kernel }, peak, here) in rows {
            let (ours, kernel) = (ours.as_secs_f64() * 1e3, kernel.as_secs_f64() * 1e3);
            let here = here.map_or_else(String::new, |here| format!("{:.2}", here.as_secs_f64() * 1e3));
            println!("{id:80} {processed:10} {ours:10.2} {kernel:10.2} {:8.3} {:8} {here:>10}", ours / kernel, peak >> 20);
        }
    }
    Ok(())
}

/// Time of each processed instruction, from short programs to the longest.
fn linear(times: u32) {
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    println!("\n{:10} {:>10} {:>10} {:>10} {:>10}", "shape", "processed", "states", "ms", "ns each");
    for shape in Shape::ALL {
        for processed in Shape::SIZES {
            let (report, time) = best_of(times, &shape.program(processed), &target);
            let (stats, nanos) = (report.stats, time.as_secs_f64() * 1e9);
            let each = nanos / f64::from(stats.insns_processed);
            println!(
                "{:10} {:10} {:10} {:10.2} {each:10.1}",
                shape.name(),
                stats.insns_processed,
                stats.total_states,
                nanos / 1e6
            );
        }
    }
}
