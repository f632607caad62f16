//! A payment is begun, and the process dies: before the provider is called, after it has acted, after its answer was
//! read, after all was stored. The payer taps again with the same key.

use serde_json::{Value, json};

use super::gate::Gate;
use super::killed::{INIT, killed, unanswered};
use crate::call::Call;
use crate::outgoing::{fresh_key, id_of};
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

super::points![
    init_the_row_is_written_and_the_provider_is_not_called,
    init_the_provider_has_acted_and_its_answer_is_not_read,
    init_the_answer_is_read_and_the_attachment_is_not_committed,
    init_the_attachment_is_committed_and_the_client_is_not_answered,
];

const AMOUNT: i64 = 10_000;

/// Somebody, and the tap that is repeated until it is answered.
struct Payer {
    w: &'static World,
    person: Person,
    provider: &'static str,
    key: String,
}

impl Payer {
    async fn new(w: &'static World, provider: &'static str) -> Payer {
        Payer { w, person: w.person().await, provider, key: fresh_key("crash-init") }
    }

    fn taps(&self) -> Call {
        let ask = json!({ "purpose": "wallet_deposit", "amount": AMOUNT, "currency": "XOF", "provider": self.provider,
                          "idempotency_key": self.key });
        self.w.function(INIT).bearer(&self.person.token).json(&ask)
    }

    /// The provider's payments that carry the id of one of our rows, oldest first.
    async fn there(&self) -> Vec<Value> {
        let all =
            self.w.control(reqwest::Method::GET, &format!("payments?provider={}", self.provider), json!({})).await;
        let rows = self.w.rows_of(&self.person).await;
        let own: Vec<_> = rows.iter().map(id_of).collect();
        let ours = |there: &&Value| {
            let named = [&there["metadata"]["intent_id"], &there["reference"]];
            named.iter().filter_map(|name| name.as_str()).any(|name| own.contains(&name))
        };
        all.as_array().into_iter().flatten().filter(ours).cloned().collect()
    }

