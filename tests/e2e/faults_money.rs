//! Known faults, section A of contracts/faults.md: money created, lost or stolen. One test per fault, named after it.
//!
//! The faults of escrows, disputes, refunds, payouts and subscriptions (F11, F16–F24, F37, F38, F40–F44) come with
//! their functions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::world::World;

crate::tests![
    f01_a_wallet_is_credited_only_by_a_settled_payment,
    f02_no_signed_in_role_writes_a_money_table_through_the_gateway,
    f03_a_new_wallet_starts_at_zero,
    f04_the_sender_is_the_tokens_user,
    f06_of_a_hundred_parallel_debits_of_everything_one_succeeds,
    f07_a_transfer_that_is_cut_at_any_step_moves_nothing,
    f08_a_failed_transfer_writes_no_old_balance_back,
    f09_a_refused_journal_line_undoes_the_balances,
    f10_every_grant_is_on_a_list,
    f12_the_fee_is_credited_to_the_platform,
    f13_one_table_has_the_rates_and_each_operation_keeps_its_own,
    f14_fees_are_whole_units,
    f15_exponents_are_per_currency_and_provider,
    f45_late_money_of_a_blocked_payer_waits_in_suspense,
    f46_daily_and_monthly_limits_hold,
    f47_without_risk_rules_nothing_moves,
];

const WALLET: &str = "wallet-operations";

/// The two ends of a transfer that must not happen: both as they were, and not a line in the journal.
async fn untouched(fatou: &Person, balance: i64, others: &[&Person]) {
    assert_eq!(fatou.gnf().await, balance);
    for other in others {
        assert_eq!((other.gnf().await, other.moves().await), (0, 0));
    }
}

async fn f01_a_wallet_is_credited_only_by_a_settled_payment(w: &'static World) {
    let fatou = w.person().await;
    for extra in [json!({}), json!({ "status": "completed" }), json!({ "verified": true, "new_balance": 9_000_000 })] {
        let mut ask = json!({ "operation": "deposit", "amount": 100_000 });
        ask.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        assert_eq!(fatou.call(WALLET, ask).await.ok(202)["status"], "pending");
        untouched(&fatou, 0, &[]).await;
    }
    let invented = json!({ "operation": "deposit", "payment_id": "a1b2c3d4e5f6", "amount": 100_000 });
    fatou.call(WALLET, invented).await.refused(404, "NOT_FOUND");
    let direct = json!({ "ask": { "operation": "deposit", "amount": 100_000 } });
    let rpc = w.rest(Method::POST, "rpc/wallet_operations", &fatou.token).json(&direct).send().await;
    assert!((400..500).contains(&rpc.status), "the command behind the function: {rpc}");
    untouched(&fatou, 0, &[&fatou]).await;
}

async fn f02_no_signed_in_role_writes_a_money_table_through_the_gateway(w: &'static World) {
    let fatou = w.rich(1_000, "GNF").await;
    let wallet = fatou.wallet("GNF").await;
    for (column, value) in [("balance", json!(9_000_000)), ("status", json!("active")), ("daily_limit", json!(1))] {
        let mut change = json!({});
        change[column] = value;
        let path = format!("wallets?id=eq.{wallet}");
        let reply = w.rest(Method::PATCH, &path, &fatou.token).json(&change).send().await;
        assert!((400..500).contains(&reply.status), "{column}: {reply}");
    }
    let row = json!({ "user_id": fatou.id, "currency": "XOF", "balance": 9_000_000 });
    let reply = w.rest(Method::POST, "wallets", &fatou.token).json(&row).send().await;
    assert!((400..500).contains(&reply.status), "{reply}");
    let writers = "select count(*) from information_schema.role_table_grants
        where table_schema in ('api', 'ledger', 'payments', 'core') and grantee in ('anon', 'authenticated', 'PUBLIC')
          and privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')";
    assert_eq!(w.one::<i64>(writers, &[]).await, 0, "a role may write a money table");
    untouched(&fatou, 1_000, &[]).await;
}

