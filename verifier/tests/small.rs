//! Every operation on numbers of few bits, held against the numbers themselves.

use skep_verifier::domain::{Bitwise, Cond, Op, Range, Scalar, Shift, Tnum};

const N: u32 = 4;
const H: u32 = 2;
type S = Scalar<N, H>;
const OPS: [Op; 9] = [
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::Bits(Bitwise::And),
    Op::Bits(Bitwise::Or),
    Op::Bits(Bitwise::Xor),
    Op::Shift(Shift::Left),
    Op::Shift(Shift::Right),
    Op::Shift(Shift::Signed),
];
const CONDS: [Cond; 12] = [
    Cond::Equal,
    Cond::NotEqual,
    Cond::AnyBit,
    Cond::NoBit,
    Cond::Less,
    Cond::LessOrEqual,
    Cond::Greater,
    Cond::GreaterOrEqual,
    Cond::SLess,
    Cond::SLessOrEqual,
    Cond::SGreater,
    Cond::SGreaterOrEqual,
];

fn signed(value: u64, bits: u32) -> i64 {
    let value = value & ((1 << bits) - 1);
    if value >> (bits - 1) == 1 { value as i64 - (1 << bits) } else { value as i64 }
}

fn numbers(s: &S) -> Vec<u64> {
    (0..1 << N).filter(|x| s.contains(*x)).collect()
}

/// Abstract values of every kind: bits, bounds of the whole, bounds of the low half, and each of them after it has learned. Those
/// with no number in them are left away. With each, its numbers.
fn values() -> Vec<(S, Vec<u64>)> {
    let mut values: Vec<S> = Vec::new();
    let mut add = |s: S| {
        let mut synced = s;
        synced.sync();
        for s in [s, synced] {
            if !numbers(&s).is_empty() && !values.contains(&s) {
                values.push(s);
            }
        }
    };
    for mask in 0..1 << N {
        for value in (0..1 << N).filter(|value| value & mask == 0) {
            add(Scalar { bits: Tnum::new(value, mask), ..S::UNKNOWN });
        }
    }
    for a in 0..1 << N {
        for b in 0..1 << N {
            let (least, most) = (signed(a, N), signed(b, N));
            if a <= b {
                add(Scalar { wide: Range { umin: a, umax: b, ..Range::FULL }, ..S::UNKNOWN });
            }
            if least <= most {
                add(Scalar { wide: Range::of_signed(least, most), ..S::UNKNOWN });
            }
        }
    }
    for a in 0..1 << H {
        for b in 0..1 << H {
            let low = Range { umin: a, umax: b, ..Range::FULL };
            let signed_low = Range::of_signed(signed(a, H), signed(b, H));
            for low in [low, signed_low] {
                for wide in [Range::FULL, Range { umin: 3, umax: 9, ..Range::FULL }, Range::of_signed(-3, 5)] {
                    add(Scalar { low, wide, ..S::UNKNOWN });
                }
            }
        }
    }
    values.into_iter().map(|value| (value, numbers(&value))).collect()
}

fn concrete(op: Op, a: u64, b: u64, width: u32) -> u64 {
    let by = b & u64::from(width - 1);
    let result = match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::Bits(Bitwise::And) => a & b,
        Op::Bits(Bitwise::Or) => a | b,
        Op::Bits(Bitwise::Xor) => a ^ b,
        Op::Shift(Shift::Left) => a << by,
        Op::Shift(Shift::Right) => a >> by,
        Op::Shift(Shift::Signed) => (signed(a, width) >> by) as u64,
    };
    result & ((1 << width) - 1)
}

#[test]
fn learning_loses_no_number() {
    for (value, numbers) in values() {
        let mut synced = value;
        synced.sync();
        assert!(numbers.iter().all(|x| synced.contains(*x)), "{value:?} {synced:?}");
        assert!(!synced.is_contradiction(), "{value:?} {synced:?}");
    }
}

#[test]
fn results_hold_every_result() {
    let values = values();
    let low = |x: u64| x & ((1 << H) - 1);
    for (a, xs) in &values {
        for (b, ys) in &values {
            for op in OPS {
                let (wide, half) = (a.op(op, b), a.low_op(op, b));
                for &x in xs {
                    for &y in ys {
                        let result = concrete(op, x, y, N);
                        assert!(wide.contains(result), "{a:?} {op:?} {b:?} = {wide:?}: lacks {x} {op:?} {y} = {result}");
                        let result = concrete(op, low(x), low(y), H);
                        assert!(half.contains(result), "{a:?} {op:?} {b:?} = {half:?}: lacks low {x} {op:?} {y} = {result}");
                    }
                }
            }
        }
    }
}

#[test]
fn negation_and_extensions_hold_every_result() {
    let low = |x: u64| x & ((1 << H) - 1);
    for (value, numbers) in values() {
        for x in numbers {
            assert!(value.negated().contains(x.wrapping_neg() & ((1 << N) - 1)), "{value:?} {x}");
            assert!(value.low_negated().contains(low(x.wrapping_neg())), "{value:?} {x}");
            assert!(value.zero_extended().contains(low(x)), "{value:?} {x}");
            for size in 1..=H {
                assert!(value.truncated(size).contains(x & ((1 << size) - 1)), "{value:?} {size} {x}");
                let extended = signed(x, size) as u64;
                assert!(value.sign_extended(size).contains(extended & ((1 << N) - 1)), "{value:?} {size} {x}");
                if size < H {
                    assert!(value.low_sign_extended(size).contains(low(extended)), "{value:?} {size} {x}");
                }
            }
        }
    }
}

#[test]
fn comparisons_are_right_and_lose_no_number() {
    let values = values();
    let low = |x: u64| x & ((1 << H) - 1);
    for (a, xs) in &values {
        for (b, ys) in &values {
            for cond in CONDS {
                let (known, half_known) = (a.compare(cond, b), a.low_compare(cond, b));
                let (mut wa, mut wb, mut ha, mut hb) = (*a, *b, *a, *b);
                wa.assume(cond, &mut wb);
                ha.low_assume(cond, &mut hb);
                for &x in xs {
                    for &y in ys {
                        let holds = cond.holds(x, y, N);
                        assert!(known.is_none_or(|known| known == holds), "{a:?} {cond:?} {b:?}: {x} {y}");
                        assert!(!holds || wa.contains(x) && wb.contains(y), "{a:?} {cond:?} {b:?}: {x} {y}: {wa:?} {wb:?}");
                        let holds = cond.holds(low(x), low(y), H);
                        assert!(half_known.is_none_or(|known| known == holds), "low {a:?} {cond:?} {b:?}: {x} {y}");
                        assert!(!holds || ha.contains(x) && hb.contains(y), "low {a:?} {cond:?} {b:?}: {x} {y}: {ha:?} {hb:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn conditions_know_their_opposites() {
    for cond in CONDS {
        assert_eq!(cond.negated().negated(), cond);
        for x in 0..1 << N {
            for y in 0..1 << N {
                assert_ne!(cond.holds(x, y, N), cond.negated().holds(x, y, N));
                assert_eq!(cond.holds(x, y, N), cond.flipped().holds(y, x, N));
            }
        }
    }
}
