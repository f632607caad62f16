//! `wallet-operations` against the real ledger: what moves, what is refused, and what is left behind.

use reqwest::Method;
use serde_json::json;

use crate::world::World;

crate::tests![
    a_transfer_is_three_balanced_lines,
    fees_round_half_up_once,
    amounts_are_integers_between_the_limits,
    a_recipient_is_found_by_the_ids_that_people_share,
    the_same_key_gives_the_same_answer_and_moves_once,
    an_answer_carries_its_own_headers_and_nothing_of_the_one_before,
    a_refusal_is_not_remembered,
    a_key_is_eight_to_255_visible_characters_and_one,
    a_deposit_waits_for_the_provider,
    a_withdrawal_is_debited_to_the_clearing_account,
    a_blocked_wallet_neither_sends_nor_receives,
    a_wallet_can_pay_down_to_zero_and_not_below,
    every_refusal_leaves_a_line_in_the_callers_log,
];

const WALLET: &str = "wallet-operations";

async fn a_transfer_is_three_balanced_lines(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let reply = fatou.send(&binta, 10_000, "GNF").await;
    let tx = reply.ok(200)["transaction_id"].as_str().expect("a transaction").to_owned();
    assert_eq!((fatou.gnf().await, binta.gnf().await), (89_900, 10_000));
    let sql = "select jsonb_agg(jsonb_build_array(a.kind, e.amount) order by e.amount) from ledger.entries e
               join ledger.accounts a on a.id = e.account_id where e.transaction_id::text = $1";
    let lines: serde_json::Value = w.one(sql, &[&tx]).await;
    assert_eq!(lines, json!([["user_wallet", -10_100], ["platform_fees", 100], ["user_wallet", 10_000]]));
}

async fn fees_round_half_up_once(w: &'static World) {
    let (fatou, binta) = (w.person().await, w.person().await);
    for (amount, fee) in [(100, 1), (149, 1), (150, 2), (10_000, 100), (10_049, 100), (10_050, 101)] {
        let ask = json!({ "operation": "preview", "amount": amount, "recipient_id": binta.id });
        let reply = fatou.call(WALLET, ask).await;
        assert_eq!((reply.ok(200)["fee"].as_i64(), reply.body["total"].as_i64()), (Some(fee), Some(amount + fee)));
    }
    for (what, amount, fee) in [("deposit", 100_000, 500), ("withdraw", 50_000, 750)] {
        let reply = fatou.call(WALLET, json!({ "operation": "preview", "for": what, "amount": amount })).await;
        assert_eq!(reply.ok(200)["fee"], fee, "{what}");
    }
}

async fn amounts_are_integers_between_the_limits(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.person().await);
    for (amount, status, code) in [
        (0_i64, 400, "VALIDATION_ERROR"),
        (-1, 400, "VALIDATION_ERROR"),
        (1, 400, "AMOUNT_OUT_OF_RANGE"),
        (99, 400, "AMOUNT_OUT_OF_RANGE"),
        (50_000_001, 400, "AMOUNT_OUT_OF_RANGE"),
        (9_007_199_254_740_991, 400, "AMOUNT_OUT_OF_RANGE"),
        (9_007_199_254_740_992, 400, "VALIDATION_ERROR"),
        (i64::MAX, 400, "VALIDATION_ERROR"),
    ] {
        fatou.send(&binta, amount, "GNF").await.refused(status, code);
    }
    assert_eq!((fatou.gnf().await, binta.gnf().await, binta.moves().await), (10_000, 0, 0));
    fatou.send(&binta, 100, "GNF").await.ok(200);
    assert_eq!((fatou.gnf().await, binta.gnf().await), (9_899, 100));
}

async fn a_recipient_is_found_by_the_ids_that_people_share(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let custom: String = w.one("select custom_id from people.user_ids where user_id = $1", &[&binta.id]).await;
    let public: String = w.one("select public_id from people.profiles where id = $1", &[&binta.id]).await;
    let ids = [binta.id.to_string(), custom.to_lowercase(), public.to_lowercase()];
    for (sent, id) in (1..).zip(&ids) {
        let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": id, "confirm_duplicate": true });
        fatou.call(WALLET, ask).await.ok(200);
        assert_eq!(binta.gnf().await, sent * 1_000, "{id}");
    }
    for id in [&binta.email, "+224620000001", "FatouCamara", &format!("{}'--", binta.id)] {
        let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": id });
        let reply = fatou.call(WALLET, ask).await;
        assert!(matches!(reply.status, 400 | 404), "{id}: {reply}");
    }
    assert_eq!((binta.gnf().await, fatou.gnf().await), (3_000, 100_000 - 3_030));
}

