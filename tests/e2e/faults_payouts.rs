//! Known faults, section A of contracts/faults.md, continued: money on its way back and out. One test per fault, named
//! after it.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use xtask::keys::{self, TokenOptions};

use crate::outgoing::{WAITING_PHONE, fresh_key, id_of};
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    f19_a_partial_refund_is_the_same_number_on_both_sides,
    f23_an_objection_is_lost_together_with_its_money,
    f40_refund_and_cancel_are_for_admins_and_never_about_their_own_money,
    f41_of_concurrent_partial_refunds_the_capture_is_the_limit,
    f43_a_payout_without_an_answer_is_never_sent_again,
    f44_a_failed_withdrawal_comes_home_once,
    f44_a_return_that_is_cut_short_is_made_later_and_whole,
    f45_late_money_without_an_open_wallet_waits_where_admins_see_it,
];

/// A number whose payouts fail at the provider.
const FAILING_PHONE: &str = "2254149518162";

impl World {
    /// What the card provider knows of a payment.
    async fn card(&self, payment: &Value) -> Value {
        let id = payment["provider_payment_id"].as_str().expect("an id");
        self.control(Method::GET, &format!("payments/{id}"), json!({})).await
    }

    async fn xof(&self, who: &Person) -> (i64, i64) {
        (who.balance("XOF").await, who.moves().await)
    }
}

async fn f19_a_partial_refund_is_the_same_number_on_both_sides(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let payment = w.paid_by_card(&fatou, 10_000).await;
    let mut back = 0;
    for part in [2_500, 1, 7_499] {
        let reply = w.refunds(&admin, &payment, Some(part), "original").await;
        let refund = &reply.ok(201)["refund"];
        w.sent(id_of(&w.payout_of(refund).await), "completed").await;
        back += part;
        let booked = json!({ "refund/user_wallet": -part, "refund/payout_clearing": part });
        assert_eq!(w.booked("payment_refund", id_of(refund)).await, booked);
        assert_eq!((&w.card(&payment).await["refunded"], w.refunded(&payment).await), (&json!(back), back));
        assert_eq!(fatou.balance("XOF").await, 10_000 - back);
    }
}

/// Escrows and their disputes come later; the objections of a card's bank are decided in the same way.
async fn f23_an_objection_is_lost_together_with_its_money(w: &'static World) {
    let fatou = w.person().await;
    let payment = w.paid_by_card(&fatou, 10_000).await;
    let theirs = payment["provider_payment_id"].as_str().expect("an id").to_owned();
    w.disputed(&theirs, "open").await;
    w.dispute_becomes(&payment, "open").await;
    let condition = format!("new.account_id = '{}'", fatou.wallet("XOF").await);
    w.sabotaged("ledger.entries", &condition, async || {
        w.disputed(&theirs, "lost").await;
        w.sweeps(&theirs).await;
        let row = w.dispute_becomes(&payment, "open").await;
        assert_eq!((&row["booked"], w.xof(&fatou).await), (&json!(false), (10_000, 1)), "decided, and nobody paid");
    })
    .await;
    w.sweeps(&theirs).await;
    assert_eq!(w.dispute_becomes(&payment, "lost").await["booked"], true);
    w.order(&format!("payments/{theirs}/redeliver"), json!({ "times": 3 })).await;
    w.sweeps(&theirs).await;
    assert_eq!(w.xof(&fatou).await, (0, 2), "taken back once");
}

