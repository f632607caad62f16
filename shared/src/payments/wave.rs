//! Wave: a hosted checkout that opens the payer's app. Source: docs.wave.com (checkout, webhook). Amounts are text; a
//! payment whose answer was lost is found by our own id, `client_reference`. The signature has no dot between time and
//! body, whatever the blogs say. The key names its environment (`wave_sn_prod_…`); one that does not is what the
//! configuration says.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Settings, Status, Subject, Truth, decimal,
    wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::hmac_matches;

/// Of a checkout: what we act on. The rest is of the account, and kept.
const EVENTS: [&str; 2] = ["checkout.session.completed", "checkout.session.payment_failed"];

pub struct Wave<'a> {
    settings: &'a Settings,
    url: &'a str,
    key: &'a str,
}

impl<'a> Wave<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        Some(Self { settings, url: settings.rail("WAVE_URL")?, key: settings.rail("WAVE_SECRET_KEY")? })
    }

    fn request(&self, method: &'static str, path: &str) -> Outgoing {
        let headers =
            vec![("authorization", format!("Bearer {}", self.key)), ("accept", "application/json".to_owned())];
        let url = format!("{}/v1/checkout/sessions{path}", self.url);
        Outgoing { method, url, headers, body: None, timeout_ms: wire::TIMEOUT_MS }
    }

    /// `wave_sn_prod_…` and `wave_sn_test_…`, as the portal writes them.
    fn environment(&self) -> String {
        let mut prefix = self.key.split('_').take(3);
        match prefix.find(|part| matches!(*part, "prod" | "test")) {
            Some("prod") => "live".to_owned(),
            Some(_) => "sandbox".to_owned(),
            None => self.settings.environment.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Session<'a> {
    id: String,
    #[serde(borrow)]
    amount: &'a RawValue,
    currency: String,
    client_reference: Option<String>,
    payment_status: Option<String>,
    checkout_status: Option<String>,
    wave_launch_url: Option<String>,
}

impl Session<'_> {
    fn is_for(&self, payment_id: &str) -> bool {
        self.client_reference.as_deref() == Some(payment_id)
    }

    fn status(&self) -> Status {
        match (self.payment_status.as_deref(), self.checkout_status.as_deref()) {
            (Some("succeeded"), _) => Status::Success,
            (Some("cancelled"), _) => Status::Cancelled,
            // Money may still be on its way, however old the page.
            (Some("processing"), _) | (None, Some("open" | "complete")) => Status::Pending,
            (None, Some("expired")) => Status::Cancelled,
            _ => Status::Odd,
        }
    }
}

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    result: Vec<Session<'a>>,
}

fn is_session(id: &str) -> bool {
    id.starts_with("cos-") && wire::plausible(id)
}

impl Gateway for Wave<'_> {
    fn name(&self) -> &'static str {
        "wave"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.provider_payment_id.as_deref()?;
        Some(self.request("GET", &format!("/{id}")))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let session: Session<'_> = json::read(&answer.body).ok()?;
        let ours =
            payment.payment_id.as_deref().is_none_or(|id| session.client_reference.is_none() || session.is_for(id));
        (session.id == payment.id() && ours).then(|| Truth {
            status: session.status(),
            amount: payment.units(session.amount, &session.currency),
            currency: session.currency.clone(),
            environment: self.environment(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }

    fn search(&self, payment: &Reference) -> Option<Outgoing> {
        let ours = payment.payment_id.as_deref().filter(|id| wire::plausible(id))?;
        Some(self.request("GET", &format!("/search?client_reference={ours}")))
    }

    fn found(&self, payment: &Reference, answer: &Incoming) -> Option<String> {
        if answer.status != 200 {
            return None;
        }
        let ours = payment.payment_id.as_deref()?;
        let Found { result } = json::read(&answer.body).ok()?;
        let same = |session: &&Session<'_>| {
            is_session(&session.id)
                && session.is_for(ours)
                && session.currency == payment.currency
                && decimal::read(session.amount, payment.exponent) == Some(payment.amount)
        };
        let sessions: Vec<_> = result.iter().filter(same).collect();
        // Of several only the paid one can be told to be the one that matters.
        let paid = sessions.iter().find(|session| session.status() == Status::Success);
        paid.or(sessions.first()).map(|session| session.id.clone())
    }
}

impl Checkout for Wave<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let body = json!({
            "amount": decimal::write(intent.amount, intent.exponent), "currency": intent.currency,
            "client_reference": intent.id, "success_url": intent.return_url, "error_url": intent.return_url,
        });
        let mut request = self.request("POST", "");
        request.headers.push(("content-type", "application/json".to_owned()));
        request.headers.push(("idempotency-key", intent.id.clone()));
        request.body = Some(json::text(&body));
        request
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Session<'_>>(&answer.body)) {
            (200..=299, Ok(made)) if is_session(&made.id) && made.is_for(&intent.id) => match made.wave_launch_url {
                Some(url) if url.starts_with("http") => Created::Open { id: made.id, url: Some(url), data: Map::new() },
                _ => Created::Unknown("wave answered without a page".to_owned()),
            },
            (status, _) => wire::not_created("wave", status),
        }
    }
}

impl Listener for Wave<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let stamped = wire::stamped(notice.header("wave-signature").unwrap_or_default(), notice.now_s);
        wire::any(&self.settings.rail_secrets("WAVE_WEBHOOK_SECRET"), |secret| {
            stamped.as_ref().is_some_and(|(time, signatures)| {
                let signed = [time.as_bytes(), &notice.body].concat();
                signatures.iter().fold(false, |good, signature| hmac_matches(secret, &signed, signature) | good)
            })
        })
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let event = wire::at(&body, "/type")?.as_str()?;
        let id = wire::id_at(&body, "/id")?;
        if EVENTS.contains(&event) {
            let session = wire::id_at(&body, "/data/id").filter(|session| is_session(session))?;
            return wire::hint(event, true, Some((Subject::Payment, session)), &[&id], &notice.body);
        }
        wire::hint(event, event == "test.test_event", Some((Subject::Other, id.clone())), &[&id], &notice.body)
    }
}

#[cfg(test)]
mod tests;
