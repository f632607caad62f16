//! Scenarios of money.md, section 6: one key, sent again: at once, otherwise, late, and after a refusal.

use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    i1_one_key_thirty_two_times_at_once_moves_once,
    i1_one_key_thirty_two_times_at_once_opens_one_checkout,
    i2_one_key_with_another_body_is_refused_without_effect,
    i3_a_pruned_key_does_not_pay_a_ride_twice,
    i3_a_pruned_key_does_not_refund_twice,
    i4_a_key_that_was_refused_for_funds_succeeds_once_there_are_some,
];

const INIT: &str = "moneroo-initialize-payment";
const WALLET: &str = "wallet-operations";

/// The same request by the same person, 32 times at once: what those were answered that were not told to wait.
async fn at_once(who: &Person, name: &str, ask: &Value) -> Vec<Reply> {
    let replies = futures_util::future::join_all((0..32).map(|_| who.call(name, ask.clone()))).await;
    let (answered, waiting): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status < 300);
    for reply in &waiting {
        reply.refused(409, "IDEMPOTENCY_IN_PROGRESS");
    }
    assert!(!answered.is_empty(), "nobody got through");
    answered
}

async fn i1_one_key_thirty_two_times_at_once_moves_once(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "XOF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "currency": "XOF", "recipient_id": binta.id,
                      "idempotency_key": "tapped-in-panic" });
    let answered = at_once(&fatou, WALLET, &ask).await;
    let first = answered.iter().filter(|reply| reply.header("idempotent-replayed").is_none()).count();
    assert_eq!(first, 1, "each of the others is a replay, and says so");
    assert!(answered.iter().all(|reply| reply.text == answered[0].text), "replays differ");
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await, binta.moves().await), (98_990, 1_000, 1));
}

async fn i1_one_key_thirty_two_times_at_once_opens_one_checkout(w: &'static World) {
    let fatou = w.person().await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "idempotency_key": "tapped-in-panic" });
    let answered = at_once(&fatou, INIT, &ask).await;
    assert_eq!(answered.iter().filter(|reply| reply.status == 201).count(), 1, "made once, given again with 200");
    assert!(answered.iter().all(|reply| reply.body["payment_id"] == answered[0].body["payment_id"]));
    let rows: i64 = w.one("select count(*) from payments.payments where user_id = $1", &[&fatou.id]).await;
    assert_eq!((rows, w.payments_of(&fatou).await.len()), (1, 1));
}

/// A card payment that is in the wallet, and what gives it back.
async fn refundable(w: &'static World, admin: &Person, payer: &Person, amount: i64) -> (String, Value) {
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "provider": "stripe" });
    let asked = payer.call(INIT, ask).await.ok(201).clone();
    w.pays(&asked).await;
    let id = payment_id(&asked).to_owned();
    w.becomes(&id, "success").await;
    let key = format!("refund-of-{}", admin.id.simple());
    let ask = json!({ "payment_id": id, "amount": amount, "reason": "by mistake", "destination": "original",
                      "idempotency_key": key });
    (id, ask)
}

async fn i2_one_key_with_another_body_is_refused_without_effect(w: &'static World) {
    let fatou = w.person().await;
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "idempotency_key": "one-deposit" });
    fatou.call(INIT, ask.clone()).await.ok(201);
    for (field, value) in [("amount", json!(100_001)), ("currency", json!("XOF")), ("provider", json!("stripe"))] {
        let mut other = ask.clone();
        other[field] = value;
        let reply = fatou.call(INIT, other).await;
        assert!(reply.is_refusal(422, "IDEMPOTENCY_MISMATCH"), "{field}: {reply}");
    }
    let rows: i64 = w.one("select count(*) from payments.payments where user_id = $1", &[&fatou.id]).await;
    assert_eq!((rows, w.payments_of(&fatou).await.len()), (1, 1));
    // A transfer: f80. A ride:
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let pay = |method: &str| {
        let ask = json!({ "rideId": ride, "paymentMethod": method, "idempotencyKey": "one-ride" });
        scene.rider.call("taxi-payment", ask)
    };
    pay("wallet").await.ok(200);
    let after = (scene.rider.gnf().await, scene.rider.moves().await);
    pay("cash").await.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!((scene.rider.gnf().await, scene.rider.moves().await), after);
    // A refund:
    let admin = w.admin().await;
    let (id, ask) = refundable(w, &admin, &fatou, 40_000).await;
    admin.call("payment-refund", ask.clone()).await.ok(201);
    let mut other = ask;
    other["amount"] = json!(50_000);
    admin.call("payment-refund", other).await.refused(422, "IDEMPOTENCY_MISMATCH");
    let given =
        "select sum(r.amount)::bigint from payments.payment_refunds r join payments.payments p on p.id = r.payment_id
                 where p.provider_payment_id = $1";
    assert_eq!((w.one::<i64>(given, &[&id]).await, fatou.gnf().await), (40_000, 60_000));
}

