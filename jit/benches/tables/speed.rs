//! How fast compiled code is beside the kernel's own, which only root can ask.

use std::time::Instant;

use skep_isa::{Code, Insn, Reg, asm};
use skep_jit::Options;
use skep_kernel::{Load, TestRun};
use skep_linux::ProgType;
use skep_program::{Fact, Facts, Through};

use crate::run::{Native, World, build_for};

/// Programs for XDP, which reach the context through `r1` and through no other register.
const WORKLOADS: [(&str, &str); 6] = [
    ("nothing", "r0 = 2\nexit"),
    ("numbers", "r0 = 1\nr2 = 1000\nloop:\nr0 *= 1103515245\nr0 += 12345\nr0 ^= r2\nr2 += -1\nif r2 != 0 goto loop\nexit"),
    (
        "checksum",
        "r6 = *(u32 *)(r1 +0)\nr7 = *(u32 *)(r1 +4)\nr0 = 0\nr2 = r6\nr2 += 1480\nif r2 > r7 goto out\nr3 = 0\nloop:\n\
         r4 = r6\nr4 += r3\nr4 = *(u16 *)(r4 +0)\nr4 = be16 r4\nr0 += r4\nr3 += 2\nif r3 < 1480 goto loop\nout:\nexit",
    ),
    (
        "siphash",
        "r0 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr6 = 200\nloop:\nr0 += r2\nr5 = r2\nr5 <<= 13\nr2 >>= 51\nr5 |= r2\nr2 = r5\nr2 ^= r0\n\
         r5 = r0\nr5 <<= 32\nr0 >>= 32\nr5 |= r0\nr0 = r5\nr3 += r4\nr5 = r4\nr5 <<= 16\nr4 >>= 48\nr5 |= r4\nr4 = r5\nr4 ^= r3\n\
         r0 += r4\nr5 = r4\nr5 <<= 21\nr4 >>= 43\nr5 |= r4\nr4 = r5\nr4 ^= r0\nr6 += -1\nif r6 != 0 goto loop\nexit",
    ),
    (
        "calls",
        "r6 = 0\nr7 = 200\nloop:\nr1 = r6\nr2 = r7\ncall add\nr6 = r0\nr7 += -1\nif r7 != 0 goto loop\nr0 = r6\nexit\n\
         add:\nr0 = r1\nr0 += r2\nr0 ^= 5\nexit",
    ),
    (
        "stack",
        "r2 = 100\nr0 = 0\n*(u64 *)(r10 -8) = r0\n*(u64 *)(r10 -16) = r2\nloop:\nr3 = *(u64 *)(r10 -8)\nr4 = *(u64 *)(r10 -16)\n\
         r3 += r4\n*(u64 *)(r10 -8) = r3\nr4 ^= r2\n*(u64 *)(r10 -16) = r4\nr2 += -1\nif r2 != 0 goto loop\nr0 = *(u64 *)(r10 -8)\nexit",
    ),
];

fn facts(code: &Code) -> Facts {
    let through = |slot| match code.insn(slot) {
        Some(Insn::Load { base: Reg::R1, .. }) => Through::Context,
        Some(Insn::Load { .. } | Insn::Store { .. }) => Through::Plain,
        _ => Through::Nothing,
    };
    let fact = |slot| Fact { reached: true, through: through(slot), zero_extend: true, ..Fact::default() };
    Facts::new((0..code.len()).map(fact).collect(), vec![512])
}

/// Prints the table.
pub(crate) fn print() {
    println!("{:>10} {:>10} {:>10} {:>6}", "", "here, ns", "kernel, ns", "ratio");
    let packet: Vec<u8> = (0..1500u32).map(|byte| (byte * 7) as u8).collect();
    let mut logs = Vec::new();
    for (name, text) in WORKLOADS {
        let raw = asm::kernel::assemble(text).unwrap();
        let options = Options::host().expect("this runs on a machine that code can be made for");
        let native = Native::new(build_for(ProgType::Xdp, &raw, facts(&Code::decode(&raw).unwrap()), &options).unwrap());
        let mut world = World::new();
        (world.env.packet_start, world.env.packet_end) = (packet.as_ptr() as u64, packet.as_ptr() as u64 + 1500);
        let mut context = [0u32; 6];
        let args = [context.as_mut_ptr() as u64, 0, 0, 0, 0];
        let (mut here, mut value) = (f64::MAX, 0);
        for _ in 0..200 {
            let from = Instant::now();
            for _ in 0..1000 {
                value = native.run(&mut world, args).value as u32;
            }
            here = here.min(from.elapsed().as_nanos() as f64 / 1000.0);
        }
        let Ok(prog) = Load::raw(ProgType::Xdp, &raw).load() else {
            println!("{name:>10} {here:>10.1} skipped: needs root");
            continue;
        };
        let mut kernel = f64::MAX;
        for _ in 0..50 {
            let ran = prog.test_run(&TestRun { data: packet.clone(), repeat: 4000, ..TestRun::default() }).unwrap();
            assert_eq!(ran.retval, value, "{name}");
            kernel = kernel.min(ran.duration.as_nanos() as f64);
        }
        println!("{name:>10} {here:>10.1} {kernel:>10.1} {:>6.2}", here / kernel);
        logs.push((here / kernel).ln());
    }
    println!("geometric mean of {} workloads: {:.2}", logs.len(), (logs.iter().sum::<f64>() / logs.len() as f64).exp());
}
