//! What compiling costs, as programs grow.

use std::time::{Duration, Instant};

use skep_isa::Wide;
use skep_jit::{Arch, Features, Options, compile};
use skep_linux::ProgType;
use skep_program::Through;

use crate::run::vouched;
use crate::typical::{facts, raw, typical};

/// Prints the table.
pub(crate) fn print() {
    println!("{:>9} {:>8} {:>12} {:>9} {:>10}", "insns", "machine", "compile", "ns/insn", "bytes/insn");
    for arch in [Arch::X86_64, Arch::Aarch64] {
        for len in [100, 1_000, 4_000, 10_000, 100_000, 1_000_000] {
            let raw = raw(&typical(len));
            let program = vouched(ProgType::SocketFilter, &raw, facts(&raw, Through::Stack));
            let options = Options { features: Features::all(), ..Options::baseline(arch) };
            let (mut best, mut bytes) = (Duration::MAX, 0);
            for _ in 0..(2_000_000 / len).clamp(3, 1000) {
                let from = Instant::now();
                let code = compile(&program, &options, &mut |_: usize, _: Wide| 0).unwrap();
                best = best.min(from.elapsed());
                bytes = code.bytes.len();
            }
            let per = best.as_nanos() as f64 / len as f64;
            let name = format!("{arch:?}").to_lowercase();
            println!("{len:>9} {name:>8} {best:>12.1?} {per:>9.1} {:>10.2}", bytes as f64 / len as f64);
        }
    }
}
