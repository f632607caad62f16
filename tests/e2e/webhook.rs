//! The provider's callbacks: authenticated, stored, answered, and believed only after we have asked back.

use reqwest::Method;
use serde_json::json;

use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![
    one_webhook_delivered_fifty_times_at_once_credits_once,
    near_duplicates_with_other_whitespace_credit_once,
    a_forged_signature_is_refused_and_stores_nothing,
    a_body_that_cannot_be_read_is_refused,
    an_unknown_event_is_stored_and_reported,
    a_webhook_that_arrives_before_its_payment_is_stored_is_applied_once,
    reordered_webhooks_end_in_success,
    failed_after_success_changes_nothing_but_alerts,
    success_after_failed_is_fulfilled,
    the_answer_does_not_wait_for_the_provider,
];

async fn one_webhook_delivered_fifty_times_at_once_credits_once(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF");
    let statuses = w.delivers(json!({ "body": body, "times": 50 })).await;
    assert_eq!(statuses, vec![200; 50]);
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
    assert_eq!(w.events(id, "payment.success").await, 1);
    let again = w.delivers(json!({ "body": event("payment.success", id, 100_500, "GNF") })).await;
    assert_eq!((again, fatou.gnf().await), (vec![200], 100_000));
}

async fn near_duplicates_with_other_whitespace_credit_once(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF");
    let php = body.to_string().replace('/', "\\/");
    for text in [body.to_string(), serde_json::to_string_pretty(&body).expect("JSON"), format!(" {php}\n")] {
        assert_eq!(w.delivers(json!({ "body": text })).await, [200]);
    }
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, w.events(id, "payment.success").await), (100_000, 1));
}

async fn a_forged_signature_is_refused_and_stores_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF").to_string();
    let good = sandbox::sign("whsec_cauris_dev", body.as_bytes());
    let flipped = format!("{}{}", if good.starts_with('0') { '1' } else { '0' }, &good[1..]);
    let forgeries = [
        json!(null),
        json!(""),
        json!(good[..32]),
        json!(good.to_uppercase()),
        json!(flipped),
        json!("v1,"),
        json!("sha256="),
        json!(format!("{good}00")),
        json!(sandbox::sign("", body.as_bytes())),
        json!("\u{e9}"),
        json!("null"),
    ];
    for forgery in forgeries {
        let statuses = w.delivers(json!({ "body": body, "signature": forgery })).await;
        assert_eq!(statuses, [403], "{forgery}");
    }
    assert_eq!(w.delivers(json!({ "body": body, "secret": "whsec_of_somebody_else" })).await, [403]);
    let unsigned = w.function("moneroo-webhook").raw(body.clone()).send().await;
    unsigned.refused(403, "INVALID_SIGNATURE");
    let over_get = w.request(Method::GET, "/functions/v1/moneroo-webhook").send().await;
    over_get.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await), (0, 0));
    let prefixed = json!({ "body": body, "signature": format!("sha256={good}") });
    assert_eq!(w.delivers(prefixed).await, [200], "the documented prefix is accepted");
    w.becomes(id, "success").await;
}

async fn a_body_that_cannot_be_read_is_refused(w: &'static World) {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        String::new(),
        "{".into(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        deep,
        r#"{"event":"payment.success"}"#.into(),
        r#"{"event":"payment.success","data":{"id":null,"status":"success"}}"#.into(),
        r#"{"event":"payment.success","data":{"id":"","status":"success"}}"#.into(),
        r#"{"event":"payment.success","data":{"id":7,"status":"success"}}"#.into(),
        r#"{"event":"payment.success","event":"payment.failed","data":{"id":"a1b2c3d4e5f6","status":"success"}}"#
            .into(),
    ] {
        let shown: String = body.chars().take(60).collect();
        assert_eq!(w.delivers(json!({ "body": body })).await, [400], "{shown}");
    }
    let invalid = hex::encode(b"{\"event\":\"\xff\xfe\",\"data\":{}}");
    assert_eq!(w.delivers(json!({ "body_hex": invalid })).await, [400]);
    let fill = |bytes: usize| {
        let mut body = event("payment.success", "a1b2c3d4e5f6", 1, "GNF");
        body["pad"] = json!("");
        let empty = body.to_string().len();
        body["pad"] = json!("x".repeat(bytes - empty));
        body.to_string()
    };
    assert_eq!(w.delivers(json!({ "body": fill(64 * 1024 + 1) })).await, [413]);
    let unauthentic = json!({ "body": fill(64 * 1024 + 1), "signature": "00" });
    assert!(w.delivers(unauthentic).await[0] >= 400);
    assert_eq!(w.delivers(json!({ "body": fill(64 * 1024) })).await, [200], "the last size that is allowed");
}