/// The day is over, and with it the keys of that day.
async fn pruned(w: &World, whose: &Person) {
    let gone = w.exec("delete from core.idempotency_keys where caller = $1", &[&whose.id]).await;
    assert!(gone > 0, "there was no key to prune");
}

async fn i3_a_pruned_key_does_not_pay_a_ride_twice(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let pay = |method: &str, key: &str| {
        let ask = json!({ "rideId": ride, "paymentMethod": method, "idempotencyKey": key });
        scene.rider.call("taxi-payment", ask)
    };
    let first = pay("wallet", "key-of-this-ride").await;
    let transaction = first.ok(200)["transaction"]["id"].clone();
    let after = (scene.rider.gnf().await, scene.rider.moves().await, scene.driver.gnf().await);
    pruned(w, &scene.rider).await;
    for key in ["key-of-this-ride", "another-key"] {
        let again = pay("wallet", key).await;
        assert_eq!((&again.ok(200)["duplicate"], &again.body["transaction"]["id"]), (&json!(true), &transaction));
    }
    pruned(w, &scene.rider).await;
    pay("cash", "key-of-this-ride").await.refused(422, "IDEMPOTENCY_MISMATCH");
    pay("card", "a-third-key").await.refused(409, "ALREADY_PAID");
    assert_eq!((scene.rider.gnf().await, scene.rider.moves().await, scene.driver.gnf().await), after);
}

async fn i3_a_pruned_key_does_not_refund_twice(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let (id, ask) = refundable(w, &admin, &fatou, 40_000).await;
    admin.call("payment-refund", ask.clone()).await.ok(201);
    pruned(w, &admin).await;
    admin.call("payment-refund", ask).await.refused(422, "IDEMPOTENCY_MISMATCH");
    let given =
        "select array_agg(r.amount) from payments.payment_refunds r join payments.payments p on p.id = r.payment_id
                 where p.provider_payment_id = $1";
    assert_eq!((w.one::<Vec<i64>>(given, &[&id]).await, fatou.gnf().await), (vec![40_000], 60_000));
    // Nor is the payment credited again when the inbox has forgotten its news.
    w.exec("delete from payments.payment_events where provider_payment_id = $1", &[&id]).await;
    let told = w
        .control(Method::GET, &format!("deliveries?provider=stripe&id={id}&event=payment_intent.succeeded"), json!({}))
        .await;
    let news: Value = serde_json::from_str(told[0]["body"].as_str().expect("text")).expect("JSON");
    let forgotten = "delete from payments.event_keys where provider = 'stripe' and dedupe_key like '%' || $1";
    assert_eq!(w.exec(forgotten, &[&news["id"].as_str().expect("an id")]).await, 1);
    assert_eq!(w.order(&format!("payments/{id}/redeliver"), json!({})).await["statuses"], json!([200]));
    assert_eq!(w.decided(&id, "payment_intent.succeeded").await, "already");
    assert_eq!(fatou.gnf().await, 60_000);
}

/// Refusals are not stored: the same key may be tried again after a top-up (contracts/README, section 4).
async fn i4_a_key_that_was_refused_for_funds_succeeds_once_there_are_some(w: &'static World) {
    let (fatou, binta) = (w.rich(500, "GNF").await, w.person().await);
    let send = |key: &str| {
        let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "idempotency_key": key });
        fatou.call(WALLET, ask)
    };
    for _ in 0..2 {
        send("before-the-top-up").await.refused(409, "INSUFFICIENT_FUNDS");
    }
    let stored = "select count(*) from core.idempotency_keys where caller = $1";
    assert_eq!((w.one::<i64>(stored, &[&fatou.id]).await, fatou.gnf().await, binta.moves().await), (0, 500, 0));
    fatou.fund(5_000, "GNF").await;
    let first = send("before-the-top-up").await;
    assert_eq!((first.ok(200)["amount"].as_i64(), first.header("idempotent-replayed")), (Some(1_000), None));
    let again = send("before-the-top-up").await;
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), Some("true")));
    assert_eq!((fatou.gnf().await, binta.gnf().await), (4_490, 1_000));
    assert_ne!(send("after-the-top-up").await.ok(200)["transaction_id"], first.body["transaction_id"]);
    assert_eq!((fatou.gnf().await, binta.gnf().await), (3_480, 2_000));
}
