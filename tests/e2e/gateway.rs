//! The door: names, aliases, bodies, browsers, and what `/rest/v1` lets through.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::world::World;

crate::tests![
    an_unknown_name_is_not_found_in_the_error_contract,
    a_dropped_function_is_not_found,
    a_legacy_name_reaches_the_same_worker,
    the_invoked_name_comes_from_the_path_and_from_no_header,
    a_suffix_is_an_action_and_may_not_contradict_the_body,
    a_body_is_json_of_bounded_depth_with_distinct_keys,
    a_request_id_is_kept_when_it_is_a_uuid_and_made_when_it_is_not,
    every_refusal_can_be_read_by_a_browser,
    the_rest_gateway_acts_as_the_caller,
    the_rest_gateway_writes_no_table_by_any_verb,
    headers_of_postgrest_have_no_effect_from_outside,
    the_history_is_paged_by_key_also_where_times_are_equal,
    health_says_what_works_and_keeps_details_for_operators,
    what_no_project_serves_is_a_declared_501,
    the_reference_is_served_under_a_policy_of_its_own,
];

async fn an_unknown_name_is_not_found_in_the_error_contract(w: &'static World) {
    let fatou = w.person().await;
    for name in ["wallet-operation", "no-such-thing", "..%2fhealth", "health%00", "FN_HEALTH", "constructor", ""] {
        w.call(name, &fatou.token, json!({})).await.refused(404, "NOT_FOUND");
    }
    w.request(Method::GET, "/nowhere").send().await.refused(404, "NOT_FOUND");
}

async fn a_dropped_function_is_not_found(w: &'static World) {
    let fatou = w.person().await;
    for name in ["generate-unique-id", "rate-limiter", "google-maps-config", "mapbox-proxy", "cv-parser"] {
        w.call(name, &fatou.token, json!({})).await.refused(404, "NOT_FOUND");
    }
}

async fn a_legacy_name_reaches_the_same_worker(w: &'static World) {
    let names = ["create-payment", "moneroo", "wallet-transfer", "taxi-payment-process"];
    for name in names {
        w.function(name).json(&json!({})).send().await.refused(401, "UNAUTHENTICATED");
    }
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let ask = json!({ "action": "preview", "amount": 1_000, "receiver_id": binta.id });
    assert_eq!(fatou.call("wallet-transfer", ask).await.ok(200)["fee"], 10);
}

async fn the_invoked_name_comes_from_the_path_and_from_no_header(w: &'static World) {
    for pretended in ["generate-unique-id", "wallet-transfer", "no-such-thing"] {
        let reply = w.function("health").header("x-invoked-as", pretended).json(&json!({})).send().await;
        assert_eq!(reply.ok(200)["status"], "ok", "{pretended}");
    }
}

async fn a_suffix_is_an_action_and_may_not_contradict_the_body(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let ask = json!({ "amount": 1_000, "recipient_id": binta.id });
    assert_eq!(fatou.call("wallet-operations/preview", ask).await.ok(200)["operation"], "preview");
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id });
    fatou.call("wallet-operations/preview", ask).await.refused(400, "VALIDATION_ERROR");
    assert_eq!((fatou.gnf().await, binta.gnf().await), (100_000, 0));
}

async fn a_body_is_json_of_bounded_depth_with_distinct_keys(w: &'static World) {
    let fatou = w.person().await;
    let send = async |body: Vec<u8>| w.function("taxi-quote-fare").bearer(&fatou.token).raw(body).send().await;
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1)).into_bytes();
    send(nested(33)).await.refused(400, "BAD_JSON");
    send(nested(10_000)).await.refused(400, "BAD_JSON");
    send(nested(32)).await.refused(400, "VALIDATION_ERROR");
    for body in [&b"{\"a\":1,\"a\":1}"[..], b"{\"a\":{\"b\":1,\"b\":1}}", b"{\"a\":\"\xff\xfe\"}", b"{} {}", b"NaN"] {
        send(body.to_vec()).await.refused(400, "BAD_JSON");
    }
    send(Vec::new()).await.refused(400, "VALIDATION_ERROR");
    // A list is no object, also where its items would fit the fields in their order.
    let (here, there) = (r#"{"lat":9.5,"lng":-13.7}"#, r#"{"lat":9.52,"lng":-13.7}"#);
    for list in ["[]", "[1]", &format!("[{here},{there}]"), &format!(r#"[{here},{there},"moto",null,null,null,null]"#)]
    {
        let reply = send(list.into()).await;
        assert!(reply.status == 400 && !reply.text.contains("struct"), "{reply}");
    }
    let call = w.function("taxi-quote-fare").bearer(&fatou.token).header("content-type", "application/xml");
    crate::call::Call(call.0.body("<a/>")).send().await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
}

async fn a_request_id_is_kept_when_it_is_a_uuid_and_made_when_it_is_not(w: &'static World) {
    let mine = xtask::keys::random_uuid().to_string();
    for (sent, kept) in [(mine.as_str(), true), ("42", false), ("a\"b", false)] {
        let reply = w.function("taxi-quote-fare").header("x-request-id", sent).json(&json!({})).send().await;
        let id = reply.refused(401, "UNAUTHENTICATED")["request_id"].as_str().expect("a request id").to_owned();
        assert_eq!(id == sent, kept, "{sent} became {id}");
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id} is no UUID");
    }
}

async fn every_refusal_can_be_read_by_a_browser(w: &'static World) {
    let fatou = w.person().await;
    let from = |name: &str| w.function(name).header("origin", "https://app.cauris.test");
    let replies = [
        from("no-such-thing").json(&json!({})).send().await,
        from("wallet-operations").json(&json!({})).send().await,
        from("wallet-operations").bearer(&fatou.token).json(&json!({})).send().await,
        from("wallet-operations").bearer(&fatou.token).raw("{").send().await,
        from("moneroo-webhook").json(&json!({})).send().await,
        w.request(Method::GET, "/rest/v1/no_such_table").header("origin", "https://app.cauris.test").send().await,
    ];
    for reply in replies {
        assert!(reply.status >= 400, "{reply}");
        assert!(reply.header("access-control-allow-origin").is_some(), "no CORS: {reply}");
        let exposed = reply.header("access-control-expose-headers").unwrap_or_default().to_lowercase();
        assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}: {reply}");
        assert!(reply.header("access-control-allow-credentials").is_none(), "{reply}");
    }
}

