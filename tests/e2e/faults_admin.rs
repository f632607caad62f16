//! Known faults, section A of contracts/faults.md, continued: who decides about money, in which words, and what only a
//! settled payment gives. One test per fault, named after it.
//!
//! The faults of escrows (F16, F20, F24) come with their functions; those of decisions hold for every decision.

use reqwest::Method;
use serde_json::{Value, json};
use xtask::keys::{self, TokenOptions};

use crate::outgoing::id_of;
use crate::people::Person;
use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![
    f11_without_an_identity_there_is_no_admin,
    f17_a_payout_is_decided_once,
    f18_a_payment_is_paid_only_together_with_its_money,
    f21_a_decision_about_money_wants_a_token_and_a_role,
    f22_a_decision_is_one_of_a_list_and_not_a_text,
    f35_every_enumeration_is_the_same_in_contract_code_and_schema,
    f37_a_plan_is_given_by_a_settled_payment_once,
    f42_no_bearer_mints_a_plan,
];

const ADMIN: &str = "wallet-admin";

/// Guinea has no automatic rail: the payout waits for an admin.
async fn by_hand(w: &'static World, who: &Person) -> String {
    let payout = w.withdrawn(who, 10_000, "GNF", "224620000001").await;
    w.sent(id_of(&payout), "manual").await;
    id_of(&payout).to_owned()
}

/// Every decision that an admin may take about this wallet and this payout.
fn decisions(wallet: &str, payout: &str) -> Vec<(&'static str, Value)> {
    let reason = "because I say so";
    vec![
        (ADMIN, json!({ "action": "block", "wallet_id": wallet, "reason": reason })),
        (ADMIN, json!({ "action": "unblock", "wallet_id": wallet, "reason": reason })),
        (
            ADMIN,
            json!({ "action": "set_limits", "wallet_id": wallet, "daily_limit": 0, "monthly_limit": 0, "reason": reason }),
        ),
        (ADMIN, json!({ "action": "settle_payout", "payout_id": payout, "result": "failed", "reason": reason })),
        (ADMIN, json!({ "action": "release_suspense", "entry_id": payout, "refund": true, "reason": reason })),
        (ADMIN, json!({ "action": "stats" })),
        ("financial-stats", json!({})),
        ("payment-refund", json!({ "payment_id": payout, "reason": reason, "idempotency_key": "refund-it-all" })),
    ]
}

async fn f11_without_an_identity_there_is_no_admin(w: &'static World) {
    let (fatou, admin) = (w.rich(50_000, "GNF").await, w.admin().await);
    let payout = by_hand(w, &fatou).await;
    let wallet = fatou.wallet("GNF").await.to_string();
    for nobody in [json!(null), json!(""), json!("null"), json!({})] {
        let options = TokenOptions { claims: json!({ "sub": nobody }), ..TokenOptions::default() };
        let token = keys::user_token(&admin.id, &options);
        for (name, mut ask) in decisions(&wallet, &payout) {
            (ask["admin_id"], ask["user_role"]) = (json!(null), json!("admin"));
            w.call(name, &token, ask.clone()).await.refused(401, "UNAUTHENTICATED");
            let rpc = format!("rpc/{}", if name == "payment-refund" { "payment_refund" } else { "wallet_admin" });
            let direct = w.rest(Method::POST, &rpc, &token).json(&json!({ "ask": ask })).send().await;
            assert!((400..=403).contains(&direct.status), "sub {nobody}: {direct}");
        }
    }
    assert_eq!((w.payout(&payout).await["status"].as_str(), fatou.moves().await), (Some("manual"), 2));
}

async fn f17_a_payout_is_decided_once(w: &'static World) {
    for first in ["completed", "failed"] {
        let (fatou, one, other) = (w.rich(50_000, "GNF").await, w.admin().await, w.admin().await);
        let id = by_hand(w, &fatou).await;
        let second = if first == "failed" { "completed" } else { "failed" };
        let (a, b, c, d) = tokio::join!(
            w.settles_payout(&one, &id, first),
            w.settles_payout(&other, &id, second),
            w.settles_payout(&one, &id, second),
            w.settles_payout(&other, &id, first),
        );
        let replies = [a, b, c, d];
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
        assert_eq!(replies.iter().filter(|reply| reply.is_refusal(409, "INVALID_STATE")).count(), 3);
        let decided = w.payout(&id).await["status"].clone();
        let expected = if decided == "failed" { (50_000, 3) } else { (50_000 - 10_150, 2) };
        assert_eq!((fatou.gnf().await, fatou.moves().await), expected, "{decided}: no more goes out than was taken");
    }
}

