//! Cron, every minute: sends the payouts that are due, each at most once. What no rail takes waits for an admin.
//! Claiming, rails and postings are SQL: migrations/20261121096600_payouts.sql.

pub mod wire;

use shared::edge::{self, Answer, Clock, Cx, Reply, Request, Response};
use shared::payments::{confirm, payouts};
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
    Reply::json(200, &confirm::tally(&payouts::process(&cx).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, block_on, tick};

    fn due() -> Value {
        json!({ "due": [{ "payout_id": "00000000-0000-4000-8000-00000000000a", "provider": "moneroo", "amount": 500, "exponent": 0,
            "currency": "XOF", "method": "orange_ci", "destination": "2250700000001",
            "customer": { "email": "a@b.c", "first_name": "A", "last_name": "B" } }] })
    }

    /// One payout, the provider's answer to it, and what Postgres was told.
    fn told(answer: Result<(u16, Value), Lost>) -> Value {
        let db = FakeDb::answers(&[(200, due()), (200, json!({})), (200, json!({ "due": [] }))]);
        block_on(handle(tick(&db, &FakeHttp::answers(&[answer])))).unwrap();
        db.ask(1)
    }

    #[test]
    fn a_payout_without_a_clear_answer_is_unknown_and_never_sent_a_second_time() {
        for answer in
            [Err(Lost::TimedOut), Err(Lost::Unreachable), Ok((500, json!({}))), Ok((200, json!({ "data": {} })))]
        {
            assert_eq!(told(answer)["outcome"], "unknown");
        }
    }

    #[test]
    fn what_the_provider_accepts_or_refuses_is_told_as_it_is() {
        let accepted = told(Ok((201, json!({ "data": { "id": "po_1" } }))));
        assert_eq!((&accepted["outcome"], &accepted["provider_payout_id"]), (&json!("accepted"), &json!("po_1")));
        assert_eq!(told(Ok((422, json!({ "message": "no" }))))["outcome"], "refused");
    }
}
