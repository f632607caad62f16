//! Cron, every 5 minutes: asks the provider about each payment that is due and each event that waits, and settles.
//! Which ones, and how many the provider's rate allows, is decided in Postgres: payments.sweep.

use serde::Deserialize;
use serde_json::json;
use shared::edge::{self, Answer, Clock, Contract, Cx, Reply, Request, Response};
use shared::error::NOT_CONFIGURED;
use shared::payments::confirm::{confirm, tally};
use shared::payments::moneroo::Moneroo;
use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, event};

const CONTRACT: Contract<Clock> = Contract::post("retry-failed-transactions").cron();

#[derive(Deserialize)]
struct Ask {}

#[derive(Deserialize)]
struct Claimed {
    due: Vec<Due>,
}

#[derive(Deserialize)]
struct Due {
    provider_payment_id: String,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, |cx, _: Ask| handle(cx)).await)
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, ctx: ScheduleContext) {
    edge::tick(env, ctx, &CONTRACT, handle).await;
}

async fn handle(cx: Cx<Clock>) -> Answer<Reply> {
    // Without the provider nothing may be claimed: a claimed row waits for its next turn.
    if Moneroo::configured(&cx.world.settings).is_none() {
        return Err(NOT_CONFIGURED.into());
    }
    let Claimed { due } = cx.service("payment_sweep", &json!({})).await?;
    let mut results = Vec::with_capacity(due.len());
    for Due { provider_payment_id } in &due {
        // One that fails does not stop the others.
        results.push(confirm(&cx, provider_payment_id).await);
    }
    Reply::json(200, &tally(&results))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, block_on, tick};

    #[test]
    fn one_payment_that_cannot_be_asked_about_does_not_stop_the_others() {
        let due = json!({ "due": [{ "provider_payment_id": "a" }, { "provider_payment_id": "b" }, { "provider_payment_id": "c" }] });
        let truth =
            json!({ "data": { "status": "success", "amount": 1, "currency": "XOF", "environment": "sandbox" } });
        let db = FakeDb::answers(&[
            (200, due),
            (500, json!({ "code": "XX000", "message": "x" })),
            (200, json!({ "outcome": "settled" })),
        ]);
        let http = FakeHttp::answers(&[Ok((200, truth.clone())), Err(Lost::TimedOut), Ok((200, truth))]);
        let reply = block_on(handle(tick(&db, &http))).unwrap();
        let said = format!("{:?}", reply.body);
        assert_eq!(said, r#"{"failed":2,"processed":3,"success":true,"successful":1}"#);
    }
}
