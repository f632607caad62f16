//! Airtel Money (Collection): a request to the payer's phone. Source: developers.airtel.africa (authorization, collection,
//! error codes). The id is ours (`transaction.id`, unique there), and the enquiry is by it: its answer has a status and no
//! amount, so what it says is said of the amount that the one request under this id asked for; where it has one, that one
//! counts. Callbacks count as unsigned. Airtel calls one address, entered in its portal: register
//! `Settings::callback("airtel_money", PORTAL)`; an address made for one payment is good, too. The configuration names the
//! environment.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Session, Settings, Status, Subject, Truth,
    called_back, decimal, form, orange_money, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;

const NAME: &str = "airtel_money";
/// Stands for every payment in the token of the address that the portal knows.
pub const PORTAL: &str = "portal";
const STATUSES: [&str; 5] = ["TS", "TF", "TA", "TIP", "TE"];
/// "External Transaction ID already exists."
const EXISTS: &str = "ESB000041";
/// "Ambiguous": to be enquired about, whatever the HTTP status.
const AMBIGUOUS: [&str; 4] = ["ESB000001", "ESB000004", "ESB000008", "ESB000014"];
/// Final: failed, and wrong number, country, currency or vendor.
const FINAL: [&str; 6] = ["ESB000011", "ESB000033", "ESB000034", "ESB000035", "ESB000036", "ESB000039"];
/// "Do not send country code in msisdn": what to leave out, by country.
const CALLING_CODES: [(&str, &str); 14] = [
    ("CD", "243"),
    ("CG", "242"),
    ("GA", "241"),
    ("KE", "254"),
    ("MG", "261"),
    ("MW", "265"),
    ("NE", "227"),
    ("NG", "234"),
    ("RW", "250"),
    ("SC", "248"),
    ("TD", "235"),
    ("TZ", "255"),
    ("UG", "256"),
    ("ZM", "260"),
];

pub struct AirtelMoney<'a> {
    settings: &'a Settings,
    url: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    country: &'a str,
}

impl<'a> AirtelMoney<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let (url, country) = (settings.rail("AIRTEL_URL")?, settings.rail("AIRTEL_COUNTRY")?);
        let (client_id, client_secret) = (settings.rail("AIRTEL_CLIENT_ID")?, settings.rail("AIRTEL_CLIENT_SECRET")?);
        Some(Self { settings, url, client_id, client_secret, country })
    }

    fn request(&self, method: &'static str, path: &str, currency: &str) -> Outgoing {
        let headers = vec![
            ("accept", "application/json".to_owned()),
            ("x-country", self.country.to_owned()),
            ("x-currency", currency.to_owned()),
        ];
        Outgoing { method, url: format!("{}{path}", self.url), headers, body: None, timeout_ms: wire::TIMEOUT_MS }
    }

    /// The number as it is dialled at home, without the zero.
    fn msisdn<'b>(&self, phone: &'b str) -> &'b str {
        let code = CALLING_CODES.iter().find(|(country, _)| *country == self.country).map_or("", |(_, code)| code);
        phone.strip_prefix(code).filter(|rest| rest.len() >= 7).unwrap_or(phone)
    }

    /// The payment that an address was made for: one, or that of the portal and then the one the body names.
    fn payment_of(&self, token: &str, body: &Value) -> Option<String> {
        match called_back(&self.settings.tag_key, NAME, token)? {
            PORTAL => wire::id_at(body, "/transaction/id"),
            payment_id => Some(payment_id.to_owned()),
        }
    }
}

#[derive(Serialize)]
struct Ask<'a> {
    reference: String,
    subscriber: Subscriber<'a>,
    transaction: Transaction<'a>,
}

#[derive(Serialize)]
struct Subscriber<'a> {
    country: &'a str,
    currency: &'a str,
    msisdn: &'a str,
}

#[derive(Serialize)]
struct Transaction<'a> {
    amount: Box<RawValue>,
    country: &'a str,
    currency: &'a str,
    id: &'a str,
}

#[derive(Deserialize)]
struct Made {
    status: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    success: bool,
    result_code: Option<String>,
}

