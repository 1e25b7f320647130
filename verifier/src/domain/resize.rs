//! Numbers cut to fewer bits, and extended again.

use super::{Range, Scalar, Tnum, ones, signed};

impl<const N: u32, const H: u32> Scalar<N, H> {
    /// The low half with zeros above it, without learning anything new yet.
    pub(super) fn extend_low(&mut self) {
        self.bits = Tnum::extended(self.low_bits());
        let Range { umin, umax, smin, smax } = self.low;
        // Signed bounds of the half are such of the whole if they are not negative.
        let positive = smin >= 0 && smax >= 0;
        let (smin, smax) = if positive { (smin, smax) } else { (0, ones(H) as i64) };
        self.wide = Range { umin, umax, smin, smax };
    }

    /// The low half with zeros above it: what every operation on 32 bits leaves.
    #[must_use]
    pub fn zero_extended(mut self) -> Self {
        self.extend_low();
        self.sync();
        self
    }

    /// The low `size` bits (no more than the low half has) with zeros above them: what a load of so many leaves.
    #[must_use]
    pub fn truncated(mut self, size: u32) -> Self {
        let mask = ones(size);
        self.bits = Tnum::new(self.bits.value() & mask, self.bits.mask() & mask);
        let Range { umin, umax, .. } = self.wide;
        let (umin, umax) = if umin & !mask == umax & !mask { (umin & mask, umax & mask) } else { (0, mask) };
        self.wide = Range { umin, umax, smin: umin as i64, smax: umax as i64 };
        if size < H {
            self.low = Range::FULL;
        }
        self.sync();
        self
    }

    /// The low `size` bits (no more than the low half has) with copies of their highest above them.
    #[must_use]
    pub fn sign_extended(self, size: u32) -> Self {
        if let Some(value) = self.constant() {
            return Scalar::exact(signed(value & ones(size), size) as u64);
        }
        match between(self.wide.smin, self.wide.smax, size) {
            Some((least, most)) => Scalar {
                bits: Tnum::between(least as u64 & ones(N), most as u64 & ones(N)),
                wide: whole(least, most),
                low: whole(least, most),
            },
            None => {
                let (least, most) = least_and_most(size);
                Scalar { bits: Tnum::UNKNOWN, wide: Range::of_signed(least, most), low: Range::of_signed(least, most) }
            }
        }
    }

    /// The low `size` bits (fewer than the low half has) with copies of their highest above them in the low half, and zeros above that.
    #[must_use]
    pub fn low_sign_extended(mut self, size: u32) -> Self {
        if let Some(value) = self.constant() {
            return Scalar::exact(signed(value & ones(size), size) as u64 & ones(H));
        }
        match between(self.low.smin, self.low.smax, size) {
            Some((least, most)) => {
                self.low = whole(least, most);
                self.bits = Tnum::extended(Tnum::<H>::between(least as u64 & ones(H), most as u64 & ones(H)));
            }
            None => {
                let (least, most) = least_and_most(size);
                self.low = Range::of_signed(least, most);
                self.bits = Tnum::extended(Tnum::<H>::UNKNOWN);
            }
        }
        self.zero_extended()
    }
}

/// Least and most signed number of `size` bits.
const fn least_and_most(size: u32) -> (i64, i64) {
    (signed(1 << (size - 1), size), signed(ones(size - 1), size))
}

/// Signed bounds that are such of the unsigned number too.
const fn whole<const W: u32>(least: i64, most: i64) -> Range<W> {
    Range { umin: least as u64 & ones(W), umax: most as u64 & ones(W), smin: least, smax: most }
}

/// Bounds after the extension of `size` bits, if all numbers between the bounds have the same bits above, and the same sign after it.
fn between(smin: i64, smax: i64, size: u32) -> Option<(i64, i64)> {
    if smin >> size != smax >> size {
        return None;
    }
    let (a, b) = (signed(smin as u64 & ones(size), size), signed(smax as u64 & ones(size), size));
    ((a < 0) == (b < 0)).then_some((a.min(b), a.max(b)))
}
