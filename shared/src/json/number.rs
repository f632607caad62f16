//! Numbers, from text whose spelling has been checked.

/// As `serde_json` tells them apart: what has a point or an exponent, and what no integer can hold, is a float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Natural(u64),
    Negative(i64),
    Float(f64),
}

impl Number {
    /// `None`: larger than any float.
    pub fn of(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let spelled = Spelled::of(digits);
        if spelled.is_float {
            let size = spelled.float()?;
            return Some(Self::Float(if negative { -size } else { size }));
        }
        let digits = spelled.digits;
        if !negative {
            return Some(Self::Natural(digits));
        }
        // `-0` is a float, and so is what is below every integer.
        let below = 0_i64.checked_sub_unsigned(digits).filter(|below| *below < 0);
        Some(below.map_or(Self::Float(-(digits as f64)), Self::Negative))
    }
}

/// `digits` × 10 ^ `exponent`.
struct Spelled {
    digits: u64,
    exponent: i32,
    is_float: bool,
}

impl Spelled {
    fn of(text: &str) -> Self {
        let end = text.bytes().position(|byte| matches!(byte, b'e' | b'E'));
        let (digits, exponent) = end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""));
        let mut read = Self { digits: 0, exponent: 0, is_float: end.is_some() };
        let (mut is_full, mut is_fraction) = (false, false);
        for byte in digits.bytes() {
            if byte == b'.' {
                (is_fraction, is_full, read.is_float) = (true, false, true);
                continue;
            }
            let longer = read.digits.checked_mul(10).and_then(|all| all.checked_add(u64::from(byte & 0xf)));
            match longer.filter(|_| !is_full) {
                Some(longer) => {
                    read.digits = longer;
                    read.exponent -= i32::from(is_fraction);
                }
                // More digits than a float has: they only say how large it is.
                None => {
                    (is_full, read.is_float) = (true, true);
                    read.exponent += i32::from(!is_fraction);
                }
            }
        }
        read.exponent = shifted(read.exponent, exponent);
        read
    }

    fn float(&self) -> Option<f64> {
        let (mut float, mut exponent) = (self.digits as f64, self.exponent);
        if float == 0.0 {
            return Some(0.0);
        }
        while exponent < -308 && float > 0.0 {
            float /= 1e308;
            exponent += 308;
        }
        if exponent > 308 {
            return None;
        }
        let power = ten_to(exponent.unsigned_abs());
        let float = if exponent < 0 { float / power } else { float * power };
        float.is_finite().then_some(float)
    }
}

/// The float that is nearest to a power of ten, up to 308: 120 bits of it, of which a float keeps 53.
fn ten_to(exponent: u32) -> f64 {
    let (mut bits, mut shift) = (1_u128, 1023_u64);
    for _ in 0..exponent {
        bits *= 10;
        while bits >= 1 << 120 {
            bits >>= 1;
            shift += 1;
        }
    }
    bits as f64 * f64::from_bits(shift << 52)
}

/// `exponent`, moved by what an `e` says: `e-12`, or nothing.
fn shifted(exponent: i32, text: &str) -> i32 {
    let size = text.bytes().filter(u8::is_ascii_digit);
    let size = size.fold(0_i32, |size, digit| size.saturating_mul(10).saturating_add(i32::from(digit & 0xf)));
    if text.bytes().any(|byte| byte == b'-') { exponent.saturating_sub(size) } else { exponent.saturating_add(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_power_of_ten_is_the_float_that_its_spelling_is() {
        for exponent in 0..=308 {
            assert_eq!(ten_to(exponent), format!("1e{exponent}").parse::<f64>().unwrap(), "{exponent}");
        }
    }
}
