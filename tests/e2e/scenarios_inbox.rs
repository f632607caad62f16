//! Scenarios of money.md, section 6: what nobody can read, prove or finish, and what becomes of the rest meanwhile.

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::sandbox::{event, payment_id};
use crate::world::World;

crate::tests![
    p20_an_unknown_event_or_status_is_stored_and_reported,
    p21_a_malformed_body_is_refused,
    p21_a_malformed_body_of_any_provider_is_refused,
    p22_a_notification_without_its_token_is_refused_even_where_none_is_stored,
    p24_a_poisoned_event_ends_in_the_dead_letters_and_blocks_nobody,
];

async fn p20_an_unknown_event_or_status_is_stored_and_reported(w: &'static World) {
    let id = format!("unknown{}", xtask::keys::random_uuid().simple());
    for kind in ["payment.disputed", "refund.success", "invented"] {
        let mut body = event("payment.success", &id, 1, "GNF");
        (body["event"], body["data"]["status"]) = (json!(kind), json!("disputed"));
        assert_eq!(w.delivers(json!({ "body": body })).await, [200], "{kind}");
        assert_eq!(w.events(&id, kind).await, 1, "{kind} is not stored");
    }
    assert!(w.alerted("unknown_event", &id).await);
    // A status that they invent next is not final, neither way.
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "status": "disputed" })).await;
    w.pays(&asked).await;
    assert_eq!(w.decided(id, "payment.success").await, "open");
    let row = w.row(id).await;
    assert_eq!((row["status"].as_str(), fatou.moves().await), (Some("pending"), 0));
    assert!(w.alerted("unknown_status", row["id"].as_str().expect("our id")).await);
    w.order(&format!("payments/{id}/answer"), json!({})).await;
    w.sweeps(id).await;
    w.becomes(id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn p21_a_malformed_body_is_refused(w: &'static World) {
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
    for bytes in [64 * 1024 + 1, 10 * 1024 * 1024] {
        // By ourselves: an answer that comes before the body has gone out is a broken line to some clients.
        let body = fill(bytes);
        let signature = sandbox::sign("whsec_cauris_dev", body.as_bytes());
        let call = w.function("moneroo-webhook").header("x-moneroo-signature", &signature).raw(body);
        call.send().await.refused(413, "PAYLOAD_TOO_LARGE");
    }
    let unauthentic = json!({ "body": fill(64 * 1024 + 1), "signature": "00" });
    assert!(w.delivers(unauthentic).await[0] >= 400);
    assert_eq!(w.delivers(json!({ "body": fill(64 * 1024) })).await, [200], "the last size that is allowed");
}

/// A request to a payer's phone, and the address that its provider was given.
async fn by_phone(w: &World, payer: &Person, provider: &str) -> (String, String) {
    let phone = format!("2246{:07}1", payer.id.as_u128() % 10_000_000);
    let ask = json!({ "purpose": "wallet_deposit", "amount": 100_000, "provider": provider, "phone": phone });
    let asked = payer.call("moneroo-initialize-payment", ask).await.ok(201).clone();
    let there = w.control(Method::GET, &format!("payments/{}", payment_id(&asked)), json!({})).await;
    let callback = there["callback_url"].as_str().expect("an address of its own");
    (payment_id(&asked).to_owned(), callback.to_owned())
}

async fn p21_a_malformed_body_of_any_provider_is_refused(w: &'static World) {
    let fatou = w.person().await;
    let (id, callback) = by_phone(w, &fatou, "mtn_momo").await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = r#"{"status":"SUCCESSFUL","status":"FAILED","id":"evt_1","type":"x","event":"charge.success"}"#;
    // What each tells of a payment, without saying which.
    for (provider, nameless) in [
        ("stripe", r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":null}}}"#),
        ("paystack", r#"{"event":"charge.success","data":{"id":1,"reference":null}}"#),
        ("flutterwave", r#"{"event":"charge.completed","data":{"id":1,"tx_ref":null}}"#),
        ("flutterwave_v4", r#"{"type":"charge.completed","data":{"id":"chg_1","reference":null}}"#),
        ("wave", r#"{"id":"AE_1","type":"checkout.session.completed","data":{"id":null}}"#),
        ("mtn_momo", r#"{"externalId":"a","status":null}"#),
    ] {
        let deliver = async |what: &str, body: &str| {
            let mut delivery = json!({ "provider": provider });
            delivery[what] = json!(body);
            if provider == "mtn_momo" {
                delivery["url"] = json!(callback);
            }
            let shown: String = body.chars().take(60).collect();
            assert_eq!(w.delivers(delivery).await, [400], "{provider}: {shown}");
        };
        for body in ["", "{", "null", "[]", "{}", deep.as_str(), twice, nameless] {
            deliver("body", body).await;
        }
        deliver("body_hex", &hex::encode(b"{\"status\":\"\xff\xfe\"}")).await;
    }
    for form in ["", "cpm_trans_id=", "cpm_trans_id=a&cpm_trans_id=b", "cpm_site_id=445566&cpm_trans_id=../a", "%ff%fe"]
    {
        // What cannot be decoded cannot be signed either.
        let status = w.delivers(json!({ "provider": "cinetpay", "body": form })).await[0];
        assert!(matches!(status, 400 | 403), "{form}: {status}");
    }
    let stored = "select count(*) from payments.payment_events where provider_payment_id = $1";
    assert_eq!((w.one::<i64>(stored, &[&id]).await, fatou.moves().await), (0, 0));
}

async fn p22_a_notification_without_its_token_is_refused_even_where_none_is_stored(w: &'static World) {
    let fatou = w.person().await;
    let (id, callback) = by_phone(w, &fatou, "orange_money").await;
    let there = w.control(Method::GET, &format!("payments/{id}"), json!({})).await;
    let own = there["secrets"]["notif_token"].as_str().expect("a token").to_owned();
    w.order(&format!("payments/{id}/pay"), json!({ "quiet": true })).await;
    let told = |token: Option<Value>| {
        let mut body = json!({ "status": "SUCCESS", "txnid": "MP1" });
        if let Some(token) = token {
            body["notif_token"] = token;
        }
        json!({ "provider": "orange_money", "url": callback, "body": body })
    };
    let tokens = [None, Some(json!(null)), Some(json!("")), Some(json!("null")), Some(json!([])), Some(json!(own))];
    let forget = "update payments.payments set provider_data = provider_data - 'notif_token' where id::text = $1";
    let stored = "select count(*) from payments.payment_events where provider_payment_id = $1";
    // First with the token on our row, then without any: nothing equals nothing.
    for (kept, refused) in [(true, 5), (false, 6)] {
        if !kept {
            assert_eq!(w.exec(forget, &[&id]).await, 1);
        }
        for token in &tokens[..refused] {
            let status = w.delivers(told(token.clone())).await[0];
            assert!(matches!(status, 400 | 403), "{token:?}, kept {kept}: {status}");
        }
        // Nor does the database itself believe it, whatever the edge lets through.
        let event = json!({ "provider": "orange_money", "event": "webpayment.success",
                            "dedupe_key": format!("p22-{id}"), "subject": "payment", "provider_payment_id": id, "proof": null, "body": "{}",
                            "headers": {}, "known_event": true });
        let call = w.rest(Method::POST, "rpc/payment_event", &w.vars["SERVICE_ROLE_KEY"]);
        assert!(call.json(&json!({ "ask": event })).send().await.is_refusal(403, "INVALID_SIGNATURE"));
        assert_eq!((w.one::<i64>(stored, &[&id]).await, fatou.moves().await), (0, 0));
    }
    let restore =
        "update payments.payments set provider_data = provider_data || jsonb_build_object('notif_token', $2::text)
                   where id::text = $1";
    w.exec(restore, &[&id, &own]).await;
    assert_eq!(w.delivers(told(Some(json!(own)))).await, [200]);
    w.becomes(&id, "success").await;
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}

async fn p24_a_poisoned_event_ends_in_the_dead_letters_and_blocks_nobody(w: &'static World) {
    let (fatou, binta, admin) = (w.person().await, w.person().await, w.admin().await);
    let (asked, other) = (fatou.deposit(100_000).await, binta.deposit(100_000).await);
    let (poison, well) = (payment_id(&asked), payment_id(&other));
    let spoilt = json!({ "on": "verify", "fault": "garbage", "payment_id": poison });
    let spoilt = w.order("faults", spoilt).await["id"].to_string();
    w.fault(json!({ "on": "verify", "fault": "error", "status": 503, "payment_id": well, "times": 1 })).await;
    for asked in [&asked, &other] {
        w.pays(asked).await;
        w.eventually("we asked", async || (w.times_asked("verify", payment_id(asked)).await > 0).then_some(())).await;
    }
    // The events alone are due, and only these two: the payments' own checks would settle them.
    let later =
        "update payments.payments set next_check_at = now() + interval '1 day' where provider_payment_id in ($1, $2)";
    w.exec(later, &[&poison, &well]).await;
    let due = "update payments.payment_events set next_attempt_at = now() - interval '1 day'
               where provider_payment_id in ($1, $2) and processed_at is null";
    let seen = "select to_jsonb(e) from payments.payment_events e where provider_payment_id = $1";
    let turn = async || {
        w.exec(due, &[&poison, &well]).await;
        w.tick("retry-failed-transactions").await.ok(200);
    };
    let goes_on = async || {
        turn().await;
        Some(w.row(well).await).filter(|row| row["status"] == "success")
    };
    w.eventually("the others go on", goes_on).await;
    assert_eq!((binta.gnf().await, binta.moves().await), (100_000, 1));
    let given_up = async || {
        turn().await;
        Some(w.one::<Value>(seen, &[&poison]).await).filter(|event| event["outcome"] == "dead_letter")
    };
    let event = w.eventually("it is given up", given_up).await;
    assert_eq!((&event["attempts"], event["processed_at"].is_string()), (&json!(10), true), "{event}");
    assert!(w.alerted("dead_letter", poison).await);
    turn().await;
    assert_eq!(w.one::<Value>(seen, &[&poison]).await["attempts"], 10, "and is not tried again");
    assert_eq!((fatou.gnf().await, fatou.moves().await), (0, 0));
    let path = format!("admin_dead_letters?provider_payment_id=eq.{poison}&select=provider,event,attempts");
    for (who, expected) in [
        (&admin, json!([{ "provider": "moneroo", "event": "payment.success", "attempts": 10 }])),
        (&fatou, json!([])),
        (&binta, json!([])),
    ] {
        assert_eq!(*w.rest(Method::GET, &path, &who.token).send().await.ok(200), expected);
    }
    let anybody = w.rest(Method::GET, &path, &w.vars["ANON_KEY"]).send().await;
    assert!((400..500).contains(&anybody.status), "{anybody}");
    // A dead letter is not lost money: once the provider can be read again, the next question finds it.
    w.control(Method::DELETE, &format!("faults/{spoilt}"), json!({})).await;
    w.exec("update payments.payments set asked_at = null where provider_payment_id = $1", &[&poison]).await;
    fatou.call("moneroo-verify-payment", json!({ "payment_id": poison })).await.ok(200);
    assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
}
