//! Asking for money: what a checkout costs, who may open one, and what a browser's word is worth.

use serde_json::json;

use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    a_checkout_carries_what_the_provider_needs_and_no_more,
    the_amount_of_a_deposit_is_bounded_and_everything_elses_is_ours,
    a_ride_is_priced_by_its_row,
    a_plan_is_priced_by_its_code_and_opened_once,
    an_open_checkout_is_returned_again,
    a_checkout_without_purpose_or_customer_is_refused,
    return_addresses_are_https_and_allowed,
    old_envelopes_are_understood_and_refund_nothing,
    a_card_number_is_refused_and_not_logged,
    verify_asks_at_most_every_five_seconds,
    verify_answers_with_the_stored_status_when_the_provider_is_down,
    methods_are_listed_for_the_currency_and_remembered,
    a_provider_that_refuses_leaves_a_failed_row,
];

const INIT: &str = "moneroo-initialize-payment";

async fn a_checkout_carries_what_the_provider_needs_and_no_more(w: &'static World) {
    let fatou = w.person().await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "metadata": { "order_id": "42", "tag": "mine" },
                      "return_url": "https://shop.cauris.test/done?x=1" });
    let reply = fatou.call(INIT, ask).await;
    let body = reply.ok(201);
    assert_eq!((&body["amount"], &body["fee"], &body["total"]), (&json!(100_000), &json!(500), &json!(100_500)));
    assert_eq!((&body["status"], &body["currency"]), (&json!("pending"), &json!("GNF")));
    let seen = &w.payments_of(&fatou).await[0];
    assert_eq!((seen["id"].as_str(), &seen["amount"]), (Some(payment_id(body)), &json!(100_500)));
    assert_eq!((&seen["customer"]["first_name"], &seen["methods"]), (&json!("Fatou"), &json!(["orange_gn", "mtn_gn"])));
    assert_eq!(seen["return_url"], "https://shop.cauris.test/done?x=1");
    let all_text = seen["metadata"].as_object().is_some_and(|all| all.values().all(serde_json::Value::is_string));
    assert!(all_text, "metadata values are strings: {seen}");
    assert_ne!(seen["metadata"]["tag"], "mine", "the tag is ours to write");
}

async fn the_amount_of_a_deposit_is_bounded_and_everything_elses_is_ours(w: &'static World) {
    let fatou = w.person().await;
    for (amount, code) in [(99, "AMOUNT_OUT_OF_RANGE"), (50_000_001, "AMOUNT_OUT_OF_RANGE"), (0, "VALIDATION_ERROR")] {
        fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": amount })).await.refused(400, code);
    }
    fatou.call(INIT, json!({ "purpose": "wallet_deposit" })).await.refused(400, "VALIDATION_ERROR");
    let odd = json!({ "purpose": "wallet_deposit", "amount": 100_000, "currency": "ZZZ" });
    let reply = fatou.call(INIT, odd).await;
    assert!(reply.status == 400 || reply.status == 503, "{reply}");
    assert!(w.payments_of(&fatou).await.is_empty(), "the provider was asked");
}

async fn a_ride_is_priced_by_its_row(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride, "amount": price - 1 });
    let refusal = scene.rider.call(INIT, ask).await;
    assert_eq!(refusal.refused(409, "AMOUNT_MISMATCH")["details"]["expected"], price);
    let ask = json!({ "purpose": "ride", "purpose_id": ride, "currency": "XOF" });
    scene.rider.call(INIT, ask).await.refused(409, "CURRENCY_MISMATCH");
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    scene.rival.call(INIT, ask.clone()).await.refused(404, "NOT_FOUND");
    let asked = scene.rider.call(INIT, ask).await;
    assert_eq!((&asked.ok(201)["amount"], &asked.body["fee"]), (&json!(price), &json!(0)));
    w.pays(&asked.body).await;
    w.becomes(payment_id(&asked.body), "success").await;
    let paid: String = w.one("select payment_status from taxi.trips where id::text = $1", &[&ride]).await;
    assert_eq!((paid.as_str(), scene.rider.gnf().await, scene.driver.gnf().await), ("paid", 500_000, 0));
    scene.driven(&ride, "completed").await;
    let share: i64 = w.one("select driver_share from taxi.trips where id::text = $1", &[&ride]).await;
    assert_eq!(scene.driver.gnf().await, share, "distributed once the ride is paid and completed");
    let again = json!({ "purpose": "ride", "purpose_id": ride });
    scene.rider.call(INIT, again).await.refused(409, "ALREADY_PAID");
}

