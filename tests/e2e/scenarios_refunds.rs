//! The scenarios of money.md, section 6, about money that goes back: refunds and objections, R1 to R6.

use serde_json::{Value, json};

use crate::outgoing::{fresh_key, id_of};
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    r1_more_than_was_captured_or_what_was_not_captured_is_not_refunded,
    r1_money_of_another_currency_is_not_refunded_as_if_it_were_ours,
    r1_only_somebody_elses_admin_refunds_and_says_why,
    r2_thirty_thirty_forty_and_then_one,
    r3_a_refund_that_fails_at_the_provider_gives_back_once,
    r3_a_refund_that_the_provider_refuses_gives_back_once,
    r4_what_was_refunded_in_the_dashboard_is_reconciled_and_not_refunded_again,
    r4_a_refund_of_what_the_dashboard_gave_back_unheard_is_no_error_of_ours,
    r5_an_objection_freezes_and_lost_then_won_nets_to_zero,
    r5_won_that_is_told_before_lost_nets_to_zero,
    r6_a_refund_after_the_driver_withdrew_is_the_platforms_loss,
    r6_a_payer_whose_wallet_is_empty_is_refused_and_a_chargeback_is_the_platforms_loss,
];

/// What a payer has, what has moved, and what of the payment is on its way back.
async fn state(w: &World, who: &Person, payment: &Value) -> (i64, i64, i64) {
    (who.balance("XOF").await, who.moves().await, w.refunded(payment).await)
}

fn theirs(payment: &Value) -> &str {
    payment["provider_payment_id"].as_str().expect("the provider's id")
}

async fn r1_more_than_was_captured_or_what_was_not_captured_is_not_refunded(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let open = fatou.deposit(50_000).await;
    let open = w.row(payment_id(&open)).await;
    w.refunds(&admin, &open, None, "original").await.refused(409, "NOT_REFUNDABLE");
    let paid = w.paid_by_card(&fatou, 10_000).await;
    for too_much in [10_051, 20_100, 9_007_199_254_740_991] {
        let refusal = w.refunds(&admin, &paid, Some(too_much), "original").await;
        assert_eq!(refusal.refused(409, "REFUND_EXCEEDS_CAPTURED")["details"]["remaining"], 10_050);
    }
    // Between the deposit and the whole lies the fee, which goes back with the whole alone.
    w.refunds(&admin, &paid, Some(10_001), "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    w.refunds(&admin, &paid, Some(10_000), "wallet").await.refused(409, "NOT_REFUNDABLE");
    assert_eq!(state(w, &fatou, &paid).await, (10_000, 1, 0));
    let whole = w.refunds(&admin, &paid, Some(10_050), "original").await;
    assert_eq!(whole.ok(201)["refund"]["remaining"], 0);
    w.refunds(&admin, &paid, Some(1), "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    assert_eq!((state(w, &fatou, &paid).await, fatou.gnf().await), ((0, 2, 10_050), 0));
}

async fn r1_money_of_another_currency_is_not_refunded_as_if_it_were_ours(w: &'static World) {
    let (fatou, admin) = (w.rich(200_000, "GNF").await, w.admin().await);
    let asked = fatou.deposit(100_000).await;
    let answer = json!({ "currency": { "code": "XOF" } });
    w.order(&format!("payments/{}/answer", payment_id(&asked)), answer).await;
    w.pays(&asked).await;
    let paid = w.becomes(payment_id(&asked), "success").await;
    for (amount, destination) in [(None, "original"), (Some(100_500), "original"), (Some(1_000), "wallet")] {
        w.refunds(&admin, &paid, amount, destination).await.refused(409, "NOT_REFUNDABLE");
    }
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.refunded(&paid).await), (200_000, 1, 0));
    let waits = json!({ "suspense/provider_clearing": -100_500, "suspense/suspense": 100_500 });
    assert_eq!(w.booked("payment", id_of(&paid)).await, waits, "where it waits for somebody to look");
}

