//! Passwords, sessions, refreshing, signing out.

use crate::sign_in::*;

crate::tests![
    whoever_signs_up_is_that_person_to_every_function_and_table,
    two_tabs_refresh_at_once_and_both_go_on,
    a_refresh_token_that_was_stolen_ends_the_session,
    parallel_refreshes_leave_one_session_and_no_error,
    signing_out_ends_this_session_the_others_or_all,
    a_wrong_password_and_an_unknown_address_are_one_answer,
    an_address_has_one_account_however_it_is_written,
    what_cannot_be_read_is_refused_in_gotrues_words,
    auth_tokens_keeps_its_own_shapes,
];

async fn whoever_signs_up_is_that_person_to_every_function_and_table(w: &'static World) {
    known(w).await;
    let (awa, other) = (Account::new(w).await, Account::new(w).await);
    let said = claims(&awa.access);
    assert_eq!(
        (&said["sub"], &said["role"], &said["aud"]),
        (&json!(awa.id), &json!("authenticated"), &json!("authenticated"))
    );
    assert_eq!(
        (&said["aal"], &said["amr"][0]["method"], &said["is_anonymous"]),
        (&json!("aal1"), &json!("password"), &json!(false))
    );
    let session: Uuid = text(&said, "session_id").parse().expect("a UUID");
    let owner: Uuid = w.one("select user_id from auth.sessions where id = $1", &[&session]).await;
    assert_eq!(owner, awa.id);
    let quote = json!({ "distanceKm": 3.2, "durationMin": 12, "lat": 9.5, "lng": -13.7 });
    w.call("taxi-quote-fare", &awa.access, quote).await.ok(200);
    assert_eq!(*rows(w, &awa.access).await.ok(200), json!([{ "id": awa.id }]));
    assert_eq!(*rows(w, &other.access).await.ok(200), json!([{ "id": other.id }]));
    let user = whoami(w, &awa.access).await;
    assert_eq!(user.ok(200)["user_metadata"], json!({ "first_name": "Awa" }));
    // Nothing that opens a door is stored as it is.
    let plain = "select count(*) from auth.refresh_tokens where token = $1";
    assert_eq!(w.one::<i64>(plain, &[&awa.refresh]).await, 0);
    let hash: String = w.one("select encrypted_password from auth.users where id = $1", &[&awa.id]).await;
    assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
}

async fn two_tabs_refresh_at_once_and_both_go_on(w: &'static World) {
    let awa = Account::new(w).await;
    let (one, two) = tokio::join!(renew(w, &awa.refresh), renew(w, &awa.refresh));
    let (one, two) = (Account::of(&one), Account::of(&two));
    assert!(one.refresh != two.refresh && one.refresh != awa.refresh);
    assert_eq!(claims(&one.access)["session_id"], claims(&two.access)["session_id"]);
    for tab in [one, two] {
        Account::of(&renew(w, &tab.refresh).await);
    }
}

async fn a_refresh_token_that_was_stolen_ends_the_session(w: &'static World) {
    let awa = Account::new(w).await;
    let next = Account::of(&renew(w, &awa.refresh).await);
    let sql =
        "update auth.refresh_tokens set updated_at = updated_at - interval '1 minute' where user_id = $1 and revoked";
    assert_eq!(w.exec(sql, &[&awa.id.to_string()]).await, 1);
    refused(&renew(w, &awa.refresh).await, 400, "refresh_token_already_used");
    // Whoever holds which one is not known, so neither goes on.
    refused(&renew(w, &next.refresh).await, 400, "refresh_token_not_found");
    refused(&whoami(w, &next.access).await, 403, "session_not_found");
    Account::of(&login(w, &awa.email, PASSWORD).await);
}

async fn parallel_refreshes_leave_one_session_and_no_error(w: &'static World) {
    let awa = Account::new(w).await;
    let tabs = futures_util::future::join_all((0..8).map(|_| renew(w, &awa.refresh))).await;
    let mut tokens: Vec<_> = tabs.iter().map(|tab| Account::of(tab).refresh).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 8, "two tabs got the same token");
    let sessions: i64 = w.one("select count(*) from auth.sessions where user_id = $1", &[&awa.id]).await;
    assert_eq!(sessions, 1);
}

async fn signing_out_ends_this_session_the_others_or_all(w: &'static World) {
    let phone = Account::new(w).await;
    let laptop = Account::of(&login(w, &phone.email, PASSWORD).await);
    let tablet = Account::of(&login(w, &phone.email, PASSWORD).await);
    let out = async |who: &Account, scope: &str| {
        let reply = auth(w, Method::POST, &format!("logout?scope={scope}")).bearer(&who.access).send().await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{reply}");
    };
    out(&tablet, "local").await;
    refused(&whoami(w, &tablet.access).await, 403, "session_not_found");
    refused(&renew(w, &tablet.refresh).await, 400, "refresh_token_not_found");
    whoami(w, &laptop.access).await.ok(200);
    out(&phone, "others").await;
    refused(&whoami(w, &laptop.access).await, 403, "session_not_found");
    whoami(w, &phone.access).await.ok(200);
    let laptop = Account::of(&login(w, &phone.email, PASSWORD).await);
    out(&phone, "global").await;
    for session in [&phone, &laptop] {
        refused(&whoami(w, &session.access).await, 403, "session_not_found");
        refused(&renew(w, &session.refresh).await, 400, "refresh_token_not_found");
    }
    // Once more is no error: whoever signs out is signed out.
    out(&phone, "global").await;
}

