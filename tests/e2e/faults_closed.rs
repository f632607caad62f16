//! Known faults, section A of contracts/faults.md, without the keys of any provider: closed, and nothing is
//! simulated. One test per fault, named after it.

use reqwest::Method;
use serde_json::json;

use crate::faults_rails::{AMOUNT, RAILS, ask_of};
use crate::faults_rules::open_currency;
use crate::world::{World, keyless_world};

crate::tests![
    f25_a_rail_without_its_secrets_is_closed,
    f39_without_its_keys_no_rail_is_simulated,
    f39_without_keys_a_payout_stays_where_it_is,
];

async fn f25_a_rail_without_its_secrets_is_closed(_: &'static World) {
    let keyless = keyless_world().await;
    let body = r#"{"id":"evt_1","type":"charge.completed","event":"charge.success","data":{"reference":"r","id":1}}"#;
    for rail in &RAILS {
        let named =
            format!("/functions/v1/payment-webhook?provider={}&t=00000000-0000-4000-8000-000000000000.00", rail.name);
        for method in [Method::POST, Method::PUT] {
            let mut call = keyless.request(method, &named);
            for header in shared::payments::SIGNATURE_HEADERS {
                call = call.header(header, sandbox::sign("", body.as_bytes()));
            }
            let reply = call.raw(body).send().await;
            assert!(reply.is_refusal(503, "NOT_CONFIGURED"), "{}: {reply}", rail.name);
        }
        keyless.request(Method::GET, &named).send().await.refused(503, "NOT_CONFIGURED");
    }
    for unknown in ["", "?provider=", "?provider=moneroo", "?provider=visa"] {
        let reply =
            keyless.request(Method::POST, &format!("/functions/v1/payment-webhook{unknown}")).raw(body).send().await;
        reply.refused(404, "NOT_FOUND");
    }
    assert_eq!(keyless.one::<i64>("select count(*) from payments.payment_events", &[]).await, 0);
}

async fn f39_without_its_keys_no_rail_is_simulated(_: &'static World) {
    let keyless = keyless_world().await;
    for rail in &RAILS {
        open_currency(keyless, rail.currency).await;
        let person = keyless.person().await;
        let reply = person.call("moneroo-initialize-payment", ask_of(rail, &person, AMOUNT)).await;
        assert!(reply.is_refusal(503, "NOT_CONFIGURED"), "{}: {reply}", rail.name);
        let made: i64 = keyless.one("select count(*) from payments.payments where user_id = $1", &[&person.id]).await;
        assert_eq!((made, person.moves().await), (0, 0), "{}", rail.name);
    }
    let scene = keyless.scene().await;
    let ride = scene.accepted().await;
    for method in ["card", "orange_money", "mtn_money"] {
        let ask = json!({ "rideId": ride, "paymentMethod": method, "phone": "+224620000001" });
        scene.rider.call("taxi-payment", ask).await.refused(503, "NOT_CONFIGURED");
    }
    let made: i64 = keyless.one("select count(*) from taxi.transactions where ride_id::text = $1", &[&ride]).await;
    assert_eq!((made, scene.rider.gnf().await), (0, 500_000), "no card is approved at random");
}

async fn f39_without_keys_a_payout_stays_where_it_is(_: &'static World) {
    let keyless = keyless_world().await;
    let fatou = keyless.rich(50_000, "XOF").await;
    let payout = keyless.withdrawn(&fatou, 10_000, "XOF", "2250700000001").await;
    for _ in 0..2 {
        let reply = keyless.tick("payout-process").await;
        assert_eq!((&reply.ok(200)["processed"], &reply.body["successful"]), (&json!(0), &json!(0)));
    }
    let id = crate::outgoing::id_of(&payout);
    let now_is = keyless.payout(id).await;
    assert_eq!((&now_is["status"], &now_is["attempts"]), (&json!("pending"), &json!(0)), "not sent, and not called so");
    let sql =
        "select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = 'payout_not_configured'";
    assert_eq!(keyless.one::<i64>(sql, &[]).await, 1, "somebody has to look");
    assert_eq!(fatou.balance("XOF").await, 50_000 - 10_150, "neither paid nor given back");
}
