//! Known faults, section A of contracts/faults.md: money created, lost or stolen. One test per fault, named after it.
//!
//! Refunds, payouts and decisions: faults_payouts.rs and faults_admin.rs. The faults of escrows (F16, F20, F24) come with
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
    f10_every_view_is_on_a_list,
    f12_the_fee_is_credited_to_the_platform,
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
    // Every table and view, in every schema that a client may name; staff write no more than others.
    let admin = w.admin().await;
    let all = "select table_name::text from information_schema.tables where table_schema = $1";
    for schema in ["api", "ledger", "payments"] {
        for name in w.all::<String>(all, &[&schema]).await {
            for token in [&fatou.token, &admin.token] {
                let call = w.rest(Method::POST, &name, token).header("content-profile", schema);
                let reply = call.json(&json!({})).send().await;
                assert!((400..500).contains(&reply.status), "{schema}: {reply}");
            }
        }
    }
    let writers = "select count(*) from information_schema.role_table_grants
        where table_schema in ('api', 'ledger', 'payments', 'core', 'taxi', 'people')
          and grantee in ('anon', 'authenticated', 'service_role', 'PUBLIC')
          and privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')";
    assert_eq!(w.one::<i64>(writers, &[]).await, 0, "a role may write a money table");
    let columns =
        "select string_agg(distinct table_name || '.' || column_name, ' ') from information_schema.role_column_grants
        where grantee in ('anon', 'authenticated', 'service_role', 'PUBLIC') and privilege_type in ('INSERT', 'UPDATE')
          and table_schema in ('api', 'ledger', 'payments', 'core', 'taxi', 'people')";
    let read_marks = "notifications.read taxi_notifications.read";
    assert_eq!(w.one::<String>(columns, &[]).await, read_marks, "a column of money may be written");
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
    for (name, recipient) in [(WALLET, "recipient_id"), ("wallet-transfer", "receiver_id")] {
        let mut ask = json!({ "operation": "transfer", "amount": 1_000, "sender_id": fatou.id });
        ask[recipient] = json!(thief.id);
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
    let told: Vec<_> = replies.iter().map(|reply| (reply.status, reply.code())).collect();
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 10, "{told:?}");
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

/// Each takes the caller from the token; payment_refund and wallet_admin read his role in the same call.
pub const COMMANDS: &str = "fraud_detection payment_begin payment_get payment_refund taxi_accept_ride taxi_driver_heartbeat \
    taxi_payment taxi_quote_fare taxi_refuse_ride taxi_request_ride taxi_update_ride_status wallet_admin wallet_balance_at \
    wallet_operations wallet_statement";
/// What the views of staff read: each asks for the caller's role itself, and shows nothing to anybody else. The audit log
/// is a table with a policy, so its view needs the role (`is_staff`) and the mask.
const QUEUES: &str = "core.masked ledger.suspense_queue payments.dead_letters payments.differences_seen payments.payout_queue \
    people.is_staff";
/// What provider callbacks, clocks and the identity service may do; fraud_detection also for our own backends.
pub const SERVICE: &str = "fraud_detection housekeep identity_admin_create identity_admin_delete identity_admin_get \
    identity_admin_list identity_admin_update identity_clean identity_failed_login identity_open_session \
    identity_password identity_recover identity_refresh identity_sign_out identity_sign_up identity_update_user \
    identity_user identity_verify ledger_seal metrics payment_attach payment_event payment_found payment_mark \
    payment_reconcile payment_reconcile_claim payment_settle payment_sweep payout_claim payout_sent payout_settle \
    queue_state signing_key_add signing_key_revoke signing_keys_rotate signing_keys_state taxi_dispatch_tick";
/// Reads for operators on the database itself: not in `api`, so no gateway shows them.
const REPORTS: &str = "ledger.audit ledger.check_books ledger.verify_chain payments.reconciliation_report";

