//! Known faults, section A of contracts/faults.md: the ten providers behind `payment-webhook`. One test per fault, named
//! after it. What their word does to money is in faults_verdicts.rs; without their keys: faults_closed.rs; when all goes well,
//! or an answer is lost (F36): rails.rs.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::faults_rules::open_currency;
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    f25_a_rail_is_heard_only_with_its_proof,
    f26_each_rails_events_have_the_names_that_it_sends,
    f27_a_failure_behind_a_rails_webhook_leaves_the_event_to_be_retried,
    f28_a_replay_of_a_rail_credits_nothing_at_any_distance,
];

pub struct Rail {
    pub name: &'static str,
    pub currency: &'static str,
    /// How the payer's number begins, where the phone is asked.
    phone: &'static str,
    /// The event of a payment that succeeded, as this provider calls it.
    paid: &'static str,
}

pub const fn rail(name: &'static str, currency: &'static str, phone: &'static str, paid: &'static str) -> Rail {
    Rail { name, currency, phone, paid }
}

pub static RAILS: [Rail; 10] = [
    rail("stripe", "USD", "", "payment_intent.succeeded"),
    rail("paystack", "XOF", "", "charge.success"),
    rail("flutterwave", "GHS", "", "charge.completed"),
    rail("flutterwave_v4", "GHS", "2332", "charge.completed"),
    // Its notification has neither event nor status.
    rail("cinetpay", "XAF", "", "payment.notified"),
    rail("wave", "XOF", "", "checkout.session.completed"),
    rail("orange_money", "GNF", "", "webpayment.success"),
    rail("mtn_momo", "GNF", "2246", "requesttopay.successful"),
    rail("airtel_money", "UGX", "2567", "payment.ts"),
    rail("paydunya", "XOF", "", "invoice.completed"),
];
pub const INIT: &str = "moneroo-initialize-payment";
pub const AMOUNT: i64 = 20_050;

/// A deposit that was asked for and is not paid yet.
pub struct Asked {
    w: &'static World,
    rail: &'static Rail,
    pub person: Person,
    pub body: Value,
}

pub fn ask_of(rail: &Rail, person: &Person, amount: i64) -> Value {
    let mut ask =
        json!({ "purpose": "wallet_deposit", "amount": amount, "currency": rail.currency, "provider": rail.name });
    if !rail.phone.is_empty() {
        // Not ending in 00: such a phone says yes by itself.
        ask["phone"] = json!(format!("{}{:07}1", rail.phone, person.id.as_u128() % 10_000_000));
        ask["methods"] = json!(if rail.name == "flutterwave_v4" { &["mtn_gh"][..] } else { &[] });
    }
    ask
}

impl Asked {
    pub async fn by(w: &'static World, rail: &'static Rail) -> Asked {
        open_currency(w, rail.currency).await;
        let person = w.person().await;
        let reply = person.call(INIT, ask_of(rail, &person, AMOUNT)).await;
        Asked { w, rail, person, body: reply.ok(201).clone() }
    }

    pub async fn paid(w: &'static World, rail: &'static Rail) -> Asked {
        let asked = Asked::by(w, rail).await;
        w.pays(&asked.body).await;
        asked.settles().await;
        asked
    }

    pub fn id(&self) -> &str {
        payment_id(&self.body)
    }

    pub async fn own(&self) -> String {
        self.w.row(self.id()).await["id"].as_str().expect("an id").to_owned()
    }

    pub async fn settles(&self) {
        let row = self.w.becomes(self.id(), "success").await;
        assert_eq!((&row["settlement"], self.has().await), (&json!("settled"), (AMOUNT, 1)), "{}", self.rail.name);
    }

    pub async fn has_nothing(&self, why: &str) {
        let status = self.w.row(self.id()).await["status"].clone();
        assert_eq!((status, self.has().await), (json!("pending"), (0, 0)), "{}: {why}", self.rail.name);
    }

    /// What the wallet holds, and how often it was touched.
    pub async fn has(&self) -> (i64, i64) {
        (self.person.balance(self.rail.currency).await, self.person.moves().await)
    }

    pub async fn hears(&self, times: usize) -> Value {
        self.w.order(&format!("payments/{}/redeliver", self.id()), json!({ "times": times })).await["statuses"].clone()
    }

    pub async fn order(&self, what: &str, how: Value) -> Value {
        self.w.order(&format!("payments/{}/{what}", self.id()), how).await
    }

    pub async fn stored(&self, more: &str) -> i64 {
        let sql = format!("select count(*) from payments.payment_events where provider_payment_id = $1 {more}");
        self.w.one(&sql, &[&self.id()]).await
    }
}

