//! Comparisons: whether the outcome is known, and what is learned where it is not.

use super::{Range, Scalar, Tnum, ones, signed};

/// Comparisons of two numbers. `Less` and the like are of unsigned numbers, those with an `S` of signed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Cond {
    Equal,
    NotEqual,
    /// Some bit is 1 in both.
    AnyBit,
    /// No bit is 1 in both: what holds where `AnyBit` does not.
    NoBit,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    SLess,
    SLessOrEqual,
    SGreater,
    SGreaterOrEqual,
}

impl Cond {
    /// What holds where this does not.
    #[must_use]
    pub const fn negated(self) -> Cond {
        match self {
            Cond::Equal => Cond::NotEqual,
            Cond::NotEqual => Cond::Equal,
            Cond::AnyBit => Cond::NoBit,
            Cond::NoBit => Cond::AnyBit,
            Cond::Less => Cond::GreaterOrEqual,
            Cond::LessOrEqual => Cond::Greater,
            Cond::Greater => Cond::LessOrEqual,
            Cond::GreaterOrEqual => Cond::Less,
            Cond::SLess => Cond::SGreaterOrEqual,
            Cond::SLessOrEqual => Cond::SGreater,
            Cond::SGreater => Cond::SLessOrEqual,
            Cond::SGreaterOrEqual => Cond::SLess,
        }
    }

    /// The same with its sides changed.
    #[must_use]
    pub const fn flipped(self) -> Cond {
        match self {
            Cond::Equal | Cond::NotEqual | Cond::AnyBit | Cond::NoBit => self,
            Cond::Less => Cond::Greater,
            Cond::LessOrEqual => Cond::GreaterOrEqual,
            Cond::Greater => Cond::Less,
            Cond::GreaterOrEqual => Cond::LessOrEqual,
            Cond::SLess => Cond::SGreater,
            Cond::SLessOrEqual => Cond::SGreaterOrEqual,
            Cond::SGreater => Cond::SLess,
            Cond::SGreaterOrEqual => Cond::SLessOrEqual,
        }
    }

    /// Whether it holds of two numbers of `bits` bits.
    pub const fn holds(self, a: u64, b: u64, bits: u32) -> bool {
        let (sa, sb) = (signed(a, bits), signed(b, bits));
        match self {
            Cond::Equal => a == b,
            Cond::NotEqual => a != b,
            Cond::AnyBit => a & b != 0,
            Cond::NoBit => a & b == 0,
            Cond::Less => a < b,
            Cond::LessOrEqual => a <= b,
            Cond::Greater => a > b,
            Cond::GreaterOrEqual => a >= b,
            Cond::SLess => sa < sb,
            Cond::SLessOrEqual => sa <= sb,
            Cond::SGreater => sa > sb,
            Cond::SGreaterOrEqual => sa >= sb,
        }
    }
}

/// One side of a comparison at one width.
#[derive(Clone, Copy)]
struct Side<const W: u32> {
    bits: Tnum<W>,
    range: Range<W>,
}

impl<const W: u32> Side<W> {
    fn is_apart(&self, other: &Side<W>) -> bool {
        !self.bits.overlaps(other.bits) || self.range.is_apart(&other.range)
    }
}

/// Whether a comparison is known to hold, or not to, from bounds: `always` and `never` in the terms of the least and the most.
fn order<T: PartialOrd>(always: (T, T), never: (T, T), or_equal: bool) -> Option<bool> {
    let below = |(a, b): (T, T), or_equal: bool| if or_equal { a <= b } else { a < b };
    if below(always, or_equal) {
        Some(true)
    } else if below(never, !or_equal) {
        Some(false)
    } else {
        None
    }
}

