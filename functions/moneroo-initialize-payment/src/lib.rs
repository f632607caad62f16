//! `POST /functions/v1/moneroo-initialize-payment`: creates a hosted checkout for a priced purpose.
//! Aliases: create-payment (buys a plan), moneroo and paydunya (`{action, data}`), and mtn-momo, airtel-money, card-payment,
//! which pay an own open payment in another way. The price lives in Postgres: payments.price_of.

mod ask;
pub mod wire;

use serde_json::{Map, Value, json};
use shared::edge::{self, Answer, Cx, Reply, Request, Response, User};
use shared::error::NOT_CONFIGURED;
use shared::json::Tree;
use shared::payments::checkout::{self, Payment};
use shared::payments::{checkout_at, confirm, gateway};
use wire::CONTRACT;
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

async fn handle(cx: Cx<User>, Tree(body): Tree) -> Answer<Reply> {
    let ask = match ask::read(&cx.world.invoked_as, body)? {
        ask::Wish::Pay(ask) => *ask,
        ask::Wish::Look(payment_id) => {
            let own = confirm::own(&cx, Some(&payment_id)).await?;
            return Reply::json(200, &json!({ "success": true, "data": own.payment }));
        }
    };
    cx.is_caller(ask.user_id.as_deref())?;
    let key = cx.idempotency_key(ask.idempotency_key.clone())?;
    let order = ask.order(key)?;
    let at = checkout_at(&cx.world.settings, &order.provider).ok_or(NOT_CONFIGURED)?;
    let payment = checkout::start(&cx, &*at, gateway, &order).await?;
    let body = answer(&cx.world.invoked_as, &payment);
    Ok(Reply { replayed: !payment.fresh, ..Reply::json(if payment.fresh { 201 } else { 200 }, &body)? })
}

fn answer(invoked_as: &str, payment: &Payment) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("success", json!(true));
    put("payment_id", json!(payment.provider_payment_id));
    put("status", json!(payment.status));
    put("amount", json!(payment.amount));
    put("fee", json!(payment.fee));
    put("total", json!(payment.total));
    put("currency", json!(payment.currency));
    match (&payment.checkout_url, payment.data.get("client_secret")) {
        (url, Some(secret)) => {
            put("client_secret", secret.clone());
            put("checkout_url", json!(url));
        }
        (Some(url), None) => put("checkout_url", json!(url)),
        (None, None) => put("message", json!("confirm the payment on the phone")),
    }
    match invoked_as {
        "create-payment" => {
            put("transaction_id", json!(payment.id));
            put("payment_url", json!(payment.checkout_url));
        }
        "mtn-momo" | "airtel-money" | "card-payment" => {
            put("transaction_id", json!(payment.id));
            put("reference", json!(payment.provider_payment_id));
        }
        _ => {}
    }
    let enveloped = matches!(invoked_as, "moneroo" | "paydunya");
    if enveloped { json!({ "success": true, "data": body }) } else { Value::Object(body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::{ALICE, FakeDb, FakeHttp, alice, alice_pays, block_on};

    fn code(body: &Value) -> String {
        block_on(handle(alice(&FakeDb::unreachable()), Tree(body.clone()))).unwrap_err().problem().code
    }

    #[test]
    fn a_request_that_cannot_be_right_reaches_neither_postgres_nor_the_provider() {
        for (body, expected) in [
            (json!({ "amount": 1000 }), "PURPOSE_REQUIRED"),
            (json!({ "purpose": "wallet_deposit", "amount": 10.5 }), "VALIDATION_ERROR"),
            (json!({ "purpose": "gift", "amount": 10 }), "VALIDATION_ERROR"),
            (json!({ "purpose": "wallet_deposit", "amount": 10, "user_id": "b0b" }), "IDENTITY_MISMATCH"),
            (
                json!({ "purpose": "wallet_deposit", "amount": 10, "card_number": "4111111111111111" }),
                "CARD_DATA_REFUSED",
            ),
            (
                json!({ "purpose": "wallet_deposit", "amount": 10, "return_url": "https://evil.test/x" }),
                "VALIDATION_ERROR",
            ),
            (json!({ "purpose": "wallet_deposit", "amount": 10, "metadata": { "a": { "b": 1 } } }), "VALIDATION_ERROR"),
            (json!({ "purpose": "ride", "purpose_id": "1" }), "VALIDATION_ERROR"),
        ] {
            assert_eq!(code(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_fresh_payment_is_201_and_carries_our_signed_tag_to_the_provider() {
        let begun = json!({ "fresh": true, "customer": { "email": "a@b.c" }, "payment": { "id": "p-1", "provider_payment_id": null,
            "checkout_url": null, "status": "initiating", "attempt": 1, "amount": 500, "fee": 0, "total": 500, "currency": "XAF",
            "description": "Payment", "provider_amount": 500 } });
        let db = FakeDb::answers(&[
            (200, begun),
            (
                200,
                json!({ "status": "pending", "waiting_events": false, "reference": { "provider": "moneroo", "provider_payment_id": "py_1" } }),
            ),
        ]);
        let http =
            FakeHttp::answers(&[Ok((201, json!({ "data": { "id": "py_1", "checkout_url": "https://pay/py_1" } })))]);
        let body = json!({ "purpose": "ride", "purpose_id": ALICE, "metadata": { "order_id": "victim" } });
        assert_eq!(block_on(handle(alice_pays(&db, &http), Tree(body))).unwrap().status, 201);
        let sent: Value = serde_json::from_str(http.sent.borrow()[0].body.as_deref().unwrap()).unwrap();
        assert_eq!((&sent["metadata"]["intent_id"], &sent["amount"]), (&json!("p-1"), &json!(500)));
        assert_eq!(sent["metadata"].get("order_id"), None, "a client's metadata never reaches the provider");
        assert_eq!(sent["metadata"]["tag"].as_str().map(str::len), Some(64));
    }
}
