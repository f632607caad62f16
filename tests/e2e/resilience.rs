//! Upstreams that are ill (contracts/non-functional.md, section 5): how soon we stop asking, how often we ask again, and
//! what is answered meanwhile. In a stack of its own: here a failing provider is left alone, as in production.

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::json;

use crate::sandbox::payment_id;
use crate::world::{World, wary_world};

const INIT: &str = "moneroo-initialize-payment";
const VERIFY: &str = "moneroo-verify-payment";
const METHODS: &str = "moneroo-get-payment-methods";

pub fn tests() -> Vec<Trial> {
    // One after the other: each has the provider to itself.
    vec![Trial::test("resilience::an_ill_provider_is_left_alone_asked_again_and_stood_in_for", || {
        crate::RUNTIME.block_on(async {
            let world = wary_world().await;
            n61_a_question_that_failed_is_asked_again(world).await;
            n61_a_charge_that_failed_is_not_sent_again(world).await;
            n50_a_list_is_asked_for_once_and_survives_its_source(world).await;
            n60_five_failures_in_a_row_and_nobody_is_asked_any_more(world).await;
            n65_a_provider_that_is_left_alone_stops_no_wallet(world).await;
            world.check_books().await;
        });
        Ok(())
    })]
}

async fn asked(w: &World, on: &str) -> usize {
    let seen = w.control(Method::GET, &format!("requests?on={on}"), json!({})).await;
    seen.as_array().or_else(|| seen["requests"].as_array()).expect("a list of requests").len()
}

async fn fault(w: &World, fault: serde_json::Value) {
    w.control(Method::POST, "faults", fault).await;
}

async fn n61_a_question_that_failed_is_asked_again(w: &'static World) {
    let fatou = w.person().await;
    let payment = fatou.deposit(100_000).await;
    let id = payment_id(&payment).to_owned();
    w.control(Method::POST, &format!("payments/{id}/pay"), json!({ "quiet": true })).await;
    fault(w, json!({ "on": "verify", "fault": "error", "status": 503, "times": 2 })).await;
    let before = asked(w, "verify").await;
    let reply = fatou.call(VERIFY, json!({ "payment_id": payment["payment_id"] })).await;
    assert_eq!(reply.ok(200)["payment"]["status"], "success", "the third answer was good");
    assert_eq!((asked(w, "verify").await - before, fatou.gnf().await), (3, 100_000));
}

async fn n61_a_charge_that_failed_is_not_sent_again(w: &'static World) {
    fault(w, json!({ "on": "initialize", "fault": "error", "status": 503, "times": 1 })).await;
    let (fatou, before) = (w.person().await, asked(w, "initialize").await);
    let reply = fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await;
    assert!(reply.status == 502 || reply.status == 504, "{reply}");
    assert_eq!(asked(w, "initialize").await - before, 1, "one request, whatever became of it");
}

async fn n50_a_list_is_asked_for_once_and_survives_its_source(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    let before = asked(w, "methods").await;
    let first = fatou.call(METHODS, json!({})).await;
    fault(w, json!({ "on": "methods", "fault": "error", "status": 500 })).await;
    let second = binta.call(METHODS, json!({})).await;
    assert_eq!(first.ok(200)["methods"], second.ok(200)["methods"]);
    assert_eq!(asked(w, "methods").await - before, 1);
    w.control(Method::DELETE, "faults", json!({})).await;
}

async fn n60_five_failures_in_a_row_and_nobody_is_asked_any_more(w: &'static World) {
    // A success in between starts the count anew.
    w.person().await.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await.ok(201);
    fault(w, json!({ "on": "initialize", "fault": "error", "status": 500 })).await;
    for _ in 0..5 {
        let reply = w.person().await.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await;
        assert!(reply.status == 502 || reply.status == 504, "{reply}");
    }
    let before = asked(w, "initialize").await;
    let fatou = w.person().await;
    let reply = fatou.call(INIT, json!({ "purpose": "wallet_deposit", "amount": 100_000 })).await;
    reply.refused(503, "DEPENDENCY_UNAVAILABLE");
    assert!(reply.header("retry-after").is_some(), "{reply}");
    assert_eq!(asked(w, "initialize").await, before, "the provider was asked");
    let left: String = w
        .one("select status from payments.payments where user_id = $1 order by created_at desc limit 1", &[&fatou.id])
        .await;
    assert_eq!(left, "failed", "nothing was sent, so nothing is in doubt");
    w.control(Method::DELETE, "faults", json!({})).await;
}

async fn n65_a_provider_that_is_left_alone_stops_no_wallet(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.person().await);
    fatou.send(&binta, 1_000, "GNF").await.ok(200);
    assert_eq!(binta.gnf().await, 1_000);
}
