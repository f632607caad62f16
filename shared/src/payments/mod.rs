//! Money from outside. A provider is pure: it builds requests, reads answers and checks signatures; the flows around it
//! ([`checkout`], [`confirm`]) talk to Postgres and to the network through ports.

mod adapters;
pub mod airtel_money;
mod call;
pub mod checkout;
pub mod cinetpay;
pub mod confirm;
pub mod decimal;
pub mod flutterwave;
pub mod flutterwave_v4;
pub mod form;
pub mod moneroo;
mod moneroo_payouts;
pub mod mtn_momo;
mod notice;
pub mod orange_money;
pub mod paydunya;
pub mod payouts;
pub mod paystack;
pub mod receive;
pub mod reconcile;
mod reference;
mod settings;
pub mod shown;
pub mod stripe;
pub mod sweep;
pub mod wave;
pub mod wire;

pub use adapters::{Lookup, PROVIDERS, checkout_at, configured, gateway, listener, payout_at};
pub use notice::{Hint, Notice, SIGNATURE_HEADERS, Subject, callback_token, called_back};
pub use payouts::{Payout, PayoutStatus, PayoutTruth, Payouts, Sent};
pub use reference::Reference;
pub use settings::{RAILS, Rails, Settings};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::{Incoming, Outgoing};
use crate::secret::{Secret, hmac_hex};

/// A payment to ask for, in the provider's units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Our payment's id, a UUID.
    pub id: String,
    pub attempt: i32,
    /// The provider's integer, from `provider_currencies`: whole units at Moneroo, hundredths at Paystack.
    pub amount: i64,
    /// Digits of that integer behind the point, for providers that write decimals.
    pub exponent: u8,
    pub currency: String,
    pub description: String,
    pub return_url: String,
    pub customer: Customer,
    pub methods: Vec<String>,
    /// Digits only, for a request to a phone.
    pub phone: Option<String>,
}

/// Who pays. What is missing is taken from his profile; without either it is 400 `VALIDATION_ERROR`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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

/// What asking came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It exists there.
    Open {
        id: String,
        /// Where the payer goes; `None` when the provider asks the phone, or the page needs `data`.
        url: Option<String>,
        /// What asking again needs (`pay_token`), what proves a notification (`notif_token`), what a page needs
        /// (`client_secret`): stored with the payment.
        data: Map<String, Value>,
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
    /// One that nobody has listed: not final, and reported.
    Odd,
}

/// The provider's own word on a payment: the only thing money moves on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    pub status: Status,
    /// In the provider's units; `None` when it is not a whole, positive number of them.
    pub amount: Option<i64>,
    pub currency: String,
    pub environment: String,
    pub intent: Option<Claim>,
    /// What has gone back to the payer there, in the provider's units; `None` where it does not say.
    pub refunded: Option<i64>,
    pub dispute: Option<Dispute>,
}

/// A payer's objection, as the card provider tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dispute {
    pub id: String,
    pub state: DisputeState,
    /// In the provider's units.
    pub amount: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    Open,
    Lost,
    Won,
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

/// The answer to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub bearer: String,
    /// Seconds.
    pub lives_s: u64,
}

/// One payment provider, without a network: adding one touches its file and table rows. Here is what every flow asks of it; what
/// only some flows need is a trait of its own, so that a function which never starts a payment links no code that does.
pub trait Gateway {
    fn name(&self) -> &'static str;
    /// Asked first where calls need a session; its bearer is put on every other request.
    fn login(&self) -> Option<Outgoing> {
        None
    }
    fn session(&self, _answer: &Incoming) -> Option<Session> {
        None
    }
    /// `None`: without what the row lacks, this provider cannot be asked.
    fn query(&self, payment: &Reference) -> Option<Outgoing>;
    /// `None`: no usable answer; ask again later.
    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth>;
    /// Looks for a payment whose answer was lost, by our own id, where [`Gateway::query`] cannot.
    fn search(&self, _payment: &Reference) -> Option<Outgoing> {
        None
    }
    /// The provider's id that the search found.
    fn found(&self, _payment: &Reference, _answer: &Incoming) -> Option<String> {
        None
    }
}

/// Starts payments.
pub trait Checkout: Gateway {
    fn create(&self, intent: &Intent) -> Outgoing;
    fn created(&self, intent: &Intent, answer: &Incoming) -> Created;
}

/// Hears what a provider says unasked.
pub trait Listener: Gateway {
    /// `None`: its signing secret is not configured, which is 503 and never a skipped check.
    fn authentic(&self, notice: &Notice) -> Option<bool>;
    /// `None`: not an event of this provider.
    fn hint(&self, notice: &Notice) -> Option<Hint>;
}

/// Has a way out, too.
pub trait PaysOut: Gateway {
    fn payouts(&self) -> &dyn Payouts;
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
