//! Maps that hold kernel objects, or values of them: the same operations on real sockets, tasks and cgroups, and on numbers that stand
//! for them here.

mod common;

use std::collections::HashMap;
use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use common::def;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rustix::net::sockopt::{set_socket_reuseport, socket_cookie};
use skep_btf::{BtfBuilder, IntEncoding, MemberDef};
use skep_isa::RawInsn;
use skep_kernel::{Btf, Kernel, Load, MapSpec, Prog, possible_cpus};
use skep_linux::{Errno, MapType, ProgType};
use skep_maps::flags::*;
use skep_maps::{CreateOptions, Map, create};
use skep_program::{MapDef, SpecialField, SpecialKind};

fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Lookup(Vec<u8>, u64),
    Update(Vec<u8>, Vec<u8>, u64),
    Delete(Vec<u8>),
    Take(Vec<u8>, u64),
    NextKey(Option<Vec<u8>>),
}

/// What an operation gave: bytes, where it gives any.
type Answer = Result<Vec<u8>, Errno>;

fn on_kernel(map: &skep_kernel::Map, op: &Op) -> Answer {
    let nothing = |done: Result<(), Errno>| done.map(|()| Vec::new());
    match op {
        Op::Lookup(key, flags) => map.lookup(key, *flags),
        Op::Update(key, value, flags) => nothing(map.update(key, value, *flags)),
        Op::Delete(key) => nothing(map.delete(key)),
        Op::Take(key, flags) => map.lookup_and_delete(key, *flags),
        Op::NextKey(key) => map.next_key(key.as_deref()),
    }
}

fn on_ours(map: &dyn Map, op: &Op) -> Answer {
    let nothing = |done: Result<(), Errno>| done.map(|()| Vec::new());
    match op {
        Op::Lookup(key, flags) => map.user_lookup(key, *flags),
        Op::Update(key, value, flags) => nothing(map.user_update(key, value, *flags)),
        Op::Delete(key) => nothing(map.user_delete(key)),
        Op::Take(key, flags) => map.user_lookup_and_delete(key, *flags),
        Op::NextKey(key) => map.next_key(key.as_deref()),
    }
}

fn flags() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(BPF_ANY), 3 => Just(BPF_NOEXIST), 3 => Just(BPF_EXIST), 2 => Just(BPF_F_LOCK), 1 => 3u64..9]
}

