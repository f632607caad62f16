//! The currencies the provider takes, in the shape in which it describes them. Amounts are whole units everywhere.

use serde_json::{Value, json};

/// code, name, name in the plural, the decimals it displays.
const CURRENCIES: &[(&str, &str, &str, u8)] = &[
    ("CDF", "Congolese Franc", "Congolese francs", 2),
    ("EUR", "Euro", "euros", 2),
    ("GHS", "Ghanaian Cedi", "Ghanaian cedis", 2),
    ("GNF", "Guinean Franc", "Guinean francs", 0),
    ("KES", "Kenyan Shilling", "Kenyan shillings", 2),
    ("MWK", "Malawian Kwacha", "Malawian kwachas", 2),
    ("NGN", "Nigerian Naira", "Nigerian nairas", 2),
    ("RWF", "Rwandan Franc", "Rwandan francs", 0),
    ("TZS", "Tanzanian Shilling", "Tanzanian shillings", 2),
    ("UGX", "Ugandan Shilling", "Ugandan shillings", 0),
    ("USD", "US Dollar", "US dollars", 2),
    ("XAF", "CFA Franc BEAC", "CFA francs BEAC", 0),
    ("XOF", "CFA Franc BCEAO", "CFA francs BCEAO", 0),
    ("ZAR", "South African Rand", "South African rand", 2),
    ("ZMW", "Zambian Kwacha", "Zambian kwachas", 2),
];

pub fn is_known(code: &str) -> bool {
    CURRENCIES.iter().any(|currency| currency.0 == code)
}

/// The object that verify answers; `subunit_to_unit` is 100 for every currency, also for those without subunits:
/// the provider's trap, kept.
pub fn describe(code: &str) -> Value {
    let known = CURRENCIES.iter().find(|currency| currency.0 == code);
    let (name, plural, decimals) = known.map_or((code, code, 0), |currency| (currency.1, currency.2, currency.3));
    json!({
        "name": name,
        "symbol": if code == "USD" { "$" } else { code },
        "symbol_first": code == "USD",
        "decimals": decimals,
        "decimal_mark": ",",
        "thousands_separator": ".",
        "subunit": "Centime",
        "subunit_to_unit": 100,
        "symbol_native": if code == "USD" { "$" } else { code },
        "decimal_digits": decimals,
        "rounding": 0,
        "code": code,
        "name_plural": plural,
        "icon_url": format!("https://assets.cdn.moneroo.io/currencies/{code}.svg"),
    })
}

pub fn formatted(amount: i64, code: &str) -> String {
    if code == "USD" { format!("$ {amount}.00") } else { format!("{code} {amount}") }
}

/// For people: `1 250 000 GNF`, with spaces that do not break.
pub fn readable(amount: i64, code: &str) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut grouped = String::from(if amount < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{grouped}\u{a0}{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_in_groups_of_three() {
        for (amount, expected) in
            [(0, "0 GNF"), (999, "999 GNF"), (1000, "1 000 GNF"), (1_250_000, "1 250 000 GNF"), (-1000, "-1 000 GNF")]
        {
            assert_eq!(readable(amount, "GNF").replace('\u{a0}', " "), expected);
        }
    }
}
