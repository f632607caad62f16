//! Known faults, section C of contracts/faults.md: who may do what. One test per fault, named after it.
//!
//! The faults of products, files, calls, automations, games and doors (F92, F93, F95, F96, F99–F108, F110, F112–F116)
//! come with their functions; F125 is a scan of the sources.

use reqwest::Method;
use serde_json::{Value, json};
use xtask::keys::{self, TokenOptions};

use crate::world::{World, bare_world};

crate::tests![
    f90_anothers_ids_open_nothing,
    f91_unknown_fields_are_never_written,
    f94_a_token_is_verified_and_not_just_decoded,
    f97_details_and_dropped_functions_are_for_nobody_without_a_role,
    f97_the_books_of_staff_are_empty_to_everybody_else,
    f98_the_clocks_functions_want_the_internal_key,
    f98_a_stranger_is_scored_for_our_own_backends_alone,
    f109_only_listed_origins_may_read_answers,
    f111_a_forwarded_address_is_no_identity,
    f117_an_internal_key_that_is_nearly_right_is_wrong,
    f118_tokens_are_verified_without_asking_anybody,
    f120_who_may_not_is_told_so_by_the_right_status,
    f121_a_limit_holds_for_the_verified_caller,
    f122_roles_come_from_their_table,
];

async fn f90_anothers_ids_open_nothing(w: &'static World) {
    let (scene, mallory) = (w.scene().await, w.driver().await);
    let ride = scene.completed().await;
    let asked = scene.rider.deposit(50_000).await;
    let quote = json!({ "pickup": crate::people::point(scene.at), "dropoff": crate::people::point(crate::people::away(scene.at)) });
    let quote_id = scene.rider.call("taxi-quote-fare", quote.clone()).await.ok(200)["quote_id"].clone();
    let mut with_quote = quote;
    with_quote["quoteId"] = quote_id;
    let own = json!(scene.rider.id);
    let cases = [
        ("wallet-operations", json!({ "operation": "deposit", "payment_id": asked["payment_id"] })),
        (
            "wallet-operations",
            json!({ "operation": "transfer", "amount": 1_000, "recipient_id": mallory.id, "sender_id": own }),
        ),
        ("moneroo-verify-payment", json!({ "payment_id": asked["payment_id"] })),
        ("moneroo-initialize-payment", json!({ "purpose": "ride", "purpose_id": ride })),
        ("moneroo-initialize-payment", json!({ "purpose": "wallet_deposit", "amount": 10_000, "user_id": own })),
        ("taxi-request-ride", with_quote),
        ("taxi-accept-ride", json!({ "rideId": ride, "driverId": scene.driver.row })),
        ("taxi-refuse-ride", json!({ "rideId": ride, "driverId": scene.driver.row })),
        ("taxi-update-ride-status", json!({ "rideId": ride, "status": "cancelled", "reason": "mine now" })),
        ("taxi-payment", json!({ "rideId": ride, "paymentMethod": "wallet" })),
        ("taxi-payment", json!({ "rideId": ride, "paymentMethod": "cash", "customerId": own })),
    ];
    let before: Value = w.one("select to_jsonb(t) from taxi.trips t where id::text = $1", &[&ride]).await;
    for (name, ask) in cases {
        let reply = mallory.call(name, ask).await;
        assert!(matches!(reply.status, 403 | 404) || reply.is_refusal(409, "QUOTE_EXPIRED"), "{reply}");
    }
    assert_eq!(w.one::<Value>("select to_jsonb(t) from taxi.trips t where id::text = $1", &[&ride]).await, before);
    assert_eq!((scene.rider.gnf().await, mallory.moves().await), (500_000, 0));
    assert!(w.payments_of(&mallory).await.is_empty());
    for path in
        [format!("taxi_trips?id=eq.{ride}"), "moneroo_payments".into(), "wallet_history".into(), "taxi_quotes".into()]
    {
        let seen = w.rest(Method::GET, &path, &mallory.token).send().await;
        assert_eq!(*seen.ok(200), json!([]), "{path}");
    }
}

