//! Known faults, section A of contracts/faults.md: what the word of the ten providers behind `payment-webhook` does to
//! money. One test per fault, named after it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::faults_rails::{AMOUNT, Asked, INIT, RAILS, Rail, ask_of, everywhere, rail};
use crate::faults_rules::open_currency;
use crate::world::World;

crate::tests![
    f29_a_rails_amount_and_currency_come_from_our_query,
    f30_a_part_of_a_unit_is_neither_less_nor_more_but_unreadable,
    f31_a_rails_success_never_goes_back,
    f32_a_rails_money_that_comes_after_a_failure_is_kept,
    f33_no_rail_answers_without_id_and_row,
];

async fn f29_a_rails_amount_and_currency_come_from_our_query(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::by(w, rail).await;
        for lie in
            [json!({ "fault": "amount", "amount": 9_000_000 }), json!({ "fault": "currency", "currency": "EUR" })]
        {
            let mut fault = json!({ "on": "webhook", "payment_id": asked.id() });
            fault.as_object_mut().expect("an object").extend(lie.as_object().expect("an object").clone());
            w.fault(fault).await;
        }
        w.pays(&asked.body).await;
        asked.settles().await;
        assert_eq!(asked.person.balance("EUR").await, 0, "{}", rail.name);
    })
    .await;
}

async fn f30_a_part_of_a_unit_is_neither_less_nor_more_but_unreadable(w: &'static World) {
    // Both count hundredths of a currency that has none. Whole units too little or too much: rails.rs.
    static UGX: Rail = rail("stripe", "UGX", "", "payment_intent.succeeded");
    for (rail, delta) in [(&RAILS[1], -1), (&RAILS[1], 1), (&UGX, -50), (&UGX, 99)] {
        let asked = Asked::by(w, rail).await;
        let fault = json!({ "on": "verify", "fault": "amount", "delta": delta, "payment_id": asked.id() });
        let fault = w.order("faults", fault).await["id"].clone();
        w.pays(&asked.body).await;
        let own = asked.own().await;
        let told = async || w.alerted("unreadable_amount", &own).await.then_some(());
        w.eventually("somebody is told of an amount that cannot be", told).await;
        asked.has_nothing("nothing is rounded").await;
        w.control(Method::DELETE, &format!("faults/{fault}"), json!({})).await;
        w.sweeps(asked.id()).await;
        asked.settles().await;
    }
}

async fn f31_a_rails_success_never_goes_back(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::paid(w, rail).await;
        for order in ["fail", "cancel"] {
            asked.order(order, json!({ "force": true, "wait": true })).await;
            w.sweeps(asked.id()).await;
            asked.person.call("moneroo-verify-payment", json!({ "payment_id": asked.id() })).await.ok(200);
            asked.settles().await;
        }
    })
    .await;
}

async fn f32_a_rails_money_that_comes_after_a_failure_is_kept(w: &'static World) {
    everywhere(w, async |w, rail| {
        let asked = Asked::by(w, rail).await;
        // At these no word says that a page was left, or it is that of a page which nobody has used yet.
        let attempted = matches!(rail.name, "paystack" | "flutterwave" | "flutterwave_v4");
        asked.order(if attempted { "fail" } else { "cancel" }, json!({ "quiet": true })).await;
        w.sweeps(asked.id()).await;
        let over = async || {
            let status = w.row(asked.id()).await["status"].clone();
            (status == "failed" || status == "cancelled").then_some(())
        };
        w.eventually(&format!("{} is over", rail.name), over).await;
        assert_eq!(asked.has().await, (0, 0), "{}", rail.name);
        asked.order("pay", json!({ "force": true, "wait": true })).await;
        asked.settles().await;
        assert!(w.alerted("late_success", &asked.own().await).await, "{}", rail.name);
    })
    .await;
}

async fn f33_no_rail_answers_without_id_and_row(w: &'static World) {
    // Of this test alone: how it finds at the provider what must not be there.
    const ODD: i64 = 37_816;
    everywhere(w, async |w, rail| {
        open_currency(w, rail.currency).await;
        let person = w.person().await;
        let ask = ask_of(rail, &person, ODD);
        let condition = format!("new.user_id = '{}'", person.id);
        let reply = w.sabotaged("payments.payments", &condition, async || person.call(INIT, ask.clone()).await).await;
        reply.refused(500, "INTERNAL");
        let there = w.control(Method::GET, &format!("payments?provider={}", rail.name), json!({})).await;
        let odd = |one: &Value| matches!(one["amount"].as_i64(), Some(n) if n == ODD + 189 || n == (ODD + 189) * 100);
        assert!(!there.as_array().into_iter().flatten().any(odd), "{}: called without a row", rail.name);
        let aim = match rail.name {
            "paystack" | "flutterwave" | "flutterwave_v4" | "cinetpay" => ("email", person.email.clone()),
            "mtn_momo" | "airtel_money" => {
                ("phone", ask["phone"].as_str().expect("a phone").trim_start_matches("256").into())
            }
            _ => return, // Its creation names nobody that a fault could be aimed at.
        };
        let mut garbage = json!({ "on": "initialize", "provider": rail.name, "fault": "garbage", "times": 1 });
        garbage[aim.0] = json!(aim.1);
        w.fault(garbage).await;
        let ask = ask_of(rail, &person, AMOUNT);
        let reply = person.call(INIT, ask.clone()).await;
        let unclear = reply.is_refusal(504, "PROVIDER_TIMEOUT") || reply.is_refusal(502, "PROVIDER_ERROR");
        assert!(unclear && reply.body.get("checkout_url").is_none(), "{}: {reply}", rail.name);
        let sql = "select array_agg(status) from payments.payments where user_id = $1";
        assert_eq!(w.one::<Vec<String>>(sql, &[&person.id]).await, ["unknown"], "{}: it may exist", rail.name);
        person.call(INIT, ask).await.ok(201);
    })
    .await;
}
