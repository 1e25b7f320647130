//! Arithmetic on what is known, as the instruction does it: on the whole, or on the low half with zeros above.

use super::{Range, Scalar, Tnum, ones};

/// Operations whose results Linux follows. Division and remainder it does not: their results are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Bits(Bitwise),
    /// The distance must be known.
    Shift(Shift),
}

/// Operations on bits that stand at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Bitwise {
    And,
    Or,
    Xor,
}

/// Where bits move, and what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shift {
    /// Left; zeros come in.
    Left,
    /// Right; zeros come in.
    Right,
    /// Right; the sign comes in.
    Signed,
}

impl<const W: u32> Range<W> {
    fn sum(self, other: Range<W>) -> Range<W> {
        let (umin, umax) = (u128::from(self.umin) + u128::from(other.umin), u128::from(self.umax) + u128::from(other.umax));
        let most = u128::from(ones(W));
        // Either no sum runs over or all do, unless only the largest does.
        let some = umin <= most && umax > most;
        let (umin, umax) = if some { (0, ones(W)) } else { (umin as u64 & ones(W), umax as u64 & ones(W)) };
        let wide = |a: i64, b: i64| i128::from(a) + i128::from(b);
        signed_or_full(wide(self.smin, other.smin), wide(self.smax, other.smax), umin, umax)
    }

    fn difference(self, other: Range<W>) -> Range<W> {
        // As for sums: some run under if only the smallest does.
        let some = self.umin < other.umax && self.umax >= other.umin;
        let less = |a: u64, b: u64| a.wrapping_sub(b) & ones(W);
        let (umin, umax) = if some { (0, ones(W)) } else { (less(self.umin, other.umax), less(self.umax, other.umin)) };
        let wide = |a: i64, b: i64| i128::from(a) - i128::from(b);
        signed_or_full(wide(self.smin, other.smax), wide(self.smax, other.smin), umin, umax)
    }

    fn product(self, other: Range<W>) -> Range<W> {
        let most = u128::from(self.umax) * u128::from(other.umax);
        let least = u128::from(self.umin) * u128::from(other.umin);
        let fits = most <= u128::from(ones(W)) && least <= u128::from(ones(W));
        let (umin, umax) = if fits { (least as u64, most as u64) } else { (0, ones(W)) };
        let corner = |a: i64, b: i64| i128::from(a) * i128::from(b);
        let corners = [
            corner(self.smin, other.smin),
            corner(self.smin, other.smax),
            corner(self.smax, other.smin),
            corner(self.smax, other.smax),
        ];
        let least = corners.into_iter().fold(corners[0], i128::min);
        signed_or_full(least, corners.into_iter().fold(corners[0], i128::max), umin, umax)
    }

    /// Never more than either operand, and no less than the bits say.
    fn bitwise_and(self, other: Range<W>, bits: Tnum<W>) -> Range<W> {
        Range::of_unsigned(bits.value(), self.umax.min(other.umax))
    }

    /// Never less than either operand, and no more than the bits say.
    fn bitwise_or(self, other: Range<W>, bits: Tnum<W>) -> Range<W> {
        Range::of_unsigned(self.umin.max(other.umin), bits.max())
    }

    fn shl(self, by: u32) -> Range<W> {
        // A number that may lose its highest bit is not bounded by what is left.
        if by >= W || self.umax > 1 << (W - 1 - by) {
            return Range::FULL;
        }
        Range { umin: self.umin << by, umax: self.umax << by, ..Range::FULL }
    }

    fn shr(self, by: u32) -> Range<W> {
        Range { umin: self.umin >> by, umax: self.umax >> by, ..Range::FULL }
    }

    fn sar(self, by: u32) -> Range<W> {
        Range::of_signed(self.smin >> by, self.smax >> by)
    }
}

/// Signed bounds, if they fit.
fn signed_or_full<const W: u32>(smin: i128, smax: i128, umin: u64, umax: u64) -> Range<W> {
    let fits = |bound: i128| i128::from(Range::<W>::SMIN) <= bound && bound <= i128::from(Range::<W>::SMAX);
    let (smin, smax) = if fits(smin) && fits(smax) { (smin as i64, smax as i64) } else { (Range::<W>::SMIN, Range::<W>::SMAX) };
    Range { umin, umax, smin, smax }
}

impl<const N: u32, const H: u32> Scalar<N, H> {
    /// The result of an operation on the whole, of which `other` is the right operand.
    #[must_use]
    pub fn op(self, op: Op, other: &Self) -> Self {
        self.result(op, other, false)
    }

    /// The result of an operation on the low half: zeros lie above it.
    #[must_use]
    pub fn low_op(self, op: Op, other: &Self) -> Self {
        self.result(op, other, true)
    }