async fn the_same_key_gives_the_same_answer_and_moves_once(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let ask = |amount: i64| json!({ "operation": "transfer", "amount": amount, "recipient_id": binta.id });
    let keyed = async |key: &str, amount: i64| {
        let call = w.function(WALLET).bearer(&fatou.token).header("idempotency-key", key);
        call.json(&ask(amount)).send().await
    };
    let first = keyed("november-rent", 1_000).await;
    let again = keyed("\"november-rent\"", 1_000).await;
    assert_eq!(first.ok(200), again.ok(200), "quoted or not, it is the same key");
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    let mut in_body = ask(1_000);
    in_body["idempotencyKey"] = json!("november-rent");
    assert_eq!(fatou.call(WALLET, in_body).await.ok(200), first.ok(200));
    keyed("november-rent", 1_001).await.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!((fatou.gnf().await, binta.gnf().await), (98_990, 1_000));
}

async fn an_answer_carries_its_own_headers_and_nothing_of_the_one_before(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let body = |amount: i64| json!({ "operation": "transfer", "amount": amount, "recipient_id": binta.id });
    let asks = [
        ("the-first-of-three", 1_000, 200, None),
        ("the-first-of-three", 1_000, 200, Some("true")),
        ("the-second-of-three", 2_000, 200, None),
        ("the-first-of-three", 2_000, 422, None),
        ("the-first-of-three", 1_000, 200, Some("true")),
        ("the-third-of-three", 3_000, 200, None),
    ];
    for (key, amount, status, replayed) in asks {
        let id = xtask::keys::random_uuid().to_string();
        let call = w.function(WALLET).bearer(&fatou.token).header("idempotency-key", key).header("x-request-id", &id);
        let reply = call.json(&body(amount)).send().await;
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (status, replayed), "{key}: {reply}");
        assert_eq!((reply.header("x-request-id"), reply.header("retry-after")), (Some(id.as_str()), None), "{reply}");
    }
    assert_eq!(binta.gnf().await, 6_000);
}

async fn a_refusal_is_not_remembered(w: &'static World) {
    let (fatou, binta) = (w.rich(100, "GNF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id,
                      "idempotency_key": "try-until-funded" });
    fatou.call(WALLET, ask.clone()).await.refused(409, "INSUFFICIENT_FUNDS");
    fatou.fund(10_000, "GNF").await;
    fatou.call(WALLET, ask.clone()).await.ok(200);
    let again = fatou.call(WALLET, ask).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!((fatou.gnf().await, binta.gnf().await), (9_090, 1_000));
}

async fn a_key_is_eight_to_255_visible_characters_and_one(w: &'static World) {
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "confirm_duplicate": true });
    let keyed = async |key: &str| {
        w.function(WALLET).bearer(&fatou.token).header("idempotency-key", key).json(&ask).send().await
    };
    for bad in ["", "seven77", "with space", &"x".repeat(256)] {
        keyed(bad).await.refused(400, "VALIDATION_ERROR");
    }
    let mut two = ask.clone();
    two["idempotency_key"] = json!("another-key");
    let call = w.function(WALLET).bearer(&fatou.token).header("idempotency-key", "first-key");
    call.json(&two).send().await.refused(400, "VALIDATION_ERROR");
    assert_eq!(binta.moves().await, 0);
    keyed("eight888").await.ok(200);
    keyed(&"x".repeat(255)).await.ok(200);
    assert_eq!(binta.gnf().await, 2_000);
}

