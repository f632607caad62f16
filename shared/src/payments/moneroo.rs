//! Moneroo: hosted checkout. Amounts are whole units of the currency as an integer (100 is 100 XOF, and 100 USD); the
//! currency is text in some answers and an object in others; no idempotency key exists. Source: docs.moneroo.io.

use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::{Claim, Created, Gateway, Hint, Intent, Settings, Status, Truth, tag};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::secret::{Secret, hmac_matches};

/// The provider gives us 3 s for a webhook; we give it 8 s in total (N07).
const TIMEOUT_MS: u32 = 8_000;
const EVENTS: [&str; 7] = [
    "payment.initiated",
    "payment.success",
    "payment.failed",
    "payment.cancelled",
    "payout.initiated",
    "payout.success",
    "payout.failed",
];

/// The adapter, on loan from the settings.
pub struct Moneroo<'a> {
    settings: &'a Settings,
}

impl<'a> Moneroo<'a> {
    /// `None` without its keys: the caller answers 503, there is no simulation.
    #[must_use]
    pub fn configured(settings: &'a Settings) -> Option<Self> {
        let complete =
            !settings.moneroo_secret_key.is_empty() && !settings.moneroo_url.is_empty() && !settings.tag_key.is_empty();
        complete.then_some(Self { settings })
    }

    /// For webhooks, which need a signing secret and the means to ask back.
    #[must_use]
    pub fn listening(settings: &'a Settings) -> Option<Self> {
        let secrets = &settings.moneroo_webhook_secrets;
        Self::configured(settings).filter(|_| !secrets.is_empty() && secrets.iter().all(|secret| !secret.is_empty()))
    }

