//! Flutterwave v4: a charge to a phone, made with its customer and its method in one call. Calls need a session of ten
//! minutes; amounts are decimal numbers; the id is ours (`reference`), theirs (`chg_…`) is kept to ask by. Source:
//! developer.flutterwave.com (payment-orchestrator-flow, mobile-money, authentication, environments, webhooks).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Session, Settings, Status, Subject, Truth,
    decimal, form, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::hmac_base64_matches;

const LOGIN: &str = "/realms/flutterwave/protocol/openid-connect/token";
/// The only address at which money is real.
const LIVE: &str = "https://f4bexperience.flutterwave.com";
const EVENTS: [&str; 2] = ["charge.completed", "charge.failed"];

pub struct FlutterwaveV4<'a> {
    settings: &'a Settings,
    url: &'a str,
    login_url: &'a str,
    id: &'a str,
    secret: &'a str,
}

impl<'a> FlutterwaveV4<'a> {
    /// `None` without its addresses and credentials.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let (url, login_url) = (settings.rail("FLUTTERWAVE_V4_URL")?, settings.rail("FLUTTERWAVE_V4_LOGIN_URL")?);
        let (id, secret) = (settings.rail("FLUTTERWAVE_V4_CLIENT_ID")?, settings.rail("FLUTTERWAVE_V4_CLIENT_SECRET")?);
        Some(Self { settings, url, login_url, id, secret })
    }

    fn request(&self, method: &'static str, path: &str, body: Option<String>) -> Outgoing {
        let headers = if body.is_some() { vec![("content-type", "application/json".to_owned())] } else { Vec::new() };
        Outgoing { method, url: format!("{}{path}", self.url), headers, body, timeout_ms: wire::TIMEOUT_MS }
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

/// A struct and no `json!`: only so is the amount written as it stands, and not through a float.
#[derive(Serialize)]
struct Charging<'a> {
    amount: Option<Box<RawValue>>,
    currency: &'a str,
    reference: &'a str,
    redirect_url: &'a str,
    customer: Value,
    payment_method: Value,
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: T,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    reference: String,
    status: String,
    amount: Box<RawValue>,
    currency: String,
    #[serde(default, deserialize_with = "json::some_tree")]
    next_action: Option<Value>,
}

/// The country code of a number in international digits: three digits in Africa but for Egypt and South Africa.
fn dial(phone: &str) -> (&str, &str) {
    let length = match phone.as_bytes() {
        [b'2', b'0' | b'7', ..] => 2,
        [b'2', ..] => 3,
        [b'1' | b'7', ..] => 1,
        _ => 2,
    };
    phone.split_at_checked(length).unwrap_or((phone, ""))
}

impl Gateway for FlutterwaveV4<'_> {
    fn name(&self) -> &'static str {
        "flutterwave_v4"
    }

    fn login(&self) -> Option<Outgoing> {
        let fields = [("client_id", self.id), ("client_secret", self.secret), ("grant_type", "client_credentials")];
        let whole = self.login_url.ends_with(LOGIN);
        Some(Outgoing {
            method: "POST",
            url: if whole { self.login_url.to_owned() } else { format!("{}{LOGIN}", self.login_url) },
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: Some(form::encode(&fields)),
            timeout_ms: wire::TIMEOUT_MS,
        })
    }

    fn session(&self, answer: &Incoming) -> Option<Session> {
        let read = || json::read::<Token>(&answer.body).ok();
        let Token { access_token, expires_in } = if answer.status == 200 { read()? } else { return None };
        let good = !access_token.is_empty() && access_token.bytes().all(|byte| byte.is_ascii_graphic());
        good.then_some(Session { bearer: access_token, lives_s: expires_in })
    }

    /// By their id where the answer brought it, else by ours among all charges.
    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = Some(payment.id()).filter(|id| wire::plausible(id))?;
        let path = match payment.kept("charge_id").filter(|charge| wire::plausible(charge)) {
            Some(charge) => format!("/charges/{charge}"),
            None => format!("/charges?{}", form::encode(&[("reference", id)])),
        };
        Some(self.request("GET", &path, None))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let one = json::read::<Envelope<Charge>>(&answer.body).map(|read| (read.status, vec![read.data]));
        let list = || json::read::<Envelope<Vec<Charge>>>(&answer.body).map(|read| (read.status, read.data));
        let (status, charges) = one.or_else(|_| list()).ok()?;
        let charge = charges.into_iter().find(|charge| charge.reference == payment.id())?;
        (status == "success").then(|| Truth {
            status: match charge.status.as_str() {
                "succeeded" => Status::Success,
                "failed" => Status::Failed,
                "voided" => Status::Cancelled,
                "pending" => Status::Pending,
                _ => Status::Odd,
            },
            amount: payment.units(&charge.amount, &charge.currency),
            currency: charge.currency,
            environment: if self.url == LIVE { "live" } else { "sandbox" }.to_owned(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for FlutterwaveV4<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let (code, number) = dial(intent.phone.as_deref().unwrap_or_default());
        // `mtn_gh` is what the wallet is called elsewhere; here it is the network alone.
        let network = intent.methods.first().and_then(|method| method.split('_').next()).unwrap_or_default();
        let customer = &intent.customer;
        let charge = Charging {
            amount: json::read(&decimal::write(intent.amount, intent.exponent)).ok(),
            currency: &intent.currency,
            reference: &intent.id,
            redirect_url: &intent.return_url,
            customer: json!({
                "email": customer.email, "name": { "first": customer.first_name, "last": customer.last_name },
                "phone": { "country_code": code, "number": number },
            }),
            payment_method: json!({
                "type": "mobile_money",
                "mobile_money": { "country_code": code, "network": network.to_ascii_uppercase(), "phone_number": number },
            }),
        };
        let body = serde_json::to_string(&charge).unwrap_or_default();
        let mut request = self.request("POST", "/orchestration/direct-charges", Some(body));
        request.headers.push(("x-idempotency-key", intent.id.clone()));
        request
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Envelope<Charge>>(&answer.body)) {
            (200..=299, Ok(Envelope { status, data }))
                if status == "success" && data.reference == intent.id && wire::plausible(&data.id) =>
            {
                // Without an address the phone is asked.
                let url = data.next_action.as_ref().and_then(|next| wire::at(next, "/redirect_url/url")?.as_str());
                Created::Open {
                    id: intent.id.clone(),
                    url: url.filter(|url| url.starts_with("http")).map(str::to_owned),
                    data: wire::field("charge_id", data.id),
                }
            }
            (status, _) => wire::not_created("flutterwave_v4", status),
        }
    }
}

impl Listener for FlutterwaveV4<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let signature = notice.header("flutterwave-signature").unwrap_or_default();
        let secrets = self.settings.rail_secrets("FLUTTERWAVE_V4_WEBHOOK_SECRET");
        wire::any(&secrets, |secret| hmac_base64_matches(secret, &notice.body, signature))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let event = body.get("type")?.as_str()?;
        let reference = wire::id_at(&body, "/data/reference").filter(|_| event.starts_with("charge."));
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
