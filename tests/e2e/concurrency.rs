//! Many at once: what happens when everybody is in a hurry.

use std::collections::BTreeMap;

use serde_json::json;

use crate::call::Reply;
use crate::outgoing::id_of;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    fifty_parallel_spends_of_one_balance_take_what_it_allows,
    opposite_transfers_never_show_a_deadlock,
    a_ride_completed_and_cancelled_at_once_ends_one_way,
    a_ride_paid_by_several_taps_at_once_is_paid_once,
    one_rider_asking_twice_at_once_has_one_ride,
    two_tabs_at_once_open_one_checkout,
    twenty_parallel_partial_refunds_never_exceed_the_capture,
    parallel_refunds_and_an_objection_never_exceed_the_capture_together,
    twenty_parallel_withdrawals_never_exceed_the_balance,
    a_daily_limit_holds_under_twenty_parallel_ways_out,
];

/// Runs the calls at once and counts the answers by code; a success counts as its status.
pub async fn tally(calls: impl Iterator<Item = impl Future<Output = Reply>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for reply in futures_util::future::join_all(calls).await {
        let what = if reply.status < 300 { reply.status.to_string() } else { reply.code().to_owned() };
        assert!(reply.status < 500 && !what.is_empty(), "{reply}");
        *counts.entry(what).or_default() += 1;
    }
    counts
}

pub fn counted(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().filter(|pair| pair.1 > 0).map(|(what, count)| ((*what).to_owned(), *count)).collect()
}

async fn fifty_parallel_spends_of_one_balance_take_what_it_allows(w: &'static World) {
    // 30 × (1 000 + 1 %) and a rest that is one franc short of another.
    let (fatou, binta) = (w.rich(30 * 1_010 + 1_009, "XOF").await, w.person().await);
    let seen = tally((0..50).map(|_| fatou.send(&binta, 1_000, "XOF"))).await;
    assert_eq!(seen, counted(&[("200", 30), ("INSUFFICIENT_FUNDS", 20)]));
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (1_009, 30_000));
}

async fn opposite_transfers_never_show_a_deadlock(w: &'static World) {
    let (fatou, binta, awa) =
        (w.rich(1_000_000, "XOF").await, w.rich(1_000_000, "XOF").await, w.rich(1_000_000, "XOF").await);
    let people = [&fatou, &binta, &awa];
    let calls = (0..90).map(|n| people[n % 3].send(people[(n + 1 + n / 3 % 2) % 3], 1_000, "XOF"));
    assert_eq!(tally(calls).await, counted(&[("200", 90)]), "a deadlock or a refusal reached a caller");
    let total = fatou.balance("XOF").await + binta.balance("XOF").await + awa.balance("XOF").await;
    assert_eq!(total, 3_000_000 - 90 * 10, "only fees have left");
}

async fn a_ride_completed_and_cancelled_at_once_ends_one_way(w: &'static World) {
    for _ in 0..5 {
        let scene = w.scene().await;
        let ride = scene.accepted().await;
        scene.pay(&ride, "wallet").await.ok(200);
        scene.driven(&ride, "in_progress").await;
        let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "now" });
        let (completed, cancelled) =
            tokio::join!(scene.driver.step(&ride, "completed"), scene.rider.call("taxi-update-ride-status", cancel));
        let won = [&completed, &cancelled].iter().filter(|reply| reply.status == 200).count();
        assert_eq!(won, 1, "{completed} and {cancelled}");
        let price = scene.price(&ride).await;
        assert_eq!(scene.rider.gnf().await, 500_000 - price);
        let share: i64 = w.one("select driver_share from taxi.trips where id::text = $1", &[&ride]).await;
        assert_eq!((scene.driver.gnf().await, scene.driver.status().await), (share, "available".into()));
    }
}

async fn a_ride_paid_by_several_taps_at_once_is_paid_once(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let price = scene.price(&ride).await;
    let taps = (0..16).map(|tap| {
        let ask = json!({ "rideId": ride, "paymentMethod": "wallet", "idempotencyKey": format!("tap-number-{tap}") });
        scene.rider.call("taxi-payment", ask)
    });
    assert_eq!(tally(taps).await, counted(&[("200", 16)]), "each hears of the one payment");
    let made: i64 = w.one("select count(*) from taxi.transactions where ride_id::text = $1", &[&ride]).await;
    assert_eq!((made, scene.rider.gnf().await), (1, 500_000 - price));
}

async fn one_rider_asking_twice_at_once_has_one_ride(w: &'static World) {
    let scene = w.scene().await;
    scene.driver.online(scene.at).await;
    let ask = json!({ "pickup": crate::people::point(scene.at), "dropoff": crate::people::point(crate::people::away(scene.at)) });
    let seen = tally((0..8).map(|_| scene.rider.call("taxi-request-ride", ask.clone()))).await;
    assert_eq!(seen, counted(&[("201", 1), ("ACTIVE_RIDE_EXISTS", 7)]));
}

async fn two_tabs_at_once_open_one_checkout(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let ask = json!({ "purpose": "ride", "purpose_id": ride });
    let replies =
        futures_util::future::join_all((0..6).map(|_| scene.rider.call("moneroo-initialize-payment", ask.clone())))
            .await;
    for reply in &replies {
        assert!(reply.status < 300 || reply.is_refusal(409, "IDEMPOTENCY_IN_PROGRESS"), "{reply}");
    }
    assert_eq!(w.payments_of(&scene.rider).await.len(), 1, "two charges for one ride");
}

