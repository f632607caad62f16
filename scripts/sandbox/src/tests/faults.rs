//! Faults, each seen from outside.

use super::*;

#[tokio::test]
async fn a_500_before_makes_no_payment_and_a_500_after_makes_one() {
    let world = World::new().await;
    for (when, made) in [("before", 0), ("after", 1)] {
        world.fault(json!({ "on": "initialize", "fault": "error", "when": when, "times": 1 })).await;
        assert_eq!(world.post("/v1/payments/initialize", &ask()).await.0, 500);
        let payments = world.order("GET", "payments", json!({})).await;
        assert_eq!(payments.as_array().map(Vec::len), Some(made), "{when}");
    }
    assert_eq!(world.post("/v1/payments/initialize", &ask()).await.0, 201, "the faults are used up");
}

#[tokio::test]
async fn a_hanging_initialize_has_made_the_payment_when_the_caller_gives_up() {
    let world = World::new().await;
    world
        .fault(json!({ "on": "initialize", "fault": "hang", "ms": 5_000, "email": "awa@cauris.test", "times": 1 }))
        .await;
    let url = format!("{}/v1/payments/initialize", world.sandbox.url());
    let request = world.http.post(url).bearer_auth(KEY).json(&ask()).timeout(Duration::from_millis(150));
    assert!(request.send().await.expect_err("nobody answers").is_timeout());
    let payments = world.order("GET", "payments", json!({ "email": "awa@cauris.test" })).await;
    assert_eq!((payments.as_array().map(Vec::len), &payments[0]["status"]), (Some(1), &json!("initiated")));
    assert_eq!(payments[0]["metadata"]["intent_id"], "1");
}

#[tokio::test]
async fn calls_can_be_answered_429_503_or_with_nonsense() {
    let world = World::new().await;
    let id = world.payment().await;
    let path = format!("/v1/payments/{id}/verify");
    for (fault, expected) in [
        (json!({ "on": "verify", "fault": "rate_limited", "times": 1 }), (429, false)),
        (json!({ "on": "verify", "fault": "error", "status": 503, "times": 1 }), (503, false)),
        (json!({ "on": "verify", "fault": "garbage", "times": 1 }), (200, true)),
    ] {
        world.fault(fault.clone()).await;
        let (status, body) = world.get(&path).await;
        assert_eq!((status, body.is_null()), expected, "{fault}");
    }
    assert_eq!(world.verify(&id).await["status"], "initiated");
}

#[tokio::test]
async fn verify_tells_another_amount_and_currency_than_was_asked() {
    let world = World::new().await;
    let id = world.payment().await;
    world.fault(json!({ "on": "verify", "fault": "amount", "delta": -1, "payment_id": id })).await;
    world.fault(json!({ "on": "verify", "fault": "currency", "currency": "XOF", "payment_id": id })).await;
    let verified = world.verify(&id).await;
    assert_eq!((&verified["amount"], &verified["currency"]["code"]), (&json!(49_999), &json!("XOF")));
    let other = world.verify(&world.payment().await).await;
    assert_eq!((&other["amount"], &other["currency"]["code"]), (&json!(50_000), &json!("GNF")));
    world.order("DELETE", "faults", json!({})).await;
    assert_eq!(world.verify(&id).await["amount"], 50_000);
}

#[tokio::test]
async fn the_amount_of_a_new_payment_can_differ_from_the_one_asked_for() {
    let world = World::new().await;
    world.fault(json!({ "on": "initialize", "fault": "amount", "amount": 1, "times": 1 })).await;
    let id = world.payment().await;
    assert_eq!(world.verify(&id).await["amount"], 1);
}

#[tokio::test]
async fn a_test_says_what_verify_answers_field_by_field() {
    let world = World::new().await;
    let id = world.payment().await;
    let lie = json!({ "status": "disputed", "amount": 50_000.0, "environment": "live", "metadata": {} });
    world.order("POST", &format!("payments/{id}/answer"), lie).await;
    let verified = world.verify(&id).await;
    assert_eq!((&verified["status"], &verified["environment"]), (&json!("disputed"), &json!("live")));
    assert_eq!(verified["amount"].to_string(), "50000.0");
    world.order("POST", &format!("payments/{id}/answer"), json!({})).await;
    assert_eq!(world.verify(&id).await["status"], "initiated");
}

#[tokio::test]
async fn a_webhook_is_duplicated_dropped_or_delayed() {
    let world = World::new().await;
    world.fault(json!({ "on": "webhook", "fault": "duplicate", "copies": 5, "times": 1 })).await;
    world.pay(&world.payment().await).await;
    let got = world.receiver.wait_for(5).await;
    assert!(got.iter().all(|one| one.body == got[0].body && one.is_authentic()));

    world.fault(json!({ "on": "webhook", "fault": "drop", "times": 1 })).await;
    let dropped = world.payment().await;
    world.pay(&dropped).await;
    world.receiver.wait_for(5).await;
    assert_eq!(world.verify(&dropped).await["status"], "success");

    world.fault(json!({ "on": "webhook", "fault": "delay", "ms": 200, "times": 1 })).await;
    world.pay(&world.payment().await).await;
    world.receiver.wait_for(5).await;
    assert_eq!(world.order("POST", "idle", json!({})).await, json!({ "idle": true }));
    world.receiver.wait_for(6).await;
}

#[tokio::test]
async fn held_webhooks_are_released_the_last_first() {
    let world = World::new().await;
    world.fault(json!({ "on": "webhook", "fault": "hold" })).await;
    let id = world.payment().await;
    world.order("POST", &format!("payments/{id}/fail"), json!({})).await;
    world.order("POST", &format!("payments/{id}/pay"), json!({})).await;
    world.receiver.wait_for(0).await;
    let released = world.order("POST", "webhooks/release", json!({})).await;
    assert_eq!(released["statuses"], json!([200, 200]));
    let events: Vec<_> = world.receiver.got().iter().map(Got::event).collect();
    assert_eq!(events, ["payment.success", "payment.failed"]);
}

#[tokio::test]
async fn a_forged_signature_arrives_as_it_was_ordered() {
    let world = World::with(|config| config.max_retries = 0).await;
    for (forgery, length) in
        [("flipped", Some(64)), ("truncated", Some(32)), ("empty", Some(0)), ("missing", None), ("uppercase", Some(64))]
    {
        world.fault(json!({ "on": "webhook", "fault": "bad_signature", "forgery": forgery, "times": 1 })).await;
        world.pay(&world.payment().await).await;
        world.order("POST", "idle", json!({})).await;
        let got = world.receiver.got().pop().expect("a webhook");
        assert!(!got.is_authentic(), "{forgery}");
        assert_eq!(got.signature.map(|signature| signature.len()), length, "{forgery}");
    }
}
