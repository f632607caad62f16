//! Flutterwave v4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const LOGIN: &str = "/flutterwave_v4/realms/flutterwave/protocol/openid-connect/token";
const CHARGES: &str = "/flutterwave_v4/orchestration/direct-charges";
const REFERENCE: &str = "0b5e1d1e-0000-4000-8000-000000000004";

fn ask(phone: &str) -> Value {
    json!({
        "amount": 250, "currency": "XAF", "reference": REFERENCE, "redirect_url": "https://app.cauris.test/return",
        "customer": { "email": "awa@cauris.test" },
        "payment_method": {
            "type": "mobile_money",
            "mobile_money": { "country_code": "237", "network": "MTN", "phone_number": phone },
        },
    })
}

async fn log_in(world: &World) -> String {
    let form = "client_id=cauris-v4-client&client_secret=cauris-v4-client-secret&grant_type=client_credentials";
    let token = world.ask("POST", LOGIN, &[], json!(form)).await;
    assert_eq!((token.status, &token.body["expires_in"]), (200, &json!(600)));
    format!("Bearer {}", token.text("/access_token"))
}

#[tokio::test]
async fn a_wallet_is_asked_on_its_phone_and_the_news_is_signed_in_base64() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    let key = [("authorization", bearer.as_str())];
    let made = world.ask("POST", CHARGES, &key, ask("677000001")).await;
    assert_eq!((made.status, made.text("/data/status").as_str()), (201, "pending"));
    assert_eq!(made.text("/data/next_action/type"), "payment_instruction");
    let id = made.text("/data/id");
    world.move_payment(REFERENCE, "pay").await;
    let told = world.ask("GET", &format!("/flutterwave_v4/charges/{id}"), &key, Value::Null).await;
    assert_eq!((told.text("/data/status").as_str(), &told.body["data"]["amount"]), ("succeeded", &json!(250)));
    let listed = world.ask("GET", &format!("/flutterwave_v4/charges?reference={REFERENCE}"), &key, Value::Null).await;
    assert_eq!(listed.body["data"], json!([told.body["data"]]));

    let got = world.receiver.wait_for(1).await.remove(0);
    assert_eq!((&got.json()["type"], &got.json()["data"]["id"]), (&json!("charge.completed"), &json!(id)));
    let signed = hmac::<hmac::Hmac<sha2::Sha256>>("flw_v4_hash_cauris", &[&got.body]);
    assert_eq!(got.header("flutterwave-signature"), STANDARD.encode(signed));
}

#[tokio::test]
async fn a_phone_that_ends_in_00_approves_by_itself_unless_it_is_told_not_to() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    let key = [("authorization", bearer.as_str())];
    world.ask("POST", CHARGES, &key, ask("677000000")).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.order("GET", &format!("payments/{REFERENCE}"), json!({})).await["status"], "success");

    world.order("POST", "reset", json!({})).await;
    world.order("PATCH", "settings", json!({ "auto_approve": false })).await;
    let bearer = log_in(&world).await;
    world.ask("POST", CHARGES, &[("authorization", &bearer)], ask("677000000")).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(world.order("GET", &format!("payments/{REFERENCE}"), json!({})).await["status"], "initiated");
}

#[tokio::test]
async fn other_methods_lead_to_a_page() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    let mut body = ask("677000001");
    body["payment_method"] = json!({ "type": "opay" });
    let made = world.ask("POST", CHARGES, &[("authorization", &bearer)], body).await;
    assert!(made.text("/data/next_action/redirect_url/url").contains("/flutterwave_v4/checkout/chg_"));
}

#[tokio::test]
async fn a_session_ends_when_it_is_told_to_and_a_wrong_login_opens_none() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    let path = "/flutterwave_v4/charges/chg_none";
    assert_eq!(world.ask("GET", path, &[("authorization", &bearer)], Value::Null).await.status, 404);
    world.order("DELETE", "sessions/flutterwave_v4", json!({})).await;
    assert_eq!(world.ask("GET", path, &[("authorization", &bearer)], Value::Null).await.status, 401);
    let form = "client_id=cauris-v4-client&client_secret=no&grant_type=client_credentials";
    assert_eq!(world.ask("POST", LOGIN, &[], json!(form)).await.status, 401);
}

#[tokio::test]
async fn the_same_key_is_the_same_charge_and_a_reference_is_used_once() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    let once = [("authorization", bearer.as_str()), ("x-idempotency-key", "k-1")];
    let first = world.ask("POST", CHARGES, &once, ask("677000001")).await;
    assert_eq!(world.ask("POST", CHARGES, &once, ask("677000001")).await.body, first.body);
    assert_eq!(world.ask("POST", CHARGES, &once, ask("677000002")).await.status, 409);
    let another = world.ask("POST", CHARGES, &once[..1], ask("677000001")).await;
    assert_eq!((another.status, another.text("/error/type").as_str()), (409, "RESOURCE_CONFLICT"));
}

#[tokio::test]
async fn what_flutterwave_would_not_take_is_refused() {
    let world = World::new().await;
    let bearer = log_in(&world).await;
    for (field, value) in [
        ("amount", json!("250")),
        ("amount", json!(250.5)),
        ("currency", json!("francs")),
        ("reference", json!("short")),
        ("customer", json!({})),
        ("payment_method", json!({ "type": "mobile_money" })),
    ] {
        let mut body = ask("677000001");
        body[field] = value;
        let refused = world.ask("POST", CHARGES, &[("authorization", &bearer)], body).await;
        assert_eq!((refused.status, refused.text("/error/type").as_str()), (400, "REQUEST_NOT_VALID"), "{field}");
    }
}
