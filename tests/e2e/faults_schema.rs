//! Known faults, sections C and D of contracts/faults.md: what answers say, and what is checked against the real schema.
//! One test per fault, named after it.
//!
//! F130, F132–F139 and F142–F147 come with the functions that they are about.

use reqwest::Method;
use serde_json::{Value, json};
use xtask::house::{self, Auth};
use xtask::keys;

use crate::world::World;

crate::tests![
    f38_every_command_that_the_code_sends_exists_and_may_be_sent,
    f119_messages_say_nothing_about_the_inside,
    f123_a_recipients_balance_is_not_shown,
    f124_no_answer_tells_who_exists,
    f131_every_function_runs_against_the_migrated_schema,
    f140_a_profile_has_the_id_of_its_user,
    f141_a_cursor_includes_the_id,
    f148_money_and_rides_are_tested_on_a_real_postgres,
];

/// The commands that a source names: whether as the service, and the name.
fn commands_in(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (door, as_service) in
        [(".rpc(", false), (".rpc_read(", false), (".service(", true), (".service::<Value>(", true)]
    {
        for rest in text.split(door).skip(1) {
            let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
            found.extend(name.map(|(name, _)| (as_service, name.to_owned())));
        }
    }
    found
}

async fn f38_every_command_that_the_code_sends_exists_and_may_be_sent(w: &'static World) {
    let mut seen = std::collections::BTreeSet::new();
    let mut folders = vec![house::root().join("functions"), house::root().join("shared/src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() && !path.ends_with("build") && !path.ends_with("testing") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                seen.extend(commands_in(&std::fs::read_to_string(&path).expect("text")));
            }
        }
    }
    assert!(seen.len() > 25, "the sources were not understood: {seen:?}");
    for (as_service, name) in &seen {
        let role = if *as_service { "service_role" } else { "authenticated" };
        let sql = "select count(*) from pg_proc p where p.pronamespace = 'api'::regnamespace and p.proname = $1
            and p.proargnames[1] = 'ask' and p.proargtypes = '3802'::oidvector and p.prorettype = 'jsonb'::regtype
            and has_function_privilege($2::name, p.oid, 'execute')";
        assert_eq!(w.one::<i64>(sql, &[name, &role]).await, 1, "api.{name}(ask jsonb) for {role}");
    }
    // A failure behind one is never ignored: what was bought is neither given nor forgotten.
    let fatou = w.person().await;
    let asked = fatou.call("create-payment", json!({ "plan_id": "enterprise_plan" })).await.ok(201).clone();
    let id = crate::sandbox::payment_id(&asked);
    w.pays_quietly(&asked).await;
    let plan = "select status from payments.paid_entitlements where user_id = $1";
    let condition = format!("new.provider_payment_id = '{id}' and new.status = 'success'");
    w.sabotaged("payments.payments", &condition, async || {
        w.sweeps(id).await;
        fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await.refused(500, "INTERNAL");
        assert_eq!(w.one::<String>(plan, &[&fatou.id]).await, "pending");
    })
    .await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!(w.one::<String>(plan, &[&fatou.id]).await, "active");
}

async fn f119_messages_say_nothing_about_the_inside(w: &'static World) {
    let fatou = w.rich(50_000, "GNF").await;
    let binta = w.person().await;
    let wallet = binta.wallet("GNF").await;
    let condition = format!("new.account_id = '{wallet}'");
    let mut replies = vec![
        w.sabotaged("ledger.entries", &condition, async || fatou.send(&binta, 1_000, "GNF").await).await,
        fatou
            .call("wallet-operations", json!({ "operation": "transfer", "amount": 1_000, "recipient_id": "x' or 1=1" }))
            .await,
        fatou
            .call("wallet-operations", json!({ "operation": "transfer", "amount": 1_000, "recipient_id": "\u{0}" }))
            .await,
        fatou.call("taxi-quote-fare", json!({ "pickup": { "lat": 1e308, "lng": 0 }, "dropoff": {} })).await,
        fatou.call("taxi-accept-ride", json!({ "rideId": "00000000-0000-4000-8000-000000000000" })).await,
        fatou.call("moneroo-verify-payment", json!({ "payment_id": "%00\\" })).await,
        w.function("moneroo-webhook").raw("{").send().await,
    ];
    w.fault(json!({ "on": "initialize", "fault": "error", "status": 500, "email": fatou.email, "times": 1 })).await;
    replies
        .push(fatou.call("moneroo-initialize-payment", json!({ "purpose": "wallet_deposit", "amount": 10_000 })).await);
    for reply in replies {
        assert!(reply.status >= 400, "{reply}");
        for inside in [
            "violates",
            "constraint",
            "PL/pgSQL",
            "SQLSTATE",
            "relation",
            "PGRST",
            "cut here",
            "ledger.",
            "stack",
            "panicked",
            "127.0.0.1",
            "postgres",
            "sandbox",
            "src/",
        ] {
            assert!(!reply.text.contains(inside), "{inside}: {reply}");
        }
    }
}

