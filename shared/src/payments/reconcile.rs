//! Provider against ledger: each payment that has ended is asked about once more, and what differs is written down.

use serde::Deserialize;
use serde_json::json;

use super::{Reference, Truth, configured, confirm, gateway};
use crate::contract::Clock;
use crate::cx::Cx;
use crate::error::{Answer, NOT_CONFIGURED};

/// Asked about in one run; the rest waits for the next.
const BATCH: u32 = 60;

#[derive(Deserialize)]
struct Claimed {
    due: Vec<Reference>,
}

#[derive(Deserialize)]
struct Compared {
    differences: u32,
}

/// What a run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub checked: u32,
    /// No usable answer: their turn comes again.
    pub silent: u32,
    pub differences: u32,
}

/// # Errors
/// Ours when Postgres fails.
pub async fn run(cx: &Cx<Clock>) -> Answer<Report> {
    let providers = configured(&cx.world.settings);
    let ask = json!({ "providers": providers, "limit": BATCH });
    let Claimed { due } = cx.service("payment_reconcile_claim", &ask).await?;
    let mut report = Report::default();
    for payment in &due {
        match compare(cx, payment).await? {
            Some(differences) => {
                report.checked += 1;
                report.differences += differences;
            }
            None => report.silent += 1,
        }
    }
    Ok(report)
}

async fn compare(cx: &Cx<Clock>, payment: &Reference) -> Answer<Option<u32>> {
    let gateway = gateway(&cx.world.settings, &payment.provider).ok_or(NOT_CONFIGURED)?;
    let Some(truth) = confirm::ask(cx, &*gateway, payment).await else { return Ok(None) };
    let Truth { status, amount, currency, environment, refunded, .. } = truth;
    let told = json!({
        "provider": payment.provider, "provider_payment_id": payment.id(), "status": status, "amount": amount,
        "currency": currency, "environment": environment, "refunded": refunded,
    });
    let Compared { differences } = cx.service("payment_reconcile", &told).await?;
    Ok(Some(differences))
}
