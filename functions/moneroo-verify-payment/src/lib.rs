//! `POST or GET /functions/v1/moneroo-verify-payment`: asks the provider about the caller's own payment, settles, returns it.
//! The browser's return page is no proof of anything: only the provider's answer to our own query is.

pub mod wire;

use shared::edge::{self, Answer, Cx, Reply, Request, Response, User};
use shared::payments::confirm::{self, Own};
use shared::wire::Yes;
use wire::{Ask, CONTRACT, Receipt};
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, handle).await
    }
}

async fn handle(cx: Cx<User>, ask: Ask) -> Answer<Reply> {
    let Own { payment, stale, .. } = confirm::own(&cx, ask.payment_id.as_deref()).await?;
    Reply::json(200, &Receipt { success: Yes, payment, stale: stale.then_some(Yes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, alice, alice_pays, block_on};

    fn own(ask_provider: bool, status: &str) -> (u16, Value) {
        (
            200,
            json!({ "ask_provider": ask_provider, "reference": { "provider": "moneroo", "provider_payment_id": "py_1" }, "payment": { "id": "py_1", "status": status } }),
        )
    }

    fn ask() -> Ask {
        Ask { payment_id: Some("py_1".into()) }
    }

    #[test]
    fn a_final_payment_is_answered_from_the_database() {
        let reply = block_on(handle(alice(&FakeDb::answers(&[own(false, "success")])), ask())).unwrap();
        assert!(!format!("{:?}", reply.body).contains("stale"));
    }

    #[test]
    fn a_silent_provider_leaves_the_stored_status_marked_stale() {
        let db = FakeDb::answers(&[own(true, "pending"), own(false, "pending")]);
        let reply = block_on(handle(alice_pays(&db, &FakeHttp::answers(&[Err(Lost::Unreachable)])), ask())).unwrap();
        assert!(format!("{:?}", reply.body).contains("\"stale\":true"));
    }

    #[test]
    fn an_answer_settles_on_the_providers_word_and_not_on_a_forged_tag() {
        let db =
            FakeDb::answers(&[own(true, "pending"), (200, json!({ "outcome": "settled" })), own(false, "success")]);
        let truth = json!({ "data": { "status": "success", "amount": 100, "currency": { "code": "GNF" }, "environment": "sandbox",
            "metadata": { "intent_id": "victim", "attempt": "1", "tag": "forged" } } });
        block_on(handle(alice_pays(&db, &FakeHttp::answers(&[Ok((200, truth))])), ask())).unwrap();
        let settled = db.ask(1);
        assert_eq!(
            (&settled["amount"], &settled["status"], &settled["intent"]),
            (&json!(100), &json!("success"), &Value::Null)
        );
    }
}