async fn a_plan_is_priced_by_its_code_and_opened_once(w: &'static World) {
    let fatou = w.person().await;
    let test_id = xtask::keys::random_uuid();
    let ask = json!({ "plan_id": "premium_report", "test_id": test_id, "amount": 3_500, "currency": "XAF" });
    let reply = fatou.call("create-payment", ask.clone()).await;
    let body = reply.ok(201);
    assert_eq!((&body["amount"], &body["payment_url"]), (&json!(3_500), &body["checkout_url"]));
    assert!(body["transaction_id"].is_string(), "{body}");
    w.pays(body).await;
    w.becomes(payment_id(body), "success").await;
    let path = "paid_entitlements?select=plan_code,status";
    let own = w.rest(reqwest::Method::GET, path, &fatou.token).send().await;
    assert_eq!(*own.ok(200), json!([{ "plan_code": "premium_report", "status": "active" }]));
    fatou.call("create-payment", ask).await.refused(409, "ALREADY_PAID");
    fatou.call("create-payment", json!({ "plan_id": "free_money" })).await.refused(404, "NOT_FOUND");
}

async fn an_open_checkout_is_returned_again(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    let first = scene.rider.call(INIT, ask.clone()).await;
    let again = scene.rider.call(INIT, ask.clone()).await;
    assert_eq!(again.ok(200)["payment_id"], first.ok(201)["payment_id"]);
    let sql = "update payments.payments set created_at = now() - interval '31 minutes' where provider_payment_id = $1";
    w.exec(sql, &[&payment_id(&first.body)]).await;
    let fresh = scene.rider.call(INIT, ask).await;
    assert_ne!(fresh.ok(201)["payment_id"], first.body["payment_id"]);
    w.pays(&first.body).await;
    w.becomes(payment_id(&first.body), "success").await;
    w.pays(&fresh.body).await;
    let second = w.becomes(payment_id(&fresh.body), "success").await;
    assert_eq!(second["settlement"], "surplus", "paid twice: fulfilled once, the rest is the payer's");
    assert_eq!(scene.rider.gnf().await, 500_000 + scene.price(&ride).await);
}

async fn a_checkout_without_purpose_or_customer_is_refused(w: &'static World) {
    let fatou = w.person().await;
    fatou.call(INIT, json!({ "amount": 100_000 })).await.refused(400, "PURPOSE_REQUIRED");
    fatou.call(INIT, json!({ "purpose": "gift", "amount": 100_000 })).await.refused(400, "VALIDATION_ERROR");
    let legacy = json!({ "amount": 100_000, "metadata": { "wallet_recharge": true } });
    fatou.call(INIT, legacy).await.ok(201);
    w.exec("update people.profiles set first_name = null where id = $1", &[&fatou.id]).await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 200_000 });
    let refusal = fatou.call(INIT, ask.clone()).await;
    assert!(refusal.refused(400, "VALIDATION_ERROR")["details"].to_string().contains("first_name"), "{refusal}");
    let mut named = ask;
    named["customer"] = json!({ "first_name": "Awa" });
    fatou.call(INIT, named).await.ok(201);
}

async fn return_addresses_are_https_and_allowed(w: &'static World) {
    let fatou = w.person().await;
    for bad in
        ["http://app.cauris.test/", "javascript:alert(1)", "//evil.test", "https://", "ftp://app.cauris.test", "x"]
    {
        let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "return_url": bad });
        let reply = fatou.call(INIT, ask).await;
        assert!(reply.is_refusal(400, "VALIDATION_ERROR"), "{bad}: {reply}");
    }
    assert!(w.payments_of(&fatou).await.is_empty());
}

async fn old_envelopes_are_understood_and_refund_nothing(w: &'static World) {
    let fatou = w.person().await;
    let data = json!({ "purpose": "wallet_deposit", "amount": 100_000, "currency": "GNF",
                       "customer_email": "old@people.test", "customer_name": "Mariama Ba Diallo" });
    let made = fatou.call("moneroo", json!({ "action": "create_payment", "data": data })).await;
    assert!(made.status == 200 || made.status == 201, "{made}");
    let id = payment_id(&made.body["data"]).to_owned();
    let seen = w.control(reqwest::Method::GET, &format!("payments/{id}"), json!({})).await;
    assert_eq!(
        (&seen["customer"]["first_name"], &seen["customer"]["last_name"]),
        (&json!("Mariama Ba"), &json!("Diallo"))
    );
    let read = fatou.call("moneroo", json!({ "action": "get_payment", "data": { "payment_id": id } })).await;
    assert!(read.ok(200)["data"].is_object(), "{read}");
    for action in ["refund_payment", "cancel_payment"] {
        let ask = json!({ "action": action, "data": { "payment_id": id } });
        fatou.call("moneroo", ask).await.refused(403, "FORBIDDEN");
    }
    let seen = w.control(reqwest::Method::GET, &format!("payments/{id}"), json!({})).await;
    assert_eq!(seen["status"], "initiated", "cancelled after all");
}