async fn f18_a_payment_is_paid_only_together_with_its_money(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let wallet = fatou.wallet("GNF").await;
    for (table, condition) in [
        ("ledger.entries", format!("new.account_id = '{wallet}'")),
        ("core.outbox", format!("new.payload ->> 'user_id' = '{}'", fatou.id)),
    ] {
        w.sabotaged(table, &condition, async || {
            assert_eq!(w.delivers(json!({ "body": event("payment.success", id, 100_500, "GNF") })).await, [200]);
            w.sweeps(id).await;
            let row = w.row(id).await;
            assert_eq!((&row["status"], &row["settlement"]), (&json!("pending"), &json!("none")), "{table}");
            assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0), "{table}");
        })
        .await;
    }
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn f21_a_decision_about_money_wants_a_token_and_a_role(w: &'static World) {
    let (fatou, driver, former) = (w.rich(50_000, "GNF").await, w.driver().await, w.admin().await);
    let payout = by_hand(w, &fatou).await;
    let wallet = fatou.wallet("GNF").await;
    w.exec("delete from people.user_roles where user_id = $1", &[&former.id]).await;
    let sql = "select to_jsonb(w) from ledger.wallets w where id = $1";
    let before: Value = w.one(sql, &[&wallet]).await;
    for (name, ask) in decisions(&wallet.to_string(), &payout) {
        w.function(name).json(&ask).send().await.refused(401, "UNAUTHENTICATED");
        for key in ["ANON_KEY", "SERVICE_ROLE_KEY"] {
            w.call(name, &w.vars[key], ask.clone()).await.refused(401, "UNAUTHENTICATED");
        }
        for who in [&fatou, &driver.person, &former] {
            who.call(name, ask.clone()).await.refused(403, "FORBIDDEN");
        }
    }
    assert_eq!(w.one::<Value>(sql, &[&wallet]).await, before);
    assert_eq!((w.payout(&payout).await["status"].as_str(), fatou.moves().await), (Some("manual"), 2));
    let tried = "select count(*) from core.audit_logs where action = 'wallet_admin_refused' and actor_id = $1";
    assert_eq!(w.one::<i64>(tried, &[&fatou.id]).await, 0, "who may not come in does not fill the log either");
}

async fn f22_a_decision_is_one_of_a_list_and_not_a_text(w: &'static World) {
    let (fatou, admin) = (w.rich(50_000, "GNF").await, w.admin().await);
    let id = by_hand(w, &fatou).await;
    for result in [
        json!("please refund"),
        json!("failed: refund the buyer"),
        json!("FAILED"),
        json!("failed "),
        json!("refund"),
        json!(""),
        json!(true),
        json!(["failed"]),
        json!(null),
    ] {
        let ask = json!({ "action": "settle_payout", "payout_id": id, "result": result, "provider_reference": "failed",
                          "reason": "refund it, it has failed" });
        let reply = admin.call(ADMIN, ask).await;
        assert!(reply.is_refusal(400, "VALIDATION_ERROR"), "{result}: {reply}");
    }
    let ask = json!({ "action": "refund everything that failed", "payout_id": id, "reason": "failed" });
    admin.call(ADMIN, ask).await.refused(400, "VALIDATION_ERROR");
    assert_eq!((w.payout(&id).await["status"].as_str(), fatou.moves().await), (Some("manual"), 2));
}

/// The words that the schema lets a column have, by a check of its own or by its domain; sorted.
async fn allowed(w: &World, table: &str, column: &str) -> Vec<String> {
    let sql = "select array_agg(word order by word) from (select distinct found[1] as word from pg_constraint c
        join pg_attribute a on c.contypid = a.atttypid or c.conrelid = a.attrelid and c.conkey = array[a.attnum]
        cross join regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''::text', 'g') found
        where c.contype = 'c' and a.attrelid = to_regclass($1) and a.attname = $2::text) words";
    w.one::<Option<Vec<String>>>(sql, &[&table, &column]).await.unwrap_or_default()
}

