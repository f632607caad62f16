//! Wave: sessions, the search by the merchant's reference, events whose signature has no dot.

use super::collections::{Rails, with};
use super::*;
use crate::rails::seal::hex_sha256;

const SESSIONS: &str = "wave/v1/checkout/sessions";

fn ask() -> Value {
    json!({
        "amount": "2500",
        "currency": "XOF",
        "client_reference": "order-7",
        "success_url": "https://app.cauris.test/return",
        "error_url": "https://app.cauris.test/error",
    })
}

async fn post(rails: &Rails, path: &str, body: &Value) -> (u16, Value) {
    read(rails.call("POST", path).bearer_auth("wave_test_cauris").json(body)).await
}

async fn get(rails: &Rails, path: &str) -> (u16, Value) {
    read(rails.call("GET", &format!("{SESSIONS}{path}")).bearer_auth("wave_test_cauris")).await
}

async fn created(rails: &Rails) -> String {
    let (status, body) = post(rails, SESSIONS, &ask()).await;
    assert_eq!((status, &body["amount"], &body["checkout_status"]), (200, &json!("2500"), &json!("open")));
    assert!(body["wave_launch_url"].as_str().is_some_and(|url| url.contains("/wave/checkout/cos-")), "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_session_is_paid_told_and_found_by_its_reference() {
    let rails = Rails::new().await;
    let id = created(&rails).await;
    rails.moves("order-7", "pay").await;
    let told = rails.told(1).await.remove(0);
    let (time, mac) = told.header("wave-signature").split_once(",v1=").expect("a time and a MAC");
    let time = time.strip_prefix("t=").expect("a time");
    assert_eq!(mac, hex_sha256("wave_whsec_cauris", &[time.as_bytes(), &told.body].concat()));
    let event = told.json();
    assert!(event["id"].as_str().is_some_and(|id| id.starts_with("AE_")));
    assert_eq!((&event["type"], &event["data"]["id"]), (&json!("checkout.session.completed"), &json!(id)));
    let (_, session) = get(&rails, &format!("/{id}")).await;
    assert_eq!(session, event["data"]);
    assert_eq!((&session["payment_status"], &session["checkout_status"]), (&json!("succeeded"), &json!("complete")));
    let (_, found) = get(&rails, "/search?client_reference=order-7").await;
    assert_eq!(found, json!({ "result": [session] }));
    assert_eq!(get(&rails, "/search?client_reference=nobody").await.1, json!({ "result": [] }));
    assert_eq!(get(&rails, "/cos-nobody").await.0, 404);
}

#[tokio::test]
async fn a_session_outlives_a_failed_attempt_and_may_be_paid_after_it() {
    let rails = Rails::new().await;
    let id = created(&rails).await;
    rails.moves(&id, "fail").await;
    let (_, session) = get(&rails, &format!("/{id}")).await;
    assert_eq!((&session["payment_status"], &session["checkout_status"]), (&json!("cancelled"), &json!("open")));
    assert_eq!(session["last_payment_error"]["code"], "insufficient-funds");
    rails.moves(&id, "pay").await;
    let kinds: Vec<_> = rails.told(2).await.iter().map(|told| told.json()["type"].clone()).collect();
    assert_eq!(kinds, ["checkout.session.payment_failed", "checkout.session.completed"]);
}

#[tokio::test]
async fn a_session_that_nobody_pays_expires_in_silence() {
    let rails = Rails::new().await;
    for how in ["cancel", "age", "expire"] {
        let id = created(&rails).await;
        match how {
            "cancel" => rails.moves(&id, "cancel").await,
            "age" => _ = rails.order("POST", &format!("payments/{id}/age"), json!({ "days": 1 })).await,
            _ => assert_eq!(post(&rails, &format!("{SESSIONS}/{id}/expire"), &json!({})).await.0, 200),
        }
        let (_, session) = get(&rails, &format!("/{id}")).await;
        assert_eq!((&session["payment_status"], &session["checkout_status"]), (&json!("cancelled"), &json!("expired")));
    }
    rails.told(0).await;
}

#[tokio::test]
async fn amounts_are_texts_of_whole_francs_and_addresses_are_secure() {
    let rails = Rails::new().await;
    for (field, value) in [
        ("amount", json!(2500)),
        ("amount", json!("2500.0")),
        ("amount", json!("0")),
        ("amount", json!("02500")),
        ("amount", json!("-1")),
        ("amount", Value::Null),
        ("currency", json!("GNF")),
        ("success_url", json!("http://app.cauris.test/return")),
        ("error_url", Value::Null),
    ] {
        let (status, body) = post(&rails, SESSIONS, &with(&ask(), field, value.clone())).await;
        assert_eq!((status, &body["details"][0]["loc"]), (422, &json!([field])), "{value}");
    }
    let keyless = read(rails.call("POST", SESSIONS).json(&ask())).await;
    assert_eq!((keyless.0, &keyless.1["code"]), (401, &json!("missing-auth-header")));
    let other = read(rails.call("POST", SESSIONS).bearer_auth("other").json(&ask())).await;
    assert_eq!((other.0, &other.1["code"]), (401, &json!("no-matching-api-key")));
    assert_eq!(rails.count("wave").await, 0);
}

#[tokio::test]
async fn a_lost_answer_leaves_a_session_that_the_search_finds() {
    let rails = Rails::new().await;
    rails.fault(json!({ "on": "initialize", "fault": "error", "status": 500, "when": "after", "times": 1 })).await;
    assert_eq!(post(&rails, SESSIONS, &ask()).await.0, 500);
    let (_, found) = get(&rails, "/search?client_reference=order-7").await;
    assert_eq!(found["result"].as_array().map(Vec::len), Some(1));
    rails.fault(json!({ "on": "search", "fault": "garbage", "times": 1 })).await;
    assert_eq!(get(&rails, "/search?client_reference=order-7").await, (200, Value::Null));
}

#[tokio::test]
async fn a_paid_session_goes_back_whole_and_once() {
    let rails = Rails::new().await;
    let id = created(&rails).await;
    let refund = format!("{SESSIONS}/{id}/refund");
    assert_eq!(post(&rails, &refund, &json!({})).await.0, 400);
    rails.moves(&id, "pay").await;
    for _ in 0..2 {
        assert_eq!(post(&rails, &refund, &json!({})).await.0, 200);
    }
    assert_eq!(rails.order("GET", &format!("payments/{id}"), json!({})).await["refunded"], 2500);
}