async fn f40_refund_and_cancel_are_for_admins_and_never_about_their_own_money(w: &'static World) {
    let (fatou, stranger, driver, admin) = (w.person().await, w.person().await, w.driver().await, w.admin().await);
    let payment = w.paid_by_card(&fatou, 10_000).await;
    let ask = || {
        json!({ "payment_id": payment["id"], "reason": "I want it back", "destination": "original", "role": "admin",
                "by": admin.id, "admin_id": admin.id, "idempotency_key": fresh_key("refund-f40") })
    };
    let vain = json!({ "app_metadata": { "role": "admin" }, "user_metadata": { "role": "pdg" }, "roles": ["admin"] });
    let vain = keys::user_token(&fatou.id, &TokenOptions { claims: vain, ..TokenOptions::default() });
    for token in [&fatou.token, &stranger.token, &driver.token, &vain] {
        w.call("payment-refund", token, ask()).await.refused(403, "FORBIDDEN");
        let rpc = w.rest(Method::POST, "rpc/payment_refund", token).json(&json!({ "ask": ask() })).send().await;
        assert_eq!((rpc.status, rpc.code()), (403, "FORBIDDEN"), "the command behind the function: {rpc}");
    }
    w.function("payment-refund").json(&ask()).send().await.refused(401, "UNAUTHENTICATED");
    for key in ["ANON_KEY", "SERVICE_ROLE_KEY", "INTERNAL_API_KEY"] {
        w.call("payment-refund", &w.vars[key], ask()).await.refused(401, "UNAUTHENTICATED");
    }
    for (name, action) in [("moneroo", "refund_payment"), ("moneroo", "cancel_payment"), ("paydunya", "refund_payment")]
    {
        for who in [&fatou, &admin] {
            let old = json!({ "action": action, "data": { "payment_id": payment["provider_payment_id"] } });
            who.call(name, old).await.refused(403, "FORBIDDEN");
        }
    }
    let own = w.paid_by_card(&admin, 10_000).await;
    w.refunds(&admin, &own, None, "original").await.refused(403, "FORBIDDEN");
    w.exec("delete from people.user_roles where user_id = $1", &[&admin.id]).await;
    admin.call("payment-refund", ask()).await.refused(403, "FORBIDDEN");
    assert_eq!((w.refunded(&payment).await, w.refunded(&own).await, w.xof(&fatou).await), (0, 0, (10_000, 1)));
    let there = w.card(&payment).await;
    assert_eq!((&there["status"], &there["refunded"]), (&json!("success"), &json!(0)));
    w.refunds(&w.admin().await, &payment, Some(1_000), "original").await.ok(201);
    assert_eq!(w.xof(&fatou).await, (9_000, 2), "and the role alone was missing");
}

async fn f41_of_concurrent_partial_refunds_the_capture_is_the_limit(w: &'static World) {
    for (part, fit) in [(6_000, 1), (3_000, 3), (10_000, 1)] {
        let (fatou, one, other) = (w.person().await, w.admin().await, w.admin().await);
        let payment = w.paid_by_card(&fatou, 10_000).await;
        let calls = (0..8).map(|n| w.refunds(if n % 2 == 0 { &one } else { &other }, &payment, Some(part), "original"));
        let replies = join_all(calls).await;
        let made: Vec<&Value> =
            replies.iter().filter(|reply| reply.status == 201).map(|reply| &reply.body["refund"]).collect();
        let over = replies.iter().filter(|reply| reply.is_refusal(409, "REFUND_EXCEEDS_CAPTURED")).count();
        assert_eq!((made.len(), over), (fit, 8 - fit), "{part}");
        let back = part * i64::try_from(fit).expect("few");
        assert_eq!((w.refunded(&payment).await, fatou.balance("XOF").await), (back, 10_000 - back));
        // All that is left goes as well, with the fee; and then nothing.
        let rest = w.refunds(&one, &payment, None, "original").await;
        assert_eq!(
            (&rest.ok(201)["refund"]["amount"], &rest.body["refund"]["remaining"]),
            (&json!(10_050 - back), &json!(0))
        );
        w.refunds(&one, &payment, Some(1), "original").await.refused(409, "REFUND_EXCEEDS_CAPTURED");
        for refund in made.into_iter().chain([&rest.body["refund"]]) {
            w.sent(id_of(&w.payout_of(refund).await), "completed").await;
        }
        assert_eq!(w.card(&payment).await["refunded"], 10_050, "never more than was captured");
        assert_eq!(
            (w.row(payment_id_of(&payment)).await["status"].as_str(), fatou.balance("XOF").await),
            (Some("refunded"), 0)
        );
    }
}

