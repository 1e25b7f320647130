//! Tristate numbers: numbers of whose bits some are known.

use super::{ones, signed};

/// The set of numbers of `N` bits that have the bits of `value` wherever `mask` has a 0. Where `mask` has a 1, the bit is unknown
/// and `value` has a 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tnum<const N: u32> {
    value: u64,
    mask: u64,
}

impl<const N: u32> Tnum<N> {
    /// Nothing is known.
    pub const UNKNOWN: Tnum<N> = Tnum { value: 0, mask: ones(N) };

    /// The numbers that agree with `value` in the bits that are not in `mask`.
    pub const fn new(value: u64, mask: u64) -> Tnum<N> {
        let mask = mask & ones(N);
        Tnum { value: value & ones(N) & !mask, mask }
    }

    /// One number.
    pub const fn exact(value: u64) -> Tnum<N> {
        Tnum::new(value, 0)
    }

    /// The smallest set of this kind with all numbers from `min` to `max` in it: the bits above the highest in which the two differ
    /// are known.
    pub const fn between(min: u64, max: u64) -> Tnum<N> {
        Tnum::new(min, ones(64 - (min ^ max).leading_zeros()))
    }

    /// The known bits, with 0 for those that are not.
    pub const fn value(self) -> u64 {
        self.value
    }

    /// The unknown bits.
    pub const fn mask(self) -> u64 {
        self.mask
    }

    /// The largest number: every unknown bit a 1.
    pub const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// The number, if there is but one.
    pub const fn constant(self) -> Option<u64> {
        if self.mask == 0 { Some(self.value) } else { None }
    }

    /// Whether this number is in the set.
    pub const fn contains(self, number: u64) -> bool {
        (number ^ self.value) & !self.mask & ones(N) == 0
    }

    /// The smallest number of the set that is above `number`; its largest if none is.
    ///
    /// Counting up within the set is adding 1 where the known bits, and whatever lies below a bit that the set does not have, carry the
    /// 1 on.
    pub const fn above(self, number: u64) -> u64 {
        if number >= self.max() {
            return self.max();
        }
        if number < self.value {
            return self.value;
        }
        let steps = number - self.value;
        let foreign = steps & !self.mask;
        let carry = steps | !self.mask | ones(64 - foreign.leading_zeros());
        self.value | carry.wrapping_add(1) & self.mask
    }

    /// Whether every number of `other` is in this set.
    pub const fn includes(self, other: Tnum<N>) -> bool {
        other.mask & !self.mask == 0 && self.contains(other.value)
    }

    /// Whether some number is in both.
    pub const fn overlaps(self, other: Tnum<N>) -> bool {
        (self.value ^ other.value) & !self.mask & !other.mask == 0
    }

    /// What is known from both. Where they contradict each other, the bit is taken as 1.
    #[must_use]
    pub const fn meet(self, other: Tnum<N>) -> Tnum<N> {
        Tnum::new(self.value | other.value, self.mask & other.mask)
    }

    /// The smallest set with both in it.
    #[must_use]
    pub const fn join(self, other: Tnum<N>) -> Tnum<N> {
        Tnum::new(self.value, self.mask | other.mask | (self.value ^ other.value))
    }

    /// Sums. A bit is unknown if it is in an operand, or if the carry into it can be either: if it differs between the smallest and
    /// the largest sum.
    #[must_use]
    pub const fn add(self, other: Tnum<N>) -> Tnum<N> {
        let least = self.value.wrapping_add(other.value);
        let most = self.max().wrapping_add(other.max());
        Tnum::new(least, (least ^ most) | self.mask | other.mask)
    }

    /// Differences: as for sums, with borrows.
    #[must_use]
    pub const fn sub(self, other: Tnum<N>) -> Tnum<N> {
        let most = self.max().wrapping_sub(other.value);
        let least = self.value.wrapping_sub(other.max());
        Tnum::new(self.value.wrapping_sub(other.value), (least ^ most) | self.mask | other.mask)
    }

