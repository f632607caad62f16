//! The kill itself, and what must hold of both books after it, ours and the provider's.

use reqwest::Method;
use serde_json::{Value, json};

use super::gate;
use crate::call::Reply;
use crate::outgoing::id_of;
use crate::people::Person;
use crate::world::World;

pub const INIT: &str = "moneroo-initialize-payment";

/// Lets `request` run until it has come `there`, and kills whatever serves it; what its sender then has.
pub async fn killed<T: Send + 'static>(
    w: &'static World,
    request: impl Future<Output = T> + Send + 'static,
    there: impl Future<Output = ()>,
) -> T {
    let request = tokio::spawn(request);
    there.await;
    w.stack.lock().await.as_mut().expect("running").kill_functions().await;
    request.await.expect("a sender does not panic")
}

/// The sender has learnt nothing: the connection was cut.
#[track_caller]
pub fn unanswered(sent: &reqwest::Result<Reply>) {
    if let Ok(reply) = sent {
        panic!("it was to be killed before it answered: {reply}");
    }
}

impl World {
    /// The functions run.
    pub async fn started(&self) {
        let mut stack = self.stack.lock().await;
        let stack = stack.as_mut().expect("never stopped here");
        if stack.pids().functions.is_empty() {
            stack.start_functions().await.expect("the functions start again");
        }
    }

    /// They run, and the provider neither misbehaves nor keeps back what it had announced.
    pub async fn revived(&self) {
        self.started().await;
        self.control(Method::DELETE, "faults", json!({})).await;
        self.order("webhooks/release", json!({ "order": "forward" })).await;
    }

    /// Nothing of an earlier case is left that this one could take for its own; when this one began.
    pub async fn cleared(&'static self) -> String {
        gate::all_open(self).await;
        self.started().await;
        self.order("reset", json!({})).await;
        self.control(Method::PATCH, "settings", json!({ "slow_refunds": true })).await;
        self.one("select clock_timestamp()::text", &[]).await
    }

    pub async fn requests(&self, filter: &str) -> Vec<Value> {
        let asked = self.control(Method::GET, &format!("requests?{filter}"), json!({})).await;
        asked.as_array().cloned().unwrap_or_default()
    }

    /// The provider has such a request of ours, has done nothing yet, and is silent.
    pub async fn asked_in_vain(&self, filter: &str) {
        let waits = async || self.requests(filter).await.last()?["status"].is_null().then_some(());
        self.eventually(&format!("a request waits: {filter}"), waits).await;
    }

    /// The provider has done it all, and its answer is not on its way.
    pub async fn acted_in_silence(&self, filter: &str) {
        let acted = async || self.requests(filter).await.last()?["status"].is_u64().then_some(());
        self.eventually(&format!("a request has had its effect: {filter}"), acted).await;
    }

    /// Our rows of somebody's payments, oldest first.
    pub async fn rows_of(&self, who: &Person) -> Vec<Value> {
        self.all("select to_jsonb(p) from payments.payments p where user_id = $1 order by created_at", &[&who.id]).await
    }

    /// So much time has passed that a payment which is only begun may be begun anew.
    pub async fn time_passes_for(&self, who: &Person) {
        let sql = "update payments.payments set created_at = created_at - interval '2 minutes' where user_id = $1";
        self.exec(sql, &[&who.id]).await;
    }

    /// Both books agree: what was paid there is settled here, once; what was sent is one thing there; and all is in the
    /// journal. The stack is ours alone, so this is about everything that has happened on it since.
    pub async fn nothing_is_lost_or_doubled(&self, since: &str) {
        let paid = self.control(Method::GET, "payments?status=success", json!({})).await;
        let paid = paid.as_array().cloned().unwrap_or_default();
        for there in &paid {
            let sql = "select coalesce(jsonb_agg(to_jsonb(p)), '[]') from payments.payments p
                       where provider = $1 and provider_payment_id in ($2, $3)";
            let reference = there["reference"].as_str().filter(|own| !own.is_empty()).unwrap_or(id_of(there));
            let here: Value = self.one(sql, &[&there["provider"].as_str(), &id_of(there), &reference]).await;
            assert!(here[1].is_null() && here[0]["settlement"].is_string(), "{there} is here {here}");
            assert_ne!(here[0]["settlement"], "none", "paid there, and not here: {there}");
            let sql = "select coalesce(-sum(e.amount), 0)::bigint from ledger.entries e
                join ledger.transactions t on t.id = e.transaction_id join ledger.accounts a on a.id = e.account_id
                where a.kind = 'provider_clearing' and t.reference_type = 'payment' and t.reference_id = $1";
            let booked: i64 = self.one(sql, &[&id_of(&here[0])]).await;
            let sql = "select payments.from_provider($1, $2, $3)";
            let units = (&there["provider"].as_str(), &here[0]["currency"].as_str(), &there["amount"].as_i64());
            assert_eq!(Some(booked), self.one::<Option<i64>>(sql, &[units.0, units.1, units.2]).await, "{there}");
        }
        let sql = "select count(*) from payments.payments
                   where settlement <> 'none' and verified_at >= $1::text::timestamptz";
        let settled: i64 = self.one(sql, &[&since]).await;
        assert_eq!(usize::try_from(settled).expect("few"), paid.len(), "settled, and nobody paid");
        self.nothing_is_sent_twice(since).await;
        let compared: Value = self.one("select payments.reconcile_books('-infinity')", &[]).await;
        assert_eq!(compared["differences"], 0, "rows and journal differ");
    }

    /// What left through providers, and what our rows say about it: one to one.
    async fn nothing_is_sent_twice(&self, since: &str) {
        let payouts = self.control(Method::GET, "payouts", json!({})).await;
        let payments = self.control(Method::GET, "payments?provider=stripe", json!({})).await;
        let refunds = payments.as_array().into_iter().flatten().flat_map(|one| one["refunds"].as_array());
        let sent: Vec<Value> = payouts.as_array().into_iter().chain(refunds).flatten().cloned().collect();
        let ours = |there: &Value| there["metadata"]["intent_id"].as_str().map(str::to_owned);
        let mut known: Vec<_> = sent.iter().map(|there| ours(there).expect("our own id")).collect();
        known.sort();
        known.dedup();
        assert_eq!(known.len(), sent.len(), "one of them was sent twice: {sent:?}");
        let mut arrived: Vec<_> = sent.iter().filter(|there| there["status"] == "success").filter_map(ours).collect();
        arrived.sort();
        let sql = "select id::text from payments.payouts where completed_at >= $1::text::timestamptz order by 1";
        assert_eq!(arrived, self.all::<String>(sql, &[&since]).await, "arrived there, and completed here");
    }
}
