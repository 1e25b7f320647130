//! Tunnel keys, and what IPsec undid.

use std::net::IpAddr;

use proptest::prelude::*;
use skep::world::{Tunnel, Xfrm};
use skep::{Input, ProgType};

use crate::script::{Arg, Script, cases, kernel, tcp4};
use Arg::{Ctx, Mem, Num};

const GET: u32 = 20;
const SET: u32 = 21;
const GET_OPT: u32 = 29;
const SET_OPT: u32 = 30;
const XFRM: u32 = 66;
const SIZES: [u64; 12] = [1, 4, 8, 20, 21, 22, 24, 28, 40, 44, 48, 100];

fn tc() -> Script {
    let key: Vec<u8> = (1..=44).map(|i| if matches!(i, 23 | 24) { 0 } else { i }).collect();
    Script::new(ProgType::SchedCls, &tcp4(6)).put(0, &key).put(512, &[0xaa; 256])
}

#[test]
fn without_a_tunnel() {
    if !kernel() {
        return;
    }
    for size in SIZES {
        for flags in [0, 1, 16, 2, 1 << 32] {
            let script = tc().call(GET, &[Ctx, Mem(512), Num(size), Num(flags)]).call(GET_OPT, &[Ctx, Mem(600), Num(size)]);
            let script = script.call(SET_OPT, &[Ctx, Mem(0), Num(size)]);
            script.call(XFRM, &[Ctx, Num(flags), Mem(700), Num(size), Num(flags)]).compare().unwrap();
        }
    }
}

#[test]
fn options_of_a_tunnel() {
    if !kernel() {
        return;
    }
    for size in [1, 3, 4, 8, 252, 255, 256, 300] {
        let script = tc().put(44, &[7; 260]).call(SET, &[Ctx, Mem(0), Num(44), Num(1)]);
        let script = script.call(GET_OPT, &[Ctx, Mem(512), Num(64)]).call(SET_OPT, &[Ctx, Mem(44), Num(size)]);
        let script = script.call(GET_OPT, &[Ctx, Mem(512), Num(300)]).call(GET_OPT, &[Ctx, Mem(812), Num(7)]);
        let script = script.call(GET, &[Ctx, Mem(900), Num(44), Num(17)]).call(SET, &[Ctx, Mem(0), Num(44), Num(1)]);
        script.call(GET_OPT, &[Ctx, Mem(512), Num(300)]).compare().unwrap();
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn what_is_set_is_read_back(
        key in any::<[[u8; 22]; 2]>(),
        plain in any::<bool>(),
        label in any::<bool>(),
        sizes in (prop::sample::select(SIZES.to_vec()), prop::sample::select(SIZES.to_vec())),
        flags in (prop_oneof![0..32_u64, 0..64_u64], prop_oneof![prop::sample::select(vec![0_u64, 1, 16, 17]), 0..64_u64]),
    ) {
        if kernel() {
            let mut key = key.concat();
            if plain {
                key[22..24].fill(0);
            }
            if !label {
                key[24..28].fill(0);
            }
            tc().put(0, &key)
                .call(SET, &[Ctx, Mem(0), Num(sizes.0), Num(flags.0)])
                .call(GET, &[Ctx, Mem(512), Num(sizes.1), Num(flags.1)])
                .call(GET, &[Ctx, Mem(600), Num(44), Num(16 | flags.0 & 1)])
                .compare()
                .unwrap();
        }
    }
}

#[test]
fn what_a_packet_brings() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let mut script = tc().call(GET, &[Ctx, Mem(512), Num(44), Num(0)]).call(XFRM, &[Ctx, Num(0), Mem(600), Num(28), Num(0)]);
    script = script.call(SET_OPT, &[Ctx, Mem(0), Num(4)]).call(GET_OPT, &[Ctx, Mem(700), Num(8)]);
    let options = Some(vec![1, 2, 3, 4]);
    script.world.event.skb.tunnel = Some(Tunnel { options, ..Tunnel::new(0x1234, ip("10.1.2.3"), ip("10.9.9.9")) });
    script.world.event.skb.xfrm.push(Xfrm { request: 5, spi: 0x0102_0304, remote: ip("10.7.7.7") });
    let left = script.in_skep().unwrap();
    assert_eq!(left.rets, [0, 0, -22_i64 as u64, 4]);
    assert_eq!(left.mem[512..520], [0x34, 0x12, 0, 0, 3, 2, 1, 10]);
    assert_eq!(left.mem[540..544], [9, 9, 9, 10]);
    assert_eq!(left.mem[600..616], [5, 0, 0, 0, 1, 2, 3, 4, 2, 0, 0, 0, 10, 7, 7, 7]);
    let script = tc().call(SET, &[Ctx, Mem(0), Num(8), Num(0)]);
    let outcome = script.instance().program("test").unwrap().run(&Input::packet(&tcp4(6))).unwrap();
    assert_eq!(outcome.skb.tunnel.unwrap().destination, ip("8.7.6.5"));
}
