//! Raises a tracepoint and decodes the record that its program writes to a ring buffer.
//!
//! `cargo run -p skep --example exec`

use std::error::Error;

use skep::{Arch, Input, Instance, Object, Release, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let object = Object::parse(include_bytes!("../../conformance/programs/exec.bpf.o"))?;
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let mut instance = Instance::builder(target).object(&object)?.build()?;

    let world = instance.world_mut();
    world.clock.monotonic = 5_000_000_000;
    world.task.tgid = 42;
    world.task.uid = 1000;
    world.task.comm = "sh".into();

    // The event as its format file lists it: common fields, where the file name lies, pid, old pid; then the name.
    let mut event = vec![0; 20];
    event[8..12].copy_from_slice(&(20u32 | 8 << 16).to_le_bytes());
    event[12..16].copy_from_slice(&42u32.to_le_bytes());
    event.extend(b"/bin/ls\0");
    instance.program("handle_exec")?.run(&Input::context(&event))?;

    let types = object.btf().ok_or("the object has no types")?;
    for record in instance.records("events")? {
        println!("{}", skep::decode(types, "event", &record)?);
    }
    Ok(())
}
