//! A second reading of decimals, by moving the point in the text: no arithmetic that could overflow or round.

/// The integer of `exponent` that a plain decimal writes; `None` for anything else.
pub fn exactly(text: &str, exponent: u8) -> Option<i64> {
    let plain = text.len() <= 40 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !plain || whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    shifted(whole, fraction, usize::from(exponent))
}

/// The whole number that a JSON number is worth, powers of ten included; `None` when it is none, or not positive.
pub fn worth(number: &str) -> Option<i64> {
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power: i64 = power.parse().ok().filter(|power| (-400..=400).contains(power))?;
    let digits = format!("{whole}{fraction}");
    if digits.starts_with('-') {
        return None;
    }
    // Where the point ends up, counted from the front.
    let point = i64::try_from(whole.len()).ok()? + power;
    let padded = format!("{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0)));
    let point = usize::try_from(point).unwrap_or(0);
    let padded = format!("{padded:0<point$}");
    let (whole, fraction) = padded.split_at(point);
    shifted(&format!("0{whole}"), fraction, 0)
}

fn shifted(whole: &str, fraction: &str, places: usize) -> Option<i64> {
    let fraction = fraction.trim_end_matches('0');
    let digits = (fraction.len() <= places).then(|| format!("{whole}{fraction:0<places$}"))?;
    digits.parse::<i64>().ok().filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_is_moved_and_nothing_is_rounded() {
        for (text, exponent, amount) in [
            ("100", 0, Some(100)),
            ("100.5", 2, Some(10_050)),
            ("100.505", 2, None),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
            ("1.", 0, None),
            (".5", 1, None),
            ("-1", 0, None),
            ("0", 0, None),
        ] {
            assert_eq!(exactly(text, exponent), amount, "{text} {exponent}");
        }
        for (number, amount) in [
            ("100", Some(100)),
            ("100.0", Some(100)),
            ("1e2", Some(100)),
            ("1.5E1", Some(15)),
            ("150e-1", Some(15)),
            ("150e-2", None),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("0.1e1", Some(1)),
            ("1e-5", None),
            ("-1", None),
            ("1e30", None),
        ] {
            assert_eq!(worth(number), amount, "{number}");
        }
    }
}