    fn request(&self, method: &'static str, path: &str, body: Option<String>) -> Outgoing {
        let mut headers = vec![
            ("authorization", format!("Bearer {}", self.settings.moneroo_secret_key.expose())),
            ("accept", "application/json".to_owned()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Outgoing { method, url: format!("{}{path}", self.settings.moneroo_url), headers, body, timeout_ms: TIMEOUT_MS }
    }

    /// `GET /v1/utils/payment/methods`.
    #[must_use]
    pub fn methods(&self) -> Outgoing {
        self.request("GET", "/v1/utils/payment/methods", None)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct CheckoutData {
    id: String,
    checkout_url: String,
}

#[derive(Deserialize)]
struct PaymentData {
    status: String,
    amount: Number,
    currency: CurrencyField,
    environment: Option<String>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CurrencyField {
    Code(String),
    Object { code: String },
}

#[derive(Deserialize)]
struct Event {
    event: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    id: String,
    status: Option<String>,
}

/// `100` and `100.0` are whole; `100.5`, `1e400` and negatives are not.
fn whole(amount: &Number) -> Option<i64> {
    let units = amount.as_i64().or_else(|| {
        let text = amount.to_string();
        let (units, fraction) = text.split_once('.')?;
        fraction.bytes().all(|b| b == b'0').then(|| units.parse().ok())?
    })?;
    (units > 0).then_some(units)
}

fn plausible(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Gateway for Moneroo<'_> {
    fn name(&self) -> &'static str {
        "moneroo"
    }

    fn create(&self, intent: &Intent) -> Outgoing {
        let mut body = json!({
            "amount": intent.amount, "currency": intent.currency, "description": intent.description,
            "return_url": intent.return_url, "customer": intent.customer,
            "metadata": {
                "intent_id": intent.id, "attempt": intent.attempt.to_string(),
                "tag": tag(&self.settings.tag_key, &intent.id, intent.attempt, intent.amount, &intent.currency),
            },
        });
        if let (false, Some(fields)) = (intent.methods.is_empty(), body.as_object_mut()) {
            fields.insert("methods".into(), json!(intent.methods));
        }
        self.request("POST", "/v1/payments/initialize", Some(body.to_string()))
    }

    fn created(&self, answer: &Incoming) -> Created {
        match (answer.status, serde_json::from_str::<Envelope<CheckoutData>>(&answer.body)) {
            (200..=299, Ok(Envelope { data })) if plausible(&data.id) && data.checkout_url.starts_with("http") => {
                Created::Checkout { id: data.id, url: data.checkout_url }
            }
            (400..=499, _) => Created::Refused(format!("moneroo answered {}", answer.status)),
            // 5xx, or a success that we cannot read: it may have been made.
            (status, _) => Created::Unknown(format!("moneroo answered {status} without id and URL")),
        }
    }

    fn query(&self, payment_id: &str) -> Outgoing {
        self.request("GET", &format!("/v1/payments/{payment_id}/verify"), None)
    }

    fn truth(&self, answer: &Incoming) -> Option<Truth> {
        if answer.status != 200 {
            return None;
        }
        let data = serde_json::from_str::<Envelope<PaymentData>>(&answer.body).ok()?.data;
        let text = |name: &str| Some(data.metadata.as_ref()?.get(name)?.as_str()?.to_owned());
        let intent = || {
            Some(Claim { intent_id: text("intent_id")?, attempt: text("attempt")?.parse().ok()?, tag: text("tag")? })
        };
        Some(Truth {
            status: match data.status.as_str() {
                "success" => Status::Success,
                "failed" => Status::Failed,
                "cancelled" => Status::Cancelled,
                // initiated, pending, and whatever they invent next: not final.
                _ => Status::Pending,
            },
            amount: whole(&data.amount),
            intent: intent(),
            currency: match data.currency {
                CurrencyField::Code(code) | CurrencyField::Object { code } => code,
            },
            environment: data.environment.unwrap_or_default(),
        })
    }

    fn authentic(&self, body: &[u8], signature: Option<&str>) -> bool {
        let Some(signature) = signature else { return false };
        let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
        // Every secret is tried, so the time does not tell which one matched.
        self.settings.moneroo_webhook_secrets.iter().fold(false, |good, secret| hmac_matches(secret, body, hex) | good)
    }

    fn hint(&self, body: &[u8]) -> Option<Hint> {
        json::check(body).ok()?;
        let Event { event, data } = serde_json::from_slice(body).ok()?;
        let good = plausible(&data.id) && (1..=60).contains(&event.len()) && event.is_ascii();
        let status = data.status.unwrap_or_default();
        (good && status.len() <= 40).then(|| Hint {
            dedupe_key: format!("{event}|{}|{status}", data.id),
            known: EVENTS.contains(&event.as_str()),
            payment_id: data.id,
            event,
        })
    }
}

/// The secrets of a comma-separated setting; an empty item makes the whole list count as not configured.
#[must_use]
pub fn secrets(list: &str) -> Vec<Secret> {
    if list.is_empty() { Vec::new() } else { list.split(',').map(|s| Secret::new(s.trim().to_owned())).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            moneroo_url: "http://provider".into(),
            moneroo_secret_key: Secret::new("sk".into()),
            moneroo_webhook_secrets: secrets("whsec_old, whsec_moneroo_test"),
            tag_key: Secret::new("tag".into()),
            ..Settings::default()
        }
    }

    fn answer(status: u16, body: &str) -> Incoming {
        Incoming { status, body: body.into() }
    }

    fn verified(body: &str) -> Option<Truth> {
        Moneroo::configured(&settings()).unwrap().truth(&answer(200, body))
    }

    #[test]
    fn a_checkout_exists_only_with_id_and_url_under_data() {
        let settings = settings();
        let moneroo = Moneroo::configured(&settings).unwrap();
        let good = r#"{"message":"ok","data":{"id":"py_1","checkout_url":"https://checkout/py_1"},"errors":null}"#;
        assert_eq!(
            moneroo.created(&answer(201, good)),
            Created::Checkout { id: "py_1".into(), url: "https://checkout/py_1".into() }
        );
        for (status, body) in [
            (201, r#"{"id":"py_1","checkout_url":"https://x"}"#),
            (200, "{}"),
            (201, r#"{"data":{"id":null,"checkout_url":"https://x"}}"#),
            (500, "oops"),
            (302, ""),
        ] {
            assert!(matches!(moneroo.created(&answer(status, body)), Created::Unknown(_)), "{status} {body}");
        }
        assert!(matches!(moneroo.created(&answer(422, "{}")), Created::Refused(_)));
    }

    #[test]
    fn the_currency_is_read_as_text_or_object_and_the_amount_as_whole_units() {
        for (body, amount) in [
            (r#"{"data":{"status":"success","amount":100,"currency":"XOF","environment":"live"}}"#, Some(100)),
            (
                r#"{"data":{"status":"success","amount":100.0,"currency":{"code":"XOF"},"environment":"live"}}"#,
                Some(100),
            ),
            (r#"{"data":{"status":"success","amount":100.5,"currency":"XOF","environment":"live"}}"#, None),
            (r#"{"data":{"status":"success","amount":-1,"currency":"XOF","environment":"live"}}"#, None),
            (r#"{"data":{"status":"success","amount":1e30,"currency":"XOF","environment":"live"}}"#, None),
        ] {
            let truth = verified(body).unwrap();
            assert_eq!(
                (truth.amount, truth.currency.as_str(), truth.status),
                (amount, "XOF", Status::Success),
                "{body}"
            );
        }
    }

    #[test]
    fn an_unknown_status_is_not_final_and_an_unreadable_answer_is_no_answer() {
        let odd = verified(r#"{"data":{"status":"on_hold","amount":1,"currency":"XOF"}}"#).unwrap();
        assert_eq!((odd.status, odd.environment.as_str()), (Status::Pending, ""));
        for body in [
            "",
            "[]",
            r#"{"data":{"status":"success"}}"#,
            r#"{"data":{"status":"success","amount":"100","currency":"XOF"}}"#,
        ] {
            assert_eq!(verified(body), None, "{body}");
        }
    }

    #[test]
    fn a_webhook_is_authentic_under_any_live_secret_and_under_none_it_is_not_heard() {
        let body = br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
        let good = "1f597a78f1ceb418693700c9403ca10bf74ddee332b6e8a7019cb739caa10e33";
        let settings = settings();
        let moneroo = Moneroo::listening(&settings).unwrap();
        assert!(moneroo.authentic(body, Some(good)) && moneroo.authentic(body, Some(&format!("sha256={good}"))));
        assert!(!moneroo.authentic(body, None) && !moneroo.authentic(&body[1..], Some(good)));
        for list in ["", "a,,b", ","] {
            let settings = Settings { moneroo_webhook_secrets: secrets(list), ..settings.clone() };
            assert!(Moneroo::listening(&settings).is_none(), "{list:?}");
        }
    }

    #[test]
    fn the_same_news_in_other_bytes_has_the_same_key() {
        let settings = settings();
        let moneroo = Moneroo::listening(&settings).unwrap();
        let one = moneroo.hint(br#"{"event":"payment.success","data":{"id":"a","status":"success"}}"#).unwrap();
        let other = moneroo.hint(br#"{ "data": {"status":"success", "id":"a"}, "event":"payment.success" }"#).unwrap();
        assert_eq!(one, other);
        for body in [
            &b"{}"[..],
            br#"{"event":"payment.success","data":{"id":null}}"#,
            br#"{"event":"x","data":{"id":"../a"}}"#,
            b"\xff",
        ] {
            assert_eq!(moneroo.hint(body), None, "{}", String::from_utf8_lossy(body));
        }
    }
}