fn ops(keys: Vec<Vec<u8>>, values: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<Op>> {
    let key = prop::sample::select(keys);
    let value = prop::sample::select(values);
    let read = prop_oneof![6 => Just(0u64), 2 => Just(BPF_F_LOCK), 1 => Just(8u64)];
    let op = prop_oneof![
        4 => (key.clone(), read.clone()).prop_map(|(key, flags)| Op::Lookup(key, flags)),
        6 => (key.clone(), value, flags()).prop_map(|(key, value, flags)| Op::Update(key, value, flags)),
        3 => key.clone().prop_map(Op::Delete),
        1 => (key.clone(), read).prop_map(|(key, flags)| Op::Take(key, flags)),
        1 => prop::option::of(key).prop_map(Op::NextKey),
    ];
    prop::collection::vec(op, 1..60)
}

/// Runs random sequences; `same` says what bytes of the kernel's are here.
fn compare(
    make: impl Fn() -> (skep_kernel::Map, Arc<dyn Map>),
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
    same: impl Fn(Vec<u8>) -> Vec<u8>,
) {
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let result = runner.run(&ops(keys, values), |ops| {
        let (kernel, map) = make();
        for (i, op) in ops.iter().enumerate() {
            let (theirs, ours) = (on_kernel(&kernel, op), on_ours(map.as_ref(), op));
            let theirs = match op {
                Op::Lookup(..) | Op::Take(..) => theirs.map(&same),
                Op::Update(..) | Op::Delete(_) | Op::NextKey(_) => theirs,
            };
            prop_assert_eq!(theirs, ours, "kernel left, ours right, at operation {}: {:?}", i, op);
        }
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn spec(def: &MapDef) -> MapSpec<'_> {
    MapSpec::new(def.map_type, def.key_size, def.value_size, def.max_entries).flags(def.flags)
}

fn both(def: &MapDef) -> (skep_kernel::Map, Arc<dyn Map>) {
    let ours = create(&Arc::new(def.clone()), &CreateOptions::new(possible_cpus() as u32)).unwrap();
    (spec(def).create().unwrap(), ours)
}

fn key(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(key).collect()
}

/// Descriptors as values.
fn descriptors<T: AsFd>(objects: &[T], size: u32) -> Vec<Vec<u8>> {
    let bytes = |object: &T| (object.as_fd().as_raw_fd() as u64).to_le_bytes()[..size as usize].to_vec();
    objects.iter().map(bytes).collect()
}

/// The kernel answers cookies of sockets; here a socket is its descriptor.
fn by_cookie<T: AsFd>(sockets: &[T]) -> impl Fn(Vec<u8>) -> Vec<u8> {
    let cookie = |socket: &T| (socket_cookie(socket).unwrap(), socket.as_fd().as_raw_fd() as u64);
    let known: HashMap<u64, u64> = sockets.iter().map(cookie).collect();
    move |bytes| match <[u8; 8]>::try_from(bytes.as_slice()) {
        Ok(cookie) => known[&u64::from_le_bytes(cookie)].to_le_bytes().to_vec(),
        Err(_) => bytes,
    }
}

/// Connected sockets, both ends of each connection.
fn connections(count: usize) -> Vec<OwnedFd> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sockets = Vec::new();
    for _ in 0..count {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        sockets.extend([OwnedFd::from(near), OwnedFd::from(far)]);
    }
    sockets
}

#[test]
fn sockmaps_hold_sockets() {
    if !kernel() {
        return;
    }
    let sockets = connections(2);
    for value_size in [4, 8] {
        let shape = def(MapType::Sockmap, 4, value_size, 3, 0);
        compare(|| both(&shape), numbers(0..5), descriptors(&sockets, value_size), by_cookie(&sockets));
        let shape = def(MapType::Sockhash, 4, value_size, 3, 0);
        compare(|| both(&shape), numbers(0..6), descriptors(&sockets, value_size), by_cookie(&sockets));
    }
}

#[test]
fn a_group_of_sockets_holds_each_once() {
    if !kernel() {
        return;
    }
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    drop(first);
    let member = || {
        let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None).unwrap();
        set_socket_reuseport(&socket, true).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        socket
    };
    let sockets: Vec<OwnedFd> = (0..3).map(|_| member()).collect();
    for value_size in [4, 8] {
        let shape = def(MapType::ReuseportSockarray, 4, value_size, 3, 0);
        let values = descriptors(&sockets, value_size);
        let make = || {
            let (kernel, ours) = both(&shape);
            // A socket is in one array at a time, and the last one lets it go after a grace period.
            for value in &values {
                while kernel.update(&key(0), value, 0) == Err(Errno::EBUSY) {
                    std::thread::yield_now();
                }
                kernel.delete(&key(0)).unwrap();
            }
            (kernel, ours)
        };
        compare(make, numbers(0..5), values.clone(), by_cookie(&sockets));
    }
}

#[test]
fn cgroups_lie_in_arrays() {
    if !kernel() {
        return;
    }
    let Some(groups) = cgroups() else { return };
    let shape = def(MapType::CgroupArray, 4, 4, 3, 0);
    compare(|| both(&shape), numbers(0..5), descriptors(&groups, 4), |bytes| bytes);
}

#[test]
fn programs_lie_in_arrays() {
    if !kernel() {
        return;
    }
    let exit = [RawInsn::new(0xb7, 0, 0, 0, 2), RawInsn::new(0x95, 0, 0, 0, 0)];
    let programs: Vec<Prog> = (0..2).map(|_| Load::raw(ProgType::Xdp, &exit).load().unwrap()).collect();
    let number = |program: &Prog| (program.info().unwrap().id, program.as_fd().as_raw_fd() as u32);
    let known: HashMap<u32, u32> = programs.iter().map(number).collect();
    // The kernel answers ids of programs; here a program is its descriptor.
    let by_id = |bytes: Vec<u8>| known[&u32::from_le_bytes(bytes.try_into().unwrap())].to_le_bytes().to_vec();
    let shape = def(MapType::ProgArray, 4, 4, 3, 0);
    compare(|| both(&shape), numbers(0..5), descriptors(&programs, 4), by_id);
}

/// Cgroups of the unified hierarchy: its root and what lies below it.
fn cgroups() -> Option<Vec<File>> {
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .find(|path| std::path::Path::new(path).join("cgroup.controllers").exists());
    let Some(root) = root else {
        println!("skipped: needs a mounted cgroup2");
        return None;
    };
    Some(vec![File::open(root).unwrap()])
}

/// `struct value { struct bpf_spin_lock lock; int number; }`, or without the lock; the key is an integer.
fn typed(map_type: MapType, lock: bool) -> MapDef {
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, IntEncoding::Signed);
    let spin = types.structure("bpf_spin_lock", 4, vec![MemberDef::new("val", int, 0)]);
    let first = if lock { MemberDef::new("lock", spin, 0) } else { MemberDef::new("word", int, 0) };
    let value = types.structure("value", 8, vec![first, MemberDef::new("number", int, 4)]);
    let mut shape = def(map_type, 4, 8, 0, BPF_F_NO_PREALLOC);
    (shape.key_type_id, shape.value_type_id) = (int.0, value.0);
    shape.btf = Some(Arc::new(types.build().unwrap()));
    if lock {
        shape.special = vec![SpecialField::plain(SpecialKind::SpinLock, 0)];
    }
    shape
}