    async fn statuses(&self) -> Vec<String> {
        let rows = self.w.rows_of(&self.person).await;
        rows.iter().map(|row| row["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the wallet has, and by how many movements.
    async fn has(&self) -> (i64, i64) {
        (self.person.balance("XOF").await, self.person.moves().await)
    }

    /// At once the first tap may still be on its way; when it cannot be any more, the same key begins a new attempt.
    async fn taps_until_begun_anew(&self) -> Value {
        self.taps().send().await.refused(409, "IDEMPOTENCY_IN_PROGRESS");
        self.w.time_passes_for(&self.person).await;
        let second = self.taps().send().await.ok(201).clone();
        assert_eq!(self.statuses().await, ["unknown", "pending"], "the first may exist: watched, and not paid for");
        second
    }

    async fn hears_it_again(&self, id: &str) {
        self.w.order(&format!("payments/{id}/redeliver"), json!({ "times": 5 })).await;
        for row in self.w.rows_of(&self.person).await {
            self.w.sweeps(id_of(&row)).await;
        }
    }
}

async fn init_the_row_is_written_and_the_provider_is_not_called(w: &'static World) {
    let fatou = Payer::new(w, "moneroo").await;
    let asked = format!("on=initialize&email={}", fatou.person.email);
    w.fault(json!({ "on": "initialize", "fault": "hang", "when": "before", "email": fatou.person.email })).await;
    unanswered(&killed(w, fatou.taps().attempt(), w.asked_in_vain(&asked)).await);
    assert_eq!(fatou.statuses().await, ["initiating"]);
    w.revived().await;
    let second = fatou.taps_until_begun_anew().await;
    assert_eq!((fatou.there().await.len(), fatou.has().await), (1, (0, 0)), "the first never came to be");
    w.pays(&second).await;
    w.becomes(payment_id(&second), "success").await;
    fatou.hears_it_again(payment_id(&second)).await;
    assert_eq!((fatou.statuses().await, fatou.has().await), (vec!["unknown".into(), "success".into()], (AMOUNT, 1)));
    let third = fatou.taps().send().await;
    assert_eq!((&third.ok(200)["payment_id"], &third.body["status"]), (&second["payment_id"], &json!("success")));
    assert_eq!((fatou.there().await.len(), w.requests(&asked).await.len()), (1, 2));
}

/// By its tag when it is notified; by a search for our id; by the ordinary question, since its id is ours.
async fn init_the_provider_has_acted_and_its_answer_is_not_read(w: &'static World) {
    let mut payers = Vec::new();
    for provider in ["moneroo", "stripe", "wave", "paystack"] {
        payers.push(Payer::new(w, provider).await);
        w.fault(json!({ "on": "initialize", "fault": "hang", "provider": provider, "times": 1 })).await;
    }
    let taps: Vec<_> = payers.iter().map(|payer| payer.taps().attempt()).collect();
    let acted = async {
        for payer in &payers {
            w.acted_in_silence(&format!("on=initialize&provider={}", payer.provider)).await;
        }
    };
    for sent in killed(w, futures_util::future::join_all(taps), acted).await {
        unanswered(&sent);
    }
    w.revived().await;
    for payer in &payers {
        assert_eq!(
            (payer.statuses().await, payer.there().await.len()),
            (vec!["initiating".into()], 1),
            "{}",
            payer.provider
        );
        let second = payer.taps_until_begun_anew().await;
        let lost = payer.there().await[0].clone();
        assert_eq!((payer.there().await.len(), payer.has().await), (2, (0, 0)), "{}", payer.provider);
        // Whoever has the page of the first pays it; no webhook helps where we can look for it ourselves.
        if payer.provider == "moneroo" {
            w.pays(&lost).await;
        } else {
            w.pays_quietly(&lost).await;
            w.sweeps(id_of(&w.rows_of(&payer.person).await[0])).await;
        }
        let first = async || (payer.statuses().await[0] == "success").then_some(());
        w.eventually(&format!("the lost payment at {} is found", payer.provider), first).await;
        assert_eq!(payer.has().await, (AMOUNT, 1), "{}", payer.provider);
        w.pays(&second).await;
        w.becomes(payment_id(&second), "success").await;
        payer.hears_it_again(id_of(&lost)).await;
        assert_eq!(payer.has().await, (2 * AMOUNT, 2), "each success at {} is credited once", payer.provider);
        assert_eq!(
            (payer.taps().send().await.ok(200)["payment_id"].clone(), payer.there().await.len()),
            (second["payment_id"].clone(), 2)
        );
    }
}

async fn attaching(payer: &Payer) -> Gate {
    let attached = format!("new.user_id = '{}' and new.attached_at is not null", payer.person.id);
    Gate::at_commit(payer.w, "payments.payments", &attached).await
}

async fn init_the_answer_is_read_and_the_attachment_is_not_committed(w: &'static World) {
    let (fatou, binta) = (Payer::new(w, "moneroo").await, w.person().await);
    let gate = attaching(&fatou).await;
    unanswered(&killed(w, fatou.taps().attempt(), gate.reached()).await);
    gate.rolls_back().await;
    let row = w.rows_of(&fatou.person).await.remove(0);
    assert_eq!((&row["status"], &row["provider_payment_id"]), (&json!("initiating"), &Value::Null));
    w.revived().await;
    let made = fatou.there().await.remove(0);
    // Paid before anybody taps again: its notification brings the tag, and the same key gives this payment.
    w.pays(&made).await;
    w.becomes(payment_id(&made), "success").await;
    fatou.hears_it_again(payment_id(&made)).await;
    let again = fatou.taps().send().await;
    assert_eq!((&again.ok(200)["payment_id"], &again.body["status"]), (&made["id"], &json!("success")));
    assert_eq!((fatou.has().await, fatou.there().await.len()), ((AMOUNT, 1), 1));
    binta.call("moneroo-verify-payment", json!({ "payment_id": made["id"] })).await.refused(404, "NOT_FOUND");
    assert_eq!(binta.moves().await, 0);
}

async fn init_the_attachment_is_committed_and_the_client_is_not_answered(w: &'static World) {
    let fatou = Payer::new(w, "moneroo").await;
    let gate = attaching(&fatou).await;
    unanswered(&killed(w, fatou.taps().attempt(), gate.reached()).await);
    gate.commits().await;
    assert_eq!(fatou.statuses().await, ["pending"]);
    w.revived().await;
    let made = fatou.there().await.remove(0);
    let again = fatou.taps().send().await;
    assert_eq!((&again.ok(200)["payment_id"], &again.body["checkout_url"]), (&made["id"], &made["checkout_url"]));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    w.pays(&again.body).await;
    w.becomes(payment_id(&made), "success").await;
    fatou.hears_it_again(payment_id(&made)).await;
    assert_eq!((fatou.has().await, fatou.there().await.len()), ((AMOUNT, 1), 1));
}
