//! Numbers.

/// Flags, width and base of a conversion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) left: bool,
    pub(crate) plus: bool,
    pub(crate) space: bool,
    pub(crate) zero: bool,
    pub(crate) signed: bool,
    /// Small hexadecimal letters.
    pub(crate) small: bool,
    /// 10 or 16.
    pub(crate) base: u32,
    pub(crate) width: Option<i32>,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec { left: false, plus: false, space: false, zero: false, signed: false, small: false, base: 10, width: None }
    }
}

impl Spec {
    /// The width as the kernel keeps it: at most what 24 bits with a sign hold.
    pub(crate) fn field_width(&self) -> i32 {
        const MAX: i32 = (1 << 23) - 1;
        self.width.map_or(-1, |width| width.clamp(-MAX, MAX))
    }
}

/// A number with sign and padding.
pub(crate) fn number(spec: Spec, value: u64) -> Vec<u8> {
    let negative = spec.signed && (value as i64) < 0;
    let magnitude = if negative { value.wrapping_neg() } else { value };
    let digits = match (spec.base, spec.small) {
        (16, true) => format!("{magnitude:x}"),
        (16, false) => format!("{magnitude:X}"),
        _ => magnitude.to_string(),
    };
    let sign = match spec {
        _ if negative => "-",
        Spec { signed: true, plus: true, .. } => "+",
        Spec { signed: true, space: true, .. } => " ",
        _ => "",
    };
    let pad = usize::try_from(spec.field_width()).unwrap_or(0).saturating_sub(sign.len() + digits.len());
    let mut out = Vec::with_capacity(sign.len() + digits.len() + pad);
    let zeros = spec.zero && !spec.left;
    if !zeros && !spec.left {
        out.resize(pad, b' ');
    }
    out.extend(sign.as_bytes());
    if zeros {
        out.resize(out.len() + pad, b'0');
    }
    out.extend(digits.as_bytes());
    if spec.left {
        out.resize(out.len() + pad, b' ');
    }
    out
}
