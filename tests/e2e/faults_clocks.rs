//! Known faults, section B of contracts/faults.md, continued: numbers, repeated runs, and what is written together. One test
//! per fault, named after it.
//!
//! The faults of plan limits, stock, appointments, automations, doors, games and licences (F61, F63–F65, F67, F68, F70, F72,
//! F73, F75–F78) come with their functions.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::outgoing::{WAITING_PHONE, id_of};
use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![
    f62_numbers_that_people_read_are_never_given_twice,
    f66_what_is_told_is_told_once,
    f69_clocks_that_strike_together_do_the_work_once,
    f71_an_event_ends_also_when_it_fails,
    f74_a_notice_is_written_with_what_it_tells_or_not_at_all,
];

async fn f62_numbers_that_people_read_are_never_given_twice(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "XOF").await, w.person().await);
    let replies = join_all((0..40).map(|_| fatou.send(&binta, 100, "XOF"))).await;
    let codes: BTreeSet<String> = replies.iter().map(|reply| reply.ok(200)["transfer_code"].to_string()).collect();
    assert_eq!(codes.len(), 40);
    let scenes = join_all((0..4).map(|_| w.scene())).await;
    let rides: BTreeSet<String> = join_all(scenes.iter().map(|scene| scene.requested())).await.into_iter().collect();
    let given = "select count(distinct ride_code) from taxi.trips where id::text = any ($1)";
    let ids: Vec<String> = rides.into_iter().collect();
    assert_eq!(w.one::<i64>(given, &[&ids]).await, 4);
    // And the database holds on to it, whoever numbers: a code, a transaction, a payout of a debit, a refund's key.
    for (table, columns) in [
        ("taxi.trips", "ride_code"),
        ("ledger.references", "reference_type,reference_id,type"),
        ("payments.payouts", "transaction_id"),
        ("payments.payments", "provider,provider_payment_id"),
        ("payments.payouts", "provider,provider_payout_id"),
        ("payments.payment_refunds", "by,idempotency_key"),
        ("payments.disputes", "provider,dispute_id"),
        ("payments.event_keys", "provider,dedupe_key"),
    ] {
        let sql = "select exists (select from pg_index i where i.indrelid = to_regclass($1) and i.indisunique and i.indpred is null
            and (select string_agg(a.attname, ',' order by k.place) from unnest(i.indkey::int2[]) with ordinality k (attnum, place)
                 join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum) = $2)";
        assert!(w.one::<bool>(sql, &[&table, &columns]).await, "{table} ({columns}) is not unique for ever");
    }
}

async fn f66_what_is_told_is_told_once(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    let age = "update taxi.trips set requested_at = now() - interval '15 minutes' where id::text = $1";
    w.exec(age, &[&ride]).await;
    join_all((0..4).map(|_| w.tick("taxi-dispatch-tick"))).await;
    w.tick("taxi-dispatch-tick").await.ok(200);
    let told = "select jsonb_build_array((select count(*) from taxi.notifications where ride_id::text = $1 and type = 'ride_no_driver'),
        (select count(*) from core.outbox where payload ->> 'type' = 'ride_no_driver' and payload ->> 'ride_id' = $1))";
    assert_eq!(w.one::<Value>(told, &[&ride]).await, json!([1, 1]), "one notice, and one of it to send");
    // An alert about one thing is one row, however often the clock comes by.
    let fatou = w.rich(50_000, "XOF").await;
    w.fault(json!({ "on": "payout", "fault": "garbage", "email": fatou.email, "times": 1 })).await;
    let payout = w.withdrawn(&fatou, 10_000, "XOF", WAITING_PHONE).await;
    w.sent(id_of(&payout), "unknown").await;
    for _ in 0..3 {
        w.rechecks_payout(id_of(&payout)).await;
    }
    let alerts = "select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = 'payout_unknown'
                  and payload ->> 'target' = $1";
    assert_eq!(w.one::<i64>(alerts, &[&id_of(&payout)]).await, 1);
}

