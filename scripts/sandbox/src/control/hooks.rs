//! Webhooks by hand: the same one many times at once, any bytes with any signature, and what was held back.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Outcome, answer, problem, read};
use crate::message::{self, Message, Notice};
use crate::state::Sandbox;
use crate::webhooks::{self, Delivery};

const TIMES_MAX: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    #[serde(default = "once")]
    times: u32,
    /// Another status than the true one: the webhook lies, verify does not.
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
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
    let secret = ask.secret.as_deref().unwrap_or(&sandbox.webhook_secret);
    let signature = ask.signature.unwrap_or_else(|| Some(message::sign(secret, &bytes)));
    let message =
        Message { event: "raw".into(), id: None, body: bytes, signature, url: ask.url, copies: 1, delay_ms: 0 };
    send(sandbox, &message, ask.times).await
}

pub async fn release(sandbox: &Arc<Sandbox>, body: Value) -> Outcome {
    let ask: Release = read(body)?;
    let sent = webhooks::release(sandbox, ask.order == Order::Reverse).await;
    Ok(json!({ "statuses": statuses(&sent), "deliveries": answer(&sent)? }))
}

async fn send(sandbox: &Arc<Sandbox>, message: &Message, times: u32) -> Outcome {
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
