//! The scenarios of money.md, section 6, in which many move money at once and some of them are cut off: W1, W2, W8, W17,
//! W18. A failure of the random run is a seed: `SEED=n` replays it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::call::Reply;
use crate::concurrency::{counted, tally};
use crate::people::Person;
use crate::world::World;

crate::tests![
    w1_a_hundred_wallets_conserve_every_franc_while_connections_die,
    w2_of_fifty_transfers_of_everything_one_succeeds,
    w8_a_thousand_round_trips_gain_nothing,
    w17_five_thousand_transfers_into_one_merchant_all_arrive,
    w18_a_command_that_is_cut_off_moves_all_or_nothing_and_may_be_repeated,
    w18_a_statement_that_times_out_leaves_nothing_behind,
];

fn transfer(to: &Person, amount: i64, key: &str) -> Value {
    json!({ "operation": "transfer", "amount": amount, "currency": "XOF", "recipient_id": to.id, "idempotency_key": key })
}

/// Straight at the REST gateway as this person, where thousands take seconds. The ledger behind it is the same.
async fn send_by_rpc(w: &World, from: &Person, to: &Person, amount: i64, key: &str) -> reqwest::Result<Reply> {
    let call = w.http.post(format!("{}/rpc/wallet_operations", w.rest)).bearer_auth(&from.token);
    Reply::attempt(call.json(&json!({ "ask": transfer(to, amount, key) }))).await
}

/// One transfer by a client that gives up on nothing: what got no clear answer is sent again under the same key. Every
/// tenth goes through the function.
async fn send_until_answered(w: &World, n: usize, from: &Person, to: &Person, amount: i64) -> Reply {
    let key = format!("stubborn-{n}");
    w.eventually("a transfer is answered", async || {
        let reply = if n.is_multiple_of(10) {
            let call = w.function("wallet-operations").bearer(&from.token).json(&transfer(to, amount, &key));
            call.attempt().await
        } else {
            send_by_rpc(w, from, to, amount, &key).await
        };
        reply.ok().filter(|reply| reply.status < 500 && reply.code() != "IDEMPOTENCY_IN_PROGRESS")
    })
    .await
}

struct Wallet {
    owner: Person,
    /// What the answers say it must hold.
    expected: AtomicI64,
}

async fn wallets(w: &'static World, count: usize, amount: i64) -> Vec<Wallet> {
    let owners = stream::iter(0..count).map(|_| w.rich(amount, "XOF")).buffer_unordered(8);
    owners.map(|owner| Wallet { owner, expected: AtomicI64::new(amount) }).collect().await
}

/// Holds a wallet until somebody who wants it is stuck in the middle of his command, and ends that connection.
async fn cut_somebody_off(w: &World, wallet: uuid::Uuid) {
    let holder = w.connect().await.expect("Postgres answers");
    let own: i32 = holder.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
    let hold = format!("begin; select from ledger.wallets where id = '{wallet}' for update");
    holder.batch_execute(&hold).await.expect("held");
    let sql = "select bool_or(pg_terminate_backend(pid)) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))";
    w.eventually("somebody is stuck", async || w.one::<Option<bool>>(sql, &[&own]).await).await;
    holder.batch_execute("rollback").await.expect("released");
}

