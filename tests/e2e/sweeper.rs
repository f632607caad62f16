//! What no webhook told us: `retry-failed-transactions` finds it, asks, and settles.

use serde_json::{Value, json};

use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![
    a_lost_first_attempt_that_is_paid_too_is_surplus,
    a_payment_whose_tag_was_changed_is_not_adopted,
    an_event_whose_verification_failed_is_tried_again,
    checks_have_their_times_and_end_in_expired,
    money_for_an_expired_payment_is_kept,
    two_sweeps_at_once_settle_once,
    the_sweep_creates_nothing_and_fails_nothing_by_itself,
];

/// The provider makes the payment and never says so; what our client sees, and the provider's payment.
pub async fn lost_answer(w: &'static World, fatou: &crate::people::Person, key: &str) -> (crate::call::Reply, Value) {
    w.fault(json!({ "on": "initialize", "fault": "hang", "ms": 30_000, "email": fatou.email, "times": 1 })).await;
    // Nor does it announce the payment: that event alone would be enough to adopt it.
    w.fault(json!({ "on": "webhook", "fault": "drop", "event": "payment.initiated", "email": fatou.email })).await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "idempotency_key": key });
    let reply = fatou.call("moneroo-initialize-payment", ask).await;
    let made = w.payments_of(fatou).await.pop().expect("the provider has the payment");
    (reply, made)
}

pub async fn status_of_first(w: &World, fatou: &crate::people::Person) -> String {
    let sql = "select status from payments.payments where user_id = $1 order by created_at limit 1";
    w.one(sql, &[&fatou.id]).await
}

async fn a_lost_first_attempt_that_is_paid_too_is_surplus(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let fault = json!({ "on": "initialize", "fault": "hang", "ms": 30_000, "email": scene.rider.email, "times": 1 });
    w.fault(fault).await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    scene.rider.call("moneroo-initialize-payment", ask.clone()).await.refused(504, "PROVIDER_TIMEOUT");
    let lost = w.payments_of(&scene.rider).await.pop().expect("the provider has it");
    let second = scene.rider.call("moneroo-initialize-payment", ask).await;
    assert_ne!(second.ok(201)["payment_id"], lost["id"]);
    w.pays(&second.body).await;
    w.becomes(payment_id(&second.body), "success").await;
    w.pays(&lost).await;
    let row = w.becomes(payment_id(&lost), "success").await;
    assert_eq!((&row["settlement"], scene.rider.gnf().await), (&json!("surplus"), 500_000 + price));
}

async fn a_payment_whose_tag_was_changed_is_not_adopted(w: &'static World) {
    let fatou = w.person().await;
    let (_, made) = lost_answer(w, &fatou, "deposit-changed-tag").await;
    // A thief copies the metadata to a payment of his own, of another amount; and alters what he copies.
    let metadata = made["metadata"].as_object().cloned().expect("metadata");
    let tag = metadata.keys().find(|key| key.contains("tag")).expect("a tag").clone();
    let mut broken = metadata.clone();
    broken.insert(tag, json!("00".repeat(32)));
    for (amount, metadata) in [(1_000, metadata), (100_500, broken)] {
        let ask =
            json!({ "amount": amount, "currency": "GNF", "status": "success", "metadata": metadata, "notify": true });
        let theirs = w.order("payments", ask).await;
        let id = payment_id(&theirs).to_owned();
        w.eventually("an orphan", async || w.alerted("orphan_payment", &id).await.then_some(())).await;
    }
    assert_eq!((fatou.gnf().await, status_of_first(w, &fatou).await.as_str()), (0, "unknown"));
}

async fn an_event_whose_verification_failed_is_tried_again(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    // Until it is taken back: the provider's first event, that it was initiated, makes us ask too.
    let down = json!({ "on": "verify", "fault": "error", "status": 503, "payment_id": id });
    let down = w.control(reqwest::Method::POST, "faults", down).await;
    w.pays(&asked).await;
    w.eventually("we asked", async || (w.times_asked("verify", id).await > 0).then_some(())).await;
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await), (1, 0));
    let fault = down["id"].as_str().map_or_else(|| down["id"].to_string(), str::to_owned);
    w.control(reqwest::Method::DELETE, &format!("faults/{fault}"), json!({})).await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!(fatou.gnf().await, 100_000);
}

async fn checks_have_their_times_and_end_in_expired(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    let due = "select round(extract(epoch from next_check_at - created_at))::bigint from payments.payments
               where provider_payment_id = $1";
    assert_eq!(w.one::<i64>(due, &[&id]).await, 5 * 60);
    let sql = "update payments.payments set created_at = now() - make_interval(secs => $2),
               next_check_at = now() - interval '1 year'
               where provider_payment_id = $1";
    for (age, next) in [(5.0 * 60.0, 3_600), (3_600.0, 6 * 3_600), (6.0 * 3_600.0, 24 * 3_600)] {
        w.exec(sql, &[&id, &age]).await;
        w.tick("retry-failed-transactions").await.ok(200);
        assert_eq!((w.row(id).await["status"].as_str(), w.one::<i64>(due, &[&id]).await), (Some("pending"), next));
    }
    w.exec(sql, &[&id, &(24.0 * 3_600.0)]).await;
    w.tick("retry-failed-transactions").await.ok(200);
    let row = w.row(id).await;
    assert_eq!((row["status"].as_str(), &row["next_check_at"], fatou.gnf().await), (Some("expired"), &Value::Null, 0));
}

async fn money_for_an_expired_payment_is_kept(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    let sql = "update payments.payments set status = 'expired', next_check_at = null where provider_payment_id = $1";
    w.exec(sql, &[&id]).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await), (&json!("settled"), 100_000));
    let own = row["id"].as_str().expect("an id");
    assert!(w.alerted("late_success", own).await);
}

async fn two_sweeps_at_once_settle_once(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let webhook = w.delivers(json!({ "body": event("payment.success", id, 100_500, "GNF"), "times": 4 }));
    let claim = json!({ "operation": "deposit", "payment_id": id });
    tokio::join!(w.sweeps(id), w.sweeps(id), w.sweeps(id), webhook, fatou.call("wallet-operations", claim));
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn the_sweep_creates_nothing_and_fails_nothing_by_itself(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.fault(json!({ "on": "verify", "fault": "error", "status": 500, "payment_id": id, "times": 2 })).await;
    w.sweeps(id).await;
    w.sweeps(id).await;
    assert_eq!(w.row(id).await["status"], "pending", "a time-out or an error of theirs is no answer");
    assert_eq!(w.payments_of(&fatou).await.len(), 1, "a second charge was made");
}
