//! The one way in: webhook, return page and sweep all ask the provider and hand its answer to `payment_settle`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shown::Tally;
use super::{Gateway, Lookup, Reference, Truth, call, gateway};
use crate::contract::User;
use crate::cx::Cx;
use crate::error::{Answer, NOT_CONFIGURED};
use crate::json;
use crate::wire::Yes;

/// What a confirmation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The provider answered and Postgres has decided; its word for it.
    Decided(String),
    /// No usable answer: nothing changed, the sweep will ask again.
    Silent,
}

#[derive(Deserialize)]
struct Settled {
    outcome: String,
}

/// Asks the provider for its truth about a payment and settles on that alone. Safe to run twice, and at once.
///
/// # Errors
/// 503 without the provider's keys; ours when Postgres fails.
pub async fn confirm<W>(cx: &Cx<W>, payment: &Reference) -> Answer<Confirmed> {
    confirm_among(cx, gateway, payment).await
}

async fn confirm_among<W>(cx: &Cx<W>, gateways: Lookup, payment: &Reference) -> Answer<Confirmed> {
    let settings = &cx.world.settings;
    let gateway = gateways(settings, &payment.provider).ok_or(NOT_CONFIGURED)?;
    let Some(truth) = ask(cx, &*gateway, payment).await else { return Ok(Confirmed::Silent) };
    let Truth { status, amount, currency, environment, intent, refunded, dispute } = truth;
    let ours = intent.filter(|claim| amount.is_some_and(|amount| claim.holds(&settings.tag_key, amount, &currency)));
    let told = json!({
        "provider": gateway.name(), "provider_payment_id": payment.id(), "status": status, "amount": amount, "currency": currency,
        "environment": environment, "expected_environment": settings.environment, "refunded": refunded, "dispute": dispute,
        "as_of": payment.as_of, "intent": ours.map(|claim| json!({ "payment_id": claim.intent_id, "attempt": claim.attempt })),
    });
    let Settled { outcome } = cx.service("payment_settle", &told).await?;
    Ok(Confirmed::Decided(outcome))
}

/// The provider's word; `None` while it gives none, or cannot be asked yet.
pub(super) async fn ask<W>(cx: &Cx<W>, gateway: &dyn Gateway, payment: &Reference) -> Option<Truth> {
    let answer = call::send(cx, gateway, gateway.query(payment)?).await.ok()?;
    gateway.truth(payment, &answer)
}

/// A caller's own payment, as `payment_get` gives it.
#[derive(Debug, Deserialize)]
pub struct Own {
    ask_provider: bool,
    reference: Reference,
    /// What the wallet of the payment's currency holds, minor units.
    pub balance: Option<i64>,
    /// id, status, amount, fee, currency, created_at, settlement.
    #[serde(deserialize_with = "json::object")]
    pub payment: Map<String, Value>,
    /// The provider did not answer: this is what we knew before.
    #[serde(skip)]
    pub stale: bool,
}

/// The caller's own payment, settled first if the provider has not been asked for a few seconds.
///
/// # Errors
/// 404 for unknown and foreign ids; as [`confirm`].
pub async fn own(cx: &Cx<User>, payment_id: Option<&str>) -> Answer<Own> {
    let wanted = json!({ "payment_id": payment_id });
    let own: Own = cx.rpc_read("payment_get", &wanted).await?;
    if !own.ask_provider {
        return Ok(own);
    }
    let stale = confirm(cx, &own.reference).await? == Confirmed::Silent;
    Ok(Own { stale, ..cx.rpc_read("payment_get", &wanted).await? })
}

/// The same after the response has gone out, with the providers that the function knows. What fails here stays in the inbox
/// for the sweep.
pub fn later<W: Clone + 'static>(cx: &Cx<W>, gateways: Lookup, payment: Reference) {
    let own = cx.clone();
    cx.after_response(async move {
        let _: Answer<Confirmed> = confirm_among(&own, gateways, &payment).await;
    });
}

/// Answers `{"success":true}` and more: the legacy shape of a list of results.
#[must_use]
pub fn tally(results: &[Answer<Confirmed>]) -> Tally {
    let good = results.iter().filter(|r| matches!(r, Ok(Confirmed::Decided(_)))).count();
    Tally { failed: results.len() - good, processed: results.len(), success: Yes, successful: good }
}
