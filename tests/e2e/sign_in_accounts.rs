//! Accounts: anonymous ones that become permanent, those an operator makes, those that come from Supabase.

use crate::sign_in::*;

crate::tests![
    somebody_anonymous_becomes_permanent_with_what_he_has,
    a_person_does_not_choose_his_rights,
    an_operator_makes_bans_and_deletes_accounts,
    a_key_of_a_frontend_is_no_operators,
    an_account_of_supabase_signs_in_with_its_hash_and_its_refresh_token,
];

/// Of "abc", by jBCrypt.
const FOREIGN: &str = "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi";

async fn somebody_anonymous_becomes_permanent_with_what_he_has(w: &'static World) {
    known(w).await;
    let entered = post(w, "signup", json!({ "data": {} })).await;
    let nobody = Account::of(&entered);
    assert_eq!((&claims(&nobody.access)["is_anonymous"], nobody.email.as_str()), (&json!(true), ""));
    assert_eq!(*rows(w, &nobody.access).await.ok(200), json!([{ "id": nobody.id }]));
    refused(&update(w, &nobody.access, json!({ "password": PASSWORD })).await, 400, "validation_failed");
    let email = address();
    let user = update(w, &nobody.access, json!({ "email": email, "password": PASSWORD })).await;
    assert_eq!((&user.ok(200)["is_anonymous"], &user.body["email"]), (&json!(false), &json!(email)));
    let somebody = Account::of(&login(w, &email, PASSWORD).await);
    assert_eq!((somebody.id, &claims(&somebody.access)["is_anonymous"]), (nobody.id, &json!(false)));
}

async fn a_person_does_not_choose_his_rights(w: &'static World) {
    let body = json!({
        "email": address(), "password": PASSWORD, "app_metadata": { "admin": true }, "role": "service_role",
        "data": { "role": "admin" }, "email_confirm": true, "id": Uuid::nil(),
    });
    let awa = Account::of(&post(w, "signup", body).await);
    assert_ne!(awa.id, Uuid::nil());
    let said = claims(&awa.access);
    assert_eq!((&said["role"], &said["app_metadata"]["admin"]), (&json!("authenticated"), &Value::Null));
    refused(&update(w, &awa.access, json!({ "app_metadata": { "admin": true } })).await, 403, "not_admin");
    let user = update(w, &awa.access, json!({ "role": "service_role", "data": { "first_name": "A" } })).await;
    assert_eq!((&user.ok(200)["role"], &user.body["app_metadata"]["admin"]), (&json!("authenticated"), &Value::Null));
}

fn admin(w: &World, method: Method, path: &str, key: &str) -> Call {
    auth(w, method, &format!("admin/{path}")).header("authorization", format!("Bearer {key}"))
}

async fn an_operator_makes_bans_and_deletes_accounts(w: &'static World) {
    let email = address();
    for (n, key) in [w.vars["SERVICE_ROLE_KEY"].as_str(), w.vars["SECRET_KEYS"].as_str()].into_iter().enumerate() {
        let email = format!("{n}{email}");
        let account =
            json!({ "email": email, "password": PASSWORD, "email_confirm": true, "app_metadata": { "tier": 1 } });
        let made = admin(w, Method::POST, "users", key).json(&account).send().await;
        let id = text(made.ok(200), "id");
        refused(&admin(w, Method::POST, "users", key).json(&account).send().await, 422, "email_exists");
        let awa = Account::of(&login(w, &email, PASSWORD).await);
        assert_eq!(claims(&awa.access)["app_metadata"]["tier"], 1);
        let path = format!("users/{id}");
        let banned = admin(w, Method::PUT, &path, key).json(&json!({ "ban_duration": "1h" })).send().await;
        assert!(banned.ok(200)["banned_until"].is_string(), "{banned}");
        refused(&login(w, &email, PASSWORD).await, 403, "user_banned");
        refused(&renew(w, &awa.refresh).await, 403, "user_banned");
        refused(&whoami(w, &awa.access).await, 403, "user_banned");
        refused(&login(w, &email, "motdepasse2").await, 400, "invalid_credentials");
        admin(w, Method::PUT, &path, key).json(&json!({ "ban_duration": "none" })).send().await.ok(200);
        Account::of(&login(w, &email, PASSWORD).await);
        assert_eq!(admin(w, Method::DELETE, &path, key).json(&json!({})).send().await.ok(200), &json!({}));
        refused(&admin(w, Method::GET, &path, key).send().await, 404, "user_not_found");
        refused(&login(w, &email, PASSWORD).await, 400, "invalid_credentials");
        refused(&whoami(w, &awa.access).await, 403, "user_not_found");
    }
    let listed = admin(w, Method::GET, "users?page=1&per_page=2", &w.vars["SECRET_KEYS"]).send().await;
    assert!(listed.ok(200)["users"].as_array().is_some_and(|users| users.len() <= 2), "{listed}");
    assert!(listed.header("x-total-count").is_some() && listed.header("link").is_some(), "{:?}", listed.headers);
}

async fn a_key_of_a_frontend_is_no_operators(w: &'static World) {
    let awa = Account::new(w).await;
    let publishable = w.vars["PUBLISHABLE_KEYS"].clone();
    for key in [&awa.access, &w.vars["ANON_KEY"], &publishable] {
        for (method, path) in
            [(Method::GET, "users"), (Method::POST, "users"), (Method::POST, "keys"), (Method::GET, "keys")]
        {
            refused(&admin(w, method, path, key).send().await, 403, "not_admin");
        }
    }
    let mine = format!("users/{}", awa.id);
    refused(&admin(w, Method::DELETE, &mine, &awa.access).send().await, 403, "not_admin");
    // A secret key in a page is a secret no more.
    let page = admin(w, Method::GET, "users", &w.vars["SECRET_KEYS"]).header("user-agent", "Mozilla/5.0 (X11; Linux)");
    refused(&page.send().await, 403, "not_admin");
}

async fn an_account_of_supabase_signs_in_with_its_hash_and_its_refresh_token(w: &'static World) {
    let (id, session, email) = (keys::random_uuid(), keys::random_uuid(), address());
    let sql =
        "insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, created_at, updated_at)
               values ($1, 'authenticated', 'authenticated', $2, $3, now(), now(), now())";
    w.exec(sql, &[&id, &email, &FOREIGN]).await;
    let sql = "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())";
    w.exec(sql, &[&session, &id]).await;
    let plain = keys::random_uuid().simple().to_string()[..12].to_owned();
    let sql = "insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at)
               values ($1, $2, $3, false, now(), now())";
    w.exec(sql, &[&plain, &id.to_string(), &session]).await;
    let renewed = Account::of(&renew(w, &plain).await);
    assert_eq!((renewed.id, &claims(&renewed.access)["session_id"]), (id, &json!(session)));
    let kept: i64 = w.one("select count(*) from auth.refresh_tokens where token = $1", &[&plain]).await;
    assert_eq!(kept, 0, "a plain token is still stored");
    let entered = login(w, &email, "abc").await;
    assert_eq!(Account::of(&entered).id, id);
    assert_eq!(entered.body["weak_password"]["reasons"], json!(["length", "characters"]));
    refused(&login(w, &email, "abd").await, 400, "invalid_credentials");
}
