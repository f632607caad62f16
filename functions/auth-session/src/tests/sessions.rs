//! Signing in, refreshing, the token itself, and how a refusal is written.

use shared::edge::Limit;
use shared::secret::digest;
use shared::testing::crypto::signature;

use super::*;
use crate::password;

fn stored() -> (u16, Value) {
    let hash = password::chosen(&FakeCrypto::default(), PASSWORD).unwrap();
    (200, json!({ "user_id": ALICE, "password_hash": hash, "confirmed": true, "banned": false, "recent_failures": 0 }))
}

fn unknown() -> (u16, Value) {
    (200, json!({ "user_id": null, "password_hash": null, "confirmed": false, "banned": false, "recent_failures": 0 }))
}

fn failed() -> (u16, Value) {
    (200, json!({ "recent_failures": 1 }))
}

fn login(db: &Rc<FakeDb>, password: &str) -> Sent {
    post("/auth/v1/token?grant_type=password", db, json!({ "email": " Alice@Cauris.test ", "password": password }))
}

#[test]
fn a_right_password_opens_a_session_for_the_hash_it_was_compared_with() {
    let db = FakeDb::answers(&[a_key(), stored(), opened()]);
    let got = login(&db, PASSWORD).got();
    assert_eq!((got.status, &got.body["token_type"], &got.body["expires_in"]), (200, &json!("bearer"), &json!(3600)));
    assert_eq!((&got.body["user"], got.body.get("weak_password")), (&user(), None));
    assert_eq!(db.ask(1), json!({ "email": "alice@cauris.test" }));
    let refresh = got.body["refresh_token"].as_str().unwrap();
    let ask = db.ask(2);
    assert_eq!((refresh.len(), &ask["refresh_hash"]), (43, &json!(digest(refresh.as_bytes()))));
    assert_eq!(
        (&ask["password_hash"], &ask["ip"], &ask["user_agent"]),
        (&stored().1["password_hash"], &json!("192.0.2.1"), &json!("app/1"))
    );
}

#[test]
fn the_token_has_the_claims_of_gotrue_and_is_signed_by_the_current_key() {
    let db = FakeDb::answers(&[a_key(), stored(), opened()]);
    let got = login(&db, PASSWORD).got();
    let token = got.body["access_token"].as_str().unwrap();
    assert_eq!(part(token, 0), json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" }));
    assert_eq!(
        part(token, 1),
        json!({
            "iss": "https://api.cauris.test/auth/v1", "sub": ALICE, "aud": "authenticated", "iat": 1_800_000_000,
            "exp": 1_800_003_600, "email": "alice@cauris.test", "phone": "", "role": "authenticated", "aal": "aal1",
            "amr": [{ "method": "password", "timestamp": 1_800_000_000 }], "session_id": SESSION, "is_anonymous": false,
            "app_metadata": { "provider": "email" }, "user_metadata": { "display_name": "Alice" },
        })
    );
    assert_eq!(got.body["expires_at"], json!(1_800_003_600));
    let (signed, signed_with) = token.rsplit_once('.').unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signed_with).unwrap(), signature(JWK, signed.as_bytes()));
}

#[test]
fn a_long_user_metadata_is_not_carried_in_every_request() {
    let mut long = opened();
    long.1["user"]["user_metadata"]["note"] = "x".repeat(4_096).into();
    let db = FakeDb::answers(&[a_key(), stored(), long]);
    let got = login(&db, PASSWORD).got();
    assert_eq!(part(got.body["access_token"].as_str().unwrap(), 1).get("user_metadata"), None);
    assert_eq!(got.body["user"]["user_metadata"]["note"].as_str().map(str::len), Some(4_096));
}

#[test]
fn an_unknown_address_and_a_wrong_password_are_one_answer_after_the_same_questions() {
    let wrong = FakeDb::answers(&[a_key(), stored(), failed()]);
    let first = login(&wrong, "motdepasse2").got();
    let nobody = FakeDb::answers(&[a_key(), unknown(), failed()]);
    let second = login(&nobody, "motdepasse2").got();
    first.refused(400, "invalid_credentials");
    assert_eq!((first.text, first.headers), (second.text, second.headers));
    assert_eq!(asked(&wrong), asked(&nobody));
    assert_eq!((wrong.ask(2), nobody.ask(2)), (json!({ "user_id": ALICE }), json!({ "user_id": null })));
}

#[test]
fn what_cannot_be_an_address_has_no_account_and_is_not_looked_up() {
    let db = FakeDb::answers(&[a_key(), failed()]);
    let ask = json!({ "email": "alice", "password": PASSWORD });
    post("/auth/v1/token?grant_type=password", &db, ask).got().refused(400, "invalid_credentials");
    assert_eq!(asked(&db), ["signing_keys_state", "identity_failed_login"]);
}

#[test]
fn the_one_who_knows_the_password_learns_why_he_may_not_come_in() {
    for (status, code, told) in
        [(403, "USER_BANNED", "user_banned"), (400, "EMAIL_NOT_CONFIRMED", "email_not_confirmed")]
    {
        let db = FakeDb::answers(&[a_key(), stored(), no(status, code)]);
        login(&db, PASSWORD).got().refused(status, told);
    }
}

