//! Money on its way out, by either rail: a withdrawal to a phone through Moneroo, a refund to the card through Stripe.
//! Both are payouts; what differs is here, and the points are the same.

use reqwest::Method;
use serde_json::{Value, json};

use super::gate::Gate;
use super::killed::{killed, unanswered};
use crate::call::{Call, Reply};
use crate::outgoing::{WAITING_PHONE, fresh_key, id_of};
use crate::people::Person;
use crate::world::World;

/// Somebody whose money is to go out, and the request for it, which is repeated until it is answered.
pub struct Out {
    pub w: &'static World,
    pub person: Person,
    pub admin: Person,
    /// The card payment that is given back; null for a withdrawal.
    pub paid: Value,
    key: String,
    /// What the wallet has before, and while the money is out.
    pub at_home: i64,
    pub away: i64,
}

impl Out {
    /// 50 000 to a phone, and 1.5 % for it.
    pub async fn to_a_phone(w: &'static World) -> Out {
        let (person, admin) = (w.rich(100_000, "XOF").await, w.admin().await);
        Out { w, person, admin, paid: Value::Null, key: fresh_key("crash-out"), at_home: 100_000, away: 49_250 }
    }

    /// The whole of 10 000 that a card paid, and its fee of 50.
    pub async fn to_the_card(w: &'static World) -> Out {
        let (person, admin) = (w.person().await, w.admin().await);
        let paid = w.paid_by_card(&person, 10_000).await;
        Out { w, person, admin, paid, key: fresh_key("crash-out"), at_home: 10_000, away: 0 }
    }

    fn card(&self) -> Option<&str> {
        self.paid["provider_payment_id"].as_str()
    }

    pub fn asks(&self) -> Call {
        match self.card() {
            None => {
                let ask = json!({ "operation": "withdraw", "amount": 50_000, "currency": "XOF", "method": "orange_ci",
                                  "phone": WAITING_PHONE, "idempotency_key": self.key });
                self.w.function("wallet-operations").bearer(&self.person.token).json(&ask)
            }
            Some(_) => {
                let ask = json!({ "payment_id": self.paid["id"], "reason": "asked for by the payer",
                                  "destination": "original", "idempotency_key": self.key });
                self.w.function("payment-refund").bearer(&self.admin.token).json(&ask)
            }
        }
    }

    /// The status of the answer to a request that was accepted.
    pub fn accepted(&self) -> u16 {
        if self.card().is_some() { 201 } else { 202 }
    }

    /// Our rows of it: there must never be two.
    pub async fn rows(&self) -> Vec<Value> {
        self.w.all("select to_jsonb(o) from payments.payouts o where user_id = $1", &[&self.person.id]).await
    }

    pub async fn row(&self) -> Value {
        let rows = self.rows().await;
        assert_eq!(rows.len(), 1, "one request, one payout: {rows:?}");
        rows[0].clone()
    }

    /// What the provider has of it.
    pub async fn there(&self) -> Vec<Value> {
        match self.card() {
            None => self.w.payouts_to(&self.person).await,
            Some(card) => {
                let paid = self.w.control(Method::GET, &format!("payments/{card}"), json!({})).await;
                paid["refunds"].as_array().cloned().unwrap_or_default()
            }
        }
    }

    /// The requests to send it, as the sandbox lists them.
    fn sendings(&self) -> String {
        match self.card() {
            None => format!("on=payout&email={}", self.person.email),
            Some(card) => format!("on=refund&id={card}"),
        }
    }

    pub async fn times_sent(&self) -> usize {
        self.w.requests(&self.sendings()).await.len()
    }

    /// The provider says nothing to the request to send it, before or after it has acted; what it announces waits, too.
    async fn is_met_with_silence(&self, when: &str) {
        let mut fault = json!({ "on": "payout", "fault": "hang", "when": when, "email": self.person.email });
        if let Some(card) = self.card() {
            fault = json!({ "on": "refund", "fault": "hang", "when": when, "payment_id": card });
        }
        self.w.fault(fault).await;
        self.w.fault(json!({ "on": "webhook", "fault": "hold" })).await;
    }

    /// Everything dies when the clock's sending has come to a provider that is silent.
    pub async fn dies_in_silence(&self, when: &str) {
        self.is_met_with_silence(when).await;
        let there = async {
            let (sendings, w) = (self.sendings(), self.w);
            if when == "before" { w.asked_in_vain(&sendings).await } else { w.acted_in_silence(&sendings).await }
        };
        unanswered(&killed(self.w, clock(self.w), there).await);
    }

    /// Everything dies when the provider has accepted it and that is about to be true of our row. What it announces
    /// until we live again is held back or dropped.
    pub async fn dies_when_accepted(&self, announced: &str) -> Gate {
        self.w.fault(json!({ "on": "webhook", "fault": announced })).await;
        let sent = format!("new.user_id = '{}' and new.provider_payout_id is not null", self.person.id);
        let gate = Gate::at_commit(self.w, "payments.payouts", &sent).await;
        unanswered(&killed(self.w, clock(self.w), gate.reached()).await);
        gate
    }

