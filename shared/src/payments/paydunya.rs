//! `PayDunya`: a hosted page in XOF. Source: developers.paydunya.com (HTTP/JSON: payment and redirection). The id is its
//! invoice's `token`; our metadata is `custom_data`. Test and live have one host and two paths, and so the environment of
//! the configuration chooses the path; an answer's `mode` says the same once more. A notification is a form with names
//! like `data[invoice][token]`; its hash is of the master key alone and the same for every one, so it proves nothing and
//! the address has to.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{
    Checkout, Claim, Created, Customer, Gateway, Hint, Intent, Listener, Notice, Reference, Settings, Status, Subject,
    Truth, called_back, decimal, form, tag, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;

const NAME: &str = "paydunya";
/// The only one it has, and does not name. Should it ever name another, that is no longer our payment's.
const CURRENCY: &str = "XOF";
/// What the page calls us.
const STORE: &str = "Cauris";
const STATUSES: [&str; 4] = ["pending", "completed", "cancelled", "failed"];

pub struct Paydunya<'a> {
    settings: &'a Settings,
    url: &'a str,
    master_key: &'a str,
    private_key: &'a str,
    token: &'a str,
}

impl<'a> Paydunya<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let (url, token) = (settings.rail("PAYDUNYA_URL")?, settings.rail("PAYDUNYA_TOKEN")?);
        let (master_key, private_key) = (settings.rail("PAYDUNYA_MASTER_KEY")?, settings.rail("PAYDUNYA_PRIVATE_KEY")?);
        Some(Self { settings, url, master_key, private_key, token })
    }

    fn request(&self, method: &'static str, path: &str) -> Outgoing {
        let headers = vec![
            ("paydunya-master-key", self.master_key.to_owned()),
            ("paydunya-private-key", self.private_key.to_owned()),
            ("paydunya-token", self.token.to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let api = if self.settings.environment == "sandbox" { "sandbox-api" } else { "api" };
        let url = format!("{}/{api}/v1/checkout-invoice/{path}", self.url);
        Outgoing { method, url, headers, body: None, timeout_ms: wire::TIMEOUT_MS }
    }
}

#[derive(Serialize)]
struct Ask<'a> {
    invoice: AskedInvoice<'a>,
    store: Store,
    actions: Actions<'a>,
    custom_data: Metadata<'a>,
}

#[derive(Serialize)]
struct AskedInvoice<'a> {
    total_amount: Box<RawValue>,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Payer<'a>>,
}

#[derive(Serialize)]
struct Payer<'a> {
    name: String,
    email: &'a str,
    phone: &'a str,
}

#[derive(Serialize)]
struct Store {
    name: &'static str,
}

#[derive(Serialize)]
struct Actions<'a> {
    return_url: &'a str,
    cancel_url: &'a str,
    callback_url: String,
}

#[derive(Serialize)]
struct Metadata<'a> {
    intent_id: &'a str,
    attempt: String,
    tag: String,
}

#[derive(Deserialize)]
struct Made {
    response_code: String,
    response_text: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Confirmed<'a> {
    response_code: String,
    status: String,
    mode: Option<String>,
    #[serde(borrow)]
    invoice: Invoice<'a>,
    /// A list when it is empty, as PHP has it.
    #[serde(default, deserialize_with = "json::some_tree")]
    custom_data: Option<Value>,
}

#[derive(Deserialize)]
struct Invoice<'a> {
    token: Option<String>,
    #[serde(borrow)]
    total_amount: &'a RawValue,
    currency: Option<String>,
}

fn payer(customer: &Customer) -> Option<Payer<'_>> {
    let names: Vec<_> = [&customer.first_name, &customer.last_name].into_iter().flatten().map(String::as_str).collect();
    let (email, phone) = (customer.email.as_deref(), customer.phone.as_deref());
    let named = !names.is_empty() && (email.is_some() || phone.is_some());
    named.then(|| Payer { name: names.join(" "), email: email.unwrap_or_default(), phone: phone.unwrap_or_default() })
}

/// Numbers come back as text, and text that looks like one as a number.
fn claim(metadata: Option<&Value>) -> Option<Claim> {
    let text = |name: &str| match metadata?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(Claim { intent_id: text("intent_id")?, attempt: text("attempt")?.parse().ok()?, tag: text("tag")? })
}

impl Gateway for Paydunya<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.provider_payment_id.as_deref()?;
        Some(self.request("GET", &format!("confirm/{id}")))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let told: Confirmed<'_> = json::read(&answer.body).ok()?;
        let ours = told.invoice.token.as_deref().is_none_or(|token| token == payment.id());
        let currency = told.invoice.currency.unwrap_or_else(|| CURRENCY.to_owned());
        (told.response_code == "00" && ours).then(|| Truth {
            status: match told.status.as_str() {
                "completed" => Status::Success,
                "failed" => Status::Failed,
                "cancelled" => Status::Cancelled,
                "pending" => Status::Pending,
                _ => Status::Odd,
            },
            amount: payment.units(told.invoice.total_amount, &currency),
            currency,
            environment: match told.mode.as_deref() {
                Some("test") => "sandbox".to_owned(),
                Some("live") => "live".to_owned(),
                _ => self.settings.environment.clone(),
            },
            intent: claim(told.custom_data.as_ref()),
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for Paydunya<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let ask = Ask {
            invoice: AskedInvoice {
                total_amount: decimal::number(intent.amount, intent.exponent),
                description: &intent.description,
                customer: payer(&intent.customer),
            },
            store: Store { name: STORE },
            actions: Actions {
                return_url: &intent.return_url,
                cancel_url: &intent.return_url,
                callback_url: self.settings.callback(NAME, &intent.id),
            },
            custom_data: Metadata {
                intent_id: &intent.id,
                attempt: intent.attempt.to_string(),
                tag: tag(&self.settings.tag_key, &intent.id, intent.attempt, intent.amount, &intent.currency),
            },
        };
        let mut request = self.request("POST", "create");
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = Some(serde_json::to_string(&ask).unwrap_or_default());
        request
    }

    fn created(&self, _intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Made>(&answer.body)) {
            (200..=299, Ok(Made { response_code, response_text: Some(url), token: Some(id) }))
                if response_code == "00" && wire::plausible(&id) && url.starts_with("http") =>
            {
                Created::Open { id, url: Some(url), data: Map::new() }
            }
            // "All successes have the code 00": another one, and no token, is a clear no.
            (200..=299, Ok(Made { response_code, token: None, .. })) if response_code != "00" => {
                Created::Refused(format!("{NAME} answered {response_code}"))
            }
            (status, _) => wire::not_created(NAME, status),
        }
    }
}

impl Listener for Paydunya<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let key = &self.settings.tag_key;
        (!key.is_empty()).then(|| notice.token.as_deref().is_some_and(|token| called_back(key, NAME, token).is_some()))
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let fields = form::decode(&notice.body)?;
        let id = form::only(&fields, "data[invoice][token]").filter(|id| wire::plausible(id))?;
        let status = form::only(&fields, "data[status]")?;
        let event = format!("invoice.{status}");
        let about = Some((Subject::Payment, id.to_owned()));
        wire::hint(&event, STATUSES.contains(&status), about, &[id, status], &notice.body)
    }
}

#[cfg(test)]
mod tests;