async fn an_unknown_event_is_stored_and_reported(w: &'static World) {
    let id = format!("unknown{}", xtask::keys::random_uuid().simple());
    for kind in ["payment.disputed", "refund.success", "invented"] {
        let mut body = event("payment.success", &id, 1, "GNF");
        (body["event"], body["data"]["status"]) = (json!(kind), json!("disputed"));
        assert_eq!(w.delivers(json!({ "body": body })).await, [200], "{kind}");
        assert_eq!(w.events(&id, kind).await, 1, "{kind} is not stored");
    }
    assert!(w.alerted("unknown_event", &id).await);
}

async fn a_webhook_that_arrives_before_its_payment_is_stored_is_applied_once(w: &'static World) {
    let fatou = w.person().await;
    // The provider has made the payment and hesitates to say so: time enough for the customer and his webhook.
    w.fault(json!({ "on": "initialize", "fault": "hang", "ms": 2_000, "email": fatou.email, "times": 1 })).await;
    let asking = fatou.call("wallet-operations", json!({ "operation": "deposit", "amount": 100_000 }));
    let paying = async {
        let paid = w.eventually("the provider has the payment", async || w.payments_of(&fatou).await.pop()).await;
        w.pays(&paid).await;
        payment_id(&paid).to_owned()
    };
    let (reply, id) = tokio::join!(asking, paying);
    assert_eq!(reply.ok(202)["payment_id"], json!(id));
    let row = w.becomes(&id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await, fatou.moves().await), (&json!("settled"), 100_000, 1));
    w.sweeps(&id).await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn reordered_webhooks_end_in_success(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    for kind in ["payment.success", "payment.initiated", "payment.failed"] {
        let body = event(kind, id, 100_500, "GNF");
        assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    }
    w.becomes(id, "success").await;
    w.sweeps(id).await;
    assert_eq!((w.row(id).await["status"].as_str(), fatou.gnf().await), (Some("success"), 100_000));
}

async fn failed_after_success_changes_nothing_but_alerts(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    w.order(&format!("payments/{id}/fail"), json!({ "force": true, "wait": true })).await;
    let own = row["id"].as_str().expect("an id");
    w.eventually("the late failure is reported", async || w.alerted("late_failure", own).await.then_some(())).await;
    assert_eq!((w.row(id).await["status"].as_str(), fatou.gnf().await), (Some("success"), 100_000));
}

async fn success_after_failed_is_fulfilled(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/fail"), json!({ "wait": true })).await;
    w.becomes(id, "failed").await;
    assert_eq!(fatou.gnf().await, 0);
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await), (&json!("settled"), 100_000));
}

async fn the_answer_does_not_wait_for_the_provider(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    w.fault(json!({ "on": "verify", "fault": "hang", "ms": 20_000, "payment_id": id, "times": 1 })).await;
    let started = std::time::Instant::now();
    let body = event("payment.success", id, 100_500, "GNF");
    assert_eq!(w.delivers(json!({ "body": body })).await, [200]);
    assert!(started.elapsed().as_secs() < 8, "answered after {:?}: the provider gives up after 3 s", started.elapsed());
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!(fatou.gnf().await, 100_000);
}
