//! A notification of a provider: how it arrives, what proves it, and the little that is read in it.

use serde::Serialize;

use crate::secret::{Secret, hmac_hex};

/// What an unsigned notification must show: our payment's id and a MAC of it, separated by a point.
#[must_use]
pub fn callback_token(key: &Secret, provider: &str, payment_id: &str) -> String {
    format!("{payment_id}.{}", hmac_hex(key, format!("callback|{provider}|{payment_id}").as_bytes()))
}

/// The payment that a callback address was made for; `None` unless its token is ours, in constant time.
#[must_use]
pub fn called_back<'a>(key: &Secret, provider: &str, token: &'a str) -> Option<&'a str> {
    let (payment_id, _) = token.split_once('.')?;
    let good = !key.is_empty() && Secret::new(callback_token(key, provider, payment_id)).equals(token);
    good.then_some(payment_id)
}

/// A notification as it arrived, before anything in it is believed.
#[derive(Clone, Debug, Default)]
pub struct Notice {
    /// Some providers only try the address.
    pub get: bool,
    /// The `provider` of the address.
    pub provider: Option<String>,
    pub body: Vec<u8>,
    /// Lower-case names; only those of [`SIGNATURE_HEADERS`], and what is kept with the event.
    pub headers: Vec<(&'static str, String)>,
    /// The `t` of the address.
    pub token: Option<String>,
    /// Unix seconds, by our clock.
    pub now_s: i64,
}

impl Notice {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

/// Every header that signs a notification, of whichever provider.
pub const SIGNATURE_HEADERS: [&str; 7] = [
    "x-moneroo-signature",
    "stripe-signature",
    "x-paystack-signature",
    "verif-hash",
    "flutterwave-signature",
    "x-token",
    "wave-signature",
];

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Payment,
    Payout,
    /// Stored and reported, nothing more.
    Other,
}

/// What a webhook said. A hint: it says where to look, never what to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub event: String,
    pub subject: Subject,
    /// The provider's id of the payment or payout.
    pub payment_id: String,
    /// Semantic, so that the same news in other bytes is still the same.
    pub dedupe_key: String,
    pub known: bool,
    /// What must equal the `notif_token` kept with the payment, where the provider has one.
    pub proof: Option<String>,
}