async fn a_deposit_waits_for_the_provider(w: &'static World) {
    let fatou = w.rich(5_000, "GNF").await;
    let asked = fatou.deposit(100_000).await;
    assert_eq!((&asked["amount"], &asked["fee"], &asked["total"]), (&json!(100_000), &json!(500), &json!(100_500)));
    assert_eq!((&asked["new_balance"], &asked["status"]), (&json!(5_000), &json!("pending")));
    let claim = json!({ "operation": "deposit", "payment_id": asked["payment_id"] });
    let waiting = fatou.call(WALLET, claim.clone()).await;
    assert_eq!(waiting.ok(202)["status"], "pending");
    assert_eq!((fatou.gnf().await, fatou.moves().await), (5_000, 1));
    w.pays(&asked).await;
    w.eventually("the wallet is credited", async || (fatou.gnf().await == 105_000).then_some(())).await;
    let done = fatou.call(WALLET, claim).await;
    assert_eq!((&done.ok(200)["status"], &done.body["new_balance"]), (&json!("completed"), &json!(105_000)));
}

async fn a_withdrawal_is_debited_to_the_clearing_account(w: &'static World) {
    let fatou = w.rich(100_000, "GNF").await;
    let ask = json!({ "operation": "withdraw", "amount": 50_000, "method": "orange_money", "phone": "+224620000001" });
    let reply = fatou.call(WALLET, ask).await;
    assert_eq!((&reply.ok(202)["fee"], &reply.body["new_balance"]), (&json!(750), &json!(49_250)));
    let tx = reply.body["transaction_id"].as_str().expect("a transaction");
    let sql = "select jsonb_object_agg(a.kind, e.amount) from ledger.entries e
               join ledger.accounts a on a.id = e.account_id where e.transaction_id::text = $1";
    let lines: serde_json::Value = w.one(sql, &[&tx]).await;
    assert_eq!(lines, json!({ "user_wallet": -50_750, "payout_clearing": 50_000, "platform_fees": 750 }));
    for phone in ["0620", "+224 620", "call me"] {
        let ask = json!({ "operation": "withdraw", "amount": 1_000, "method": "orange_money", "phone": phone });
        fatou.call(WALLET, ask).await.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(fatou.gnf().await, 49_250);
}

async fn a_blocked_wallet_neither_sends_nor_receives(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.rich(10_000, "GNF").await);
    fatou.set_wallet("GNF", "status = 'blocked', blocked_reason = 'test', blocked_at = now()").await;
    fatou.send(&binta, 1_000, "GNF").await.refused(403, "WALLET_BLOCKED");
    binta.send(&fatou, 1_000, "GNF").await.refused(409, "RECIPIENT_UNAVAILABLE");
    let deposit = fatou.call(WALLET, json!({ "operation": "deposit", "amount": 10_000 })).await;
    assert!(["WALLET_BLOCKED"].contains(&deposit.code()), "{deposit}");
    assert_eq!((fatou.gnf().await, binta.gnf().await), (10_000, 10_000));
}

async fn a_wallet_can_pay_down_to_zero_and_not_below(w: &'static World) {
    let (fatou, binta) = (w.rich(10_100, "GNF").await, w.person().await);
    fatou.send(&binta, 10_001, "GNF").await.refused(409, "INSUFFICIENT_FUNDS");
    fatou.send(&binta, 10_000, "GNF").await.ok(200);
    assert_eq!((fatou.gnf().await, binta.gnf().await), (0, 10_000));
    fatou.send(&binta, 100, "GNF").await.refused(409, "INSUFFICIENT_FUNDS");
}

async fn every_refusal_leaves_a_line_in_the_callers_log(w: &'static World) {
    let (fatou, binta) = (w.rich(1_000, "GNF").await, w.person().await);
    fatou.send(&binta, 5_000, "GNF").await.refused(409, "INSUFFICIENT_FUNDS");
    fatou.send(&binta, 500, "GNF").await.ok(200);
    let path = "wallet_logs?select=amount,outcome&order=created_at";
    let reply = w.rest(Method::GET, path, &fatou.token).send().await;
    let expected = json!([{ "amount": 5_000, "outcome": "INSUFFICIENT_FUNDS" }, { "amount": 500, "outcome": "ok" }]);
    assert_eq!(*reply.ok(200), expected);
    assert_eq!(*w.rest(Method::GET, path, &binta.token).send().await.ok(200), json!([]), "only one's own");
}
