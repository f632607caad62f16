//! Money on its way out. A payout is claimed before it is sent and sent at most once: whatever is not a clear answer makes
//! it `unknown`, and then only the provider's own word, or an admin's with a reference, decides.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Claim, Customer, call, configured, payout_at};
use crate::contract::Clock;
use crate::cx::Cx;
use crate::error::{Answer, NOT_CONFIGURED};
use crate::http::{Incoming, Outgoing};
use crate::payments::confirm::Confirmed;

/// Money to send, in the provider's units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Payout {
    /// Ours, a UUID.
    pub payout_id: String,
    pub provider: String,
    #[serde(default)]
    pub provider_payout_id: Option<String>,
    pub amount: i64,
    #[serde(default)]
    pub exponent: u8,
    pub currency: String,
    pub method: String,
    /// Digits of a phone; for a refund to a card, the provider's id of the payment.
    pub destination: String,
    #[serde(default)]
    pub customer: Customer,
}

/// What sending came to. There is no second try: after `Unknown` only the provider's own word decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Accepted(String),
    Refused(String),
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStatus {
    Pending,
    Completed,
    Failed,
    /// As [`Status::Odd`](super::Status::Odd).
    Odd,
}

/// The provider's own word on a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutTruth {
    pub status: PayoutStatus,
    /// In the provider's units.
    pub amount: Option<i64>,
    pub currency: String,
    pub environment: String,
    /// Ours, from the metadata, for a payout whose answer was lost; the tag's attempt is 1.
    pub claim: Option<Claim>,
}

/// Sending money through a provider: payouts to phones, refunds to cards.
pub trait Payouts {
    fn send(&self, payout: &Payout) -> Outgoing;
    fn sent(&self, payout: &Payout, answer: &Incoming) -> Sent;
    fn query(&self, payout: &Payout) -> Option<Outgoing>;
    fn truth(&self, payout: &Payout, answer: &Incoming) -> Option<PayoutTruth>;
}

/// Sent in one run; the rest waits for the next minute.
const BATCH: usize = 50;

#[derive(Deserialize)]
struct Claimed {
    due: Vec<Payout>,
}

#[derive(Deserialize)]
struct Noted {
    #[serde(default)]
    waiting_events: bool,
}

#[derive(Deserialize)]
struct Settled {
    outcome: String,
}

impl Payout {
    /// A payout of which we know nothing but the provider's id.
    #[must_use]
    pub fn orphan(provider: &str, id: &str) -> Self {
        Self { provider: provider.to_owned(), provider_payout_id: Some(id.to_owned()), ..Self::default() }
    }
}

/// Sends what is due, one after the other: claimed singly, so that a crash leaves one in doubt and not fifty.
///
/// # Errors
/// Ours when Postgres fails; what has been sent until then is on its rows.
pub async fn process(cx: &Cx<Clock>) -> Answer<Vec<Answer<Confirmed>>> {
    let ready: Vec<_> = configured(&cx.world.settings).into_iter().filter(|name| pays_out(cx, name)).collect();
    let mut results = Vec::new();
    while results.len() < BATCH {
        let Claimed { due } = cx.service("payout_claim", &json!({ "providers": ready, "limit": 1 })).await?;
        if due.is_empty() {
            break;
        }
        for payout in &due {
            results.push(send(cx, payout).await);
        }
    }
    Ok(results)
}

fn pays_out(cx: &Cx<Clock>, provider: &str) -> bool {
    payout_at(&cx.world.settings, provider).is_some()
}

async fn send(cx: &Cx<Clock>, payout: &Payout) -> Answer<Confirmed> {
    let gateway = payout_at(&cx.world.settings, &payout.provider).ok_or(NOT_CONFIGURED)?;
    let rail = gateway.payouts();
    let sent = match call::send(cx, &*gateway, rail.send(payout)).await {
        Ok(answer) => rail.sent(payout, &answer),
        Err(_) => Sent::Unknown("no answer".into()),
    };
    let (outcome, id) = match sent {
        Sent::Accepted(id) => ("accepted", Some(id)),
        Sent::Refused(_) => ("refused", None),
        Sent::Unknown(_) => ("unknown", None),
    };
    let told = json!({ "payout_id": payout.payout_id, "outcome": outcome, "provider_payout_id": id });
    let Noted { waiting_events } = cx.service("payout_sent", &told).await?;
    if let (true, Some(id)) = (waiting_events, id) {
        // Its webhook was faster than its answer.
        return confirm(cx, &Payout { provider_payout_id: Some(id), ..payout.clone() }).await;
    }
    Ok(if outcome == "accepted" { Confirmed::Decided(outcome.to_owned()) } else { Confirmed::Silent })
}

/// Asks the provider what became of a payout and settles on that alone. Safe to run twice, and at once.
///
/// # Errors
/// 503 without the provider's keys; ours when Postgres fails.
pub async fn confirm<W>(cx: &Cx<W>, payout: &Payout) -> Answer<Confirmed> {
    let settings = &cx.world.settings;
    let gateway = payout_at(settings, &payout.provider).ok_or(NOT_CONFIGURED)?;
    let rail = gateway.payouts();
    let Some(query) = rail.query(payout) else { return Ok(Confirmed::Silent) };
    let Ok(answer) = call::send(cx, &*gateway, query).await else { return Ok(Confirmed::Silent) };
    let Some(truth) = rail.truth(payout, &answer) else { return Ok(Confirmed::Silent) };
    let PayoutTruth { status, amount, currency, environment, claim } = truth;
    let ours = claim.filter(|claim| amount.is_some_and(|amount| claim.holds(&settings.tag_key, amount, &currency)));
    let told = json!({
        "provider": gateway.name(), "provider_payout_id": payout.provider_payout_id, "status": status, "amount": amount,
        "currency": currency, "environment": environment, "expected_environment": settings.environment,
        "payout_id": ours.map(|claim| claim.intent_id),
    });
    let Settled { outcome } = cx.service("payout_settle", &told).await?;
    Ok(Confirmed::Decided(outcome))
}

/// The same after the response has gone out. What fails here is found by the sweep.
pub fn later<W: Clone + 'static>(cx: &Cx<W>, payout: Payout) {
    let own = cx.clone();
    cx.after_response(async move {
        let _: Answer<Confirmed> = confirm(&own, &payout).await;
    });
}