    /// Everything dies when the request itself is about to be true.
    pub async fn dies_when_asked_for(&self) -> Gate {
        let gate = Gate::at_commit(self.w, "payments.payouts", &format!("new.user_id = '{}'", self.person.id)).await;
        unanswered(&killed(self.w, self.asks().attempt(), gate.reached()).await);
        gate
    }

    /// Alive again, and what the provider had announced meanwhile has come and been looked into.
    pub async fn hears_what_it_missed(&self) {
        self.w.revived().await;
        if let Some(card) = self.card() {
            self.w.looked_into(card, "charge.refunded", 1).await;
        }
    }

    /// The clock strikes, and strikes again.
    pub async fn is_due(&self) {
        for _ in 0..2 {
            self.w.tick("payout-process").await.ok(200);
            self.w.rechecks_payout(id_of(&self.row().await)).await;
        }
    }

    /// Nobody has come back for so long that the sweep gives up waiting for it.
    pub async fn is_given_up(&self) {
        let row = self.row().await;
        let sql = "update payments.payouts set sent_at = sent_at - interval '3 minutes' where id::text = $1";
        self.w.exec(sql, &[&id_of(&row)]).await;
        self.is_due().await;
        self.stands("unknown", false).await;
        assert!(self.w.alerted("payout_unknown", id_of(&row)).await, "nobody is told");
    }

    /// Our row has this status, with or without the provider's id; the money is away, and no end of it is booked.
    pub async fn stands(&self, status: &str, known: bool) {
        let row = self.row().await;
        assert_eq!((row["status"].as_str(), row["provider_payout_id"].is_string()), (Some(status), known), "{row}");
        assert_eq!(self.person.balance("XOF").await, self.away);
        assert_eq!(self.w.booked("payout", id_of(&row)).await, json!({}), "nobody has said how it ended");
    }

    /// The provider's last word, and the notification of it.
    pub async fn ends(&self, how: &str) {
        let theirs = self.there().await[0]["id"].as_str().expect("an id").to_owned();
        match self.card() {
            None => self.w.payout_ends(&theirs, how).await,
            Some(_) => drop(self.w.order(&format!("refunds/{theirs}/{how}"), json!({})).await),
        }
    }

    pub async fn admin_says(&self, result: &str) -> Reply {
        self.w.settles_payout(&self.admin, id_of(&self.row().await), result).await
    }

    /// It arrived, once, whoever asks and says so now.
    pub async fn has_arrived_once(&self) {
        let row = self.w.payout_becomes(id_of(&self.row().await), "completed").await;
        self.is_due().await;
        self.ends("succeed").await;
        self.admin_says("failed").await.refused(409, "INVALID_STATE");
        let amount = row["amount"].as_i64().expect("an amount");
        let lines = json!({ "withdrawal_completed/payout_clearing": -amount,
                            "withdrawal_completed/provider_clearing": amount });
        assert_eq!((self.w.booked("payout", id_of(&row)).await, self.person.balance("XOF").await), (lines, self.away));
        assert_eq!((self.times_sent().await, self.there().await.len()), (1, 1));
        self.refund_is("succeeded").await;
    }

    /// It is back with its fee, once, whoever asks and says so now.
    pub async fn is_home_once(&self) {
        let row = self.w.payout_becomes(id_of(&self.row().await), "failed").await;
        self.is_due().await;
        self.admin_says("failed").await.refused(409, "INVALID_STATE");
        assert_eq!((self.person.balance("XOF").await, self.times_sent().await), (self.at_home, 1));
        let lines = self.w.booked("payout", id_of(&row)).await;
        assert_eq!(lines.as_object().map(serde_json::Map::len), Some(3), "clearing, fees and wallet: {lines}");
        self.refund_is("failed").await;
    }

    /// What has gone back of the card payment, or is on its way.
    pub async fn refunded(&self) -> i64 {
        if self.card().is_some() { self.w.refunded(&self.paid).await } else { 0 }
    }

    /// The one refund of the payment, and that nothing was booked as if the dashboard had made it.
    async fn refund_is(&self, status: &str) {
        if self.card().is_some() {
            let sql = "select coalesce(array_agg(status || ' ' || destination), '{}') from payments.payment_refunds
                       where payment_id::text = $1";
            assert_eq!(self.w.one::<Vec<String>>(sql, &[&id_of(&self.paid)]).await, [format!("{status} original")]);
        }
    }
}

/// The clock's minute.
fn clock(w: &'static World) -> impl Future<Output = reqwest::Result<Reply>> + Send + 'static {
    w.function("payout-process").header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]).json(&json!({})).attempt()
}
