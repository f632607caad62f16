//! The ten other providers on the real stack: asked, paid, notified, credited; forged, lost, and wrong by one unit. One
//! test per provider and property; what differs between providers is the table, in payer.rs, and nothing else knows it.

mod payer;

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sandbox::payment_id;
use crate::webhook_money::legs;
use crate::world::{World, main_world};
use payer::{AMOUNT, Aim, FEE, Lost, Payer, Proof, RAILS, Rail, TOTAL};

pub fn tests() -> Vec<Trial> {
    let mut all = Vec::new();
    for rail in &RAILS {
        all.push(trial(rail, "is_asked_paid_notified_and_credited_once", is_credited_once));
        all.push(trial(rail, "is_not_believed_when_a_notification_is_forged", is_not_forged));
        let lost = if let Lost::Gone = rail.lost { "is_not_guessed_at" } else { "is_found_again" };
        all.push(trial(rail, &format!("{lost}_when_its_answer_was_lost"), is_found_again));
        all.push(trial(rail, "with_one_unit_too_little_waits_in_suspense", is_short));
        all.push(trial(rail, "with_one_unit_too_much_gives_the_payer_the_rest", is_over));
    }
    all
}

fn trial<F>(rail: &'static Rail, property: &str, test: fn(&'static World, &'static Rail) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(format!("rails::{}_{property}", rail.name), move || {
        crate::RUNTIME.block_on(async {
            let world = main_world().await;
            test(world, rail).await;
            world.check_books().await;
        });
        Ok(())
    })
}

async fn is_credited_once(w: &'static World, rail: &'static Rail) {
    let payer = Payer::new(w, rail).await;
    let asked = payer.asks().await.ok(201).clone();
    assert_eq!((&asked["amount"], &asked["fee"], &asked["total"]), (&json!(AMOUNT), &json!(FEE), &json!(TOTAL)));
    assert_eq!(asked["checkout_url"].is_string(), !asked["message"].is_string(), "a page, or a phone: {asked}");
    let id = payment_id(&asked);
    let there = payer.there(id).await;
    let currency = there["currency"].as_str().map(str::to_ascii_uppercase);
    assert_eq!((there["amount"].as_i64(), currency.as_deref()), (Some(TOTAL * rail.unit), Some(rail.currency)));
    let read = json!({ "payment_id": id });
    assert_eq!(payer.person.call("moneroo-verify-payment", read.clone()).await.ok(200)["payment"]["status"], "pending");
    w.person().await.call("moneroo-verify-payment", read).await.refused(404, "NOT_FOUND");
    assert_eq!(payer.has().await, (0, 0), "nobody has paid yet");
    w.pays(&asked).await;
    let row = payer.is_settled().await;
    assert_eq!((&row["settlement"], &row["verified_amount"]), (&json!("settled"), &json!(TOTAL)));
    assert_eq!((&row["environment"], &row["provider"]), (&json!("sandbox"), &json!(rail.name)));
    assert_eq!(payer.has().await, (AMOUNT, 1));
    let (code, out) = (rail.currency, -TOTAL);
    let parts = json!([["provider_clearing", out, code], ["platform_fees", FEE, code], ["user_wallet", AMOUNT, code]]);
    assert_eq!(legs(w, id).await, parts);
    payer.hears_it_again(id).await;
}

/// Tokens that are not this one.
fn forged_tokens(w: &World, token: &str, own: &str) -> Vec<String> {
    let of_another = sandbox::sign(&w.vars["PAYMENT_TAG_KEY"], format!("callback|stripe|{own}").as_bytes());
    let last = if token.ends_with('0') { '1' } else { '0' };
    let flipped = format!("{}{last}", &token[..token.len() - 1]);
    let (half, no_mac) = (&token[..token.len() / 2], format!("{own}.{}", "0".repeat(64)));
    vec![String::new(), ".".into(), own.into(), half.into(), flipped, no_mac, format!("{own}.{of_another}")]
}