async fn a_wrong_password_and_an_unknown_address_are_one_answer(w: &'static World) {
    let awa = Account::new(w).await;
    let wrong = login(w, &awa.email, "motdepasse2").await;
    let unknown = login(w, &address(), PASSWORD).await;
    refused(&wrong, 400, "invalid_credentials");
    assert_eq!((wrong.status, &wrong.text), (unknown.status, &unknown.text));
    for password in ["", "x", &"x1".repeat(37), "motdepasse1\0", " motdepasse1"] {
        refused(&login(w, &awa.email, password).await, 400, "invalid_credentials");
    }
    let failed: i64 = w.one("select count(*) from people.failed_logins where user_id = $1", &[&awa.id]).await;
    assert_eq!(failed, 6, "failed sign-ins are counted for the fraud score");
}

async fn an_address_has_one_account_however_it_is_written(w: &'static World) {
    let email = format!("É{}@people.test", keys::random_uuid().simple());
    let written = format!("  {}  ", email.to_uppercase());
    let body = |email: &str| json!({ "email": email, "password": PASSWORD });
    let (one, two) = tokio::join!(post(w, "signup", body(&email)), post(w, "signup", body(&written)));
    let (made, other) = if one.status == 200 { (one, two) } else { (two, one) };
    assert_eq!(Account::of(&made).email, email.to_lowercase());
    refused(&other, 422, "user_already_exists");
    Account::of(&login(w, &written, PASSWORD).await);
}

async fn what_cannot_be_read_is_refused_in_gotrues_words(w: &'static World) {
    refused(&auth(w, Method::POST, "signup").raw("{").send().await, 400, "bad_json");
    for body in [r#"{"email":"a@b.test","email":"c@d.test"}"#, "\u{feff}{}"] {
        refused(&auth(w, Method::POST, "recover").raw(body).send().await, 400, "bad_json");
    }
    refused(&post(w, "signup", json!({ "email": "a", "password": PASSWORD })).await, 400, "validation_failed");
    let weak = post(w, "signup", json!({ "email": address(), "password": "12345678" })).await;
    refused(&weak, 422, "weak_password");
    assert_eq!(weak.body["weak_password"]["reasons"], json!(["characters"]));
    let data = json!({ "note": "x".repeat(20_000) });
    let long = post(w, "signup", json!({ "email": address(), "password": PASSWORD, "data": data })).await;
    refused(&long, 400, "validation_failed");
    refused(&post(w, "sso", json!({})).await, 422, "saml_provider_disabled");
    refused(&auth(w, Method::GET, "nothing").send().await, 404, "not_found");
    // Before a handler is asked the version cannot be sent back, so the older shape is used, which names the code too.
    let large = auth(w, Method::POST, "signup").raw(format!("\"{}\"", "x".repeat(300_000))).send().await;
    assert_eq!((large.status, &large.body["error_code"]), (413, &json!("request_entity_too_large")), "{large}");
}

async fn auth_tokens_keeps_its_own_shapes(w: &'static World) {
    let email = address();
    let call = async |action: &str, body: Value| w.function(&format!("auth-tokens/{action}")).json(&body).send().await;
    let ask = json!({ "email": email, "password": PASSWORD, "display_name": "Awa" });
    let registered = call("register", ask.clone()).await;
    let user = registered.ok(201)["user"].clone();
    assert_eq!((&user["email"], &user["display_name"]), (&json!(email), &json!("Awa")));
    call("register", ask.clone()).await.refused(409, "EMAIL_EXISTS");
    let entered = call("login", ask).await;
    assert_eq!(entered.ok(200)["user"], user);
    let wrong = json!({ "email": email, "password": "motdepasse2" });
    call("login", wrong).await.refused(401, "INVALID_CREDENTIALS");
    let renewed = call("refresh", json!({ "refresh_token": text(&entered.body, "refresh_token") })).await;
    whoami(w, &text(renewed.ok(200), "access_token")).await.ok(200);
    let last = json!({ "refresh_token": text(&renewed.body, "refresh_token") });
    assert_eq!(*call("logout", last.clone()).await.ok(200), json!({ "success": true }));
    call("refresh", last).await.refused(401, "INVALID_CREDENTIALS");
    call("delete", json!({})).await.refused(400, "VALIDATION_ERROR");
    let id: Uuid = text(&user, "id").parse().expect("a UUID");
    w.exec("update auth.users set banned_until = now() + interval '1 hour' where id = $1", &[&id]).await;
    let right = json!({ "action": "login", "email": email, "password": PASSWORD });
    w.function("auth-tokens").json(&right).send().await.refused(403, "ACCOUNT_DISABLED");
}
