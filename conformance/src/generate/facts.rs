//! What a packet is about: what maps are likely to be asked for.

use super::random::Random;

/// Addresses, ports and numbers that packets are made of. Few, so that map entries made for one packet are found by others.
const V4: [[u8; 4]; 9] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 1, 2, 3],
    [192, 168, 1, 1],
    [172, 16, 0, 9],
    [8, 8, 8, 8],
    [127, 0, 0, 1],
    [224, 0, 0, 251],
    [255, 255, 255, 255],
];
const V6: [[u8; 16]; 7] = [
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xfc, 0, 0xff, 0xfe, 0, 0, 1],
    [0xf0, 0x0d, 0, 0, 0, 0, 0, 0, 0xa, 0, 2, 0xf, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1],
];
const PORTS: [u16; 14] = [22, 53, 67, 80, 123, 443, 4789, 6081, 7999, 8080, 8472, 11211, 30000, 65535];
const MACS: [[u8; 6]; 5] = [
    [0, 0, 0, 0, 0, 0],
    [2, 0, 0, 0, 0, 1],
    [0x52, 0x54, 0, 0x12, 0x34, 0x56],
    [1, 0, 0x5e, 0, 0, 0xfb],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/// What went into a packet, outermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) macs: Vec<[u8; 6]>,
    pub(crate) v4: Vec<[u8; 4]>,
    pub(crate) v6: Vec<[u8; 16]>,
    pub(crate) ports: Vec<u16>,
    /// IP protocols.
    pub(crate) protocols: Vec<u8>,
    pub(crate) ethertypes: Vec<u16>,
    pub(crate) len: usize,
}

impl Facts {
    pub(crate) fn mac(&mut self, random: &mut Random) -> [u8; 6] {
        let mac = if random.chance(10) {
            random.number().to_le_bytes().first_chunk().copied().unwrap_or_default()
        } else {
            random.pick(&MACS)
        };
        self.macs.push(mac);
        mac
    }

    pub(crate) fn v4(&mut self, random: &mut Random) -> [u8; 4] {
        let address = if random.chance(8) { (random.number() as u32).to_le_bytes() } else { random.pick(&V4) };
        self.v4.push(address);
        address
    }

    pub(crate) fn v6(&mut self, random: &mut Random) -> [u8; 16] {
        let any = u128::from(random.number()) << 64 | u128::from(random.number());
        let address = if random.chance(8) { any.to_be_bytes() } else { random.pick(&V6) };
        self.v6.push(address);
        address
    }

    pub(crate) fn port(&mut self, random: &mut Random) -> u16 {
        let port = if random.chance(25) { random.number() as u16 } else { random.pick(&PORTS) };
        self.ports.push(port);
        port
    }

    /// Bytes of this length that a program may look for.
    pub(crate) fn bytes(&self, len: usize, random: &mut Random) -> Vec<u8> {
        let small = |random: &mut Random| random.interesting().to_le_bytes();
        match len {
            1 if !self.protocols.is_empty() && random.chance(50) => vec![random.pick(&self.protocols)],
            2 if !self.ports.is_empty() && random.chance(60) => {
                let port = random.pick(&self.ports);
                if random.chance(60) { port.to_be_bytes().to_vec() } else { port.to_le_bytes().to_vec() }
            }
            2 if !self.ethertypes.is_empty() && random.chance(40) => random.pick(&self.ethertypes).to_be_bytes().to_vec(),
            4 => self.four(random).to_vec(),
            6 if !self.macs.is_empty() && random.chance(70) => random.pick(&self.macs).to_vec(),
            8 => match random.below(3) {
                0 if !self.macs.is_empty() => [&random.pick(&self.macs)[..], &[0; 2]].concat(),
                1 => [self.four(random), self.four(random)].concat(),
                _ => small(random).to_vec(),
            },
            16 if !self.v6.is_empty() && random.chance(70) => random.pick(&self.v6).to_vec(),
            // IPv4 addresses in a union with IPv6 addresses.
            16 if !self.v4.is_empty() && random.chance(60) => [&random.pick(&self.v4)[..], &[0; 12]].concat(),
            len if random.chance(30) => vec![0; len],
            len => small(random).into_iter().chain(std::iter::repeat(0)).take(len).collect(),
        }
    }

    fn four(&self, random: &mut Random) -> [u8; 4] {
        match random.below(8) {
            0..3 if !self.v4.is_empty() => random.pick(&self.v4),
            3 if !self.ports.is_empty() => u32::from(random.pick(&self.ports)).to_le_bytes(),
            4 if !self.protocols.is_empty() => u32::from(random.pick(&self.protocols)).to_le_bytes(),
            5 => (self.len as u32).to_le_bytes(),
            _ => (random.interesting() as u32).to_le_bytes(),
        }
    }
}