async fn f91_unknown_fields_are_never_written(w: &'static World) {
    let fatou = w.rich(50_000, "GNF").await;
    let binta = w.person().await;
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "balance": 9_000_000, "status": "reversed",
                      "fee": 0, "net_amount": 9, "is_admin": true, "__proto__": { "fee": 0 }, "created_at": "2020-01-01" });
    assert_eq!(fatou.call("wallet-operations", ask).await.ok(200)["fee"], 10);
    assert_eq!((fatou.gnf().await, binta.gnf().await), (48_990, 1_000));
    let deposit = json!({ "purpose": "wallet_deposit", "amount": 50_000, "status": "success", "settlement": "settled",
                          "credit_amount": 9_000_000, "fee": 0, "environment": "live", "is_current": false });
    let asked = fatou.call("moneroo-initialize-payment", deposit).await;
    let row = w.row(crate::sandbox::payment_id(asked.ok(201))).await;
    assert_eq!((&row["status"], &row["credit_amount"], &row["fee"]), (&json!("pending"), &json!(50_000), &json!(250)));
    assert_eq!((&row["settlement"], &row["is_current"]), (&json!("none"), &json!(true)));
}

async fn f94_a_token_is_verified_and_not_just_decoded(w: &'static World) {
    let (fatou, thief) = (w.rich(50_000, "GNF").await, w.person().await);
    let (hers, his): (Vec<&str>, Vec<&str>) = (fatou.token.split('.').collect(), thief.token.split('.').collect());
    let spliced = format!("{}.{}.{}", his[0], hers[1], his[2]);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": thief.id });
    w.call("wallet-operations", &spliced, ask.clone()).await.refused(401, "UNAUTHENTICATED");
    w.call("wallet-operations", &format!("{}.{}.", his[0], hers[1]), ask).await.refused(401, "UNAUTHENTICATED");
    assert_eq!((fatou.gnf().await, thief.moves().await), (50_000, 0));
}

async fn f97_details_and_dropped_functions_are_for_nobody_without_a_role(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    for name in
        ["fix-error", "security-analysis", "module-restart", "api-sync", "test-config", "analytics-ai-assistant"]
    {
        fatou.call(name, json!({})).await.refused(404, "NOT_FOUND");
    }
    let health =
        async |token: &str| w.request(Method::GET, "/functions/v1/health?detailed=1").bearer(token).send().await;
    let hers = health(&fatou.token).await;
    assert!(!hers.text.contains("latency_ms"), "{hers}");
    let his = health(&admin.token).await;
    assert!(his.ok(200).to_string().contains("latency_ms"), "{his}");
}

async fn f98_the_clocks_functions_want_the_internal_key(w: &'static World) {
    let admin = w.admin().await;
    let clocks = xtask::house::functions().expect("the list of functions");
    let clocks: Vec<_> =
        clocks.into_iter().filter(|one| one.auth == xtask::house::Auth::Cron).map(|one| one.name).collect();
    assert_eq!(clocks, ["ledger-close", "payout-process", "retry-failed-transactions", "taxi-dispatch-tick"]);
    for name in &clocks {
        w.function(name).json(&json!({})).send().await.refused(401, "UNAUTHENTICATED");
        for token in [&admin.token, &w.vars["SERVICE_ROLE_KEY"], &w.vars["ANON_KEY"], &w.vars["INTERNAL_API_KEY"]] {
            w.call(name, token, json!({})).await.refused(401, "UNAUTHENTICATED");
        }
        w.tick(name).await.ok(200);
    }
}

async fn f97_the_books_of_staff_are_empty_to_everybody_else(w: &'static World) {
    let (fatou, former, admin) = (w.rich(50_000, "GNF").await, w.admin().await, w.admin().await);
    let payout = w.withdrawn(&fatou, 10_000, "GNF", "224620000001").await;
    w.exec("delete from people.user_roles where user_id = $1", &[&former.id]).await;
    let pretender = TokenOptions { claims: json!({ "app_metadata": { "role": "admin" } }), ..TokenOptions::default() };
    let pretender = keys::user_token(&fatou.id, &pretender);
    for view in ["admin_payouts", "admin_suspense", "admin_reconciliation", "admin_dead_letters"] {
        for token in [&fatou.token, &former.token, &pretender] {
            assert_eq!(*w.rest(Method::GET, view, token).send().await.ok(200), json!([]), "{view}");
        }
        let anybody = w.rest(Method::GET, view, &w.vars["ANON_KEY"]).send().await;
        assert!((400..500).contains(&anybody.status), "{view}: {anybody}");
    }
    let path = format!("admin_payouts?select=amount&id=eq.{}", crate::outgoing::id_of(&payout));
    assert_eq!(*w.rest(Method::GET, &path, &admin.token).send().await.ok(200), json!([{ "amount": 10_000 }]));
    let stats = admin.call("wallet-admin", json!({ "action": "stats" })).await;
    assert!(!stats.ok(200).to_string().contains(&fatou.email) && !stats.text.contains("224620000001"), "{stats}");
}

