//! `CinetPay`: a hosted page for mobile money and cards. Source: docs.cinetpay.com (checkout: initialisation, verification,
//! notification, hmac). The id is ours (`transaction_id`). A notification is signed over fields written one after the
//! other, so where one ends is not signed, and none of them is a status: the check alone says what became of a payment.
//! Which environment an account belongs to it does not say: the configuration does.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, json};

use super::{
    Checkout, Created, Gateway, Hint, Intent, Listener, Notice, Reference, Settings, Status, Subject, Truth, decimal,
    form, wire,
};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::hmac_matches;

/// What `x-token` signs, in this order.
const SIGNED: [&str; 16] = [
    "cpm_site_id",
    "cpm_trans_id",
    "cpm_trans_date",
    "cpm_amount",
    "cpm_currency",
    "signature",
    "payment_method",
    "cel_phone_num",
    "cpm_phone_prefixe",
    "cpm_language",
    "cpm_version",
    "cpm_payment_config",
    "cpm_page_action",
    "cpm_custom",
    "cpm_designation",
    "cpm_error_message",
];

pub struct Cinetpay<'a> {
    settings: &'a Settings,
    url: &'a str,
    api_key: &'a str,
    site_id: &'a str,
}

impl<'a> Cinetpay<'a> {
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let url = settings.rail("CINETPAY_URL")?;
        let api_key = settings.rail("CINETPAY_API_KEY")?;
        Some(Self { settings, url, api_key, site_id: settings.rail("CINETPAY_SITE_ID")? })
    }

    fn post(&self, path: &str, body: String) -> Outgoing {
        let headers = vec![("content-type", "application/json".to_owned()), ("accept", "application/json".to_owned())];
        let url = format!("{}{path}", self.url);
        Outgoing { method: "POST", url, headers, body: Some(body), timeout_ms: wire::TIMEOUT_MS }
    }
}

#[derive(Serialize)]
struct Ask<'a> {
    apikey: &'a str,
    site_id: &'a str,
    transaction_id: &'a str,
    amount: Box<RawValue>,
    currency: &'a str,
    description: String,
    notify_url: String,
    return_url: &'a str,
    channels: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_surname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_phone_number: Option<&'a str>,
}

#[derive(Deserialize)]
struct Made {
    code: String,
    data: Page,
}

#[derive(Deserialize)]
struct Page {
    payment_url: String,
}

#[derive(Deserialize)]
struct Checked<'a> {
    code: String,
    #[serde(borrow)]
    data: Payment<'a>,
}

#[derive(Deserialize)]
struct Payment<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    currency: String,
    status: Option<String>,
}

impl Gateway for Cinetpay<'_> {
    fn name(&self) -> &'static str {
        "cinetpay"
    }

    fn query(&self, payment: &Reference) -> Option<Outgoing> {
        let id = payment.provider_payment_id.as_deref()?;
        let ask = json!({ "apikey": self.api_key, "site_id": self.site_id, "transaction_id": id });
        Some(self.post("/v2/payment/check", json::text(&ask)))
    }

    fn truth(&self, payment: &Reference, answer: &Incoming) -> Option<Truth> {
        // A refusal of the check itself has no payment in it and is not read.
        if !matches!(answer.status, 200..=299 | 400) {
            return None;
        }
        let Checked { code, data } = json::read(&answer.body).ok()?;
        let accepted = data.status.as_deref().is_none_or(|status| status == "ACCEPTED");
        Some(Truth {
            status: match code.as_str() {
                "00" if accepted => Status::Success,
                "600" | "602" | "604" | "606" | "627" => Status::Failed,
                // They wait for the payer.
                "623" | "662" | "663" => Status::Pending,
                _ => Status::Odd,
            },
            amount: payment.units(data.amount, &data.currency),
            currency: data.currency,
            environment: self.settings.environment.clone(),
            intent: None,
            refunded: None,
            dispute: None,
        })
    }
}

impl Checkout for Cinetpay<'_> {
    fn create(&self, intent: &Intent) -> Outgoing {
        let customer = &intent.customer;
        // "Do not put special characters in the parameter value", and it is required.
        let description = Some(form::words(&intent.description, 200)).filter(|words| !words.is_empty());
        let ask = Ask {
            apikey: self.api_key,
            site_id: self.site_id,
            transaction_id: &intent.id,
            amount: decimal::number(intent.amount, intent.exponent),
            currency: &intent.currency,
            description: description.unwrap_or_else(|| intent.id.clone()),
            notify_url: format!("{}/payment-webhook?provider=cinetpay", self.settings.callback_url),
            return_url: &intent.return_url,
            channels: "ALL",
            customer_name: customer.last_name.as_deref(),
            customer_surname: customer.first_name.as_deref(),
            customer_email: customer.email.as_deref(),
            customer_phone_number: customer.phone.as_deref(),
        };
        self.post("/v2/payment", serde_json::to_string(&ask).unwrap_or_default())
    }

    fn created(&self, intent: &Intent, answer: &Incoming) -> Created {
        match (answer.status, json::read::<Made>(&answer.body)) {
            (200..=299, Ok(Made { code, data })) if code == "201" && data.payment_url.starts_with("http") => {
                Created::Open { id: intent.id.clone(), url: Some(data.payment_url), data: Map::new() }
            }
            (status, _) => wire::not_created("cinetpay", status),
        }
    }
}

impl Listener for Cinetpay<'_> {
    fn authentic(&self, notice: &Notice) -> Option<bool> {
        let signed = form::decode(&notice.body)
            .and_then(|fields| SIGNED.iter().map(|name| value(&fields, name)).collect::<Option<String>>());
        let (token, signed) = (notice.header("x-token").unwrap_or_default(), signed.as_deref());
        wire::any(&self.settings.rail_secrets("CINETPAY_WEBHOOK_SECRET"), |secret| {
            signed.is_some_and(|text| hmac_matches(secret, text.as_bytes(), token))
        })
    }

    fn hint(&self, notice: &Notice) -> Option<Hint> {
        let fields = form::decode(&notice.body)?;
        let id = form::only(&fields, "cpm_trans_id").filter(|id| wire::plausible(id))?;
        // Another shop's news under a secret that both use.
        form::only(&fields, "cpm_site_id").filter(|site| *site == self.site_id)?;
        // One notification for each update, and nothing else tells them apart.
        let news = form::words(value(&fields, "cpm_error_message")?, 60);
        let about = Some((Subject::Payment, id.to_owned()));
        wire::hint("payment.notified", true, about, &[id, &news], &notice.body)
    }
}

/// A field that may be missing, but not come twice.
fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    if fields.iter().any(|(own, _)| own == name) { form::only(fields, name) } else { Some("") }
}

#[cfg(test)]
mod tests;
