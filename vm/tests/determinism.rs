//! The same world and the same input give the same outcome, down to the records and the trace lines.

use std::sync::Arc;

use skep::{Arch, Input, Instance, MapDef, MapType, Object, Outcome, ProgType, Program, Release, Target, asm};

fn target() -> Arc<Target> {
    Arc::new(Target::of(Release::new(6, 18), Arch::X86_64))
}

/// All that a run leaves: the outcome, the maps, the records of one of them, the trace lines.
type Left = (Outcome, Vec<Vec<(Vec<u8>, Vec<u8>)>>, Vec<Vec<u8>>, Vec<String>);

fn left(mut instance: Instance, program: &str, input: &Input, records: Option<&str>) -> Left {
    let outcome = instance.program(program).unwrap().run(input).unwrap();
    let walked = |map: &skep::MapRef| matches!(map.def().map_type, MapType::Array | MapType::Hash | MapType::PercpuArray);
    let maps = instance.maps().filter(walked).map(|map| map.entries().unwrap()).collect();
    let records = records.map(|map| instance.records(map).unwrap()).unwrap_or_default();
    (outcome, maps, records, instance.world().output.printk.clone())
}

#[test]
fn objects_run_alike() {
    let mut event = vec![0; 20];
    (event[8], event[10]) = (20, 8);
    event.extend(b"/bin/ls\0");
    let cases: [(&[u8], &str, Input, Option<&str>); 2] = [
        (include_bytes!("../../conformance/programs/exec.bpf.o"), "handle_exec", Input::context(&event), Some("events")),
        (include_bytes!("../../conformance/programs/firewall.bpf.o"), "firewall", Input::packet(&[0; 60]), None),
    ];
    for (object, program, input, records) in cases {
        let object = Object::parse(object).unwrap();
        let fresh = || Instance::builder(target()).object(&object).unwrap().build().unwrap();
        let first = left(fresh(), program, &input, records);
        assert_eq!(first, left(fresh(), program, &input, records), "{program}");
        assert!(!first.1.is_empty());
    }
}

/// Time, random numbers, task and CPU, in a map.
const ASKS: &str = "
    r6 = map[idx:0]+0
    call bpf_get_prandom_u32#7
    *(u64 *)(r6 +0) = r0
    call bpf_get_prandom_u32#7
    *(u64 *)(r6 +8) = r0
    call bpf_ktime_get_ns#5
    *(u64 *)(r6 +16) = r0
    call bpf_get_smp_processor_id#8
    *(u64 *)(r6 +24) = r0
    call bpf_get_current_pid_tgid#14
    *(u64 *)(r6 +32) = r0
    r0 = 0
    exit
";

fn asks() -> Instance {
    let map = MapDef { key_size: 4, value_size: 40, max_entries: 1, ..MapDef::new("seen", MapType::Array) };
    let insns = asm::kernel::assemble_with(ASKS, &skep_linux::HelperNames).unwrap();
    let program = Program { maps: vec![map.into()], ..Program::bare("asks", ProgType::RawTracepoint, insns) };
    Instance::builder(target()).program(program).build().unwrap()
}

#[test]
fn time_chance_and_task_are_the_worlds() {
    let seen = |instance: Instance| left(instance, "asks", &Input::none(), None).1;
    assert_eq!(seen(asks()), seen(asks()));
    let mut other = asks();
    other.world_mut().random = skep::Random::new(1);
    assert_ne!(seen(other), seen(asks()));

    let mut set = asks();
    let world = set.world_mut();
    (world.clock.monotonic, world.cpu, world.cpus) = (77, 3, 4);
    (world.task.tgid, world.task.pid) = (5, 6);
    let value = seen(set).remove(0).remove(0).1;
    let word = |n: usize| u64::from_le_bytes(value[8 * n..][..8].try_into().unwrap());
    assert_eq!([word(2), word(3), word(4)], [77, 3, 5 << 32 | 6]);
}