    /// Products, by long multiplication: for every bit of `self`, lowest first, `other` moved left by its place is added or not. If
    /// the bit is unknown, both outcomes are joined.
    #[must_use]
    pub const fn mul(self, other: Tnum<N>) -> Tnum<N> {
        let mut sum = Tnum::exact(0);
        let mut bit = 0;
        while bit < N && self.max() >> bit != 0 {
            let added = sum.add(other.shl(bit));
            if self.mask >> bit & 1 == 1 {
                sum = sum.join(added);
            } else if self.value >> bit & 1 == 1 {
                sum = added;
            }
            bit += 1;
        }
        sum
    }

    /// Bitwise and: a known 0 on either side makes a known 0.
    #[must_use]
    pub const fn and(self, other: Tnum<N>) -> Tnum<N> {
        let (value, max) = (self.value & other.value, self.max() & other.max());
        Tnum::new(value, max & !value)
    }

    /// Bitwise or: a known 1 on either side makes a known 1.
    #[must_use]
    pub const fn or(self, other: Tnum<N>) -> Tnum<N> {
        let value = self.value | other.value;
        Tnum::new(value, (self.mask | other.mask) & !value)
    }

    /// Bitwise exclusive or.
    #[must_use]
    pub const fn xor(self, other: Tnum<N>) -> Tnum<N> {
        Tnum::new(self.value ^ other.value, self.mask | other.mask)
    }

    /// Moved left by fewer than `N` places.
    #[must_use]
    pub const fn shl(self, by: u32) -> Tnum<N> {
        Tnum::new(self.value << by, self.mask << by)
    }

    /// Moved right by fewer than `N` places; zeros come in.
    #[must_use]
    pub const fn shr(self, by: u32) -> Tnum<N> {
        Tnum::new(self.value >> by, self.mask >> by)
    }

    /// Moved right by fewer than `N` places; copies of the sign bit come in, unknown ones if it is unknown.
    #[must_use]
    pub const fn sar(self, by: u32) -> Tnum<N> {
        Tnum::new((signed(self.value, N) >> by) as u64, (signed(self.mask, N) >> by) as u64)
    }

    /// The low `bits` (16, 32 or 64) with their bytes in the other order, and zeros above.
    #[must_use]
    pub const fn swapped(self, bits: u32) -> Tnum<N> {
        let unused = 64 - bits;
        Tnum::new((self.value << unused).swap_bytes(), (self.mask << unused).swap_bytes())
    }

    /// The low `H` bits as a number of that width.
    pub const fn low<const H: u32>(self) -> Tnum<H> {
        Tnum::new(self.value, self.mask)
    }

    /// A number of fewer bits, with zeros above them.
    pub const fn extended<const H: u32>(low: Tnum<H>) -> Tnum<N> {
        Tnum::new(low.value, low.mask)
    }