async fn f03_a_new_wallet_starts_at_zero(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    assert_eq!(asked["new_balance"], 0);
    let balance: i64 = w.one("select balance from ledger.wallets where user_id = $1", &[&fatou.id]).await;
    assert_eq!((balance, fatou.moves().await), (0, 0));
}

async fn f04_the_sender_is_the_tokens_user(w: &'static World) {
    let (fatou, thief) = (w.rich(50_000, "GNF").await, w.person().await);
    for (name, field) in [(WALLET, "sender_id"), ("wallet-transfer", "sender_id")] {
        let mut ask =
            json!({ "operation": "transfer", "amount": 1_000, "recipient_id": thief.id, "receiver_id": thief.id });
        ask[field] = json!(fatou.id);
        thief.call(name, ask).await.refused(403, "IDENTITY_MISMATCH");
    }
    untouched(&fatou, 50_000, &[&thief]).await;
}

async fn f06_of_a_hundred_parallel_debits_of_everything_one_succeeds(w: &'static World) {
    let (fatou, binta) = (w.rich(101_000, "XOF").await, w.person().await);
    let calls = (0..100).map(|_| fatou.send(&binta, 100_000, "XOF"));
    let replies = futures_util::future::join_all(calls).await;
    let won = replies.iter().filter(|reply| reply.status == 200).count();
    let lost = replies.iter().filter(|reply| reply.is_refusal(409, "INSUFFICIENT_FUNDS")).count();
    assert_eq!((won, lost), (1, 99));
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (0, 100_000));
}

async fn f07_a_transfer_that_is_cut_at_any_step_moves_nothing(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let (from, to) = (fatou.wallet("GNF").await, binta.wallet("GNF").await);
    for (table, condition) in [
        ("ledger.wallets", format!("new.id = '{from}' and new.balance < 50000")),
        ("ledger.wallets", format!("new.id = '{to}'")),
        ("ledger.transactions", format!("new.sender_wallet_id = '{from}'")),
        ("ledger.entries", format!("new.account_id = '{to}'")),
        ("ledger.known_recipients", format!("new.sender_wallet_id = '{from}'")),
        ("core.outbox", format!("new.payload ->> 'user_id' = '{}'", binta.id)),
        ("core.idempotency_keys", format!("new.caller = '{}'", fatou.id)),
    ] {
        let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "idempotency_key": "cut-short" });
        let reply = w.sabotaged(table, &condition, async || fatou.call(WALLET, ask.clone()).await).await;
        let body = reply.refused(500, "INTERNAL");
        assert!(!body.to_string().contains("cut here"), "the cause is for the log: {reply}");
        untouched(&fatou, 50_000, &[&binta]).await;
    }
    // And the connection itself: the session that does it is ended while it waits for the wallet.
    let holder = w.connect().await.expect("Postgres answers");
    holder
        .batch_execute(&format!("begin; select from ledger.wallets where id = '{from}' for update"))
        .await
        .expect("held");
    let waiting = fatou.send(&binta, 1_000, "GNF");
    let cut = async {
        let sql = "select bool_or(pg_terminate_backend(pid)) from pg_locks l join pg_stat_activity a using (pid)
                   where not l.granted and l.transactionid is not null and a.query like '%wallet_operations%'";
        w.eventually("a session waits", async || w.one::<Option<bool>>(sql, &[]).await).await;
        holder.batch_execute("rollback").await.expect("released");
    };
    let (reply, ()) = tokio::join!(waiting, cut);
    assert!(reply.status >= 500 || reply.status == 200, "{reply}");
    let moved = if reply.status == 200 { 1_000 } else { 0 };
    assert_eq!((binta.gnf().await, fatou.gnf().await), (moved, 50_000 - moved * 101 / 100));
}

async fn f08_a_failed_transfer_writes_no_old_balance_back(w: &'static World) {
    let (fatou, good, bad) = (w.rich(100_000, "XOF").await, w.person().await, w.person().await);
    let unlucky = bad.wallet("XOF").await;
    let condition = format!("new.account_id = '{unlucky}'");
    let replies = w
        .sabotaged("ledger.entries", &condition, async || {
            let calls = (0..20).map(|n| fatou.send(if n % 2 == 0 { &good } else { &bad }, 1_000, "XOF"));
            futures_util::future::join_all(calls).await
        })
        .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 10);
    assert_eq!(replies.iter().filter(|reply| reply.is_refusal(500, "INTERNAL")).count(), 10);
    let balances = (fatou.balance("XOF").await, good.balance("XOF").await, bad.balance("XOF").await);
    assert_eq!(balances, (100_000 - 10 * 1_010, 10_000, 0));
}

