//! The programs in `programs/bodies` keep what calls gave; skep and the host's kernel must agree
//! on all of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::kept;
use skep::{Input, Instance, Object, Options, ProgType, Program, Target};
use skep_kernel::{Kernel, Loaded, LogLevel, TestRun};
use skep_object::Linker;
use skep_world::World;

/// What a program left behind: what it returned, and what it kept.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    retval: u32,
    kept: Vec<i64>,
}

const PACKET: usize = 64;

/// How long programs get to run what they started.
const TIME: Duration = Duration::from_millis(40);

fn is_later(program: &Program) -> bool {
    program.name.ends_with("later")
}

fn has_packet(prog_type: ProgType) -> bool {
    matches!(prog_type, ProgType::SchedCls | ProgType::Xdp | ProgType::SocketFilter | ProgType::CgroupSkb)
}

fn packet() -> Vec<u8> {
    (0..PACKET as u8).collect()
}

/// The end of a log, where the reason is.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn in_kernel(program: &Program) -> Result<Left, String> {
    let loaded = Loaded::create(program, LogLevel::OnFailure).map_err(|e| end_of(&e.to_string()))?;
    let data = if has_packet(program.prog_type) { packet() } else { Vec::new() };
    let input = TestRun { data, ..TestRun::default() };
    let ran = loaded.prog.test_run(&input).map_err(|e| format!("test run: {e}"))?;
    if is_later(program) {
        std::thread::sleep(TIME);
    }
    let at = program.maps.iter().position(|def| kept::variables([def.as_ref()]).is_some()).expect("nothing is kept");
    let value = loaded.maps[at].lookup(&[0; 4], 0).map_err(|e| e.to_string())?;
    Ok(Left { retval: ran.retval, kept: kept::kept(&program.maps[at], &value) })
}

fn in_skep(object: &Object, target: &Arc<Target>, program: &Program) -> Result<Left, String> {
    let mut world = World::new(target.clone());
    world.cpus = skep_kernel::possible_cpus() as u32;
    let builder = Instance::builder(target.clone()).world(world);
    let builder = builder.object_programs(object, &[&program.name]).map_err(|e| e.to_string())?;
    let mut instance = builder.build().map_err(|e| e.to_string())?;
    let input = if has_packet(program.prog_type) { Input::packet(&packet()) } else { Input::none() };
    let outcome = instance.program(&program.name).unwrap().run(&input).map_err(|e| e.to_string())?;
    if is_later(program) {
        instance.advance(TIME.as_nanos() as u64).map_err(|e| e.to_string())?;
    }
    Ok(Left { retval: outcome.retval(), kept: kept::of(&instance) })
}

fn objects() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/bodies");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "o"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn bodies_agree_with_the_kernel() {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    let target = Arc::new(skep::host().unwrap());
    let mut differences = Vec::new();
    let mut programs = 0;
    for path in objects() {
        let object = Object::open(&path, &Options::default()).unwrap();
        for listed in object.programs() {
            let place = format!("{} {}", path.file_name().unwrap().to_string_lossy(), listed.name());
            let program = match listed.relocate_in(&mut Linker::new(&object, &target)) {
                Ok(program) => program,
                Err(error) => panic!("{place}: {error}"),
            };
            programs += 1;
            match (in_kernel(&program), in_skep(&object, &target, &program)) {
                (Ok(theirs), Ok(ours)) if theirs == ours => {}
                (Ok(theirs), Ok(ours)) => {
                    differences.push(format!("{place}:\n  kernel {theirs:?}\n  skep   {ours:?}"));
                }
                (theirs, ours) => differences.push(format!("{place}:\n  kernel {theirs:?}\n  skep   {ours:?}")),
            }
        }
    }
    println!("{programs} programs");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