/// Deliveries of the true news with something wrong in what proves them.
fn forgeries(w: &World, rail: &Rail, letter: &Value, url: &str, own: &str) -> Vec<Value> {
    let told = |more: Value| {
        let mut delivery = json!({ "provider": rail.name, "body": letter["body"], "url": url });
        delivery.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        delivery
    };
    if let Proof::Signature = rail.proof {
        let good = letter["signature"].as_str().expect("a signature");
        let last = if good.ends_with('0') { '1' } else { '0' };
        let flipped = format!("{}{last}", &good[..good.len() - 1]);
        let wrong =
            [json!(null), json!(""), json!(good[..good.len() / 2]), json!(flipped), json!(good.to_ascii_uppercase())];
        let wrong = wrong.into_iter().map(|signature| told(json!({ "signature": signature })));
        return wrong.chain([told(json!({ "secret": "of_somebody_else" })), told(json!({ "secret": "" }))]).collect();
    }
    let (address, token) = url.rsplit_once("t=").expect("a token in the address");
    let addresses = forged_tokens(w, token, own).into_iter().map(|token| format!("{address}t={token}"));
    let mut all: Vec<Value> = addresses.map(|url| told(json!({ "url": url }))).collect();
    all.push(told(json!({ "url": address.trim_end_matches(['&', '?']) })));
    if let Proof::Both = rail.proof {
        let body: Value = serde_json::from_str(letter["body"].as_str().expect("text")).expect("JSON");
        for other in [json!(null), json!(""), json!("null"), json!("of_somebody_else")] {
            let mut body = body.clone();
            body["notif_token"] = other;
            all.push(told(json!({ "body": body })));
        }
    }
    all
}

async fn is_not_forged(w: &'static World, rail: &'static Rail) {
    let payer = Payer::new(w, rail).await;
    let asked = payer.asks().await.ok(201).clone();
    let (id, own) = (payment_id(&asked), payer.own().await);
    // The true notification is kept from us, and tells the forger all but what proves it.
    w.fault(json!({ "on": "webhook", "fault": "drop", "payment_id": id })).await;
    w.pays(&asked).await;
    let there = payer.there(id).await;
    let theirs = there["id"].as_str().expect("an id");
    let letter = payer.heard(theirs).await[0].clone();
    let usual = format!("{}/functions/v1/payment-webhook?provider={}", w.api, rail.name);
    let url = there["callback_url"].as_str().unwrap_or(&usual);
    for forgery in forgeries(w, rail, &letter, url, &own) {
        let statuses = w.delivers(forgery.clone()).await;
        // What lacks a part that it must have is no event of this provider, and that is 400.
        assert!(statuses == [403] || statuses == [400] && forgery["body"].is_object(), "{statuses:?}: {forgery}");
    }
    let stored = "select count(*) from payments.payment_events where provider_payment_id in ($1, $2)";
    assert_eq!((w.one::<i64>(stored, &[&id, &own]).await, payer.has().await), (0, (0, 0)));
    assert_eq!(payer.row().await["status"], "pending");
    assert_eq!(w.times_asked("verify", theirs).await, 0, "a forgery makes us ask");
    let truth = json!({ "provider": rail.name, "body": letter["body"], "url": url });
    assert_eq!(w.delivers(truth).await, [200]);
    payer.is_settled().await;
    assert_eq!(payer.has().await, (AMOUNT, 1));
}

/// A creation whose answer never reaches our row; our own id of it.
async fn lost_answer(payer: &Payer) -> String {
    let (w, rail) = (payer.w, payer.rail);
    let mut fault = json!({ "on": "initialize", "provider": rail.name, "fault": "error", "when": "after", "times": 1 });
    match rail.aim {
        Aim::Email => fault["email"] = json!(payer.person.email),
        Aim::Phone(abroad) => fault["phone"] = json!(payer.phone.strip_prefix(abroad)),
        Aim::Nobody => {
            let answered = format!("new.user_id = '{}' and new.attached_at is not null", payer.person.id);
            w.sabotaged("payments.payments", &answered, async || payer.asks().await).await.refused(500, "INTERNAL");
            assert_eq!(payer.row().await["status"], "initiating");
            return payer.own().await;
        }
    }
    w.fault(fault).await;
    payer.asks().await.refused(504, "PROVIDER_TIMEOUT");
    assert_eq!(payer.row().await["status"], "unknown", "it may exist: it has not failed");
    payer.own().await
}

