//! The settings that payments read, and the variables they come from.

use super::{callback_token, moneroo};
use crate::secret::Secret;

/// The settings that payments read; empty secrets mean "not configured" and are refused, never skipped.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub moneroo_url: String,
    pub moneroo_secret_key: Secret,
    /// Several while a secret is rotated.
    pub moneroo_webhook_secrets: Vec<Secret>,
    /// Every other provider's, by the name of its variable: `STRIPE_SECRET_KEY`. Absent and empty are the same.
    pub rails: Rails,
    pub tag_key: Secret,
    /// `live` or `sandbox`; a payment of the other environment never settles.
    pub environment: String,
    pub return_url: String,
    /// Origins a client may send its payer back to; `*` for development.
    pub return_origins: Vec<String>,
    /// The public base of the functions, ending in `/functions/v1`; where providers send their notifications.
    pub callback_url: String,
    pub internal_keys: Vec<Secret>,
}

/// Variables by name. A list: there are few, they are read once in a while, and a tree of them is code of its own.
#[derive(Clone, Debug, Default)]
pub struct Rails(Vec<(&'static str, Secret)>);

impl Rails {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The latest value of a name is the one that counts.
    pub fn insert(&mut self, name: &'static str, value: Secret) {
        self.0.retain(|(own, _)| *own != name);
        self.0.push((name, value));
    }
}

impl FromIterator<(&'static str, Secret)> for Rails {
    fn from_iter<I: IntoIterator<Item = (&'static str, Secret)>>(rails: I) -> Self {
        Self(rails.into_iter().collect())
    }
}

impl<const N: usize> From<[(&'static str, Secret); N]> for Rails {
    fn from(rails: [(&'static str, Secret); N]) -> Self {
        Self(rails.into())
    }
}

impl Settings {
    /// A rail's variable; `None` when it is absent or empty.
    #[must_use]
    pub fn rail(&self, name: &str) -> Option<&str> {
        self.rails.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }

    /// A rail's secrets, separated by commas while one is rotated. Empty when one of them is: not configured.
    #[must_use]
    pub fn rail_secrets(&self, name: &str) -> Vec<Secret> {
        let listed = moneroo::secrets(self.rail(name).unwrap_or_default());
        if listed.iter().any(Secret::is_empty) { Vec::new() } else { listed }
    }

    /// Where a provider that signs nothing reports a payment: the address itself carries the proof, see [`callback_token`].
    #[must_use]
    pub fn callback(&self, provider: &str, payment_id: &str) -> String {
        let token = callback_token(&self.tag_key, provider, payment_id);
        format!("{}/payment-webhook?provider={provider}&t={token}", self.callback_url)
    }
}

/// Every variable of every provider but Moneroo; those of a provider that is not used stay empty.
pub const RAILS: [&str; 38] = [
    "STRIPE_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "CARD_PAGE_URL",
    "PAYSTACK_URL",
    "PAYSTACK_SECRET_KEY",
    "FLUTTERWAVE_URL",
    "FLUTTERWAVE_SECRET_KEY",
    "FLUTTERWAVE_WEBHOOK_SECRET",
    "FLUTTERWAVE_V4_URL",
    "FLUTTERWAVE_V4_LOGIN_URL",
    "FLUTTERWAVE_V4_CLIENT_ID",
    "FLUTTERWAVE_V4_CLIENT_SECRET",
    "FLUTTERWAVE_V4_WEBHOOK_SECRET",
    "CINETPAY_URL",
    "CINETPAY_API_KEY",
    "CINETPAY_SITE_ID",
    "CINETPAY_WEBHOOK_SECRET",
    "WAVE_URL",
    "WAVE_SECRET_KEY",
    "WAVE_WEBHOOK_SECRET",
    "ORANGE_URL",
    "ORANGE_MERCHANT_KEY",
    "ORANGE_AUTHORIZATION",
    "ORANGE_COUNTRY",
    "MTN_URL",
    "MTN_SUBSCRIPTION_KEY",
    "MTN_API_USER",
    "MTN_API_KEY",
    "MTN_TARGET_ENVIRONMENT",
    "AIRTEL_URL",
    "AIRTEL_CLIENT_ID",
    "AIRTEL_CLIENT_SECRET",
    "AIRTEL_COUNTRY",
    "PAYDUNYA_URL",
    "PAYDUNYA_MASTER_KEY",
    "PAYDUNYA_PRIVATE_KEY",
    "PAYDUNYA_TOKEN",
];
