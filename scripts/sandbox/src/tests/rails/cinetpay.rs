//! CinetPay: the page, the check, the signed form.

use super::collections::{Rails, with};
use super::*;
use crate::rails::seal::hex_sha256;

const CREATE: &str = "cinetpay/v2/payment";
const CHECK: &str = "cinetpay/v2/payment/check";

fn ask(rails: &Rails) -> Value {
    json!({
        "apikey": "cinetpay-key-cauris",
        "site_id": "445566",
        "transaction_id": "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c09",
        "amount": 50_000,
        "currency": "GNF",
        "description": "Top up & more",
        "notify_url": format!("{}?provider=cinetpay", rails.hook),
        "return_url": "https://app.cauris.test/return",
        "channels": "ALL",
        "customer_phone_number": "224620000000",
    })
}

async fn post(rails: &Rails, path: &str, body: &Value) -> (u16, Value) {
    read(rails.call("POST", path).json(body)).await
}

async fn created(rails: &Rails) -> String {
    let (status, body) = post(rails, CREATE, &ask(rails)).await;
    assert_eq!((status, &body["code"], &body["message"]), (200, &json!("201"), &json!("CREATED")));
    assert!(body["data"]["payment_url"].as_str().is_some_and(|url| url.contains("/cinetpay/checkout/")));
    ask(rails)["transaction_id"].as_str().expect("an id").to_owned()
}

async fn check(rails: &Rails, id: &str) -> Value {
    let body = json!({ "apikey": "cinetpay-key-cauris", "site_id": 445_566, "transaction_id": id });
    let (status, body) = post(rails, CHECK, &body).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn a_paid_page_is_told_by_a_form_signed_over_sixteen_fields_and_checked_with_the_code_00() {
    let rails = Rails::new().await;
    let id = created(&rails).await;
    assert_eq!(check(&rails, &id).await["code"], "662");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(check(&rails, &id).await["code"], "662", "a customer's phone in 00 pays no page by itself");
    let page = rails.call("POST", &format!("cinetpay/checkout/{id}/pay")).send().await.expect("the page");
    let page = page.text().await.expect("a text");
    assert!(page.contains("data-status=\"success\"") && page.contains(&format!("transaction_id={id}")));

    let told = rails.told(1).await.remove(0);
    let form = told.form();
    assert_eq!((form["cpm_trans_id"].as_str(), form["cpm_amount"].as_str()), (id.as_str(), "50000"));
    assert_eq!((form["cpm_designation"].as_str(), form["cpm_error_message"].as_str()), ("Top up & more", "SUCCES"));
    let order = "cpm_site_id cpm_trans_id cpm_trans_date cpm_amount cpm_currency signature payment_method \
                 cel_phone_num cpm_phone_prefixe cpm_language cpm_version cpm_payment_config cpm_page_action \
                 cpm_custom cpm_designation cpm_error_message";
    let signed: String = order.split_whitespace().map(|name| form[name].clone()).collect();
    assert_eq!(told.header("x-token"), hex_sha256("cinetpay-secret-cauris", signed.as_bytes()));
    assert!(told.header("content-type").contains("x-www-form-urlencoded"));

    let body = check(&rails, &id).await;
    assert_eq!((&body["code"], &body["message"]), (&json!("00"), &json!("SUCCES")));
    assert_eq!((&body["data"]["amount"], &body["data"]["status"]), (&json!("50000"), &json!("ACCEPTED")));
}

#[tokio::test]
async fn every_end_has_its_code_and_is_notified() {
    for (order, code, message) in [
        ("fail", "600", "PAYMENT_FAILED"),
        ("cancel", "627", "TRANSACTION_CANCEL"),
        ("expire", "627", "TRANSACTION_CANCEL"),
    ] {
        let rails = Rails::new().await;
        let id = created(&rails).await;
        rails.moves(&id, order).await;
        let body = check(&rails, &id).await;
        assert_eq!((&body["code"], &body["data"]["status"]), (&json!(code), &json!("REFUSED")));
        assert_eq!(rails.told(1).await[0].form()["cpm_error_message"], message);
    }
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_and_not_made() {
    let rails = Rails::new().await;
    for (field, value, code) in [
        ("apikey", Value::Null, "608"),
        ("apikey", json!("other"), "609"),
        ("site_id", json!("1"), "613"),
        ("notify_url", Value::Null, "608"),
        ("return_url", json!(""), "608"),
        ("channels", json!("CREDIT_CARD"), "608"),
        ("currency", json!("NGN"), "612"),
        ("amount", json!(50_001), "611"),
        ("amount", json!(95), "611"),
        ("amount", json!("50000"), "611"),
        ("amount", json!(50_000.5), "611"),
    ] {
        let (status, body) = post(&rails, CREATE, &with(&ask(&rails), field, value.clone())).await;
        assert!(status >= 400 && body["code"] == code, "{field} {value}: {status} {body}");
    }
    assert_eq!(rails.count("cinetpay").await, 0);
    created(&rails).await;
    assert_eq!(post(&rails, CREATE, &ask(&rails)).await.1["code"], "624", "an id is used once");
}

#[tokio::test]
async fn faults_change_what_is_told_and_what_signs_it() {
    let rails = Rails::new().await;
    let id = created(&rails).await;
    rails.fault(json!({ "provider": "cinetpay", "on": "verify", "fault": "amount", "delta": -5, "times": 1 })).await;
    assert_eq!(check(&rails, &id).await["data"]["amount"], "49995");
    rails.fault(json!({ "on": "verify", "fault": "currency", "currency": "XOF", "times": 1 })).await;
    assert_eq!(check(&rails, &id).await["data"]["currency"], "XOF");
    rails.fault(json!({ "on": "webhook", "fault": "bad_signature", "forgery": "other_secret" })).await;
    rails.fault(json!({ "on": "webhook", "fault": "duplicate", "copies": 2 })).await;
    rails.moves(&id, "pay").await;
    let told = rails.told(2).await;
    let signed: Vec<_> = told.iter().map(|told| told.header("x-token")).collect();
    assert_eq!(signed[0], signed[1]);
    assert_eq!(told[0].body, told[1].body);
    let again = rails.order("POST", &format!("payments/{id}/redeliver"), json!({})).await;
    assert_eq!(again["statuses"], json!([200]));
    let told = rails.told(3).await;
    assert!(told[2].body == told[0].body && told[2].header("x-token") != told[0].header("x-token"));
}
