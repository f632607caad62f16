//! What all rails share: faults, logs, control calls.

use super::*;

const KEY: (&str, &str) = ("authorization", "Bearer sk_test_paystack_cauris");

async fn initialize(world: &World, email: &str) -> (u16, String) {
    let body = json!({ "email": email, "amount": 50_000, "currency": "NGN" });
    let made = world.ask("POST", "/paystack/transaction/initialize", &[KEY], body).await;
    (made.status, made.body["data"]["reference"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_fault_may_be_aimed_at_one_provider_and_at_one_payer() {
    let world = World::new().await;
    world.fault(json!({ "on": "initialize", "fault": "error", "status": 503, "provider": "stripe" })).await;
    assert_eq!(initialize(&world, "a@cauris.test").await.0, 200);
    let aimed =
        json!({ "on": "initialize", "fault": "rate_limited", "provider": "paystack", "email": "b@cauris.test" });
    world.fault(aimed).await;
    assert_eq!(initialize(&world, "a@cauris.test").await.0, 200);
    assert_eq!(initialize(&world, "b@cauris.test").await.0, 429);
    assert_eq!(world.post("/v1/payments/initialize", &super::super::ask()).await.0, 201);
    world.fault(json!({ "on": "initialize", "fault": "garbage" })).await;
    assert_eq!(initialize(&world, "a@cauris.test").await, (200, String::new()));
}

#[tokio::test]
async fn a_hanging_initialize_has_made_the_payment_when_the_caller_gives_up() {
    let world = World::new().await;
    world.fault(json!({ "provider": "stripe", "on": "initialize", "fault": "hang", "ms": 5_000, "times": 1 })).await;
    let url = format!("{}/stripe/v1/payment_intents", world.sandbox.url());
    let form = "amount=100&currency=usd&metadata[intent_id]=ours";
    let request = world.http.post(url).bearer_auth("sk_test_cauris").body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let lost = request.timeout(Duration::from_millis(150)).send().await;
    assert!(lost.expect_err("nobody answers").is_timeout());
    assert_eq!(world.order("GET", "payments/ours", json!({})).await["amount"], 100);
    let asked = world.order("GET", "requests", json!({ "provider": "stripe" })).await;
    assert_eq!(asked[0]["on"], "initialize");
}

#[tokio::test]
async fn requests_and_deliveries_are_logged_by_provider() {
    let world = World::new().await;
    let (_, reference) = initialize(&world, "a@cauris.test").await;
    world.payment().await;
    world.move_payment(&reference, "pay").await;
    let count = |log: &Value| log.as_array().map(Vec::len);
    let asked = world.order("GET", "requests", json!({ "provider": "paystack" })).await;
    assert_eq!((count(&asked), &asked[0]["on"], &asked[0]["status"]), (Some(1), &json!("initialize"), &json!(200)));
    assert_eq!(count(&world.order("GET", "requests", json!({ "provider": "moneroo" })).await), Some(1));
    let sent = world.order("GET", "deliveries", json!({ "provider": "paystack" })).await;
    assert_eq!((count(&sent), &sent[0]["event"]), (Some(1), &json!("charge.success")));
    assert!(sent[0]["signature"].as_str().is_some_and(|signature| signature.len() == 128));
    assert_eq!(count(&world.order("GET", "payments", json!({})).await), Some(2));
    assert_eq!(count(&world.order("GET", "payments", json!({ "provider": "moneroo" })).await), Some(1));
}

#[tokio::test]
async fn a_webhook_is_redelivered_as_the_same_news_and_may_lie() {
    let world = World::new().await;
    let (_, reference) = initialize(&world, "a@cauris.test").await;
    let path = format!("payments/{reference}/redeliver");
    let lie = world.order("POST", &path, json!({ "times": 3, "status": "success" })).await;
    assert_eq!(lie["statuses"], json!([200, 200, 200]));
    let got = world.receiver.wait_for(3).await;
    assert!(got.iter().all(|one| one.event() == "charge.success" && one.body == got[0].body));
    assert_eq!(world.order("GET", &format!("payments/{reference}"), json!({})).await["status"], "initiated");
    let nothing = world.sandbox.control("POST", &path, json!({})).await;
    assert_eq!(nothing.map_err(|problem| problem.status), Err(409), "nothing is announced before it is paid");
}

#[tokio::test]
async fn any_body_is_delivered_with_a_providers_own_signature() {
    let world = World::new().await;
    let order = json!({ "provider": "paystack", "body": { "event": "charge.success" } });
    world.order("POST", "webhooks/deliver", order.clone()).await;
    let mut forged = order;
    forged["secret"] = json!("another");
    world.order("POST", "webhooks/deliver", forged).await;
    let got = world.receiver.wait_for(2).await;
    for (got, secret) in got.iter().zip(["sk_test_paystack_cauris", "another"]) {
        let signed = hmac::<hmac::Hmac<sha2::Sha512>>(secret, &[&got.body]);
        assert_eq!(
            (got.header("x-paystack-signature"), got.uri.query()),
            (&*hex::encode(signed), Some("provider=paystack"))
        );
    }
    let unknown = world.sandbox.control("POST", "webhooks/deliver", json!({ "provider": "cowries", "body": "" })).await;
    assert_eq!(unknown.map_err(|problem| problem.status), Err(422));
}

#[tokio::test]
async fn a_retried_webhook_of_stripe_is_signed_afresh() {
    let world = World::with(|config| config.retry_delay = Duration::from_millis(1_100)).await;
    world.receiver.plan(&[Plan::Status(500)]);
    let foreign =
        json!({ "provider": "stripe", "amount": 100, "currency": "usd", "status": "success", "notify": true });
    world.order("POST", "payments", foreign).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let got = world.receiver.wait_for(2).await;
    assert_eq!(got[0].body, got[1].body);
    assert_ne!(got[0].header("stripe-signature"), got[1].header("stripe-signature"));
}

#[tokio::test]
async fn a_test_says_what_a_provider_answers_field_by_field() {
    let world = World::new().await;
    let (_, reference) = initialize(&world, "a@cauris.test").await;
    world.order("POST", &format!("payments/{reference}/answer"), json!({ "domain": "live", "amount": "5" })).await;
    let path = format!("/paystack/transaction/verify/{reference}");
    let told = world.ask("GET", &path, &[KEY], Value::Null).await.body["data"].clone();
    assert_eq!((&told["domain"], &told["amount"], &told["currency"]), (&json!("live"), &json!("5"), &json!("NGN")));
}

#[tokio::test]
async fn the_development_variables_name_every_provider() {
    let vars = crate::rails::dev_vars("http://sandbox/");
    assert_eq!(vars["STRIPE_URL"], "http://sandbox/stripe");
    assert_eq!(vars["CARD_PAGE_URL"], "http://sandbox/stripe/card");
    assert_eq!(vars["FLUTTERWAVE_V4_LOGIN_URL"], "http://sandbox/flutterwave_v4");
    assert!(vars.values().all(|value| !value.is_empty()));
    assert_eq!(vars.len(), 38);
}