async fn f69_clocks_that_strike_together_do_the_work_once(w: &'static World) {
    let fatou = w.rich(50_000, "XOF").await;
    let payout = w.withdrawn(&fatou, 10_000, "XOF", WAITING_PHONE).await;
    for reply in join_all((0..6).map(|_| w.tick("payout-process"))).await {
        reply.ok(200);
    }
    w.sent(id_of(&payout), "processing").await;
    assert_eq!((w.times_sent(&fatou).await, w.payouts_to(&fatou).await.len()), (1, 1));
    let binta = w.person().await;
    let asked = binta.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let due = "update payments.payments set next_check_at = now() - interval '1 year' where provider_payment_id = $1";
    w.exec(due, &[&id]).await;
    for reply in join_all((0..6).map(|_| w.tick("retry-failed-transactions"))).await {
        reply.ok(200);
    }
    assert_eq!(w.becomes(id, "success").await["checks"], 1, "claimed before it was asked about");
    assert_eq!((w.times_asked("verify", id).await, binta.moves().await), (1, 1));
}

async fn f71_an_event_ends_also_when_it_fails(w: &'static World) {
    let (fatou, admin) = (w.person().await, w.admin().await);
    let lost = format!("lost{}", xtask::keys::random_uuid().simple());
    assert_eq!(w.delivers(json!({ "body": event("payment.success", &lost, 1, "GNF") })).await, [200]);
    let attempts = "select attempts from payments.payment_events where provider_payment_id = $1";
    for attempt in 1..=10 {
        w.sweeps(&lost).await;
        // Another test's sweep may be the one that has it.
        let counted = async || (w.one::<i32>(attempts, &[&lost]).await >= attempt).then_some(());
        w.eventually("it is counted before it is tried", counted).await;
    }
    let ended =
        "select count(*) from payments.payment_events where provider_payment_id = $1 and processed_at is not null
                 and outcome = 'dead_letter'";
    assert_eq!(w.one::<i64>(ended, &[&lost]).await, 1);
    let last: i32 = w.one(attempts, &[&lost]).await;
    w.sweeps(&lost).await;
    assert_eq!(w.one::<i32>(attempts, &[&lost]).await, last, "and is not tried again");
    let letters = format!("admin_dead_letters?select=attempts&provider_payment_id=eq.{lost}");
    assert_eq!(*w.rest(Method::GET, &letters, &fatou.token).send().await.ok(200), json!([]));
    let seen = w.rest(Method::GET, &letters, &admin.token).send().await;
    assert_eq!(*seen.ok(200), json!([{ "attempts": last }]));
}

async fn f74_a_notice_is_written_with_what_it_tells_or_not_at_all(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let told = async || {
        let sql = "select count(*) from core.outbox where payload ->> 'type' = 'transfer_received' and payload ->> 'user_id' = $1";
        w.one::<i64>(sql, &[&binta.id.to_string()]).await
    };
    let condition = format!("new.payload ->> 'user_id' = '{}'", binta.id);
    w.sabotaged("core.outbox", &condition, async || fatou.send(&binta, 1_000, "GNF").await)
        .await
        .refused(500, "INTERNAL");
    assert_eq!((fatou.gnf().await, binta.moves().await, told().await), (50_000, 0, 0), "money without its notice");
    let key = format!("new.caller = '{}'", fatou.id);
    let ask =
        json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "idempotency_key": "told-or-not" });
    let cut =
        w.sabotaged("core.idempotency_keys", &key, async || fatou.call("wallet-operations", ask.clone()).await).await;
    cut.refused(500, "INTERNAL");
    assert_eq!((fatou.gnf().await, binta.moves().await, told().await), (50_000, 0, 0), "a notice without its money");
    fatou.call("wallet-operations", ask).await.ok(200);
    assert_eq!((binta.gnf().await, told().await), (1_000, 1));
}
