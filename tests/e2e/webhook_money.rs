//! What a callback's money does: less, more, another currency, somebody else's, or none at all.

use serde_json::{Value, json};

use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    a_payment_of_somebody_else_with_our_metadata_credits_nobody,
    a_lower_amount_goes_to_suspense,
    a_higher_amount_is_fulfilled_and_the_rest_is_the_payers,
    another_currency_fulfils_nothing,
    a_webhook_that_verify_contradicts_credits_nothing,
    a_payment_of_another_environment_is_ignored,
    amounts_are_read_however_the_provider_writes_them,
    success_after_the_ride_was_cancelled_is_surplus,
];

async fn suspense(w: &World, id: &str) -> Value {
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(a.kind, e.amount, e.currency) order by e.amount), '[]')
        from ledger.transactions t join ledger.entries e on e.transaction_id = t.id
        join ledger.accounts a on a.id = e.account_id
        where t.reference_id = (select p.id::text from payments.payments p where p.provider_payment_id = $1)";
    w.one(sql, &[&id]).await
}

async fn a_payment_of_somebody_else_with_our_metadata_credits_nobody(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let own = &w.payments_of(&fatou).await[0];
    let row = w.row(payment_id(&asked)).await;
    for amount in [1, 100_500] {
        let mut metadata = own["metadata"].clone();
        (metadata["order_id"], metadata["payment_id"]) = (row["id"].clone(), row["id"].clone());
        let foreign =
            json!({ "amount": amount, "currency": "GNF", "status": "success", "metadata": metadata, "notify": true });
        let foreign = w.order("payments", foreign).await;
        w.eventually("the foreign payment is an orphan", async || {
            w.alerted("orphan_payment", payment_id(&foreign)).await.then_some(())
        })
        .await;
    }
    assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
    assert_eq!(w.row(payment_id(&asked)).await["status"], "pending", "and her own payment still waits");
}

async fn a_lower_amount_goes_to_suspense(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "amount": 100_499 })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], &row["verified_amount"]), (&json!("underpaid"), &json!(100_499)));
    assert_eq!(fatou.gnf().await, 0);
    assert_eq!(suspense(w, id).await, json!([["provider_clearing", -100_499, "GNF"], ["suspense", 100_499, "GNF"]]));
    let own = row["id"].as_str().expect("an id");
    assert!(w.alerted("money_in_suspense", own).await, "nobody is told");
}

async fn a_higher_amount_is_fulfilled_and_the_rest_is_the_payers(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "amount": 100_501 })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await), (&json!("overpaid"), 100_001));
}

async fn another_currency_fulfils_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "currency": { "code": "XOF" } })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_ne!(row["settlement"], "settled");
    assert_eq!((fatou.gnf().await, fatou.balance("XOF").await), (0, 0));
    assert_eq!(suspense(w, id).await, json!([["provider_clearing", -100_500, "XOF"], ["suspense", 100_500, "XOF"]]));
}

async fn a_webhook_that_verify_contradicts_credits_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    let sent = w.order(&format!("payments/{id}/redeliver"), json!({ "status": "success" })).await;
    assert_eq!(sent["statuses"], json!([200]));
    w.eventually("we asked back", async || (w.times_asked("verify", id).await > 0).then_some(())).await;
    w.sweeps(id).await;
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.row(id).await["status"].as_str()), (0, 0, Some("pending")));
    // The true event has the same key as the lie. It is the sweep that finds the money.
    w.pays(&asked).await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!(fatou.gnf().await, 100_000);
}

async fn a_payment_of_another_environment_is_ignored(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "environment": "live" })).await;
    w.pays(&asked).await;
    let own = w.row(id).await["id"].as_str().expect("an id").to_owned();
    w.eventually("it is reported", async || w.alerted("wrong_environment", &own).await.then_some(())).await;
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.row(id).await["status"].as_str()), (0, 0, Some("pending")));
}

async fn amounts_are_read_however_the_provider_writes_them(w: &'static World) {
    for (amount, settled) in [(json!(100_500.0), true), (json!(100_500.5), false), (json!(null), false)] {
        let fatou = w.person().await;
        let asked = fatou.deposit(100_000).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/answer"), json!({ "amount": amount, "currency": "GNF" })).await;
        w.pays(&asked).await;
        if settled {
            w.becomes(id, "success").await;
        } else {
            w.sweeps(id).await;
        }
        assert_eq!(fatou.gnf().await, if settled { 100_000 } else { 0 }, "{amount}");
    }
}

async fn success_after_the_ride_was_cancelled_is_surplus(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    let asked = scene.rider.call("moneroo-initialize-payment", ask).await.ok(201).clone();
    let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "too slow" });
    scene.rider.call("taxi-update-ride-status", cancel).await.ok(200);
    w.pays(&asked).await;
    let row = w.becomes(payment_id(&asked), "success").await;
    assert_eq!((&row["settlement"], scene.rider.gnf().await), (&json!("surplus"), 500_000 + price));
    assert_eq!(scene.driver.gnf().await, 0);
}