async fn f09_a_refused_journal_line_undoes_the_balances(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let unseen = w.rest(Method::GET, &format!("wallets?user_id=eq.{}", fatou.id), &binta.token).send().await;
    assert_eq!(*unseen.ok(200), json!([]), "she does not see his wallet");
    fatou.send(&binta, 1_000, "GNF").await.ok(200);
    let to = binta.wallet("GNF").await;
    let condition = format!("new.account_id = '{to}'");
    let reply = w.sabotaged("ledger.entries", &condition, async || fatou.send(&binta, 2_000, "GNF").await).await;
    reply.refused(500, "INTERNAL");
    assert_eq!((fatou.gnf().await, binta.gnf().await), (48_990, 1_000));
}

/// What each role may run, in words: a new grant is a decision, and is written down here.
async fn f10_every_grant_is_on_a_list(w: &'static World) {
    let sql = "select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('api', 'core', 'people', 'ledger', 'payments', 'taxi') and has_function_privilege($1::name, p.oid, 'execute')
        order by 1";
    let anon: Vec<String> = w.all(sql, &[&"anon"]).await;
    assert_eq!(anon, ["api.health"]);
    let commands = [
        "payment_begin",
        "payment_get",
        "taxi_accept_ride",
        "taxi_driver_heartbeat",
        "taxi_payment",
        "taxi_quote_fare",
        "taxi_refuse_ride",
        "taxi_request_ride",
        "taxi_update_ride_status",
        "wallet_operations",
    ];
    let user: Vec<String> = w.all(sql, &[&"authenticated"]).await;
    let exposed: Vec<&str> =
        user.iter().filter_map(|name| name.strip_prefix("api.")).filter(|name| *name != "health").collect();
    assert_eq!(exposed, commands);
    let behind = user.iter().filter(|name| !name.starts_with("api.")).count();
    assert_eq!(behind, commands.len(), "each command has one function behind it, and nothing else is open: {user:?}");
    let public = "select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) a
        where n.nspname in ('api', 'core', 'people', 'ledger', 'payments', 'taxi') and a.grantee = 0";
    assert_eq!(w.one::<i64>(public, &[]).await, 0, "everybody may run something");
    let loose =
        "select array_agg(p.oid::regprocedure::text) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.prosecdef and n.nspname in ('api', 'core', 'people', 'ledger', 'payments', 'taxi')
          and (n.nspname = 'api' or not coalesce(p.proconfig, '{}') @> array['search_path=\"\"'])";
    assert_eq!(
        w.one::<Option<Vec<String>>>(loose, &[]).await,
        None,
        "definer functions pin their search path, and none is in api"
    );
    let fatou = w.person().await;
    for name in ["payment_settle", "payment_attach", "payment_event", "payment_sweep", "taxi_dispatch_tick"] {
        let reply = w.rest(Method::POST, &format!("rpc/{name}"), &fatou.token).json(&json!({ "ask": {} })).send().await;
        assert!((400..500).contains(&reply.status), "a user runs {name}: {reply}");
    }
    let anon = w.vars["ANON_KEY"].clone();
    let reply = w.rest(Method::POST, "rpc/wallet_operations", &anon).json(&json!({ "ask": {} })).send().await;
    assert!((400..500).contains(&reply.status), "{reply}");
}

async fn f12_the_fee_is_credited_to_the_platform(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let reply = fatou.send(&binta, 12_345, "GNF").await;
    let tx = reply.ok(200)["transaction_id"].as_str().expect("an id").to_owned();
    let sql = "select jsonb_build_array(sum(e.amount)::bigint, sum(e.amount) filter (where a.kind = 'platform_fees'))
        from ledger.entries e join ledger.accounts a on a.id = e.account_id where e.transaction_id::text = $1";
    assert_eq!(w.one::<Value>(sql, &[&tx]).await, json!([0, 123]));
}

