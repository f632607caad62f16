//! The wallet scenarios of money.md, section 6, by their ids: who may spend what, written how, and whose it is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::outgoing::id_of;
use crate::people::Person;
use crate::world::World;

crate::tests![
    w3_nobody_transfers_to_himself,
    w4_zero_and_less_move_nothing_anywhere,
    w5_what_is_no_integer_is_refused_at_the_edge_and_by_the_database,
    w6_a_fraction_is_refused_and_a_power_is_never_rounded,
    w7_currencies_do_not_mix,
    w15_nobody_debits_or_reads_a_wallet_that_is_not_his,
    w16_a_balance_at_an_instant_is_defined_for_both_times,
];

const WALLET: &str = "wallet-operations";

async fn w3_nobody_transfers_to_himself(w: &'static World) {
    let fatou = w.rich(10_000, "GNF").await;
    let custom: String = w.one("select custom_id from people.user_ids where user_id = $1", &[&fatou.id]).await;
    let public: String = w.one("select public_id from people.profiles where id = $1", &[&fatou.id]).await;
    for id in [fatou.id.to_string(), fatou.id.to_string().to_uppercase(), custom.to_lowercase(), public] {
        let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": id, "confirm_duplicate": true });
        fatou.call(WALLET, ask.clone()).await.refused(409, "SELF_TRANSFER");
        let direct = w.rest(Method::POST, "rpc/wallet_operations", &fatou.token).json(&json!({ "ask": ask }));
        assert_eq!(direct.send().await.code(), "SELF_TRANSFER", "{id}");
    }
    // And below every function: the same account on both sides is no posting.
    let wallet = fatou.wallet("GNF").await;
    let sql = "select ledger.post('adjustment', 'GNF', array[row($1::uuid, -1000)::ledger.leg,
        row($1::uuid, 1000)::ledger.leg], null, null, 1000)";
    let client = w.connect().await.expect("Postgres answers");
    assert!(client.query(sql, &[&wallet]).await.is_err(), "a wallet was both sides of a posting");
    assert_eq!((fatou.gnf().await, fatou.moves().await), (10_000, 1));
}

