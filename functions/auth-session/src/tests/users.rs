//! The signed-in person himself, and what this service does not have.

use super::*;
use crate::password;

#[test]
fn a_person_is_who_his_token_says_as_long_as_his_session_lasts() {
    let db = FakeDb::answers(&[(200, json!({ "user": user(), "session": null }))]);
    let got = to("GET", "/auth/v1/user", &db).bearer("alice").got();
    assert_eq!((got.status, got.body), (200, user()));
    assert_eq!(db.ask(0), json!({ "user_id": ALICE, "session_id": SESSION }));
    for (status, code, told) in
        [(403, "SESSION_NOT_FOUND", "session_not_found"), (404, "USER_NOT_FOUND", "user_not_found")]
    {
        to("GET", "/auth/v1/user", &FakeDb::answers(&[no(status, code)])).bearer("alice").got().refused(403, told);
    }
}

#[test]
fn without_a_token_nobody_is_asked_about() {
    for (method, path) in [("GET", "/auth/v1/user"), ("PUT", "/auth/v1/user"), ("POST", "/auth/v1/logout")] {
        to(method, path, &FakeDb::unreachable()).got().refused(401, "no_authorization");
        to(method, path, &FakeDb::unreachable()).bearer("mallory").got().refused(403, "bad_jwt");
        to(method, path, &FakeDb::unreachable()).bearer("sb_publishable_x").got().refused(403, "bad_jwt");
    }
}

fn change(db: &Rc<FakeDb>, body: Value) -> Sent {
    Sent { body, ..to("PUT", "/auth/v1/user", db).bearer("alice") }
}

fn changed() -> (u16, Value) {
    (200, json!({ "user": user() }))
}

#[test]
fn a_person_changes_his_own_data_and_never_what_rights_hang_on() {
    let db = FakeDb::answers(&[changed()]);
    assert_eq!(change(&db, json!({ "data": { "name": "A" }, "role": "service_role" })).got().status, 200);
    let ask = db.ask(0);
    assert_eq!(
        (&ask["data"], &ask["user_id"], &ask["session_id"]),
        (&json!({ "name": "A" }), &json!(ALICE), &json!(SESSION))
    );
    assert!(ask.get("role").is_none() && ask.get("app_metadata").is_none(), "{ask}");
    change(&FakeDb::unreachable(), json!({ "app_metadata": { "admin": true } })).got().refused(403, "not_admin");
    change(&FakeDb::unreachable(), json!({ "phone": "+224620000000" })).got().refused(422, "phone_provider_disabled");
}

#[test]
fn a_new_password_is_another_one() {
    let hash = password::chosen(&FakeCrypto::default(), PASSWORD).unwrap();
    let stored = (200, json!({ "user_id": ALICE, "password_hash": hash }));
    change(&FakeDb::answers(std::slice::from_ref(&stored)), json!({ "password": PASSWORD }))
        .got()
        .refused(422, "same_password");
    let db = FakeDb::answers(&[stored, changed()]);
    assert_eq!(change(&db, json!({ "password": "motdepasse2" })).got().status, 200);
    assert!(password::matches("motdepasse2", db.ask(1)["password_hash"].as_str()));
    change(&FakeDb::unreachable(), json!({ "password": "short" })).got().refused(422, "weak_password");
}

#[test]
fn a_new_address_is_confirmed_by_its_owner_unless_somebody_anonymous_signs_up_late() {
    for (anonymous, autoconfirm) in [(true, true), (false, false)] {
        let mut present = user();
        present["is_anonymous"] = anonymous.into();
        let db = FakeDb::answers(&[(200, json!({ "user": present, "session": null })), changed()]);
        assert_eq!(change(&db, json!({ "email": "New@b.test" })).got().status, 200);
        let ask = db.ask(1);
        assert_eq!((&ask["email"], &ask["autoconfirm"]), (&json!("new@b.test"), &json!(autoconfirm)));
        assert_eq!(ask["confirmation_link"].is_string(), !autoconfirm);
    }
}

#[test]
fn signing_out_ends_what_its_scope_says() {
    for (query, scope) in
        [("", "global"), ("?scope=local", "local"), ("?scope=others", "others"), ("?scope=global", "global")]
    {
        let db = FakeDb::answers(&[(200, json!({ "ended": 1 }))]);
        let got = to("POST", &format!("/auth/v1/logout{query}"), &db).bearer("alice").got();
        assert_eq!((got.status, got.text.as_str()), (204, ""));
        assert_eq!(db.ask(0), json!({ "user_id": ALICE, "session_id": SESSION, "scope": scope }));
    }
    to("POST", "/auth/v1/logout?scope=all", &FakeDb::unreachable())
        .bearer("alice")
        .got()
        .refused(400, "validation_failed");
}

#[test]
fn what_gotrue_has_and_this_service_has_not_is_said_by_name() {
    for (method, path, status, code) in [
        ("GET", "/auth/v1/authorize?provider=google", 400, "validation_failed"),
        ("POST", "/auth/v1/sso", 422, "saml_provider_disabled"),
        ("POST", "/auth/v1/factors", 422, "mfa_totp_enroll_not_enabled"),
        ("GET", "/auth/v1/passkeys", 422, "passkey_disabled"),
        ("GET", "/auth/v1/oauth/clients", 422, "feature_disabled"),
        ("POST", "/auth/v1/invite", 422, "feature_disabled"),
        ("GET", "/auth/v1/user/identities/authorize", 422, "manual_linking_disabled"),
        ("GET", "/auth/v1/nothing", 404, "not_found"),
        ("PATCH", "/auth/v1/user", 404, "not_found"),
        ("GET", "/auth/v1", 404, "not_found"),
    ] {
        to(method, path, &FakeDb::unreachable()).got().refused(status, code);
    }
}

#[test]
fn anybody_may_read_the_settings_and_the_public_keys() {
    let none = FakeDb::unreachable();
    let settings = to("GET", "/auth/v1/settings", &none).got();
    assert_eq!(
        (&settings.body["external"]["email"], &settings.body["external"]["google"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(to("GET", "/auth/v1/health", &none).got().status, 200);
    let openid = to("GET", "/auth/v1/.well-known/openid-configuration", &none).got();
    assert_eq!(openid.body["jwks_uri"], "https://api.cauris.test/auth/v1/.well-known/jwks.json");
    let got = to("GET", "/auth/v1/.well-known/jwks.json", &FakeDb::answers(&[a_key()])).got();
    assert_eq!((got.header("cache-control"), &got.body["keys"][0]["kid"]), (Some("public, max-age=600"), &json!("k1")));
    assert!(!got.text.contains("private_key") && got.body["keys"][0].get("d").is_none(), "{}", got.text);
}
