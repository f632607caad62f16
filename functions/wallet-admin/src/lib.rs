//! `POST /functions/v1/wallet-admin`: block, unblock, close, set_limits, settle_payout, release_suspense, stats. Alias: financial-stats.
//! Who may, and what changes: migrations/20261121096400_wallet_admin.sql. No action sets a balance.

pub mod wire;

use shared::edge::{self, Answer, ApiError, Cx, Reply, Request, Response, User};
use wire::{Action, Ask, CONTRACT};
use worker::{Context, Env, event};

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

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, handle).await
    }
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
