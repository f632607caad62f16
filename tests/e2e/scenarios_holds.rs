//! The scenarios of money.md, section 6, about money that is held: W9 to W14. There are no holds here. A withdrawal leaves
//! the wallet at once and waits in payout_clearing; that account is what is held, and a payout's end is its capture or release.

use serde_json::{Value, json};

use crate::concurrency::{counted, tally};
use crate::outgoing::{WAITING_PHONE, id_of};
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    w9_what_is_on_its_way_out_cannot_be_spent,
    w10_another_amount_than_was_held_is_not_captured,
    w10_a_payout_ends_once_and_stays_ended,
    w10_a_payout_that_failed_is_given_back_once,
    w11_a_payout_that_timed_out_is_unknown_and_never_sent_twice,
    w11_a_payout_that_was_refused_or_never_arrived_goes_back_by_a_clear_word_alone,
    w12_a_success_after_the_money_went_back_is_the_platforms_loss,
    w13_of_ten_withdrawals_of_everything_one_is_accepted,
    w14_a_deposit_to_a_blocked_or_closed_wallet_waits_in_suspense,
];

fn completed(amount: i64) -> Value {
    json!({ "withdrawal_completed/payout_clearing": -amount, "withdrawal_completed/provider_clearing": amount })
}

fn returned(amount: i64, fee: i64) -> Value {
    json!({ "withdrawal_returned/payout_clearing": -amount, "withdrawal_returned/platform_fees": -fee,
            "withdrawal_returned/user_wallet": amount + fee })
}

/// Nothing but the debit has happened: 50 000 wait, and the fee is the platform's.
async fn waits(w: &World, who: &Person, payout: &str) {
    assert_eq!((who.balance("XOF").await, who.moves().await), (49_250, 2));
    assert_eq!(w.booked("payout", payout).await, json!({}), "nobody has said how it ended");
}

async fn w9_what_is_on_its_way_out_cannot_be_spent(w: &'static World) {
    let (fatou, binta, admin) = (w.rich(100_000, "GNF").await, w.person().await, w.admin().await);
    // Guinea has no automatic rail: it waits for an admin, whoever asks for the payouts meanwhile.
    let payout = w.withdrawn(&fatou, 80_000, "GNF", "224620000001").await;
    fatou.send(&binta, 50_000, "GNF").await.refused(409, "INSUFFICIENT_FUNDS");
    let again = json!({ "operation": "withdraw", "amount": 80_000, "method": "orange_money", "phone": "224620000001",
                        "confirm_duplicate": true });
    fatou.call("wallet-operations", again).await.refused(409, "INSUFFICIENT_FUNDS");
    assert_eq!((fatou.gnf().await, binta.moves().await), (18_800, 0));
    w.sent(id_of(&payout), "manual").await;
    fatou.send(&binta, 50_000, "GNF").await.refused(409, "INSUFFICIENT_FUNDS");
    w.settles_payout(&admin, id_of(&payout), "failed").await.ok(200);
    assert_eq!((fatou.gnf().await, w.booked("payout", id_of(&payout)).await), (100_000, returned(80_000, 1_200)));
    fatou.send(&binta, 50_000, "GNF").await.ok(200);
    assert_eq!((fatou.gnf().await, binta.gnf().await), (49_500, 50_000));
}

async fn w10_another_amount_than_was_held_is_not_captured(w: &'static World) {
    let fatou = w.rich(100_000, "XOF").await;
    let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
    let sent = w.sent(id_of(&payout), "processing").await;
    let theirs = sent["provider_payout_id"].as_str().expect("the provider's id");
    for lie in [json!({ "amount": 50_001 }), json!({ "amount": 49_999 }), json!({ "currency": { "code": "GNF" } })] {
        let mut answer = lie.clone();
        answer["status"] = json!("success");
        w.order(&format!("payouts/{theirs}/answer"), answer).await;
        w.rechecks_payout(id_of(&payout)).await;
        w.payout_becomes(id_of(&payout), "unknown").await;
        assert!(w.alerted("payout_mismatch", id_of(&payout)).await, "{lie}: nobody is told");
        waits(w, &fatou, id_of(&payout)).await;
    }
    w.order(&format!("payouts/{theirs}/answer"), json!({})).await;
    w.payout_ends(theirs, "succeed").await;
    w.payout_becomes(id_of(&payout), "completed").await;
    assert_eq!((w.booked("payout", id_of(&payout)).await, fatou.balance("XOF").await), (completed(50_000), 49_250));
    assert_eq!(w.times_sent(&fatou).await, 1);
}