async fn twenty_parallel_partial_refunds_never_exceed_the_capture(w: &'static World) {
    let (fatou, one, two) = (w.person().await, w.admin().await, w.admin().await);
    let plan = json!({ "plan_id": "premium_subscription", "currency": "XAF" });
    let asked = fatou.call("create-payment", plan).await.ok(201).clone();
    w.pays(&asked).await;
    let plan = w.becomes(payment_id(&asked), "success").await;
    let calls = (0..20).map(|n| w.refunds([&one, &two][n % 2], &plan, Some(1_000), "wallet"));
    assert_eq!(tally(calls).await, counted(&[("201", 15), ("REFUND_EXCEEDS_CAPTURED", 5)]));
    assert_eq!((w.refunded(&plan).await, fatou.balance("XAF").await, fatou.moves().await), (15_000, 15_000, 15));
    // The same towards the card: what is on its way counts like what has arrived, and the fee stays.
    let card = w.paid_by_card(&fatou, 10_000).await;
    let calls = (0..20).map(|n| w.refunds([&one, &two][n % 2], &card, Some(900), "original"));
    assert_eq!(tally(calls).await, counted(&[("201", 11), ("REFUND_EXCEEDS_CAPTURED", 9)]));
    assert_eq!((w.refunded(&card).await, fatou.balance("XOF").await, fatou.moves().await), (9_900, 100, 15 + 12));
}

async fn parallel_refunds_and_an_objection_never_exceed_the_capture_together(w: &'static World) {
    for round in 0..4 {
        let (fatou, admin) = (w.person().await, w.admin().await);
        let card = w.paid_by_card(&fatou, 10_000).await;
        let theirs = card["provider_payment_id"].as_str().expect("the provider's id");
        let refunds = tally((0..10).map(|_| w.refunds(&admin, &card, Some(1_900), "original")));
        let (seen, ()) = tokio::join!(refunds, w.disputed(theirs, "lost"));
        let dispute = w.dispute_becomes(&card, "lost").await;
        let (made, refused) = (seen.get("201").copied(), seen.get("REFUND_EXCEEDS_CAPTURED").copied());
        let made = made.unwrap_or_default();
        assert_eq!(made + refused.unwrap_or_default(), 10, "round {round}: {seen:?}");
        let covered = dispute["amount"].as_i64().unwrap_or_default() - dispute["excess"].as_i64().unwrap_or_default();
        let refunded = w.refunded(&card).await;
        assert!(refunded + covered <= 10_050, "round {round}: {refunded} and {covered} of 10 050");
        let taken = i64::try_from(made).expect("few") * 1_900;
        assert_eq!(w.booked("dispute", id_of(&dispute)).await["chargeback/provider_clearing"], 10_050, "round {round}");
        assert!(taken + covered >= 10_050, "round {round}: the wallet had more, and it was not taken");
    }
}

async fn twenty_parallel_withdrawals_never_exceed_the_balance(w: &'static World) {
    // Seven times the amount and its fee, and a rest that is one franc short of another.
    let fatou = w.rich(7 * 10_150 + 10_149, "XOF").await;
    let ask = json!({ "operation": "withdraw", "amount": 10_000, "currency": "XOF", "method": "orange_ci",
                      "phone": crate::outgoing::WAITING_PHONE, "confirm_duplicate": true });
    let seen = tally((0..20).map(|_| fatou.call("wallet-operations", ask.clone()))).await;
    assert_eq!(seen, counted(&[("202", 7), ("INSUFFICIENT_FUNDS", 13)]));
    let sql = "select sum(amount + fee)::bigint from payments.payouts where user_id = $1";
    assert_eq!((w.one::<i64>(sql, &[&fatou.id]).await, fatou.balance("XOF").await), (71_050, 10_149));
    let sql = "select count(distinct transaction_id) from payments.payouts where user_id = $1";
    assert_eq!((w.one::<i64>(sql, &[&fatou.id]).await, fatou.moves().await), (7, 8));
}

async fn a_daily_limit_holds_under_twenty_parallel_ways_out(w: &'static World) {
    let (fatou, binta) = (w.rich(5_000_000, "GNF").await, w.person().await);
    let ask = json!({ "operation": "withdraw", "amount": 100_000, "method": "orange_money", "phone": "224620000001",
                      "confirm_duplicate": true });
    let calls = (0..20).map(async |n| match n % 2 {
        0 => fatou.send(&binta, 100_000, "GNF").await,
        _ => fatou.call("wallet-operations", ask.clone()).await,
    });
    let seen = tally(calls).await;
    let (sent, drawn) = (seen.get("200").copied().unwrap_or_default(), seen.get("202").copied().unwrap_or_default());
    assert_eq!((sent + drawn, seen["LIMIT_EXCEEDED"]), (10, 10), "a million a day, whichever way: {seen:?}");
    let (sent, drawn) = (i64::try_from(sent).expect("few"), i64::try_from(drawn).expect("few"));
    assert_eq!((fatou.gnf().await, binta.gnf().await), (5_000_000 - sent * 101_000 - drawn * 101_500, sent * 100_000));
    let sql = "select coalesce(sum(amount), 0)::bigint from payments.payouts where user_id = $1";
    assert_eq!(w.one::<i64>(sql, &[&fatou.id]).await, drawn * 100_000);
    fatou.send(&binta, 100, "GNF").await.refused(403, "LIMIT_EXCEEDED");
}
