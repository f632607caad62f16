//! `POST /functions/v1/fraud-detection`: scores a money movement from 0 to 100. A user asks about himself and gets advice; the
//! platform asks about anybody, with the internal key. The factors: migrations/20261121096500_fraud_detection.sql.

pub mod wire;

use serde::Serialize;
use serde_json::Value;
use shared::edge::{self, Answer, Anyone, ApiError, Cx, Reply, Request, Response};
use shared::error::{IDENTITY_MISMATCH, UNAUTHENTICATED};
use shared::json::Tree;
use shared::money::{Amount, Currency};
use uuid::Uuid;
use wire::{Ask, CONTRACT};
use worker::{Context, Env, event};

/// The largest amount that is scored.
const MAX_AMOUNT: i64 = 1_000_000_000;
/// Of `metadata` as JSON, and of `transactionId`.
const MAX_BYTES: usize = 2 * 1024;

/// What Postgres is asked. Of `metadata` only the currency counts; the rest is the caller's own note, and goes no further.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Movement {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    amount: Amount,
    recipient_id: Uuid,
    method: String,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    currency: Currency,
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

/// The body is read after the caller is known: a stranger is told that he is one, whatever he sent.
async fn handle(cx: Cx<Anyone>, Tree(body): Tree) -> Answer<Reply> {
    let user = match (cx.caller.internal, &cx.caller.user) {
        (true, _) => None,
        (false, Some(user)) => Some(user.id),
        (false, None) => return Err(UNAUTHENTICATED.into()),
    };
    let movement = movement(shared::json::parse(shared::json::text(&body).as_bytes())?)?;
    let Tree(scored) = match (user, movement.user_id) {
        (Some(id), Some(named)) if id != named => return Err(IDENTITY_MISMATCH.into()),
        (Some(_), _) => cx.rpc_read("fraud_detection", &movement).await?,
        (None, Some(_)) => cx.service("fraud_detection", &movement).await?,
        (None, None) => return Err(ApiError::invalid("userId", "is required")),
    };
    Reply::json(200, &scored)
}

fn movement(ask: Ask) -> Answer<Movement> {
    if ask.amount.get() > MAX_AMOUNT {
        return Err(ApiError::invalid("amount", "must be an integer from 1 to 1000000000"));
    }
    if !(1..=50).contains(&ask.method.chars().count()) {
        return Err(ApiError::invalid("method", "must be 1 to 50 characters"));
    }
    if ask.transaction_id.is_some_and(|id| id.len() > MAX_BYTES) {
        return Err(ApiError::invalid("transactionId", "must be at most 2 KiB"));
    }
    let metadata = ask.metadata.unwrap_or_default();
    let currency = match metadata.get("currency") {
        None | Some(Value::Null) => Currency::default(),
        Some(Value::String(code)) => {
            Currency::try_from(code.clone()).map_err(|message| ApiError::invalid("metadata.currency", message))?
        }
        Some(_) => return Err(ApiError::invalid("metadata.currency", "must be a string")),
    };
    if shared::json::text(&Value::Object(metadata.0)).len() > MAX_BYTES {
        return Err(ApiError::invalid("metadata", "must be at most 2 KiB"));
    }
    let Ask { user_id, amount, recipient_id, method, .. } = ask;
    Ok(Movement { user_id, amount, recipient_id, method, metadata: Metadata { currency } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::edge::User;
    use shared::testing::{ALICE, FakeDb, anyone, block_on};
    use std::rc::Rc;

    const BOB: &str = "00000000-0000-4000-8000-00000000000b";

    fn asks(internal: bool, user: Option<Uuid>) -> Anyone {
        Anyone { internal, user: user.map(User::for_tests) }
    }

    fn call(caller: Anyone, db: &Rc<FakeDb>, body: Value) -> Answer<Reply> {
        block_on(handle(anyone(caller, db, &Rc::default()), Tree(body)))
    }

    fn refused(caller: Anyone, body: Value) -> (u16, String) {
        let no = call(caller, &FakeDb::unreachable(), body).unwrap_err().problem();
        (no.status, no.code)
    }

    fn with(more: Value) -> Value {
        let mut body = json!({ "amount": 10_000, "recipientId": BOB, "method": "wallet" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    #[test]
    fn a_stranger_is_refused_before_his_body_is_read() {
        for body in [with(json!({})), json!({}), json!({ "amount": "x" })] {
            assert_eq!(refused(asks(false, None), body.clone()), (401, "UNAUTHENTICATED".into()), "{body}");
        }
    }

    #[test]
    fn a_user_scores_himself_alone_and_the_platform_anybody_by_name() {
        let himself = asks(false, Some(ALICE));
        assert_eq!(refused(himself, with(json!({ "userId": BOB }))), (403, "IDENTITY_MISMATCH".into()));
        assert_eq!(refused(asks(true, None), with(json!({}))), (400, "VALIDATION_ERROR".into()));
        let advice = json!({ "score": 10, "riskLevel": "low", "flags": ["new_recipient"], "recommendations": [], "requiresMFA": false });
        for (caller, named) in [
            (asks(false, Some(ALICE)), json!({})),
            (asks(false, Some(ALICE)), json!({ "userId": ALICE })),
            (asks(true, None), json!({ "userId": BOB })),
            (asks(true, Some(ALICE)), json!({ "userId": BOB })),
        ] {
            let db = FakeDb::answers(&[(200, advice.clone())]);
            let reply = call(caller, &db, with(named.clone())).unwrap();
            assert_eq!((reply.status, format!("{:?}", reply.body)), (200, advice.to_string()));
            assert_eq!(db.ask(0).get("userId"), named.get("userId"), "{named}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_scored() {
        for more in [
            json!({ "amount": 0 }),
            json!({ "amount": 1_000_000_001 }),
            json!({ "amount": 1.5 }),
            json!({ "amount": "100" }),
            json!({ "recipientId": "USR0001" }),
            json!({ "recipientId": null }),
            json!({ "method": "" }),
            json!({ "method": "x".repeat(51) }),
            json!({ "metadata": "GNF" }),
            json!({ "metadata": { "currency": 7 } }),
            json!({ "metadata": { "currency": "gnf" } }),
            json!({ "metadata": { "note": "x".repeat(MAX_BYTES) } }),
            json!({ "transactionId": "x".repeat(MAX_BYTES + 1) }),
        ] {
            assert_eq!(refused(asks(false, Some(ALICE)), with(more.clone())).0, 400, "{more}");
        }
    }

    #[test]
    fn postgres_is_asked_for_the_movement_and_nothing_else() {
        let db = FakeDb::answers(&[(200, json!({}))]);
        let metadata = json!({ "currency": "XOF", "note": "rent" });
        let body = with(json!({ "metadata": metadata, "transactionId": "t-1", "score": 0, "amount": MAX_AMOUNT }));
        call(asks(false, Some(ALICE)), &db, body).unwrap();
        let expected =
            json!({ "amount": MAX_AMOUNT, "recipientId": BOB, "method": "wallet", "metadata": { "currency": "XOF" } });
        assert_eq!(db.ask(0), expected);
    }

    #[test]
    fn what_cannot_be_checked_is_503_and_never_low() {
        let no =
            json!({ "code": "DEPENDENCY_UNAVAILABLE", "message": "this operation cannot be checked in this currency" });
        let answer = call(asks(false, Some(ALICE)), &FakeDb::answers(&[(503, no)]), with(json!({})));
        assert_eq!(answer.unwrap_err().problem().status, 503);
    }
}