async fn a_card_number_is_refused_and_not_logged(w: &'static World) {
    let fatou = w.person().await;
    for field in ["card_number", "cardNumber", "cvv", "cvc"] {
        let mut ask = json!({ "purpose": "wallet_deposit", "amount": 100_000 });
        ask[field] = json!("4242424242424242");
        let reply = fatou.call(INIT, ask).await;
        reply.refused(400, "CARD_DATA_REFUSED");
        assert!(!reply.text.contains("4242"), "{reply}");
    }
    assert!(w.payments_of(&fatou).await.is_empty());
    let world = w.stack.lock().await;
    let logs = world.as_ref().expect("running").data_dir().join("logs");
    for log in std::fs::read_dir(logs).expect("logs").flatten().filter(|log| log.path().is_file()) {
        let text = std::fs::read_to_string(log.path()).unwrap_or_default();
        assert!(!text.contains("4242424242424242"), "{} has a card number", log.path().display());
    }
}

async fn verify_asks_at_most_every_five_seconds(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    let asked = fatou.deposit(50_000).await;
    let id = payment_id(&asked);
    let ask = json!({ "payment_id": id });
    let before = w.times_asked("verify", id).await;
    for _ in 0..5 {
        let reply = fatou.call("moneroo-verify-payment", ask.clone()).await;
        assert_eq!(reply.ok(200)["payment"]["status"], "pending");
    }
    let after = w.times_asked("verify", id).await;
    assert!(after <= before + 2, "five calls asked the provider {} times", after - before);
    binta.call("moneroo-verify-payment", ask).await.refused(404, "NOT_FOUND");
    w.pays_quietly(&asked).await;
    w.exec("update payments.payments set asked_at = null where provider_payment_id = $1", &[&id]).await;
    let by_query = w.request(reqwest::Method::GET, &format!("/functions/v1/moneroo-verify-payment?payment_id={id}"));
    let reply = by_query.bearer(&fatou.token).send().await;
    let payment = &reply.ok(200)["payment"];
    assert_eq!((&payment["status"], &payment["settlement"]), (&json!("success"), &json!("settled")));
    assert_eq!(fatou.gnf().await, 50_000);
    let calls = w.times_asked("verify", id).await;
    fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await.ok(200);
    assert_eq!(w.times_asked("verify", id).await, calls, "a final payment is answered from the database");
}

async fn verify_answers_with_the_stored_status_when_the_provider_is_down(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(50_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    for fault in
        [json!({ "fault": "error", "status": 500 }), json!({ "fault": "rate_limited" }), json!({ "fault": "garbage" })]
    {
        let mut fault = fault;
        (fault["on"], fault["payment_id"], fault["times"]) = (json!("verify"), json!(id), json!(1));
        w.fault(fault.clone()).await;
        w.exec("update payments.payments set asked_at = null where provider_payment_id = $1", &[&id]).await;
        let reply = fatou.call("moneroo-verify-payment", json!({ "payment_id": id })).await;
        assert_eq!(
            (&reply.ok(200)["stale"], &reply.body["payment"]["status"]),
            (&json!(true), &json!("pending")),
            "{fault}"
        );
    }
    assert_eq!(fatou.gnf().await, 0);
    w.sweeps(id).await;
    assert_eq!(fatou.gnf().await, 50_000);
}

async fn methods_are_listed_for_the_currency_and_remembered(w: &'static World) {
    let fatou = w.person().await;
    let reply = fatou.call("moneroo-get-payment-methods", json!({})).await;
    let codes = |list: &serde_json::Value| {
        list.as_array().into_iter().flatten().map(|one| one["code"].to_string()).collect::<Vec<_>>()
    };
    let body = reply.ok(200);
    let (mut own, all) = (codes(&body["methods"]), codes(&body["all_methods"]));
    own.sort();
    assert_eq!(own, ["\"mtn_gn\"", "\"orange_gn\""], "{body}");
    assert!(all.len() > own.len(), "{body}");
    for method in body["methods"].as_array().expect("a list") {
        assert!(
            method["name"].is_string() && method["currency"].is_string() && method["countries"].is_array(),
            "{method}"
        );
    }
    w.fault(json!({ "on": "methods", "fault": "error", "times": 1 })).await;
    let again = fatou.call("moneroo-get-payment-methods", json!({ "currency": "XOF", "country": "SN" })).await;
    assert!(!codes(&again.ok(200)["methods"]).is_empty(), "the last copy serves while the provider is down: {again}");
}

async fn a_provider_that_refuses_leaves_a_failed_row(w: &'static World) {
    let fatou = w.person().await;
    let fault = json!({ "on": "initialize", "fault": "error", "status": 422, "email": fatou.email, "times": 1 });
    w.fault(fault).await;
    let reply = fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await;
    reply.refused(502, "PROVIDER_ERROR");
    let sql = "select array_agg(status) from payments.payments where user_id = $1";
    assert_eq!(w.one::<Vec<String>>(sql, &[&fatou.id]).await, ["failed"]);
    fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await.ok(201);
}
