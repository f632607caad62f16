//! Known faults, section A of contracts/faults.md, continued: what a provider's word may do.

use serde_json::{Value, json};

use crate::sandbox::{event, payment_id};
use crate::world::{World, bare_world};

crate::tests![
    f05_a_missing_signature_is_a_refusal,
    f25_a_missing_secret_closes_the_webhook,
    f26_events_have_the_names_that_the_provider_sends,
    f27_a_failure_behind_the_webhook_leaves_the_event_to_be_retried,
    f28_a_replay_credits_nothing_at_any_distance,
    f29_amount_and_currency_come_from_our_query,
    f30_one_franc_less_or_more_is_not_equal,
    f31_success_never_goes_back,
    f32_money_that_comes_after_a_failure_is_kept,
    f33_no_checkout_is_answered_without_id_url_and_row,
    f34_only_a_deposit_carries_an_amount,
    f35_statuses_are_one_list_in_code_and_schema,
    f36_a_payment_whose_answer_was_lost_is_adopted,
    f39_without_a_provider_key_nothing_is_simulated,
];

const INIT: &str = "moneroo-initialize-payment";

async fn f05_a_missing_signature_is_a_refusal(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF");
    assert_eq!(w.delivers(json!({ "body": body, "signature": null })).await, [403]);
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await), (0, 0));
    assert_eq!(w.row(id).await["status"], "pending");
}

async fn f25_a_missing_secret_closes_the_webhook(_: &'static World) {
    let bare = bare_world().await;
    let body = event("payment.success", "a1b2c3d4e5f6", 100_500, "GNF").to_string();
    for signature in ["", &sandbox::sign("", body.as_bytes()), &sandbox::sign("whsec_cauris_dev", body.as_bytes())] {
        let call = bare.function("moneroo-webhook").header("x-moneroo-signature", signature);
        call.raw(body.clone()).send().await.refused(503, "NOT_CONFIGURED");
    }
    bare.function("moneroo-webhook").raw(body).send().await.refused(503, "NOT_CONFIGURED");
    assert_eq!(bare.one::<i64>("select count(*) from payments.payment_events", &[]).await, 0);
    // Nor does a missing internal key let everybody be the clock.
    for key in ["", "undefined", "null"] {
        for cron in ["retry-failed-transactions", "taxi-dispatch-tick"] {
            let reply = bare.function(cron).header("x-internal-api-key", key).json(&json!({})).send().await;
            assert!(matches!(reply.status, 401 | 503), "{cron} with key {key:?}: {reply}");
        }
    }
}

async fn f26_events_have_the_names_that_the_provider_sends(w: &'static World) {
    for (order, kind, status) in [
        ("pay", "payment.success", "success"),
        ("fail", "payment.failed", "failed"),
        ("cancel", "payment.cancelled", "cancelled"),
    ] {
        let fatou = w.person().await;
        let asked = fatou.deposit(100_000).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/{order}"), json!({ "wait": true })).await;
        w.becomes(id, status).await;
        assert_eq!(w.events(id, kind).await, 1, "{kind}");
        assert_eq!(fatou.gnf().await, if status == "success" { 100_000 } else { 0 });
    }
    // As recorded: PHP's escapes, a customer, no event id, no time.
    let id = format!("rec{}", xtask::keys::random_uuid().simple());
    let recorded = format!(
        r#"{{"event":"payment.initiated","data":{{"id":"{id}","amount":200,"currency":"XOF","status":"initiated","customer":{{"id":"4ld0q4ehnd6t","email":"test@x.com","first_name":"Jos\u00e9","last_name":"D\/o","phone":null}}}}}}"#
    );
    assert_eq!(w.delivers(json!({ "body": recorded })).await, [200]);
    assert_eq!(w.events(&id, "payment.initiated").await, 1);
    assert!(!w.alerted("unknown_event", &id).await, "a name of the provider's list is no surprise");
    assert_eq!(w.delivers(json!({ "body": event("payment.completed", &id, 1, "GNF") })).await, [200]);
    assert!(w.alerted("unknown_event", &id).await, "a name that is not on it is reported");
}