fn payment_id_of(payment: &Value) -> &str {
    payment["provider_payment_id"].as_str().expect("an id")
}

async fn f43_a_payout_without_an_answer_is_never_sent_again(w: &'static World) {
    for (fault, there) in [
        (json!({ "fault": "hang", "ms": 30_000 }), 1),
        (json!({ "fault": "error", "status": 500, "when": "after" }), 1),
        (json!({ "fault": "garbage" }), 1),
        (json!({ "fault": "error", "status": 503, "when": "before" }), 0),
    ] {
        let (fatou, admin) = (w.rich(50_000, "XOF").await, w.admin().await);
        let mut aimed = json!({ "on": "payout", "email": fatou.email, "times": 1 });
        aimed.as_object_mut().expect("an object").extend(fault.as_object().expect("an object").clone());
        w.fault(aimed).await;
        let payout = w.withdrawn(&fatou, 10_000, "XOF", WAITING_PHONE).await;
        let id = id_of(&payout);
        w.sent(id, "unknown").await;
        let before = w.xof(&fatou).await;
        for clock in ["payout-process", "retry-failed-transactions", "payout-process"] {
            w.tick(clock).await.ok(200);
        }
        let row = w.payout(id).await;
        assert_eq!((&row["status"], &row["attempts"]), (&json!("unknown"), &json!(1)), "{fault}");
        assert_eq!((w.times_sent(&fatou).await, w.payouts_to(&fatou).await.len()), (1, there), "{fault}");
        assert_eq!(w.xof(&fatou).await, before, "{fault}: not given back either, it may have been paid");
        // Then the provider's own word decides; or, where there is none, an admin's.
        match w.payouts_to(&fatou).await.first() {
            Some(theirs) => {
                w.payout_ends(id_of(theirs), "succeed").await;
                w.payout_becomes(id, "completed").await;
                assert_eq!(w.xof(&fatou).await, before, "{fault}");
            }
            None => {
                w.settles_payout(&admin, id, "failed").await.ok(200);
                assert_eq!(fatou.balance("XOF").await, 50_000, "{fault}");
            }
        }
        w.tick("payout-process").await.ok(200);
        assert_eq!(w.times_sent(&fatou).await, 1, "{fault}");
    }
}

async fn f44_a_failed_withdrawal_comes_home_once(w: &'static World) {
    let (fatou, admin) = (w.rich(50_000, "XOF").await, w.admin().await);
    let payout = w.withdrawn(&fatou, 10_000, "XOF", FAILING_PHONE).await;
    let id = id_of(&payout);
    assert_eq!(w.xof(&fatou).await, (50_000 - 10_150, 2));
    let row = w.sent(id, "failed").await;
    assert_eq!((w.xof(&fatou).await, &row["returned"]), ((50_000, 3), &json!(true)), "the amount, and the fee");
    let theirs = row["provider_payout_id"].as_str().expect("an id").to_owned();
    let again = async || {
        w.order(&format!("payouts/{theirs}/redeliver"), json!({ "times": 20 })).await;
        w.rechecks_payout(id).await;
    };
    let lie = async || w.order(&format!("payouts/{theirs}/redeliver"), json!({ "status": "success" })).await;
    tokio::join!(again(), again(), lie(), w.tick("payout-process"));
    for result in ["failed", "completed"] {
        w.settles_payout(&admin, id, result).await.refused(409, "INVALID_STATE");
    }
    assert_eq!((w.xof(&fatou).await, w.payout(id).await["status"].as_str()), ((50_000, 3), Some("failed")));
    let spent: i64 = w.one("select spent_today from ledger.wallets where id = $1", &[&fatou.wallet("XOF").await]).await;
    assert_eq!(spent, 0, "what failed does not count towards the day's limit");
}

