use super::*;
use serde_json::{Value, json};
use shared::testing::{FakeDb, alice, block_on};
use std::rc::Rc;

const WALLET: &str = "00000000-0000-4000-8000-00000000000a";

/// Calls as Alice, under this name and with this path behind it.
fn call(db: &Rc<FakeDb>, name: &str, suffix: Option<&str>, body: &Value) -> Answer<Reply> {
    let mut cx = alice(db);
    let world = Rc::get_mut(&mut cx.world).unwrap();
    world.invoked_as = name.into();
    world.suffix = suffix.map(str::to_owned);
    block_on(async { handle(cx, shared::json::parse(body.to_string().as_bytes())?).await })
}

fn refused(body: &Value) -> (u16, Value) {
    let no = call(&FakeDb::unreachable(), "wallet-admin", None, body).unwrap_err().problem();
    (no.status, no.details.read()[0]["field"].clone())
}

fn asked(name: &str, suffix: Option<&str>, body: &Value) -> Value {
    let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
    call(&db, name, suffix, body).unwrap();
    assert_eq!(db.asked.borrow()[0].0, "wallet_admin");
    db.ask(0)
}

#[test]
fn a_field_of_a_wrong_kind_is_refused_by_its_name_and_postgres_is_not_asked() {
    for (field, value) in [
        ("action", json!("erase")),
        ("user_id", json!("USR0001")),
        ("wallet_id", json!(7)),
        ("currency", json!("gnf")),
        ("reason", json!(["because"])),
        ("daily_limit", json!(-1)),
        ("daily_limit", json!(1.5)),
        ("daily_limit", json!("100")),
        ("monthly_limit", json!(9_007_199_254_740_992_i64)),
        ("result", json!("paid")),
        ("refund", json!("yes")),
        ("entry_id", json!("1")),
    ] {
        assert_eq!(refused(&json!({ field: value })), (400, json!(field)), "{field} {value}");
    }
}

#[test]
fn the_action_may_stand_in_the_body_or_in_the_path_and_must_be_one() {
    for action in ["block", "unblock", "set_limits", "settle_payout", "release_suspense", "stats"] {
        assert_eq!(asked("wallet-admin", None, &json!({ "action": action }))["action"], action);
        assert_eq!(asked("wallet-admin", Some(action), &json!({}))["action"], action);
        assert_eq!(asked("wallet-admin", Some(action), &json!({ "action": action }))["action"], action);
    }
    for (suffix, body) in [("stats", json!({ "action": "block" })), ("erase", json!({}))] {
        let no = call(&FakeDb::unreachable(), "wallet-admin", Some(suffix), &body).unwrap_err().problem();
        assert_eq!((no.status, no.code.as_str()), (400, "VALIDATION_ERROR"), "{suffix}");
    }
}

#[test]
fn the_old_name_asks_for_the_figures() {
    assert_eq!(asked("financial-stats", None, &json!({})), json!({ "action": "stats" }));
    assert_eq!(asked("wallet-admin", None, &json!({})), json!({}), "whether one may ask at all is decided first");
}

#[test]
fn only_named_fields_are_passed_on_and_no_admin_among_them() {
    let body = json!({
        "action": "set_limits", "wallet_id": WALLET, "daily_limit": 0, "monthly_limit": 10, "reason": "a merchant",
        "admin_id": WALLET, "role": "admin", "balance": 5, "idempotencyKey": "limits-0001",
    });
    let expected = json!({
        "action": "set_limits", "wallet_id": WALLET, "daily_limit": 0, "monthly_limit": 10, "reason": "a merchant",
        "idempotency_key": "limits-0001",
    });
    assert_eq!(asked("wallet-admin", None, &body), expected);
}

#[test]
fn a_refusal_of_postgres_reaches_the_admin_as_it_is() {
    let db = FakeDb::answers(&[(403, json!({ "code": "FORBIDDEN", "message": "this is for administrators" }))]);
    let no = call(&db, "wallet-admin", Some("stats"), &json!({})).unwrap_err().problem();
    assert_eq!((no.status, no.code.as_str()), (403, "FORBIDDEN"));
}