async fn f27_a_failure_behind_the_webhook_leaves_the_event_to_be_retried(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF");
    let condition = format!("new.provider_payment_id = '{id}'");
    let statuses =
        w.sabotaged("payments.payment_events", &condition, async || w.delivers(json!({ "body": body })).await).await;
    assert_eq!(statuses, [500], "not stored, so not received");
    let condition = format!("new.provider_payment_id = '{id}' and new.status = 'success'");
    w.sabotaged("payments.payments", &condition, async || {
        assert_eq!(w.delivers(json!({ "body": body })).await, [200], "stored");
        w.eventually("we asked back", async || (w.times_asked("verify", id).await > 0).then_some(())).await;
        w.sweeps(id).await;
        assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
    })
    .await;
    let open = "select count(*) from payments.payment_events
        where provider_payment_id = $1 and event = 'payment.success' and processed_at is null";
    assert_eq!(w.one::<i64>(open, &[&id]).await, 1, "the event is gone, and with it the money");
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, w.one::<i64>(open, &[&id]).await), (100_000, 0));
}

async fn f28_a_replay_credits_nothing_at_any_distance(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays(&asked).await;
    w.becomes(id, "success").await;
    let body = event("payment.success", id, 100_500, "GNF");
    assert_eq!(w.delivers(json!({ "body": body, "times": 3 })).await, [200, 200, 200]);
    // A year later the inbox was pruned; even its keys may be gone, and still the payment is settled once.
    w.exec("delete from payments.payment_events where provider_payment_id = $1", &[&id]).await;
    assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    w.exec("delete from payments.event_keys where dedupe_key like '%' || $1 || '%'", &[&id]).await;
    assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    w.sweeps(id).await;
    let claim = json!({ "operation": "deposit", "payment_id": id });
    fatou.call("wallet-operations", claim).await.ok(200);
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn f29_amount_and_currency_come_from_our_query(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let mut body = event("payment.success", id, 9_000_000, "USD");
    body["data"]["metadata"] = json!({ "user_id": binta.id, "order_id": binta.id, "amount": "9000000" });
    body["data"]["customer"] = json!({ "email": binta.email });
    assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.balance("USD").await, binta.moves().await), (100_000, 0, 0));
}

async fn f30_one_franc_less_or_more_is_not_equal(w: &'static World) {
    for (verified, settlement, credited) in
        [(100_499, "underpaid", 0), (100_500, "settled", 100_000), (100_501, "overpaid", 100_001), (1, "underpaid", 0)]
    {
        let fatou = w.person().await;
        let asked = fatou.deposit(100_000).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/answer"), json!({ "amount": verified })).await;
        w.pays(&asked).await;
        let row = w.becomes(id, "success").await;
        assert_eq!((&row["settlement"], fatou.gnf().await), (&json!(settlement), credited), "{verified}");
    }
}

async fn f31_success_never_goes_back(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays(&asked).await;
    w.becomes(id, "success").await;
    for order in ["fail", "cancel", "pending"] {
        w.order(&format!("payments/{id}/{order}"), json!({ "force": true, "wait": true })).await;
        w.sweeps(id).await;
        fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await.ok(200);
        assert_eq!((w.row(id).await["status"].as_str(), fatou.gnf().await), (Some("success"), 100_000), "{order}");
    }
}

async fn f32_money_that_comes_after_a_failure_is_kept(w: &'static World) {
    for (first, hand) in [("fail", json!({ "wait": true })), ("cancel", json!({ "wait": true, "force": true }))] {
        let fatou = w.person().await;
        let asked = fatou.deposit(100_000).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/{first}"), hand).await;
        w.eventually("it is over", async || (w.row(id).await["status"] != "pending").then_some(())).await;
        w.order(&format!("payments/{id}/pay"), json!({ "wait": true, "force": true })).await;
        let row = w.becomes(id, "success").await;
        assert_eq!((&row["settlement"], fatou.gnf().await), (&json!("settled"), 100_000), "{first}");
        let own = row["id"].as_str().expect("an id");
        assert!(w.alerted("late_success", own).await);
    }
}

