//! Orders that are no faults: moving, repeating, inventing, looking.

use super::*;

#[tokio::test]
async fn success_follows_a_failed_attempt_and_nothing_follows_success_unless_forced() {
    let world = World::new().await;
    let id = world.payment().await;
    let path = |order: &str| format!("payments/{id}/{order}");
    world.order("POST", &path("fail"), json!({})).await;
    world.order("POST", &path("pay"), json!({})).await;
    for order in ["pay", "fail", "cancel", "pending"] {
        let refused = world.sandbox.control("POST", &path(order), json!({})).await;
        assert_eq!(refused.map_err(|problem| problem.status), Err(409), "{order}");
    }
    assert_eq!(world.verify(&id).await["status"], "success");
    world.order("POST", &path("fail"), json!({ "force": true, "wait": true })).await;
    let events: Vec<_> = world.receiver.wait_for(3).await.iter().map(Got::event).collect();
    assert_eq!(events.iter().filter(|event| *event == "payment.failed").count(), 2);
    assert_eq!(world.verify(&id).await["status"], "failed");
}

#[tokio::test]
async fn one_webhook_is_redelivered_fifty_times_at_once() {
    let world = World::new().await;
    let id = world.payment().await;
    world.order("POST", &format!("payments/{id}/pay"), json!({ "quiet": true })).await;
    let sent = world.order("POST", &format!("payments/{id}/redeliver"), json!({ "times": 50 })).await;
    assert_eq!(sent["statuses"], json!(vec![200; 50]));
    let got = world.receiver.wait_for(50).await;
    assert!(got.iter().all(|one| one.body == got[0].body && one.is_authentic()));
}

#[tokio::test]
async fn a_webhook_can_lie_about_the_status_while_verify_does_not() {
    let world = World::new().await;
    let id = world.payment().await;
    world.order("POST", &format!("payments/{id}/redeliver"), json!({ "status": "success" })).await;
    let got = world.receiver.wait_for(1).await;
    assert_eq!((got[0].event().as_str(), got[0].is_authentic()), ("payment.success", true));
    assert_eq!(world.verify(&id).await["status"], "initiated");
}

#[tokio::test]
async fn any_bytes_are_delivered_with_any_signature() {
    let world = World::new().await;
    for (order, body, authentic) in [
        (json!({ "body": "{ \"event\": 1 }" }), b"{ \"event\": 1 }".to_vec(), true),
        (json!({ "body": { "event": "payment.disputed" } }), b"{\"event\":\"payment.disputed\"}".to_vec(), true),
        (json!({ "body_hex": "ff00" }), vec![0xff, 0], true),
        (json!({ "body": "x", "signature": "abc" }), b"x".to_vec(), false),
        (json!({ "body": "x", "signature": null }), b"x".to_vec(), false),
        (json!({ "body": "x", "secret": "other" }), b"x".to_vec(), false),
    ] {
        let sent = world.order("POST", "webhooks/deliver", order.clone()).await;
        assert_eq!(sent["statuses"], json!([200]));
        let got = world.receiver.got().pop().expect("a webhook");
        assert_eq!((got.body.clone(), got.is_authentic()), (body, authentic), "{order}");
    }
}

#[tokio::test]
async fn a_payment_that_nobody_asked_for_is_real_to_verify_and_signed_as_ours() {
    let world = World::new().await;
    let order = json!({
        "amount": 1, "currency": "GNF", "status": "success", "environment": "live",
        "metadata": { "order_id": "of-the-victim" }, "notify": true,
    });
    let made = world.order("POST", "payments", order).await;
    let got = world.receiver.wait_for(1).await;
    assert!(got[0].is_authentic());
    assert_eq!(got[0].json()["data"]["id"], made["id"]);
    let verified = world.verify(made["id"].as_str().expect("an id")).await;
    assert_eq!((&verified["status"], &verified["amount"]), (&json!("success"), &json!(1)));
    assert_eq!(
        (&verified["environment"], &verified["metadata"]["order_id"]),
        (&json!("live"), &json!("of-the-victim"))
    );
}

#[tokio::test]
async fn the_calls_we_received_can_be_counted() {
    let world = World::new().await;
    let id = world.payment().await;
    world.verify(&id).await;
    world.verify(&id).await;
    let asked = world.order("GET", "requests", json!({ "on": "verify", "id": id })).await;
    assert_eq!(asked.as_array().map(Vec::len), Some(2));
    assert_eq!((&asked[0]["status"], &asked[0]["email"]), (&json!(200), &json!("awa@cauris.test")));
}

#[tokio::test]
async fn orders_come_over_http_too_and_misspelt_ones_are_refused() {
    let world = World::new().await;
    let id = world.payment().await;
    let url = |path: &str| format!("{}/_control/{path}", world.sandbox.url());
    let (status, paid) = read(world.http.post(url(&format!("payments/{id}/pay")))).await;
    assert_eq!((status, &paid["status"]), (200, &json!("success")));
    let (status, found) = read(world.http.get(url(&format!("payments?id={id}&status=success")))).await;
    assert_eq!((status, &found[0]["id"]), (200, &json!(id)));
    for (path, body, expected) in [
        ("faults", json!({ "on": "webhook", "fault": "drop", "time": 1 }), 422),
        ("faults", json!({ "on": "webhook", "fault": "hang" }), 422),
        ("payments/nobody/pay", json!({}), 404),
        ("nothing", json!({}), 404),
    ] {
        assert_eq!(read(world.http.post(url(path)).json(&body)).await.0, expected, "{path} {body}");
    }
    assert_eq!(world.order("GET", "faults", json!({})).await, json!([]));
}

#[tokio::test]
async fn a_reset_forgets_everything_but_the_settings() {
    let world = World::new().await;
    world.order("PATCH", "settings", json!({ "retry_delay_ms": 7 })).await;
    world.fault(json!({ "on": "verify", "fault": "error" })).await;
    let id = world.payment().await;
    world.order("POST", "reset", json!({})).await;
    assert_eq!(world.get(&format!("/v1/payments/{id}")).await.0, 404);
    for list in ["payments", "payouts", "faults", "deliveries"] {
        assert_eq!(world.order("GET", list, json!({})).await, json!([]), "{list}");
    }
    assert_eq!(world.order("GET", "settings", json!({})).await["retry_delay_ms"], 7);
}
