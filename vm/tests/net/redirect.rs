//! Packets that go elsewhere.

use skep::world::{Device, Effect, Link, Redirect};
use skep::{MapDef, MapType, ProgType};

use crate::namespace;
use crate::script::{Arg, Script, kernel, tcp4};
use Arg::{Ctx, Map, Mem, Num};

const CLONE: u32 = 13;
const REDIRECT: u32 = 23;
const REDIRECT_MAP: u32 = 51;
const NEIGH: u32 = 152;
const PEER: u32 = 155;

const FLAGS: [u64; 9] = [0, 1, 2, 4, 8, 1 << 15, 1 << 31, 1 << 32, u64::MAX];

#[test]
fn to_devices() {
    if !kernel() {
        return;
    }
    for prog_type in [ProgType::SchedCls, ProgType::SchedAct, ProgType::LwtXmit, ProgType::Xdp] {
        for flags in FLAGS {
            for ifindex in [0, 1, 77, u64::MAX] {
                Script::new(prog_type, &tcp4(6)).call(REDIRECT, &[Num(ifindex), Num(flags)]).compare().unwrap();
            }
        }
    }
    let told = Script::new(ProgType::SchedCls, &tcp4(6)).call(REDIRECT, &[Num(5), Num(1)]);
    let outcome = told.instance().program("test").unwrap().run(&skep::Input::packet(&tcp4(6))).unwrap();
    assert_eq!(outcome.redirect, Some(Redirect::Device { ifindex: 5, ingress: true }));
}

#[test]
fn to_neighbours_and_peers() {
    if !kernel() {
        return;
    }
    let tc = || Script::new(ProgType::SchedCls, &tcp4(6)).put(0, &[2, 0, 0, 0, 10, 0, 0, 9]);
    for flags in FLAGS {
        tc().call(PEER, &[Num(3), Num(flags)]).call(NEIGH, &[Num(3), Num(0), Num(0), Num(flags)]).compare().unwrap();
        for len in [1, 4, 19, 20, 21, 64] {
            tc().call(NEIGH, &[Num(3), Mem(0), Num(len), Num(flags)]).compare().unwrap();
        }
    }
    let outcome = tc().call(NEIGH, &[Num(3), Mem(0), Num(20), Num(0)]);
    let outcome = outcome.instance().program("test").unwrap().run(&skep::Input::packet(&tcp4(6))).unwrap();
    assert_eq!(outcome.redirect, Some(Redirect::Neighbour { ifindex: 3, via: Some([10, 0, 0, 9].into()) }));
}

fn map(name: &str, map_type: MapType, value: u32) -> MapDef {
    MapDef { key_size: 4, value_size: value, max_entries: 4, ..MapDef::new(name, map_type) }
}

#[test]
fn to_what_maps_name() {
    if !kernel() {
        return;
    }
    let kinds = [
        (map("devices", MapType::Devmap, 4), vec![1, 0, 0, 0]),
        (map("hashed", MapType::DevmapHash, 8), vec![1, 0, 0, 0, 0, 0, 0, 0]),
        (map("cpus", MapType::Cpumap, 4), vec![64, 0, 0, 0]),
        (map("sockets", MapType::Xskmap, 4), vec![]),
    ];
    for (def, value) in kinds {
        for key in [0, 1, 3, 4, 5, u64::MAX, 1 << 32] {
            for flags in [0, 1, 2, 3, 4, 8, 9, 16, 24, 27, 32, 1 << 32, u64::MAX] {
                let mut script = Script::new(ProgType::Xdp, &tcp4(6)).map(def.clone());
                if !value.is_empty() {
                    script.fill.push((0, vec![0, 0, 0, 0], value.clone()));
                }
                script.call(REDIRECT_MAP, &[Map(0), Num(key), Num(flags)]).compare().unwrap();
            }
        }
    }
}

#[test]
fn copies_to_devices() {
    if !namespace::inside("redirect::copies_to_devices") {
        return;
    }
    namespace::ip(
        "link add v0 index 10 type veth peer name v1 index 11
         link add down0 index 12 type veth peer name down1 index 13
         tuntap add mode tun name bare
         link set lo up
         link set v0 up
         link set v1 up",
    );
    namespace::wait_for("v0");
    namespace::wait_for("v1");
    let mut world = Script::new(ProgType::SchedCls, &tcp4(6)).world;
    world.net.devices.extend([Device::new(10, "v0"), Device::new(11, "v1")]);
    world
        .net
        .devices
        .extend([Device { up: false, ..Device::new(12, "down0") }, Device { up: false, ..Device::new(13, "down1") }]);
    let bare = namespace::index_of("bare");
    world.net.devices.push(Device { up: false, link: Link::Bare, ..Device::new(bare, "bare") });
    let indices: Vec<u64> = world.net.devices.iter().map(|device| device.index.into()).chain([0, 99]).collect();
    for prog_type in [ProgType::SchedCls, ProgType::LwtXmit] {
        for ifindex in &indices {
            for flags in FLAGS {
                for gso in [false, true] {
                    let mut script = Script { world: world.clone(), ..Script::new(prog_type, &tcp4(6)) };
                    if gso {
                        script = script.context(176, &9_u32.to_le_bytes());
                    }
                    // Behind the second head there is no network header any more.
                    let script = script.call(CLONE, &[Ctx, Num(*ifindex), Num(flags)]).snapshot();
                    script.call(CLONE, &[Ctx, Num(*ifindex), Num(flags)]).snapshot().compare().unwrap();
                }
            }
        }
    }
    let script = Script { world, ..Script::new(ProgType::SchedCls, &tcp4(6)) }.call(CLONE, &[Ctx, Num(10), Num(0)]);
    let outcome = script.instance().program("test").unwrap().run(&skep::Input::packet(&tcp4(6))).unwrap();
    assert_eq!(outcome.effects, [Effect::Clone { ifindex: 10, ingress: false, data: tcp4(6) }]);
}
