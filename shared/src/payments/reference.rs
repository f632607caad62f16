//! What a question to a provider needs to know about a payment, as its row tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::decimal;
use crate::json;

/// A payment of ours as its row knows it: all that asking the provider again may need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub provider: String,
    /// The provider's id; null while its answer is missing.
    pub provider_payment_id: Option<String>,
    /// Ours; null for one that we do not know.
    #[serde(default)]
    pub payment_id: Option<String>,
    /// In the provider's units.
    #[serde(default)]
    pub amount: i64,
    #[serde(default)]
    pub exponent: u8,
    #[serde(default)]
    pub currency: String,
    /// What [`super::Created::Open`] gave us to keep.
    #[serde(default, deserialize_with = "json::object")]
    pub data: Map<String, Value>,
    /// Digits behind the point, of every currency that the provider has here: an answer may be in another than ours.
    #[serde(default)]
    pub exponents: BTreeMap<String, u8>,
    /// The database's time when it handed this out: what the provider answers to it is at least as new.
    #[serde(default)]
    pub as_of: Option<String>,
}

impl Reference {
    /// A payment of which we know nothing but its id.
    #[must_use]
    pub fn orphan(provider: &str, id: &str) -> Self {
        Self { provider: provider.to_owned(), provider_payment_id: Some(id.to_owned()), ..Self::default() }
    }

    /// The provider's id, or nothing.
    #[must_use]
    pub fn id(&self) -> &str {
        self.provider_payment_id.as_deref().unwrap_or_default()
    }

    /// A text that was kept in `data`.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<&str> {
        self.data.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A decimal amount of the answer as an integer, in the digits of the answer's own currency. `None` when it is none, or of
    /// a currency whose digits nobody has told us: 500.00 of one would be 50000 of another.
    #[must_use]
    pub fn units(&self, amount: &RawValue, currency: &str) -> Option<i64> {
        let own = self.currency.is_empty() || self.currency == currency;
        decimal::read(amount, if own { self.exponent } else { *self.exponents.get(currency)? })
    }

    /// The amount that we asked for, of an answer that names none and is about this currency.
    #[must_use]
    pub fn asked(&self, currency: &str) -> Option<i64> {
        (self.amount > 0 && self.currency == currency).then_some(self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_digits_of_its_own_currency() {
        let reference = Reference {
            exponent: 2,
            currency: "NGN".into(),
            amount: 50_000,
            exponents: BTreeMap::from([("NGN".into(), 2), ("XOF".into(), 0)]),
            ..Reference::orphan("flutterwave", "id")
        };
        let units = |amount: &str, currency| reference.units(serde_json::from_str(amount).unwrap(), currency);
        assert_eq!(units("500.00", "NGN"), Some(50_000));
        assert_eq!(units("500.00", "XOF"), Some(500), "and not a hundred times as much");
        assert_eq!(units("500.50", "XOF"), None);
        assert_eq!(units("500", "JPY"), None, "nobody knows its digits");
        assert_eq!((reference.asked("NGN"), reference.asked("XOF")), (Some(50_000), None));
    }
}