async fn w4_zero_and_less_move_nothing_anywhere(w: &'static World) {
    let (fatou, binta, admin) = (w.rich(100_000, "XOF").await, w.person().await, w.admin().await);
    let paid = w.paid_by_card(&fatou, 10_000).await;
    let before = (fatou.balance("XOF").await, fatou.moves().await);
    for amount in ["0", "-1", "-0", "-100", "-9007199254740991"] {
        for operation in ["transfer", "withdraw", "deposit", "preview"] {
            let ask = format!(
                r#"{{"operation":"{operation}","amount":{amount},"currency":"XOF","recipient_id":"{}","method":"orange_ci","phone":"+2250700000001"}}"#,
                binta.id
            );
            let reply = w.function(WALLET).bearer(&fatou.token).raw(ask.clone()).send().await;
            assert!(reply.is_refusal(400, "VALIDATION_ERROR"), "{operation} of {amount}: {reply}");
            let direct = w.rest(Method::POST, "rpc/wallet_operations", &fatou.token);
            let direct = direct.raw(format!(r#"{{"ask":{ask}}}"#)).send().await;
            assert_eq!(direct.status, 400, "{operation} of {amount}, past the function: {direct}");
        }
        let refund = format!(
            r#"{{"payment_id":{},"amount":{amount},"reason":"none at all","destination":"original","idempotency_key":"less-than-nothing"}}"#,
            paid["id"]
        );
        let reply = w.function("payment-refund").bearer(&admin.token).raw(refund.clone()).send().await;
        assert!(reply.is_refusal(400, "VALIDATION_ERROR"), "refund of {amount}: {reply}");
        let direct = w.rest(Method::POST, "rpc/payment_refund", &admin.token);
        let direct = direct.raw(format!(r#"{{"ask":{refund}}}"#)).send().await;
        assert_eq!(direct.status, 400, "refund of {amount}, past the function: {direct}");
    }
    // A fare is of a way, and no way is shorter than none.
    let (at, back) = (w.place(), json!({ "distanceKm": -1, "durationMin": 10 }));
    fatou.call("taxi-quote-fare", back).await.refused(400, "VALIDATION_ERROR");
    let nowhere = json!({ "pickup": crate::people::point(at), "dropoff": crate::people::point(at) });
    fatou.call("taxi-request-ride", nowhere).await.refused(400, "VALIDATION_ERROR");
    assert_eq!((fatou.balance("XOF").await, fatou.moves().await), before);
    assert_eq!((binta.moves().await, w.refunded(&paid).await), (0, 0));
    assert_eq!(w.payments_of(&fatou).await.len(), 0, "Moneroo was asked for a deposit of nothing");
}

/// Sends a transfer whose amount is written exactly so, to the function and to the command behind it.
async fn written(w: &'static World, from: &Person, to: &Person, amount: &str) -> [crate::call::Reply; 2] {
    let ask = format!(
        r#"{{"operation":"transfer","amount":{amount},"currency":"XOF","recipient_id":"{}","confirm_duplicate":true}}"#,
        to.id
    );
    let function = w.function(WALLET).bearer(&from.token).raw(ask.clone()).send().await;
    let command = w.rest(Method::POST, "rpc/wallet_operations", &from.token);
    [function, command.raw(format!(r#"{{"ask":{ask}}}"#)).send().await]
}

async fn w5_what_is_no_integer_is_refused_at_the_edge_and_by_the_database(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "XOF").await, w.person().await);
    for text in [
        "1.5",
        "1e400",
        "99999999999999999999",
        "9007199254740992",
        "\"1e3\"",
        "\"0x10\"",
        "\" 5 \"",
        "\"1_000\"",
        "\"100\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"\u{0661}\u{0660}\u{0660}\"",
        "null",
        "true",
        "[1000]",
        "{}",
    ] {
        for reply in written(w, &fatou, &binta, text).await {
            let refused = reply.status == 400 && !reply.text.contains("syntax");
            assert!(refused, "amount {text}: {reply}");
        }
    }
    for text in ["NaN", "Infinity", "-Infinity", "+5", "010", "0x10", "1_000", "\u{0661}\u{0660}\u{0660}"] {
        let [function, command] = written(w, &fatou, &binta, text).await;
        function.refused(400, "BAD_JSON");
        assert!((400..500).contains(&command.status), "amount {text}: {command}");
    }
    let client = w.connect().await.expect("Postgres answers");
    let wallet = fatou.wallet("XOF").await;
    for text in ["NaN", "Infinity", "1e400", "1.5", "\u{0661}\u{0660}\u{0660}", "9223372036854775808", "1e3"] {
        let sql = format!("update ledger.wallets set balance = '{text}' where id = '{wallet}'");
        assert!(client.batch_execute(&sql).await.is_err(), "a balance of {text}");
        let sql = format!(
            "select ledger.post('adjustment', 'XOF', array[row('{wallet}', '-{text}')::ledger.leg,
             row(ledger.platform_account('suspense', 'XOF'), '{text}')::ledger.leg], null, null, 1000)"
        );
        assert!(client.batch_execute(&sql).await.is_err(), "a posting of {text}");
    }
    assert_eq!((fatou.balance("XOF").await, fatou.moves().await, binta.moves().await), (10_000, 1, 0));
}

/// The function wants an integer written as one. Past it, jsonb has already written a power as the integer that it is: that
/// amount and no other, and a fraction stays a fraction.
async fn w6_a_fraction_is_refused_and_a_power_is_never_rounded(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "XOF").await, w.person().await);
    for text in ["100.0", "100.00", "1000e-1", "1.5e0", "12345e-2", "1e-1"] {
        for reply in written(w, &fatou, &binta, text).await {
            assert!(reply.status == 400 && reply.code() == "VALIDATION_ERROR", "amount {text}: {reply}");
        }
    }
    assert_eq!((fatou.balance("XOF").await, binta.moves().await), (10_000, 0));
    let mut moved = 0;
    for text in ["1e2", "1E2", "1.0e2", "0.1e3"] {
        let [function, command] = written(w, &fatou, &binta, text).await;
        function.refused(400, "VALIDATION_ERROR");
        let exact = command.status == 200 && command.body["amount"] == 100 && command.body["fee"] == 1;
        assert!(exact || command.is_refusal(400, "VALIDATION_ERROR"), "amount {text}: {command}");
        moved += i64::from(exact);
    }
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (10_000 - moved * 101, moved * 100));
}