async fn f44_a_return_that_is_cut_short_is_made_later_and_whole(w: &'static World) {
    let fatou = w.rich(50_000, "XOF").await;
    let payout = w.withdrawn(&fatou, 10_000, "XOF", WAITING_PHONE).await;
    let id = id_of(&payout);
    let theirs = w.sent(id, "processing").await["provider_payout_id"].as_str().expect("an id").to_owned();
    let condition = format!("new.account_id = '{}'", fatou.wallet("XOF").await);
    w.sabotaged("ledger.entries", &condition, async || {
        w.payout_ends(&theirs, "fail").await;
        w.rechecks_payout(id).await;
        let row = w.payout(id).await;
        assert_eq!(
            (&row["status"], &row["returned"]),
            (&json!("processing"), &json!(false)),
            "failed, and not given back"
        );
        assert_eq!(w.xof(&fatou).await, (50_000 - 10_150, 2));
    })
    .await;
    w.rechecks_payout(id).await;
    w.payout_becomes(id, "failed").await;
    w.rechecks_payout(id).await;
    assert_eq!(w.xof(&fatou).await, (50_000, 3));
}

async fn f45_late_money_without_an_open_wallet_waits_where_admins_see_it(w: &'static World) {
    for guest in [true, false] {
        let (scene, admin) = (w.scene().await, w.admin().await);
        let ride = scene.accepted().await;
        let price = scene.price(&ride).await;
        let ask = json!({ "purpose": "ride", "purpose_id": ride });
        let asked = scene.rider.call("moneroo-initialize-payment", ask).await.ok(201).clone();
        let own = w.row(payment_id(&asked)).await["id"].as_str().expect("an id").to_owned();
        let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "plans changed" });
        scene.rider.call("taxi-update-ride-status", cancel).await.ok(200);
        if guest {
            // Guests pay orders, which come later: to the settlement they are payments of nobody.
            w.exec("update payments.payments set user_id = null where id::text = $1", &[&own]).await;
        } else {
            scene.rider.set_wallet("GNF", "status = 'blocked'").await;
        }
        w.pays(&asked).await;
        assert_eq!(w.becomes(payment_id(&asked), "success").await["settlement"], "surplus");
        let before = (scene.rider.gnf().await, scene.rider.moves().await);
        assert_eq!(before, (500_000, 1));
        let queue = format!("admin_suspense?select=entry_id,amount&payment_id=eq.{own}");
        assert_eq!(*w.rest(Method::GET, &queue, &scene.rider.token).send().await.ok(200), json!([]));
        let seen = w.rest(Method::GET, &queue, &admin.token).send().await;
        assert_eq!(seen.ok(200)[0]["amount"], price, "guest: {guest}");
        scene.rider.set_wallet("GNF", "status = 'active'").await;
        let release = json!({ "action": "release_suspense", "entry_id": seen.body[0]["entry_id"], "to_user_id": scene.rider.id,
                              "reason": "it is hers" });
        scene.rider.call("wallet-admin", release.clone()).await.refused(403, "FORBIDDEN");
        let calls = (0..4).map(|_| admin.call("wallet-admin", release.clone()));
        let replies = join_all(calls).await;
        let (done, late) = (200, "INVALID_STATE");
        assert_eq!(replies.iter().filter(|reply| reply.status == done).count(), 1, "guest: {guest}");
        assert_eq!(replies.iter().filter(|reply| reply.is_refusal(409, late)).count(), 3, "guest: {guest}");
        assert_eq!((scene.rider.gnf().await, scene.rider.moves().await), (500_000 + price, 2));
        assert_eq!(*w.rest(Method::GET, &queue, &admin.token).send().await.ok(200), json!([]), "released once");
    }
}
