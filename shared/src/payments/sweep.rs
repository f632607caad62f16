//! What nobody told us: payments, payouts and stored events whose time has come are asked about, within each provider's
//! rate. Which ones is decided in Postgres, by `payment_sweep`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::confirm::{Confirmed, confirm};
use super::{Payout, Reference, call, configured, gateway, payouts};
use crate::contract::Clock;
use crate::cx::Cx;
use crate::error::{Answer, NOT_CONFIGURED};

#[derive(Deserialize)]
struct Claimed {
    payments: Vec<Reference>,
    payouts: Vec<Payout>,
}

/// # Errors
/// 503 when no provider is configured: a claimed row waits for its next turn, so none may be claimed in vain.
pub async fn run(cx: &Cx<Clock>) -> Answer<Vec<Answer<Confirmed>>> {
    let providers = configured(&cx.world.settings);
    if providers.is_empty() {
        return Err(NOT_CONFIGURED.into());
    }
    let claimed: Claimed = cx.service("payment_sweep", &json!({ "providers": providers })).await?;
    let mut results = Vec::with_capacity(claimed.payments.len() + claimed.payouts.len());
    // One that fails does not stop the others.
    for payment in claimed.payments {
        results.push(if payment.provider_payment_id.is_none() {
            recover(cx, payment).await
        } else {
            confirm(cx, &payment).await
        });
    }
    for payout in &claimed.payouts {
        results.push(payouts::confirm(cx, payout).await);
    }
    Ok(results)
}

/// A payment whose creation was never answered: looked for by our own id, where the provider can.
async fn recover(cx: &Cx<Clock>, mut payment: Reference) -> Answer<Confirmed> {
    let settings = &cx.world.settings;
    let gateway = gateway(settings, &payment.provider).ok_or(NOT_CONFIGURED)?;
    let Some(search) = gateway.search(&payment) else { return Ok(Confirmed::Silent) };
    let Ok(answer) = call::send(cx, &*gateway, search).await else { return Ok(Confirmed::Silent) };
    let Some(id) = gateway.found(&payment, &answer) else { return Ok(Confirmed::Silent) };
    let found = json!({
        "payment_id": payment.payment_id, "provider_payment_id": id, "environment": settings.environment,
    });
    cx.service::<IgnoredAny>("payment_found", &found).await?;
    payment.provider_payment_id = Some(id);
    confirm(cx, &payment).await
}
