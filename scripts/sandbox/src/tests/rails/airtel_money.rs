//! Airtel Money: the country in the headers, an enquiry without an amount, a callback to the account's address.

use super::collections::{Rails, with};
use super::*;

const ID: &str = "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c09";
const PUSH: &str = "airtel_money/merchant/v1/payments/";

async fn token(rails: &Rails) -> String {
    let login = json!({
        "client_id": "airtel-client-cauris",
        "client_secret": "airtel-secret-cauris",
        "grant_type": "client_credentials",
    });
    let (status, body) = read(rails.call("POST", "airtel_money/auth/oauth2/token").json(&login)).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!("180")));
    body["access_token"].as_str().expect("a token").to_owned()
}

fn ask(phone: &str) -> Value {
    json!({
        "reference": "Top up",
        "subscriber": { "country": "UG", "currency": "UGX", "msisdn": phone },
        "transaction": { "amount": 5000, "country": "UG", "currency": "UGX", "id": ID },
    })
}

fn dressed(call: reqwest::RequestBuilder, token: &str) -> reqwest::RequestBuilder {
    call.bearer_auth(token).header("x-country", "UG").header("x-currency", "UGX")
}

async fn push(rails: &Rails, token: &str, body: &Value) -> (u16, Value) {
    read(dressed(rails.call("POST", PUSH), token).json(body)).await
}

async fn enquire(rails: &Rails, token: &str) -> Value {
    let call = rails.call("GET", &format!("airtel_money/standard/v1/payments/{ID}"));
    read(dressed(call, token)).await.1
}

#[tokio::test]
async fn a_push_is_in_process_until_the_payer_answers_and_told_to_the_address_of_the_account() {
    for (order, status, code) in [
        ("pay", "TS", "DP00800001001"),
        ("fail", "TF", "DP00800001007"),
        ("cancel", "TF", "DP00800001008"),
        ("expire", "TE", "DP00800001029"),
    ] {
        let rails = Rails::new().await;
        let token = token(&rails).await;
        let (http, body) = push(&rails, &token, &ask("751234511")).await;
        assert_eq!((http, &body["status"]["response_code"]), (200, &json!("DP00800001006")));
        assert_eq!(enquire(&rails, &token).await["data"]["transaction"]["status"], "TIP");
        rails.moves(ID, order).await;
        let body = enquire(&rails, &token).await;
        let transaction = &body["data"]["transaction"];
        assert_eq!((&transaction["status"], &body["status"]["response_code"]), (&json!(status), &json!(code)));
        assert!(transaction.get("amount").is_none() && transaction.get("currency").is_none());
        let told = rails.told(1).await.remove(0);
        assert_eq!((told.method.as_str(), told.query()), ("POST", "provider=airtel_money"));
        let told = told.json();
        assert_eq!((&told["transaction"]["id"], &told["transaction"]["status_code"]), (&json!(ID), &json!(status)));
        assert_eq!(told["transaction"]["airtel_money_id"], transaction["airtel_money_id"]);
    }
}

#[tokio::test]
async fn a_phone_in_00_approves_by_itself() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    push(&rails, &token, &ask("751234500")).await;
    assert_eq!(rails.told(1).await[0].json()["transaction"]["status_code"], "TS");
}

#[tokio::test]
async fn what_does_not_fit_the_country_is_refused_and_an_id_is_used_once() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    let body = ask("751234511");
    for (path, value, code) in [
        ("subscriber.msisdn", json!("256751234511"), "ESB000033"),
        ("subscriber.msisdn", json!("+256751234511"), "ESB000033"),
        ("subscriber.country", json!("KE"), "ESB000008"),
        ("transaction.currency", json!("KES"), "ESB000008"),
        ("transaction.amount", json!("5000"), "ESB000008"),
        ("transaction.amount", json!(5000.5), "ESB000008"),
        ("transaction.id", Value::Null, "ESB000008"),
        ("reference", json!(""), "ESB000008"),
    ] {
        let (status, answer) = push(&rails, &token, &with(&body, path, value)).await;
        assert_eq!((status, &answer["status"]["result_code"]), (400, &json!(code)), "{path}");
    }
    let elsewhere = rails.call("POST", PUSH).bearer_auth(&token).header("x-country", "UG").header("x-currency", "KES");
    assert_eq!(read(elsewhere.json(&body)).await.1["status"]["result_code"], "ESB000035");
    assert_eq!(rails.count("airtel_money").await, 0);
    assert_eq!(push(&rails, &token, &body).await.0, 200);
    let (status, answer) = push(&rails, &token, &body).await;
    assert_eq!((status, &answer["status"]["result_code"]), (400, &json!("ESB000041")));
}

#[tokio::test]
async fn the_address_of_the_account_is_what_its_portal_was_told_and_its_proof_can_be_forged() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    let address = format!("{}?provider=airtel_money&t=portal.ab", rails.hook);
    rails.world.sandbox.set_portal_url("airtel_money", address);
    push(&rails, &token, &ask("751234511")).await;
    rails.fault(json!({ "on": "webhook", "fault": "bad_signature", "forgery": "truncated", "times": 1 })).await;
    rails.moves(ID, "fail").await;
    rails.moves(ID, "pay").await;
    let told = rails.told(2).await;
    assert_eq!(told[0].query(), "provider=airtel_money&t=port");
    assert_eq!(told[1].query(), "provider=airtel_money&t=portal.ab");
}

#[tokio::test]
async fn sessions_end_and_faults_strike() {
    let rails = Rails::new().await;
    let old = token(&rails).await;
    rails.order("DELETE", "sessions", json!({})).await;
    assert_eq!(push(&rails, &old, &ask("751234511")).await.0, 401);
    let token = token(&rails).await;
    push(&rails, &token, &ask("751234511")).await;
    rails.fault(json!({ "on": "verify", "fault": "amount", "delta": -1, "times": 1 })).await;
    assert_eq!(enquire(&rails, &token).await["data"]["transaction"]["amount"], 4999);
    rails.fault(json!({ "on": "verify", "fault": "error", "status": 500, "times": 1 })).await;
    assert_eq!(enquire(&rails, &token).await["status"]["success"], false);
    rails.order("POST", &format!("payments/{ID}/answer"), json!({ "status": "TA" })).await;
    assert_eq!(enquire(&rails, &token).await["data"]["transaction"]["status"], "TA");
    rails.fault(json!({ "on": "webhook", "fault": "drop" })).await;
    rails.moves(ID, "pay").await;
    rails.told(0).await;
}