async fn f123_a_recipients_balance_is_not_shown(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.rich(7_654_321, "GNF").await);
    for operation in ["preview", "transfer"] {
        let ask = json!({ "operation": operation, "amount": 1_000, "recipient_id": binta.id });
        let reply = fatou.call("wallet-operations", ask).await;
        reply.ok(200);
        for secret in ["recipient_new_balance", "7654321", "7655321", &binta.email, "phone", "Camara"] {
            assert!(!reply.text.contains(secret), "{secret}: {reply}");
        }
    }
}

async fn f124_no_answer_tells_who_exists(w: &'static World) {
    let (fatou, gone) = (w.rich(50_000, "GNF").await, w.person().await);
    w.exec("update people.profiles set deleted_at = now() where id = $1", &[&gone.id]).await;
    let nobody = keys::random_uuid().to_string();
    let mut answers = Vec::new();
    for id in [nobody.as_str(), &gone.id.to_string(), "USR9999999", "ABCDEF012345", &gone.email, "+224620000001"] {
        let reply = fatou
            .call("wallet-operations", json!({ "operation": "transfer", "amount": 1_000, "recipient_id": id }))
            .await;
        let mut body = reply.refused(404, "RECIPIENT_NOT_FOUND").clone();
        body["request_id"] = Value::Null;
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answers differ: {answers:?}");
    assert_eq!((fatou.gnf().await, gone.moves().await), (50_000, 0));
}

async fn f131_every_function_runs_against_the_migrated_schema(w: &'static World) {
    let scene = w.scene().await;
    for function in house::functions().expect("the list of functions") {
        for name in function.names().filter(|name| *name != "gateway") {
            for body in
                [json!({}), json!({ "operation": "preview", "amount": 1_000, "status": "completed", "reason": "x" })]
            {
                let call = w.function(name).json(&body);
                let reply = match function.auth {
                    Auth::Cron => call.header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]).send().await,
                    Auth::User => call.bearer(&scene.driver.token).send().await,
                    Auth::Public | Auth::Webhook => call.send().await,
                };
                assert!(reply.status < 500, "the code and the schema disagree: {reply}");
                assert!(reply.status < 400 || !reply.code().starts_with("PGRST"), "{reply}");
            }
        }
    }
}

async fn f140_a_profile_has_the_id_of_its_user(w: &'static World) {
    let fatou = w.person().await;
    let profile = w.rest(Method::GET, "profiles?select=id", &fatou.token).send().await;
    assert_eq!(*profile.ok(200), json!([{ "id": fatou.id }]));
    let orphan = "insert into people.profiles (id) values (gen_random_uuid())";
    let refused =
        w.connect().await.expect("Postgres answers").execute(orphan, &[]).await.expect_err("a profile of nobody");
    assert_eq!(refused.code().map(|code| code.code()), Some("23503"));
    let default = "select column_default is null from information_schema.columns
        where table_schema = 'people' and table_name = 'profiles' and column_name = 'id'";
    assert!(w.one::<bool>(default, &[]).await, "an id of its own could differ");
}

async fn f141_a_cursor_includes_the_id(w: &'static World) {
    let scene = w.scene().await;
    let mut rides = Vec::new();
    for _ in 0..4 {
        rides.push(scene.completed().await);
    }
    // The same instant for all: time alone would skip some, or show them twice.
    let sql = "update taxi.trips set requested_at = '2026-01-01T00:00:00Z' where id::text = any ($1)";
    w.exec(sql, &[&rides]).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    while seen.len() < 10 {
        let path = format!("taxi_trips?select=id,requested_at&order=requested_at.desc,id.desc&limit=1{cursor}");
        let page = w.rest(Method::GET, &path, &scene.rider.token).send().await;
        let Some(id) = page.ok(200)[0]["id"].as_str().map(str::to_owned) else { break };
        let at = page.body[0]["requested_at"].as_str().expect("a time").replace('+', "%2B");
        cursor = format!("&or=(requested_at.lt.{at},and(requested_at.eq.{at},id.lt.{id}))");
        seen.push(id);
    }
    rides.sort();
    seen.sort();
    assert_eq!(seen, rides);
}

async fn f148_money_and_rides_are_tested_on_a_real_postgres(w: &'static World) {
    let version: i32 = w.one("select current_setting('server_version_num')::int", &[]).await;
    assert!(version >= 150_000, "{version}");
    // What this suite reads in SQL is what the functions write over HTTP.
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.person().await);
    let reply = fatou.send(&binta, 1_000, "GNF").await;
    let tx = reply.ok(200)["transaction_id"].as_str().expect("an id");
    let kept: bool = w.one("select exists (select from ledger.transactions where id::text = $1)", &[&tx]).await;
    assert!(kept, "{reply}");
}
