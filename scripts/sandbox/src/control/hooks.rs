//! Webhooks by hand: the same one many times at once, any bytes with any signature, and what was held back.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Outcome, answer, problem, read};
use crate::message::{Message, Notice};
use crate::rails::control::known;
use crate::state::Sandbox;
use crate::webhooks::{self, Delivery};

const TIMES_MAX: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    #[serde(default = "once")]
    pub times: u32,
    /// Another status than the true one: the webhook lies, verify does not.
    pub status: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// Whose webhook: signed and addressed as this provider does; Moneroo's when absent.
    provider: Option<String>,
    /// A string is sent as it is, anything else as compact JSON.
    body: Option<Value>,
    /// For bytes that are no UTF-8.
    body_hex: Option<String>,
    /// Absent: signed as it should be. Null: no header. A string: sent as it is.
    #[serde(default, deserialize_with = "present")]
    signature: Option<Option<String>>,
    /// Signs with another key than ours.
    secret: Option<String>,
    url: Option<String>,
    #[serde(default = "once")]
    times: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    #[serde(default)]
    order: Order,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Reverse,
    Forward,
}

fn once() -> u32 {
    1
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

pub async fn redeliver(sandbox: &Arc<Sandbox>, mut notice: Notice, body: Value) -> Outcome {
    let ask: Again = read(body)?;
    if let Some(status) = ask.status {
        let family = notice.event.split('.').next().unwrap_or_default();
        notice.event = format!("{family}.{status}");
        notice.status = status;
    }
    let message = notice.message(&sandbox.webhook_secret);
    send(sandbox, &message, ask.times).await
}

pub async fn deliver(sandbox: &Arc<Sandbox>, body: Value) -> Outcome {
    let ask: Raw = read(body)?;
    let bytes = match (ask.body, ask.body_hex) {
        (Some(Value::String(text)), None) => text.into_bytes(),
        (Some(value), None) => value.to_string().into_bytes(),
        (None, Some(digits)) => hex::decode(digits).map_err(|error| problem(422, error.to_string()))?,
        _ => return Err(problem(422, "exactly one of body and body_hex is required")),
    };
    let usual = match ask.provider.as_deref() {
        None | Some("moneroo") => Message::moneroo(&sandbox.webhook_secret, None),
        Some(provider) => Message::of(known(provider)?),
    };
    let mut message = Message { event: "raw".into(), body: bytes, signature: ask.signature, url: ask.url, ..usual };
    if let (Some(seal), Some(secret)) = (&mut message.seal, ask.secret) {
        seal.secret = secret;
    }
    send(sandbox, &message, ask.times).await
}

pub async fn release(sandbox: &Arc<Sandbox>, body: Value) -> Outcome {
    let ask: Release = read(body)?;
    let sent = webhooks::release(sandbox, ask.order == Order::Reverse).await;
    Ok(json!({ "statuses": statuses(&sent), "deliveries": answer(&sent)? }))
}

pub async fn send(sandbox: &Arc<Sandbox>, message: &Message, times: u32) -> Outcome {
    if !(1..=TIMES_MAX).contains(&times) {
        return Err(problem(422, format!("times is 1 to {TIMES_MAX}")));
    }
    let sent = webhooks::burst(sandbox, message, times).await;
    Ok(json!({ "statuses": statuses(&sent), "deliveries": answer(&sent)? }))
}

/// Null where nobody answered.
fn statuses(sent: &[Delivery]) -> Vec<Option<u16>> {
    sent.iter().map(|delivery| delivery.status).collect()
}