async fn the_rest_gateway_acts_as_the_caller(w: &'static World) {
    let (fatou, binta) = (w.rich(1_000, "GNF").await, w.rich(2_000, "GNF").await);
    let wallets = async |token: &str| w.rest(Method::GET, "wallets?select=user_id,balance", token).send().await;
    let mine = wallets(&fatou.token).await;
    assert_eq!(*mine.ok(200), json!([{ "user_id": fatou.id, "balance": 1_000 }]), "only her own");
    assert_eq!(*wallets(&binta.token).await.ok(200), json!([{ "user_id": binta.id, "balance": 2_000 }]));
    let anonymous = wallets(&w.vars["ANON_KEY"]).await;
    assert!(anonymous.status >= 400 || anonymous.body == json!([]), "a stranger reads wallets: {anonymous}");
    let forged = wallets(&format!("{}x", fatou.token)).await;
    assert_eq!(forged.status, 401, "a bad token is not downgraded to a stranger: {forged}");
}

/// Everything under `/rest/v1` that a table could hide behind, tried with each verb that writes.
async fn the_rest_gateway_writes_no_table_by_any_verb(w: &'static World) {
    let fatou = w.rich(50_000, "GNF").await;
    let before = snapshot(w, &fatou).await;
    let views: Vec<String> =
        w.all("select viewname::text from pg_views where schemaname = 'api' order by 1", &[]).await;
    assert!(views.iter().any(|view| view == "wallets"), "{views:?}");
    let row = json!({ "user_id": fatou.id, "balance": 1_000_000, "status": "success", "amount": 5, "currency": "GNF" });
    for view in views.iter().filter(|view| *view != "taxi_notifications") {
        for verb in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            for profile in ["api", "ledger", "payments", "taxi", "core"] {
                let call = w.rest(verb.clone(), &format!("{view}?id=neq.{}", fatou.id), &fatou.token);
                let reply = call.header("content-profile", profile).json(&row).send().await;
                assert!((400..500).contains(&reply.status), "{verb} {view} as {profile}: {reply}");
            }
        }
    }
    assert_eq!(snapshot(w, &fatou).await, before);
}

async fn snapshot(w: &World, person: &Person) -> Value {
    let sql = "select jsonb_build_object('wallet', to_jsonb(w), 'entries', (select count(*) from ledger.entries e
               where e.account_id = w.id)) from ledger.wallets w where w.user_id = $1";
    w.one(sql, &[&person.id]).await
}

async fn headers_of_postgrest_have_no_effect_from_outside(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let users = w.rest(Method::GET, "users?select=email", &fatou.token).header("accept-profile", "auth").send().await;
    assert!((400..500).contains(&users.status) && !users.text.contains(&fatou.email), "{users}");
    let entries = w.rest(Method::GET, "wallets?select=balance", &fatou.token).header("accept-profile", "ledger");
    assert_eq!(*entries.send().await.ok(200), json!([{ "balance": 50_000 }]), "the profile was taken from the client");
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id });
    let call = w.function("wallet-operations").bearer(&fatou.token).header("prefer", "tx=rollback");
    let call = call.header("content-profile", "auth").header("x-forwarded-for", "10.0.0.1").header("sb-api-key", "x");
    call.json(&ask).send().await.ok(200);
    assert_eq!(
        (fatou.gnf().await, binta.gnf().await),
        (48_990, 1_000),
        "the transfer was rolled back after its answer"
    );
}

