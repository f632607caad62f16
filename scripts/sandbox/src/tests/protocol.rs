//! What the API answers when nothing is wrong with it.

use super::*;

#[tokio::test]
async fn a_payment_is_initialized_and_told_in_both_documented_shapes() {
    let world = World::new().await;
    let (status, body) = world.post("/v1/payments/initialize", &ask()).await;
    let id = body["data"]["id"].as_str().expect("an id").to_owned();
    assert_eq!((status, &body["errors"]), (201, &Value::Null));
    assert_eq!(body["data"]["checkout_url"], format!("{}/checkout/{id}", world.sandbox.url()));

    let verified = world.verify(&id).await;
    assert_eq!(verified["status"], "initiated");
    assert_eq!(verified["amount"].to_string(), "50000");
    assert_eq!(verified["currency"]["code"], "GNF");
    assert_eq!(verified["environment"], "sandbox");
    assert_eq!(verified["metadata"], json!({ "intent_id": "1" }));
    assert_eq!(verified["customer"]["email"], "awa@cauris.test");
    assert_eq!((&verified["is_processed"], &verified["capture"]), (&json!(false), &Value::Null));

    let (status, retrieved) = world.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((status, &retrieved["data"]["currency"]), (200, &json!("GNF")));
    assert_eq!(retrieved["data"]["amount"].to_string(), "50000.0");
}