#[test]
fn a_password_that_would_be_refused_today_is_named_after_the_sign_in() {
    let hash = "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi";
    let db = FakeDb::answers(&[a_key(), (200, json!({ "user_id": ALICE, "password_hash": hash })), opened()]);
    let got = login(&db, "abc").got();
    assert_eq!((got.status, &got.body["weak_password"]["reasons"]), (200, &json!(["length", "characters"])));
}

#[test]
fn one_attempt_too_many_is_refused_before_anything_is_computed() {
    let mut sent = login(&FakeDb::unreachable(), PASSWORD);
    let limits = FakeLimits::refuses(Limit::Auth);
    sent.limits = Rc::clone(&limits);
    sent.got().refused(429, "over_request_rate_limit");
    assert_eq!(limits.asked.borrow().len(), 1);
}

#[test]
fn a_refresh_token_of_ours_is_looked_up_by_its_hash_alone_and_an_imported_one_as_it_is() {
    let ours = "A".repeat(43);
    for (token, plain) in [(ours.as_str(), Value::Null), ("abcDEF123456", json!("abcDEF123456"))] {
        let db = FakeDb::answers(&[a_key(), opened()]);
        let got = post("/auth/v1/token?grant_type=refresh_token", &db, json!({ "refresh_token": token })).got();
        let ask = db.ask(1);
        assert_eq!((&ask["refresh_hash"], &ask["token"]), (&json!(digest(token.as_bytes())), &plain));
        let renewed = got.body["refresh_token"].as_str().unwrap();
        assert_ne!(renewed, token);
        assert_eq!(ask["new_hash"], json!(digest(renewed.as_bytes())));
    }
}

#[test]
fn a_used_refresh_token_says_so() {
    for code in ["REFRESH_TOKEN_ALREADY_USED", "REFRESH_TOKEN_NOT_FOUND"] {
        let db = FakeDb::answers(&[a_key(), no(400, code)]);
        let ask = json!({ "refresh_token": "A".repeat(43) });
        post("/auth/v1/token?grant_type=refresh_token", &db, ask).got().refused(400, &code.to_lowercase());
    }
}

#[test]
fn a_client_of_today_reads_code_and_one_of_yesterday_error_code() {
    let bad = json!({ "email": "" });
    let got = post("/auth/v1/recover", &FakeDb::unreachable(), bad.clone()).got();
    assert_eq!(got.body, json!({ "code": "validation_failed", "message": "An email address is required" }));
    assert_eq!(got.header("x-supabase-api-version"), Some("2024-01-01"));
    for version in [None, Some("2023-01-01"), Some("z")] {
        let mut old = post("/auth/v1/recover", &FakeDb::unreachable(), bad.clone());
        old.seen.api_version = version.map(str::to_owned);
        let got = old.got();
        let body = json!({ "code": 400, "error_code": "validation_failed", "msg": "An email address is required" });
        assert_eq!((got.body.clone(), got.header("x-supabase-api-version")), (body, None));
    }
}

#[test]
fn what_is_ours_to_blame_says_no_more_than_that() {
    let db = FakeDb::answers(&[a_key(), (500, json!({ "code": "XX000", "message": "relation auth.users is gone" }))]);
    let got = login(&db, PASSWORD).got();
    assert_eq!((got.status, &got.body["error_code"]), (500, &json!("unexpected_failure")));
    assert!(!got.text.contains("auth.users"), "{}", got.text);
}

#[test]
fn without_the_secret_of_the_keys_nobody_comes_in() {
    let mut sent = login(&FakeDb::unreachable(), PASSWORD);
    keys::forget();
    sent.settings.keys_secret = Secret::default();
    let got = sent.got();
    assert_eq!((got.status, &got.body["error_code"]), (503, &json!("not_configured")));
}

#[test]
fn a_key_that_does_not_open_is_ours_to_blame() {
    let mut sent = login(&FakeDb::answers(&[a_key()]), PASSWORD);
    sent.settings.keys_secret = Secret::new("another".into());
    assert_eq!(sent.got().status, 500);
}

#[test]
fn the_first_sign_in_ever_makes_the_key_and_the_next_ones_remember_it() {
    // What Postgres answers is the key that was first, which need not be this one.
    let added = json!({ "key": a_key().1["keys"][0], "added": false });
    let db = FakeDb::answers(&[(200, json!({ "keys": [] })), (200, added), stored(), opened(), stored(), opened()]);
    for _ in 0..2 {
        let got = login(&db, PASSWORD).got();
        assert_eq!(part(got.body["access_token"].as_str().unwrap(), 0)["kid"], "k1");
    }
    let ask = db.ask(1);
    assert_eq!(
        (&ask["status"], &ask["public_jwk"]["kid"], ask["public_jwk"].get("d")),
        (&json!("current"), &ask["kid"], None)
    );
    assert_eq!(asked(&db).iter().filter(|name| *name == "signing_keys_state").count(), 1);
}

#[test]
fn other_grants_are_refused_by_name() {
    for (grant, status, code) in [
        ("id_token", 422, "provider_disabled"),
        ("web3", 422, "web3_provider_disabled"),
        ("client_credentials", 400, "validation_failed"),
    ] {
        post(&format!("/auth/v1/token?grant_type={grant}"), &FakeDb::unreachable(), json!({}))
            .got()
            .refused(status, code);
    }
    post("/auth/v1/token", &FakeDb::unreachable(), json!({})).got().refused(400, "validation_failed");
}