#[derive(Deserialize)]
struct Enquired<'a> {
    #[serde(borrow)]
    data: Told<'a>,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    transaction: State<'a>,
}

#[derive(Deserialize)]
struct State<'a> {
    id: Option<String>,
    status: String,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    currency: Option<String>,
}

impl Gateway for AirtelMoney<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn login(&self) -> Option<Outgoing> {
        let ask = json!({
            "client_id": self.client_id, "client_secret": self.client_secret, "grant_type": "client_credentials",
        });
        let headers = vec![("content-type", "application/json".to_owned()), ("accept", "application/json".to_owned())];
        let (url, body) = (format!("{}/auth/oauth2/token", self.url), Some(json::text(&ask)));
        Some(Outgoing { method: "POST", url, headers, body, timeout_ms: wire::TIMEOUT_MS })
    }

    fn session(&self, answer: &Incoming) -> Option<Session> {
        orange_money::oauth_session(answer)
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.provider_payment_id.as_deref()?;
        Some(self.request("GET", &format!("/standard/v1/payments/{id}"), &payment.currency))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let Enquired { data: Told { transaction } } = json::read(&answer.body).ok()?;
        if transaction.id.is_some_and(|id| id != payment.id()) {
            return None;
        }
        let currency = transaction.currency.unwrap_or_else(|| payment.currency.clone());
        Some(Truth {
            status: match transaction.status.as_str() {
                "TS" => Status::Success,
                "TF" => Status::Failed,
                // The payer let it lapse.
                "TE" => Status::Cancelled,
                // Ambiguous, and in progress.
                "TA" | "TIP" => Status::Pending,
                _ => Status::Odd,
            },
            amount: match transaction.amount {
                Some(amount) => payment.units(amount, &currency),
                None => payment.asked(&currency),
            },
            currency,
            environment: self.settings.environment.clone(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for AirtelMoney<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let (country, currency) = (self.country, intent.currency.as_str());
        let reference = Some(form::words(&intent.description, 64)).filter(|words| words.len() >= 4);
        let ask = Ask {
            reference: reference.unwrap_or_else(|| "Payment".to_owned()),
            subscriber: Subscriber {
                country,
                currency,
                msisdn: self.msisdn(intent.phone.as_deref().unwrap_or_default()),
            },
            transaction: Transaction {
                amount: decimal::number(intent.amount, intent.exponent),
                country,
                currency,
                id: &intent.id,
            },
        };
        let mut request = self.request("POST", "/merchant/v1/payments/", currency);
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = Some(serde_json::to_string(&ask).unwrap_or_default());
        request
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        let outcome = json::read::<Made>(&answer.body).ok().map(|made| made.status);
        let code = outcome.as_ref().and_then(|outcome| outcome.result_code.as_deref()).unwrap_or_default();
        match answer.status {
            200..=499 if code == EXISTS => Created::Open { id: intent.id.clone(), url: None, data: Map::new() },
            _ if AMBIGUOUS.contains(&code) => Created::Unknown(format!("{NAME} answered {code}")),
            200..=299 if outcome.as_ref().is_some_and(|outcome| outcome.success) => {
                Created::Open { id: intent.id.clone(), url: None, data: Map::new() }
            }
            200..=299 if FINAL.contains(&code) => Created::Refused(format!("{NAME} answered {code}")),
            status => wire::not_created(NAME, status),
        }
    }
}

impl Listener for AirtelMoney<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let key = &self.settings.tag_key;
        (!key.is_empty()).then(|| notice.token.as_deref().is_some_and(|token| called_back(key, NAME, token).is_some()))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let body = wire::body(&notice.body)?;
        let status = wire::at(&body, "/transaction/status_code")?.as_str()?;
        let id = self.payment_of(notice.token.as_deref()?, &body)?;
        let event = format!("payment.{}", status.to_ascii_lowercase());
        let about = Some((Subject::Payment, id.clone()));
        wire::hint(&event, STATUSES.contains(&status), about, &[&id, status], &notice.body)
    }
}

#[cfg(test)]
mod tests;
