//! Flutterwave v3: a hosted page for cards and mobile money. Amounts are decimals of the currency, the id is ours
//! (`tx_ref`), and a notification shows a password, it signs nothing. Source: developer.flutterwave.com/v3.0
//! (flutterwave-standard, transaction-verification, webhooks, authentication).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Settings, Status, Subject, Truth, decimal,
    form, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;

const EVENTS: [&str; 1] = ["charge.completed"];

pub struct Flutterwave<'a> {
    settings: &'a Settings,
    url: &'a str,
    key: &'a str,
}

impl<'a> Flutterwave<'a> {
    /// `None` without its address and key.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        Some(Self { settings, url: settings.rail("FLUTTERWAVE_URL")?, key: settings.rail("FLUTTERWAVE_SECRET_KEY")? })
    }

    fn request(&self, method: &'static str, path: &str, body: Option<String>) -> Outgoing {
        let mut headers = vec![("authorization", format!("Bearer {}", self.key))];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Outgoing { method, url: format!("{}{path}", self.url), headers, body, timeout_ms: wire::TIMEOUT_MS }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: T,
}

#[derive(Deserialize)]
struct Page {
    link: String,
}

#[derive(Deserialize)]
struct Transaction {
    tx_ref: String,
    status: String,
    /// What was asked for; `charged_amount` adds fees that are not ours.
    amount: Box<RawValue>,
    currency: String,
}

impl Gateway for Flutterwave<'_> {
    fn name(&self) -> &'static str {
        "flutterwave"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = Some(payment.id()).filter(|id| wire::plausible(id))?;
        let question = form::encode(&[("tx_ref", id)]);
        Some(self.request("GET", &format!("/v3/transactions/verify_by_reference?{question}"), None))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let Envelope { status, data } = json::read::<Envelope<Transaction>>(&answer.body).ok()?;
        if status != "success" || data.tx_ref != payment.id() {
            return None;
        }
        Some(Truth {
            status: match data.status.as_str() {
                "successful" => Status::Success,
                "failed" => Status::Failed,
                "pending" => Status::Pending,
                _ => Status::Odd,
            },
            amount: payment.units(&data.amount, &data.currency),
            currency: data.currency,
            // An answer does not say; it is of the same mode as the key that may see it. Test keys are FLWSECK_TEST-….
            environment: if self.key.starts_with("FLWSECK-") { "live" } else { "sandbox" }.to_owned(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for Flutterwave<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let customer = &intent.customer;
        let names = [customer.first_name.as_deref(), customer.last_name.as_deref()];
        let body = json!({
            "tx_ref": intent.id, "amount": decimal::write(intent.amount, intent.exponent), "currency": intent.currency,
            "redirect_url": intent.return_url, "customizations": { "description": intent.description },
            "customer": {
                "email": customer.email, "name": names.into_iter().flatten().collect::<Vec<_>>().join(" "),
                "phonenumber": intent.phone.as_ref().or(customer.phone.as_ref()),
            },
        });
        self.request("POST", "/v3/payments", Some(json::text(&body)))
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Envelope<Page>>(&answer.body)) {
            (200..=299, Ok(Envelope { status, data })) if status == "success" && data.link.starts_with("http") => {
                Created::Open { id: intent.id.clone(), url: Some(data.link), data: Map::new() }
            }
            (status, _) => wire::not_created("flutterwave", status),
        }
    }
}

impl Listener for Flutterwave<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let shown = notice.header("verif-hash").unwrap_or_default();
        wire::any(&self.settings.rail_secrets("FLUTTERWAVE_WEBHOOK_SECRET"), |secret| secret.equals(shown))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let event = body.get("event")?.as_str()?;
        let reference = wire::id_at(&body, "/data/tx_ref").filter(|_| event.starts_with("charge."));
        let about = reference.clone().map(|reference| (Subject::Payment, reference));
        // The same news has the same parts: of what, and how it stands. What names nothing is known by its bytes.
        let part = |pointer| wire::id_at(&body, pointer).unwrap_or_default();
        let parts = reference.map(|reference| [reference, part("/data/id"), part("/data/status")]);
        let news: Vec<_> = parts.iter().flatten().map(String::as_str).collect();
        wire::hint(event, EVENTS.contains(&event), about, &news, &notice.body)
    }
}

#[cfg(test)]
mod tests;
