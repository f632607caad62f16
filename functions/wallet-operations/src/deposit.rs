//! A deposit is a payment with a provider: nothing is credited here, only by the settlement of what the provider confirms.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::edge::{Answer, ApiError, Cx, Reply, User};
use shared::error::NOT_CONFIGURED;
use shared::payments::checkout::{self, Order, Purpose};
use shared::payments::moneroo::Moneroo;
use shared::payments::{confirm, gateway};
use shared::wire::Yes;

use crate::wire::{Ask, CASH, Deposit, Operation};

/// What the wallet holds while the payment is open.
#[derive(Deserialize)]
struct Held {
    balance: Option<i64>,
}

pub async fn handle(cx: &Cx<User>, ask: Ask, key: Option<String>) -> Answer<Reply> {
    if let Some(payment_id) = ask.payment_id {
        return claim(cx, &payment_id).await;
    }
    if ask.method.as_deref() == Some("cash") {
        return Err(CASH.into());
    }
    let amount = ask.amount.ok_or_else(|| ApiError::invalid("amount", "is required"))?;
    let order = Order {
        provider: "moneroo".to_owned(),
        purpose: Some(Purpose::WalletDeposit),
        amount: Some(amount.get()),
        currency: Some(ask.currency.unwrap_or_default().into()),
        description: ask.description,
        customer: ask.customer.unwrap_or_default(),
        return_url: ask.return_url,
        idempotency_key: key,
        ..Order::default()
    };
    // By its type and not by its name: no other provider's checkout is linked.
    let moneroo = Moneroo::configured(&cx.world.settings).ok_or(NOT_CONFIGURED)?;
    let payment = checkout::start(cx, &moneroo, gateway, &order).await?;
    let held: Held = cx.rpc_read("payment_get", &json!({ "payment_id": payment.id, "look": "only" })).await?;
    let body = Deposit {
        success: Yes,
        operation: Operation::Deposit,
        status: payment.status,
        new_balance: held.balance.unwrap_or(0),
        payment_id: payment.provider_payment_id,
        checkout_url: payment.checkout_url,
        amount: payment.amount,
        fee: payment.fee,
        total: payment.total,
        currency: payment.currency,
    };
    Ok(Reply { replayed: !payment.fresh, ..Reply::json(202, &body)? })
}

/// Settles the caller's own payment on the provider's word, and says what the wallet holds now.
async fn claim(cx: &Cx<User>, payment_id: &str) -> Answer<Reply> {
    let own = confirm::own(cx, Some(payment_id)).await?;
    let status = own.payment.get("status").and_then(Value::as_str).unwrap_or_default();
    let (http, word) = match status {
        "success" => (200, "completed"),
        "initiating" | "pending" | "unknown" => (202, "pending"),
        other => (200, other),
    };
    let field = |name: &str| own.payment.get(name).cloned().unwrap_or(Value::Null);
    let body = json!({
        "success": true, "operation": "deposit", "status": word, "new_balance": own.balance.unwrap_or(0), "payment_id": field("id"),
        "amount": field("amount"), "fee": field("fee"), "currency": field("currency"), "settlement": field("settlement"),
    });
    Reply::json(http, &body)
}

#[cfg(test)]
mod tests {
    use crate::tests::call;
    use serde_json::json;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, alice, alice_pays};

    fn begun() -> serde_json::Value {
        json!({ "fresh": true, "customer": { "email": "a@b.c", "first_name": "A", "last_name": "B" }, "payment": {
            "id": "p-1", "provider_payment_id": null, "checkout_url": null, "status": "initiating", "attempt": 1, "amount": 10000,
            "fee": 50, "total": 10050, "currency": "GNF", "description": "Payment", "provider_amount": 10050 } })
    }

    #[test]
    fn cash_is_refused_before_anything_is_asked() {
        let body = json!({ "operation": "deposit", "amount": 10000, "method": "cash" });
        assert_eq!(call(alice(&FakeDb::unreachable()), &body).unwrap_err().problem().code, "METHOD_NOT_AVAILABLE");
    }

    #[test]
    fn a_provider_that_does_not_answer_leaves_the_payment_unknown_never_failed() {
        let db = FakeDb::answers(&[(200, begun()), (200, json!({ "marked": true }))]);
        let http = FakeHttp::answers(&[Err(Lost::TimedOut)]);
        let no =
            call(alice_pays(&db, &http), &json!({ "operation": "deposit", "amount": 10000 })).unwrap_err().problem();
        assert_eq!((no.status, no.code.as_str()), (504, "PROVIDER_TIMEOUT"));
        assert_eq!(db.ask(1), json!({ "payment_id": "p-1", "status": "unknown" }));
    }

    #[test]
    fn a_provider_that_refuses_leaves_the_payment_failed() {
        let db = FakeDb::answers(&[(200, begun()), (200, json!({ "marked": true }))]);
        let http = FakeHttp::answers(&[Ok((422, json!({ "message": "no" })))]);
        let no =
            call(alice_pays(&db, &http), &json!({ "operation": "deposit", "amount": 10000 })).unwrap_err().problem();
        assert_eq!((no.status, no.code.as_str()), (502, "PROVIDER_ERROR"));
        assert_eq!(db.ask(1)["status"], "failed");
    }

    #[test]
    fn a_checkout_is_answered_only_with_the_providers_id_and_url_on_our_row() {
        let own = json!({ "ask_provider": false, "reference": { "provider": "moneroo", "provider_payment_id": "py_1" }, "balance": 7, "payment": {} });
        let db = FakeDb::answers(&[
            (200, begun()),
            (
                200,
                json!({ "status": "pending", "waiting_events": false, "reference": { "provider": "moneroo", "provider_payment_id": "py_1" } }),
            ),
            (200, own),
        ]);
        let http =
            FakeHttp::answers(&[Ok((201, json!({ "data": { "id": "py_1", "checkout_url": "https://pay/py_1" } })))]);
        let reply = call(alice_pays(&db, &http), &json!({ "operation": "deposit", "amount": 10000 })).unwrap();
        assert_eq!(reply.status, 202);
        assert_eq!(db.ask(1)["provider_payment_id"], "py_1");
        assert!(format!("{:?}", reply.body).contains("\"new_balance\":7"));
    }
}