fn outcome<const W: u32>(cond: Cond, a: &Side<W>, b: &Side<W>) -> Option<bool> {
    let (ra, rb) = (&a.range, &b.range);
    match cond {
        Cond::Equal => match (a.bits.constant(), b.bits.constant()) {
            (Some(a), Some(b)) => Some(a == b),
            (Some(_), None) | (None, _) => a.is_apart(b).then_some(false),
        },
        Cond::NotEqual => outcome(Cond::Equal, a, b).map(|equal| !equal),
        Cond::AnyBit => {
            let (bits, with) = match (b.bits.constant(), a.bits.constant()) {
                (Some(with), _) => (a.bits, with),
                (None, Some(with)) => (b.bits, with),
                (None, None) => return None,
            };
            if bits.value() & with != 0 { Some(true) } else { (bits.max() & with == 0).then_some(false) }
        }
        Cond::NoBit => outcome(Cond::AnyBit, a, b).map(|any| !any),
        Cond::Less => order((ra.umax, rb.umin), (rb.umax, ra.umin), false),
        Cond::LessOrEqual => order((ra.umax, rb.umin), (rb.umax, ra.umin), true),
        Cond::SLess => order((ra.smax, rb.smin), (rb.smax, ra.smin), false),
        Cond::SLessOrEqual => order((ra.smax, rb.smin), (rb.smax, ra.smin), true),
        Cond::Greater | Cond::GreaterOrEqual | Cond::SGreater | Cond::SGreaterOrEqual => outcome(cond.flipped(), b, a),
    }
}

/// Both sides learn that they are equal.
fn refine_equal<const W: u32>(a: &mut Side<W>, b: &mut Side<W>) {
    a.range.meet(&b.range);
    b.range = a.range;
    a.bits = a.bits.meet(b.bits);
    b.bits = a.bits;
}

/// A side learns that it is not this number: bounds that are it move by one.
fn refine_not<const W: u32>(side: &mut Range<W>, number: u64) {
    let as_signed = signed(number, W);
    if side.umin == number {
        side.umin = number.wrapping_add(1) & ones(W);
    }
    if side.umax == number {
        side.umax = number.wrapping_sub(1) & ones(W);
    }
    if side.smin == as_signed {
        side.smin = signed(number.wrapping_add(1) & ones(W), W);
    }
    if side.smax == as_signed {
        side.smax = signed(number.wrapping_sub(1) & ones(W), W);
    }
}

/// Both sides learn that the first is less, or no more, than the second.
fn refine_less<const W: u32>(a: &mut Range<W>, b: &mut Range<W>, or_equal: bool) {
    let step = u64::from(!or_equal);
    a.umax = a.umax.min(b.umax.wrapping_sub(step) & ones(W));
    b.umin = b.umin.max(a.umin.wrapping_add(step) & ones(W));
}

fn refine_sless<const W: u32>(a: &mut Range<W>, b: &mut Range<W>, or_equal: bool) {
    let step = i64::from(!or_equal);
    let at = |bound: i64| signed(bound as u64 & ones(W), W);
    a.smax = a.smax.min(at(b.smax.wrapping_sub(step)));
    b.smin = b.smin.max(at(a.smin.wrapping_add(step)));
}

/// What one width learns. `false`: the side with the known bits says more than its bounds do, and these are to be forgotten.
fn refine<const W: u32>(cond: Cond, a: &mut Side<W>, b: &mut Side<W>) -> Forget {
    match cond {
        Cond::Equal => refine_equal(a, b),
        Cond::NotEqual => match (a.bits.constant(), b.bits.constant()) {
            (_, Some(number)) => refine_not(&mut a.range, number),
            (Some(number), None) => refine_not(&mut b.range, number),
            (None, None) => {}
        },
        Cond::AnyBit => {
            let (side, with) = match (a.bits.constant(), b.bits.constant()) {
                (_, Some(with)) => (a, with),
                (Some(with), None) => (b, with),
                (None, None) => return Forget::Neither,
            };
            // Which of several bits it is that both have, nobody knows.
            if with.is_power_of_two() {
                side.bits = side.bits.or(Tnum::exact(with));
            }
        }
        Cond::NoBit => {
            let (side, with, forget) = match (a.bits.constant(), b.bits.constant()) {
                (_, Some(with)) => (a, with, Forget::First),
                (Some(with), None) => (b, with, Forget::Second),
                (None, None) => return Forget::Neither,
            };
            side.bits = side.bits.and(Tnum::exact(!with));
            return forget;
        }
        Cond::Less => refine_less(&mut a.range, &mut b.range, false),
        Cond::LessOrEqual => refine_less(&mut a.range, &mut b.range, true),
        Cond::SLess => refine_sless(&mut a.range, &mut b.range, false),
        Cond::SLessOrEqual => refine_sless(&mut a.range, &mut b.range, true),
        Cond::Greater | Cond::GreaterOrEqual | Cond::SGreater | Cond::SGreaterOrEqual => {
            return match refine(cond.flipped(), b, a) {
                Forget::First => Forget::Second,
                Forget::Second => Forget::First,
                Forget::Neither => Forget::Neither,
            };
        }
    }
    Forget::Neither
}

