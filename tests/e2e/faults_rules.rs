//! Known faults, section A of contracts/faults.md, continued: rates, exponents, limits and risk rules.

use serde_json::{Value, json};

use crate::world::World;

crate::tests![
    f13_one_table_has_the_rates_and_each_operation_keeps_its_own,
    f14_fees_are_whole_units,
    f15_exponents_are_per_currency_and_provider,
    f15_every_amount_comes_back_from_every_provider_as_it_went,
    f45_late_money_of_a_blocked_payer_waits_in_suspense,
    f46_daily_and_monthly_limits_hold,
    f47_without_risk_rules_nothing_moves,
];

const WALLET: &str = "wallet-operations";

/// A currency of this test's own, with rules like those of GNF.
pub async fn open_currency(w: &World, code: &str) {
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

/// Every row of the table, at its edges and at a thousand amounts of every length: the same ones in each run.
async fn f15_every_amount_comes_back_from_every_provider_as_it_went(w: &'static World) {
    let sql = "with amounts as (
            select unnest(array[1, 4, 5, 99, 100, 101, 9999, 9007199254740990, 9007199254740991]) as n
            union select 1 + ((hashint8extended(s, 15) & 9223372036854775807) >> (10 + s % 50)) % 9007199254740991
              from generate_series(1, 1000) s),
        cases as (
            select r.provider, r.currency, r.multiple_of, r.exponent as theirs, c.exponent as ours, n,
                   payments.to_provider(r.provider, r.currency, n) as out, payments.from_provider(r.provider, r.currency, n) as home
              from payments.provider_currencies r join core.currencies c on c.code = r.currency cross join amounts),
        wrong as (
            select *, case
                when out is not null and payments.from_provider(provider, currency, out) is distinct from n then 'another comes back'
                when home is not null and n % multiple_of = 0 and payments.to_provider(provider, currency, home) is distinct from n
                    then 'another goes out'
                when out::numeric * 10 ^ ours <> n::numeric * 10 ^ theirs then 'worth something else there'
                when home::numeric * 10 ^ theirs <> n::numeric * 10 ^ ours then 'worth something else here'
                when out % multiple_of <> 0 then 'not in the steps of the provider'
                when out is null and theirs = ours and n % multiple_of = 0 then 'refused without a reason'
                when greatest(out, home) > 9007199254740991 then 'more than a client can count' end as fault
              from cases)
        select coalesce(jsonb_agg(to_jsonb(wrong)), '[]') from wrong where fault is not null";
    assert_eq!(w.one::<Value>(sql, &[]).await, json!([]));
    // What each provider's documentation says.
    for (provider, none, hundredths) in [
        ("moneroo", "EUR GBP GHS GNF KES NGN RWF TZS UGX USD XAF XOF", ""),
        ("stripe", "GNF RWF XAF XOF", "EUR GBP GHS KES NGN TZS UGX USD"),
        ("paystack", "", "GHS KES NGN USD XOF"),
        ("flutterwave", "RWF UGX XAF XOF", "EUR GBP GHS KES NGN TZS USD"),
        ("flutterwave_v4", "RWF UGX XAF XOF", "EUR GBP GHS KES NGN TZS USD"),
        ("cinetpay", "GNF XAF XOF", "USD"),
        ("wave", "XOF", ""),
        ("orange_money", "GNF XAF XOF", ""),
        ("mtn_momo", "GNF RWF UGX XAF XOF", "GHS"),
        ("airtel_money", "RWF UGX XAF", "KES TZS"),
        ("paydunya", "XOF", ""),
    ] {
        let sql = "select coalesce(string_agg(currency, ' ' order by currency), '') from payments.provider_currencies
                   where provider = $1 and exponent = $2";
        for (exponent, currencies) in [(0_i16, none), (2, hundredths)] {
            assert_eq!(w.one::<String>(sql, &[&provider, &exponent]).await, currencies, "{provider} {exponent}");
        }
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
    assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
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
    open_currency(w, "KES").await;
    let (fatou, binta) = (w.rich(50_000, "KES").await, w.person().await);
    for key in ["high_amount", "suspicious_total", "block_score", "mfa_score"] {
        let sql = "delete from ledger.risk_rules where currency = 'KES' and key = $1 returning value";
        let value: i64 = w.one(sql, &[&key]).await;
        fatou.send(&binta, 1_000, "KES").await.refused(503, "DEPENDENCY_UNAVAILABLE");
        let out = json!({ "operation": "withdraw", "amount": 1_000, "currency": "KES", "method": "mpesa", "phone": "254700000001" });
        fatou.call(WALLET, out).await.refused(503, "DEPENDENCY_UNAVAILABLE");
        if key != "suspicious_total" {
            let ask = json!({ "amount": 1_000, "recipientId": binta.id, "method": "transfer", "metadata": { "currency": "KES" } });
            fatou.call("fraud-detection", ask).await.refused(503, "DEPENDENCY_UNAVAILABLE");
        }
        w.exec("insert into ledger.risk_rules values ($1, 'KES', $2)", &[&key, &value]).await;
        assert_eq!((fatou.balance("KES").await, binta.moves().await), (50_000, 0), "{key}");
    }
    // Scored high: a second factor. Scored higher: nothing helps.
    w.exec("update ledger.risk_rules set value = 10 where currency = 'KES' and key = 'mfa_score'", &[]).await;
    fatou.send(&binta, 1_000, "KES").await.refused(403, "MFA_REQUIRED");
    fatou.with_second_factor().send(&binta, 1_000, "KES").await.ok(200);
    w.exec("update ledger.risk_rules set value = 0 where currency = 'KES' and key = 'block_score'", &[]).await;
    fatou.with_second_factor().send(&binta, 2_000, "KES").await.refused(403, "FRAUD_BLOCKED");
    assert_eq!((fatou.balance("KES").await, binta.balance("KES").await), (48_990, 1_000));
    let logged: i64 = w.one("select count(*) from ledger.fraud_detection_logs where user_id = $1", &[&fatou.id]).await;
    assert_eq!(logged, 3, "each score is kept, the refused ones too");
}
