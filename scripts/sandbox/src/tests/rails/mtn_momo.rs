//! MTN MoMo: a request under the caller's own id, once, and a callback that comes once.

use super::collections::{Rails, with};
use super::*;

const ID: &str = "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c09";
const REQUEST: &str = "mtn_momo/collection/v1_0/requesttopay";

async fn token(rails: &Rails) -> String {
    let login = rails.call("POST", "mtn_momo/collection/token/");
    let login = login.basic_auth("5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c01", Some("mtn-api-key-cauris"));
    let (status, body) = read(login.header("ocp-apim-subscription-key", "mtn-subscription-cauris")).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("access_token")));
    body["access_token"].as_str().expect("a token").to_owned()
}

fn ask(phone: &str) -> Value {
    json!({
        "amount": "50000",
        "currency": "GNF",
        "externalId": "order-7",
        "payer": { "partyIdType": "MSISDN", "partyId": phone },
        "payerMessage": "Top up",
        "payeeNote": "Cauris",
    })
}

fn dressed(call: reqwest::RequestBuilder, token: &str, environment: &str) -> reqwest::RequestBuilder {
    let call = call.bearer_auth(token).header("ocp-apim-subscription-key", "mtn-subscription-cauris");
    call.header("x-target-environment", environment)
}

async fn request(rails: &Rails, token: &str, environment: &str, id: &str, body: &Value) -> (u16, Value) {
    let call = dressed(rails.call("POST", REQUEST), token, environment).header("x-reference-id", id);
    read(call.header("x-callback-url", format!("{}?t=abc", rails.hook)).json(body)).await
}

async fn status(rails: &Rails, token: &str, id: &str) -> (u16, Value) {
    read(dressed(rails.call("GET", &format!("{REQUEST}/{id}")), token, "mtnguineaconakry")).await
}

#[tokio::test]
async fn a_request_is_accepted_with_nothing_approved_by_control_and_put_once() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    rails.answers(500);
    let made = request(&rails, &token, "mtnguineaconakry", ID, &ask("224620000011")).await;
    assert_eq!(made, (202, Value::Null));
    assert_eq!(status(&rails, &token, ID).await.1["status"], "PENDING");
    rails.moves(ID, "pay").await;
    let told = rails.told(1).await.remove(0);
    assert_eq!((told.method.as_str(), told.query()), ("PUT", "t=abc"));
    let (_, body) = status(&rails, &token, ID).await;
    assert_eq!(told.json(), body);
    assert_eq!(
        (&body["status"], &body["amount"], &body["currency"]),
        (&json!("SUCCESSFUL"), &json!("50000"), &json!("GNF"))
    );
    assert!(body["financialTransactionId"].is_string() && body["externalId"] == "order-7");
}

#[tokio::test]
async fn a_phone_in_00_approves_by_itself_and_the_callback_may_come_as_a_post() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    rails.order("PATCH", "settings", json!({ "posts_only": true })).await;
    request(&rails, &token, "mtnguineaconakry", ID, &ask("224620000000")).await;
    let told = rails.told(1).await.remove(0);
    assert_eq!((told.method.as_str(), &told.json()["status"]), ("POST", &json!("SUCCESSFUL")));
}

#[tokio::test]
async fn every_refusal_of_the_payer_has_its_reason() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    for (place, (order, reason)) in
        [("fail", "NOT_ENOUGH_FUNDS"), ("cancel", "APPROVAL_REJECTED"), ("expire", "EXPIRED")].into_iter().enumerate()
    {
        let id = format!("5f1c1e3a-0d6b-4d0e-9f53-00000000000{place}");
        request(&rails, &token, "mtnguineaconakry", &id, &ask("224620000011")).await;
        rails.moves(&id, order).await;
        let (_, body) = status(&rails, &token, &id).await;
        assert_eq!((&body["status"], &body["reason"]["code"]), (&json!("FAILED"), &json!(reason)));
    }
    rails.told(3).await;
}

#[tokio::test]
async fn a_repeated_reference_is_a_409_and_each_environment_takes_its_currency() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    let body = ask("224620000011");
    for (environment, id, body, expected, code) in [
        ("mtnguineaconakry", "order-7", body.clone(), 400, Value::Null),
        ("mtnguineaconakry", ID, with(&body, "amount", json!(50_000)), 400, Value::Null),
        ("mtnguineaconakry", ID, with(&body, "amount", json!("50000.5")), 400, Value::Null),
        ("mtnguineaconakry", ID, with(&body, "payer.partyId", json!("+224620000011")), 400, Value::Null),
        ("mtnguineaconakry", ID, with(&body, "currency", json!("EUR")), 500, json!("INVALID_CURRENCY")),
        ("sandbox", ID, body.clone(), 500, json!("INVALID_CURRENCY")),
        ("atlantis", ID, body.clone(), 500, json!("NOT_ALLOWED_TARGET_ENVIRONMENT")),
    ] {
        let (status, answer) = request(&rails, &token, environment, id, &body).await;
        assert_eq!((status, &answer["code"]), (expected, &code), "{environment} {id} {body}");
    }
    assert_eq!(rails.count("mtn_momo").await, 0);
    assert_eq!(request(&rails, &token, "mtnguineaconakry", ID, &body).await.0, 202);
    let (status, answer) = request(&rails, &token, "mtnguineaconakry", ID, &body).await;
    assert_eq!((status, &answer["code"]), (409, &json!("RESOURCE_ALREADY_EXIST")));
    let euros = with(&body, "currency", json!("EUR"));
    let other = "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c08";
    assert_eq!(request(&rails, &token, "sandbox", other, &with(&euros, "amount", json!("5.50"))).await.0, 202);
}

#[tokio::test]
async fn an_answer_may_be_lost_after_the_request_went_out_and_the_proof_of_its_callback_be_wrong() {
    let rails = Rails::new().await;
    let old = token(&rails).await;
    rails.order("DELETE", "sessions/mtn_momo", json!({})).await;
    assert_eq!(request(&rails, &old, "mtnguineaconakry", ID, &ask("224620000011")).await.0, 401);
    let token = token(&rails).await;
    rails.fault(json!({ "on": "initialize", "fault": "error", "status": 409, "when": "after", "times": 1 })).await;
    let (status_code, answer) = request(&rails, &token, "mtnguineaconakry", ID, &ask("224620000011")).await;
    assert_eq!((status_code, &answer["code"]), (409, &json!("RESOURCE_ALREADY_EXIST")));
    assert_eq!(status(&rails, &token, ID).await.1["status"], "PENDING");
    assert_eq!(status(&rails, &token, "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c07").await.0, 404);
    rails.fault(json!({ "on": "webhook", "fault": "bad_signature", "forgery": "missing" })).await;
    rails.moves(ID, "pay").await;
    assert_eq!(rails.told(1).await[0].query(), "");
}