async fn w7_currencies_do_not_mix(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.rich(10_000, "XOF").await);
    fatou.send(&binta, 1_000, "XOF").await.refused(409, "INSUFFICIENT_FUNDS");
    fatou.send(&binta, 1_000, "ZZZ").await.refused(400, "VALIDATION_ERROR");
    let without_rules = fatou.send(&binta, 1_000, "EUR").await;
    assert!(without_rules.status >= 400, "a currency without limits moved money: {without_rules}");
    let client = w.connect().await.expect("Postgres answers");
    let sql = "select ledger.post('adjustment', $3, array[row($1::uuid, -1000)::ledger.leg,
        row($2::uuid, 1000)::ledger.leg], null, null, 1000)";
    let (gnf, xof) = (fatou.wallet("GNF").await, binta.wallet("XOF").await);
    for currency in ["GNF", "XOF", "USD"] {
        assert!(
            client.query(sql, &[&gnf, &xof, &currency]).await.is_err(),
            "one leg of another currency, in {currency}"
        );
    }
    assert_eq!((fatou.moves().await, binta.moves().await), (1, 1));
    fatou.send(&binta, 1_000, "GNF").await.ok(200);
    assert_eq!((binta.gnf().await, binta.balance("XOF").await), (1_000, 10_000), "a second wallet, not a conversion");
}

async fn w15_nobody_debits_or_reads_a_wallet_that_is_not_his(w: &'static World) {
    let (fatou, thief) = (w.rich(50_000, "GNF").await, w.person().await);
    let wallet = fatou.wallet("GNF").await;
    let payout = w.withdrawn(&fatou, 10_000, "GNF", "224620000001").await;
    let before = (fatou.gnf().await, fatou.moves().await);
    let names = ["sender_wallet_id", "wallet_id", "from", "user_id", "caller"].map(|name| (name, json!(wallet)));
    for (name, value) in names.into_iter().chain([("sender_id", json!(fatou.id)), ("userId", json!(fatou.id))]) {
        let mut ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": thief.id });
        ask[name] = value;
        let reply = thief.call(WALLET, ask.clone()).await;
        assert!(matches!(reply.status, 403 | 409), "{name}: {reply}");
        let direct =
            w.rest(Method::POST, "rpc/wallet_operations", &thief.token).json(&json!({ "ask": ask })).send().await;
        assert_eq!(direct.code(), "SELF_TRANSFER", "the sender is the token's, whatever {name} says: {direct}");
    }
    for who in [&fatou, &thief] {
        for path in [format!("wallets?id=eq.{wallet}"), format!("payouts?id=eq.{}", id_of(&payout))] {
            for (method, body) in [
                (Method::PATCH, json!({ "balance": 1, "status": "active" })),
                (Method::DELETE, json!({})),
                (Method::POST, json!({ "user_id": thief.id, "currency": "GNF", "balance": 1, "amount": 1 })),
            ] {
                let reply = w.rest(method.clone(), &path, &who.token).json(&body).send().await;
                assert!((400..500).contains(&reply.status), "{method} {path}: {reply}");
            }
        }
        for name in [
            "post",
            "wallet_for",
            "guard",
            "transfer",
            "withdraw",
            "set_wallet_status",
            "payment_settle",
            "payment_event",
            "payout_settle",
            "payout_sent",
            "payout_claim",
            "payment_sweep",
            "payment_reconcile",
            "ledger_seal",
        ] {
            let ask = json!({ "ask": { "payout_id": payout["id"], "outcome": "refused", "provider": "moneroo" } });
            let reply = w.rest(Method::POST, &format!("rpc/{name}"), &who.token).json(&ask).send().await;
            assert!(matches!(reply.status, 401 | 403 | 404), "{name}: {reply}");
        }
        let other_room = w.rest(Method::PATCH, &format!("wallets?id=eq.{wallet}"), &who.token);
        let reply = other_room.header("content-profile", "ledger").json(&json!({ "balance": 1 })).send().await;
        assert!((400..500).contains(&reply.status), "the ledger's own schema: {reply}");
        w.settles_payout(who, id_of(&payout), "failed").await.refused(403, "FORBIDDEN");
    }
    for view in
        ["wallets?select=id", "wallet_history?select=id", "wallet_logs?select=id,operation", "payouts?select=id"]
    {
        let seen = w.rest(Method::GET, view, &thief.token).send().await;
        let rows = seen.ok(200).as_array().cloned().unwrap_or_default();
        let own =
            |row: &Value| row["id"] != json!(wallet) && row["id"] != payout["id"] && row["operation"] == "transfer";
        let all_own = view.starts_with("wallet_logs") && rows.iter().all(own);
        let fresh_wallet = view.starts_with("wallets") && rows.iter().all(|row| row["id"] != json!(wallet));
        assert!(rows.is_empty() || all_own || fresh_wallet, "a stranger reads {view}: {seen}");
    }
    assert_eq!((fatou.gnf().await, fatou.moves().await), before);
    assert_eq!((thief.gnf().await, thief.moves().await), (0, 0));
    assert_eq!(w.payout(id_of(&payout)).await["returned"], false);
}

