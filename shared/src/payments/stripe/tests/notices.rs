use serde_json::json;

use super::*;
use crate::secret::hmac_hex;

const NOW: i64 = 1_700_000_000;

fn signed(body: &[u8], header: &str, now_s: i64) -> Notice {
    Notice { body: body.to_vec(), headers: vec![("stripe-signature", header.to_owned())], now_s, ..Notice::default() }
}

fn heard(body: &str) -> Option<Hint> {
    stripe(&settings()).hint(&signed(body.as_bytes(), "", NOW))
}

#[test]
fn a_notification_is_authentic_for_five_minutes_under_any_listed_signature_and_secret() {
    const BODY: &[u8] =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    const GOOD: &str = "bdaf462c002e3414d1864dddf5aadc5f130a013899fcda15f133fd42074eed5b";
    let mut settings = settings();
    let old = hmac_hex(&Secret::new("whsec_old".into()), &[b"1700000000.", BODY].concat());
    for (header, verdict) in [
        (format!("t={NOW},v1={GOOD}"), true),
        (format!("t={NOW},v1={old}"), true),
        (format!("t={NOW},v1={},v0={GOOD},v1={GOOD},v2=x", "0".repeat(64)), true),
        (format!("t={NOW},v0={GOOD}"), false),
        (format!("t={NOW},v1="), false),
        (format!("t={NOW}"), false),
        (format!("v1={GOOD}"), false),
        (String::new(), false),
        (format!("t={},v1={GOOD}", NOW + 1), false),
        (format!("t={NOW},v1={}", &GOOD[..63]), false),
        (format!("t={NOW},v1={}", GOOD.to_uppercase()), false),
        (format!("t={NOW},v1={}", GOOD.replacen('b', "c", 1)), false),
    ] {
        assert_eq!(stripe(&settings).authentic(&signed(BODY, &header, NOW)), Some(verdict), "{header}");
    }
    let header = format!("t={NOW},v1={GOOD}");
    for (now, verdict) in [(NOW + 300, true), (NOW - 300, true), (NOW + 301, false), (NOW - 301, false)] {
        assert_eq!(stripe(&settings).authentic(&signed(BODY, &header, now)), Some(verdict), "{now}");
    }
    assert_eq!(stripe(&settings).authentic(&signed(&BODY[1..], &header, NOW)), Some(false));
    for list in ["", "whsec_test,", ","] {
        settings.rails.insert("STRIPE_WEBHOOK_SECRET", Secret::new(list.into()));
        assert_eq!(stripe(&settings).authentic(&signed(BODY, &header, NOW)), None, "{list:?}");
    }
}

#[test]
fn an_event_says_where_to_look() {
    for (event, object, subject, id, known) in [
        ("payment_intent.succeeded", json!({ "id": "pi_1" }), Subject::Payment, "pi_1", true),
        ("payment_intent.new", json!({ "id": "pi_1" }), Subject::Payment, "pi_1", false),
        ("charge.refunded", json!({ "id": "ch_1", "payment_intent": "pi_1" }), Subject::Payment, "pi_1", true),
        ("charge.dispute.closed", json!({ "id": "dp_1", "payment_intent": "pi_1" }), Subject::Payment, "pi_1", true),
        ("refund.failed", json!({ "id": "re_1", "payment_intent": "pi_1" }), Subject::Payout, "re_1", true),
        ("charge.refund.updated", json!({ "id": "re_1" }), Subject::Payout, "re_1", true),
    ] {
        let body = json!({ "id": "evt_1", "type": event, "data": { "object": object } }).to_string();
        let hint = heard(&body).unwrap();
        assert_eq!((hint.subject, hint.payment_id.as_str(), hint.known), (subject, id, known), "{event}");
        assert_eq!((hint.dedupe_key.as_str(), hint.proof), (&*format!("{event}|evt_1"), None));
    }
    for body in [
        r#"{"id":"evt_1","type":"account.updated","data":{"object":{"id":"acct_1"}}}"#,
        r#"{"id":"evt_1","type":"charge.succeeded","data":{"object":{"id":"ch_1","payment_intent":null}}}"#,
    ] {
        let hint = heard(body).unwrap();
        assert_eq!((hint.subject, hint.known), (Subject::Other, false), "{body}");
    }
}

#[test]
fn what_is_no_event_is_refused() {
    for body in [
        "",
        "[]",
        r#"{"id":"evt_1"}"#,
        r#"{"type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}"#,
        r#"{"id":"evt_1","id":"evt_2","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}"#,
        r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":null}}}"#,
        r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"../pi"}}}"#,
        r#"{"id":"evt 1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}"#,
        r#"{"id":"evt_1","type":"two words","data":{"object":{"id":"pi_1"}}}"#,
    ] {
        assert_eq!(heard(body), None, "{body}");
    }
}
