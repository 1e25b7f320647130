//! What may go to other threads, and what they may share.

use skep::{
    Arch, BuildError, Builder, Input, InputError, Instance, MapError, MapRef, NameError, Object, ObjectError, Outcome, Program,
    Release, RunError, Stopped, Target, World, raw,
};

/// Checked when this compiles.
const _: () = {
    const fn moves<T: Send>() {}
    const fn shared<T: Send + Sync>() {}
    const fn error<T: std::error::Error + Send + Sync + 'static>() {}
    moves::<Instance>();
    moves::<Builder>();
    moves::<raw::Machine>();
    shared::<Object>();
    shared::<Program>();
    shared::<Target>();
    shared::<MapRef>();
    shared::<World>();
    shared::<Input>();
    shared::<Outcome>();
    error::<ObjectError>();
    error::<BuildError>();
    error::<NameError>();
    error::<MapError>();
    error::<InputError>();
    error::<RunError>();
    error::<Stopped>();
    error::<raw::RawError>();
};

#[test]
fn instances_on_many_threads_share_their_maps() {
    const RUNS: u64 = 1000;
    let object = Object::parse(include_bytes!("../../conformance/programs/firewall.bpf.o")).unwrap();
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let instance = Instance::builder(target).object(&object).unwrap().build().unwrap();
    // An IPv4 packet without its header: the program counts it with an atomic operation.
    let mut frame = [0; 16];
    frame[12] = 8;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut own = instance.fork();
            scope.spawn(move || {
                for _ in 0..RUNS {
                    assert_eq!(own.program("firewall").unwrap().run(&Input::packet(&frame)).unwrap().retval(), 0);
                }
            });
        }
    });
    assert_eq!(instance.map(".bss").unwrap().variable("malformed").unwrap().to_string(), (4 * RUNS).to_string());
}

#[test]
fn a_fork_has_a_world_of_its_own() {
    let object = Object::parse(include_bytes!("../../conformance/programs/exec.bpf.o")).unwrap();
    let mut first = Instance::builder(Target::new(Release::new(6, 18), Arch::X86_64)).object(&object).unwrap().build().unwrap();
    first.world_mut().task.tgid = 7;
    first.world_mut().output.printk.push("before".into());
    let mut second = first.fork();
    assert_eq!((second.world().task.tgid, second.world().output.printk.len()), (7, 0));
    second.world_mut().task.tgid = 8;
    assert_eq!(first.world().task.tgid, 7);
    second.map("events").unwrap();
}
