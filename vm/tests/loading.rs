//! Every object of the corpus: parsed, relocated and made an instance, with the time that took. No time is asserted.
//!
//! `cargo test --release -p skep --test loading -- --nocapture` prints the slowest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skep::{Arch, BuildError, Builder, Instance, Object, Options, ProgType, Release, Repairs, Target};

/// How often each object is loaded. Its fastest time counts: the machine may have other work.
const TIMES: usize = 5;

/// Objects that become instances at least. The others are refused by every loader, or need what this target does not have.
const INSTANCES: usize = 281;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

fn objects(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "o") {
            found.push(path);
        }
    }
}

/// Times of the three steps.
#[derive(Debug, Default)]
struct Times {
    parse: Duration,
    relocate: Duration,
    instantiate: Duration,
}

impl Times {
    fn total(&self) -> Duration {
        self.parse + self.relocate + self.instantiate
    }
}

/// The programs that sections give no type are taken for socket filters: every byte of the corpus goes through all steps.
fn programs(object: &Object, target: &Arc<Target>) -> Result<Builder, BuildError> {
    if object.programs().all(|program| program.prog_type().is_some()) {
        return Instance::builder(target.clone()).object(object);
    }
    let mut builder = Instance::builder(target.clone());
    for program in object.programs() {
        let program = match program.prog_type() {
            Some(_) => program,
            None => program.as_type(ProgType::SocketFilter, None),
        };
        builder = builder.program(program.relocate(target)?);
    }
    Ok(object.maps().fold(builder, |builder, def| builder.map(def.clone())))
}

fn load(path: &Path, target: &Arc<Target>, times: &mut Times) -> Result<usize, String> {
    let start = Instant::now();
    let object = Object::open(path, &Options { repairs: Repairs::ALL, ..Options::default() });
    times.parse = start.elapsed();
    let object = object.map_err(|error| error.to_string())?;
    let start = Instant::now();
    let builder = programs(&object, target);
    times.relocate = start.elapsed();
    let builder = builder.map_err(|error| error.to_string())?;
    let start = Instant::now();
    let instance = builder.allow_absent().build();
    times.instantiate = start.elapsed();
    Ok(instance.map_err(|error| error.to_string())?.programs().count())
}

#[test]
fn objects_become_instances() {
    let (Some(root), Some(btf)) = (shared("corpus/objects"), shared("corpus/btf/vmlinux-6.18.44.btf")) else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(skep::btf(btf.to_str().unwrap()).unwrap());
    let target = Arc::new(target);
    let mut paths = Vec::new();
    objects(&root, &mut paths);
    paths.sort();
    let (mut instances, mut slowest) = (0, Vec::new());
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap().display();
        let timed = || {
            let mut times = Times::default();
            load(path, &target, &mut times).map(|programs| (times, programs))
        };
        let loads: Result<Vec<_>, String> = (0..TIMES).map(|_| timed()).collect();
        match loads.map(|loads| loads.into_iter().min_by_key(|(times, _)| times.total())) {
            Ok(None) => {}
            Ok(Some((times, programs))) => {
                instances += 1;
                slowest.push((times.total(), format!("{name}, {programs} programs: {times:?}")));
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
    slowest.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    println!("{instances} of {} objects are instances; the slowest:", paths.len());
    slowest.iter().take(10).for_each(|(total, line)| println!("{total:?} {line}"));
    assert!(instances >= INSTANCES, "only {instances} of {}", paths.len());
}
