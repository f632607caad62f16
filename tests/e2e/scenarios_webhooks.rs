//! Scenarios of money.md, section 6: what may happen to a notification on its way, and what it may never do to money.

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::sandbox::{event, payment_id};
use crate::world::{World, bare_world};

crate::tests![
    p1_fifty_deliveries_of_one_success_credit_once,
    p2_near_duplicates_with_other_whitespace_credit_once,
    p3_a_bad_signature_is_refused_and_stores_nothing,
    p4_without_a_secret_every_webhook_is_closed,
    p5_a_signature_of_another_time_is_refused_where_it_has_one,
    p5_a_replay_without_a_time_is_a_hint_without_effect,
    p6_a_webhook_before_its_payment_is_stored_is_applied_once,
    p8_a_credit_whose_200_never_arrived_is_not_made_again,
    p16_a_failure_after_the_success_moves_nothing_and_alerts,
    p17_a_success_that_verify_contradicts_credits_nothing,
];

/// The provider's news of a card payment, with an id of its own.
fn of_card(id: &str) -> String {
    let fresh = xtask::keys::random_uuid().simple();
    json!({ "id": format!("evt_{fresh}"), "type": "payment_intent.succeeded", "data": { "object": { "id": id } } })
        .to_string()
}

async fn p1_fifty_deliveries_of_one_success_credit_once(w: &'static World) {
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

async fn p2_near_duplicates_with_other_whitespace_credit_once(w: &'static World) {
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
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.events(id, "payment.success").await), (100_000, 1, 1));
}

/// The other providers' schemes: rails.rs.
async fn p3_a_bad_signature_is_refused_and_stores_nothing(w: &'static World) {
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
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await, fatou.moves().await), (0, 0, 0));
    assert_eq!(w.times_asked("verify", id).await, 0, "a forgery makes us ask");
    let prefixed = json!({ "body": body, "signature": format!("sha256={good}") });
    assert_eq!(w.delivers(prefixed).await, [200], "the documented prefix is accepted");
    w.becomes(id, "success").await;
}

async fn p4_without_a_secret_every_webhook_is_closed(_: &'static World) {
    let bare = bare_world().await;
    let body = event("payment.success", "a1b2c3d4e5f6", 100_500, "GNF").to_string();
    let mac = |signed: &str| sandbox::sign("", signed.as_bytes());
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    // Signed with the empty key, which is what an unset one would be if it were used.
    for (function, header, signature) in [
        ("moneroo-webhook", "x-moneroo-signature", mac(&body)),
        (
            "payment-webhook?provider=stripe",
            "stripe-signature",
            format!("t={now},v1={}", mac(&format!("{now}.{body}"))),
        ),
        ("payment-webhook?provider=paystack", "x-paystack-signature", mac(&body)),
        ("payment-webhook?provider=flutterwave", "verif-hash", String::new()),
        ("payment-webhook?provider=flutterwave_v4", "flutterwave-signature", mac(&body)),
        ("payment-webhook?provider=cinetpay", "x-token", mac("")),
        ("payment-webhook?provider=wave", "wave-signature", format!("t={now},v1={}", mac(&format!("{now}{body}")))),
    ] {
        let signed = bare.function(function).header(header, &signature).raw(body.clone()).send().await;
        signed.refused(503, "NOT_CONFIGURED");
        bare.function(function).raw(body.clone()).send().await.refused(503, "NOT_CONFIGURED");
    }
    assert_eq!(bare.one::<i64>("select count(*) from payments.payment_events", &[]).await, 0);
    // Operators are told where they look.
    let look = bare.request(Method::GET, "/functions/v1/health?detailed=1").bearer(&bare.admin().await.token);
    let told = look.send().await;
    assert_eq!(told.ok(200)["dependencies"]["payment_provider"]["status"], "not_configured", "{told}");
}

