//! Bodies whose answers are state of the kernel that the test sets: `programs/simulated/kernel.bpf.c`.

use skep::{Input, Instance};
use skep_maps::UserRingBuf;
use skep_world::{Cgroup, Effect, Mapping, Task, World};

use crate::simulated::{in_world, instance, run, target};

fn kernel(program: &str) -> Option<Instance> {
    Some(instance(&target()?, "kernel.bpf.o", program))
}

fn add_groups(instance: &mut Instance) {
    for (id, parent) in [(20, 1), (30, 20), (40, 30), (50, 1)] {
        let group = Cgroup { parent, name: format!("g{id}"), class_id: 0 };
        instance.world_mut().cgroups.by_id.insert(id, group);
    }
}

#[test]
fn cgroups_up_and_down_and_their_tasks() {
    let Some(mut instance) = kernel("groups") else { return };
    add_groups(&mut instance);
    let world = instance.world_mut();
    world.task = Task { pid: 5, tgid: 5, cgroup_id: 20, ..Task::default() };
    world.add_task(Task { pid: 6, tgid: 5, cgroup_id: 20, ..Task::default() }).unwrap();
    world.add_task(Task { pid: 7, tgid: 7, cgroup_id: 30, ..Task::default() }).unwrap();
    let kept = run(&mut instance, "groups", &Input::none());
    // Levels: down, each before those below it; each after them; up to the root.
    let levels = [&[-22], [0, 1, 2, 3].as_slice(), &[0, 3, 2, 1], &[0, 1, 0]].concat();
    assert_eq!(kept, [levels.as_slice(), &[0, 5, 6], &[0, 5], &[-22]].concat());
}

#[test]
fn the_file_of_a_task_and_what_was_measured() {
    let Some(mut instance) = kernel("files") else { return };
    let world = instance.world_mut();
    let task = world.current_task().unwrap();
    let (file, inode) = (world.new_object("file").unwrap(), world.new_object("inode").unwrap());
    world.set(task, "mm.exe_file", file).unwrap();
    world.set(file, "f_inode", inode).unwrap();
    world.ima.insert(inode, (4, b"abcdefgh".to_vec()));
    let word = |text: &[u8; 8]| i64::from_le_bytes(*text);
    let kept = run(&mut instance, "files", &Input::args([file]));
    assert_eq!(kept, [1, 4, word(b"abcd\0\0\0\0"), 4, word(b"abcdefgh")]);
    instance.world_mut().ima.clear();
    let kept = run(&mut instance, "files", &Input::args([0]));
    assert_eq!(kept[5..], [0, -95, 0, -95, 0]);
}

#[test]
fn values_of_inodes_by_their_number() {
    let Some(mut instance) = kernel("inode_values") else { return };
    let world = instance.world_mut();
    let files = [7, 8].map(|number| {
        let file = world.new_object("file").unwrap();
        world.set(file, "f_inode.i_ino", number).unwrap();
        file
    });
    for file in [files[0], files[1], files[0]] {
        run(&mut instance, "inode_values", &Input::args([file]));
    }
    let inodes = instance.map("inodes").unwrap();
    assert_eq!(inodes.get(&7_u32.to_le_bytes()).unwrap(), Some(2_u64.to_le_bytes().to_vec()));
    assert_eq!(inodes.get(&8_u32.to_le_bytes()).unwrap(), Some(1_u64.to_le_bytes().to_vec()));
}

#[test]
fn a_program_that_is_executed_securely() {
    let Some(mut instance) = kernel("secure") else { return };
    let bprm = instance.world_mut().new_object("linux_binprm").unwrap();
    assert_eq!(run(&mut instance, "secure", &Input::args([bprm])), [-22, 0]);
    assert_eq!(instance.world_mut().get(bprm, "secureexec").unwrap().as_i128(), Some(1));
    assert_eq!(instance.world().output.effects, [Effect::BprmOptions(1)]);
}

#[test]
fn keys_that_there_are() {
    let Some(mut instance) = kernel("keys") else { return };
    instance.world_mut().keys.insert(77);
    assert_eq!(run(&mut instance, "keys", &Input::none()), [1, 0, 0, 1, 0]);
    assert_eq!(instance.world().heap.objects().count(), 0);
}

#[test]
fn a_sysctl_that_is_written() {
    let Some(mut instance) = kernel("sysctls") else { return };
    let sysctl = &mut instance.world_mut().event.sysctl;
    sysctl.name = "net/ipv4/tcp_mem".into();
    sysctl.current = b"100".to_vec();
    sysctl.new = b"50000".to_vec();
    let kept = run(&mut instance, "sysctls", &Input::none().field("write", 1));
    let word = |text: &[u8; 8]| i64::from_le_bytes(*text);
    let name = [16, word(b"net/ipv4"), word(b"/tcp_mem"), 0, 7, -7, word(b"net/\0em\0")];
    let values = [3, word(b"100\0\0\0\0\0"), -7, 5, word(b"50000\0\0\0"), 0];
    assert_eq!(kept, [name.as_slice(), &values].concat());
    let sysctl = &instance.world().event.sysctl;
    assert_eq!((sysctl.new.as_slice(), sysctl.replaced), (b"600".as_slice(), true));
}

