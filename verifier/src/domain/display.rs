//! Numbers as the verifier's log of Linux writes them.

use std::fmt;

use super::{Scalar64, Tnum};

/// Bounds and constants up to here are decimal, others hexadecimal.
const DECIMAL: u64 = u16::MAX as u64;
const SIGNED_DECIMAL: std::ops::RangeInclusive<i64> = i16::MIN as i64..=i16::MAX as i64;

pub(crate) fn log_unsigned(value: u64) -> String {
    if value <= DECIMAL { value.to_string() } else { format!("{value:#x}") }
}

pub(crate) fn log_signed(value: i64) -> String {
    if SIGNED_DECIMAL.contains(&value) { value.to_string() } else { format!("{value:#x}") }
}

impl fmt::Display for Tnum<64> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.constant() {
            Some(value) => f.write_str(&log_unsigned(value)),
            None => write!(f, "({:#x}; {:#x})", self.value(), self.mask()),
        }
    }
}

/// A bound in the log.
struct Bound {
    name: &'static str,
    /// The number that is compared and printed.
    value: u64,
    signed: bool,
    /// It says something: it is not that of a number of which nothing is known.
    says: bool,
}

impl Bound {
    fn unsigned(name: &'static str, value: u64, nothing: u64) -> Bound {
        Bound { name, value, signed: false, says: value != nothing }
    }

    fn signed(name: &'static str, value: i64, nothing: i64) -> Bound {
        Bound { name, value: value as u64, signed: true, says: value != nothing }
    }

    /// Of the low half: without copies of the sign where it is printed in hexadecimal.
    fn signed_low(name: &'static str, value: i64, nothing: i64) -> Bound {
        let shown = if SIGNED_DECIMAL.contains(&value) { value as u64 } else { u64::from(value as u32) };
        Bound { name, value: shown, signed: true, says: value != nothing }
    }

    fn is_negative(&self) -> bool {
        self.signed && (self.value as i64) < 0
    }
}

impl Scalar64 {
    /// What is known of a number that is not known: bounds, equal ones together, and bits.
    pub(crate) fn log_parts(&self) -> Vec<String> {
        let (wide, low) = (&self.wide, &self.low);
        let mut bounds = [
            Bound::signed("smin", wide.smin, i64::MIN),
            Bound::signed("smax", wide.smax, i64::MAX),
            Bound::unsigned("umin", wide.umin, 0),
            Bound::unsigned("umax", wide.umax, u64::MAX),
            Bound::signed_low("smin32", low.smin, i64::from(i32::MIN)),
            Bound::signed_low("smax32", low.smax, i64::from(i32::MAX)),
            Bound::unsigned("umin32", low.umin, 0),
            Bound::unsigned("umax32", low.umax, u64::from(u32::MAX)),
        ];
        let mut parts = Vec::new();
        for at in 0..bounds.len() {
            if !bounds[at].says {
                continue;
            }
            let (value, negative) = (bounds[at].value, bounds[at].is_negative());
            let mut text = format!("{}=", bounds[at].name);
            // Minima stand with minima, maxima with maxima.
            for other in bounds.iter_mut().skip(at + 2).step_by(2) {
                if other.says && other.value == value && other.is_negative() == negative {
                    other.says = false;
                    text += &format!("{}=", other.name);
                }
            }
            parts.push(text + &if bounds[at].signed { log_signed(value as i64) } else { log_unsigned(value) });
        }
        if self.bits != Tnum::UNKNOWN {
            parts.push(format!("var_off={}", self.bits));
        }
        parts
    }
}

/// A constant, or `scalar(smin=..,umax=..,var_off=(..; ..))`.
impl fmt::Display for Scalar64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.constant() {
            Some(value) => f.write_str(&log_signed(value as i64)),
            None => write!(f, "scalar({})", self.log_parts().join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cond, Scalar64};

    #[test]
    fn as_in_the_log() {
        assert_eq!(Scalar64::UNKNOWN.to_string(), "scalar()");
        assert_eq!(Scalar64::exact(5).to_string(), "5");
        assert_eq!(Scalar64::exact(u64::MAX).to_string(), "-1");
        assert_eq!(Scalar64::exact(0x1_0000).to_string(), "0x10000");
        let mut small = Scalar64::UNKNOWN;
        small.assume(Cond::Less, &mut Scalar64::exact(16));
        assert_eq!(small.to_string(), "scalar(smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf))");
    }
}
