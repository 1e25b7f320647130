//! Bodies that need a kernel around them which this host does not offer (traced functions, files) or whose answers differ from host to
//! host (stacks, tasks): run in a world that the test sets.

use std::path::Path;
use std::sync::Arc;

use crate::kept;
use skep::{Input, Instance, Object, Options, Target};
use skep_world::{Cgroup, Effect, Mapping, Task, World};

pub(crate) fn target() -> Option<Arc<Target>> {
    match skep::host() {
        Ok(target) if target.has_btf() => Some(Arc::new(target)),
        Ok(_) | Err(_) => {
            println!("skipped: needs /sys/kernel/btf/vmlinux");
            None
        }
    }
}

pub(crate) fn instance(target: &Arc<Target>, file: &str, program: &str) -> Instance {
    in_world(World::new(target.clone()), file, program)
}

pub(crate) fn in_world(world: World, file: &str, program: &str) -> Instance {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/simulated").join(file);
    let object = Object::open(path, &Options::default()).unwrap();
    let builder = Instance::builder(world.target.clone()).world(world);
    builder.object_programs(&object, &[program]).unwrap().build().unwrap()
}

pub(crate) fn run(instance: &mut Instance, program: &str, input: &Input) -> Vec<i64> {
    instance.program(program).unwrap().run(input).unwrap();
    kept::of(instance)
}

#[test]
fn arguments_of_a_function_that_returned() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "function");
    instance.world_mut().event.func_ip = 0xffff_ffff_8100_1000;
    instance.world_mut().event.cookie = 99;
    // vfs_read has four arguments; the value comes behind them.
    let kept = run(&mut instance, "function", &Input::args([10, 20, 30, 40, 50]));
    assert_eq!(kept, [4, 0, 10, 0, 40, -22, 0, 50, 0xffff_ffff_8100_1000_u64 as i64, 99]);
}

#[test]
fn a_function_that_did_not_return_has_no_value() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "function_entry");
    assert_eq!(run(&mut instance, "function_entry", &Input::args([1, 2, 3, 4])), [-95]);
}

#[test]
fn a_path_from_its_dentries() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "closed");
    let world = instance.world_mut();
    let file = world.new_object("file").unwrap();
    world.set(file, "f_path.dentry.d_name.name", "passwd").unwrap();
    world.set(file, "f_path.dentry.d_parent.d_name.name", "etc").unwrap();
    world.set(file, "f_path.dentry.d_parent.d_parent.d_name.name", "/").unwrap();
    let kept = run(&mut instance, "closed", &Input::args([file]));
    let word = |text: &[u8; 8]| i64::from_le_bytes(*text);
    assert_eq!(kept, [12, word(b"/etc/pas"), word(b"swd\0\0\0\0\0"), -36, 0]);
}

#[test]
fn overridden_functions_and_signals_are_effects() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "overridden");
    instance.world_mut().task = Task { pid: 6, tgid: 5, ..Task::default() };
    assert_eq!(run(&mut instance, "overridden", &Input::none()), [0, 0, 0]);
    let expected = [
        Effect::OverrideReturn(-12_i64 as u64),
        Effect::Signal { pid: 5, signal: 9, thread: false, value: 0 },
        Effect::Signal { pid: 6, signal: 15, thread: true, value: 0 },
    ];
    assert_eq!(instance.world().output.effects, expected);
}

#[test]
fn stacks_and_cgroups_of_the_world() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "stacks_of_task");
    let task = &mut instance.world_mut().task;
    task.kernel_stack = vec![1, 2, 3];
    task.user_stack = vec![0x1010, 0x9000];
    task.mappings = vec![Mapping { start: 0x1000, end: 0x2000, offset: 0x500, build_id: Some([7; 20]), ..Mapping::default() }];
    task.cgroup_id = 30;
    for (id, parent) in [(20, 1), (30, 20), (40, 1)] {
        instance.world_mut().cgroups.by_id.insert(id, Cgroup { parent, name: format!("g{id}"), class_id: 0 });
    }
    instance.map("cgroups").unwrap().set(&[0; 4], &20_u32.to_le_bytes()).unwrap();
    instance.map("cgroups").unwrap().set(&[1, 0, 0, 0], &40_u32.to_le_bytes()).unwrap();
    let kept = run(&mut instance, "stacks_of_task", &Input::none());
    let seven = 0x0707_0707_0707_0707;
    let ids = [0x0707_0707_0000_0001, seven, seven, 0x510, 2, 0, 0, 0x9000];
    assert_eq!(kept, [&[1, 1, 16, 2, 3, 0, 64], ids.as_slice(), &[30, 20, 30, 0, 1, 0]].concat());
}

#[test]
fn tasks_of_the_world() {
    let Some(target) = target() else { return };
    let mut instance = instance(&target, "trace.bpf.o", "tasks");
    let world = instance.world_mut();
    world.task = Task { pid: 10, tgid: 10, ..Task::default() };
    world.task.mappings = vec![Mapping { start: 0x1000, end: 0x2000, ..Mapping::default() }];
    world.add_task(Task { pid: 11, tgid: 10, ..Task::default() }).unwrap();
    world.add_task(Task { pid: 3, tgid: 3, ..Task::default() }).unwrap();
    let kept = run(&mut instance, "tasks", &Input::none());
    let vma = [10, 0x1000, 0x2000, 7, 0, -2];
    assert_eq!(kept, [vma.as_slice(), &[0, 3, 10], &[0, 3, 10, 11], &[0, 10, 11], &[-22]].concat());
}