/// The same at every provider, side by side.
pub async fn everywhere(w: &'static World, test: impl AsyncFn(&'static World, &'static Rail)) {
    join_all(RAILS.iter().map(|rail| test(w, rail))).await;
}

async fn f25_a_rail_is_heard_only_with_its_proof(w: &'static World) {
    everywhere(w, async |w, rail| {
        for forgery in ["missing", "other_secret"] {
            let asked = Asked::by(w, rail).await;
            let forged =
                json!({ "on": "webhook", "fault": "bad_signature", "forgery": forgery, "payment_id": asked.id() });
            w.fault(forged).await;
            w.pays(&asked.body).await;
            let theirs = w.control(Method::GET, &format!("payments/{}", asked.id()), json!({})).await["id"].clone();
            let heard = format!("deliveries?provider={}&id={}", rail.name, theirs.as_str().expect("an id"));
            let heard = w.control(Method::GET, &heard, json!({})).await;
            // A body that lacks a part of it is no event of this provider at all.
            let no = heard[0]["status"] == 403 || rail.name == "orange_money" && heard[0]["status"] == 400;
            assert!(no, "{} {forgery}: {heard}", rail.name);
            assert_eq!(asked.stored("").await, 0, "{} {forgery}: what is not authentic is not stored", rail.name);
            asked.has_nothing(forgery).await;
            assert_eq!(asked.hears(1).await, json!([200]), "{}", rail.name);
            asked.settles().await;
        }
    })
    .await;
}

async fn f26_each_rails_events_have_the_names_that_it_sends(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::paid(w, rail).await;
        assert_eq!(asked.stored(&format!("and event = '{}'", rail.paid)).await, 1, "{}: {}", rail.name, rail.paid);
        assert!(!w.alerted("unknown_event", asked.id()).await, "{}: its own name is no surprise", rail.name);
    })
    .await;
    // A name that is on nobody's list is kept and reported, and nobody is asked about it.
    for provider in ["stripe", "paystack", "flutterwave", "flutterwave_v4", "wave"] {
        let name = format!("teleport.{}", xtask::keys::random_uuid().simple());
        let body = json!({ "id": "evt_teleport", "type": name, "event": name, "data": {} });
        assert_eq!(w.delivers(json!({ "provider": provider, "body": body })).await, [200], "{provider}");
        let sql = "select count(*) from payments.payment_events e join core.outbox o on o.channel = 'alert'
            and o.payload ->> 'type' = 'unknown_event' and o.payload ->> 'event' = e.event
            where e.event = $1 and e.provider = $2 and e.subject = 'other'";
        assert_eq!(w.one::<i64>(sql, &[&name, &provider]).await, 1, "{provider}");
    }
}

async fn f27_a_failure_behind_a_rails_webhook_leaves_the_event_to_be_retried(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::by(w, rail).await;
        let id = asked.id();
        asked.order("pay", json!({ "quiet": true })).await;
        let condition = format!("new.provider_payment_id = '{id}'");
        let heard = w.sabotaged("payments.payment_events", &condition, async || asked.hears(1).await).await;
        assert_eq!(heard, json!([500]), "{}: not stored, so not received", rail.name);
        let condition = format!("new.provider_payment_id = '{id}' and new.status = 'success'");
        w.sabotaged("payments.payments", &condition, async || {
            assert_eq!(asked.hears(1).await, json!([200]), "{}", rail.name);
            w.sweeps(id).await;
            asked.has_nothing("the settlement failed").await;
            assert_eq!(asked.stored("and processed_at is null").await, 1, "{}: the event is gone", rail.name);
        })
        .await;
        w.sweeps(id).await;
        asked.settles().await;
        assert_eq!(asked.stored("and processed_at is null").await, 0, "{}", rail.name);
    })
    .await;
}

async fn f28_a_replay_of_a_rail_credits_nothing_at_any_distance(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::paid(w, rail).await;
        assert_eq!(asked.hears(3).await, json!([200, 200, 200]), "{}", rail.name);
        assert_eq!(asked.stored("").await, 1, "{}: the same news is stored once", rail.name);
        // Years later the inbox is pruned, and even the keys may be gone.
        let prune = "with gone as (delete from payments.payment_events where provider_payment_id = $1 returning provider, dedupe_key)
            delete from payments.event_keys k using gone where k.provider = gone.provider and k.dedupe_key = gone.dedupe_key";
        assert_eq!(w.exec(prune, &[&asked.id()]).await, 1, "{}", rail.name);
        assert_eq!(asked.hears(1).await, json!([200]), "{}", rail.name);
        w.sweeps(asked.id()).await;
        let claim = json!({ "operation": "deposit", "payment_id": asked.id() });
        asked.person.call("wallet-operations", claim).await.ok(200);
        asked.settles().await;
    })
    .await;
}