async fn f98_a_stranger_is_scored_for_our_own_backends_alone(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let ask = json!({ "userId": fatou.id, "amount": 1_000, "recipientId": binta.id, "method": "transfer" });
    let score =
        async |key: &str| w.function("fraud-detection").header("x-internal-api-key", key).json(&ask).send().await;
    w.function("fraud-detection").json(&ask).send().await.refused(401, "UNAUTHENTICATED");
    for wrong in ["", "wrong", &w.vars["ANON_KEY"], &w.vars["SERVICE_ROLE_KEY"]] {
        score(wrong).await.refused(401, "UNAUTHENTICATED");
    }
    for key in ["ANON_KEY", "SERVICE_ROLE_KEY", "INTERNAL_API_KEY"] {
        w.call("fraud-detection", &w.vars[key], ask.clone()).await.refused(401, "UNAUTHENTICATED");
    }
    binta.call("fraud-detection", ask.clone()).await.refused(403, "IDENTITY_MISMATCH");
    let logged = "select count(*) from ledger.fraud_detection_logs where user_id = $1";
    assert_eq!(w.one::<i64>(logged, &[&fatou.id]).await, 0);
    assert!(score(&w.vars["INTERNAL_API_KEY"]).await.ok(200)["score"].is_u64());
    assert_eq!((w.one::<i64>(logged, &[&fatou.id]).await, fatou.moves().await), (1, 1));
}

async fn f109_only_listed_origins_may_read_answers(_: &'static World) {
    let bare = bare_world().await;
    let ours = "https://app.cauris.test";
    for (origin, allowed) in [
        (ours, true),
        ("https://evil.test", false),
        ("https://app.cauris.test.evil.test", false),
        ("http://app.cauris.test", false),
        ("null", false),
    ] {
        for method in [Method::OPTIONS, Method::POST] {
            let call = bare.request(method.clone(), "/functions/v1/wallet-operations").header("origin", origin);
            let reply = call.header("access-control-request-method", "POST").send().await;
            let granted = reply.header("access-control-allow-origin");
            assert_eq!(granted == Some(origin), allowed, "{method} from {origin}: {granted:?}");
            assert!(granted != Some("*") && reply.header("access-control-allow-credentials").is_none(), "{origin}");
            let vary = reply.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.contains("origin"), "a cache would hand it to another origin: {vary}");
        }
    }
}

/// Heartbeats: 30 a minute for a driver, wherever he says that he calls from.
async fn f111_a_forwarded_address_is_no_identity(_: &'static World) {
    let bare = bare_world().await;
    let driver = bare.driver().await;
    let mut statuses = Vec::new();
    // 30 a minute, and the windows are whole minutes: of 61 calls one comes too many, even across the turn of one.
    for n in 0..61 {
        let call = bare.function("taxi-driver-heartbeat").bearer(&driver.token);
        let call = call.header("x-forwarded-for", format!("10.0.0.{n}")).header("x-real-ip", format!("10.0.1.{n}"));
        let call = call.header("cf-connecting-ip", format!("10.0.2.{n}"));
        statuses.push(call.json(&json!({ "is_online": false })).send().await.status);
    }
    assert!(statuses.contains(&429), "another address each time, and no limit: {statuses:?}");
}