/// Whose bounds, of whole and half, are to be learned anew from the bits: new bits may contradict old bounds on a path that is not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forget {
    Neither,
    First,
    Second,
}

impl<const N: u32, const H: u32> Scalar<N, H> {
    fn side(&self) -> Side<N> {
        Side { bits: self.bits, range: self.wide }
    }

    fn low_side(&self) -> Side<H> {
        Side { bits: self.low_bits(), range: self.low }
    }

    fn forget_bounds(&mut self, forget: bool) {
        if forget {
            (self.wide, self.low) = (Range::FULL, Range::FULL);
        }
    }

    /// Whether `self cond other` holds, if that is known.
    pub fn compare(&self, cond: Cond, other: &Self) -> Option<bool> {
        let known = outcome(cond, &self.side(), &other.side());
        // Numbers whose low halves are never equal are not either.
        let equality = match cond {
            Cond::Equal => Some(false),
            Cond::NotEqual => Some(true),
            Cond::AnyBit | Cond::NoBit | Cond::Less | Cond::LessOrEqual | Cond::Greater | Cond::GreaterOrEqual => None,
            Cond::SLess | Cond::SLessOrEqual | Cond::SGreater | Cond::SGreaterOrEqual => None,
        };
        known.or_else(|| equality.filter(|_| self.low.is_apart(&other.low)))
    }

    /// Whether `self cond other` holds of the low halves, if that is known.
    pub fn low_compare(&self, cond: Cond, other: &Self) -> Option<bool> {
        outcome(cond, &self.low_side(), &other.low_side())
    }

    /// Both numbers learn that `self cond other` holds.
    pub fn assume(&mut self, cond: Cond, other: &mut Self) {
        let (mut a, mut b) = (self.side(), other.side());
        let forget = refine(cond, &mut a, &mut b);
        (self.bits, self.wide, other.bits, other.wide) = (a.bits, a.range, b.bits, b.range);
        self.learn(forget, other);
    }

    /// Both numbers learn that `self cond other` holds of their low halves.
    pub fn low_assume(&mut self, cond: Cond, other: &mut Self) {
        let (mut a, mut b) = (self.low_side(), other.low_side());
        let forget = refine(cond, &mut a, &mut b);
        (self.bits, self.low) = (self.bits.with_low(a.bits), a.range);
        (other.bits, other.low) = (other.bits.with_low(b.bits), b.range);
        self.learn(forget, other);
    }

    /// The number learns that `self cond self` holds of the whole (or, with `low`, of the low half), where it can be on both sides.
    pub fn assume_of_itself(&mut self, cond: Cond, low: bool) {
        let forget = if low {
            let (mut a, mut b) = (self.low_side(), self.low_side());
            let forget = refine(cond, &mut a, &mut b);
            a.range.meet(&b.range);
            (self.bits, self.low) = (self.bits.with_low(a.bits.meet(b.bits)), a.range);
            forget
        } else {
            let (mut a, mut b) = (self.side(), self.side());
            let forget = refine(cond, &mut a, &mut b);
            a.range.meet(&b.range);
            (self.bits, self.wide) = (a.bits.meet(b.bits), a.range);
            forget
        };
        self.forget_bounds(forget != Forget::Neither);
        self.sync();
    }

    fn learn(&mut self, forget: Forget, other: &mut Self) {
        self.forget_bounds(forget == Forget::First);
        other.forget_bounds(forget == Forget::Second);
        self.sync();
        other.sync();
    }
}
