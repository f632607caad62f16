//! Money is an integer in the currency's minor unit, next to its currency. No float ever holds it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A positive amount in the smallest unit of its currency: 5000 is 5,000 GNF, or 50.00 USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

impl Amount {
    /// Beyond this a JavaScript client loses units: 2^53 - 1.
    pub const MAX: i64 = 9_007_199_254_740_991;

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = &'static str;

    fn try_from(units: i64) -> Result<Self, Self::Error> {
        if (1..=Self::MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err("must be an integer from 1 to 9007199254740991, in the currency's minor unit")
        }
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": Self::MAX,
            "description": "A positive amount in the currency's minor unit: 5000 is 5,000 GNF, or 50.00 USD.",
        })
    }
}

/// What is held, charged, left or allowed: as an amount, but 0 is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Units(i64);

impl TryFrom<i64> for Units {
    type Error = &'static str;

    fn try_from(units: i64) -> Result<Self, Self::Error> {
        if (0..=Amount::MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err("must be an integer from 0 to 9007199254740991, in the currency's minor unit")
        }
    }
}

impl From<Units> for i64 {
    fn from(units: Units) -> Self {
        units.0
    }
}

impl JsonSchema for Units {
    fn schema_name() -> Cow<'static, str> {
        "Units".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 0, "maximum": Amount::MAX,
            "description": "An amount in the currency's minor unit, or 0.",
        })
    }
}

/// An ISO 4217 code in upper case. Which ones exist, and their exponents, is a table in Postgres.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

impl Currency {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Currency {
    /// Guinean francs: the currency of a request that names none.
    fn default() -> Self {
        Self("GNF".to_owned())
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            Ok(Self(code))
        } else {
            Err("must be a three-letter ISO currency code in upper case")
        }
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[A-Z]{3}$",
            "description": "An ISO 4217 code in upper case, such as GNF. `GNF` where a request names none.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_between_one_unit_and_the_javascript_limit() {
        for (units, good) in
            [(i64::MIN, false), (-1, false), (0, false), (1, true), (Amount::MAX, true), (Amount::MAX + 1, false)]
        {
            assert_eq!(Amount::try_from(units).is_ok(), good, "{units}");
        }
    }

    #[test]
    fn units_are_an_amount_or_nothing() {
        for (units, good) in [(-1, false), (0, true), (Amount::MAX, true), (Amount::MAX + 1, false)] {
            assert_eq!(Units::try_from(units).is_ok(), good, "{units}");
        }
    }

    #[test]
    fn an_amount_is_an_integer_token_and_nothing_that_looks_like_one() {
        for text in
            ["5000.0", "5e3", "\"5000\"", "-0", "1e400", "NaN", "null", "[5]", "9007199254740993", "٥", "0x10", "1_000"]
        {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Amount>("5000").map(Amount::get).ok(), Some(5000));
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for (code, good) in
            [("GNF", true), ("gnf", false), ("GN", false), ("GNFX", false), ("ＧＮＦ", false), ("", false)]
        {
            assert_eq!(Currency::try_from(code.to_owned()).is_ok(), good, "{code}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back_unchanged(units in 1i64..=Amount::MAX) {
            let text = units.to_string();
            let amount: Amount = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&amount).unwrap(), text);
        }
    }
}