async fn the_history_is_paged_by_key_also_where_times_are_equal(w: &'static World) {
    let fatou = w.person().await;
    // One transaction has one now(): seven lines of the same instant, between two of others.
    fatou.fund(10, "GNF").await;
    let sql = "select count(ledger.post('adjustment', 'GNF',
        array[row(ledger.platform_account('provider_clearing', 'GNF'), -n)::ledger.leg,
              row(ledger.wallet_for($1, 'GNF'), n)::ledger.leg], 'test_funds', gen_random_uuid()::text, n))
        from generate_series(101::bigint, 107) n";
    assert_eq!(w.one::<i64>(sql, &[&fatou.id]).await, 7);
    fatou.fund(20, "GNF").await;
    let (mut seen, mut order, mut cursor) = (BTreeSet::new(), Vec::new(), String::new());
    loop {
        let path = format!("wallet_history?select=id,created_at,amount&order=created_at.desc,id.desc&limit=2{cursor}");
        let reply = w.rest(Method::GET, &path, &fatou.token).send().await;
        let page = reply.ok(200).as_array().expect("a page is a list").clone();
        for row in &page {
            assert!(seen.insert(row["id"].to_string()), "listed twice: {row}");
            order.push(row["amount"].as_i64().expect("amounts are integers"));
        }
        let Some(last) = page.last().filter(|_| page.len() == 2) else { break };
        let (at, id) =
            (last["created_at"].as_str().expect("a time").replace('+', "%2B"), last["id"].as_str().expect("an id"));
        cursor = format!("&or=(created_at.lt.{at},and(created_at.eq.{at},id.lt.{id}))");
    }
    assert_eq!((order.len(), order.first(), order.last()), (9, Some(&20), Some(&10)), "{order:?}");
}

async fn health_says_what_works_and_keeps_details_for_operators(w: &'static World) {
    let reply = w.request(Method::GET, "/functions/v1/health").send().await;
    let body = reply.ok(200);
    assert_eq!(body["status"], "ok");
    assert!(body["timestamp"].is_string() && body["version"].is_string(), "{body}");
    assert!(!reply.text.contains("latency_ms"), "details for everybody: {reply}");
    let detailed = w.request(Method::GET, "/functions/v1/health?detailed=1");
    let detailed = detailed.header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]).send().await;
    assert!(detailed.ok(200).to_string().contains("latency_ms"), "{detailed}");
    for secret in [&w.vars["POSTGREST_URL"], &w.vars["MONEROO_URL"], "PostgreSQL", "postgres:"] {
        assert!(!detailed.text.contains(secret), "{secret} is nobody's business: {detailed}");
    }
}

async fn what_no_project_serves_is_a_declared_501(w: &'static World) {
    for path in
        ["/storage/v1/bucket", "/storage/v1/object/a/b.png", "/realtime/v1/api/broadcast", "/realtime/v1/websocket"]
    {
        for method in [Method::GET, Method::POST] {
            w.request(method, path).send().await.refused(501, "NOT_AVAILABLE");
        }
    }
    // An upgrade is answered, too: a client that only sees a closed socket tries for ever without knowing why.
    let url = format!("{}/realtime/v1/websocket?vsn=1.0.0", w.api.replace("http", "ws"));
    match tokio_tungstenite::connect_async(url).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 501),
        other => panic!("{other:?}"),
    }
}

async fn the_reference_is_served_under_a_policy_of_its_own(w: &'static World) {
    let page = w.request(Method::GET, "/docs").send().await;
    assert!(page.status == 200 && page.text.contains("<html"), "{page}");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    // Under that policy a script between the tags would not run.
    for script in page.text.split("<script").skip(1) {
        let body = script.split_once('>').map_or("", |(_, rest)| rest.split("</script").next().unwrap_or_default());
        assert!(body.trim().is_empty(), "an inline script: {body}");
    }
    let files = page.text.split(['"', '\'']).filter(|text| text.ends_with(".js") || text.ends_with(".css"));
    let files: Vec<_> =
        files.map(|file| file.trim_start_matches("./").trim_start_matches("/docs/").to_owned()).collect();
    assert!(!files.is_empty(), "{page}");
    for file in files {
        let reply = w.request(Method::GET, &format!("/docs/{file}")).send().await;
        let media = reply.header("content-type").unwrap_or_default();
        assert!(
            reply.status == 200 && (media.starts_with("text/javascript") || media.starts_with("text/css")),
            "{file}: {media}"
        );
    }
    let spec = w.request(Method::GET, "/docs/openapi.json").send().await;
    assert!(spec.ok(200)["paths"].is_object() && spec.header("cache-control") == Some("public, max-age=300"));
    for path in ["/docs/no-such-file.js", "/docs/index", "/docs/a/b.js", "/docs/.stamp"] {
        w.request(Method::GET, path).send().await.refused(404, "NOT_FOUND");
    }
    w.request(Method::POST, "/docs").send().await.refused(405, "METHOD_NOT_ALLOWED");
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let root = crate::call::Reply::to(http.get(format!("{}/", w.api))).await;
    assert_eq!((root.status, root.header("location")), (302, Some("/docs")), "{root}");
}
