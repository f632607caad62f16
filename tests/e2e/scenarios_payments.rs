//! Scenarios of money.md, section 6: what may go wrong between a payer, his provider and us, and where the money ends.

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::sandbox::payment_id;
use crate::sweeper::{lost_answer, status_of_first};
use crate::webhook_money::legs;
use crate::world::World;

crate::tests![
    p7_a_crash_after_the_providers_answer_pays_one_ride_and_one_surplus,
    p9_a_time_out_at_the_provider_is_unknown_and_adopted_by_its_tag,
    p10_an_amount_that_is_lower_goes_to_suspense,
    p11_an_amount_that_is_higher_is_fulfilled_and_the_rest_is_the_payers,
    p12_a_payment_of_somebody_else_with_our_metadata_credits_nobody,
    p13_an_id_at_another_providers_door_or_in_another_payers_hand_has_no_effect,
    p14_a_success_of_another_environment_is_ignored_and_alerts,
    p15_a_success_after_a_failure_is_paid_once,
    p15_a_success_after_the_ride_was_cancelled_is_surplus,
    p18_a_payment_without_any_webhook_is_settled_by_the_sweep,
    p18_the_sweep_stays_within_the_providers_minute,
    p19_the_return_page_credits_nothing,
    p23_a_request_that_exists_already_is_polled_and_not_failed,
];

const INIT: &str = "moneroo-initialize-payment";

/// A deposit of 100 000, in francs of Guinea unless `more` says otherwise.
async fn deposit_by(payer: &Person, provider: &str, more: Value) -> Value {
    let mut ask = json!({ "purpose": "wallet_deposit", "provider": provider, "amount": 100_000 });
    ask.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    payer.call(INIT, ask).await.ok(201).clone()
}

async fn p7_a_crash_after_the_providers_answer_pays_one_ride_and_one_surplus(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride, "idempotency_key": "tapped-before-the-crash" });
    let stored = format!("new.user_id = '{}' and new.attached_at is not null", scene.rider.id);
    let begin = async || scene.rider.call(INIT, ask.clone()).await;
    w.sabotaged("payments.payments", &stored, begin).await.refused(500, "INTERNAL");
    let lost = w.payments_of(&scene.rider).await.pop().expect("the provider has it");
    assert_eq!(status_of_first(w, &scene.rider).await, "initiating");
    // At once it may still be on its way; after its time it may exist, and the same key begins a safe new attempt.
    begin().await.refused(409, "IDEMPOTENCY_IN_PROGRESS");
    let late = "update payments.payments set created_at = created_at - interval '61 seconds' where user_id = $1";
    w.exec(late, &[&scene.rider.id]).await;
    let second = begin().await.ok(201).clone();
    assert_ne!(second["payment_id"], lost["id"]);
    assert_eq!(
        (status_of_first(w, &scene.rider).await.as_str(), w.payments_of(&scene.rider).await.len()),
        ("unknown", 2)
    );
    let settlement = async |paid: &Value| {
        w.pays(paid).await;
        w.becomes(payment_id(paid), "success").await["settlement"].clone()
    };
    assert_eq!((settlement(&lost).await, scene.rider.gnf().await), (json!("settled"), 500_000));
    assert_eq!((settlement(&second).await, scene.rider.gnf().await), (json!("surplus"), 500_000 + price));
    let paid: i64 = w
        .one("select count(*) from taxi.transactions where ride_id::text = $1 and status = 'completed'", &[&ride])
        .await;
    assert_eq!((paid, scene.driver.gnf().await), (1, 0), "one ride, to be shared out when it is over");
}

async fn p9_a_time_out_at_the_provider_is_unknown_and_adopted_by_its_tag(w: &'static World) {
    let fatou = w.person().await;
    let (reply, made) = lost_answer(w, &fatou, "deposit-lost-answer").await;
    reply.refused(504, "PROVIDER_TIMEOUT");
    assert_eq!(status_of_first(w, &fatou).await, "unknown", "it may exist: neither failed nor forgotten");
    let own: String = w.one("select id::text from payments.payments where user_id = $1", &[&fatou.id]).await;
    w.sweeps(&own).await;
    assert_eq!(w.payments_of(&fatou).await.len(), 1, "no blind second charge");
    assert_eq!((status_of_first(w, &fatou).await.as_str(), fatou.moves().await), ("unknown", 0));
    w.pays(&made).await;
    let row = w.becomes(payment_id(&made), "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await, fatou.moves().await), (&json!("settled"), 100_000, 1));
}

async fn p10_an_amount_that_is_lower_goes_to_suspense(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "amount": 100_499 })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], &row["verified_amount"]), (&json!("underpaid"), &json!(100_499)));
    assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
    assert_eq!(legs(w, id).await, json!([["provider_clearing", -100_499, "GNF"], ["suspense", 100_499, "GNF"]]));
    assert!(w.alerted("money_in_suspense", row["id"].as_str().expect("an id")).await, "nobody is told");
}

