//! Stripe: cards. A `PaymentIntent` is made here and confirmed by our card page with its `client_secret`; no card number
//! comes near us. Bodies are forms, currencies lower case, amounts integers. Source: docs.stripe.com (api/payment_intents,
//! api/refunds, api/disputes, webhooks/signature).

mod refunds;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{
    Checkout, Claim, Created, Dispute, DisputeState, Gateway, Hint, Intent, Listener, Notice, PaysOut, Reference,
    Settings, Status, Subject, Truth, form, tag, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json::{self, Tree};
use crate::secret::hmac_matches;

/// Answers keep the shape of this version, whatever the account's default is. A charge still shows its `dispute` in it.
const VERSION: &str = "2024-06-20";
const EVENTS: [&str; 19] = [
    "payment_intent.created",
    "payment_intent.requires_action",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.succeeded",
    "charge.failed",
    "charge.updated",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "refund.created",
    "refund.updated",
    "refund.failed",
];

pub struct Stripe<'a> {
    settings: &'a Settings,
    url: &'a str,
    key: &'a str,
}

impl<'a> Stripe<'a> {
    /// `None` without its address and key.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        Some(Self { settings, url: settings.rail("STRIPE_URL")?, key: settings.rail("STRIPE_SECRET_KEY")? })
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("authorization", format!("Bearer {}", self.key)), ("stripe-version", VERSION.to_owned())]
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> Outgoing {
        let question = if fields.is_empty() { String::new() } else { format!("?{}", form::encode(fields)) };
        let url = format!("{}{path}{question}", self.url);
        Outgoing { method: "GET", url, headers: self.headers(), body: None, timeout_ms: wire::TIMEOUT_MS }
    }

    /// With a key of ours, so that the same request is the same object there.
    fn post(&self, path: &str, key: &str, fields: &[(&str, &str)]) -> Outgoing {
        let mut headers = self.headers();
        headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        headers.push(("idempotency-key", key.to_owned()));
        let (url, body) = (format!("{}{path}", self.url), Some(form::encode(fields)));
        Outgoing { method: "POST", url, headers, body, timeout_ms: wire::TIMEOUT_MS }
    }

    fn tag(&self, id: &str, attempt: i32, amount: i64, currency: &str) -> String {
        tag(&self.settings.tag_key, id, attempt, amount, currency)
    }

    /// The page that takes the card. What opens the payment is behind the `#`: browsers send that to no server.
    fn page(&self, id: &str, client_secret: &str) -> Option<String> {
        let page = self.settings.rail("CARD_PAGE_URL")?;
        let sign = if page.contains('?') { '&' } else { '?' };
        Some(format!("{page}{sign}payment_intent={id}#{client_secret}"))
    }
}

/// The key was used before with another body: whatever that made, exists.
fn key_reused(answer: &Incoming) -> bool {
    let body = json::read::<Tree>(&answer.body).unwrap_or_default().0;
    wire::at(&body, "/error/type").and_then(Value::as_str) == Some("idempotency_error")
}

#[derive(Deserialize)]
struct PaymentIntent {
    id: String,
    client_secret: Option<String>,
    status: String,
    amount: i64,
    amount_received: Option<i64>,
    currency: String,
    livemode: bool,
    #[serde(default, deserialize_with = "json::some_object")]
    metadata: Option<Map<String, Value>>,
    /// An object where it was expanded, its id where it was not.
    latest_charge: Option<Box<RawValue>>,
}

impl PaymentIntent {
    /// What was received; before that what is asked for, so that the tag can be checked.
    fn amount(&self) -> Option<i64> {
        let amount = if self.status == "succeeded" { self.amount_received? } else { self.amount };
        (amount > 0).then_some(amount)
    }

    fn claim(&self) -> Option<Claim> {
        wire::claim(self.metadata.as_ref())
    }
}

