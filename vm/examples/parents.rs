//! Raises a tracepoint with objects of the kernel that are set field by field, and reads what its program found in them.
//!
//! `cargo run -p skep --example parents`

use std::error::Error;

use skep::{Arch, Input, Instance, Object, Release, Target, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let object = Object::parse(include_bytes!("../../conformance/programs/parents.bpf.o"))?;
    // The types of a kernel: where the fields of its structs lie.
    let target = Target::of(Release::new(6, 18), Arch::X86_64);
    let mut instance = Instance::builder(target).object(&object)?.build()?;

    let world = instance.world_mut();
    world.task.tgid = 42;
    let task = world.current_task()?;
    let shell = world.add_task(Task { pid: 7, tgid: 7, comm: "bash".into(), ..Task::default() })?;
    world.set(task, "real_parent", shell)?;
    world.set(shell, "real_parent.comm", "systemd")?;
    let binary = world.new_object("linux_binprm")?;
    world.set(binary, "filename", "/usr/bin/make")?;
    instance.program("started")?.run(&Input::args([task, 42, binary]))?;

    let types = object.btf().ok_or("the object has no types")?;
    for record in instance.records("starts")? {
        println!("{}", skep::decode(types, "start", &record)?);
    }
    instance.world().output.printk.iter().for_each(|line| println!("{line}"));
    Ok(())
}