async fn f33_no_checkout_is_answered_without_id_url_and_row(w: &'static World) {
    let fatou = w.person().await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000 });
    w.fault(json!({ "on": "initialize", "fault": "garbage", "email": fatou.email, "times": 1 })).await;
    w.fault(json!({ "on": "webhook", "fault": "drop", "event": "payment.initiated", "email": fatou.email })).await;
    let reply = fatou.call(INIT, ask.clone()).await;
    assert!(matches!((reply.status, reply.code()), (502, "PROVIDER_ERROR") | (504, "PROVIDER_TIMEOUT")), "{reply}");
    let sql = "select status from payments.payments where user_id = $1 and provider_payment_id is null";
    let left: Vec<String> = w.all(sql, &[&fatou.id]).await;
    assert!(left == ["unknown"] || left == ["failed"], "{left:?}");
    let before = w.payments_of(&fatou).await.len();
    let condition = format!("new.user_id = '{}'", fatou.id);
    let reply = w.sabotaged("payments.payments", &condition, async || fatou.call(INIT, ask.clone()).await).await;
    reply.refused(500, "INTERNAL");
    assert_eq!(w.payments_of(&fatou).await.len(), before, "without a row the provider is not called");
    fatou.call(INIT, ask).await.ok(201);
}

async fn f34_only_a_deposit_carries_an_amount(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    for amount in [1, price - 1, price + 1] {
        let ask = json!({ "purpose": "ride", "purpose_id": ride, "amount": amount });
        scene.rider.call(INIT, ask).await.refused(409, "AMOUNT_MISMATCH");
    }
    let plan = json!({ "plan_id": "premium_subscription", "amount": 1 });
    scene.rider.call("create-payment", plan).await.refused(409, "AMOUNT_MISMATCH");
    assert!(w.payments_of(&scene.rider).await.is_empty());
    let ask = json!({ "purpose": "ride", "purpose_id": ride, "price_total": 1, "total": 1, "fee": -500 });
    assert_eq!(scene.rider.call(INIT, ask).await.ok(201)["amount"], price);
    assert_eq!(w.payments_of(&scene.rider).await[0]["amount"], price);
}

async fn f35_statuses_are_one_list_in_code_and_schema(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    let client = w.connect().await.expect("Postgres answers");
    for status in ["paid", "completed", "SUCCESS", "", "initiated"] {
        let sql = "update payments.payments set status = $1 where provider_payment_id = $2";
        let refused = client.execute(sql, &[&status, &id]).await.expect_err("a status that nobody knows");
        assert_eq!(refused.code().map(|code| code.code()), Some("23514"), "{status}");
    }
    for status in ["expired", "cancelled", "pending"] {
        let sql = "update payments.payments set status = $1, asked_at = now() where provider_payment_id = $2";
        client.execute(sql, &[&status, &id]).await.expect("a status of the contract");
        let reply = fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await;
        assert_eq!(reply.ok(200)["payment"]["status"], status, "the code reads every status that the schema has");
    }
}

async fn f36_a_payment_whose_answer_was_lost_is_adopted(w: &'static World) {
    let fatou = w.person().await;
    w.fault(json!({ "on": "initialize", "fault": "error", "when": "after", "status": 500, "email": fatou.email, "times": 1 })).await;
    let reply = fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await;
    assert!(matches!(reply.status, 502 | 504), "{reply}");
    let made = w.payments_of(&fatou).await.pop().expect("the provider has made it");
    w.pays(&made).await;
    let status = "select status from payments.payments where user_id = $1";
    let seen: String = w.one(status, &[&fatou.id]).await;
    if seen != "failed" {
        w.becomes(payment_id(&made), "success").await;
        assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
    }
    assert_ne!(seen, "failed", "a 500 may have charged: it is unknown until the provider says otherwise");
}

async fn f39_without_a_provider_key_nothing_is_simulated(_: &'static World) {
    let bare = bare_world().await;
    let fatou = bare.person().await;
    for (name, ask) in [
        (INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })),
        ("wallet-operations", json!({ "operation": "deposit", "amount": 100_000 })),
        ("moneroo-get-payment-methods", json!({})),
    ] {
        let reply = fatou.call(name, ask).await;
        assert!(reply.is_refusal(503, "NOT_CONFIGURED"), "{reply}");
        reply.refused(503, "NOT_CONFIGURED");
    }
    let rows: Vec<Value> =
        bare.all("select to_jsonb(p) from payments.payments p where status in ('success', 'pending')", &[]).await;
    assert_eq!((rows, fatou.gnf().await), (Vec::new(), 0));
    assert!(bare.payments_of(&fatou).await.is_empty());
}
