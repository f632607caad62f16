//! MTN `MoMo` (Collection): a request to the payer's phone. Source: momodeveloper.mtn.com (collection: token,
//! requesttopay), momodevelopercommunity.mtn.com (common errors). The id is ours, a UUID, sent as `X-Reference-Id`:
//! answered 409 it was there already, which is as good as 202. Notes may carry no apostrophe. A callback comes once,
//! unsigned, by PUT or POST: its address carries our token, and nothing in its body is believed, not even the id.
//! The target environment `sandbox` pays in EUR; for the others the configuration names the environment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Session, Settings, Status, Subject, Truth,
    called_back, decimal, form, orange_money, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json::{self, Fields};

const NAME: &str = "mtn_momo";
const STATUSES: [&str; 3] = ["PENDING", "SUCCESSFUL", "FAILED"];

pub struct MtnMomo<'a> {
    settings: &'a Settings,
    url: &'a str,
    subscription_key: &'a str,
    api_user: &'a str,
    api_key: &'a str,
    target: &'a str,
}

impl<'a> MtnMomo<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        Some(Self {
            settings,
            url: settings.rail("MTN_URL")?,
            subscription_key: settings.rail("MTN_SUBSCRIPTION_KEY")?,
            api_user: settings.rail("MTN_API_USER")?,
            api_key: settings.rail("MTN_API_KEY")?,
            target: settings.rail("MTN_TARGET_ENVIRONMENT")?,
        })
    }

    fn is_sandbox(&self) -> bool {
        self.target == "sandbox"
    }

    /// What the target environment pays in.
    fn currency<'b>(&self, ours: &'b str) -> &'b str {
        if self.is_sandbox() { "EUR" } else { ours }
    }

    fn request(&self, method: &'static str, path: &str) -> Outgoing {
        let headers = vec![
            ("ocp-apim-subscription-key", self.subscription_key.to_owned()),
            ("x-target-environment", self.target.to_owned()),
        ];
        let url = format!("{}/collection/v1_0/requesttopay{path}", self.url);
        Outgoing { method, url, headers, body: None, timeout_ms: wire::TIMEOUT_MS }
    }
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    currency: String,
    #[serde(rename = "externalId", default, deserialize_with = "json::some_tree")]
    external_id: Option<Value>,
    status: String,
    /// Text, or an object with a code.
    #[serde(default, deserialize_with = "json::some_tree")]
    reason: Option<Value>,
}

impl Told<'_> {
    fn status(&self) -> Status {
        let reason = self.reason.as_ref().and_then(|reason| reason.get("code").unwrap_or(reason).as_str());
        match (self.status.as_str(), reason) {
            ("SUCCESSFUL", _) => Status::Success,
            // The payer said no, or let it lapse.
            ("FAILED", Some("APPROVAL_REJECTED" | "EXPIRED")) => Status::Cancelled,
            ("FAILED", _) => Status::Failed,
            ("PENDING", _) => Status::Pending,
            _ => Status::Odd,
        }
    }
}

fn already_exists(body: &str) -> bool {
    let code = Fields::read(body.as_bytes()).and_then(|body| body.text("code"));
    code.is_ok_and(|code| code.as_deref() == Some("RESOURCE_ALREADY_EXIST"))
}

impl Gateway for MtnMomo<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn login(&self) -> Option<Outgoing> {
        let basic = STANDARD.encode(format!("{}:{}", self.api_user, self.api_key));
        let headers = vec![
            ("authorization", format!("Basic {basic}")),
            ("ocp-apim-subscription-key", self.subscription_key.to_owned()),
        ];
        let url = format!("{}/collection/token/", self.url);
        // A body is refused there.
        Some(Outgoing { method: "POST", url, headers, body: None, timeout_ms: wire::TIMEOUT_MS })
    }

    fn session(&self, answer: &Incoming) -> Option<Session> {
        orange_money::oauth_session(answer)
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.provider_payment_id.as_deref()?;
        Some(self.request("GET", &format!("/{id}")))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let told: Told<'_> = json::read(&answer.body).ok()?;
        if told.external_id.as_ref().is_some_and(|id| id.as_str() != Some(payment.id())) {
            return None;
        }
        // The sandbox's money stands for ours; any other is what it says it is.
        let stands = told.currency == self.currency(&payment.currency);
        let currency = if stands { &payment.currency } else { &told.currency };
        Some(Truth {
            status: told.status(),
            amount: payment.units(told.amount, currency),
            currency: currency.clone(),
            environment: if self.is_sandbox() { "sandbox".to_owned() } else { self.settings.environment.clone() },
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for MtnMomo<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let note = form::words(&intent.description, 160);
        let body = json!({
            "amount": decimal::write(intent.amount, intent.exponent), "currency": self.currency(&intent.currency),
            "externalId": intent.id, "payer": { "partyIdType": "MSISDN", "partyId": intent.phone },
            "payerMessage": note, "payeeNote": note,
        });
        let mut request = self.request("POST", "");
        request.headers.push(("x-reference-id", intent.id.clone()));
        request.headers.push(("x-callback-url", self.settings.callback(NAME, &intent.id)));
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = Some(json::text(&body));
        request
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match answer.status {
            202 => Created::Open { id: intent.id.clone(), url: None, data: Map::new() },
            409 if already_exists(&answer.body) => Created::Open { id: intent.id.clone(), url: None, data: Map::new() },
            status => wire::not_created(NAME, status),
        }
    }
}

impl Listener for MtnMomo<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let key = &self.settings.tag_key;
        (!key.is_empty()).then(|| notice.token.as_deref().is_some_and(|token| called_back(key, NAME, token).is_some()))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let status = wire::at(&body, "/status")?.as_str()?;
        let id = called_back(&self.settings.tag_key, NAME, notice.token.as_deref()?)?;
        let event = format!("requesttopay.{}", status.to_ascii_lowercase());
        let about = Some((Subject::Payment, id.to_owned()));
        wire::hint(&event, STATUSES.contains(&status), about, &[id, status], &notice.body)
    }
}

#[cfg(test)]
mod tests;