async fn r1_only_somebody_elses_admin_refunds_and_says_why(w: &'static World) {
    let (fatou, stranger, admin) = (w.person().await, w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    let own = w.paid_by_card(&admin, 10_000).await;
    for who in [&fatou, &stranger] {
        w.refunds(who, &paid, Some(1_000), "original").await.refused(403, "FORBIDDEN");
    }
    w.refunds(&admin, &own, Some(1_000), "original").await.refused(403, "FORBIDDEN");
    let unknown = json!({ "id": xtask::keys::random_uuid() });
    w.refunds(&admin, &unknown, Some(1_000), "original").await.refused(404, "NOT_FOUND");
    let whole = json!({ "payment_id": paid["id"], "amount": 1_000, "reason": "a reason", "destination": "original",
                        "idempotency_key": fresh_key("complete") });
    for (field, value) in [("idempotency_key", Value::Null), ("reason", json!("no")), ("destination", json!("cash"))] {
        let mut ask = whole.clone();
        ask[field] = value;
        admin.call("payment-refund", ask).await.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!((state(w, &fatou, &paid).await, stranger.moves().await), ((10_000, 1, 0), 0));
    let first = admin.call("payment-refund", whole.clone()).await;
    let again = admin.call("payment-refund", whole.clone()).await;
    assert_eq!((first.ok(201), again.header("idempotent-replayed")), (again.ok(201), Some("true")));
    let mut other = whole;
    other["amount"] = json!(2_000);
    admin.call("payment-refund", other).await.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(state(w, &fatou, &paid).await, (9_000, 2, 1_000));
}

async fn r2_thirty_thirty_forty_and_then_one(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let asked = fatou.call("create-payment", json!({ "plan_id": "premium_subscription", "currency": "XAF" })).await;
    w.pays(asked.ok(201)).await;
    let paid = w.becomes(payment_id(&asked.body), "success").await;
    let plan = "select status from payments.paid_entitlements where payment_id::text = $1";
    for (amount, remaining) in [(4_500, 10_500), (4_500, 6_000), (6_000, 0)] {
        assert_eq!(w.one::<String>(plan, &[&id_of(&paid)]).await, "active", "a part given back leaves the plan");
        let reply = w.refunds(&admin, &paid, Some(amount), "wallet").await;
        let refund = &reply.ok(201)["refund"];
        assert_eq!((&refund["status"], &refund["remaining"]), (&json!("succeeded"), &json!(remaining)));
        assert_eq!(fatou.balance("XAF").await, 15_000 - remaining);
    }
    for amount in [Some(1), None] {
        w.refunds(&admin, &paid, amount, "wallet").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    }
    assert_eq!((fatou.balance("XAF").await, fatou.moves().await, w.refunded(&paid).await), (15_000, 3, 15_000));
    assert_eq!(w.row(payment_id(&asked.body)).await["status"], "refunded");
    assert_eq!(w.one::<String>(plan, &[&id_of(&paid)]).await, "expired");
}

async fn r3_a_refund_that_fails_at_the_provider_gives_back_once(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    // Nobody tells us that it was made, so that it can still fail.
    w.fault(json!({ "on": "webhook", "fault": "drop", "event": "refund.created", "payment_id": theirs(&paid) })).await;
    let reply = w.refunds(&admin, &paid, Some(4_000), "original").await;
    assert_eq!((&reply.ok(201)["refund"]["status"], fatou.balance("XOF").await), (&json!("pending"), 6_000));
    let payout = w.payout_of(&reply.body["refund"]).await;
    let sent = w.sent(id_of(&payout), "processing").await;
    w.looked_into(theirs(&paid), "charge.refunded", 1).await;
    // The bank sends it back, and the provider says so more than once.
    let refund = sent["provider_payout_id"].as_str().expect("the provider's id");
    for _ in 0..3 {
        w.order(&format!("refunds/{refund}/fail"), json!({})).await;
    }
    w.payout_becomes(id_of(&payout), "failed").await;
    w.rechecks_payout(id_of(&payout)).await;
    let home = json!({ "refund_returned/payout_clearing": -4_000, "refund_returned/user_wallet": 4_000 });
    assert_eq!(w.booked("payout", id_of(&payout)).await, home);
    assert_eq!(state(w, &fatou, &paid).await, (10_000, 3, 0), "the wallet has it again, once");
    assert_eq!(w.row(theirs(&paid)).await["status"], "success");
    // And it may be given back after all, to the last franc.
    let whole = w.refunds(&admin, &paid, None, "original").await;
    assert_eq!(whole.ok(201)["refund"]["amount"], 10_050);
    let payout = w.payout_of(&whole.body["refund"]).await;
    w.sent(id_of(&payout), "processing").await;
    w.rechecks_payout(id_of(&payout)).await;
    w.payout_becomes(id_of(&payout), "completed").await;
    assert_eq!(state(w, &fatou, &paid).await, (0, 4, 10_050));
    assert_eq!(w.row(theirs(&paid)).await["status"], "refunded");
}

async fn r3_a_refund_that_the_provider_refuses_gives_back_once(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    w.fault(json!({ "on": "refund", "fault": "error", "status": 402, "payment_id": theirs(&paid), "times": 1 })).await;
    let reply = w.refunds(&admin, &paid, None, "original").await;
    assert_eq!((&reply.ok(201)["refund"]["amount"], fatou.balance("XOF").await), (&json!(10_050), 0));
    let payout = w.payout_of(&reply.body["refund"]).await;
    w.sent(id_of(&payout), "failed").await;
    w.tick("payout-process").await.ok(200);
    assert_eq!(w.times_asked("refund", theirs(&paid)).await, 1, "a clear no is not asked again");
    let home = json!({ "refund_returned/payout_clearing": -10_050, "refund_returned/user_wallet": 10_000,
                       "refund_returned/platform_fees": 50 });
    assert_eq!((w.booked("payout", id_of(&payout)).await, state(w, &fatou, &paid).await), (home, (10_000, 3, 0)));
    w.refunds(&admin, &paid, None, "original").await.ok(201);
}

async fn r4_what_was_refunded_in_the_dashboard_is_reconciled_and_not_refunded_again(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    let dashboard = async |amount: i64| {
        w.order(&format!("payments/{}/refund", theirs(&paid)), json!({ "amount": amount, "wait": true })).await;
    };
    dashboard(4_000).await;
    w.looked_into(theirs(&paid), "charge.refunded", 1).await;
    assert_eq!(state(w, &fatou, &paid).await, (6_000, 2, 4_000));
    let refusal = w.refunds(&admin, &paid, Some(6_051), "original").await;
    assert_eq!(refusal.refused(409, "REFUND_EXCEEDS_CAPTURED")["details"]["remaining"], 6_050);
    dashboard(6_050).await;
    w.looked_into(theirs(&paid), "charge.refunded", 2).await;
    for amount in [None, Some(1), Some(10_050)] {
        w.refunds(&admin, &paid, amount, "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    }
    assert_eq!(state(w, &fatou, &paid).await, (0, 3, 10_050), "each once");
    assert_eq!(w.row(theirs(&paid)).await["status"], "refunded");
}

async fn r4_a_refund_of_what_the_dashboard_gave_back_unheard_is_no_error_of_ours(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    w.fault(json!({ "on": "webhook", "fault": "drop", "event": "charge.refunded", "payment_id": theirs(&paid) })).await;
    w.order(&format!("payments/{}/refund", theirs(&paid)), json!({ "wait": true })).await;
    assert_eq!(state(w, &fatou, &paid).await, (10_000, 1, 0), "nobody has told us");
    let reply = w.refunds(&admin, &paid, None, "original").await;
    let payout = w.payout_of(&reply.ok(201)["refund"]).await;
    w.sent(id_of(&payout), "failed").await;
    let home = json!({ "refund_returned/payout_clearing": -10_050, "refund_returned/user_wallet": 10_000,
                       "refund_returned/platform_fees": 50 });
    assert_eq!(w.booked("payout", id_of(&payout)).await, home, "refused there, so it went home");
    // Such a no makes us look again; what the dashboard did is booked as the dashboard's, once.
    w.sweeps(theirs(&paid)).await;
    let known = async || (w.refunded(&paid).await == 10_050).then_some(());
    w.eventually("what the dashboard did is known", known).await;
    let object = json!({ "id": "ch_late", "object": "charge", "payment_intent": theirs(&paid) });
    let late =
        json!({ "id": format!("evt_{}", fresh_key("late")), "type": "charge.refunded", "data": { "object": object } });
    let sent = w.delivers(json!({ "provider": "stripe", "body": late, "times": 3 })).await;
    assert_eq!(sent, [200, 200, 200]);
    w.looked_into(theirs(&paid), "charge.refunded", 1).await;
    assert_eq!(state(w, &fatou, &paid).await, (0, 4, 10_050));
    w.refunds(&admin, &paid, None, "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    assert_eq!(w.row(theirs(&paid)).await["status"], "refunded");
}

async fn r5_an_objection_freezes_and_lost_then_won_nets_to_zero(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    w.disputed(theirs(&paid), "open").await;
    let dispute = w.dispute_becomes(&paid, "open").await;
    w.refunds(&admin, &paid, Some(1_000), "original").await.refused(409, "IN_DISPUTE");
    assert_eq!(
        (state(w, &fatou, &paid).await, w.booked("dispute", id_of(&dispute)).await),
        ((10_000, 1, 0), json!({}))
    );
    w.disputed(theirs(&paid), "lost").await;
    w.dispute_becomes(&paid, "lost").await;
    w.disputed(theirs(&paid), "lost").await;
    let lost = json!({ "chargeback/user_wallet": -10_000, "chargeback/platform_fees": -50, "chargeback/provider_clearing": 10_050 });
    assert_eq!(w.booked("dispute", id_of(&dispute)).await, lost);
    w.refunds(&admin, &paid, Some(1), "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
    assert_eq!(state(w, &fatou, &paid).await, (0, 2, 0));
    w.disputed(theirs(&paid), "won").await;
    w.dispute_becomes(&paid, "won").await;
    let mut both = lost;
    (both["chargeback_reversed/user_wallet"], both["chargeback_reversed/platform_fees"]) = (json!(10_000), json!(50));
    both["chargeback_reversed/provider_clearing"] = json!(-10_050);
    for state in ["won", "lost"] {
        w.disputed(theirs(&paid), state).await;
    }
    // Created once, and closed as lost, won: what was said again has the same id.
    w.looked_into(theirs(&paid), "charge.dispute.closed", 2).await;
    assert_eq!(w.booked("dispute", id_of(&dispute)).await, both, "to and fro, each once");
    assert_eq!(state(w, &fatou, &paid).await, (10_000, 3, 0));
    w.refunds(&admin, &paid, None, "original").await.ok(201);
}

async fn r5_won_that_is_told_before_lost_nets_to_zero(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    for (state, closed) in [("won", 1), ("lost", 2)] {
        w.disputed(theirs(&paid), state).await;
        w.looked_into(theirs(&paid), "charge.dispute.closed", closed).await;
    }
    let dispute = w.dispute_becomes(&paid, "won").await;
    assert_eq!((w.booked("dispute", id_of(&dispute)).await, &dispute["booked"]), (json!({}), &json!(false)));
    assert_eq!(state(w, &fatou, &paid).await, (10_000, 1, 0), "a loss that is heard of after the win was before it");
    w.refunds(&admin, &paid, Some(1_000), "original").await.ok(201);
}

async fn r6_a_refund_after_the_driver_withdrew_is_the_platforms_loss(w: &'static World) {
    let (scene, admin) = (w.scene().await, w.admin().await);
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let asked = scene.pay(&ride, "card").await.ok(200)["payment"].clone();
    w.pays(&asked).await;
    let paid = w.becomes(payment_id(&asked), "success").await;
    // While the ride is on, its money is in the clearing account: the ride is cancelled, not refunded.
    w.refunds(&admin, &paid, None, "wallet").await.refused(409, "NOT_REFUNDABLE");
    scene.driven(&ride, "completed").await;
    let share = scene.driver.gnf().await;
    w.withdrawn(&scene.driver, share * 100 / 103, "GNF", "224620000001").await;
    let left = scene.driver.gnf().await;
    assert!(left < share / 10, "the driver has kept {left} of {share}");
    let moves = scene.driver.moves().await;
    let reply = w.refunds(&admin, &paid, None, "wallet").await;
    let refund = &reply.ok(201)["refund"];
    let booked = json!({ "refund/losses": -price, "refund/user_wallet": price });
    assert_eq!(w.booked("payment_refund", id_of(refund)).await, booked, "an entry of its own, in a named account");
    assert_eq!(
        (scene.driver.gnf().await, scene.driver.moves().await, scene.rider.gnf().await),
        (left, moves, 500_000 + price)
    );
    w.refunds(&admin, &paid, Some(1), "wallet").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
}

async fn r6_a_payer_whose_wallet_is_empty_is_refused_and_a_chargeback_is_the_platforms_loss(w: &'static World) {
    let (fatou, binta, admin) = (w.person().await, w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    fatou.send(&binta, 9_000, "XOF").await.ok(200);
    for amount in [None, Some(911)] {
        w.refunds(&admin, &paid, amount, "original").await.refused(409, "INSUFFICIENT_FUNDS");
    }
    assert_eq!(state(w, &fatou, &paid).await, (910, 2, 0), "nothing moves, and nothing is owed");
    // What cannot be refused takes what is there, and the rest is a loss with a name.
    w.disputed(theirs(&paid), "lost").await;
    let dispute = w.dispute_becomes(&paid, "lost").await;
    let booked = json!({ "chargeback/user_wallet": -910, "chargeback/platform_fees": -50, "chargeback/losses": -9_090,
                         "chargeback/provider_clearing": 10_050 });
    assert_eq!(w.booked("dispute", id_of(&dispute)).await, booked);
    assert!(w.alerted("dispute_lost", id_of(&dispute)).await, "nobody is told");
    assert_eq!((state(w, &fatou, &paid).await, binta.balance("XOF").await), ((0, 3, 0), 9_000));
    w.refunds(&admin, &paid, Some(1), "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
}