async fn p5_a_signature_of_another_time_is_refused_where_it_has_one(w: &'static World) {
    for (provider, secret, dot) in [("stripe", "STRIPE_WEBHOOK_SECRET", "."), ("wave", "WAVE_WEBHOOK_SECRET", "")] {
        let fatou = w.person().await;
        let ask = json!({ "purpose": "wallet_deposit", "provider": provider, "amount": 100_000, "currency": "XOF" });
        let asked = fatou.call("moneroo-initialize-payment", ask).await.ok(201).clone();
        let id = payment_id(&asked);
        w.pays_quietly(&asked).await;
        let paid = json!({ "id": "AE_paid", "type": "checkout.session.completed", "data": { "id": id } }).to_string();
        let body = if provider == "wave" { paid.replace("paid", id) } else { of_card(id) };
        let signed = |t: i64| {
            let mac = sandbox::sign(&w.vars[secret], format!("{t}{dot}{body}").as_bytes());
            json!({ "provider": provider, "body": body, "signature": format!("t={t},v1={mac}") })
        };
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        // A slow machine makes what is old older, and what is early less so.
        for t in [now - 301, now - 86_400, now + 400] {
            assert_eq!(w.delivers(signed(t)).await, [403], "{provider} at {t}");
        }
        let stored = "select count(*) from payments.payment_events where provider_payment_id = $1";
        assert_eq!((w.one::<i64>(stored, &[&id]).await, fatou.moves().await), (0, 0));
        assert_eq!(w.delivers(signed(now - 200)).await, [200], "{provider}");
        w.becomes(id, "success").await;
        assert_eq!((fatou.balance("XOF").await, fatou.moves().await), (100_000, 1));
    }
}

async fn p5_a_replay_without_a_time_is_a_hint_without_effect(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays(&asked).await;
    w.becomes(id, "success").await;
    // Captured, and sent again long after; then under another event name, which is news and makes us look.
    let captured = event("payment.success", id, 100_500, "GNF");
    let aged =
        "update payments.event_keys set received_at = now() - interval '1 year' where dedupe_key like '%' || $1 || '%'";
    assert_eq!(w.exec(aged, &[&id]).await, 1);
    assert_eq!(w.delivers(json!({ "body": captured, "times": 3 })).await, [200, 200, 200]);
    assert_eq!(w.delivers(json!({ "body": event("payment.initiated", id, 100_500, "GNF") })).await, [200]);
    assert_eq!(w.decided(id, "payment.initiated").await, "already");
    assert_eq!((w.events(id, "payment.success").await, fatou.gnf().await, fatou.moves().await), (1, 100_000, 1));
}

async fn p6_a_webhook_before_its_payment_is_stored_is_applied_once(w: &'static World) {
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

async fn p8_a_credit_whose_200_never_arrived_is_not_made_again(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays_quietly(&asked).await;
    let body = event("payment.success", id, 100_500, "GNF").to_string();
    let host = w.api.trim_start_matches("http://");
    let signature = sandbox::sign("whsec_cauris_dev", body.as_bytes());
    let request = format!(
        "POST /functions/v1/moneroo-webhook HTTP/1.1\r\nhost: {host}\r\nx-moneroo-signature: {signature}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut line = tokio::net::TcpStream::connect(host).await.expect("the gateway listens");
    line.write_all(request.as_bytes()).await.expect("sent");
    // The credit is committed while the line is open and nobody reads it; then it is cut.
    w.becomes(id, "success").await;
    drop(line);
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
    assert_eq!(w.delivers(json!({ "body": body, "times": 3 })).await, [200, 200, 200], "the provider's retries");
    w.sweeps(id).await;
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.events(id, "payment.success").await), (100_000, 1, 1));
}

async fn p16_a_failure_after_the_success_moves_nothing_and_alerts(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    w.order(&format!("payments/{id}/fail"), json!({ "force": true, "wait": true })).await;
    let own = row["id"].as_str().expect("an id");
    w.eventually("the late failure is reported", async || w.alerted("late_failure", own).await.then_some(())).await;
    let now = w.row(id).await;
    assert_eq!((&now["status"], &now["settlement"]), (&json!("success"), &json!("settled")));
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn p17_a_success_that_verify_contradicts_credits_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    let sent = w.order(&format!("payments/{id}/redeliver"), json!({ "status": "success" })).await;
    assert_eq!(sent["statuses"], json!([200]));
    assert_eq!(w.decided(id, "payment.success").await, "open", "we asked back, and nobody has paid");
    assert_eq!((fatou.gnf().await, fatou.moves().await, w.row(id).await["status"].as_str()), (0, 0, Some("pending")));
    // The true event has the same key as the lie. It is the sweep, asking again, that finds the money.
    w.pays(&asked).await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}