async fn p11_an_amount_that_is_higher_is_fulfilled_and_the_rest_is_the_payers(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "amount": 100_501 })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await, fatou.moves().await), (&json!("overpaid"), 100_001, 2));
}

async fn p12_a_payment_of_somebody_else_with_our_metadata_credits_nobody(w: &'static World) {
    for provider in ["moneroo", "stripe"] {
        let fatou = w.person().await;
        let asked = deposit_by(&fatou, provider, json!({})).await;
        let (id, row) = (payment_id(&asked), w.row(payment_id(&asked)).await);
        let own = w.control(Method::GET, &format!("payments/{id}"), json!({})).await;
        // The thief has seen all that the provider shows of it, and pays one franc, or as much.
        for amount in [1, 100_500] {
            let mut metadata = own["metadata"].clone();
            (metadata["order_id"], metadata["payment_id"]) = (row["id"].clone(), row["id"].clone());
            let mut foreign = json!({ "amount": amount, "currency": own["currency"], "status": "success",
                                      "metadata": metadata, "notify": true });
            if provider != "moneroo" {
                foreign["provider"] = json!(provider);
            }
            let foreign = w.order("payments", foreign).await;
            w.eventually("the foreign payment is an orphan", async || {
                w.alerted("orphan_payment", payment_id(&foreign)).await.then_some(())
            })
            .await;
        }
        assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0), "{provider}");
        assert_eq!(w.row(id).await["status"], "pending", "and her own payment still waits");
    }
}

/// There is one tenant here: what may not be crossed are providers and payers.
async fn p13_an_id_at_another_providers_door_or_in_another_payers_hand_has_no_effect(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    let asked = deposit_by(&fatou, "flutterwave", json!({ "currency": "XOF" })).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let own = w.row(id).await["id"].as_str().expect("an id").to_owned();
    let nobodys = xtask::keys::random_uuid().to_string();
    let charge =
        |id: &str| json!({ "event": "charge.success", "data": { "id": 7, "reference": id, "status": "success" } });
    let moneroo = |id: &str| crate::sandbox::event("payment.success", id, 100_500, "XOF");
    // Genuinely signed by the provider whose door it is, which has never heard of it.
    for (provider, of) in [("paystack", &charge as &dyn Fn(&str) -> Value), ("moneroo", &moneroo)] {
        let told = async |id: &str| {
            let sent = w.order("webhooks/deliver", json!({ "provider": provider, "body": of(id) })).await;
            sent["deliveries"][0]["answer"].clone()
        };
        assert_eq!(told(id).await, told(&nobodys).await, "the answer tells whether it exists");
        let looked = format!("requests?provider={provider}&on=verify&id={id}");
        let asked = async || w.control(Method::GET, &looked, json!({})).await[0]["status"].as_u64();
        w.eventually("that provider is asked", asked).await;
    }
    assert_eq!((fatou.moves().await, w.row(id).await["status"].as_str()), (0, Some("pending")));
    let hers = |reply: crate::call::Reply| (reply.status, reply.body["code"].clone(), reply.body["message"].clone());
    for (name, field, more) in [
        ("moneroo-verify-payment", "payment_id", json!({})),
        ("wallet-operations", "payment_id", json!({ "operation": "deposit" })),
        ("card-payment", "transaction_id", json!({})),
    ] {
        let ask = |id: &str| {
            let mut ask = more.clone();
            ask[field] = json!(id);
            binta.call(name, ask)
        };
        let unknown = ask(&nobodys).await;
        unknown.refused(404, "NOT_FOUND");
        for known in [id, own.as_str()] {
            assert_eq!(hers(ask(known).await), hers(unknown.clone()), "{name}");
        }
    }
    assert_eq!((fatou.moves().await, binta.moves().await, w.row(id).await["status"].as_str()), (0, 0, Some("pending")));
    fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await.ok(200);
    assert_eq!(fatou.balance("XOF").await, 100_000, "and it was there to be had, by its own payer at its own provider");
}

