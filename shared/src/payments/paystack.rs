//! Paystack: a hosted page. Amounts are hundredths of every currency, the id is ours (`reference`), and the API key signs
//! the notifications, too: while it is rotated, several are listed and the first one calls. Source: paystack.com/docs
//! (api/transaction, payments/verify-payments, payments/webhooks).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Settings, Status, Subject, Truth, decimal,
    wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json::{self, Tree};
use crate::secret::{Secret, hmac512_matches};

const EVENTS: [&str; 8] = [
    "charge.success",
    "charge.dispute.create",
    "charge.dispute.remind",
    "charge.dispute.resolve",
    "refund.pending",
    "refund.processing",
    "refund.processed",
    "refund.failed",
];

pub struct Paystack<'a> {
    url: &'a str,
    key: Secret,
    keys: Vec<Secret>,
}

impl<'a> Paystack<'a> {
    /// `None` without its address and keys.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let keys = settings.rail_secrets("PAYSTACK_SECRET_KEY");
        Some(Self { url: settings.rail("PAYSTACK_URL")?, key: keys.first()?.clone(), keys })
    }

    fn request(&self, method: &'static str, path: &str, body: Option<String>) -> Outgoing {
        let mut headers = vec![("authorization", format!("Bearer {}", self.key.expose()))];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Outgoing { method, url: format!("{}{path}", self.url), headers, body, timeout_ms: wire::TIMEOUT_MS }
    }
}

/// A reference is used once: this one exists.
fn reference_taken(answer: &Incoming) -> bool {
    let body = json::read::<Tree>(&answer.body).unwrap_or_default().0;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    text("code") == "duplicate_reference" || crate::text::contains(&text("message"), "duplicate transaction reference")
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: bool,
    data: T,
}

#[derive(Deserialize)]
struct Page {
    authorization_url: String,
    reference: String,
}

#[derive(Deserialize)]
struct Transaction {
    reference: String,
    status: String,
    amount: Box<RawValue>,
    currency: String,
    domain: Option<String>,
}

impl Gateway for Paystack<'_> {
    fn name(&self) -> &'static str {
        "paystack"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = Some(payment.id()).filter(|id| wire::plausible(id))?;
        Some(self.request("GET", &format!("/transaction/verify/{id}"), None))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let Envelope { status, data } = json::read::<Envelope<Transaction>>(&answer.body).ok()?;
        if !status || data.reference != payment.id() {
            return None;
        }
        Some(Truth {
            status: match data.status.as_str() {
                "success" => Status::Success,
                "failed" => Status::Failed,
                // abandoned is what a page is called that nobody has used yet; and reversed is money that came and went:
                // nothing of ours moves on it.
                "abandoned" | "ongoing" | "pending" | "processing" | "queued" | "reversed" => Status::Pending,
                _ => Status::Odd,
            },
            amount: decimal::read(&data.amount, 0),
            currency: data.currency,
            environment: match data.domain.as_deref() {
                Some("live") => "live",
                Some("test") => "sandbox",
                _ => "",
            }
            .to_owned(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for Paystack<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let body = json!({
            "email": intent.customer.email, "amount": intent.amount, "currency": intent.currency,
            "reference": intent.id, "callback_url": intent.return_url,
        });
        self.request("POST", "/transaction/initialize", Some(json::text(&body)))
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Envelope<Page>>(&answer.body)) {
            (200..=299, Ok(Envelope { status: true, data }))
                if data.reference == intent.id && data.authorization_url.starts_with("http") =>
            {
                Created::Open { id: intent.id.clone(), url: Some(data.authorization_url), data: Map::new() }
            }
            (status, _) if reference_taken(answer) => {
                Created::Unknown(format!("paystack answered {status}: it exists"))
            }
            (status, _) => wire::not_created("paystack", status),
        }
    }
}

impl Listener for Paystack<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let signature = notice.header("x-paystack-signature").unwrap_or_default();
        wire::any(&self.keys, |key| hmac512_matches(key, &notice.body, signature))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let event = body.get("event")?.as_str()?;
        let pointers: &[&str] = match event.split_once('.') {
            Some(("charge", _)) => &["/data/reference", "/data/transaction/reference"],
            Some(("refund", _)) => &["/data/transaction_reference", "/data/transaction/reference"],
            _ => &[],
        };
        let reference = pointers.iter().find_map(|pointer| wire::id_at(&body, pointer));
        let about = reference.clone().map(|reference| (Subject::Payment, reference));
        // The same news has the same parts: of what, and how it stands. What names nothing is known by its bytes.
        let part = |pointer| wire::id_at(&body, pointer).unwrap_or_default();
        let parts = reference
            .map(|reference| [reference, part("/data/id"), part("/data/refund_reference"), part("/data/status")]);
        let news: Vec<_> = parts.iter().flatten().map(String::as_str).collect();
        wire::hint(event, EVENTS.contains(&event), about, &news, &notice.body)
    }
}

#[cfg(test)]
mod tests;
