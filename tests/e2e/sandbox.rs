//! The provider's side of a test: orders to the sandbox, and what it heard from us.

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::world::World;

impl World {
    /// An order to the sandbox; its answer, which must be a success.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method.clone(), format!("{}/_control/{path}", self.sandbox));
        // A GET carries its filters in the query, hence no body.
        let request = if method == Method::GET { request } else { request.json(&body) };
        let response = request.send().await.expect("the sandbox answers");
        let (status, text) = (response.status(), response.text().await.unwrap_or_default());
        assert!(status.is_success(), "the sandbox refused {method} {path} {body}: {status} {text}");
        serde_json::from_str(&text).expect("the sandbox speaks JSON")
    }

    pub async fn order(&self, path: &str, body: Value) -> Value {
        self.control(Method::POST, path, body).await
    }

    pub async fn fault(&self, body: Value) {
        self.order("faults", body).await;
    }

    /// The customer pays; returns after the webhook was delivered once.
    pub async fn pays(&self, asked: &Value) {
        self.order(&format!("payments/{}/pay", payment_id(asked)), json!({ "wait": true })).await;
    }

    /// The customer pays, and no webhook tells us.
    pub async fn pays_quietly(&self, asked: &Value) {
        self.order(&format!("payments/{}/pay", payment_id(asked)), json!({ "quiet": true })).await;
    }

    /// Delivers bytes as the provider would; the statuses that came back.
    pub async fn delivers(&self, body: Value) -> Vec<u64> {
        let sent = self.order("webhooks/deliver", body).await;
        sent["statuses"].as_array().into_iter().flatten().map(|status| status.as_u64().unwrap_or_default()).collect()
    }

    /// The provider's payments of a customer, oldest first.
    pub async fn payments_of(&self, person: &Person) -> Vec<Value> {
        let found = self.control(Method::GET, &format!("payments?email={}", person.email), json!({})).await;
        found.as_array().cloned().unwrap_or_default()
    }

    /// How often we asked the provider on this route about this payment.
    pub async fn times_asked(&self, on: &str, id: &str) -> usize {
        let asked = self.control(Method::GET, &format!("requests?on={on}&id={id}"), json!({})).await;
        asked.as_array().map_or(0, Vec::len)
    }

    /// Our row of a payment, found by the provider's id; null before it is known by that.
    pub async fn row(&self, id: &str) -> Value {
        self.one(
            "select coalesce((select to_jsonb(p) from payments.payments p where provider_payment_id = $1), 'null')",
            &[&id],
        )
        .await
    }

    /// Waits until our row says `status`.
    pub async fn becomes(&self, id: &str, status: &str) -> Value {
        let what = format!("payment {id} becomes {status}");
        self.eventually(&what, async || {
            let row = self.row(id).await;
            (row["status"] == status).then_some(row)
        })
        .await
    }

    /// Makes the sweep look at this payment now, before all others that are due, and sweeps.
    pub async fn sweeps(&self, id: &str) {
        let sql = "update payments.payments set next_check_at = now() - interval '1 year', asked_at = null
                   where provider_payment_id = $1 or id::text = $1";
        self.exec(sql, &[&id]).await;
        let sql = "update payments.payment_events set next_attempt_at = now() - interval '1 year'
                   where provider_payment_id = $1 and processed_at is null";
        self.exec(sql, &[&id]).await;
        self.tick("retry-failed-transactions").await.ok(200);
    }

    /// How often our inbox has an event of this payment.
    pub async fn events(&self, id: &str, event: &str) -> i64 {
        let sql = "select count(*) from payments.payment_events where provider_payment_id = $1 and event = $2";
        self.one(sql, &[&id, &event]).await
    }

    /// Waits until an event of the inbox is done with; what it came to.
    pub async fn decided(&self, id: &str, event: &str) -> String {
        let sql = "select (select outcome from payments.payment_events
                   where provider_payment_id = $1 and event = $2 and processed_at is not null)";
        let outcome = async || self.one::<Option<String>>(sql, &[&id, &event]).await;
        self.eventually(&format!("{event} of {id} is looked at"), outcome).await
    }

    /// An alert that operators see, by its type and its target.
    pub async fn alerted(&self, kind: &str, target: &str) -> bool {
        let sql = "select exists (select from core.outbox where channel = 'alert' and payload ->> 'type' = $1
                   and payload ->> 'target' = $2)";
        self.one(sql, &[&kind, &target]).await
    }
}

/// The provider's id in an answer of ours, or the sandbox's.
pub fn payment_id(asked: &Value) -> &str {
    let id = asked.get("payment_id").or_else(|| asked.get("id"));
    id.and_then(Value::as_str).unwrap_or_else(|| panic!("no payment id in {asked}"))
}

/// A webhook body as the provider writes it.
pub fn event(kind: &str, id: &str, amount: i64, currency: &str) -> Value {
    let status = kind.rsplit('.').next().unwrap_or_default();
    json!({ "event": kind, "data": { "id": id, "amount": amount, "currency": currency, "status": status } })
}
