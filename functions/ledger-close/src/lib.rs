//! Cron, every hour: seals the days that are over into the hash chain, and compares payments that have ended with what
//! their provider says now; then removes what nobody needs any more (`core.housekeep`). Safe at any rate: a sealed day stays sealed, a compared payment is not compared again.

pub mod wire;

use serde::Deserialize;
use serde_json::json;
use shared::edge::{self, Answer, Clock, Cx, Reply, Request, Response};
use shared::payments::reconcile;
use shared::wire::{Nothing, Yes};
use wire::{CONTRACT, Receipt};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

#[derive(Deserialize)]
struct Sealed {
    sealed: u32,
    head: Option<String>,
}

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, |cx, _: Nothing| handle(cx)).await
    }
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, ctx: ScheduleContext) {
    edge::tick(env, ctx, &CONTRACT, handle).await;
}

async fn handle(cx: Cx<Clock>) -> Answer<Reply> {
    let sealed: Sealed = cx.service("ledger_seal", &json!({})).await?;
    let found = reconcile::run(&cx).await?;
    // Last: whatever becomes of it, the books were closed.
    cx.service::<serde::de::IgnoredAny>("housekeep", &json!({})).await?;
    let body = Receipt {
        success: Yes,
        sealed: sealed.sealed,
        head: sealed.head,
        checked: found.checked,
        silent: found.silent,
        differences: found.differences,
    };
    Reply::json(200, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, block_on, tick};

    #[test]
    fn a_provider_that_says_nothing_is_asked_again_another_time() {
        let due = ["a", "b"].map(|id| json!({ "provider": "moneroo", "provider_payment_id": id }));
        let db = FakeDb::answers(&[
            (200, json!({ "sealed": 2, "head": "ab" })),
            (200, json!({ "due": due })),
            (200, json!({ "differences": 1 })),
            (200, json!({ "idempotency_keys": 3 })),
        ]);
        let truth =
            json!({ "data": { "status": "success", "amount": 9, "currency": "XOF", "environment": "sandbox" } });
        let http = FakeHttp::answers(&[Err(Lost::TimedOut), Ok((200, truth))]);
        let said = format!("{:?}", block_on(handle(tick(&db, &http))).unwrap().body);
        assert_eq!(said, r#"{"checked":1,"differences":1,"head":"ab","sealed":2,"silent":1,"success":true}"#);
        assert_eq!((&db.ask(2)["provider_payment_id"], &db.ask(2)["amount"]), (&json!("b"), &json!(9)));
    }
}
