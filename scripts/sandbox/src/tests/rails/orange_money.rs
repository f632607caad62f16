//! Orange Money: the login, the page, an order asked about by three things, and the notification's own proof.

use super::collections::{Rails, with};
use super::*;

const BASIC: &str = "Basic Y2F1cmlzOm9yYW5nZQ==";
const CREATE: &str = "orange_money/orange-money-webpay/gn/v1/webpayment";
const STATUS: &str = "orange_money/orange-money-webpay/gn/v1/transactionstatus";

async fn token(rails: &Rails) -> String {
    let login = rails.call("POST", "orange_money/oauth/v3/token").header("authorization", BASIC);
    let (status, body) = read(login.form(&[("grant_type", "client_credentials")])).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(3600)));
    body["access_token"].as_str().expect("a token").to_owned()
}

fn ask(rails: &Rails) -> Value {
    json!({
        "merchant_key": "orange-merchant-cauris",
        "currency": "GNF",
        "order_id": "order-1",
        "amount": 50_000,
        "return_url": "https://app.cauris.test/return",
        "cancel_url": "https://app.cauris.test/cancel",
        "notif_url": format!("{}?t=abc", rails.hook),
        "lang": "fr",
        "reference": "order-1",
    })
}

async fn post(rails: &Rails, token: &str, path: &str, body: &Value) -> (u16, Value) {
    read(rails.call("POST", path).bearer_auth(token).json(body)).await
}

#[tokio::test]
async fn an_order_is_paid_and_told_with_the_token_that_its_creation_handed_out() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    let (status, made) = post(&rails, &token, CREATE, &ask(&rails)).await;
    assert_eq!((status, &made["status"], &made["message"]), (201, &json!(201), &json!("OK")));
    let question = json!({ "order_id": "order-1", "amount": 50_000, "pay_token": made["pay_token"] });
    let (_, told) = post(&rails, &token, STATUS, &question).await;
    assert_eq!(told, json!({ "status": "INITIATED", "order_id": "order-1", "txnid": null }));
    rails.moves("order-1", "pay").await;
    let (_, told) = post(&rails, &token, STATUS, &question).await;
    assert_eq!(told["status"], "SUCCESS");
    let notice = rails.told(1).await.remove(0);
    let expected = json!({ "status": "SUCCESS", "notif_token": made["notif_token"], "txnid": told["txnid"] });
    assert_eq!((notice.method.as_str(), notice.query(), notice.json()), ("POST", "t=abc", expected));
    for (field, value) in [("amount", json!(49_999)), ("pay_token", json!("other")), ("order_id", json!("other"))] {
        assert_eq!(post(&rails, &token, STATUS, &with(&question, field, value)).await.0, 404);
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_refused_and_a_new_one_is_not() {
    let rails = Rails::new().await;
    let old = token(&rails).await;
    rails.order("DELETE", "sessions", json!({})).await;
    let (status, body) = post(&rails, &old, CREATE, &ask(&rails)).await;
    assert_eq!((status, &body["code"]), (401, &json!(42)));
    assert_eq!(post(&rails, &token(&rails).await, CREATE, &ask(&rails)).await.0, 201);
    let login = rails.call("POST", "orange_money/oauth/v3/token").header("authorization", "Basic eDp5");
    assert_eq!(read(login.form(&[("grant_type", "client_credentials")])).await.0, 401);
}

#[tokio::test]
async fn fields_are_mandatory_and_narrow_and_each_country_has_its_currency() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    for (field, value) in [
        ("order_id", json!("5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c09")),
        ("notif_url", json!(format!("https://a.test/{}", "x".repeat(120)))),
        ("return_url", Value::Null),
        ("lang", Value::Null),
        ("merchant_key", json!("other")),
        ("amount", json!("50000")),
        ("amount", json!(0)),
        ("currency", json!("OUV")),
        ("currency", json!("XOF")),
    ] {
        let (status, body) = post(&rails, &token, CREATE, &with(&ask(&rails), field, value)).await;
        assert!(status == 400 && matches!(body["code"].as_u64(), Some(23 | 24)), "{field}: {status} {body}");
    }
    let dev = CREATE.replace("/gn/", "/dev/");
    assert_eq!(post(&rails, &token, &dev, &ask(&rails)).await.0, 400);
    assert_eq!(rails.count("orange_money").await, 0);
    assert_eq!(post(&rails, &token, &dev, &with(&ask(&rails), "currency", json!("OUV"))).await.0, 201);
    assert_eq!(post(&rails, &token, CREATE, &ask(&rails)).await.0, 400, "an order is used once");
}

#[tokio::test]
async fn a_bad_proof_is_another_notif_token_or_none_and_nothing_comes_twice() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    rails.answers(500);
    for (place, forgery) in ["flipped", "missing", "empty"].into_iter().enumerate() {
        let order = format!("order-{forgery}");
        let (_, made) = post(&rails, &token, CREATE, &with(&ask(&rails), "order_id", json!(order))).await;
        rails.fault(json!({ "on": "webhook", "fault": "bad_signature", "forgery": forgery, "times": 1 })).await;
        rails.moves(&order, "fail").await;
        let notice = rails.told(place + 1).await.remove(place).json();
        assert_eq!(notice["status"], "FAILED");
        assert!(made["notif_token"].is_string() && notice["notif_token"] != made["notif_token"], "{notice}");
        assert_eq!(notice.get("notif_token").is_none(), forgery == "missing");
    }
}

#[tokio::test]
async fn who_leaves_the_page_leaves_an_order_that_runs_out_untold() {
    let rails = Rails::new().await;
    let token = token(&rails).await;
    let (_, made) = post(&rails, &token, CREATE, &ask(&rails)).await;
    let page = rails.call("POST", "orange_money/checkout/order-1/cancel").send().await.expect("the page");
    assert!(page.text().await.expect("a text").contains("https://app.cauris.test/cancel"));
    let question = json!({ "order_id": "order-1", "amount": 50_000, "pay_token": made["pay_token"] });
    assert_eq!(post(&rails, &token, STATUS, &question).await.1["status"], "EXPIRED");
    rails.told(0).await;
}
