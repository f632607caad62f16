//! A notification of any provider: authentic, stored, answered; and only then the provider is asked. Nothing is believed
//! that is written in the body.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Listener, Lookup, Notice, Payout, Reference, Subject, confirm, payouts};
use crate::contract::Provider;
use crate::cx::{Cx, Reply};
use crate::error::{Answer, ApiError, BAD_JSON, INVALID_SIGNATURE, NOT_CONFIGURED};
use crate::json;

#[derive(Deserialize)]
struct Stored {
    duplicate: bool,
    /// What to ask about; none of an event that says nothing new.
    reference: Option<Box<RawValue>>,
}

/// Verifies with `gateway`, and asks among `gateways` what became of the payment that it speaks of.
///
/// # Errors
/// 503 without the signing secret, 403 for a wrong or missing proof, 400 for what is no event, 500 when the event could not
/// be stored: not stored is not answered 200, and the provider will come back.
pub async fn receive(cx: &Cx<Provider>, gateway: &dyn Listener, gateways: Lookup, notice: &Notice) -> Answer<Reply> {
    match gateway.authentic(notice) {
        None => return Err(NOT_CONFIGURED.into()),
        Some(false) => return Err(INVALID_SIGNATURE.into()),
        Some(true) => {}
    }
    let hint = gateway.hint(notice).ok_or(BAD_JSON)?;
    let kept: BTreeMap<_, _> = notice.headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name)).cloned().collect();
    let event = json!({
        "provider": gateway.name(), "dedupe_key": hint.dedupe_key, "event": hint.event, "subject": hint.subject,
        "provider_payment_id": hint.payment_id, "proof": hint.proof, "body": String::from_utf8_lossy(&notice.body),
        "headers": kept, "known_event": hint.known,
    });
    let Stored { duplicate, reference } = cx.service("payment_event", &event).await?;
    // Known news is worth a question only while Postgres says so, by naming what to ask about.
    if !duplicate || reference.is_some() {
        look(cx, gateways, gateway.name(), (hint.subject, &hint.payment_id), reference.as_deref())?;
    }
    Reply::json(200, &json!({ "success": true, "received": true }))
}

/// Kept with the event; a signature is not, it would be a password to whoever reads the inbox.
pub const KEPT_HEADERS: [&str; 2] = ["content-type", "user-agent"];

fn look(
    cx: &Cx<Provider>,
    gateways: Lookup,
    provider: &str,
    (subject, id): (Subject, &str),
    known: Option<&RawValue>,
) -> Answer<()> {
    let unreadable = |e: json::Wrong| ApiError::internal(format!("payment_event: {e}"));
    match subject {
        Subject::Payment => {
            let known: Option<Reference> =
                known.map(|known| json::read(known.get())).transpose().map_err(unreadable)?;
            confirm::later(cx, gateways, known.unwrap_or_else(|| Reference::orphan(provider, id)));
        }
        Subject::Payout => {
            let known: Option<Payout> = known.map(|known| json::read(known.get())).transpose().map_err(unreadable)?;
            payouts::later(cx, known.unwrap_or_else(|| Payout::orphan(provider, id)));
        }
        Subject::Other => {}
    }
    Ok(())
}