    /// The sum as copies with a constant added learn it: nothing is deduced from it yet.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        self.each(other, self.bits.add(other.bits), |a, b| a.sum(b), |a, b| a.sum(b))
    }

    /// 0 minus the whole.
    #[must_use]
    pub fn negated(self) -> Self {
        Scalar::exact(0).op(Op::Sub, &self)
    }

    /// 0 minus the low half.
    #[must_use]
    pub fn low_negated(self) -> Self {
        Scalar::exact(0).low_op(Op::Sub, &self)
    }

    /// The distance of a shift, if it is known and fits the width.
    fn distance(&self, width: u32, low: bool) -> Option<u32> {
        let exact = |range: (u64, u64, i64, i64)| range.0 == range.1 && range.2 == range.3;
        let Range { umin, umax, smin, smax } = self.wide;
        let known = match low {
            true => self.low_constant().is_some() && exact((self.low.umin, self.low.umax, self.low.smin, self.low.smax)),
            false => self.constant().is_some() && exact((umin, umax, smin, smax)),
        };
        // The bounds of the whole decide for the low half too.
        (known && umax < u64::from(width)).then_some(if low { self.low.umin as u32 } else { umin as u32 })
    }

    fn result(self, op: Op, other: &Self, low: bool) -> Self {
        let width = if low { H } else { N };
        let mut result = match op {
            Op::Add => self.each(other, self.bits.add(other.bits), |a, b| a.sum(b), |a, b| a.sum(b)),
            Op::Sub => self.each(other, self.bits.sub(other.bits), |a, b| a.difference(b), |a, b| a.difference(b)),
            Op::Mul => self.each(other, self.bits.mul(other.bits), |a, b| a.product(b), |a, b| a.product(b)),
            Op::Bits(op) => self.bitwise(op, other),
            Op::Shift(shift) => match other.distance(width, low) {
                Some(by) if low => self.low_shift(shift, by),
                Some(by) => self.wide_shift(shift, by),
                None => return Scalar::UNKNOWN,
            },
        };
        if low {
            result.extend_low();
        }
        result.sync();
        result
    }

    fn each(
        self,
        other: &Self,
        bits: Tnum<N>,
        wide: fn(Range<N>, Range<N>) -> Range<N>,
        low: fn(Range<H>, Range<H>) -> Range<H>,
    ) -> Self {
        Scalar { bits, wide: wide(self.wide, other.wide), low: low(self.low, other.low) }
    }

    fn bitwise(self, op: Bitwise, other: &Self) -> Self {
        let bits = match op {
            Bitwise::And => self.bits.and(other.bits),
            Bitwise::Or => self.bits.or(other.bits),
            Bitwise::Xor => self.bits.xor(other.bits),
        };
        // Where both operands and the result are known, bounds follow.
        if other.constant().is_some()
            && let Some(value) = bits.constant()
        {
            return Scalar::exact(value);
        }
        let low_bits = bits.low::<H>();
        let low = match (op, other.low_constant(), low_bits.constant()) {
            (_, Some(_), Some(value)) => Range::exact(value),
            (Bitwise::And, ..) => self.low.bitwise_and(other.low, low_bits),
            (Bitwise::Or, ..) => self.low.bitwise_or(other.low, low_bits),
            (Bitwise::Xor, ..) => Range::of_unsigned(low_bits.value(), low_bits.max()),
        };
        let wide = match op {
            Bitwise::And => self.wide.bitwise_and(other.wide, bits),
            Bitwise::Or => self.wide.bitwise_or(other.wide, bits),
            Bitwise::Xor => Range::of_unsigned(bits.value(), bits.max()),
        };
        let mut result = Scalar { bits, wide, low };
        result.bounds_from_bits();
        result
    }

    /// Bounds of the low half after a shift of the whole are not followed, except to the left: bits come in from above.
    fn wide_shift(self, shift: Shift, by: u32) -> Self {
        let (bits, wide, low) = match shift {
            Shift::Left => (self.bits.shl(by), self.shl_wide(by), self.low.shl(by)),
            Shift::Right => (self.bits.shr(by), self.wide.shr(by), Range::FULL),
            Shift::Signed => (self.bits.sar(by), self.wide.sar(by), Range::FULL),
        };
        let mut result = Scalar { bits, wide, low };
        result.bounds_from_bits();
        result
    }

    /// A move by the width of the low half, with which compilers extend it, makes its sign that of the whole.
    fn shl_wide(self, by: u32) -> Range<N> {
        let mut wide = self.wide.shl(by);
        if by == H {
            (wide.smin, wide.smax) = (self.low.smin << H, self.low.smax << H);
        }
        wide
    }

    fn low_shift(self, shift: Shift, by: u32) -> Self {
        let low_bits = self.low_bits();
        let (bits, mut low) = match shift {
            Shift::Left => (low_bits.shl(by), self.low.shl(by)),
            Shift::Right => (low_bits.shr(by), self.low.shr(by)),
            Shift::Signed => (low_bits.sar(by), self.low.sar(by)),
        };
        low.meet(&Range::of_bits(bits));
        Scalar { bits: Tnum::extended(bits), wide: Range::FULL, low }
    }
}
