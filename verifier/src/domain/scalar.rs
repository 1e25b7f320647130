//! A number and its low half: known bits and bounds of both, which learn from each other.

use super::{Range, Tnum, ones, signed};

/// What is known of a number of `N` bits and of its low `H` bits, `H` being half of `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar<const N: u32, const H: u32> {
    /// Bits of the whole.
    pub bits: Tnum<N>,
    /// Bounds of the whole.
    pub wide: Range<N>,
    /// Bounds of the low half.
    pub low: Range<H>,
}

/// A register.
pub type Scalar64 = Scalar<64, 32>;

impl<const N: u32, const H: u32> Scalar<N, H> {
    /// Nothing is known.
    pub const UNKNOWN: Scalar<N, H> = Scalar { bits: Tnum::UNKNOWN, wide: Range::FULL, low: Range::FULL };

    /// One number.
    pub const fn exact(value: u64) -> Scalar<N, H> {
        Scalar { bits: Tnum::exact(value), wide: Range::exact(value), low: Range::exact(value & ones(H)) }
    }

    /// The number, if its bits are all known.
    pub const fn constant(&self) -> Option<u64> {
        self.bits.constant()
    }

    /// The low half, if its bits are all known.
    pub const fn low_constant(&self) -> Option<u64> {
        self.low_bits().constant()
    }

    /// The bits of the low half.
    pub const fn low_bits(&self) -> Tnum<H> {
        self.bits.low()
    }

    /// Whether this number agrees with everything that is known.
    pub const fn contains(&self, number: u64) -> bool {
        self.bits.contains(number) && self.wide.contains(number) && self.low.contains(number & ones(H))
    }

    /// Whether some bounds contradict each other: the code is never reached.
    pub const fn is_contradiction(&self) -> bool {
        self.wide.is_contradiction() || self.low.is_contradiction()
    }

    /// Whether bounds contradict each other, or known bits the bounds: Linux then forgets the bounds.
    pub fn contradicts_itself(&self) -> bool {
        let apart = |value: Option<u64>, known: bool| value.is_some() && !known;
        self.is_contradiction()
            || apart(self.constant(), self.constant().is_some_and(|value| self.wide == Range::exact(value)))
            || apart(self.low_constant(), self.low_constant().is_some_and(|value| self.low == Range::exact(value)))
    }

    /// The same bits without bounds.
    #[must_use]
    pub const fn unbounded(self) -> Scalar<N, H> {
        Scalar { bits: self.bits, wide: Range::FULL, low: Range::FULL }
    }

    /// Both hold; nothing is deduced yet.
    #[must_use]
    pub fn meet(mut self, other: &Self) -> Self {
        self.bits = self.bits.meet(other.bits);
        self.wide.meet(&other.wide);
        self.low.meet(&other.low);
        self
    }

    /// Everything learns from everything, in the order and as often as Linux does it: what it keeps depends on both.
    pub fn sync(&mut self) {
        // Of a number that is known in every way there is nothing to learn.
        if self.constant().is_some_and(|value| *self == Scalar::exact(value)) {
            return;
        }
        self.bounds_from_bits();
        for _ in 0..3 {
            self.low_from_wide();
            self.low.share_signs();
            self.wide.share_signs();
            self.wide_from_low();
        }
        self.bits_from_bounds();
        self.bounds_from_bits();
    }

    /// Bounds learn from bits. Where but one number has these bits and lies within the unsigned bounds, it is the number.
    pub(super) fn bounds_from_bits(&mut self) {
        self.low.meet(&Range::of_bits(self.low_bits()));
        self.wide.meet(&Range::of_bits(self.bits));
        if let Some(only) = self.only() {
            *self = Scalar::exact(only);
        }
    }

    /// The one number that has the bits and lies within the unsigned bounds. Where there is none, Linux still finds the largest with
    /// these bits.
    fn only(&self) -> Option<u64> {
        let Range { umin, umax, .. } = self.wide;
        let next = self.bits.above(umin);
        if self.bits.contains(umin) {
            return (next > umax).then_some(umin);
        }
        let last = next == self.bits.max();
        (last || next <= umax && self.bits.above(next) > umax).then_some(next)
    }

    /// Bits learn from unsigned bounds, of the whole first.
    fn bits_from_bounds(&mut self) {
        self.bits = self.bits.meet(Tnum::between(self.wide.umin, self.wide.umax));
        let low = self.low_bits().meet(Tnum::between(self.low.umin, self.low.umax));
        self.bits = self.bits.with_low(low);
    }

    /// The low half learns from bounds of the whole whose high halves are equal, or follow each other.
    fn low_from_wide(&mut self) {
        let Range { umin, umax, smin, smax } = self.wide;
        let (smin, smax) = (smin as u64 & ones(N), smax as u64 & ones(N));
        self.low_from_pair(umin, umax, true);
        self.low_from_pair(smin, smax, false);
        self.low_from_neighbours(umin, umax);
        self.low_from_neighbours(smin, smax);
    }

    /// From least and most with one high half: the low half lies between theirs. Of unsigned bounds (`ordered`) that is so by itself; of
    /// signed ones it is asked.
    fn low_from_pair(&mut self, least: u64, most: u64, ordered: bool) {
        if least >> H != most >> H {
            return;
        }
        let (least, most) = (least & ones(H), most & ones(H));
        if ordered || least <= most {
            self.low.meet_unsigned(least, most);
        }
        if signed(least, H) <= signed(most, H) {
            self.low.meet_signed(signed(least, H), signed(most, H));
        }
    }

    /// From least and most whose high halves are neighbours, where the low half runs from below zero to above it: no sign changes
    /// but there.
    fn low_from_neighbours(&mut self, least: u64, most: u64) {
        let next = (least >> H).wrapping_add(1) & ones(N - H);
        let (low_least, low_most) = (signed(least & ones(H), H), signed(most & ones(H), H));
        if next == most >> H && low_least < 0 && low_most >= 0 {
            self.low.meet_signed(low_least, low_most);
        }
    }

    /// The whole learns from the low half: its bounds lie no lower, and no higher, than their high half with the bounds of the low one.
    fn wide_from_low(&mut self) {
        let high = |bound: u64| bound & ones(N) & !ones(H);
        let Range { umin, umax, smin, smax } = self.wide;
        self.wide.meet_unsigned(high(umin) | self.low.umin, high(umax) | self.low.umax);
        let smin = signed(high(smin as u64) | self.low.umin, N);
        let smax = signed(high(smax as u64) | self.low.umax, N);
        self.wide.meet_signed(smin, smax);
        // A sign-extended half that is not negative is the whole.
        let extended = self.wide.smin >= Range::<H>::SMIN && self.wide.smax <= Range::<H>::SMAX;
        if self.low.smin >= 0 && extended {
            let (least, most) = (self.low.smin, self.low.smax);
            self.wide = Range { umin: least as u64, umax: most as u64 & ones(N), smin: least, smax: most };
            self.bits = self.bits.meet(Tnum::between(least as u64, most as u64 & ones(N)));
        }
    }
}