async fn f117_an_internal_key_that_is_nearly_right_is_wrong(w: &'static World) {
    let key = &w.vars["INTERNAL_API_KEY"];
    let last = key.len() - 1;
    for wrong in [&key[..last], &format!("{key}0"), &format!("{}0", &key[..last]), &key.to_uppercase(), "", "\u{e9}"] {
        let call = w.function("taxi-dispatch-tick").header("x-internal-api-key", wrong);
        call.json(&json!({})).send().await.refused(401, "UNAUTHENTICATED");
    }
    let two = w.function("taxi-dispatch-tick").header("x-internal-api-key", wrong_then(key));
    two.json(&json!({})).send().await.refused(401, "UNAUTHENTICATED");
}

fn wrong_then(key: &str) -> String {
    format!("wrong, {key}")
}

async fn f118_tokens_are_verified_without_asking_anybody(w: &'static World) {
    // No authentication server exists in this stack; a look-up per request would find nobody.
    let issuer = w.http.get(format!("{}/auth/v1/user", w.api)).send().await.expect("the gateway answers");
    assert!(!issuer.status().is_success(), "somebody answers for users");
    let fatou = w.person().await;
    fatou.call("taxi-quote-fare", json!({ "distanceKm": 1, "durationMin": 1, "lat": 9.5, "lng": -13.7 })).await.ok(200);
}

async fn f120_who_may_not_is_told_so_by_the_right_status(w: &'static World) {
    let (scene, fatou) = (w.scene().await, w.person().await);
    let ride = scene.accepted().await;
    w.function("taxi-accept-ride").json(&json!({ "rideId": ride })).send().await.refused(401, "UNAUTHENTICATED");
    w.call("taxi-accept-ride", "not.a.token", json!({ "rideId": ride })).await.refused(401, "UNAUTHENTICATED");
    fatou.call("taxi-accept-ride", json!({ "rideId": ride })).await.refused(403, "FORBIDDEN");
    let step = json!({ "rideId": ride, "status": "picked_up" });
    scene.rider.call("taxi-update-ride-status", step.clone()).await.refused(403, "FORBIDDEN");
    fatou.call("taxi-update-ride-status", step).await.refused(404, "NOT_FOUND");
    w.function("moneroo-webhook").raw("{}").send().await.refused(403, "INVALID_SIGNATURE");
}

async fn f121_a_limit_holds_for_the_verified_caller(_: &'static World) {
    let bare = bare_world().await;
    let (one, other) = (bare.driver().await, bare.driver().await);
    let beat = json!({ "is_online": false });
    // The windows are whole minutes: across the turn of one, twice 30 pass.
    let calls = (0..61).map(|_| one.call("taxi-driver-heartbeat", beat.clone()));
    let replies = futures_util::future::join_all(calls).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((30..=60).contains(&passed), "of 61 at once, 30 a minute allowed, {passed} passed");
    let late = replies.iter().find(|reply| reply.status == 429).expect("somebody was too fast");
    let body = late.refused(429, "RATE_LIMITED");
    let seconds = late.header("retry-after").and_then(|text| text.parse::<u64>().ok()).expect("Retry-After in seconds");
    assert_eq!(body["details"]["retry_after"], seconds);
    other
        .call("taxi-driver-heartbeat", json!({ "is_online": false, "driverId": one.row }))
        .await
        .refused(403, "IDENTITY_MISMATCH");
    other.call("taxi-driver-heartbeat", beat).await.ok(200);
}

async fn f122_roles_come_from_their_table(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let pretender = w.person().await;
    for claims in [
        json!({ "user_metadata": { "role": "admin", "roles": ["admin", "pdg"] } }),
        json!({ "app_metadata": { "role": "admin" }, "user_role": "admin", "roles": ["admin"] }),
    ] {
        let options = TokenOptions { claims, ..TokenOptions::default() };
        let token = keys::user_token(&pretender.id, &options);
        let ask = json!({ "rideId": ride, "paymentMethod": "wallet", "role": "admin", "is_admin": true });
        w.call("taxi-payment", &token, ask).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(scene.rider.gnf().await, 500_000);
    w.exec("insert into people.user_roles (user_id, role) values ($1, 'pdg')", &[&pretender.id]).await;
    pretender.call("taxi-payment", json!({ "rideId": ride, "paymentMethod": "wallet" })).await.ok(200);
}
