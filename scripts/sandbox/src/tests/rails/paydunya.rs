//! PayDunya: refusals inside a 200, the invoice's token, a form of brackets.

use super::collections::{Rails, with};
use super::*;

const CREATE: &str = "paydunya/sandbox-api/v1/checkout-invoice/create";

fn ask(rails: &Rails) -> Value {
    json!({
        "invoice": { "total_amount": 5000, "description": "Top up" },
        "store": { "name": "Cauris" },
        "custom_data": { "payment_id": "order-7", "tag": "ab12" },
        "actions": {
            "callback_url": format!("{}?t=abc", rails.hook),
            "return_url": "https://app.cauris.test/return",
            "cancel_url": "https://app.cauris.test/cancel",
        },
    })
}

fn dressed(call: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    let call = call.header("PAYDUNYA-MASTER-KEY", "paydunya-master-cauris");
    call.header("PAYDUNYA-PRIVATE-KEY", "test_private_cauris").header("PAYDUNYA-TOKEN", "paydunya-token-cauris")
}

async fn create(rails: &Rails, body: &Value) -> (u16, Value) {
    read(dressed(rails.call("POST", CREATE)).json(body)).await
}

async fn created(rails: &Rails) -> String {
    let (status, body) = create(rails, &ask(rails)).await;
    assert_eq!((status, &body["response_code"]), (200, &json!("00")), "{body}");
    let token = body["token"].as_str().expect("a token").to_owned();
    assert!(body["response_text"].as_str().is_some_and(|url| url.ends_with(&format!("/paydunya/checkout/{token}"))));
    token
}

async fn confirm(rails: &Rails, token: &str) -> Value {
    let path = format!("paydunya/sandbox-api/v1/checkout-invoice/confirm/{token}");
    read(dressed(rails.call("GET", &path))).await.1
}

#[tokio::test]
async fn a_paid_invoice_is_told_by_a_form_and_confirmed_by_its_token() {
    let rails = Rails::new().await;
    let token = created(&rails).await;
    assert_eq!(confirm(&rails, &token).await["status"], "pending");
    rails.moves("order-7", "pay").await;
    let told = rails.told(1).await.remove(0);
    let form = told.form();
    assert_eq!((told.method.as_str(), told.query()), ("POST", "t=abc"));
    assert_eq!((form["data[invoice][token]"].as_str(), form["data[status]"].as_str()), (token.as_str(), "completed"));
    assert_eq!((form["data[invoice][total_amount]"].as_str(), form["data[mode]"].as_str()), ("5000", "test"));
    assert_eq!((form["data[custom_data][tag]"].as_str(), form["data[hash]"].len()), ("ab12", 128));
    let body = confirm(&rails, &token).await;
    assert_eq!((&body["status"], &body["invoice"]["total_amount"]), (&json!("completed"), &json!(5000)));
    assert_eq!((&body["custom_data"]["payment_id"], &body["hash"]), (&json!("order-7"), &json!(form["data[hash]"])));
}

#[tokio::test]
async fn every_end_has_its_word() {
    for (order, word) in [("fail", "failed"), ("cancel", "cancelled"), ("expire", "cancelled")] {
        let rails = Rails::new().await;
        let token = created(&rails).await;
        rails.moves(&token, order).await;
        assert_eq!(confirm(&rails, &token).await["status"], word);
        assert_eq!(rails.told(1).await[0].form()["data[status]"], word);
    }
}

#[tokio::test]
async fn a_refusal_is_a_200_with_another_code_and_makes_nothing() {
    let rails = Rails::new().await;
    for (path, value) in [
        ("invoice.total_amount", Value::Null),
        ("invoice.total_amount", json!(0)),
        ("invoice.total_amount", json!(5000.5)),
        ("store", Value::Null),
        ("actions.callback_url", json!("javascript:alert(1)")),
    ] {
        let (status, body) = create(&rails, &with(&ask(&rails), path, value)).await;
        assert!(status == 200 && body["response_code"] != "00" && body["token"].is_null(), "{path}: {body}");
    }
    for header in ["PAYDUNYA-MASTER-KEY", "PAYDUNYA-PRIVATE-KEY", "PAYDUNYA-TOKEN"] {
        let mut request = dressed(rails.call("POST", CREATE)).json(&ask(&rails)).build().expect("a request");
        request.headers_mut().remove(header);
        let body: Value = rails.world.http.execute(request).await.expect("an answer").json().await.expect("JSON");
        assert_eq!(body["response_code"], "1001", "{header}");
    }
    assert_eq!(rails.count("paydunya").await, 0);
    assert_ne!(confirm(&rails, "test_nobody").await["response_code"], "00");
}

#[tokio::test]
async fn faults_change_what_is_confirmed_and_what_the_callback_shows() {
    let rails = Rails::new().await;
    let token = created(&rails).await;
    rails.fault(json!({ "on": "verify", "fault": "amount", "delta": 1, "times": 1 })).await;
    assert_eq!(confirm(&rails, &token).await["invoice"]["total_amount"], 5001);
    rails.fault(json!({ "on": "verify", "fault": "garbage", "times": 1 })).await;
    assert_eq!(confirm(&rails, &token).await, Value::Null);
    rails.fault(json!({ "on": "webhook", "fault": "bad_signature", "times": 1 })).await;
    rails.moves(&token, "pay").await;
    assert_ne!(rails.told(1).await[0].query(), "t=abc");
}
