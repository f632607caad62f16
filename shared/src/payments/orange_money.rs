//! Orange Money `WebPay`: a hosted page. Source: developer.orange.com (om-webpay: API reference, getting started).
//! An order is asked for and asked about by `order_id`, amount and `pay_token` together: the status answer repeats the
//! order and has no amount in the versions we know, so what it says is said of the amount that we asked with; where it
//! has one, that one counts. Notifications are signed by nobody: the address carries our token, the body the
//! `notif_token` that only Orange and our row know. Its limits are narrow: 30 characters for an order, 120 for an address,
//! so an order is our id in a shorter spelling, and `callback_url` may have 38 (`https://api.example.org/functions/v1`).
//! The country `dev` is its sandbox and pays in `OUV`; for the others the configuration names the environment.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Session, Settings, Status, Subject, Truth,
    callback_token, called_back, decimal, form, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::Secret;

const NAME: &str = "orange_money";
const STATUSES: [&str; 5] = ["INITIATED", "PENDING", "EXPIRED", "SUCCESS", "FAILED"];
/// Of an address.
const LONGEST: usize = 120;
/// Hex digits of the MAC in a short token: 64 bits, beside a `notif_token` that must be right as well.
const MAC: usize = 16;

pub struct OrangeMoney<'a> {
    settings: &'a Settings,
    url: &'a str,
    merchant_key: &'a str,
    authorization: &'a str,
    country: &'a str,
}

impl<'a> OrangeMoney<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let (url, merchant_key) = (settings.rail("ORANGE_URL")?, settings.rail("ORANGE_MERCHANT_KEY")?);
        let (authorization, country) = (settings.rail("ORANGE_AUTHORIZATION")?, settings.rail("ORANGE_COUNTRY")?);
        Some(Self { settings, url, merchant_key, authorization, country })
    }

    fn is_sandbox(&self) -> bool {
        self.country == "dev"
    }

    /// What Orange calls a currency of ours.
    fn currency<'b>(&self, ours: &'b str) -> &'b str {
        if self.is_sandbox() { "OUV" } else { ours }
    }

    fn post(&self, path: &str, body: String) -> Outgoing {
        let headers = vec![("content-type", "application/json".to_owned()), ("accept", "application/json".to_owned())];
        let url = format!("{}/orange-money-webpay/{}/v1/{path}", self.url, self.country);
        Outgoing { method: "POST", url, headers, body: Some(body), timeout_ms: wire::TIMEOUT_MS }
    }

    /// A token that fits: the start of the usual MAC, then the order.
    fn short_token(&self, payment_id: &str) -> Option<String> {
        let usual = callback_token(&self.settings.tag_key, NAME, payment_id);
        let (_, mac) = usual.rsplit_once('.')?;
        Some(format!("{}{}", mac.get(..MAC)?, order_id(payment_id)))
    }

    fn notif_url(&self, payment_id: &str) -> String {
        let token = self.short_token(payment_id).unwrap_or_default();
        format!("{}/payment-webhook?provider={NAME}&t={token}", self.settings.callback_url)
    }

    /// The payment that a token was made for, in the short spelling or in the usual one.
    fn payment_of(&self, token: &str) -> Option<String> {
        if let Some(payment_id) = called_back(&self.settings.tag_key, NAME, token) {
            return Some(payment_id.to_owned());
        }
        let order = u128::from_str_radix(token.get(MAC..)?, 36).ok()?;
        let payment_id = Uuid::from_u128(order).to_string();
        let good = !self.settings.tag_key.is_empty() && Secret::new(self.short_token(&payment_id)?).equals(token);
        good.then_some(payment_id)
    }
}

/// A UUID in base 36: at most 25 characters, and no sign that a form could stumble over.
fn order_id(payment_id: &str) -> String {
    let Ok(uuid) = Uuid::parse_str(payment_id) else { return payment_id.to_owned() };
    let mut rest = uuid.as_u128();
    let mut digits = Vec::new();
    while rest > 0 || digits.is_empty() {
        digits.extend(u32::try_from(rest % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        rest /= 36;
    }
    digits.iter().rev().collect()
}

fn is_token(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[derive(Deserialize)]
struct Granted<'a> {
    access_token: String,
    #[serde(borrow)]
    expires_in: &'a RawValue,
}

/// The answer to a login with client credentials (RFC 6749, 5.1); `expires_in` is a number, or text at some.
pub(super) fn oauth_session(answer: &Incoming) -> Option<Session> {
    if !(200..=299).contains(&answer.status) {
        return None;
    }
    let granted: Granted<'_> = json::read(&answer.body).ok()?;
    let lives_s = u64::try_from(decimal::read(granted.expires_in, 0)?).ok()?;
    let bearer = Some(granted.access_token).filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))?;
    (!bearer.is_empty()).then_some(Session { bearer, lives_s })
}