/// `crash.rs` kills whole processes; here single connections die, in the middle of a command.
async fn w1_a_hundred_wallets_conserve_every_franc_while_connections_die(w: &'static World) {
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |text| text.parse().expect("SEED is a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let wallets = wallets(w, 100, 20_000).await;
    let plan: Vec<(usize, usize, i64)> = (0..10_000)
        .map(|_| {
            let from = random.random_range(0..100);
            (from, (from + random.random_range(1..100)) % 100, random.random_range(100..6_000))
        })
        .collect();
    let victims: Vec<usize> = (0..10).map(|_| random.random_range(0..100)).collect();
    let (wallets, moved) = (&wallets, &AtomicUsize::new(0));
    let step = async |(n, (from, to, amount)): (usize, (usize, usize, i64))| {
        let reply = send_until_answered(w, n, &wallets[from].owner, &wallets[to].owner, amount).await;
        if reply.status == 200 {
            let total = reply.body["total"].as_i64().expect("a total");
            wallets[from].expected.fetch_sub(total, Ordering::Relaxed);
            wallets[to].expected.fetch_add(amount, Ordering::Relaxed);
            moved.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(reply.status == 409 && reply.code() == "INSUFFICIENT_FUNDS", "SEED={seed}: {reply}");
        }
    };
    let traffic = stream::iter(plan.into_iter().enumerate()).for_each_concurrent(64, step);
    let deaths = async {
        for victim in victims {
            cut_somebody_off(w, wallets[victim].owner.wallet("XOF").await).await;
        }
    };
    tokio::join!(traffic, deaths);
    for wallet in wallets {
        let (balance, expected) = (wallet.owner.balance("XOF").await, wallet.expected.load(Ordering::Relaxed));
        assert_eq!(balance, expected, "SEED={seed}: a balance is not what the answers add up to");
        assert!(balance >= 0, "SEED={seed}");
    }
    assert!(moved.load(Ordering::Relaxed) > 2_000, "SEED={seed}: hardly anything moved");
    let ids: Vec<uuid::Uuid> = wallets.iter().map(|wallet| wallet.owner.id).collect();
    let sql = "select sum(fee)::bigint from ledger.transactions where sender_user_id = any ($1)";
    let fees: i64 = w.one(sql, &[&ids]).await;
    let sql = "select sum(balance)::bigint from ledger.wallets where user_id = any ($1)";
    assert_eq!(w.one::<i64>(sql, &[&ids]).await + fees, 100 * 20_000, "SEED={seed}: only fees have left");
}

async fn w2_of_fifty_transfers_of_everything_one_succeeds(w: &'static World) {
    let (fatou, binta) = (w.rich(101, "XOF").await, w.person().await);
    let seen = tally((0..50).map(|_| fatou.send(&binta, 100, "XOF"))).await;
    assert_eq!(seen, counted(&[("200", 1), ("INSUFFICIENT_FUNDS", 49)]));
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await, binta.moves().await), (0, 100, 1));
}

/// There is no exchange of currencies. What rounds is the fee, and it never rounds in favour of who goes to and fro.
async fn w8_a_thousand_round_trips_gain_nothing(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "XOF").await, w.rich(100_000, "XOF").await);
    let trip = async |n: i64| {
        // 100 to 160: the fee of one per cent is rounded down up to 149, and up from 150 on.
        let (from, to) = if n % 2 == 0 { (&fatou, &binta) } else { (&binta, &fatou) };
        let reply = send_by_rpc(w, from, to, 100 + n / 2 % 61, &format!("there-and-back-{n}")).await;
        assert_eq!(reply.expect("an answer").status, 200);
    };
    stream::iter(0..2_000).for_each_concurrent(8, trip).await;
    let expected: i64 = (0..2_000_i64).map(|n| (2 * (100 + n / 2 % 61) + 100) / 200).sum();
    let (own, hers) = (fatou.balance("XOF").await, binta.balance("XOF").await);
    assert_eq!((own, hers), (100_000 - expected / 2, 100_000 - expected / 2), "each paid the fees of its own thousand");
    let sql = "select coalesce(sum(e.amount), 0)::bigint from ledger.transactions t
        join ledger.entries e on e.transaction_id = t.id join ledger.accounts a on a.id = e.account_id
        where t.sender_user_id = any ($1) and a.kind = 'platform_fees'";
    assert_eq!(w.one::<i64>(sql, &[&vec![fatou.id, binta.id]]).await, expected, "a rest that nobody has");
}

async fn w17_five_thousand_transfers_into_one_merchant_all_arrive(w: &'static World) {
    let merchant = w.person().await;
    let buyers = wallets(w, 64, 100_000).await;
    let (buyers, shop) = (&buyers, &merchant);
    let buy = async |n: usize| {
        let reply = send_until_answered(w, n, &buyers[n % 64].owner, shop, 100).await;
        assert_eq!(reply.status, 200, "{reply}");
    };
    stream::iter(0..5_000).for_each_concurrent(64, buy).await;
    assert_eq!((merchant.balance("XOF").await, merchant.moves().await), (500_000, 5_000));
    for (n, buyer) in buyers.iter().enumerate() {
        let bought = i64::try_from((5_000 - n).div_ceil(64)).expect("few");
        assert_eq!(buyer.owner.balance("XOF").await, 100_000 - bought * 101, "buyer {n}");
    }
    // The history of the hot account is a history: each line stands on the one before it.
    let sql =
        "select count(*) from (select balance_after, sum(amount) over (order by created_at, transaction_id) as total
        from ledger.entries where user_id = $1) lines where balance_after <> total";
    assert_eq!(w.one::<i64>(sql, &[&merchant.id]).await, 0);
}

