//! `POST /functions/v1/payment-refund`: an admin gives back a captured payment, whole or in part. The cap is held under the
//! payment's row lock: migrations/20261121096700_refunds.sql.

pub mod wire;

use shared::edge::{self, Answer, ApiError, Cx, Reply, Request, Response, User};
use wire::{Ask, CONTRACT};
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

async fn handle(cx: Cx<User>, mut ask: Ask) -> Answer<Reply> {
    ask.idempotency_key = cx.idempotency_key(ask.idempotency_key.take())?;
    if ask.idempotency_key.is_none() {
        return Err(ApiError::invalid("idempotency_key", "is required"));
    }
    if !(3..=500).contains(&ask.reason.chars().count()) {
        return Err(ApiError::invalid("reason", "must be 3 to 500 characters"));
    }
    if !(1..=200).contains(&ask.payment_id.len()) {
        return Err(ApiError::invalid("payment_id", "must be a payment's id"));
    }
    cx.rpc("payment_refund", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::testing::{FakeDb, alice, block_on};

    fn call(db: &std::rc::Rc<FakeDb>, body: Value) -> Answer<Reply> {
        block_on(handle(alice(db), shared::json::parse(body.to_string().as_bytes())?))
    }

    #[test]
    fn without_a_key_or_a_reason_nothing_is_asked() {
        for (body, field) in [
            (json!({ "payment_id": "py_1", "reason": "broken" }), "idempotency_key"),
            (json!({ "payment_id": "py_1", "reason": "no", "idempotency_key": "refund-0001" }), "reason"),
            (json!({ "payment_id": "", "reason": "broken", "idempotency_key": "refund-0001" }), "payment_id"),
            (
                json!({ "payment_id": "py_1", "reason": "broken", "amount": -1, "idempotency_key": "refund-0001" }),
                "amount",
            ),
            (
                json!({ "payment_id": "py_1", "reason": "broken", "amount": 0, "idempotency_key": "refund-0001" }),
                "amount",
            ),
            (
                json!({ "payment_id": "py_1", "reason": "broken", "destination": "cash", "idempotency_key": "refund-0001" }),
                "destination",
            ),
        ] {
            let no = call(&FakeDb::unreachable(), body.clone()).unwrap_err().problem();
            assert_eq!((no.status, &no.details.read()[0]["field"]), (400, &json!(field)), "{body}");
        }
    }

    #[test]
    fn a_refund_goes_to_the_wallet_unless_it_is_said_otherwise() {
        let db = FakeDb::answers(&[(201, json!({ "success": true }))]);
        let body =
            json!({ "payment_id": "py_1", "reason": "broken", "by": "somebody", "idempotency_key": "refund-0001" });
        assert_eq!(call(&db, body).unwrap().status, 201);
        let expected = json!({ "payment_id": "py_1", "reason": "broken", "destination": "wallet", "idempotency_key": "refund-0001" });
        assert_eq!(db.ask(0), expected);
    }
}
