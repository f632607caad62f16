//! `POST /functions/v1/wallet-operations`: preview, deposit, withdraw, transfer. Alias: wallet-transfer.
//! The balance rules live in Postgres: migrations/…_wallet_operations.sql. A deposit is a payment: `shared::payments`.

mod deposit;
pub mod wire;

use serde::Serialize;
use shared::edge::{self, Answer, ApiError, Cx, Reply, Request, Response, User};
use shared::money::{Amount, Currency};
use wire::{Ask, CONTRACT, Operation};
use worker::{Context, Env, event};

/// What Postgres is asked; every field is named here, so nothing else a client sends is written anywhere.
#[derive(Serialize)]
struct Command {
    operation: Operation,
    amount: Amount,
    currency: Currency,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    preview_of: Option<Operation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    confirm_duplicate: bool,
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
    cx.is_caller(ask.sender_id.as_deref())?;
    let key = cx.idempotency_key(ask.idempotency_key.take())?;
    let operation = operation(&cx, &ask)?;
    if operation == Operation::Deposit {
        return edge::apart(deposit::handle(&cx, ask, key)).await;
    }
    let command = Command {
        operation,
        amount: ask.amount.ok_or_else(|| ApiError::invalid("amount", "is required"))?,
        currency: ask.currency.unwrap_or_default(),
        preview_of: ask.preview_of,
        recipient_id: ask.recipient_id,
        description: ask.description,
        method: ask.method,
        // Providers want digits; people write a plus.
        phone: ask.phone.map(|phone| phone.trim_start_matches('+').to_owned()),
        idempotency_key: key,
        confirm_duplicate: ask.confirm_duplicate,
    };
    cx.rpc("wallet_operations", &command).await // As the caller; answer and refusals pass through unchanged.
}

/// The same operation may be named in the body, as a legacy `action`, or behind the function's name; they must agree.
fn operation(cx: &Cx<User>, ask: &Ask) -> Answer<Operation> {
    let unknown = || ApiError::invalid("operation", "must be preview, deposit, withdraw or transfer");
    let suffix = match cx.world.suffix.as_deref() {
        None => None,
        Some("preview") => Some(Operation::Preview),
        Some("deposit") => Some(Operation::Deposit),
        Some("withdraw") => Some(Operation::Withdraw),
        Some("transfer") => Some(Operation::Transfer),
        Some(_) => return Err(unknown()),
    };
    let mut named = [ask.operation, ask.action, suffix].into_iter().flatten();
    match named.next() {
        Some(first) if named.all(|other| other == first) => Ok(first),
        Some(_) => Err(ApiError::invalid("action", "differs from the operation named elsewhere")),
        None if cx.world.invoked_as == "wallet-transfer" => Ok(Operation::Transfer),
        None => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::testing::{ALICE, FakeDb, alice, block_on};
    use std::rc::Rc;

    pub(crate) fn call(cx: Cx<User>, body: &Value) -> Answer<Reply> {
        block_on(async { handle(cx, shared::json::parse(body.to_string().as_bytes())?).await })
    }

    fn refused(db: &Rc<FakeDb>, body: &Value) -> (u16, String) {
        let no = call(alice(db), body).unwrap_err().problem();
        (no.status, no.code)
    }

    #[test]
    fn a_sender_other_than_the_caller_is_refused_and_postgres_is_not_asked() {
        let body = json!({ "operation": "transfer", "amount": 100, "recipient_id": "USR0001", "sender_id": "b0b" });
        assert_eq!(refused(&FakeDb::unreachable(), &body), (403, "IDENTITY_MISMATCH".into()));
    }

    #[test]
    fn an_amount_that_is_no_positive_integer_is_refused_at_the_door() {
        for amount in [json!(0), json!(-1), json!(1.5), json!("100"), json!(9_007_199_254_740_992_i64), Value::Null] {
            let body = json!({ "operation": "transfer", "amount": amount, "recipient_id": "USR0001" });
            assert_eq!(refused(&FakeDb::unreachable(), &body).0, 400, "{amount}");
        }
    }

    #[test]
    fn the_two_ways_to_name_an_operation_must_agree() {
        let body = json!({ "operation": "transfer", "action": "withdraw", "amount": 100 });
        assert_eq!(refused(&FakeDb::unreachable(), &body), (400, "VALIDATION_ERROR".into()));
        assert_eq!(refused(&FakeDb::unreachable(), &json!({ "amount": 100 })).0, 400);
    }

    #[test]
    fn a_transfer_asks_postgres_once_with_named_fields_only() {
        let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
        let body = json!({ "action": "transfer", "amount": 100, "receiver_id": "USR0001", "sender_id": ALICE, "balance": 5, "idempotencyKey": "key-12345" });
        assert_eq!(call(alice(&db), &body).unwrap().status, 200);
        let expected = json!({ "operation": "transfer", "amount": 100, "currency": "GNF", "recipient_id": "USR0001",
            "idempotency_key": "key-12345", "confirm_duplicate": false });
        assert_eq!(db.ask(0), expected);
    }
}