#[derive(Serialize)]
struct Ask<'a> {
    merchant_key: &'a str,
    currency: &'a str,
    order_id: &'a str,
    amount: Box<RawValue>,
    return_url: &'a str,
    cancel_url: &'a str,
    notif_url: String,
    lang: &'static str,
    reference: &'a str,
}

#[derive(Serialize)]
struct Question<'a> {
    order_id: String,
    amount: Box<RawValue>,
    pay_token: &'a str,
}

#[derive(Deserialize)]
struct Made {
    pay_token: String,
    payment_url: String,
    notif_token: Option<String>,
}

#[derive(Deserialize)]
struct Told<'a> {
    status: String,
    order_id: Option<String>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    currency: Option<String>,
}

impl Gateway for OrangeMoney<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn login(&self) -> Option<Outgoing> {
        let basic = self.authorization.strip_prefix("Basic ").unwrap_or(self.authorization);
        let headers = vec![
            ("authorization", format!("Basic {basic}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let body = Some(form::encode(&[("grant_type", "client_credentials")]));
        let url = format!("{}/oauth/v3/token", self.url);
        Some(Outgoing { method: "POST", url, headers, body, timeout_ms: wire::TIMEOUT_MS })
    }

    fn session(&self, answer: &Incoming) -> Option<Session> {
        oauth_session(answer)
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let question = Question {
            order_id: order_id(payment.provider_payment_id.as_deref()?),
            amount: decimal::number(payment.amount, payment.exponent),
            pay_token: payment.kept("pay_token")?,
        };
        Some(self.post("transactionstatus", serde_json::to_string(&question).ok()?))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if !(200..=299).contains(&answer.status) {
            return None;
        }
        let told: Told<'_> = json::read(&answer.body).ok()?;
        if told.order_id.is_some_and(|order| order != order_id(payment.id())) {
            return None;
        }
        let other = told.currency.filter(|currency| currency != self.currency(&payment.currency));
        let currency = other.unwrap_or_else(|| payment.currency.clone());
        Some(Truth {
            status: match told.status.as_str() {
                "SUCCESS" => Status::Success,
                "FAILED" => Status::Failed,
                "EXPIRED" => Status::Cancelled,
                "INITIATED" | "PENDING" => Status::Pending,
                _ => Status::Odd,
            },
            amount: match told.amount {
                Some(amount) => payment.units(amount, &currency),
                None => payment.asked(&currency),
            },
            currency,
            environment: if self.is_sandbox() { "sandbox".to_owned() } else { self.settings.environment.clone() },
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for OrangeMoney<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let order = order_id(&intent.id);
        let fits = intent.return_url.len() <= LONGEST;
        let page = if fits { &intent.return_url } else { &self.settings.return_url };
        let ask = Ask {
            merchant_key: self.merchant_key,
            currency: self.currency(&intent.currency),
            order_id: &order,
            amount: decimal::number(intent.amount, intent.exponent),
            return_url: page,
            cancel_url: page,
            notif_url: self.notif_url(&intent.id),
            lang: "fr",
            reference: &order,
        };
        self.post("webpayment", serde_json::to_string(&ask).unwrap_or_default())
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Made>(&answer.body)) {
            (200..=299, Ok(made)) if !made.pay_token.is_empty() && made.payment_url.starts_with("http") => {
                let mut data = wire::field("pay_token", made.pay_token);
                if let Some(token) = made.notif_token.filter(|token| !token.is_empty()) {
                    data.insert("notif_token".to_owned(), Value::String(token));
                }
                Created::Open { id: intent.id.clone(), url: Some(made.payment_url), data }
            }
            (status, _) => wire::not_created(NAME, status),
        }
    }
}

impl Listener for OrangeMoney<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let configured = !self.settings.tag_key.is_empty();
        configured.then(|| notice.token.as_deref().is_some_and(|token| self.payment_of(token).is_some()))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        // Required here, so that what is missing there can never equal what is missing here.
        let proof = wire::at(&body, "/notif_token")?.as_str().filter(|token| is_token(token))?;
        let status = wire::at(&body, "/status")?.as_str()?;
        let about = Some((Subject::Payment, self.payment_of(notice.token.as_deref()?)?));
        let event = format!("webpayment.{}", status.to_ascii_lowercase());
        let hint = wire::hint(&event, STATUSES.contains(&status), about, &[proof, status], &notice.body)?;
        Some(Hint { proof: Some(proof.to_owned()), ..hint })
    }
}

#[cfg(test)]
mod tests;
