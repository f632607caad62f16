//! Paystack.

use super::*;

const KEY: (&str, &str) = ("authorization", "Bearer sk_test_paystack_cauris");
const REFERENCE: &str = "0b5e1d1e-0000-4000-8000-000000000002";

fn ask() -> Value {
    json!({
        "email": "awa@cauris.test", "amount": 50_000, "currency": "NGN", "reference": REFERENCE,
        "callback_url": "https://app.cauris.test/return",
    })
}

async fn initialize(world: &World) -> Answer {
    world.ask("POST", "/paystack/transaction/initialize", &[KEY], ask()).await
}

async fn verify(world: &World) -> Value {
    let path = format!("/paystack/transaction/verify/{REFERENCE}");
    let told = world.ask("GET", &path, &[KEY], Value::Null).await;
    assert_eq!((told.status, &told.body["status"]), (200, &json!(true)), "{}", told.body);
    told.body["data"].clone()
}

#[tokio::test]
async fn a_transaction_is_made_paid_on_its_page_and_announced_with_the_api_keys_signature() {
    let world = World::new().await;
    let made = initialize(&world).await;
    assert_eq!((made.status, made.text("/data/reference").as_str()), (200, REFERENCE));
    assert_eq!(verify(&world).await["status"], "abandoned", "nobody has paid yet");
    let page = world.http.get(made.text("/data/authorization_url")).send().await.expect("a page");
    assert!(page.text().await.is_ok_and(|html| html.contains("id=\"pay\"") && html.contains("50000")));
    let url = format!("{}/pay", made.text("/data/authorization_url"));
    let ended = world.http.post(url).send().await.expect("a page").text().await.expect("text");
    assert!(ended.contains("https://app.cauris.test/return?trxref=") && ended.contains("data-status=\"success\""));
    let told = verify(&world).await;
    assert_eq!(
        (&told["status"], &told["amount"], &told["domain"]),
        (&json!("success"), &json!(50_000), &json!("test"))
    );

    let got = world.receiver.wait_for(1).await.remove(0);
    assert_eq!((got.event().as_str(), &got.json()["data"]["reference"]), ("charge.success", &json!(REFERENCE)));
    let signed = hmac::<hmac::Hmac<sha2::Sha512>>("sk_test_paystack_cauris", &[&got.body]);
    assert_eq!(got.header("x-paystack-signature"), hex::encode(signed));
}

#[tokio::test]
async fn a_reference_is_used_once() {
    let world = World::new().await;
    initialize(&world).await;
    let again = initialize(&world).await;
    assert_eq!((again.status, again.text("/code").as_str()), (400, "duplicate_reference"));
    assert_eq!(
        world.order("GET", "payments", json!({ "reference": REFERENCE })).await.as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn what_paystack_would_not_take_is_refused() {
    let world = World::new().await;
    for (field, value, status) in [
        ("email", json!("nobody"), 400),
        ("amount", json!(12.5), 400),
        ("amount", json!(0), 400),
        ("currency", json!("GNF"), 403),
        ("reference", json!("a b"), 400),
    ] {
        let mut body = ask();
        body[field] = value;
        let refused = world.ask("POST", "/paystack/transaction/initialize", &[KEY], body).await;
        assert_eq!((refused.status, &refused.body["status"]), (status, &json!(false)), "{field}");
    }
    let path = "/paystack/transaction/verify/none";
    assert_eq!(world.ask("GET", path, &[KEY], Value::Null).await.text("/code"), "transaction_not_found");
    assert_eq!(world.ask("GET", path, &[], Value::Null).await.status, 401);
}

#[tokio::test]
async fn a_failed_attempt_is_silent_and_a_whole_refund_reverses() {
    let world = World::new().await;
    initialize(&world).await;
    world.move_payment(REFERENCE, "fail").await;
    assert_eq!(verify(&world).await["status"], "failed");
    world.receiver.wait_for(0).await;
    world.move_payment(REFERENCE, "pay").await;
    let part = json!({ "transaction": REFERENCE, "amount": 20_000 });
    let refund = world.ask("POST", "/paystack/refund", &[KEY], part).await;
    assert_eq!((refund.status, refund.text("/data/status").as_str()), (200, "processed"));
    assert_eq!(verify(&world).await["status"], "success");
    world.move_payment(REFERENCE, "refund").await;
    assert_eq!(verify(&world).await["status"], "reversed");
    let events: Vec<_> = world.receiver.wait_for(3).await.iter().map(Got::event).collect();
    assert_eq!(events, ["charge.success", "refund.processed", "refund.processed"]);
}

#[tokio::test]
async fn verify_tells_another_amount_when_it_is_told_to() {
    let world = World::new().await;
    initialize(&world).await;
    world.move_payment(REFERENCE, "pay").await;
    world.fault(json!({ "on": "verify", "fault": "amount", "delta": -1, "payment_id": REFERENCE, "times": 1 })).await;
    assert_eq!(verify(&world).await["amount"], 49_999);
    assert_eq!(verify(&world).await["amount"], 50_000);
}
