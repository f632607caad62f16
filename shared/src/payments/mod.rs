//! Money from outside. A provider is pure: it builds requests, reads answers and checks signatures; the flows around it
//! ([`checkout`], [`confirm`]) talk to Postgres and to the network through ports.

pub mod checkout;
pub mod confirm;
pub mod moneroo;

use serde::{Deserialize, Serialize};

use crate::http::{Incoming, Outgoing};
use crate::secret::{Secret, hmac_hex};

/// The settings that payments read; empty secrets mean "not configured" and are refused, never skipped.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub moneroo_url: String,
    pub moneroo_secret_key: Secret,
    /// Several while a secret is rotated.
    pub moneroo_webhook_secrets: Vec<Secret>,
    pub tag_key: Secret,
    /// `live` or `sandbox`; a payment of the other environment never settles.
    pub environment: String,
    pub return_url: String,
    /// Origins a client may send its payer back to; `*` for development.
    pub return_origins: Vec<String>,
    pub internal_keys: Vec<Secret>,
}

/// A checkout to create, in the provider's units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Our payment's id.
    pub id: String,
    pub attempt: i32,
    /// The provider's integer: whole units at Moneroo, whatever the currency's exponent.
    pub amount: i64,
    pub currency: String,
    pub description: String,
    pub return_url: String,
    pub customer: Customer,
    pub methods: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// What creating a checkout came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    Checkout {
        id: String,
        url: String,
    },
    /// The provider said no: nothing exists there.
    Refused(String),
    /// It may exist there: our row becomes `unknown`, never `failed`.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Success,
    Failed,
    Cancelled,
}

/// The provider's own word on a payment: the only thing money moves on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    pub status: Status,
    /// In the provider's units; `None` when it is not a whole, positive number.
    pub amount: Option<i64>,
    pub currency: String,
    pub environment: String,
    pub intent: Option<Claim>,
}

/// The metadata we gave it at creation. Worth nothing until [`Claim::holds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub intent_id: String,
    pub attempt: i32,
    pub tag: String,
}

impl Claim {
    /// True when the tag is ours for exactly this intent, attempt, amount and currency.
    #[must_use]
    pub fn holds(&self, key: &Secret, amount: i64, currency: &str) -> bool {
        !key.is_empty() && Secret::new(tag(key, &self.intent_id, self.attempt, amount, currency)).equals(&self.tag)
    }
}

/// Binds a provider payment to our row for the case that its id is lost on the way back (money.md, 2.4).
#[must_use]
pub fn tag(key: &Secret, intent_id: &str, attempt: i32, amount: i64, currency: &str) -> String {
    hmac_hex(key, format!("{intent_id}|{attempt}|{amount}|{currency}").as_bytes())
}

/// What a webhook said. A hint: it says where to look, never what to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub event: String,
    pub payment_id: String,
    /// Semantic, so that the same news in other bytes is still the same.
    pub dedupe_key: String,
    pub known: bool,
}

/// One payment provider, without a network: adding one touches its file and a table row.
pub trait Gateway {
    fn name(&self) -> &'static str;
    fn create(&self, intent: &Intent) -> Outgoing;
    fn created(&self, answer: &Incoming) -> Created;
    fn query(&self, payment_id: &str) -> Outgoing;
    /// `None`: no usable answer; ask again later.
    fn truth(&self, answer: &Incoming) -> Option<Truth>;
    /// True when any live secret verifies the raw bytes.
    fn authentic(&self, body: &[u8], signature: Option<&str>) -> bool;
    /// `None`: not an event of this provider.
    fn hint(&self, body: &[u8]) -> Option<Hint>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_binds_intent_attempt_amount_and_currency() {
        let key = Secret::new("tag-key".into());
        let claim = Claim { intent_id: "i-1".into(), attempt: 1, tag: tag(&key, "i-1", 1, 500, "GNF") };
        assert!(claim.holds(&key, 500, "GNF"));
        for (amount, currency) in [(499, "GNF"), (500, "XOF")] {
            assert!(!claim.holds(&key, amount, currency), "{amount} {currency}");
        }
        assert!(!Claim { attempt: 2, ..claim.clone() }.holds(&key, 500, "GNF"));
        assert!(!Claim { intent_id: "i-2".into(), ..claim.clone() }.holds(&key, 500, "GNF"));
        assert!(!claim.holds(&Secret::default(), 500, "GNF"));
    }
}