fn both_typed(def: &MapDef) -> (skep_kernel::Map, Arc<dyn Map>) {
    let btf = Btf::of_object(def.btf.as_deref().unwrap()).unwrap();
    let spec = MapSpec { btf: Some((&btf, def.key_type_id, def.value_type_id)), ..spec(def) };
    let ours = create(&Arc::new(def.clone()), &CreateOptions::new(possible_cpus() as u32)).unwrap();
    (spec.create().unwrap(), ours)
}

/// Values whose lock is no part of them.
fn values() -> Vec<Vec<u8>> {
    [1u32, 2, 3].iter().map(|number| [[0xa5; 4], number.to_le_bytes()].concat()).collect()
}

#[test]
fn values_of_sockets_tasks_and_cgroups() {
    if !kernel() {
        return;
    }
    let sockets = connections(1);
    let tasks = [rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).unwrap()];
    for lock in [false, true] {
        let shape = typed(MapType::SkStorage, lock);
        compare(|| both_typed(&shape), descriptors(&sockets, 4), values(), |bytes| bytes);
        let shape = typed(MapType::TaskStorage, lock);
        compare(|| both_typed(&shape), descriptors(&tasks, 4), values(), |bytes| bytes);
        if let Some(groups) = cgroups() {
            let shape = typed(MapType::CgrpStorage, lock);
            compare(|| both_typed(&shape), descriptors(&groups, 4), values(), |bytes| bytes);
        }
    }
}

#[test]
fn locked_values_are_copied_without_their_lock() {
    if !kernel() {
        return;
    }
    let seeded = BPF_F_ZERO_SEED;
    for (map_type, flags) in [(MapType::Array, 0), (MapType::Hash, seeded), (MapType::Hash, seeded | BPF_F_NO_PREALLOC)] {
        for lock in [false, true] {
            let mut shape = typed(map_type, lock);
            (shape.max_entries, shape.flags) = (4, flags);
            compare(|| both_typed(&shape), numbers(0..6), values(), |bytes| bytes);
        }
    }
}
