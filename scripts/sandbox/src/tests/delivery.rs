//! Webhooks: what they carry, when they count as delivered, how often they come back.

use super::*;

#[tokio::test]
async fn a_success_is_told_once_with_a_signature_over_the_raw_body() {
    let world = World::new().await;
    let id = world.payment().await;
    world.pay(&id).await;
    let got = world.receiver.wait_for(1).await;
    assert!(got[0].is_authentic());
    let body = got[0].json();
    assert_eq!((&body["event"], &body["data"]["id"]), (&json!("payment.success"), &json!(id)));
    assert_eq!((&body["data"]["amount"], &body["data"]["currency"]), (&json!(50_000), &json!("GNF")));
    assert_eq!((&body["data"]["status"], &body["data"]["customer"]["firstName"]), (&json!("success"), &json!("Awa")));
}

#[tokio::test]
async fn initiated_events_are_sent_unless_they_are_switched_off() {
    let world = World::with(|config| config.initiated_events = true).await;
    world.payment().await;
    assert_eq!(world.receiver.wait_for(1).await[0].event(), "payment.initiated");
}

#[tokio::test]
async fn whatever_is_not_200_comes_back_three_times_with_the_same_bytes() {
    for status in [201, 204, 302, 403, 500] {
        let world = World::new().await;
        world.receiver.plan(&[Plan::Status(status); 9]);
        let id = world.payment().await;
        world.pay(&id).await;
        let got = world.receiver.wait_for(4).await;
        assert!(got.iter().all(|again| again.body == got[0].body && again.is_authentic()), "{status}");
        let log = world.order("GET", "deliveries", json!({ "id": id })).await;
        let log: Vec<_> =
            log.as_array().expect("a list").iter().map(|one| (&one["attempt"], &one["outcome"])).collect();
        assert_eq!(log.len(), 4);
        assert!(log.iter().all(|one| one.1 == "failed"), "{log:?}");
    }
}

#[tokio::test]
async fn a_retry_that_is_answered_200_is_the_last() {
    let world = World::new().await;
    world.receiver.plan(&[Plan::Status(500), Plan::Status(503)]);
    let id = world.payment().await;
    world.pay(&id).await;
    world.receiver.wait_for(3).await;
    let delivered = world.order("GET", "deliveries", json!({ "id": id, "status": "delivered" })).await;
    assert_eq!((delivered.as_array().map(Vec::len), &delivered[0]["attempt"]), (Some(1), &json!(3)));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_counts_as_none() {
    let world = World::with(|config| config.webhook_timeout = Duration::from_millis(100)).await;
    world.receiver.plan(&[Plan::Slow(Duration::from_millis(400))]);
    let id = world.payment().await;
    world.pay(&id).await;
    world.receiver.wait_for(2).await;
    let log = world.order("GET", "deliveries", json!({ "id": id })).await;
    assert_eq!((&log[0]["error"], &log[1]["outcome"]), (&json!("timeout"), &json!("delivered")));
}

#[tokio::test]
async fn without_an_address_nothing_is_sent_and_the_log_says_so() {
    let world = World::with(|config| config.webhook_url = None).await;
    let id = world.payment().await;
    world.order("POST", &format!("payments/{id}/pay"), json!({ "wait": true })).await;
    let log = world.order("GET", "deliveries", json!({})).await;
    assert_eq!(log.as_array().map(Vec::len), Some(1));
    assert_eq!(log[0]["error"], "no webhook URL is set");
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_port_and_sends_no_more() {
    let world = World::with(|config| config.retry_delay = Duration::from_millis(80)).await;
    world.receiver.plan(&[Plan::Status(500); 4]);
    let id = world.payment().await;
    world.pay(&id).await;
    world.receiver.wait_for(1).await;
    let addr = world.sandbox.addr;
    world.sandbox.stop().await;
    let again = serve(addr, Config::default()).await.expect("the port is free");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(world.receiver.got().len(), 1);
    again.stop().await;
}
