//! A payment at any of the rails, as the books keep it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};
use time::OffsetDateTime;

use crate::records::Status;
use crate::state::stamp;
use crate::tamper::Tamper;

#[derive(Clone, Debug)]
pub struct RailPayment {
    pub rail: &'static str,
    /// The provider's.
    pub id: String,
    /// The merchant's; empty where there was none.
    pub reference: String,
    pub seq: u64,
    /// `Initiated` until the payer has done something.
    pub status: Status,
    /// The digits as they were written, without the point: 1250 with two decimals is 12.50.
    pub amount: i64,
    pub decimals: u8,
    pub currency: String,
    pub description: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub metadata: Map<String, Value>,
    /// Where this payment's webhooks go; the setting `rails_webhook_url` when None.
    pub callback_url: Option<String>,
    pub return_url: String,
    pub cancel_url: String,
    /// What the protocol hands out or needs later: `client_secret`, `pay_token`.
    pub secrets: BTreeMap<&'static str, String>,
    pub refunds: Vec<Refund>,
    pub dispute: Option<Dispute>,
    /// How often the payer tried.
    pub attempts: u32,
    pub created_at: OffsetDateTime,
    /// Fields that answer in place of the true ones, set by a test.
    pub answer: Map<String, Value>,
    /// Made by a test, not asked for through the API.
    pub foreign: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Refund {
    pub id: String,
    pub amount: i64,
    /// `Initiated` is never used: a refund is pending, success or failed.
    pub status: Status,
    pub metadata: Map<String, Value>,
    /// It was pending, or was taken back: told as a change, not as a new one.
    pub ended_later: bool,
    #[serde(skip)]
    pub created_at: OffsetDateTime,
}

impl Refund {
    pub fn fresh(id: impl Into<String>, amount: i64) -> Self {
        let (metadata, created_at) = (Map::new(), OffsetDateTime::now_utc());
        Self { id: id.into(), amount, status: Status::Success, metadata, ended_later: false, created_at }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dispute {
    pub id: String,
    pub state: DisputeState,
    pub amount: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisputeState {
    Open,
    Lost,
    Won,
}

impl RailPayment {
    pub fn fresh(rail: &'static str, id: impl Into<String>) -> Self {
        Self {
            rail,
            id: id.into(),
            reference: String::new(),
            seq: 0,
            status: Status::Initiated,
            amount: 0,
            decimals: 0,
            currency: String::new(),
            description: String::new(),
            email: None,
            phone: None,
            metadata: Map::new(),
            callback_url: None,
            return_url: String::new(),
            cancel_url: String::new(),
            secrets: BTreeMap::new(),
            refunds: Vec::new(),
            dispute: None,
            attempts: 0,
            created_at: OffsetDateTime::now_utc(),
            answer: Map::new(),
            foreign: false,
        }
    }

    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || (!self.reference.is_empty() && self.reference == name)
    }

    pub fn secret(&self, name: &str) -> &str {
        self.secrets.get(name).map_or("", String::as_str)
    }

    /// The amount as a JSON number in the provider's notation, or what a fault tells instead.
    pub fn told(&self, tamper: &Tamper) -> Value {
        tamper.told(self.amount, |amount| decimal(amount, self.decimals))
    }

    /// The same for providers that write amounts as strings.
    pub fn told_text(&self, tamper: &Tamper) -> Value {
        tamper.told(self.amount, |amount| Value::String(text_of(amount, self.decimals)))
    }

    /// What went back, or is on its way back.
    pub fn refunding(&self) -> i64 {
        self.refunds.iter().filter(|refund| refund.status != Status::Failed).map(|refund| refund.amount).sum()
    }

    pub fn refunded(&self) -> i64 {
        self.refunds.iter().filter(|refund| refund.status == Status::Success).map(|refund| refund.amount).sum()
    }

    /// What a test ordered to be answered, over the truth.
    pub fn overrule(&self, mut truth: Value) -> Value {
        if let Value::Object(fields) = &mut truth {
            fields.extend(self.answer.clone());
        }
        truth
    }

    /// Where the payer goes afterwards, with these parameters added; None when it is no web address.
    pub fn back(&self, parameters: &[(&str, &str)]) -> Option<String> {
        let cancelled = self.status == Status::Cancelled && !self.cancel_url.is_empty();
        let mut url = reqwest::Url::parse(if cancelled { &self.cancel_url } else { &self.return_url }).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Some(url.into())
    }

    /// For the control endpoint: everything, in one shape for all rails.
    pub fn summary(&self, base: &str) -> Value {
        json!({
            "provider": self.rail,
            "id": self.id,
            "reference": self.reference,
            "status": self.status,
            "amount": self.amount,
            "decimals": self.decimals,
            "currency": self.currency,
            "description": self.description,
            "email": self.email,
            "phone": self.phone,
            "metadata": self.metadata,
            "callback_url": self.callback_url,
            "return_url": self.return_url,
            "cancel_url": self.cancel_url,
            "checkout_url": format!("{base}/{}/checkout/{}", self.rail, self.id),
            "secrets": self.secrets,
            "refunds": self.refunds,
            "refunded": self.refunded(),
            "dispute": self.dispute,
            "attempts": self.attempts,
            "created_at": stamp(self.created_at),
            "answer": self.answer,
            "foreign": self.foreign,
        })
    }
}

/// 1250 with two decimals is the JSON number 12.5; whole amounts have no point.
pub fn decimal(amount: i64, decimals: u8) -> Value {
    let unit = 10_i64.pow(u32::from(decimals));
    if amount % unit == 0 {
        return json!(amount / unit);
    }
    text_of(amount, decimals).parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// 1250 with two decimals is "12.50".
pub fn text_of(amount: i64, decimals: u8) -> String {
    if decimals == 0 {
        return amount.to_string();
    }
    let unit = 10_u64.pow(u32::from(decimals));
    let (whole, rest) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:0width$}", width = usize::from(decimals))
}

/// The digits of a positive amount that was sent as a number or as a text: 12.5 with two decimals is 1250. None when it
/// is none, or finer than that.
pub fn units(sent: &Value, decimals: u8) -> Option<i64> {
    let text = match sent {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let rest = rest.trim_end_matches('0');
    let places = usize::from(decimals);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(rest) || rest.len() > places {
        return None;
    }
    format!("{whole}{rest:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (sent, decimals, read) in [
            (json!("12.50"), 2, Some(1250)),
            (json!(12.5), 2, Some(1250)),
            (json!(12), 2, Some(1200)),
            (json!(500), 0, Some(500)),
            (json!(500.0), 0, Some(500)),
            (json!("0.01"), 2, Some(1)),
            (json!("12.505"), 2, None),
            (json!("12.5"), 0, None),
            (json!("-1"), 0, None),
            (json!("1e3"), 0, None),
            (json!(""), 0, None),
            (json!(null), 0, None),
        ] {
            assert_eq!(units(&sent, decimals), read, "{sent}");
        }
        assert_eq!((text_of(1250, 2), text_of(1, 2), text_of(7, 0)), ("12.50".into(), "0.01".into(), "7".into()));
        assert_eq!((decimal(1250, 2), decimal(1200, 2), decimal(7, 0)), (json!(12.5), json!(12), json!(7)));
    }
}
