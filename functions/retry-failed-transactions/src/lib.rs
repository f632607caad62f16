//! Cron, every 5 minutes: asks the providers about each payment and payout that is due and each event that waits, and
//! settles. Which ones, and how many a provider's rate allows, is decided in Postgres: payments.sweep.

pub mod wire;

use shared::edge::{self, Answer, Clock, Cx, Reply, Request, Response};
use shared::payments::{confirm, sweep};
use shared::wire::Nothing;
use wire::CONTRACT;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

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
    Reply::json(200, &confirm::tally(&sweep::run(&cx).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, block_on, tick};

    #[test]
    fn one_payment_that_cannot_be_asked_about_does_not_stop_the_others() {
        let due = ["a", "b", "c"].map(|id| json!({ "provider": "moneroo", "provider_payment_id": id }));
        let due = json!({ "payments": due, "payouts": [] });
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
