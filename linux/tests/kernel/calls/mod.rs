//! Every helper is called as its row says, and with what its row forbids; the kernel must agree.

mod effects;
mod fixtures;
mod program;
mod vary;

use skep_isa::RawInsn;
use skep_kernel::LogLevel;
use skep_linux::helpers::{HELPERS, Policy, Proto, Sleeps};
use skep_linux::programs::{Sleepable, program as program_row};
use skep_linux::{HelperRow, ProgType};

use crate::ask::{Kind, can_ask, kinds};
use fixtures::Fixtures;
pub(crate) use fixtures::vmlinux;
use program::{Builder, NoWay, Place};

/// One kind of each program type, and all attach types where they decide.
fn kinds_that_differ() -> Vec<Kind> {
    let mut keep: Vec<Kind> = Vec::new();
    for kind in kinds() {
        let decides = matches!(kind.prog, ProgType::CgroupSock | ProgType::CgroupSockAddr | ProgType::CgroupSockopt);
        if decides || keep.iter().all(|kept| kept.prog != kind.prog) {
            keep.push(kind);
        }
    }
    keep
}

/// The helpers that programs of a kind may call, with their prototypes.
fn helpers_of(kind: Kind) -> impl Iterator<Item = (&'static HelperRow, &'static Proto)> {
    let sleeps = program_row(kind.prog).is_some_and(|row| row.sleepable == Sleepable::Always);
    let rows = HELPERS.iter().copied().filter(move |row| row.policy == Policy::Free && (sleeps || row.sleeps != Sleeps::Always));
    rows.filter_map(move |row| row.proto(kind.prog, kind.attach).map(|proto| (row, proto)))
}

/// Arguments as the row wants them.
fn args(builder: &mut Builder<'_>, row: &HelperRow, proto: &Proto) -> Result<Vec<Place>, NoWay> {
    proto.args.iter().map(|arg| builder.arg(row, arg, proto)).collect()
}

/// A call that the kernel takes when it is made as the row says.
pub(crate) struct Call<'a> {
    with: &'a Fixtures<'a>,
    kind: Kind,
    row: &'static HelperRow,
    proto: &'static Proto,
}

impl<'a> Call<'a> {
    /// A program on its way, and the arguments.
    fn start(&self) -> Result<(Builder<'a>, Vec<Place>), NoWay> {
        let mut builder = Builder::new(self.with, self.kind);
        let args = args(&mut builder, self.row, self.proto)?;
        Ok((builder, args))
    }

    /// Whether such a program can give a socket back.
    fn can_release(&self) -> bool {
        skep_linux::helper_by_name("bpf_sk_release").expect("a row").proto(self.kind.prog, self.kind.attach).is_some()
    }

    /// What the kernel says of the call with these arguments.
    fn load(&self, builder: Builder<'_>, args: &[Place], log_level: LogLevel) -> Result<String, String> {
        builder.finish(self.row, self.proto, args, &[]).load(self.kind, self.with, log_level)
    }

    /// What the kernel says of the call when these instructions follow it.
    fn load_then(&self, builder: Builder<'_>, args: &[Place], then: &[RawInsn]) -> Result<String, String> {
        builder.finish(self.row, self.proto, args, then).load(self.kind, self.with, LogLevel::OnFailure)
    }
}

impl std::fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?} {:?}", self.row.name, self.kind.prog, self.kind.attach)
    }
}

/// Differences between rows and kernel, and how much was asked.
#[derive(Default)]
pub(crate) struct Tally {
    asked: usize,
    /// What differs, and the first program in which it does.
    wrong: std::collections::BTreeMap<String, (usize, String)>,
}

impl Tally {
    /// Holds what the row says against what the kernel says.
    fn hold(&mut self, call: &Call<'_>, what: &str, row: bool, kernel: &Result<String, String>) {
        self.asked += 1;
        if row != kernel.is_ok() {
            let said = kernel.as_ref().err().map_or("allowed", String::as_str);
            let differs = format!("{}, {what}: row {row}, kernel: {said}", call.row.name);
            self.wrong.entry(differs).or_insert_with(|| (0, format!("{:?} {:?}", call.kind.prog, call.kind.attach))).0 += 1;
        }
    }

    fn end(self, least: usize) {
        println!("{} asked", self.asked);
        let shown: Vec<_> =
            self.wrong.iter().take(60).map(|(what, (count, first))| format!("{what} ({count} times, {first})")).collect();
        assert!(self.wrong.is_empty(), "{} differences:\n{}", self.wrong.len(), shown.join("\n"));
        assert!(self.asked >= least, "only {} asked", self.asked);
    }
}

/// Calls `each` with every call that there is a way to, by one program of each type.
pub(crate) fn every_call(mut each: impl FnMut(&Call<'_>)) {
    let kernel = vmlinux();
    let mut seen = std::collections::HashSet::new();
    for kind in kinds().into_iter().filter(|kind| seen.insert(kind.prog)) {
        let with = Fixtures::new(&kernel);
        for (row, proto) in helpers_of(kind) {
            let call = Call { with: &with, kind, row, proto };
            if call.start().is_ok() {
                each(&call);
            }
        }
    }
}

#[test]
fn calls_as_rows_say() {
    if !can_ask() {
        return;
    }
    let kernel = vmlinux();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    let mut no_way = std::collections::BTreeMap::<String, Vec<String>>::new();
    for kind in kinds_that_differ() {
        let with = Fixtures::new(&kernel);
        for (row, proto) in helpers_of(kind) {
            let mut builder = Builder::new(&with, kind);
            match args(&mut builder, row, proto) {
                Err(what) => no_way.entry(what).or_default().push(format!("{} in {:?}", row.name, kind.prog)),
                Ok(args) => {
                    asked += 1;
                    let program = builder.finish(row, proto, &args, &[]);
                    if let Err(said) = program.load(kind, &with, LogLevel::OnFailure) {
                        wrong.push(format!("{} in {:?} {:?}: {said}", row.name, kind.prog, kind.attach));
                    }
                }
            }
        }
    }
    for (what, calls) in &no_way {
        println!("no way to {what}: {} calls, such as {}", calls.len(), calls[0]);
    }
    println!("{asked} calls");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}