#[test]
fn keys_of_a_remote_control() {
    let Some(mut instance) = kernel("remote") else { return };
    assert_eq!(run(&mut instance, "remote", &Input::none()), [0, 0, 0]);
    let key = Effect::RemoteKey { protocol: 3, scancode: 0x1234, toggle: true };
    let expected = [key, Effect::RemoteRepeat, Effect::RemotePointer { x: -5, y: 6 }];
    assert_eq!(instance.world().output.effects, expected);
}

#[test]
fn the_kernels_own_context() {
    let Some(mut instance) = kernel("casts") else { return };
    let kept = run(&mut instance, "casts", &Input::packet(&[0; 60]).field("mark", 9));
    // What a cast makes of NULL reads as zero.
    assert_eq!(kept, [60, 9, 0]);
}

#[test]
fn variables_of_each_cpu() {
    let Some(target) = target() else { return };
    let mut world = World::new(target);
    world.cpus = 2;
    let mut instance = in_world(world, "kernel.bpf.o", "per_cpu");
    let size = 8;
    assert_eq!(run(&mut instance, "per_cpu", &Input::none()), [1, size, 0]);
    instance.world_mut().cpu = 1;
    assert_eq!(run(&mut instance, "per_cpu", &Input::none())[3..], [0, 0, 0]);
}

#[test]
fn samples_from_user_space() {
    let Some(mut instance) = kernel("drained") else { return };
    let samples = instance.map("samples").unwrap();
    let ring = samples.inner().as_any().downcast_ref::<UserRingBuf>().unwrap();
    for number in [1_u64, 2, 3] {
        ring.write(&number.to_le_bytes()).unwrap();
    }
    // The function stops the drain at the second sample.
    assert_eq!(run(&mut instance, "drained", &Input::packet(&[0; 60])), [0, 1, 0, 2, 2, 2]);
    assert_eq!(run(&mut instance, "drained", &Input::packet(&[0; 60]))[6..], [0, 3, 1, 1]);
}

#[test]
fn elements_are_counted_where_maps_count_them() {
    let Some(mut instance) = kernel("counts") else { return };
    assert_eq!(run(&mut instance, "counts", &Input::none()), [5, 0]);
}

#[test]
fn the_two_probes_of_a_session() {
    let Some(mut instance) = kernel("session") else { return };
    run(&mut instance, "session", &Input::none());
    instance.world_mut().event.session_return = true;
    assert_eq!(run(&mut instance, "session", &Input::none()), [0, 0, 1, 1]);
}

#[test]
fn timers_run_at_their_time() {
    let Some(mut instance) = kernel("ticking") else { return };
    instance.world_mut().clock.monotonic = 1000;
    run(&mut instance, "ticking", &Input::none());
    assert_eq!(instance.advance(49).unwrap(), 0);
    assert_eq!(instance.world().clock.monotonic, 1049);
    assert_eq!(instance.advance(101).unwrap(), 2);
    assert_eq!(instance.world().clock.monotonic, 1150);
    assert_eq!(instance.advance(1000).unwrap(), 1);
    let kept = crate::kept::of(&instance);
    assert_eq!(kept, [1050, 1150, 1250]);
}

#[test]
fn values_of_a_cgroup_and_its_programs() {
    let Some(mut instance) = kernel("group_value") else { return };
    add_groups(&mut instance);
    instance.world_mut().task.cgroup_id = 30;
    run(&mut instance, "group_value", &Input::packet(&[0; 60]));
    run(&mut instance, "group_value", &Input::packet(&[0; 60]));
    instance.world_mut().task.cgroup_id = 50;
    let kept = run(&mut instance, "group_value", &Input::packet(&[0; 60]));
    assert_eq!(kept, [0, 0, -13, 1, 0, -13, 0, 0, -13]);
    assert_eq!(instance.world().event.retval, -13);
}

#[test]
fn mappings_from_an_address_on() {
    let Some(mut instance) = kernel("mappings") else { return };
    let mapping = |start| Mapping { start, end: start + 0x1000, ..Mapping::default() };
    instance.world_mut().task.mappings = [0x5000, 0x1000, 0x0, 0x3000].map(mapping).to_vec();
    assert_eq!(run(&mut instance, "mappings", &Input::none()), [0, 0x1000, 0x3000, 0x5000]);
    instance.world_mut().task.kernel_thread = true;
    assert_eq!(run(&mut instance, "mappings", &Input::none())[4..], [-2]);
}

#[test]
fn extended_attributes() {
    let Some(mut instance) = kernel("attributes") else { return };
    let world = instance.world_mut();
    let dentry = world.new_object("dentry").unwrap();
    let inode = world.new_object("inode").unwrap();
    world.set(dentry, "d_inode", inode).unwrap();
    world.xattrs.insert((inode, "user.colour".into()), b"blue".to_vec());
    let word = i64::from_le_bytes(*b"blue\0\0\0\0");
    let kept = run(&mut instance, "attributes", &Input::args([dentry]));
    assert_eq!(kept, [4, word, -34, -61, -1, -1, -61, 0, -17, 2, 0, -61]);
}

#[test]
fn text_for_the_programs_own_streams() {
    let Some(mut instance) = kernel("streams") else { return };
    assert_eq!(run(&mut instance, "streams", &Input::none()), [0, 0, 0]);
    let streams = &instance.world().output.streams;
    assert_eq!(streams[&1], b"5 and a name\na name");
    assert_eq!(streams[&2], b"a name");
}
