//! Moneroo: hosted checkout. Amounts are whole units of the currency as an integer (100 is 100 XOF, and 100 USD); the
//! currency is text in some answers and an object in others; no idempotency key exists. Source: docs.moneroo.io.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{
    Checkout, Claim, Created, Gateway, Hint, Intent, Listener, Notice, PaysOut, Reference, Settings, Status, Subject,
    Truth, decimal, tag, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::{Secret, hmac_matches};

const EVENTS: [&str; 7] = [
    "payment.initiated",
    "payment.success",
    "payment.failed",
    "payment.cancelled",
    "payout.initiated",
    "payout.success",
    "payout.failed",
];

/// The adapter, on loan from the settings.
pub struct Moneroo<'a> {
    pub(super) settings: &'a Settings,
}

impl<'a> Moneroo<'a> {
    /// `None` without its keys: the caller answers 503, there is no simulation.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let complete =
            !settings.moneroo_secret_key.is_empty() && !settings.moneroo_url.is_empty() && !settings.tag_key.is_empty();
        complete.then_some(Self { settings })
    }

    /// For webhooks, which need a signing secret and the means to ask back.
    #[must_use]
    pub fn listening(settings: &'a Settings) -> Option<Self> {
        let secrets = &settings.moneroo_webhook_secrets;
        Self::configured(settings).filter(|_| !secrets.is_empty() && secrets.iter().all(|secret| !secret.is_empty()))
    }

    pub(super) fn request(&self, method: &'static str, path: &str, body: Option<String>) -> Outgoing {
        let mut headers = vec![
            ("authorization", format!("Bearer {}", self.settings.moneroo_secret_key.expose())),
            ("accept", "application/json".to_owned()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Outgoing {
            method,
            url: format!("{}{path}", self.settings.moneroo_url),
            headers,
            body,
            timeout_ms: wire::TIMEOUT_MS,
        }
    }

    /// `GET /v1/utils/payment/methods`.
    #[must_use]
    pub fn methods(&self) -> Outgoing {
        self.request("GET", "/v1/utils/payment/methods", None)
    }
}

#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub data: T,
}

#[derive(Deserialize)]
struct CheckoutData {
    id: String,
    checkout_url: String,
}

/// A payment or a payout, as `verify` shows it.
#[derive(Deserialize)]
pub(super) struct Verified {
    id: Option<String>,
    pub status: String,
    amount: Box<RawValue>,
    currency: CurrencyField,
    environment: Option<String>,
    #[serde(default, deserialize_with = "json::some_object")]
    metadata: Option<Map<String, Value>>,
}

impl Verified {
    /// `None` for an answer about something else than `id`, or about nothing.
    pub fn read(answer: &Incoming, id: &str) -> Option<Self> {
        let read = || json::read::<Envelope<Self>>(&answer.body).ok();
        let data = if answer.status == 200 { read()?.data } else { return None };
        // Theirs is a number. Something else in its place is an answer that nobody has described.
        if !data.amount.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        data.id.as_deref().is_none_or(|own| own == id).then_some(data)
    }

    /// As it stands there, and not through a float: `100` and `100.0` are whole, `100.5`, `1e2` and negatives are not.
    pub fn amount(&self) -> Option<i64> {
        decimal::read(&self.amount, 0)
    }

    pub fn currency(&self) -> String {
        let (CurrencyField::Code(code) | CurrencyField::Object { code }) = &self.currency;
        code.clone()
    }

    pub fn environment(&self) -> String {
        self.environment.clone().unwrap_or_default()
    }

    pub fn claim(&self) -> Option<Claim> {
        wire::claim(self.metadata.as_ref())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CurrencyField {
    Code(String),
    Object { code: String },
}

#[derive(Deserialize)]
struct Event {
    event: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    id: String,
    status: Option<String>,
}

impl Gateway for Moneroo<'_> {
    fn name(&self) -> &'static str {
        "moneroo"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = Some(payment.id()).filter(|id| wire::plausible(id))?;
        Some(self.request("GET", &format!("/v1/payments/{id}/verify"), None))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        let data = Verified::read(answer, payment.id())?;
        Some(Truth {
            status: match data.status.as_str() {
                "success" => Status::Success,
                "failed" => Status::Failed,
                "cancelled" => Status::Cancelled,
                "initiated" | "pending" => Status::Pending,
                _ => Status::Odd,
            },
            amount: data.amount(),
            currency: data.currency(),
            environment: data.environment(),
            intent: data.claim(),
            refunded: None,
            dispute: None,
        })
    }
}

impl PaysOut for Moneroo<'_> {
    fn payouts(&self) -> &dyn super::Payouts {
        self
    }
}

impl Checkout for Moneroo<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let mut body = json!({
            "amount": intent.amount, "currency": intent.currency, "description": intent.description,
            "return_url": intent.return_url, "customer": intent.customer,
            "metadata": {
                "intent_id": intent.id, "attempt": intent.attempt.to_string(),
                "tag": tag(&self.settings.tag_key, &intent.id, intent.attempt, intent.amount, &intent.currency),
            },
        });
        if let (false, Some(fields)) = (intent.methods.is_empty(), body.as_object_mut()) {
            fields.insert("methods".into(), json!(intent.methods));
        }
        self.request("POST", "/v1/payments/initialize", Some(json::text(&body)))
    }

    fn created(&self, _intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Envelope<CheckoutData>>(&answer.body)) {
            (200..=299, Ok(Envelope { data }))
                if wire::plausible(&data.id) && data.checkout_url.starts_with("http") =>
            {
                Created::Open { id: data.id, url: Some(data.checkout_url), data: Map::new() }
            }
            // 5xx, or a success that we cannot read: it may have been made.
            (status, _) => wire::not_created("moneroo", status),
        }
    }
}

impl Listener for Moneroo<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let signature = notice.header("x-moneroo-signature").unwrap_or_default();
        let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
        wire::any(&self.settings.moneroo_webhook_secrets, |secret| hmac_matches(secret, &notice.body, hex))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        json::check(&notice.body).ok()?;
        let Event { event, data } = json::read_bytes(&notice.body).ok()?;
        let status = data.status.unwrap_or_default();
        if !wire::plausible(&data.id) || status.len() > 40 {
            return None;
        }
        let subject = match event.split_once('.') {
            Some(("payment", _)) => Subject::Payment,
            Some(("payout", _)) => Subject::Payout,
            _ => Subject::Other,
        };
        let known = EVENTS.contains(&event.as_str());
        wire::hint(&event, known, Some((subject, data.id.clone())), &[&data.id, &status], &notice.body)
    }
}

/// The [`Lookup`](super::Lookup) of a function that has to do with Moneroo alone.
#[must_use]
pub fn alone<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Gateway + 'a>> {
    if provider == "moneroo" { Some(Box::new(Moneroo::configured(settings)?)) } else { None }
}

/// The secrets of a comma-separated setting; an empty item makes the whole list count as not configured.
#[must_use]
pub fn secrets(list: &str) -> Vec<Secret> {
    if list.is_empty() { Vec::new() } else { list.split(',').map(|s| Secret::new(s.trim().to_owned())).collect() }
}

#[cfg(test)]
mod tests;