    /// The same above the low `H` bits, and these from another.
    #[must_use]
    pub const fn with_low<const H: u32>(self, low: Tnum<H>) -> Tnum<N> {
        let high = !ones(H);
        Tnum::new(self.value & high | low.value, self.mask & high | low.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u32 = 5;
    type T = Tnum<N>;

    /// Every set of this kind, at this width.
    fn all<const W: u32>() -> Vec<Tnum<W>> {
        let masks = 0..=ones(W);
        masks
            .flat_map(|mask| (0..=ones(W)).filter(move |value| value & mask == 0).map(move |value| Tnum::new(value, mask)))
            .collect()
    }

    fn numbers(t: T) -> Vec<u64> {
        (0..=ones(N)).filter(|number| t.contains(*number)).collect()
    }

    /// The smallest set with these numbers in it.
    fn abstraction(numbers: impl Iterator<Item = u64>) -> Option<T> {
        numbers.map(T::exact).reduce(T::join)
    }

    /// Holds an operation against the numbers themselves; `exact`: it must be the smallest set.
    fn hold(name: &str, exact: bool, abstract_op: fn(T, T) -> T, op: fn(u64, u64) -> u64) {
        for a in all::<N>() {
            for b in all::<N>() {
                let results = numbers(a).into_iter().flat_map(|x| numbers(b).into_iter().map(move |y| op(x, y) & ones(N)));
                let best = abstraction(results).unwrap();
                let got = abstract_op(a, b);
                assert!(got.includes(best), "{name} {a:?} {b:?}: {got:?} lacks some of {best:?}");
                assert!(!exact || got == best, "{name} {a:?} {b:?}: {got:?}, but {best:?} is enough");
            }
        }
    }

    #[test]
    fn operations_on_every_pair() {
        hold("add", true, T::add, u64::wrapping_add);
        hold("sub", true, T::sub, u64::wrapping_sub);
        hold("and", true, T::and, |x, y| x & y);
        hold("or", true, T::or, |x, y| x | y);
        hold("xor", true, T::xor, |x, y| x ^ y);
        hold("mul", false, T::mul, u64::wrapping_mul);
    }

    #[test]
    fn products_are_monotone() {
        let all = all::<4>();
        for a in &all {
            for wider in all.iter().filter(|wider| wider.includes(*a)) {
                for b in &all {
                    assert!(wider.mul(*b).includes(a.mul(*b)), "{a:?} {wider:?} {b:?}");
                    assert!(b.mul(*wider).includes(b.mul(*a)), "{a:?} {wider:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn shifts_of_every_number() {
        for a in all::<N>() {
            for by in 0..N {
                let of = |op: &dyn Fn(u64) -> u64| abstraction(numbers(a).into_iter().map(|x| op(x) & ones(N))).unwrap();
                assert_eq!(a.shl(by), of(&|x| x << by));
                assert_eq!(a.shr(by), of(&|x| x >> by));
                assert_eq!(a.sar(by), of(&|x| (signed(x, N) >> by) as u64));
            }
        }
    }

    #[test]
    fn sets_and_their_relations() {
        for a in all::<N>() {
            for b in all::<N>() {
                let both: Vec<u64> = numbers(a).into_iter().filter(|x| b.contains(*x)).collect();
                assert_eq!(a.overlaps(b), !both.is_empty());
                if a.overlaps(b) {
                    assert_eq!(numbers(a.meet(b)), both);
                }
                assert_eq!(a.includes(b), numbers(b).iter().all(|x| a.contains(*x)));
                let either = abstraction(numbers(a).into_iter().chain(numbers(b))).unwrap();
                assert_eq!(a.join(b), either);
            }
        }
        for min in 0..=ones(N) {
            for max in min..=ones(N) {
                assert_eq!(T::between(min, max), abstraction(min..=max).unwrap());
            }
        }
    }

    #[test]
    fn counting() {
        for a in all::<N>() {
            for x in 0..=ones(N) {
                let expected = numbers(a).into_iter().find(|y| *y > x).unwrap_or(a.max());
                assert_eq!(a.above(x), expected, "{a:?} {x}");
            }
        }
    }

    #[test]
    fn halves() {
        for a in all::<N>() {
            for low in all::<2>() {
                let with = a.with_low(low);
                for x in 0..=ones(N) {
                    let expected = numbers(a).iter().any(|y| y >> 2 == x >> 2) && low.contains(x & 3);
                    assert_eq!(with.contains(x), expected);
                }
            }
            assert!(numbers(a).iter().all(|x| a.low::<2>().contains(x & 3)));
        }
    }

    #[test]
    fn bytes_in_the_other_order() {
        let half = Tnum::<64>::new(0x1234_5678_0000_ab00, 0xff);
        assert_eq!(half.swapped(16), Tnum::new(0x00ab, 0xff00));
        assert_eq!(half.swapped(32), Tnum::new(0x00ab_0000, 0xff00_0000));
        assert_eq!(half.swapped(64), Tnum::new(0x00ab_0000_7856_3412, 0xff00_0000_0000_0000));
    }
}
