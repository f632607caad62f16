//! Many at once: what happens when everybody is in a hurry. A failure of the random run is a seed: `SEED=n` replays it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use crate::call::Reply;
use crate::people::Person;
use crate::world::World;

crate::tests![
    fifty_parallel_spends_of_one_balance_take_what_it_allows,
    opposite_transfers_never_show_a_deadlock,
    ten_thousand_random_transfers_conserve_every_franc,
    ten_parallel_withdrawals_of_everything_pay_one,
    thirty_two_repeats_of_one_key_at_once_move_once,
    a_ride_completed_and_cancelled_at_once_ends_one_way,
    a_ride_paid_by_several_taps_at_once_is_paid_once,
    one_rider_asking_twice_at_once_has_one_ride,
    two_tabs_at_once_open_one_checkout,
];

/// Runs the calls at once and counts the answers by code; a success counts as its status.
async fn tally(calls: impl Iterator<Item = impl Future<Output = Reply>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for reply in futures_util::future::join_all(calls).await {
        let what = if reply.status < 300 { reply.status.to_string() } else { reply.code().to_owned() };
        assert!(reply.status < 500 && !what.is_empty(), "{reply}");
        *counts.entry(what).or_default() += 1;
    }
    counts
}

fn counted(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
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

fn seed() -> u64 {
    match std::env::var("SEED") {
        Ok(text) => text.parse().expect("SEED is a number"),
        Err(_) => rand::random(),
    }
}

struct Wallet {
    owner: Person,
    /// What the answers say it must hold.
    expected: AtomicI64,
}

/// Every fifth through the function; the others straight at the REST gateway, as the same people, where ten thousand of
/// them take seconds. The ledger behind both is the same.
async fn transfer(w: &World, n: usize, from: &Wallet, to: &Wallet, amount: i64) -> Reply {
    let ask = json!({ "operation": "transfer", "amount": amount, "currency": "XOF", "recipient_id": to.owner.id,
                      "confirm_duplicate": true });
    if n.is_multiple_of(5) {
        return from.owner.call("wallet-operations", ask).await;
    }
    let call = w.http.post(format!("{}/rpc/wallet_operations", w.rest)).bearer_auth(&from.owner.token);
    Reply::to(call.json(&json!({ "ask": ask }))).await
}

async fn ten_thousand_random_transfers_conserve_every_franc(w: &'static World) {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut wallets = Vec::new();
    for _ in 0..20 {
        wallets.push(Wallet { owner: w.rich(20_000, "XOF").await, expected: AtomicI64::new(20_000) });
    }
    let plan: Vec<(usize, usize, i64)> = (0..10_000)
        .map(|_| {
            let from = random.random_range(0..20);
            let to = (from + random.random_range(1..20)) % 20;
            (from, to, random.random_range(100..6_000))
        })
        .collect();
    let (wallets, moved) = (&wallets, &AtomicI64::new(0));
    let step = async |(n, (from, to, amount)): (usize, (usize, usize, i64))| {
        let reply = transfer(w, n, &wallets[from], &wallets[to], amount).await;
        if reply.status == 200 {
            let total = reply.body["total"].as_i64().expect("a total");
            wallets[from].expected.fetch_sub(total, Ordering::Relaxed);
            wallets[to].expected.fetch_add(amount, Ordering::Relaxed);
            moved.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(reply.status == 409 && reply.code() == "INSUFFICIENT_FUNDS", "SEED={seed}: {reply}");
        }
    };
    stream::iter(plan.into_iter().enumerate()).for_each_concurrent(16, step).await;
    for wallet in wallets {
        let (balance, expected) = (wallet.owner.balance("XOF").await, wallet.expected.load(Ordering::Relaxed));
        assert_eq!(balance, expected, "SEED={seed}: a balance is not what the answers add up to");
        assert!(balance >= 0, "SEED={seed}");
    }
    assert!(moved.load(Ordering::Relaxed) > 1_000, "SEED={seed}: hardly anything moved");
}

async fn ten_parallel_withdrawals_of_everything_pay_one(w: &'static World) {
    let fatou = w.rich(101_500, "XOF").await;
    let ask = json!({ "operation": "withdraw", "amount": 100_000, "currency": "XOF", "method": "orange_money",
                      "phone": "+221770000001", "confirm_duplicate": true });
    let seen = tally((0..10).map(|_| fatou.call("wallet-operations", ask.clone()))).await;
    assert_eq!(seen, counted(&[("202", 1), ("INSUFFICIENT_FUNDS", 9)]));
    let payouts: i64 = w.one("select count(*) from payments.payouts where user_id = $1", &[&fatou.id]).await;
    assert_eq!((payouts, fatou.balance("XOF").await), (1, 0));
}

async fn thirty_two_repeats_of_one_key_at_once_move_once(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "XOF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "currency": "XOF", "recipient_id": binta.id,
                      "idempotency_key": "tapped-in-panic" });
    let replies = futures_util::future::join_all((0..32).map(|_| fatou.call("wallet-operations", ask.clone()))).await;
    let mut receipts: Vec<String> = Vec::new();
    for reply in &replies {
        match reply.status {
            200 => receipts.push(reply.body["transaction_id"].to_string()),
            _ => {
                reply.refused(409, "IDEMPOTENCY_IN_PROGRESS");
            }
        }
    }
    receipts.dedup();
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (98_990, 1_000));
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