pub fn words(list: &'static str) -> Vec<&'static str> {
    list.split(' ').collect()
}

/// Every schema that no platform brought along.
const OURS: &str =
    "n.nspname !~ '^(pg_.*|information_schema|public|auth|extensions|storage|realtime|vault|graphql.*|net|cron)$'";

/// What each role may run: a new grant is a decision, and is written down above; what anybody may, in declared.psql.
async fn f10_every_grant_is_on_a_list(w: &'static World) {
    let sql = &format!(
        "select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where {OURS} and has_function_privilege($1::name, p.oid, 'execute') order by 1"
    );
    let declared = crate::matrix::declared();
    let anybodys: Vec<String> = w.all(sql, &[&"anon"]).await;
    let shown: Vec<_> = anybodys.iter().filter_map(|name| name.strip_prefix("api.")).collect();
    assert_eq!(shown, declared.iter().copied().collect::<Vec<_>>());
    assert_eq!(anybodys.len(), declared.len() * 2, "one function behind each, and no more: {anybodys:?}");
    for (role, listed, besides) in [("authenticated", COMMANDS, QUEUES), ("service_role", SERVICE, REPORTS)] {
        let mut open: Vec<String> = w.all(sql, &[&role]).await;
        open.retain(|name| !anybodys.contains(name));
        let exposed = open.iter().filter_map(|name| name.strip_prefix("api."));
        assert_eq!(exposed.collect::<Vec<_>>(), words(listed), "{role}");
        let inside = open.iter().map(String::as_str).filter(|name| !name.starts_with("api."));
        let (known, behind): (Vec<_>, Vec<_>) = inside.partition(|name| words(besides).contains(name));
        assert_eq!(known, words(besides), "{role}");
        assert_eq!(
            behind.len(),
            words(listed).len(),
            "{role}: one function behind each command, and no more: {behind:?}"
        );
    }
    let public = format!(
        "select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) a
        where {OURS} and a.grantee = 0"
    );
    assert_eq!(w.one::<i64>(&public, &[]).await, 0, "everybody may run something");
    let loose = format!(
        "select array_agg(p.oid::regprocedure::text) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.prosecdef and {OURS}
          and (n.nspname = 'api' or not coalesce(p.proconfig, '{{}}') @> array['search_path=\"\"'])"
    );
    assert_eq!(
        w.one::<Option<Vec<String>>>(&loose, &[]).await,
        None,
        "definer functions pin their search path, and none is in api"
    );
    let fatou = w.person().await;
    for name in words(SERVICE).into_iter().filter(|name| !words(COMMANDS).contains(name)) {
        let reply = w.rest(Method::POST, &format!("rpc/{name}"), &fatou.token).json(&json!({ "ask": {} })).send().await;
        assert!((400..500).contains(&reply.status), "a user runs {name}: {reply}");
    }
    for name in words(COMMANDS) {
        let call = w.rest(Method::POST, &format!("rpc/{name}"), &w.vars["ANON_KEY"]).json(&json!({ "ask": {} }));
        let reply = call.send().await;
        assert!((400..500).contains(&reply.status), "anybody runs {name}: {reply}");
    }
}

/// What each role may read: rows are then chosen by row-level security, and by the role that a view of staff asks for.
async fn f10_every_view_is_on_a_list(w: &'static World) {
    let sql = "select string_agg(table_name, ' ' order by table_name) from information_schema.role_table_grants
        where table_schema = $2 and grantee = $1 and privilege_type = 'SELECT'";
    for (schema, shown) in [
        (
            "api",
            "admin_dead_letters admin_payouts admin_reconciliation admin_suspense audit_logs declined_drivers moneroo_payments \
             paid_entitlements payouts profiles provider_currencies taxi_driver_dues taxi_drivers taxi_notifications \
             taxi_pricing_config taxi_quotes taxi_ride_tracking taxi_transactions taxi_trips wallet_history wallet_logs wallets",
        ),
        ("core", "audit_logs"),
        ("ledger", "entries transactions wallet_logs wallets"),
        ("payments", "paid_entitlements payments payouts provider_currencies"),
        ("people", "profiles"),
    ] {
        assert_eq!(w.one::<String>(sql, &[&"authenticated", &schema]).await, shown, "{schema}");
        for role in ["anon", "service_role", "PUBLIC"] {
            assert_eq!(w.one::<Option<String>>(sql, &[&role, &schema]).await, None, "{schema} to {role}");
        }
    }
    let hidden = "select coalesce(string_agg(column_name, ' '), '') from information_schema.columns where table_schema = 'api'
        and column_name in ('provider_data', 'fingerprint', 'idempotency_key', 'pin_hash', 'body', 'headers', 'notif_token')";
    assert_eq!(w.one::<String>(hidden, &[]).await, "", "a secret of a row is shown");
}

async fn f12_the_fee_is_credited_to_the_platform(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let reply = fatou.send(&binta, 12_345, "GNF").await;
    let tx = reply.ok(200)["transaction_id"].as_str().expect("an id").to_owned();
    let sql = "select jsonb_build_array(sum(e.amount)::bigint, sum(e.amount) filter (where a.kind = 'platform_fees'))
        from ledger.entries e join ledger.accounts a on a.id = e.account_id where e.transaction_id::text = $1";
    assert_eq!(w.one::<Value>(sql, &[&tx]).await, json!([0, 123]));
}