async fn p14_a_success_of_another_environment_is_ignored_and_alerts(w: &'static World) {
    for (provider, currency, live) in [
        ("moneroo", "GNF", json!({ "environment": "live" })),
        ("stripe", "GNF", json!({ "livemode": true })),
        ("paystack", "XOF", json!({ "domain": "live" })),
        ("paydunya", "XOF", json!({ "mode": "live" })),
    ] {
        let fatou = w.person().await;
        let asked = deposit_by(&fatou, provider, json!({ "currency": currency })).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/answer"), live).await;
        w.pays(&asked).await;
        let own = w.row(id).await["id"].as_str().expect("an id").to_owned();
        let what = format!("{provider}: it is reported");
        w.eventually(&what, async || w.alerted("wrong_environment", &own).await.then_some(())).await;
        assert_eq!((fatou.moves().await, w.row(id).await["status"].as_str()), (0, Some("pending")), "{provider}");
    }
}

async fn p15_a_success_after_a_failure_is_paid_once(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/fail"), json!({ "wait": true })).await;
    w.becomes(id, "failed").await;
    assert_eq!(fatou.moves().await, 0);
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await, fatou.moves().await), (&json!("settled"), 100_000, 1));
}

async fn p15_a_success_after_the_ride_was_cancelled_is_surplus(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    let asked = scene.rider.call(INIT, ask).await.ok(201).clone();
    let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "too slow" });
    scene.rider.call("taxi-update-ride-status", cancel).await.ok(200);
    w.pays(&asked).await;
    let row = w.becomes(payment_id(&asked), "success").await;
    assert_eq!((&row["settlement"], scene.rider.gnf().await), (&json!("surplus"), 500_000 + price));
    assert_eq!(scene.driver.gnf().await, 0);
}

async fn p18_a_payment_without_any_webhook_is_settled_by_the_sweep(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.fault(json!({ "on": "webhook", "fault": "drop", "payment_id": id })).await;
    w.pays(&asked).await;
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await), (0, 0));
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn p18_the_sweep_stays_within_the_providers_minute(w: &'static World) {
    let reply = w.tick("retry-failed-transactions").await;
    for count in ["processed", "successful", "failed"] {
        assert!(reply.ok(200)[count].is_u64(), "{count}: {reply}");
    }
    // Of a provider that nobody else asks, in a transaction that nobody else sees.
    let client = w.connect().await.expect("Postgres answers");
    let setup = "begin; insert into payments.providers (name, own_reference) values ('nobody', true);
        insert into payments.payments (provider, provider_payment_id, purpose, amount_due, credit_amount, currency,
            status, next_check_at, fingerprint, description)
        select 'nobody', n::text, 'wallet_deposit', 1, 1, 'GNF', 'pending', now(), '', ''
          from generate_series(1, 200) n";
    client.batch_execute(setup).await.expect("set up");
    let usual: i32 = client
        .query_one("select min(calls_per_minute) from payments.providers where name = 'nobody'", &[])
        .await
        .expect("a row")
        .get(0);
    let mut asked = Vec::new();
    for _ in 0..3 {
        let sql = "select jsonb_array_length(payments.sweep('{\"providers\": [\"nobody\"]}') -> 'payments')";
        asked.push(client.query_one(sql, &[]).await.expect("swept").get::<_, i32>(0));
    }
    client.batch_execute("rollback").await.expect("rolled back");
    assert_eq!((usual, asked), (60, vec![60, 0, 0]), "half of what the provider allows, and no more this minute");
}

async fn p19_the_return_page_credits_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(50_000).await;
    let id = payment_id(&asked);
    for path in [
        format!("/functions/v1/moneroo-verify-payment?payment_id={id}&paymentStatus=success&status=success"),
        format!("/functions/v1/moneroo-webhook?paymentId={id}&paymentStatus=success"),
    ] {
        w.request(Method::GET, &path).bearer(&fatou.token).send().await;
    }
    let claim = json!({ "operation": "deposit", "payment_id": id, "status": "success", "paymentStatus": "success" });
    assert_eq!(fatou.call("wallet-operations", claim).await.ok(202)["status"], "pending");
    assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
}

async fn p23_a_request_that_exists_already_is_polled_and_not_failed(w: &'static World) {
    let fatou = w.person().await;
    let phone = format!("2246{:07}1", fatou.id.as_u128() % 10_000_000);
    // It was made; what comes back is the answer to the same request sent twice.
    let twice = json!({ "on": "initialize", "provider": "mtn_momo", "fault": "error", "status": 409, "when": "after",
                        "phone": phone, "times": 1 });
    w.fault(twice).await;
    let asked = deposit_by(&fatou, "mtn_momo", json!({ "phone": phone })).await;
    let id = payment_id(&asked);
    assert_eq!((w.row(id).await["status"].as_str(), asked["status"].as_str()), (Some("pending"), Some("pending")));
    // The callback comes once, and this time not at all.
    w.pays_quietly(&asked).await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.times_asked("initialize", id).await), (100_000, 1, 1));
}
