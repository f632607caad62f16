//! What a secret key opens, and nothing else does.

use super::*;
use crate::password;

const ID: &str = "00000000-0000-4000-8000-0000000000aa";

fn one() -> (u16, Value) {
    (200, json!({ "user": user() }))
}

#[test]
fn only_the_platform_itself_is_an_admin() {
    let path = format!("/auth/v1/admin/users/{ID}");
    for (bearer, apikey, agent, good) in [
        (Some("sb_secret_one"), None, "node", true),
        (Some("sb_secret_two"), Some("sb_secret_two"), "node", true),
        (None, Some("sb_secret_two"), "node", true),
        (Some("header.service.signature"), None, "node", true),
        (Some("alice"), Some("sb_publishable_x"), "node", false),
        (Some("alice"), Some("sb_secret_one"), "node", false),
        (Some("sb_secret_on"), None, "node", false),
        (Some("sb_secret_one "), None, "node", false),
        // A secret key in a page is a secret no more.
        (Some("sb_secret_one"), None, "Mozilla/5.0 (X11)", false),
    ] {
        let db = if good { FakeDb::answers(&[one()]) } else { FakeDb::unreachable() };
        let mut sent = to("GET", &path, &db);
        sent.seen.authorization = bearer.map(|key| format!("Bearer {key}"));
        sent.seen.apikey = apikey.map(str::to_owned);
        sent.seen.user_agent = Some(agent.into());
        let got = sent.got();
        if good { assert_eq!(got.status, 200, "{bearer:?}") } else { got.refused(403, "not_admin") }
    }
    to("GET", &path, &FakeDb::unreachable()).got().refused(401, "no_authorization");
}

#[test]
fn without_secret_keys_an_empty_one_opens_nothing() {
    let mut sent = to("GET", "/auth/v1/admin/users", &FakeDb::unreachable());
    (sent.settings.secret_keys, sent.settings.service_key) = (vec![Secret::default()], Secret::default());
    sent.seen.apikey = Some(String::new());
    sent.got().refused(403, "not_admin");
}

fn admin(method: &str, path: &str, db: &Rc<FakeDb>, body: Value) -> Got {
    Sent { body, ..to(method, path, db).bearer("sb_secret_one") }.got()
}

#[test]
fn an_account_is_made_and_changed_with_what_the_operator_says() {
    let db = FakeDb::answers(&[one(), one()]);
    let account = json!({
        "email": " A@B.test", "password": PASSWORD, "email_confirm": true, "app_metadata": { "tier": 1 },
        "user_metadata": { "name": "A" }, "ban_duration": "none", "nonsense": 1,
    });
    assert_eq!(admin("POST", "/auth/v1/admin/users", &db, account.clone()).status, 200);
    assert_eq!(admin("PUT", &format!("/auth/v1/admin/users/{ID}"), &db, account).status, 200);
    for n in 0..2 {
        let ask = db.ask(n);
        assert_eq!((&ask["email"], &ask["app_metadata"]["tier"]), (&json!("a@b.test"), &json!(1)));
        assert!(password::matches(PASSWORD, ask["password_hash"].as_str()));
        assert!(ask.get("password").is_none() && ask.get("nonsense").is_none(), "{ask}");
    }
    assert_eq!(
        (asked(&db), &db.ask(1)["user_id"]),
        (vec!["identity_admin_create".to_owned(), "identity_admin_update".to_owned()], &json!(ID))
    );
    let both = json!({ "email": "a@b.test", "password": PASSWORD, "password_hash": "$2a$10$x" });
    admin("POST", "/auth/v1/admin/users", &FakeDb::unreachable(), both).refused(400, "validation_failed");
}

#[test]
fn the_body_does_not_choose_whose_account_is_changed() {
    let db = FakeDb::answers(&[one()]);
    admin("PUT", &format!("/auth/v1/admin/users/{ID}"), &db, json!({ "user_id": ALICE }));
    assert_eq!(db.ask(0)["user_id"], ID);
    admin("PUT", "/auth/v1/admin/users/1", &FakeDb::unreachable(), json!({})).refused(404, "validation_failed");
}

#[test]
fn a_deletion_is_final_unless_it_says_otherwise() {
    for (body, soft) in [(json!({}), false), (json!({ "should_soft_delete": true }), true)] {
        let db = FakeDb::answers(&[(200, json!({ "user": user(), "soft": soft }))]);
        assert_eq!(admin("DELETE", &format!("/auth/v1/admin/users/{ID}"), &db, body).text, "{}");
        assert_eq!(db.ask(0), json!({ "user_id": ID, "soft": soft }));
    }
    let gone = FakeDb::answers(&[no(404, "USER_NOT_FOUND")]);
    admin("DELETE", &format!("/auth/v1/admin/users/{ID}"), &gone, json!({})).refused(404, "user_not_found");
}

#[test]
fn accounts_are_listed_in_pages() {
    let page = |total: u64| FakeDb::answers(&[(200, json!({ "users": [user()], "total": total }))]);
    let db = page(120);
    let got = admin("GET", "/auth/v1/admin/users?page=2&per_page=50", &db, json!({}));
    assert_eq!((db.ask(0), got.header("x-total-count")), (json!({ "page": 2, "per_page": 50 }), Some("120")));
    assert_eq!(
        got.header("link"),
        Some("</admin/users?page=3&per_page=50>; rel=\"next\", </admin/users?page=3&per_page=50>; rel=\"last\"")
    );
    let got = admin("GET", "/auth/v1/admin/users", &page(1), json!({}));
    assert_eq!(got.header("link"), Some("</admin/users?page=1&per_page=50>; rel=\"last\""));
    admin("GET", "/auth/v1/admin/users?page=x", &FakeDb::unreachable(), json!({})).refused(400, "validation_failed");
}

#[test]
fn keys_are_shown_without_their_private_part_and_rotated_by_hand() {
    let db = FakeDb::answers(&[a_key()]);
    let got = admin("GET", "/auth/v1/admin/keys", &db, json!({}));
    assert_eq!((&got.body["keys"][0]["status"], got.text.contains("private")), (&json!("current"), false));
    for (body, function, ask) in [
        (json!({ "action": "rotate" }), "signing_keys_rotate", json!({})),
        (json!({ "action": "revoke", "kid": "k1" }), "signing_key_revoke", json!({ "kid": "k1" })),
    ] {
        let db = FakeDb::answers(&[(200, json!({})), a_key()]);
        assert_eq!(admin("POST", "/auth/v1/admin/keys", &db, body).status, 200);
        assert_eq!((asked(&db)[0].as_str(), db.ask(0)), (function, ask));
    }
    let added = (200, json!({ "key": a_key().1["keys"][0], "added": true }));
    let db = FakeDb::answers(&[added, a_key()]);
    assert_eq!(admin("POST", "/auth/v1/admin/keys", &db, json!({ "action": "add_standby" })).status, 200);
    assert_eq!(db.ask(0)["status"], "standby");
    let alone = FakeDb::answers(&[no(409, "KEY_MISSING")]);
    admin("POST", "/auth/v1/admin/keys", &alone, json!({ "action": "rotate" })).refused(409, "key_missing");
    for body in [json!({}), json!({ "action": "revoke" }), json!({ "action": "delete", "kid": "k1" })] {
        admin("POST", "/auth/v1/admin/keys", &FakeDb::unreachable(), body).refused(400, "validation_failed");
    }
    to("POST", "/auth/v1/admin/keys", &FakeDb::unreachable()).bearer("alice").got().refused(403, "not_admin");
}
