//! Bounds of a number, as an unsigned and as a signed number.

use super::{Tnum, ones, signed};

/// Bounds of a number of `N` bits. Both pairs hold at once.
///
/// A range may contradict itself (least above most): of code that is never reached, that much is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range<const N: u32> {
    /// Least, as an unsigned number.
    pub umin: u64,
    /// Most, as an unsigned number.
    pub umax: u64,
    /// Least, as a signed number.
    pub smin: i64,
    /// Most, as a signed number.
    pub smax: i64,
}

impl<const N: u32> Range<N> {
    /// The largest unsigned number.
    pub const UMAX: u64 = ones(N);
    /// The smallest signed number.
    pub const SMIN: i64 = signed(1 << (N - 1), N);
    /// The largest signed number.
    pub const SMAX: i64 = signed(ones(N - 1), N);

    /// No bounds.
    pub const FULL: Range<N> = Range { umin: 0, umax: Self::UMAX, smin: Self::SMIN, smax: Self::SMAX };

    /// One number.
    pub const fn exact(value: u64) -> Range<N> {
        let (unsigned, value) = (value & ones(N), signed(value, N));
        Range { umin: unsigned, umax: unsigned, smin: value, smax: value }
    }

    /// What the bits say: of unsigned numbers, unknown bits are all 0 or all 1; of signed ones, the sign bit counts the other way.
    pub const fn of_bits(bits: Tnum<N>) -> Range<N> {
        let sign = 1 << (N - 1);
        let smin = signed(bits.value() | bits.mask() & sign, N);
        let smax = signed(bits.value() | bits.mask() & !sign, N);
        Range { umin: bits.value(), umax: bits.max(), smin, smax }
    }

    /// These unsigned bounds, and what they say of the signed ones: all, if no sign bit changes between them.
    pub const fn of_unsigned(umin: u64, umax: u64) -> Range<N> {
        let (smin, smax) = (signed(umin, N), signed(umax, N));
        let keeps_sign = smin <= smax;
        let (smin, smax) = if keeps_sign { (smin, smax) } else { (Self::SMIN, Self::SMAX) };
        Range { umin, umax, smin, smax }
    }

    /// These signed bounds and no unsigned ones.
    pub const fn of_signed(smin: i64, smax: i64) -> Range<N> {
        Range { smin, smax, ..Self::FULL }
    }

    /// Whether this number lies within.
    pub const fn contains(&self, number: u64) -> bool {
        let as_signed = signed(number, N);
        self.umin <= number && number <= self.umax && self.smin <= as_signed && as_signed <= self.smax
    }

    /// Whether a least lies above a most.
    pub const fn is_contradiction(&self) -> bool {
        self.umin > self.umax || self.smin > self.smax
    }

    /// Whether no number can lie within both, as far as either pair of bounds shows.
    pub const fn is_apart(&self, other: &Range<N>) -> bool {
        self.umin > other.umax || self.umax < other.umin || self.smin > other.smax || self.smax < other.smin
    }

    /// Learns other bounds of the same number.
    pub fn meet(&mut self, other: &Range<N>) {
        self.meet_unsigned(other.umin, other.umax);
        self.meet_signed(other.smin, other.smax);
    }

    /// Learns unsigned bounds.
    pub fn meet_unsigned(&mut self, umin: u64, umax: u64) {
        self.umin = self.umin.max(umin);
        self.umax = self.umax.min(umax);
    }

    /// Learns signed bounds.
    pub fn meet_signed(&mut self, smin: i64, smax: i64) {
        self.smin = self.smin.max(smin);
        self.smax = self.smax.min(smax);
    }

    /// Unsigned and signed bounds learn from each other, where the one pair means the same numbers in the other reading: where it
    /// does not cross from the largest number to the smallest. Where the signed bounds do, they are two pieces as unsigned numbers, 0
    /// to `smax` and `smin` to the largest: if the unsigned bounds meet but one of these, the number lies there.
    pub(super) fn share_signs(&mut self) {
        let (smin, smax) = (signed(self.umin, N), signed(self.umax, N));
        if smin <= smax {
            self.meet_signed(smin, smax);
        }
        let (negative, positive) = (self.smin as u64 & ones(N), self.smax as u64 & ones(N));
        if negative <= positive {
            self.meet_unsigned(negative, positive);
        } else if self.umax < negative {
            self.smin = signed(self.umin, N);
            self.umax = self.umax.min(positive);
        } else if positive < self.umin {
            self.smax = signed(self.umax, N);
            self.umin = self.umin.max(negative);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u32 = 4;

    fn ordered<T: Copy + PartialOrd>(values: &[T]) -> Vec<(T, T)> {
        values.iter().flat_map(|a| values.iter().filter(move |b| a <= b).map(move |b| (*a, *b))).collect()
    }

    #[test]
    fn sharing_loses_no_number_and_never_widens() {
        let unsigned: Vec<u64> = (0..16).collect();
        let signed: Vec<i64> = (-8..8).collect();
        for (umin, umax) in ordered(&unsigned) {
            for (smin, smax) in ordered(&signed) {
                let before = Range::<N> { umin, umax, smin, smax };
                let mut after = before;
                after.share_signs();
                let within: Vec<u64> = (0..16).filter(|x| before.contains(*x)).collect();
                if !within.is_empty() {
                    assert!(within.iter().all(|x| after.contains(*x)), "{before:?} {after:?}");
                    assert!((0..16).all(|x| before.contains(x) || !after.contains(x)), "{before:?} {after:?}");
                }
            }
        }
    }

    #[test]
    fn bounds_of_bits_are_tight() {
        for mask in 0..16 {
            for value in (0..16).filter(|value| value & mask == 0) {
                let bits = Tnum::<N>::new(value, mask);
                let within: Vec<u64> = (0..16).filter(|x| bits.contains(*x)).collect();
                let as_signed = || within.iter().map(|x| signed(*x, N));
                let expected = Range {
                    umin: within[0],
                    umax: within[within.len() - 1],
                    smin: as_signed().min().unwrap(),
                    smax: as_signed().max().unwrap(),
                };
                assert_eq!(Range::of_bits(bits), expected);
            }
        }
    }
}