/// Stops the transfer where `hold` makes it wait, ends it there as `how` says, and gives what the client saw. The lock is
/// kept until then, so nothing can have moved.
async fn cut(w: &'static World, from: &Person, to: &Person, key: &str, hold: &str, how: &str) -> Reply {
    let holder = w.connect().await.expect("Postgres answers");
    let own: i32 = holder.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
    holder.batch_execute(&format!("begin; {hold}")).await.expect("held");
    let sql = format!("select bool_or({how}(pid)) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))");
    let (reply, ()) = tokio::join!(from.call("wallet-operations", transfer(to, 1_000, key)), async {
        w.eventually("the command waits", async || w.one::<Option<bool>>(&sql, &[&own]).await).await;
    });
    assert_eq!((from.balance("XOF").await, to.moves().await), (50_000, 0), "{how} at {hold}");
    holder.batch_execute("rollback").await.expect("released");
    reply
}

async fn w18_a_command_that_is_cut_off_moves_all_or_nothing_and_may_be_repeated(w: &'static World) {
    for how in ["pg_cancel_backend", "pg_terminate_backend"] {
        for late in [false, true] {
            let (fatou, binta) = (w.rich(50_000, "XOF").await, w.person().await);
            let (wallet, key) = (fatou.wallet("XOF").await, "cut-and-repeated");
            let first = format!("select from ledger.wallets where id = '{wallet}' for update");
            // At the very end of the command: the balances are changed and the lines are written, but not committed.
            let last = format!(
                "insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
                 values ('{}', 'wallet-operations', '{key}', '', 200, '{{}}')",
                fatou.id
            );
            let reply = cut(w, &fatou, &binta, key, if late { &last } else { &first }, how).await;
            assert!(reply.status >= 500, "{how}: {reply}");
            assert!(reply.body["code"].is_string() && !reply.text.contains("terminating"), "{how}: {reply}");
            let again = async || {
                let reply = fatou.call("wallet-operations", transfer(&binta, 1_000, key)).await;
                (reply.status == 200).then_some(reply)
            };
            w.eventually("the repeat goes through", again).await;
            assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (48_990, 1_000), "{how}");
            assert_eq!((fatou.moves().await, binta.moves().await), (2, 1), "{how}: once");
        }
    }
}

async fn w18_a_statement_that_times_out_leaves_nothing_behind(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "XOF").await, w.person().await);
    let (wallet, key) = (fatou.wallet("XOF").await, "too-slow-to-live");
    let holder = w.connect().await.expect("Postgres answers");
    let hold = format!("begin; select from ledger.wallets where id = '{wallet}' for update");
    holder.batch_execute(&hold).await.expect("held");
    // As the gateway calls it for her, with a time-out as an operator may set one for its role.
    let caller = w.connect().await.expect("Postgres answers");
    let claims = json!({ "sub": fatou.id, "role": "authenticated" });
    let call = format!(
        "begin; set local statement_timeout = '200ms'; set local role authenticated;
         select set_config('request.jwt.claims', '{claims}', true); select api.wallet_operations('{}')",
        transfer(&binta, 1_000, key)
    );
    let error = caller.batch_execute(&call).await.expect_err("nobody else gave the wallet back");
    assert_eq!(error.code().map(|code| code.code().to_owned()).as_deref(), Some("57014"), "{error}");
    caller.batch_execute("rollback").await.expect("over");
    holder.batch_execute("rollback").await.expect("released");
    let stored: i64 = w.one("select count(*) from core.idempotency_keys where caller = $1", &[&fatou.id]).await;
    assert_eq!((stored, fatou.balance("XOF").await, binta.moves().await), (0, 50_000, 0));
    fatou.call("wallet-operations", transfer(&binta, 1_000, key)).await.ok(200);
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await, fatou.moves().await), (48_990, 1_000, 2));
}
