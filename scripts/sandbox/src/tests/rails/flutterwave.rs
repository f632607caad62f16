//! Flutterwave v3.

use super::*;

const KEY: (&str, &str) = ("authorization", "Bearer FLWSECK_TEST-cauris");

fn ask() -> Value {
    json!({
        "tx_ref": "ref-1", "amount": 12.5, "currency": "USD", "redirect_url": "https://app.cauris.test/return",
        "customer": { "email": "awa@cauris.test" }, "meta": { "intent_id": "1" },
    })
}

async fn verify(world: &World) -> Answer {
    world.ask("GET", "/flutterwave/v3/transactions/verify_by_reference?tx_ref=ref-1", &[KEY], Value::Null).await
}

#[tokio::test]
async fn a_link_is_made_and_its_transaction_exists_once_somebody_has_paid() {
    let world = World::new().await;
    let made = world.ask("POST", "/flutterwave/v3/payments", &[KEY], ask()).await;
    assert_eq!((made.status, made.text("/status").as_str()), (200, "success"));
    assert!(made.text("/data/link").contains("/flutterwave/checkout/"));
    let nothing = verify(&world).await;
    assert_eq!((nothing.status, nothing.text("/status").as_str()), (400, "error"));
    world.move_payment("ref-1", "pay").await;
    let told = verify(&world).await.body["data"].clone();
    assert_eq!(
        (&told["status"], &told["amount"], &told["tx_ref"]),
        (&json!("successful"), &json!(12.5), &json!("ref-1"))
    );

    let got = world.receiver.wait_for(1).await.remove(0);
    assert_eq!((got.event().as_str(), &got.json()["data"]["status"]), ("charge.completed", &json!("successful")));
    assert_eq!(got.header("verif-hash"), "flw_hash_cauris");
    let by_id = format!("/flutterwave/v3/transactions/{}/verify", told["id"]);
    assert_eq!(world.ask("GET", &by_id, &[KEY], Value::Null).await.body["data"], told);
    assert!(told["id"].is_u64());
}

#[tokio::test]
async fn what_flutterwave_would_not_take_is_refused() {
    let world = World::new().await;
    for (field, value) in [
        ("tx_ref", Value::Null),
        ("amount", json!(12.505)),
        ("amount", json!(-1)),
        ("currency", json!("XXX")),
        ("customer", json!({ "email": "nobody" })),
    ] {
        let mut body = ask();
        body[field] = value;
        let refused = world.ask("POST", "/flutterwave/v3/payments", &[KEY], body).await;
        assert_eq!((refused.status, refused.text("/status").as_str()), (400, "error"), "{field}");
    }
    let francs = json!({ "amount": 12.5, "currency": "XOF" });
    let mut body = ask();
    body.as_object_mut().expect("an object").extend(francs.as_object().expect("an object").clone());
    assert_eq!(world.ask("POST", "/flutterwave/v3/payments", &[KEY], body).await.status, 400);
    assert_eq!(world.ask("POST", "/flutterwave/v3/payments", &[], ask()).await.status, 401);
}

#[tokio::test]
async fn a_refund_stops_at_what_was_paid() {
    let world = World::new().await;
    world.ask("POST", "/flutterwave/v3/payments", &[KEY], ask()).await;
    world.move_payment("ref-1", "pay").await;
    let id = world.order("GET", "payments/ref-1", json!({})).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/flutterwave/v3/transactions/{id}/refund");
    let part = world.ask("POST", &path, &[KEY], json!({ "amount": 12 })).await;
    assert_eq!((part.status, &part.body["data"]["amount_refunded"]), (200, &json!(12)));
    assert_eq!(world.ask("POST", &path, &[KEY], json!({ "amount": 1 })).await.status, 400);
}

#[tokio::test]
async fn a_forged_hash_arrives_as_it_was_ordered() {
    let world = World::with(|config| config.max_retries = 0).await;
    world.ask("POST", "/flutterwave/v3/payments", &[KEY], ask()).await;
    world.fault(json!({ "provider": "flutterwave", "on": "webhook", "fault": "bad_signature", "times": 1 })).await;
    world.move_payment("ref-1", "pay").await;
    let got = world.receiver.wait_for(1).await.remove(0);
    assert!(!got.header("verif-hash").is_empty() && got.header("verif-hash") != "flw_hash_cauris");
}
