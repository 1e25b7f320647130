//! Whole packets, good and bad.

use super::facts::Facts;
use super::net;
use super::random::Random;

/// A packet from its link-layer header on.
pub(super) fn packet(random: &mut Random, facts: &mut Facts) -> Vec<u8> {
    let mut bytes = match random.below(100) {
        0..4 => {
            let len = 14 + random.below(180);
            random.bytes(len)
        }
        4..7 => {
            // An ethertype that promises more than there is.
            let mut bytes = random.bytes(14);
            bytes[12..].copy_from_slice(&random.pick(&[[8, 0], [0x86, 0xdd], [0x81, 0]]));
            bytes.extend(random.some_bytes(90));
            bytes
        }
        _ => net::ethernet(random, facts, 0),
    };
    match random.below(100) {
        0..9 => bytes.truncate(14 + random.below(bytes.len().saturating_sub(14) + 1)),
        9 => bytes.truncate(random.below(15)),
        10..15 => {
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.number() as u8;
            }
        }
        15..22 => bytes.resize(bytes.len().max(64), 0),
        22..25 => {
            let end = 1600 - random.below(300);
            bytes.extend(random.bytes(end.saturating_sub(bytes.len())));
        }
        25 => {
            let end: usize = random.pick(&[3519, 3520, 3521, 4096, 9000]);
            bytes.extend(random.bytes(end.saturating_sub(bytes.len())));
        }
        _ => {}
    }
    facts.len = bytes.len();
    bytes
}