async fn w16_a_balance_at_an_instant_is_defined_for_both_times(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    let now = async || w.one::<String>("select ledger.utc(clock_timestamp())", &[]).await;
    let before = now().await;
    fatou.fund(10_000, "XOF").await;
    let funded = now().await;
    fatou.send(&binta, 1_000, "XOF").await.ok(200);
    let spent = now().await;
    let known = async |who: &Person, at: &str| {
        let call = w.rest(Method::POST, "rpc/wallet_balance_at", &who.token);
        call.json(&json!({ "ask": { "currency": "XOF", "at": at } })).send().await
    };
    let held = async |who: &Person, at: &str| known(who, at).await.ok(200)["balance"].as_i64().expect("a balance");
    let truly = async |at: &str| {
        let sql = "select ledger.balance_effective_at(ledger.wallet_for($1, 'XOF'), $2::text::timestamptz)";
        w.one::<i64>(sql, &[&fatou.id, &at]).await
    };
    let recorded = (held(&fatou, &before).await, held(&fatou, &funded).await, held(&fatou, &spent).await);
    assert_eq!(recorded, (0, 10_000, 8_990));
    assert_eq!((held(&binta, &funded).await, held(&binta, &spent).await), (0, 1_000));
    // What happened before the transfer is told after it.
    let late = "select ledger.post('adjustment', 'XOF', array[row(ledger.platform_account('provider_clearing', 'XOF'), -500)::ledger.leg,
        row(ledger.wallet_for($1, 'XOF'), 500)::ledger.leg], 'test_funds', gen_random_uuid()::text, 500, 0, null, $2::text::timestamptz)";
    let _: uuid::Uuid = w.one(late, &[&fatou.id, &funded]).await;
    let after = now().await;
    let again = (held(&fatou, &before).await, held(&fatou, &funded).await, held(&fatou, &spent).await);
    assert_eq!(again, recorded, "what was known at an instant never changes");
    assert_eq!(held(&fatou, &after).await, 9_490);
    let effective = (truly(&before).await, truly(&funded).await, truly(&spent).await, truly(&after).await);
    assert_eq!(effective, (0, 10_500, 9_490, 9_490), "what was true at an instant includes what was told late");
    known(&fatou, "2999-01-01T00:00:00Z").await;
    assert_eq!(known(&fatou, "2999-01-01T00:00:00Z").await.code(), "VALIDATION_ERROR", "nobody knows the future");
    assert_eq!((fatou.balance("XOF").await, binta.balance("XOF").await), (9_490, 1_000));
}
