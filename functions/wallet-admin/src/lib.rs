//! `POST /functions/v1/wallet-admin`: block, unblock, close, set_limits, settle_payout, release_suspense, stats. Alias: financial-stats.
//! Who may, and what changes: migrations/20261121096400_wallet_admin.sql. No action sets a balance.

use serde::{Deserialize, Serialize};
use shared::edge::{self, Answer, ApiError, Contract, Cx, Reply, Request, Response, User};
use shared::money::{Amount, Currency};
use uuid::Uuid;
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<User> = Contract::post("wallet-admin").user().rpc_refuses(&[
    "INVALID_STATE",
    "RECIPIENT_UNAVAILABLE",
    "INSUFFICIENT_FUNDS",
    "WALLET_BLOCKED",
]);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Block,
    Unblock,
    /// For ever, and only an empty wallet: an addition to the contract.
    Close,
    SetLimits,
    SettlePayout,
    ReleaseSuspense,
    Stats,
}

impl Action {
    fn named(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "block" => Self::Block,
            "unblock" => Self::Unblock,
            "close" => Self::Close,
            "set_limits" => Self::SetLimits,
            "settle_payout" => Self::SettlePayout,
            "release_suspense" => Self::ReleaseSuspense,
            "stats" => Self::Stats,
            _ => return None,
        })
    }
}

/// A daily or monthly limit: as an amount, but 0 is one too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
struct Ceiling(i64);

impl TryFrom<i64> for Ceiling {
    type Error = &'static str;

    fn try_from(units: i64) -> std::result::Result<Self, Self::Error> {
        if (0..=Amount::MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err("must be an integer from 0 to 9007199254740991, in the currency's minor unit")
        }
    }
}

impl From<Ceiling> for i64 {
    fn from(ceiling: Ceiling) -> Self {
        ceiling.0
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Completed,
    Failed,
}

/// What each action needs is decided in Postgres, after the role: a stranger learns that he may not, and no more. The admin is
/// the caller; a body that names one goes no further.
#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_limit: Option<Ceiling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_limit: Option<Ceiling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payout_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(alias = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, handle).await)
}

async fn handle(cx: Cx<User>, mut ask: Ask) -> Answer<Reply> {
    ask.action = action(&cx, ask.action)?;
    ask.idempotency_key = cx.idempotency_key(ask.idempotency_key.take())?;
    cx.rpc("wallet_admin", &ask).await
}

/// The body and the path may both name the action; they must agree. None at all is left to Postgres.
fn action(cx: &Cx<User>, in_body: Option<Action>) -> Answer<Option<Action>> {
    let in_path = match cx.world.suffix.as_deref() {
        None => None,
        Some(suffix) => Some(Action::named(suffix).ok_or_else(|| {
            let known = "must be block, unblock, set_limits, settle_payout, release_suspense or stats";
            ApiError::invalid("action", known)
        })?),
    };
    match (in_body, in_path) {
        (Some(body), Some(path)) if body != path => {
            Err(ApiError::invalid("action", "differs from the one in the path"))
        }
        (None, None) if cx.world.invoked_as == "financial-stats" => Ok(Some(Action::Stats)),
        (body, path) => Ok(body.or(path)),
    }
}

#[cfg(test)]
mod tests;