#[tokio::test]
async fn a_paid_payment_says_by_which_rail() {
    let world = World::new().await;
    let id = world.payment().await;
    world.order("POST", &format!("payments/{id}/pay"), json!({ "method": "mtn_gn" })).await;
    let verified = world.verify(&id).await;
    assert_eq!(verified["status"], "success");
    assert_eq!(verified["capture"]["method"]["short_code"], "mtn_gn");
    assert_eq!(verified["capture"]["gateway"]["transaction_status"], "COMPLETED");
    assert!(verified["return_url"].as_str().is_some_and(|url| url.contains("paymentStatus=success")));
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_refused_and_nothing_is_made() {
    let world = World::new().await;
    let url = format!("{}/v1/payments/initialize", world.sandbox.url());
    for request in [
        world.http.post(&url).json(&ask()),
        world.http.post(&url).bearer_auth("sk_other").json(&ask()),
        world.http.post(&url).header("authorization", KEY).json(&ask()),
    ] {
        assert_eq!(read(request).await.0, 401);
    }
    assert_eq!(world.order("GET", "payments", json!({})).await, json!([]));
}

#[tokio::test]
async fn every_wrong_field_is_named_in_one_answer_and_nothing_is_made() {
    let world = World::new().await;
    let (status, body) = world.post("/v1/payments/initialize", &json!({})).await;
    assert_eq!(status, 422);
    let fields: Vec<_> = body["errors"].as_object().expect("errors per field").keys().cloned().collect();
    assert_eq!(
        fields,
        [
            "amount",
            "currency",
            "customer.email",
            "customer.first_name",
            "customer.last_name",
            "description",
            "return_url"
        ]
    );
    for (field, value) in [
        ("amount", json!(100.0)),
        ("amount", json!("100")),
        ("currency", json!("XXX")),
        ("methods", json!(["cowries"])),
        ("methods", json!(["mtn_ci"])),
        ("methods", json!("orange_gn")),
        ("metadata", json!({ "order_id": 1 })),
        ("metadata", json!("x")),
        ("restricted_phone", json!({ "number": "622000000" })),
    ] {
        let mut body = ask();
        body[field] = value;
        let (status, answer) = world.post("/v1/payments/initialize", &body).await;
        let complained =
            answer["errors"].as_object().is_some_and(|errors| errors.keys().any(|key| key.starts_with(field)));
        assert!(status == 422 && complained, "{field}: {status} {answer}");
    }
    assert_eq!(world.post("/v1/payments/initialize", &json!([1])).await.0, 400);
    assert_eq!(world.order("GET", "payments", json!({})).await, json!([]));
}

#[tokio::test]
async fn unknown_and_expired_ids_are_not_found() {
    let world = World::new().await;
    let id = world.payment().await;
    assert_eq!(world.get("/v1/payments/nobody/verify").await.0, 404);
    world.order("POST", &format!("payments/{id}/age"), json!({ "days": 89 })).await;
    assert_eq!(world.get(&format!("/v1/payments/{id}/verify")).await.0, 200);
    world.order("POST", &format!("payments/{id}/age"), json!({ "days": 2 })).await;
    assert_eq!(world.get(&format!("/v1/payments/{id}/verify")).await.0, 404);
    assert_eq!(world.get(&format!("/v1/payments/{id}")).await.0, 404);
    assert_eq!(world.get("/v1/charges").await.0, 404);
    assert_eq!(world.post(&format!("/v1/payments/{id}/verify"), &json!({})).await.0, 405);
}

#[tokio::test]
async fn the_request_after_the_limit_is_answered_429_and_makes_nothing() {
    let world = World::with(|config| config.requests_per_minute = 3).await;
    for expected in [201, 201, 201, 429] {
        assert_eq!(world.post("/v1/payments/initialize", &ask()).await.0, expected);
    }
    let made = world.order("GET", "payments", json!({})).await;
    assert_eq!(made.as_array().map(Vec::len), Some(3));
    world.order("PATCH", "settings", json!({ "requests_per_minute": 0 })).await;
    assert_eq!(world.post("/v1/payments/initialize", &ask()).await.0, 201);
}

#[tokio::test]
async fn the_lists_of_methods_need_no_key_and_answer_with_and_without_the_version() {
    let world = World::new().await;
    for (path, guinea) in [
        ("/utils/payment/methods", true),
        ("/v1/utils/payment/methods", true),
        ("/utils/payout/methods", false),
        ("/v1/utils/payout/methods", false),
    ] {
        let (status, body) = read(world.http.get(format!("{}{path}", world.sandbox.url()))).await;
        let items = body["data"].as_array().expect("a list").clone();
        let orange = items.iter().find(|item| item["short_code"] == "orange_gn");
        assert_eq!((status, orange.is_some()), (200, guinea), "{path}");
        if let Some(orange) = orange {
            assert_eq!((&orange["currency"]["code"], &orange["countries"]), (&json!("GNF"), &json!(["GN"])));
        }
        assert!(items.iter().any(|item| item["short_code"] == "wave_sn"), "{path}");
    }
}

fn payout(msisdn: &str) -> Value {
    json!({
        "amount": 1000,
        "currency": "XOF",
        "description": "Refund",
        "customer": { "email": "awa@cauris.test", "first_name": "Awa", "last_name": "Diallo" },
        "method": "wave_sn",
        "recipient": { "msisdn": msisdn },
    })
}

#[tokio::test]
async fn a_payout_ends_as_its_test_number_says() {
    let world = World::new().await;
    for (number, status, events) in
        [("14149518161", "success", 1), ("14149518162", "failed", 2), ("14149518163", "pending", 2)]
    {
        let (code, body) = world.post("/v1/payouts/initialize", &payout(number)).await;
        assert_eq!(code, 201, "{body}");
        let id = body["data"]["id"].as_str().expect("an id").to_owned();
        tokio::time::sleep(Duration::from_millis(120)).await;
        world.receiver.wait_for(events).await;
        let (_, verified) = world.get(&format!("/v1/payouts/{id}/verify")).await;
        assert_eq!(verified["data"]["status"], status);
        assert_eq!(verified["data"]["disburse"]["method"]["short_code"], "wave_sn");
        assert_eq!(world.get(&format!("/v1/payouts/{id}")).await.0, 200);
    }
}

#[tokio::test]
async fn a_payout_that_cannot_be_sent_is_refused_and_not_made() {
    let world = World::new().await;
    let change = |field: &str, value: Value| {
        let mut body = payout("221770000000");
        body[field] = value;
        body
    };
    for body in [
        change("method", json!("orange_gn")),
        change("method", json!("mtn_cm")),
        change("recipient", json!({})),
        change("recipient", json!({ "msisdn": "+221770000000" })),
        change("amount", json!(0)),
    ] {
        assert_eq!(world.post("/v1/payouts/initialize", &body).await.0, 422, "{body}");
    }
    assert_eq!(world.order("GET", "payouts", json!({})).await, json!([]));
}