async fn w10_a_payout_ends_once_and_stays_ended(w: &'static World) {
    let (fatou, admin) = (w.rich(100_000, "XOF").await, w.admin().await);
    let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
    let sent = w.sent(id_of(&payout), "processing").await;
    let theirs = sent["provider_payout_id"].as_str().expect("the provider's id");
    // While the provider has it, no admin decides.
    w.settles_payout(&admin, id_of(&payout), "failed").await.refused(409, "INVALID_STATE");
    w.payout_ends(theirs, "succeed").await;
    w.order(&format!("payouts/{theirs}/redeliver"), json!({ "times": 20 })).await;
    w.payout_becomes(id_of(&payout), "completed").await;
    let booked = completed(50_000);
    assert_eq!(w.booked("payout", id_of(&payout)).await, booked, "captured twice");
    // Released after it was captured: the provider changes its mind, and so would an admin.
    w.payout_ends(theirs, "fail").await;
    w.looked_into(theirs, "payout.failed", 1).await;
    assert!(w.alerted("payout_late_failure", id_of(&payout)).await, "nobody is told");
    for result in ["failed", "completed"] {
        w.settles_payout(&admin, id_of(&payout), result).await.refused(409, "INVALID_STATE");
    }
    let row = w.payout(id_of(&payout)).await;
    assert_eq!((&row["status"], &row["returned"]), (&json!("completed"), &json!(false)));
    assert_eq!((w.booked("payout", id_of(&payout)).await, fatou.balance("XOF").await), (booked, 49_250));
}

async fn w10_a_payout_that_failed_is_given_back_once(w: &'static World) {
    let (fatou, admin) = (w.rich(100_000, "XOF").await, w.admin().await);
    let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
    let sent = w.sent(id_of(&payout), "processing").await;
    let theirs = sent["provider_payout_id"].as_str().expect("the provider's id");
    w.payout_ends(theirs, "fail").await;
    w.payout_becomes(id_of(&payout), "failed").await;
    w.order(&format!("payouts/{theirs}/redeliver"), json!({ "times": 20 })).await;
    w.rechecks_payout(id_of(&payout)).await;
    w.settles_payout(&admin, id_of(&payout), "failed").await.refused(409, "INVALID_STATE");
    assert_eq!(
        (w.booked("payout", id_of(&payout)).await, fatou.balance("XOF").await),
        (returned(50_000, 750), 100_000)
    );
    assert_eq!((fatou.moves().await, w.times_sent(&fatou).await), (3, 1), "and it is not sent again by itself");
}

async fn w11_a_payout_that_timed_out_is_unknown_and_never_sent_twice(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "XOF").await, w.person().await);
    // The provider makes it, and says nothing until we have hung up.
    w.fault(json!({ "on": "payout", "fault": "hang", "email": fatou.email })).await;
    let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
    let row = w.sent(id_of(&payout), "unknown").await;
    assert_eq!((&row["provider_payout_id"], &row["returned"]), (&Value::Null, &json!(false)));
    assert!(w.alerted("payout_unknown", id_of(&payout)).await, "nobody is told");
    // However much time passes, and however often the clock strikes.
    let long_ago = "update payments.payouts set sent_at = sent_at - interval '30 days' where id::text = $1";
    w.exec(long_ago, &[&id_of(&payout)]).await;
    for _ in 0..3 {
        w.tick("payout-process").await.ok(200);
        w.rechecks_payout(id_of(&payout)).await;
    }
    assert_eq!((w.times_sent(&fatou).await, w.payouts_to(&fatou).await.len()), (1, 1), "paid twice");
    assert_eq!(w.payout(id_of(&payout)).await["status"], "unknown", "a silence is no answer");
    waits(w, &fatou, id_of(&payout)).await;
    fatou.send(&binta, 50_000, "XOF").await.refused(409, "INSUFFICIENT_FUNDS");
    // The provider's own word ends it: found again by the tag that it was sent with.
    let theirs = w.payouts_to(&fatou).await[0]["id"].as_str().expect("an id").to_owned();
    w.payout_ends(&theirs, "succeed").await;
    let row = w.payout_becomes(id_of(&payout), "completed").await;
    assert_eq!(row["provider_payout_id"], json!(theirs));
    assert_eq!((w.booked("payout", id_of(&payout)).await, fatou.balance("XOF").await), (completed(50_000), 49_250));
    assert_eq!((w.times_sent(&fatou).await, binta.moves().await), (1, 0));
}

async fn w11_a_payout_that_was_refused_or_never_arrived_goes_back_by_a_clear_word_alone(w: &'static World) {
    let admin = w.admin().await;
    // 500 before anything happened looks like 500 after it did; only a clear no is a no.
    for (status, expected) in [(500, "unknown"), (503, "unknown"), (422, "failed")] {
        let fatou = w.rich(100_000, "XOF").await;
        w.fault(json!({ "on": "payout", "fault": "error", "status": status, "email": fatou.email })).await;
        let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
        w.sent(id_of(&payout), expected).await;
        if expected == "unknown" {
            waits(w, &fatou, id_of(&payout)).await;
            w.settles_payout(&fatou, id_of(&payout), "failed").await.refused(403, "FORBIDDEN");
            waits(w, &fatou, id_of(&payout)).await;
            w.settles_payout(&admin, id_of(&payout), "failed").await.ok(200);
        }
        w.tick("payout-process").await.ok(200);
        w.settles_payout(&admin, id_of(&payout), "failed").await.refused(409, "INVALID_STATE");
        let end = (w.booked("payout", id_of(&payout)).await, fatou.balance("XOF").await, w.times_sent(&fatou).await);
        assert_eq!(end, (returned(50_000, 750), 100_000, 1), "{status}");
    }
}

