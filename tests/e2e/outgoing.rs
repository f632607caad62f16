//! Money on its way out: withdrawals and payouts, refunds and objections, and what the journal says about each.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

/// A number in Côte d'Ivoire whose payouts Moneroo's sandbox leaves pending until it is told how they end.
pub const WAITING_PHONE: &str = "2254149518163";

static KEYS: AtomicU32 = AtomicU32::new(0);

/// A key that no other request of this run has.
pub fn fresh_key(what: &str) -> String {
    format!("{what}-{:06}", KEYS.fetch_add(1, Ordering::Relaxed))
}

pub fn id_of(row: &Value) -> &str {
    row["id"].as_str().unwrap_or_else(|| panic!("no id in {row}"))
}

impl World {
    /// What the postings about one thing came to, by kind of transaction and account: `{"refund/user_wallet": -100}`.
    pub async fn booked(&self, about: &str, id: &str) -> Value {
        let sql = "select coalesce(jsonb_object_agg(type || '/' || kind, total), '{}') from (
            select t.type, a.kind, sum(e.amount)::bigint as total from ledger.transactions t
            join ledger.entries e on e.transaction_id = t.id join ledger.accounts a on a.id = e.account_id
            where t.reference_type = $1 and t.reference_id = $2 group by 1, 2) lines";
        self.one(sql, &[&about, &id]).await
    }

    // -------------------------------------------------------------------------------------------------- withdrawals

    /// A withdrawal, accepted; our row of its payout.
    pub async fn withdrawn(&self, who: &Person, amount: i64, currency: &str, phone: &str) -> Value {
        let method = if currency == "XOF" { "orange_ci" } else { "orange_money" };
        let ask = json!({ "operation": "withdraw", "amount": amount, "currency": currency, "method": method,
                          "phone": phone, "confirm_duplicate": true });
        let reply = who.call("wallet-operations", ask).await;
        let transaction = reply.ok(202)["transaction_id"].as_str().expect("a transaction").to_owned();
        let sql = "select to_jsonb(o) from payments.payouts o where transaction_id::text = $1";
        self.one(sql, &[&transaction]).await
    }

    pub async fn payout(&self, id: &str) -> Value {
        self.one("select to_jsonb(o) from payments.payouts o where id::text = $1", &[&id]).await
    }

    /// Sends what is due, and waits until this payout is `status`: another test's tick may be the one that sends it.
    pub async fn sent(&self, id: &str, status: &str) -> Value {
        self.tick("payout-process").await.ok(200);
        self.payout_becomes(id, status).await
    }

    pub async fn payout_becomes(&self, id: &str, status: &str) -> Value {
        self.eventually(&format!("payout {id} becomes {status}"), async || {
            let row = self.payout(id).await;
            // A payout is processing from its claim on; the provider's id comes with the answer.
            let answered = status != "processing" || row["provider_payout_id"].is_string();
            (row["status"] == status && answered).then_some(row)
        })
        .await
    }

    /// Makes the sweep ask the provider about this payout now.
    pub async fn rechecks_payout(&self, id: &str) {
        let sql = "update payments.payouts set next_check_at = now() - interval '1 second'
                   where id::text = $1 and status in ('processing', 'unknown')";
        self.exec(sql, &[&id]).await;
        self.tick("retry-failed-transactions").await.ok(200);
    }

    /// The provider's payouts to a customer, oldest first.
    pub async fn payouts_to(&self, who: &Person) -> Vec<Value> {
        let found = self.control(Method::GET, &format!("payouts?email={}", who.email), json!({})).await;
        found.as_array().cloned().unwrap_or_default()
    }

    /// How often the provider was asked to pay this customer out.
    pub async fn times_sent(&self, who: &Person) -> usize {
        let asked = self.control(Method::GET, &format!("requests?on=payout&email={}", who.email), json!({})).await;
        asked.as_array().map_or(0, Vec::len)
    }

    /// The provider's own word about a payout of its; returns after the webhook was delivered once.
    pub async fn payout_ends(&self, theirs: &str, how: &str) {
        self.order(&format!("payouts/{theirs}/{how}"), json!({ "wait": true, "force": true })).await;
    }

    // ------------------------------------------------------------------------------------- card payments and refunds

    /// A deposit of `amount` XOF by card, settled; our row of it. The fee of 50 bps is on top.
    pub async fn paid_by_card(&self, who: &Person, amount: i64) -> Value {
        let ask = json!({ "purpose": "wallet_deposit", "amount": amount, "currency": "XOF", "provider": "stripe" });
        let reply = who.call("moneroo-initialize-payment", ask).await;
        self.pays(reply.ok(201)).await;
        self.becomes(payment_id(&reply.body), "success").await
    }

    pub async fn refunds(&self, admin: &Person, payment: &Value, amount: Option<i64>, destination: &str) -> Reply {
        let mut ask = json!({ "payment_id": payment["id"], "reason": "asked for by the payer", "destination": destination,
                              "idempotency_key": fresh_key("refund") });
        if let Some(amount) = amount {
            ask["amount"] = json!(amount);
        }
        admin.call("payment-refund", ask).await
    }

    /// The refunds of a payment that count: those on their way, and those that arrived.
    pub async fn refunded(&self, payment: &Value) -> i64 {
        let sql = "select coalesce(sum(amount), 0)::bigint from payments.payment_refunds
                   where payment_id::text = $1 and status in ('pending', 'succeeded')";
        self.one(sql, &[&id_of(payment)]).await
    }

    /// The payout that carries a refund to who paid.
    pub async fn payout_of(&self, refund: &Value) -> Value {
        let sql = "select to_jsonb(o) from payments.payouts o where payment_refund_id::text = $1";
        self.one(sql, &[&id_of(refund)]).await
    }

    /// Waits until so many events of this kind about a payment have been looked into.
    pub async fn looked_into(&self, theirs: &str, event: &str, times: i64) {
        let sql = "select count(*) from payments.payment_events where provider_payment_id = $1 and event = $2
                   and processed_at is not null";
        let enough = async || (self.one::<i64>(sql, &[&theirs, &event]).await >= times).then_some(());
        self.eventually(&format!("{times} {event} of {theirs} are looked into"), enough).await;
    }

    /// The payer objects at his bank, or the bank decides.
    pub async fn disputed(&self, theirs: &str, state: &str) {
        self.order(&format!("payments/{theirs}/dispute"), json!({ "state": state, "wait": true })).await;
    }

    /// Our row of the objection to a payment, once it is in this state.
    pub async fn dispute_becomes(&self, payment: &Value, state: &str) -> Value {
        let sql = "select coalesce((select to_jsonb(d) from payments.disputes d where payment_id::text = $1), 'null')";
        self.eventually(&format!("the objection is {state}"), async || {
            let row: Value = self.one(sql, &[&id_of(payment)]).await;
            (row["state"] == state).then_some(row)
        })
        .await
    }

    pub async fn settles_payout(&self, admin: &Person, payout: &str, result: &str) -> Reply {
        let ask = json!({ "action": "settle_payout", "payout_id": payout, "result": result,
                          "provider_reference": "bank-0001", "reason": "seen on the statement" });
        admin.call("wallet-admin", ask).await
    }
}
