//! The host's kernel, asked through this crate.

use std::os::fd::AsFd;
use std::sync::Arc;

use skep_isa::RawInsn;
use skep_kernel::{Btf, Kernel, Load, LoadError, Loaded, LogLevel, Map, MapSpec, PerfReader, PerfSample, RingReader, TestRun};
use skep_linux::{Errno, MapType, ProgType};
use skep_program::{MapDef, Program};

/// Whether the kernel is there to be asked; says so if not.
fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

const fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> RawInsn {
    RawInsn::new(code, dst, src, off, imm)
}

const EXIT: RawInsn = insn(0x95, 0, 0, 0, 0);

fn array_def(name: &str, map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapDef {
    MapDef { key_size, value_size, max_entries, ..MapDef::new(name, map_type) }
}

fn program(prog_type: ProgType, insns: Vec<RawInsn>, maps: Vec<MapDef>) -> Program {
    Program {
        name: "test".into(),
        section: String::new(),
        prog_type,
        attach_type: None,
        attach_to: None,
        attach_btf_id: None,
        flags: 0,
        license: "GPL".into(),
        kern_version: 0,
        insns,
        maps: maps.into_iter().map(Arc::new).collect(),
        btf: None,
        funcs: Vec::new(),
        lines: Vec::new(),
        kfuncs: Vec::new(),
        ksyms: Vec::new(),
    }
}

#[test]
fn hash_map_answers_like_user_space_sees_it() {
    if !kernel() {
        return;
    }
    let map = MapSpec::new(MapType::Hash, 4, 8, 2).create().unwrap();
    let (k1, k2, k3) = (1u32.to_ne_bytes(), 2u32.to_ne_bytes(), 3u32.to_ne_bytes());
    assert_eq!(map.lookup(&k1, 0), Err(Errno::ENOENT));
    assert_eq!(map.update(&k1, &7u64.to_ne_bytes(), 2), Err(Errno::ENOENT)); // BPF_EXIST
    map.update(&k1, &7u64.to_ne_bytes(), 0).unwrap();
    assert_eq!(map.update(&k1, &8u64.to_ne_bytes(), 1), Err(Errno::EEXIST)); // BPF_NOEXIST
    map.update(&k2, &9u64.to_ne_bytes(), 0).unwrap();
    assert_eq!(map.update(&k3, &9u64.to_ne_bytes(), 0), Err(Errno::E2BIG));
    assert_eq!(map.update(&k1, &[0; 4], 0), Err(Errno::EINVAL), "a value of the wrong length must not reach the kernel");
    assert_eq!(map.lookup(&[0; 3], 0), Err(Errno::EINVAL));
    assert_eq!(map.lookup(&k1, 0).unwrap(), 7u64.to_ne_bytes());
    let mut keys = map.keys().unwrap();
    keys.sort();
    assert_eq!(keys, [k1.to_vec(), k2.to_vec()]);
    assert_eq!(map.lookup_and_delete(&k1, 0).unwrap(), 7u64.to_ne_bytes());
    assert_eq!(map.delete(&k1), Err(Errno::ENOENT));
    assert_eq!(map.shape().unwrap(), (2, 0));
}

#[test]
fn batches_walk_a_whole_map() {
    if !kernel() {
        return;
    }
    for (map_type, value) in [(MapType::Hash, 8), (MapType::PercpuHash, 8), (MapType::LpmTrie, 8)] {
        let lpm = map_type == MapType::LpmTrie;
        let spec = MapSpec::new(map_type, if lpm { 8 } else { 4 }, value, 64).flags(if lpm { 1 } else { 0 });
        let map = spec.create().unwrap();
        let key = |i: u32| if lpm { [32u32.to_ne_bytes(), i.to_ne_bytes()].concat() } else { i.to_ne_bytes().to_vec() };
        let entries: Vec<_> = (0..50).map(|i| (key(i), vec![i as u8; map.value_len()])).collect();
        let refs: Vec<(&[u8], &[u8])> = entries.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        assert_eq!(map.update_batch(&refs, 0), (50, None), "{map_type:?}");
        let (mut seen, mut from): (Vec<_>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let page = map.lookup_batch(from.as_deref(), 20, 0, false).unwrap();
            seen.extend(page.entries);
            from = Some(page.next);
            if page.end.is_some() {
                break;
            }
        }
        seen.sort();
        let mut want = entries.clone();
        want.sort();
        assert_eq!(seen, want, "{map_type:?}");
        let keys: Vec<&[u8]> = entries[..10].iter().map(|(k, _)| &k[..]).collect();
        assert_eq!(map.delete_batch(&keys, 0), (10, None), "{map_type:?}");
        assert_eq!(map.keys().unwrap().len(), 40);
    }
}

#[test]
fn per_cpu_values_have_a_piece_for_every_cpu() {
    if !kernel() {
        return;
    }
    let map = MapSpec::new(MapType::PercpuArray, 4, 4, 1).create().unwrap();
    assert_eq!(map.value_len(), 8 * skep_kernel::possible_cpus());
    let mut value = vec![0; map.value_len()];
    for (cpu, piece) in value.chunks_mut(8).enumerate() {
        piece[0] = cpu as u8 + 1;
    }
    map.update(&[0; 4], &value, 0).unwrap();
    assert_eq!(map.lookup(&[0; 4], 0).unwrap(), value);
}

#[test]
fn maps_of_maps_take_descriptors_and_answer_ids() {
    if !kernel() {
        return;
    }
    let inner = MapSpec::new(MapType::Array, 4, 4, 1).create().unwrap();
    let outer = MapSpec { inner: Some(&inner), ..MapSpec::new(MapType::HashOfMaps, 4, 4, 4) }.create().unwrap();
    outer.set_fd(&5u32.to_ne_bytes(), inner.as_fd(), 0).unwrap();
    assert_eq!(outer.lookup(&5u32.to_ne_bytes(), 0).unwrap(), inner.id().unwrap().to_ne_bytes());
}

#[test]
fn definitions_bring_their_bytes_and_freeze() {
    if !kernel() {
        return;
    }
    let mut def = array_def(".rodata", MapType::Array, 4, 6, 1);
    (def.initial, def.frozen, def.flags) = (Some(vec![1, 2, 3, 4, 5, 6]), true, 0x80); // BPF_F_RDONLY_PROG
    let map = Map::from_def(&def, None).unwrap();
    assert_eq!(map.lookup(&[0; 4], 0).unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(map.update(&[0; 4], &[0; 6], 0), Err(Errno::EPERM));
}

#[test]
fn programs_find_their_maps_by_index() {
    if !kernel() {
        return;
    }
    // r1 = &values[0] + 4; w0 = *(u32 *)(r1); *(u32 *)(r1) += 1; exit
    let insns = vec![
        insn(0x18, 1, 6, 0, 1),
        insn(0, 0, 0, 0, 4),
        insn(0x61, 0, 1, 0, 0),
        insn(0xb7, 2, 0, 0, 1),
        insn(0xc3, 1, 2, 0, 0),
        EXIT,
    ];
    let maps = vec![array_def("other", MapType::Hash, 4, 4, 1), array_def("values", MapType::Array, 4, 8, 1)];
    let loaded = Loaded::create(&program(ProgType::SocketFilter, insns, maps), LogLevel::Path).unwrap();
    assert!(loaded.processed().is_some_and(|n| n > 0), "{}", loaded.log);
    let run = TestRun { data: vec![0; 64], ..TestRun::default() };
    for n in 0..3 {
        assert_eq!(loaded.prog.test_run(&run).unwrap().retval, n);
    }
    assert_eq!(loaded.maps[1].lookup(&[0; 4], 0).unwrap(), [0, 0, 0, 0, 3, 0, 0, 0]);
    let info = loaded.prog.info().unwrap();
    assert_eq!(info.prog_type, Some(ProgType::SocketFilter));
    assert_eq!(info.name, "test");
    assert_eq!(u64::from(info.verified_insns), loaded.processed().unwrap());
    assert!(info.xlated.len() >= 5, "{:?}", info.xlated);
}

#[test]
fn refused_programs_bring_the_log() {
    if !kernel() {
        return;
    }
    // r0 is not set
    let e = Load::raw(ProgType::SocketFilter, &[EXIT]).load().unwrap_err();
    assert!(e.by_verifier(), "{e}");
    assert_eq!(e.processed(), Some(1));
    assert!(matches!(&e, LoadError::Refused { errno: Errno::EACCES, log } if log.contains("R0 !read_ok")), "{e}");
    let e = Load::raw(ProgType::SocketFilter, &[insn(0x18, 1, 5, 0, 3), insn(0, 0, 0, 0, 0), EXIT]).load().unwrap_err();
    assert_eq!(e, LoadError::MapIndex { slot: 0, index: 3, count: 0 });
}

#[test]
fn test_runs_hand_packets_and_contexts_out() {
    if !kernel() {
        return;
    }
    // *(u8 *)(data) = 0xaa with the bounds check; return XDP_TX
    let insns = [
        insn(0x61, 2, 1, 0, 0),
        insn(0x61, 3, 1, 4, 0),
        insn(0xbf, 4, 2, 0, 0),
        insn(0x07, 4, 0, 0, 1),
        insn(0x2d, 4, 3, 1, 0),
        insn(0x72, 2, 0, 0, 0xaa),
        insn(0xb7, 0, 0, 0, 3),
        EXIT,
    ];
    let prog = Load::raw(ProgType::Xdp, &insns).load().unwrap();
    let ran = prog.test_run(&TestRun { data: vec![1; 60], data_out: 256, ..TestRun::default() }).unwrap();
    assert_eq!((ran.retval, ran.data_len, ran.data[0], ran.data[1]), (3, 60, 0xaa, 1));
    // skb->cb[0] = skb->mark; return 0
    let insns = [insn(0x61, 2, 1, 8, 0), insn(0x63, 1, 2, 48, 0), insn(0xb7, 0, 0, 0, 0), EXIT];
    let prog = Load::raw(ProgType::SchedCls, &insns).load().unwrap();
    let mut ctx = vec![0; 192];
    ctx[8] = 77;
    let ran = prog.test_run(&TestRun { data: vec![0; 60], data_out: 256, ctx, ctx_out: 192, ..TestRun::default() }).unwrap();
    assert_eq!((ran.ctx.len(), ran.ctx[48]), (192, 77));
    // Syscall programs: the context comes back in place.
    let insns = [insn(0x62, 1, 0, 4, 5), insn(0xb7, 0, 0, 0, 0), EXIT];
    let prog = Load { flags: 1 << 4, ..Load::raw(ProgType::Syscall, &insns) }.load().unwrap();
    let ran = prog.test_run(&TestRun { ctx: vec![0; 8], ..TestRun::default() }).unwrap();
    assert_eq!(ran.ctx, [0, 0, 0, 0, 5, 0, 0, 0]);
}

#[test]
fn ring_buffer_records_arrive_in_order() {
    if !kernel() {
        return;
    }
    // *(u64 *)(r10 - 8) = skb->len; bpf_ringbuf_output(ring, r10 - 8, 5, 0); return 0
    let insns = vec![
        insn(0x61, 2, 1, 0, 0),
        insn(0x7b, 10, 2, -8, 0),
        insn(0x18, 1, 5, 0, 0),
        insn(0, 0, 0, 0, 0),
        insn(0xbf, 2, 10, 0, 0),
        insn(0x07, 2, 0, 0, -8),
        insn(0xb7, 3, 0, 0, 5),
        insn(0xb7, 4, 0, 0, 0),
        insn(0x85, 0, 0, 0, 130),
        insn(0xb7, 0, 0, 0, 0),
        EXIT,
    ];
    let maps = vec![array_def("ring", MapType::Ringbuf, 0, 0, 4096)];
    let loaded = Loaded::create(&program(ProgType::SocketFilter, insns, maps), LogLevel::OnFailure).unwrap();
    let mut ring = RingReader::new(&loaded.maps[0]).unwrap();
    let run = |n: usize| loaded.prog.test_run(&TestRun { data: vec![0; n], ..TestRun::default() }).unwrap();
    // More than fits at once, so that the ring wraps.
    for round in 0..40 {
        for n in 0..10 {
            run(60 + n);
        }
        let want: Vec<Vec<u8>> = (0..10).map(|n| vec![60 - 14 + n, 0, 0, 0, 0]).collect();
        assert_eq!(ring.drain(), want, "round {round}");
    }
    assert!(RingReader::new(&MapSpec::new(MapType::Array, 4, 4, 1).create().unwrap()).is_err());
}

#[test]
fn perf_samples_arrive() {
    if !kernel() {
        return;
    }
    // *(u64 *)(r10 - 8) = skb->len; bpf_perf_event_output(skb, events, BPF_F_CURRENT_CPU, r10 - 8, 8)
    let insns = vec![
        insn(0x61, 2, 1, 0, 0),
        insn(0x7b, 10, 2, -8, 0),
        insn(0x18, 2, 5, 0, 0),
        insn(0, 0, 0, 0, 0),
        insn(0xb4, 3, 0, 0, -1),
        insn(0xbf, 4, 10, 0, 0),
        insn(0x07, 4, 0, 0, -8),
        insn(0xb7, 5, 0, 0, 8),
        insn(0x85, 0, 0, 0, 25),
        EXIT,
    ];
    let cpus = skep_kernel::possible_cpus() as u32;
    let maps = vec![array_def("events", MapType::PerfEventArray, 4, 4, cpus)];
    let loaded = Loaded::create(&program(ProgType::SchedCls, insns, maps), LogLevel::OnFailure).unwrap();
    let mut events = PerfReader::new(&loaded.maps[0]).unwrap();
    let ran = loaded.prog.test_run(&TestRun { data: vec![0; 99], ..TestRun::default() }).unwrap();
    assert_eq!(ran.retval, 0);
    let samples = events.drain();
    assert_eq!(samples.len(), 1, "{samples:?}");
    assert!(matches!(&samples[0], PerfSample::Raw { data, .. } if data[..8] == [99, 0, 0, 0, 0, 0, 0, 0]), "{samples:?}");
    assert!(events.drain().is_empty());
}

#[test]
fn arenas_are_shared_memory() {
    if !kernel() {
        return;
    }
    let map = match (MapSpec { flags: 1 << 10, ..MapSpec::new(MapType::Arena, 0, 0, 4) }).create() {
        Ok(map) => map,
        Err(e) => return println!("skipped: needs a kernel with arenas ({e})"),
    };
    let memory = map.mmap().unwrap();
    memory.write(4096, &[1, 2, 3]);
    assert_eq!(memory.read(4096, 4), [1, 2, 3, 0]);
    assert_eq!(memory.len(), 4 * 4096);
}

#[test]
fn btf_loads_or_says_why() {
    if !kernel() {
        return;
    }
    // magic, version, flags, header length, types at 0 of 16 bytes, strings at 16 of 5 bytes; INT "int", 4 bytes, signed
    let mut blob = vec![0x9f, 0xeb, 1, 0];
    for word in [24u32, 0, 16, 16, 5, 1, 1 << 24, 4, 0x0100_0020] {
        blob.extend(word.to_le_bytes());
    }
    blob.extend(b"\0int\0");
    let btf = Btf::load(&blob).unwrap();
    assert_eq!(btf.bytes().unwrap(), blob);
    let spec = MapSpec { btf: Some((&btf, 1, 1)), ..MapSpec::new(MapType::Hash, 4, 4, 1) };
    spec.create().unwrap();
    blob[24 + 4] = 99; // the name's offset
    blob[24 + 5] = 99;
    let e = Btf::load(&blob).unwrap_err();
    assert!(!e.log.is_empty() && e.errno == Errno::EINVAL, "{e}");
    let vmlinux = Btf::of_kernel("vmlinux").unwrap().bytes().unwrap();
    assert_eq!(vmlinux, std::fs::read("/sys/kernel/btf/vmlinux").unwrap());
    assert_eq!(Btf::of_kernel("no such module").unwrap_err(), Errno::ENOENT);
}
