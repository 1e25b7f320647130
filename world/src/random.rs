//! Random numbers that repeat.

/// A small generator (SplitMix64) with a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    /// The sequence that belongs to a seed.
    pub fn new(seed: u64) -> Random {
        Random { state: seed, seed }
    }

    /// What a kernel draws once, when it comes up: the key of flow hashes.
    pub fn boot_key(&self) -> u32 {
        (self.seed ^ self.seed >> 32) as u32
    }

    /// The next number.
    pub fn next_u32(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}
