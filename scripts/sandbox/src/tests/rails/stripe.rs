//! Stripe.

use super::*;

const KEY: (&str, &str) = ("authorization", "Bearer sk_test_cauris");
const ASK: &str = "amount=1250&currency=usd&description=Order&payment_method_types[]=card&receipt_email=awa@cauris.test\
                   &metadata[intent_id]=0b5e1d1e-0000-4000-8000-000000000001&metadata[tag]=abc";

async fn create(world: &World) -> String {
    let made = world.ask("POST", "/stripe/v1/payment_intents", &[KEY], json!(ASK)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    made.text("/id")
}

async fn retrieve(world: &World, id: &str) -> Value {
    let path = format!("/stripe/v1/payment_intents/{id}?expand[]=latest_charge.dispute");
    let told = world.ask("GET", &path, &[KEY], Value::Null).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.body
}

fn events(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| got.json()["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn an_intent_is_made_paid_and_announced_with_a_signature_over_time_and_body() {
    let world = World::new().await;
    let made = world.ask("POST", "/stripe/v1/payment_intents", &[KEY], json!(ASK)).await;
    let id = made.text("/id");
    assert!(id.starts_with("pi_") && made.text("/client_secret").starts_with(&format!("{id}_secret_")));
    assert_eq!((made.text("/status").as_str(), &made.body["amount"]), ("requires_payment_method", &json!(1250)));
    assert_eq!((&made.body["livemode"], made.text("/currency").as_str()), (&json!(false), "usd"));

    let page = world.ask("GET", &format!("/stripe/card?payment_intent={id}"), &[], Value::Null).await;
    assert_eq!(page.status, 200, "the card page leads to the buttons");
    world.move_payment(&id, "pay").await;
    let told = retrieve(&world, &id).await;
    assert_eq!((&told["status"], &told["amount_received"]), (&json!("succeeded"), &json!(1250)));
    assert_eq!(
        (&told["latest_charge"]["amount_refunded"], &told["latest_charge"]["dispute"]),
        (&json!(0), &Value::Null)
    );

    let got = world.receiver.wait_for(1).await.remove(0);
    assert_eq!(
        (got.json()["type"].as_str(), got.uri.query()),
        (Some("payment_intent.succeeded"), Some("provider=stripe"))
    );
    assert_eq!(got.json()["data"]["object"]["id"], id);
    let header = got.header("stripe-signature").to_owned();
    let (time, mac) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("t and v1");
    let signed = hmac::<hmac::Hmac<sha2::Sha256>>("whsec_stripe_cauris", &[time.as_bytes(), b".", &got.body]);
    assert_eq!(mac, hex::encode(signed));
}

#[tokio::test]
async fn an_intent_is_found_by_the_merchants_own_id() {
    let world = World::new().await;
    let id = create(&world).await;
    for (wanted, found) in [("0b5e1d1e-0000-4000-8000-000000000001", 1), ("another", 0)] {
        let query = format!("/stripe/v1/payment_intents/search?query=metadata%5B'intent_id'%5D:'{wanted}'");
        let answer = world.ask("GET", &query, &[KEY], Value::Null).await;
        assert_eq!(answer.body["data"].as_array().map(Vec::len), Some(found), "{}", answer.body);
    }
    let shown = world.order("GET", "payments/0b5e1d1e-0000-4000-8000-000000000001", json!({})).await;
    assert_eq!((&shown["id"], &shown["provider"]), (&json!(id), &json!("stripe")));
}

#[tokio::test]
async fn the_same_key_is_the_same_intent_and_with_another_body_it_is_refused() {
    let world = World::new().await;
    let once = [KEY, ("idempotency-key", "k-1")];
    let first = world.ask("POST", "/stripe/v1/payment_intents", &once, json!(ASK)).await;
    let again = world.ask("POST", "/stripe/v1/payment_intents", &once, json!(ASK)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert!(again.headers.contains_key("idempotent-replayed") && !first.headers.contains_key("idempotent-replayed"));
    let other = world.ask("POST", "/stripe/v1/payment_intents", &once, json!(ASK.replace("1250", "1251"))).await;
    assert_eq!((other.status, other.text("/error/type").as_str()), (400, "idempotency_error"));
    assert_eq!(world.order("GET", "payments", json!({})).await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_500_after_the_intent_was_made_is_healed_by_the_key() {
    let world = World::new().await;
    world
        .fault(json!({ "provider": "stripe", "on": "initialize", "fault": "error", "when": "after", "times": 1 }))
        .await;
    let once = [KEY, ("idempotency-key", "k-2")];
    assert_eq!(world.ask("POST", "/stripe/v1/payment_intents", &once, json!(ASK)).await.status, 500);
    assert_eq!(world.ask("POST", "/stripe/v1/payment_intents", &once, json!(ASK)).await.status, 200);
    let made = world.order("GET", "payments", json!({ "provider": "stripe", "email": "awa@cauris.test" })).await;
    assert_eq!(made.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_stripe_would_not_take_is_refused() {
    let world = World::new().await;
    for (from, to, field) in [
        ("amount=1250", "amount=12.50", "amount"),
        ("amount=1250", "amount=0", "amount"),
        ("amount=1250", "amount=100000000", "amount"),
        ("amount=1250&currency=usd", "amount=1250&currency=ugx", "amount"),
        ("currency=usd", "currency=xxx", "currency"),
        ("amount=1250&", "", "amount"),
    ] {
        let refused = world.ask("POST", "/stripe/v1/payment_intents", &[KEY], json!(ASK.replace(from, to))).await;
        assert_eq!((refused.status, refused.text("/error/param").as_str()), (400, field), "{to}");
    }
    let whole = ASK.replace("amount=1250&currency=usd", "amount=1200&currency=ugx");
    assert_eq!(world.ask("POST", "/stripe/v1/payment_intents", &[KEY], json!(whole)).await.status, 200);
    let nobody = [("authorization", "Bearer sk_other")];
    assert_eq!(world.ask("POST", "/stripe/v1/payment_intents", &nobody, json!(ASK)).await.status, 401);
    assert_eq!(world.ask("GET", "/stripe/v1/payment_intents/pi_none", &[KEY], Value::Null).await.status, 404);
    assert_eq!(world.ask("GET", "/stripe/v1/tokens", &[KEY], Value::Null).await.status, 404);
}

#[tokio::test]
async fn refunds_stop_at_what_was_paid_and_are_announced() {
    let world = World::new().await;
    let id = create(&world).await;
    let refund = |amount: u32, key: &'static str| {
        let form = json!(format!("payment_intent={id}&amount={amount}&metadata[intent_id]=r-1"));
        let world = &world;
        async move { world.ask("POST", "/stripe/v1/refunds", &[KEY, ("idempotency-key", key)], form).await }
    };
    assert_eq!(refund(1, "a").await.status, 400, "nothing was paid yet");
    world.move_payment(&id, "pay").await;
    let first = refund(1000, "b").await;
    assert_eq!((first.status, first.text("/status").as_str()), (200, "succeeded"));
    assert_eq!(refund(1000, "b").await.text("/id"), first.text("/id"), "the same key refunds once");
    assert_eq!(refund(251, "c").await.status, 400);
    assert_eq!(refund(250, "d").await.status, 200);
    assert_eq!(refund(1, "e").await.text("/error/code"), "charge_already_refunded");
    let told = retrieve(&world, &id).await;
    assert_eq!((&told["latest_charge"]["amount_refunded"], &told["status"]), (&json!(1250), &json!("succeeded")));
    let asked = world.ask("GET", &format!("/stripe/v1/refunds/{}", first.text("/id")), &[KEY], Value::Null).await;
    assert_eq!((&asked.body["amount"], &asked.body["metadata"]["intent_id"]), (&json!(1000), &json!("r-1")));
    // The two events of a refund overtake each other.
    let mut events = events(&world.receiver.wait_for(5).await);
    events.sort_unstable();
    let (made, charged) = ("refund.created", "charge.refunded");
    assert_eq!(events, [charged, charged, "payment_intent.succeeded", made, made]);
}

#[tokio::test]
async fn a_slow_refund_ends_when_it_is_told_to_and_a_failed_one_gives_the_amount_back() {
    let world = World::new().await;
    world.order("PATCH", "settings", json!({ "slow_refunds": true })).await;
    let id = create(&world).await;
    world.move_payment(&id, "pay").await;
    let form = json!(format!("payment_intent={id}&amount=1250"));
    let refund = world.ask("POST", "/stripe/v1/refunds", &[KEY], form.clone()).await;
    assert_eq!(refund.text("/status"), "pending");
    assert_eq!(world.ask("POST", "/stripe/v1/refunds", &[KEY], form.clone()).await.status, 400);
    world.order("POST", &format!("refunds/{}/fail", refund.text("/id")), json!({})).await;
    let got = world.receiver.wait_for(4).await;
    let ended = got.iter().map(|got| got.json()).find(|event| event["type"] == "refund.updated").expect("it ended");
    assert_eq!(ended["data"]["object"]["status"], "failed");
    assert_eq!(world.ask("POST", "/stripe/v1/refunds", &[KEY], form).await.status, 200);
}

#[tokio::test]
async fn a_refund_in_the_dashboard_and_a_dispute_show_in_the_charge() {
    let world = World::new().await;
    let id = create(&world).await;
    world.move_payment(&id, "pay").await;
    world.order("POST", &format!("payments/{id}/refund"), json!({ "amount": 250, "wait": true })).await;
    let over = world.sandbox.control("POST", &format!("payments/{id}/refund"), json!({ "amount": 1001 })).await;
    assert_eq!(over.map_err(|problem| problem.status), Err(409));
    for (state, status) in [("open", "needs_response"), ("lost", "lost"), ("won", "won")] {
        world.order("POST", &format!("payments/{id}/dispute"), json!({ "state": state, "wait": true })).await;
        let charge = retrieve(&world, &id).await["latest_charge"].clone();
        assert_eq!((&charge["dispute"]["status"], &charge["dispute"]["amount"]), (&json!(status), &json!(1250)));
        assert_eq!(charge["amount_refunded"], 250);
    }
    let got = world.receiver.wait_for(6).await;
    let closed = "charge.dispute.closed";
    assert_eq!(events(&got).split_off(3), ["charge.dispute.created", closed, closed]);
    assert_eq!(got[4].json()["data"]["object"]["payment_intent"], id);
}

#[tokio::test]
async fn a_failed_card_may_be_followed_by_a_good_one() {
    let world = World::new().await;
    let id = create(&world).await;
    world.move_payment(&id, "fail").await;
    assert_eq!(retrieve(&world, &id).await["status"], "requires_payment_method");
    world.move_payment(&id, "pay").await;
    assert_eq!(retrieve(&world, &id).await["status"], "succeeded");
    let got = world.receiver.wait_for(2).await;
    assert_eq!(got[0].json()["type"], "payment_intent.payment_failed");
    assert_ne!(got[0].json()["id"], got[1].json()["id"]);
}
