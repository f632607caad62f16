//! Amounts as some providers write them: `"100"`, `100.50`, `"1500.00"`. Integers of ours on this side, and never a float
//! in between.

use crate::json;
use serde_json::value::RawValue;

/// Longer than any amount; a flood of zeros is not read.
const MAX_LENGTH: usize = 40;

/// The integer of `exponent` that a decimal writes, exactly; `None` for signs, letters, powers, zero, digits beyond the
/// exponent that are not zeros, and what does not fit.
#[must_use]
pub fn parse(text: &str, exponent: u8) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        // `1.` is no number, though `split_once` would read it.
        Some((_, "")) => return None,
        Some(halves) => halves,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > MAX_LENGTH || whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let places = usize::from(exponent);
    let (kept, beyond) = fraction.split_at(fraction.len().min(places));
    if beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let minor = whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', places - kept.len()));
    let amount =
        minor.into_iter().try_fold(0i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    (amount > 0).then_some(amount)
}

/// An amount inside an answer, which is text at one provider and a number at the next; read as it stands there.
#[must_use]
pub fn read(value: &RawValue, exponent: u8) -> Option<i64> {
    match value.get() {
        text if text.starts_with('"') => parse(&json::read::<String>(text).ok()?, exponent),
        number => parse(number, exponent),
    }
}

/// The decimal of an integer of `exponent`, with all its digits: 10000 of exponent 2 is `100.00`.
#[must_use]
pub fn write(amount: i64, exponent: u8) -> String {
    let places = usize::from(exponent);
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// The same as a JSON number, without the point where nothing is behind it: `100`, `100.50`. Exact only inside a struct:
/// `json!` would make a float of it.
#[must_use]
pub fn number(amount: i64, exponent: u8) -> Box<RawValue> {
    let text = write(amount, exponent);
    let short = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole.to_owned(),
        _ => text,
    };
    json::read(&short).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_decimal_is_an_integer_of_its_exponent_or_nothing() {
        for (text, exponent, amount) in [
            ("100", 0, Some(100)),
            ("100", 2, Some(10_000)),
            ("100.0", 0, Some(100)),
            ("100.5", 2, Some(10_050)),
            ("0.01", 2, Some(1)),
            ("100.500", 2, Some(10_050)),
            ("007", 0, Some(7)),
            ("9223372036854775807", 0, Some(i64::MAX)),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("9223372036854775808", 0, None),
            ("92233720368547758.08", 2, None),
            ("100.5", 0, None),
            ("100.505", 2, None),
            ("0", 0, None),
            ("0.00", 2, None),
        ] {
            assert_eq!(parse(text, exponent), amount, "{text} {exponent}");
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        let flood = "0".repeat(41);
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "1.0.0", "1,000", " 1", "1 ", "NaN", "0x1", "١", "null", &flood]
        {
            assert_eq!(parse(text, 2), None, "{text}");
        }
        assert_eq!(parse("1", 255), None);
    }

    #[test]
    fn an_amount_in_json_is_text_or_number_and_nothing_else() {
        for (json, amount) in [
            ("100", Some(10_000)),
            ("100.50", Some(10_050)),
            ("100.0000000000000001", None),
            (r#""100.50""#, Some(10_050)),
            (r#""\u0031""#, Some(100)),
            ("1e2", None),
            ("-1", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            (r#""""#, None),
        ] {
            assert_eq!(read(serde_json::from_str(json).unwrap(), 2), amount, "{json}");
        }
    }

    #[test]
    fn a_decimal_has_every_digit_of_its_exponent() {
        for (amount, exponent, text) in
            [(100, 0, "100"), (10_000, 2, "100.00"), (1, 2, "0.01"), (0, 2, "0.00"), (-105, 2, "-1.05")]
        {
            assert_eq!(write(amount, exponent), text);
        }
        for (amount, exponent, text) in
            [(100, 0, "100"), (10_000, 2, "100"), (10_050, 2, "100.50"), (i64::MAX, 0, "9223372036854775807")]
        {
            assert_eq!(number(amount, exponent).get(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_itself(amount in 1i64.., exponent in 0u8..=6) {
            prop_assert_eq!(parse(&write(amount, exponent), exponent), Some(amount));
        }

        #[test]
        fn any_text_is_read_or_refused_never_a_panic(text in ".*", exponent: u8) {
            let _ = parse(&text, exponent);
        }
    }
}
