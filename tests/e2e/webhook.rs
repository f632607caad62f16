//! The provider's callbacks: authenticated, stored, answered, and believed only after we have asked back.

use serde_json::json;

use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![reordered_webhooks_end_in_success, the_answer_does_not_wait_for_the_provider,];

async fn reordered_webhooks_end_in_success(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    for kind in ["payment.success", "payment.initiated", "payment.failed"] {
        let body = event(kind, id, 100_500, "GNF");
        assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    }
    w.becomes(id, "success").await;
    w.sweeps(id).await;
    assert_eq!((w.row(id).await["status"].as_str(), fatou.gnf().await), (Some("success"), 100_000));
}

async fn the_answer_does_not_wait_for_the_provider(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    w.fault(json!({ "on": "verify", "fault": "hang", "ms": 20_000, "payment_id": id, "times": 1 })).await;
    let started = std::time::Instant::now();
    let body = event("payment.success", id, 100_500, "GNF");
    assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    assert!(started.elapsed().as_secs() < 8, "answered after {:?}: the provider gives up after 3 s", started.elapsed());
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!(fatou.gnf().await, 100_000);
}