async fn is_found_again(w: &'static World, rail: &'static Rail) {
    let payer = Payer::new(w, rail).await;
    let own = lost_answer(&payer).await;
    let there = payer.there(&own).await;
    match rail.lost {
        Lost::Gone => return is_gone(&payer, &own).await,
        Lost::Tagged => payer.pays(&own, json!({ "wait": true })).await,
        Lost::Asked | Lost::Searched => {
            payer.pays(&own, json!({ "quiet": true })).await;
            w.sweeps(&own).await;
        }
    }
    let row = payer.is_settled().await;
    assert_eq!((&row["settlement"], payer.has().await), (&json!("settled"), (AMOUNT, 1)));
    let id = if let Lost::Asked = rail.lost { json!(own) } else { there["id"].clone() };
    assert_eq!(row["provider_payment_id"], id);
    let all = w.control(Method::GET, &format!("payments?reference={own}"), json!({})).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "nobody was asked twice");
    payer.hears_it_again(id.as_str().expect("an id")).await;
}

/// What cannot be asked about is neither guessed nor kept open for ever, and a new order does not wait for it.
async fn is_gone(payer: &Payer, own: &str) {
    let w = payer.w;
    payer.pays(own, json!({ "wait": true })).await;
    let there = payer.there(own).await;
    let theirs = there["id"].as_str().expect("an id");
    let heard = payer.heard(theirs).await;
    assert_eq!(heard[0]["status"], 403, "a missing token equals no token: {heard}");
    w.sweeps(own).await;
    assert_eq!((w.row(own).await["status"].as_str(), payer.has().await), (Some("unknown"), (0, 0)));
    assert_eq!(w.times_asked("verify", theirs).await, 0);
    let second = payer.asks().await.ok(201).clone();
    assert_ne!(payment_id(&second), own);
    w.pays(&second).await;
    w.becomes(payment_id(&second), "success").await;
    assert_eq!(payer.has().await, (AMOUNT, 1));
    w.exec("update payments.payments set checks = 4 where id::text = $1", &[&own]).await;
    w.sweeps(own).await;
    assert_eq!(w.becomes(own, "expired").await["settlement"], "none", "the statement knows it: reconciliation");
}

/// One that the provider says was paid with so much more, or less.
async fn paid_with(w: &'static World, rail: &'static Rail, more: i64) -> (Payer, Value) {
    let payer = Payer::new(w, rail).await;
    let asked = payer.asks().await.ok(201).clone();
    let delta = more * rail.unit;
    w.fault(json!({ "on": "verify", "fault": "amount", "delta": delta, "payment_id": payer.own().await })).await;
    w.pays(&asked).await;
    let row = payer.is_settled().await;
    assert_eq!(row["verified_amount"], TOTAL + more);
    (payer, row)
}

async fn is_short(w: &'static World, rail: &'static Rail) {
    let (payer, row) = paid_with(w, rail, -1).await;
    assert_eq!((&row["settlement"], payer.has().await), (&json!("underpaid"), (0, 0)));
    let (id, code) = (row["provider_payment_id"].as_str().expect("an id"), rail.currency);
    let aside = json!([["provider_clearing", 1 - TOTAL, code], ["suspense", TOTAL - 1, code]]);
    assert_eq!(legs(w, id).await, aside);
    assert!(w.alerted("money_in_suspense", row["id"].as_str().expect("an id")).await, "nobody is told");
}

async fn is_over(w: &'static World, rail: &'static Rail) {
    let (payer, row) = paid_with(w, rail, 1).await;
    assert_eq!((&row["settlement"], payer.has().await), (&json!("overpaid"), (AMOUNT + 1, 2)));
    let id = row["provider_payment_id"].as_str().expect("an id");
    payer.hears_it_again(id).await;
}