/// A currency of this test's own, with rules like those of GNF.
async fn open_currency(w: &World, code: &str) {
    let sql = "insert into ledger.wallet_limits select $1, min_operation, max_operation, default_daily, default_monthly
               from ledger.wallet_limits where currency = 'GNF' on conflict do nothing";
    w.exec(sql, &[&code]).await;
    let sql = "insert into ledger.risk_rules select key, $1, value from ledger.risk_rules where currency = 'GNF'
               on conflict do nothing";
    w.exec(sql, &[&code]).await;
}

async fn f13_one_table_has_the_rates_and_each_operation_keeps_its_own(w: &'static World) {
    open_currency(w, "RWF").await;
    let (fatou, binta) = (w.rich(100_000, "RWF").await, w.person().await);
    let fee_of = async |amount: i64| {
        let reply = fatou.send(&binta, amount, "RWF").await;
        let tx = reply.ok(200)["transaction_id"].as_str().expect("an id").to_owned();
        (reply.body["fee"].as_i64(), tx)
    };
    let (before, old) = fee_of(10_000).await;
    let rate = "insert into ledger.wallet_fees (operation, currency, fee_type, fee_value) values ('transfer', 'RWF', 'bps', 250)";
    w.exec(rate, &[]).await;
    let (after, _) = fee_of(10_000).await;
    let preview = json!({ "operation": "preview", "amount": 10_000, "currency": "RWF", "recipient_id": binta.id });
    assert_eq!(fatou.call(WALLET, preview).await.ok(200)["fee"], 250);
    assert_eq!((before, after), (Some(100), Some(250)));
    let kept: i64 = w.one("select fee from ledger.transactions where id::text = $1", &[&old]).await;
    assert_eq!(
        (kept, binta.balance("RWF").await),
        (100, 20_000),
        "the recipient gets the whole amount: fees are on top"
    );
}

async fn f14_fees_are_whole_units(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    for (amount, fee) in [(149_i64, 1_i64), (150, 2), (250, 3), (12_349, 123), (12_350, 124)] {
        let reply = fatou.send(&binta, amount, "GNF").await;
        assert_eq!(reply.ok(200)["fee"], fee);
        assert!(!reply.text.contains('.'), "a fraction of a franc: {reply}");
    }
    let sql = "select count(*) from information_schema.columns c join information_schema.tables t
        using (table_schema, table_name) where table_schema in ('ledger', 'payments', 'taxi') and t.table_type = 'BASE TABLE'
        and data_type in ('numeric', 'real', 'double precision', 'money')
        and column_name not in ('rating', 'lat', 'lng') and column_name not like '%\\_lat' and column_name not like '%\\_lng'";
    assert_eq!(w.one::<i64>(sql, &[]).await, 0, "an amount is stored as something else than an integer");
}

async fn f15_exponents_are_per_currency_and_provider(w: &'static World) {
    open_currency(w, "USD").await;
    let fatou = w.person().await;
    let deposit = |amount: i64| json!({ "operation": "deposit", "amount": amount, "currency": "USD" });
    // 105.00 + 0.53 is no whole number of dollars, and the provider takes nothing else.
    fatou.call(WALLET, deposit(10_500)).await.refused(400, "AMOUNT_NOT_SUPPORTED");
    let asked = fatou.call(WALLET, deposit(19_900)).await;
    assert_eq!((&asked.ok(202)["fee"], &asked.body["total"]), (&json!(100), &json!(20_000)));
    let seen = &w.payments_of(&fatou).await[0];
    assert_eq!((&seen["amount"], &seen["currency"]), (&json!(200), &json!("USD")));
    w.pays(&asked.body).await;
    w.becomes(crate::sandbox::payment_id(&asked.body), "success").await;
    assert_eq!(fatou.balance("USD").await, 19_900);
    let sql = "select jsonb_object_agg(code, exponent) from core.currencies";
    let exponents: Value = w.one(sql, &[]).await;
    for (code, exponent) in
        [("GNF", 0), ("XOF", 0), ("XAF", 0), ("RWF", 0), ("UGX", 0), ("USD", 2), ("EUR", 2), ("NGN", 2), ("GHS", 2)]
    {
        assert_eq!(exponents[code], exponent, "{code}");
    }
}