async fn w12_a_success_after_the_money_went_back_is_the_platforms_loss(w: &'static World) {
    let (fatou, binta, admin) = (w.rich(100_000, "XOF").await, w.person().await, w.admin().await);
    w.fault(json!({ "on": "payout", "fault": "garbage", "email": fatou.email })).await;
    let payout = w.withdrawn(&fatou, 50_000, "XOF", WAITING_PHONE).await;
    w.sent(id_of(&payout), "unknown").await;
    w.settles_payout(&admin, id_of(&payout), "failed").await.ok(200);
    assert_eq!((fatou.balance("XOF").await, fatou.moves().await), (100_000, 3));
    // It is spent before the truth comes out, so that nothing could be taken back.
    fatou.send(&binta, 99_000, "XOF").await.ok(200);
    let theirs = w.payouts_to(&fatou).await[0]["id"].as_str().expect("an id").to_owned();
    w.payout_ends(&theirs, "succeed").await;
    w.payout_becomes(id_of(&payout), "completed").await;
    w.order(&format!("payouts/{theirs}/redeliver"), json!({ "times": 10 })).await;
    w.rechecks_payout(id_of(&payout)).await;
    let mut booked = returned(50_000, 750);
    (booked["loss/losses"], booked["loss/provider_clearing"]) = (json!(-50_000), json!(50_000));
    assert_eq!(w.booked("payout", id_of(&payout)).await, booked, "a named account bears it, once");
    assert!(w.alerted("payout_late_completion", id_of(&payout)).await, "nobody is told");
    assert_eq!((fatou.balance("XOF").await, fatou.moves().await), (10, 4), "the wallet is left alone");
    assert_eq!((binta.balance("XOF").await, w.times_sent(&fatou).await), (99_000, 1));
    w.settles_payout(&admin, id_of(&payout), "completed").await.refused(409, "INVALID_STATE");
}

async fn w13_of_ten_withdrawals_of_everything_one_is_accepted(w: &'static World) {
    let fatou = w.rich(101_500, "XOF").await;
    let ask = json!({ "operation": "withdraw", "amount": 100_000, "currency": "XOF", "method": "orange_money",
                      "phone": "+221770000001", "confirm_duplicate": true });
    let seen = tally((0..10).map(|_| fatou.call("wallet-operations", ask.clone()))).await;
    assert_eq!(seen, counted(&[("202", 1), ("INSUFFICIENT_FUNDS", 9)]));
    let payouts: i64 = w.one("select count(*) from payments.payouts where user_id = $1", &[&fatou.id]).await;
    assert_eq!((payouts, fatou.balance("XOF").await, fatou.moves().await), (1, 0, 2));
}

async fn w14_a_deposit_to_a_blocked_or_closed_wallet_waits_in_suspense(w: &'static World) {
    let admin = w.admin().await;
    for state in ["blocked", "closed"] {
        let (fatou, heir) = (w.person().await, w.person().await);
        let asked = fatou.deposit(100_000).await;
        let wallet = fatou.wallet("GNF").await;
        let block = json!({ "action": "block", "wallet_id": wallet, "reason": "lost the phone" });
        if state == "blocked" {
            admin.call("wallet-admin", block).await.ok(200);
        } else {
            w.exec("select ledger.set_wallet_status($1, 'closed', 'moved away', null)", &[&wallet]).await;
        }
        w.pays(&asked).await;
        let row = w.becomes(payment_id(&asked), "success").await;
        let set_aside = json!({ "suspense/provider_clearing": -100_500, "suspense/suspense": 100_500 });
        assert_eq!(w.booked("payment", id_of(&row)).await, set_aside, "{state}: neither lost nor credited");
        assert!(w.alerted("money_in_suspense", id_of(&row)).await, "{state}: nobody is told");
        assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0), "{state}");
        let sql = "select transaction_id::text from ledger.references
            where reference_type = 'payment' and reference_id = $1 and type = 'suspense'";
        let entry: String = w.one(sql, &[&id_of(&row)]).await;
        let release = |to: &Person| json!({ "action": "release_suspense", "entry_id": entry, "to_user_id": to.id, "reason": "checked" });
        fatou.call("wallet-admin", release(&fatou)).await.refused(403, "FORBIDDEN");
        let early = admin.call("wallet-admin", release(&fatou)).await;
        assert_eq!((early.status, fatou.moves().await), (409, 0), "{state}: released into a shut wallet: {early}");
        admin.call("wallet-admin", release(&heir)).await.ok(200);
        admin.call("wallet-admin", release(&heir)).await.refused(409, "INVALID_STATE");
        assert_eq!((heir.gnf().await, heir.moves().await, fatou.gnf().await), (100_500, 1, 0), "{state}: once");
    }
}
