//! `auth-tokens`: its shapes and its codes, which are ours.

use super::*;
use crate::password;

fn call(db: &Rc<FakeDb>, body: Value) -> Sent {
    post("/functions/v1/auth-tokens", db, body)
}

#[track_caller]
fn refused(got: &Got, status: u16, code: &str) {
    assert_eq!(
        (got.status, &got.body["code"], &got.body["success"]),
        (status, &json!(code), &json!(false)),
        "{}",
        got.text
    );
}

fn registering() -> Value {
    json!({ "action": "register", "email": "A@b.test", "password": PASSWORD, "display_name": " Alice " })
}

#[test]
fn registering_is_201_with_tokens_once_the_address_is_confirmed() {
    let db = FakeDb::answers(&[a_key(), opened()]);
    let got = call(&db, registering()).got();
    assert_eq!(
        (got.status, &got.body["user"]),
        (201, &json!({ "id": ALICE, "email": "alice@cauris.test", "display_name": "Alice" }))
    );
    assert!(got.body["access_token"].is_string() && got.body["refresh_token"].is_string(), "{}", got.text);
    assert_eq!(db.ask(1)["data"], json!({ "display_name": "Alice" }));
    let db = FakeDb::answers(&[(200, json!({ "user": user(), "session": null, "exists": false }))]);
    let got = call(&db, registering()).by_mail().got();
    assert_eq!((got.status, got.body.get("access_token"), got.body.get("refresh_token")), (201, None, None));
}

#[test]
fn an_address_that_is_taken_is_409_with_or_without_confirmation() {
    refused(&call(&FakeDb::answers(&[a_key(), no(422, "USER_EXISTS")]), registering()).got(), 409, "EMAIL_EXISTS");
    let db = FakeDb::answers(&[(200, json!({ "user": user(), "session": null, "exists": true }))]);
    refused(&call(&db, registering()).by_mail().got(), 409, "EMAIL_EXISTS");
}

#[test]
fn every_faulty_field_is_named_at_once() {
    let body = json!({ "action": "register", "email": "a", "password": "short", "display_name": "" });
    let got = call(&FakeDb::unreachable(), body).got();
    refused(&got, 400, "VALIDATION_ERROR");
    let named: Vec<_> = got.body["details"].as_array().unwrap().iter().map(|fault| fault["field"].clone()).collect();
    assert_eq!(named, ["email", "password", "display_name"]);
    let got = call(&FakeDb::unreachable(), json!({ "action": "login" })).got();
    assert_eq!(got.body["details"].as_array().map(Vec::len), Some(2));
}

#[test]
fn logging_in_has_its_own_codes() {
    let hash = password::chosen(&FakeCrypto::default(), PASSWORD).unwrap();
    let stored = || (200, json!({ "user_id": ALICE, "password_hash": hash }));
    let body = |password: &str| json!({ "action": "login", "email": "a@b.test", "password": password });
    let db = FakeDb::answers(&[a_key(), stored(), opened()]);
    assert_eq!(call(&db, body(PASSWORD)).got().status, 200);
    let db = FakeDb::answers(&[a_key(), stored(), (200, json!({}))]);
    refused(&call(&db, body("motdepasse2")).got(), 401, "INVALID_CREDENTIALS");
    let db = FakeDb::answers(&[a_key(), stored(), no(403, "USER_BANNED")]);
    refused(&call(&db, body(PASSWORD)).got(), 403, "ACCOUNT_DISABLED");
    let db = FakeDb::answers(&[a_key(), stored(), no(400, "EMAIL_NOT_CONFIRMED")]);
    refused(&call(&db, body(PASSWORD)).got(), 403, "EMAIL_NOT_CONFIRMED");
}

#[test]
fn refreshing_gives_two_tokens_and_no_more() {
    let db = FakeDb::answers(&[a_key(), opened()]);
    let got = call(&db, json!({ "action": "refresh", "refresh_token": "A".repeat(43) })).got();
    let mut names: Vec<_> = got.body.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!((got.status, names), (200, vec!["access_token".to_owned(), "refresh_token".to_owned()]));
    for code in ["REFRESH_TOKEN_ALREADY_USED", "REFRESH_TOKEN_NOT_FOUND", "SESSION_NOT_FOUND"] {
        let db = FakeDb::answers(&[a_key(), no(400, code)]);
        refused(&call(&db, json!({ "action": "refresh", "refresh_token": "x" })).got(), 401, "INVALID_CREDENTIALS");
    }
}

#[test]
fn logging_out_ends_the_session_of_the_token() {
    let db = FakeDb::answers(&[(200, json!({ "ended": 1 }))]);
    let got = call(&db, json!({ "action": "logout", "refresh_token": "A".repeat(43) })).got();
    assert_eq!((got.status, got.body), (200, json!({ "success": true })));
    assert_eq!(db.ask(0)["scope"], "local");
}

#[test]
fn the_url_may_name_the_action_and_may_not_contradict_the_body() {
    let named = |suffix: &str, body: Value, db: &Rc<FakeDb>| {
        let mut sent = call(db, body);
        sent.suffix = Some(suffix.into());
        sent.got()
    };
    let body = json!({ "refresh_token": "A".repeat(43) });
    assert_eq!(named("logout", body, &FakeDb::answers(&[(200, json!({}))])).status, 200);
    let none = FakeDb::unreachable();
    refused(&named("logout", json!({ "action": "login" }), &none), 400, "VALIDATION_ERROR");
    refused(&named("delete", json!({}), &none), 400, "VALIDATION_ERROR");
    refused(&call(&none, json!({})).got(), 400, "VALIDATION_ERROR");
    let mut get = call(&none, json!({}));
    get.seen.method = "GET".into();
    refused(&get.got(), 405, "METHOD_NOT_ALLOWED");
}