async fn f35_every_enumeration_is_the_same_in_contract_code_and_schema(w: &'static World) {
    use shared::payments::checkout::Purpose as P;
    use shared::payments::{DisputeState as D, PROVIDERS, PayoutStatus as O, Status as S, Subject as J};
    let words = |list: &[&str]| list.iter().map(|word| json!(word)).collect::<Vec<_>>();
    let purposes = [P::Order, P::WalletDeposit, P::Ride, P::Escrow, P::Subscription, P::PlanPurchase];
    let statuses = [S::Pending, S::Success, S::Failed, S::Cancelled];
    // What the contract lists, and what our code says of it.
    for (table, column, contract, code) in [
        (
            "payments.payments",
            "status",
            "cancelled expired failed initiating pending refunded success unknown",
            statuses.map(|status| json!(status)).to_vec(),
        ),
        ("payments.payments", "settlement", "none overpaid settled surplus underpaid", words(&["settled", "surplus"])),
        (
            "payments.payments",
            "purpose",
            "escrow order plan_purchase ride subscription wallet_deposit",
            purposes.map(|purpose| json!(purpose)).to_vec(),
        ),
        ("payments.payments", "environment", "live sandbox", words(&["live", "sandbox"])),
        (
            "payments.payouts",
            "status",
            "completed failed manual pending processing unknown",
            [O::Pending, O::Completed, O::Failed].map(|status| json!(status)).to_vec(),
        ),
        ("payments.payouts", "kind", "refund store_withdrawal wallet_withdrawal", words(&["refund"])),
        ("payments.payouts", "environment", "live sandbox", words(&["live", "sandbox"])),
        ("payments.payment_refunds", "status", "failed pending succeeded", words(&["succeeded"])),
        ("payments.payment_refunds", "destination", "original provider wallet", words(&["original", "wallet"])),
        ("payments.disputes", "state", "lost open won", [D::Open, D::Lost, D::Won].map(|state| json!(state)).to_vec()),
        (
            "payments.payment_events",
            "subject",
            "other payment payout",
            [J::Payment, J::Payout, J::Other].map(|subject| json!(subject)).to_vec(),
        ),
        ("payments.paid_entitlements", "status", "active expired pending", words(&["active"])),
        ("taxi.transactions", "status", "completed failed pending processing refunded", words(&["processing"])),
        (
            "taxi.transactions",
            "payment_method",
            "card cash moneroo mtn_money online orange_money wallet",
            words(&["wallet", "card", "orange_money", "mtn_money", "cash"]),
        ),
        ("ledger.wallets", "status", "active blocked closed", words(&["active", "blocked"])),
    ] {
        let listed: Vec<&str> = contract.split(' ').collect();
        assert_eq!(allowed(w, table, column).await, listed, "{table}.{column}");
        for word in code {
            assert!(listed.iter().any(|known| word == *known), "{table}.{column} is written as {word}");
        }
    }
    let mut providers = PROVIDERS;
    providers.sort_unstable();
    let known: Vec<String> = w.all("select name from payments.providers order by name", &[]).await;
    assert_eq!(known, providers, "an adapter without a row, or a row without an adapter");
}

async fn entitlement(w: &World, who: &Person) -> Value {
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(status, expires_at, payment_id)), '[]')
               from payments.paid_entitlements where user_id = $1";
    w.one(sql, &[&who.id]).await
}

/// Subscriptions of their own come later; a plan is bought in the same way.
async fn f37_a_plan_is_given_by_a_settled_payment_once(w: &'static World) {
    let (fatou, thief) = (w.person().await, w.person().await);
    let plan = json!({ "plan_id": "premium_subscription" });
    let asked = fatou.call("create-payment", plan.clone()).await.ok(201).clone();
    let id = payment_id(&asked);
    let word = event("payment.success", id, 15_000, "XAF");
    assert_eq!(w.delivers(json!({ "body": word, "signature": null })).await, [403]);
    assert_eq!(w.delivers(json!({ "body": word })).await, [200], "signed, but the provider says it is not paid");
    w.sweeps(id).await;
    assert_eq!(entitlement(w, &fatou).await, json!([["pending", null, null]]));
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    let given = entitlement(w, &fatou).await;
    assert_eq!((&given[0][0], &given[0][2]), (&json!("active"), &row["id"]));
    let days =
        "select expires_at - now() between interval '29 days' and interval '30 days' from payments.paid_entitlements
                where user_id = $1";
    assert!(w.one::<bool>(days, &[&fatou.id]).await, "{given}");
    w.order(&format!("payments/{id}/redeliver"), json!({ "times": 3 })).await;
    w.sweeps(id).await;
    assert_eq!(entitlement(w, &fatou).await, given, "extended by a repeat");
    // A reference of somebody else's payment, whatever it is called, pays for nobody.
    for reference in ["transaction_id", "reference"] {
        let mut stolen = plan.clone();
        stolen[reference] = row["id"].clone();
        thief.call("create-payment", stolen).await.refused(404, "NOT_FOUND");
    }
    let claim = json!({ "payment_id": id, "external_reference": id, "plan_id": "premium_subscription" });
    thief.call("moneroo-verify-payment", claim.clone()).await.refused(404, "NOT_FOUND");
    for later in ["renew-subscription", "subscription-webhook"] {
        thief.call(later, claim.clone()).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(entitlement(w, &thief).await, json!([]));
}

/// Licences come later; what a payment gives today is a plan.
async fn f42_no_bearer_mints_a_plan(w: &'static World) {
    let fatou = w.person().await;
    let plan = json!({ "plan_id": "premium_subscription", "user_id": fatou.id, "status": "active", "paid": true });
    let vain = [
        "any-bearer-string",
        "null",
        "undefined",
        &w.vars["ANON_KEY"],
        &w.vars["SERVICE_ROLE_KEY"],
        &w.vars["INTERNAL_API_KEY"],
    ];
    for bearer in vain {
        w.call("create-payment", bearer, plan.clone()).await.refused(401, "UNAUTHENTICATED");
    }
    for row in [json!({ "user_id": fatou.id, "plan_code": "premium_subscription", "status": "active" }), json!({})] {
        let reply = w.rest(Method::POST, "paid_entitlements", &fatou.token).json(&row).send().await;
        assert!((400..500).contains(&reply.status), "{reply}");
    }
    assert_eq!(entitlement(w, &fatou).await, json!([]));
    fatou.call("create-payment", plan).await.ok(201);
    assert_eq!(entitlement(w, &fatou).await, json!([["pending", null, null]]), "not before it is paid");
}
