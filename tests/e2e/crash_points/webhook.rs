//! A notification arrives, and the process dies: while it is stored, before the provider is asked, before and after it
//! is settled. The provider sends it again where it was not answered; where it was, only the clock is left.

use serde_json::json;

use super::gate::Gate;
use super::killed::killed;
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

super::points![
    webhook_the_event_is_not_stored,
    webhook_the_event_is_stored_and_the_provider_is_not_answered,
    webhook_the_provider_is_answered_and_not_yet_asked,
    webhook_the_truth_is_read_and_the_settlement_waits_for_the_row,
    webhook_the_settlement_is_made_and_not_committed,
    webhook_the_settlement_is_committed_and_nobody_is_told,
];

const EVENT: &str = "payment.success";
const AMOUNT: i64 = 100_000;

/// Somebody with an open deposit, and its id at the provider.
struct Open {
    w: &'static World,
    person: Person,
    id: String,
}

impl Open {
    async fn new(w: &'static World) -> Open {
        let person = w.person().await;
        let asked = person.deposit(AMOUNT).await;
        Open { w, person, id: payment_id(&asked).to_owned() }
    }

    /// He pays, and everything dies when the notification has come so far.
    async fn is_paid_until(&self, there: impl Future<Output = ()>) {
        let (w, paid) = (self.w, json!({ "id": self.id }));
        killed(w, async move { w.pays(&paid).await }, there).await;
    }

    /// The row, what the wallet has, the events in the inbox, and how often the provider was asked.
    async fn stands(&self) -> (String, i64, i64, usize) {
        let status = self.w.row(&self.id).await["status"].as_str().unwrap_or_default().to_owned();
        let events = self.w.events(&self.id, EVENT).await;
        (status, self.person.gnf().await, events, self.w.times_asked("verify", &self.id).await)
    }

    /// The provider comes back after minutes, not within the seconds in which one question is enough.
    async fn is_sent_again(&self, times: u32) {
        let sql =
            "update payments.payments set asked_at = asked_at - interval '10 minutes' where provider_payment_id = $1";
        self.w.exec(sql, &[&self.id]).await;
        let sent = self.w.order(&format!("payments/{}/redeliver", self.id), json!({ "times": times })).await;
        for status in sent["statuses"].as_array().expect("a list") {
            assert_eq!(status, 200, "{sent}");
        }
    }

    /// However often it is heard of now.
    async fn is_credited_once(&self) {
        let row = self.w.becomes(&self.id, "success").await;
        assert_eq!((&row["settlement"], self.person.gnf().await), (&json!("settled"), AMOUNT));
        self.is_sent_again(5).await;
        self.w.sweeps(&self.id).await;
        let read = json!({ "payment_id": self.id });
        let told = self.person.call("moneroo-verify-payment", read).await;
        assert_eq!(told.ok(200)["payment"]["status"], "success");
        assert_eq!((self.person.gnf().await, self.person.moves().await), (AMOUNT, 1));
        assert_eq!(self.w.events(&self.id, EVENT).await, 1, "one event, however often it was sent");
        self.w.decided(&self.id, EVENT).await;
    }

    async fn storing(&self) -> Gate {
        let stored = format!("new.provider_payment_id = '{}'", self.id);
        Gate::at_commit(self.w, "payments.payment_events", &stored).await
    }

    async fn settling(&self) -> Gate {
        let settled = format!("new.provider_payment_id = '{}' and new.settlement <> 'none'", self.id);
        Gate::at_commit(self.w, "payments.payments", &settled).await
    }
}

async fn webhook_the_event_is_not_stored(w: &'static World) {
    let open = Open::new(w).await;
    let gate = open.storing().await;
    open.is_paid_until(gate.reached()).await;
    gate.rolls_back().await;
    assert_eq!(open.stands().await, ("pending".into(), 0, 0, 0));
    w.revived().await;
    open.is_sent_again(1).await;
    open.is_credited_once().await;
}

async fn webhook_the_event_is_stored_and_the_provider_is_not_answered(w: &'static World) {
    let open = Open::new(w).await;
    let gate = open.storing().await;
    open.is_paid_until(gate.reached()).await;
    gate.commits().await;
    assert_eq!(open.stands().await, ("pending".into(), 0, 1, 0));
    w.revived().await;
    // Known news, and nobody has looked into it: what is sent again is looked into.
    open.is_sent_again(1).await;
    open.is_credited_once().await;
}

async fn webhook_the_provider_is_answered_and_not_yet_asked(w: &'static World) {
    let open = Open::new(w).await;
    w.fault(json!({ "on": "verify", "fault": "hang", "when": "before", "payment_id": open.id })).await;
    open.is_paid_until(w.asked_in_vain(&format!("on=verify&id={}", open.id))).await;
    let heard = w.control(reqwest::Method::GET, &format!("deliveries?id={}", open.id), json!({})).await;
    assert_eq!((&heard[0]["status"], &heard[1]), (&json!(200), &json!(null)), "answered, so it never comes again");
    assert_eq!(open.stands().await, ("pending".into(), 0, 1, 1));
    w.revived().await;
    w.sweeps(&open.id).await;
    open.is_credited_once().await;
}

async fn webhook_the_truth_is_read_and_the_settlement_waits_for_the_row(w: &'static World) {
    let open = Open::new(w).await;
    let gate = Gate::at_the_row(w, &open.id).await;
    open.is_paid_until(gate.reached()).await;
    gate.rolls_back().await;
    assert_eq!(open.stands().await, ("pending".into(), 0, 1, 1));
    w.revived().await;
    w.sweeps(&open.id).await;
    open.is_credited_once().await;
}

async fn webhook_the_settlement_is_made_and_not_committed(w: &'static World) {
    let open = Open::new(w).await;
    let gate = open.settling().await;
    open.is_paid_until(gate.reached()).await;
    gate.rolls_back().await;
    assert_eq!((open.stands().await, open.person.moves().await), (("pending".into(), 0, 1, 1), 0));
    w.revived().await;
    open.is_sent_again(1).await;
    open.is_credited_once().await;
}

async fn webhook_the_settlement_is_committed_and_nobody_is_told(w: &'static World) {
    let open = Open::new(w).await;
    let gate = open.settling().await;
    open.is_paid_until(gate.reached()).await;
    gate.commits().await;
    assert_eq!(open.stands().await, ("success".into(), AMOUNT, 1, 1), "credited while nothing ran");
    w.revived().await;
    open.is_credited_once().await;
    assert_eq!(w.times_asked("verify", &open.id).await, 1, "what is settled is not asked about");
}