async fn f45_late_money_of_a_blocked_payer_waits_in_suspense(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    fatou.set_wallet("GNF", "status = 'blocked'").await;
    w.pays(&asked).await;
    let row = w.becomes(crate::sandbox::payment_id(&asked), "success").await;
    assert_ne!(row["settlement"], "settled");
    let own = row["id"].as_str().expect("an id");
    let sql = "select sum(e.amount)::bigint from ledger.transactions t join ledger.entries e on e.transaction_id = t.id
        join ledger.accounts a on a.id = e.account_id where t.reference_id = $1 and a.kind = 'suspense'";
    assert_eq!(w.one::<i64>(sql, &[&own]).await, 100_500);
    assert!(w.alerted("money_in_suspense", own).await, "nobody is told");
    untouched(&fatou, 0, &[&fatou]).await;
}

async fn f46_daily_and_monthly_limits_hold(w: &'static World) {
    let (fatou, binta) = (w.rich(3_000_000, "GNF").await, w.person().await);
    fatou.send(&binta, 600_000, "GNF").await.ok(200);
    let ask = json!({ "operation": "withdraw", "amount": 399_900, "method": "orange_money", "phone": "+224620000001" });
    fatou.call(WALLET, ask).await.ok(202);
    fatou.send(&binta, 101, "GNF").await.refused(403, "LIMIT_EXCEEDED");
    fatou.send(&binta, 100, "GNF").await.ok(200);
    let left = 3_000_000 - 606_000 - (399_900 + 5_999) - 101;
    assert_eq!((fatou.gnf().await, binta.gnf().await), (left, 600_100), "at the limit, and not a franc over it");
    let awa = w.rich(100_000, "GNF").await;
    awa.set_wallet("GNF", "daily_limit = 50000, monthly_limit = 50000").await;
    let calls = (0..10).map(|_| awa.send(&binta, 10_000, "GNF"));
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 5, "limits hold in parallel as well");
    assert_eq!(awa.gnf().await, 100_000 - 5 * 10_100);
}

async fn f47_without_risk_rules_nothing_moves(w: &'static World) {
    open_currency(w, "UGX").await;
    let (fatou, binta) = (w.rich(50_000, "UGX").await, w.person().await);
    for key in ["high_amount", "suspicious_total", "block_score", "mfa_score"] {
        let sql = "delete from ledger.risk_rules where currency = 'UGX' and key = $1 returning value";
        let value: i64 = w.one(sql, &[&key]).await;
        fatou.send(&binta, 1_000, "UGX").await.refused(503, "DEPENDENCY_UNAVAILABLE");
        w.exec("insert into ledger.risk_rules values ($1, 'UGX', $2)", &[&key, &value]).await;
        assert_eq!((fatou.balance("UGX").await, binta.moves().await), (50_000, 0), "{key}");
    }
    // Scored high: a second factor. Scored higher: nothing helps.
    w.exec("update ledger.risk_rules set value = 10 where currency = 'UGX' and key = 'mfa_score'", &[]).await;
    fatou.send(&binta, 1_000, "UGX").await.refused(403, "MFA_REQUIRED");
    fatou.with_second_factor().send(&binta, 1_000, "UGX").await.ok(200);
    w.exec("update ledger.risk_rules set value = 0 where currency = 'UGX' and key = 'block_score'", &[]).await;
    fatou.with_second_factor().send(&binta, 2_000, "UGX").await.refused(403, "FRAUD_BLOCKED");
    assert_eq!((fatou.balance("UGX").await, binta.balance("UGX").await), (48_990, 1_000));
    let logged: i64 = w.one("select count(*) from ledger.fraud_detection_logs where user_id = $1", &[&fatou.id]).await;
    assert_eq!(logged, 3, "each score is kept, the refused ones too");
}