#[derive(Deserialize)]
struct Charge {
    amount: i64,
    amount_refunded: Option<i64>,
    dispute: Option<MaybeDispute>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MaybeDispute {
    Dispute { id: String, status: String, amount: i64 },
    Id(String),
}

impl Charge {
    fn dispute(self) -> Option<Dispute> {
        Some(match self.dispute? {
            MaybeDispute::Dispute { id, status, amount } => Dispute { id, state: dispute_state(&status), amount },
            // All we know is that there is one: frozen until we know more.
            MaybeDispute::Id(id) => Dispute { id, state: DisputeState::Open, amount: self.amount },
        })
    }
}

fn dispute_state(status: &str) -> DisputeState {
    match status {
        "lost" => DisputeState::Lost,
        // Closed without money leaving us. What was given back instead shows as a refund.
        "won" | "warning_closed" | "prevented" | "charge_refunded" => DisputeState::Won,
        // needs_response, under_review, warning_…, and whatever they invent next: not decided.
        _ => DisputeState::Open,
    }
}

#[derive(Deserialize)]
struct Found {
    data: Vec<PaymentIntent>,
}

impl Gateway for Stripe<'_> {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = Some(payment.id()).filter(|id| wire::plausible(id))?;
        Some(self.get(&format!("/v1/payment_intents/{id}"), &[("expand[]", "latest_charge.dispute")]))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let read = json::read::<PaymentIntent>(&answer.body).ok()?;
        if read.id != payment.id() {
            return None;
        }
        let (amount, intent) = (read.amount(), read.claim());
        let charge = read.latest_charge.and_then(|charge| json::read::<Charge>(charge.get()).ok());
        Some(Truth {
            status: match read.status.as_str() {
                "succeeded" => Status::Success,
                "canceled" => Status::Cancelled,
                // requires_payment_method is where a declined card leads, too: the next one may pay.
                "requires_payment_method"
                | "requires_confirmation"
                | "requires_action"
                | "requires_capture"
                | "processing" => Status::Pending,
                _ => Status::Odd,
            },
            amount,
            currency: read.currency.to_ascii_uppercase(),
            environment: if read.livemode { "live" } else { "sandbox" }.to_owned(),
            intent,
            refunded: charge.as_ref().and_then(|charge| charge.amount_refunded).filter(|amount| *amount >= 0),
            dispute: charge.and_then(Charge::dispute),
        })
    }

    /// Their index is behind by up to a minute: not found today may be found by the next sweep.
    fn search(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.payment_id.as_deref().filter(|id| wire::plausible(id))?;
        Some(self.get("/v1/payment_intents/search", &[("query", &format!("metadata['intent_id']:'{id}'"))]))
    }

    fn found(&self, payment: &Reference, answer: &Incoming) -> Option<String> {
        let wanted = payment.payment_id.as_deref()?;
        let Found { data } = if answer.status == 200 { json::read(&answer.body).ok()? } else { return None };
        let ours = |found: &PaymentIntent| {
            let (key, currency) = (&self.settings.tag_key, found.currency.to_ascii_uppercase());
            found.claim().is_some_and(|claim| claim.intent_id == wanted && claim.holds(key, found.amount, &currency))
        };
        data.into_iter().filter(|found| wire::plausible(&found.id)).find(ours).map(|found| found.id)
    }
}

impl PaysOut for Stripe<'_> {
    fn payouts(&self) -> &dyn super::Payouts {
        self
    }
}

impl Checkout for Stripe<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        self.post(
            "/v1/payment_intents",
            &intent.id,
            &[
                ("amount", &intent.amount.to_string()),
                ("currency", &intent.currency.to_ascii_lowercase()),
                ("description", &intent.description),
                ("payment_method_types[]", "card"),
                ("metadata[intent_id]", &intent.id),
                ("metadata[attempt]", &intent.attempt.to_string()),
                ("metadata[tag]", &self.tag(&intent.id, intent.attempt, intent.amount, &intent.currency)),
            ],
        )
    }

    fn created(&self, _intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read(&answer.body)) {
            (200..=299, Ok(PaymentIntent { id, client_secret: Some(secret), .. }))
                if wire::plausible(&id) && secret.len() <= 300 && secret.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                let url = self.page(&id, &secret);
                Created::Open { id, url, data: wire::field("client_secret", secret) }
            }
            (status, _) if key_reused(answer) => Created::Unknown(format!("stripe answered {status}: key reused")),
            (status, _) => wire::not_created("stripe", status),
        }
    }
}

impl Listener for Stripe<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let header = notice.header("stripe-signature").unwrap_or_default();
        let (time, signatures) = wire::stamped(header, notice.now_s).unwrap_or_default();
        let signed = [time.as_bytes(), b".", &notice.body].concat();
        wire::any(&self.settings.rail_secrets("STRIPE_WEBHOOK_SECRET"), |secret| {
            signatures.iter().fold(false, |good, hex| hmac_matches(secret, &signed, hex) | good)
        })
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let (event, id) = (body.get("type")?.as_str()?, wire::id_at(&body, "/id")?);
        let at = |subject, pointer| wire::id_at(&body, pointer).map(|id| (subject, id));
        let about = match event {
            _ if event.starts_with("payment_intent.") => at(Subject::Payment, "/data/object/id"),
            _ if event.starts_with("refund.") || event == "charge.refund.updated" => {
                at(Subject::Payout, "/data/object/id")
            }
            _ if event.starts_with("charge.") => at(Subject::Payment, "/data/object/payment_intent"),
            _ => None,
        };
        // A charge without a PaymentIntent was not made by us.
        let known = EVENTS.contains(&event) && (about.is_some() || !event.starts_with("charge."));
        wire::hint(event, known, about, &[&id], &notice.body)
    }
}

#[cfg(test)]
mod tests;
