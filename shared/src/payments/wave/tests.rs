use super::*;
use crate::secret::{Secret, hmac_hex};

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";
const NOW: i64 = 1_700_000_000;
/// The vector of money.md, 1.4.
const BODY: &str =
    r#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
const GOOD: &str = "7bde0ec3cf1d22a5a090a0d73b575ff9ed3f6165f90b521a9aeca11d40ccf78b";

fn settings() -> Settings {
    let rails = [
        ("WAVE_URL", "http://provider"),
        ("WAVE_SECRET_KEY", "wave_sn_prod_k"),
        ("WAVE_WEBHOOK_SECRET", "old,wave_test"),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        environment: "configured".into(),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn reference() -> Reference {
    let known = Reference { amount: 125, currency: "XOF".into(), ..Reference::orphan("wave", "cos-1") };
    Reference { payment_id: Some(ID.into()), ..known }
}

fn session(id: &str, rest: &str) -> String {
    format!(r#"{{"id":"{id}","amount":"125","currency":"XOF","client_reference":"{ID}"{rest}}}"#)
}

fn truth(settings: &Settings, body: &str) -> Option<Truth> {
    Wave::configured(settings).unwrap().truth(&reference(), &answer(200, body))
}

fn authentic(settings: &Settings, body: &str, signature: Option<&str>, now_s: i64) -> Option<bool> {
    let headers = signature.map(|text| ("wave-signature", text.to_owned())).into_iter().collect();
    let notice = Notice { body: body.into(), headers, now_s, ..Notice::default() };
    Wave::configured(settings).unwrap().authentic(&notice)
}

fn hint(body: &str) -> Option<Hint> {
    Wave::configured(&settings()).unwrap().hint(&Notice { body: body.into(), ..Notice::default() })
}

#[test]
fn a_session_is_asked_for_with_text_amounts_and_can_be_found_again() {
    let settings = settings();
    let wave = Wave::configured(&settings).unwrap();
    let intent = Intent {
        id: ID.into(),
        amount: 125,
        currency: "XOF".into(),
        return_url: "https://shop/back".into(),
        ..Intent::default()
    };
    let create = wave.create(&intent);
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/v1/checkout/sessions"));
    assert_eq!(
        create.headers,
        [
            ("authorization", "Bearer wave_sn_prod_k".to_owned()),
            ("accept", "application/json".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", ID.to_owned()),
        ]
    );
    let body: serde_json::Value = serde_json::from_str(&create.body.unwrap()).unwrap();
    let expected = json!({
        "amount": "125", "currency": "XOF", "client_reference": ID, "success_url": "https://shop/back",
        "error_url": "https://shop/back",
    });
    assert_eq!(body, expected);
    let query = wave.query(&reference()).unwrap();
    assert_eq!((query.method, query.url.as_str()), ("GET", "http://provider/v1/checkout/sessions/cos-1"));
    let search = wave.search(&reference()).unwrap();
    let url = format!("http://provider/v1/checkout/sessions/search?client_reference={ID}");
    assert_eq!((search.method, search.url), ("GET", url));
    let lost = Reference::default();
    assert_eq!((wave.query(&lost), wave.search(&lost)), (None, None));
    assert_eq!(wave.search(&Reference { payment_id: Some("a&b=c".into()), ..lost }), None);
}

#[test]
fn a_session_exists_only_with_its_id_our_reference_and_a_page() {
    let settings = settings();
    let wave = Wave::configured(&settings).unwrap();
    let intent = Intent { id: ID.into(), ..Intent::default() };
    let page = r#","wave_launch_url":"https://pay.wave.com/c/cos-1""#;
    let open = Created::Open { id: "cos-1".into(), url: Some("https://pay.wave.com/c/cos-1".into()), data: Map::new() };
    assert_eq!(wave.created(&intent, &answer(200, &session("cos-1", page))), open);
    for (status, body) in [
        (200, session("cos-1", "")),
        (200, session("pi_1", page)),
        (200, session("cos-../x", page)),
        (200, session("cos-1", page).replace(ID, "other")),
        (200, "{}".into()),
        (409, session("cos-1", page)),
        (408, String::new()),
        (503, String::new()),
    ] {
        assert!(matches!(wave.created(&intent, &answer(status, &body)), Created::Unknown(_)), "{status} {body}");
    }
    for status in [400, 401, 403, 422, 429] {
        assert!(matches!(wave.created(&intent, &answer(status, "{}")), Created::Refused(_)), "{status}");
    }
}

#[test]
fn the_payment_decides_and_the_page_only_where_nothing_was_paid() {
    for (payment, checkout, status) in [
        ("\"succeeded\"", "complete", Status::Success),
        ("\"succeeded\"", "expired", Status::Success),
        ("\"cancelled\"", "open", Status::Cancelled),
        ("\"processing\"", "open", Status::Pending),
        ("\"processing\"", "expired", Status::Pending),
        ("null", "expired", Status::Cancelled),
        ("null", "open", Status::Pending),
        ("null", "complete", Status::Pending),
        ("null", "paused", Status::Odd),
        ("\"on_hold\"", "complete", Status::Odd),
        ("\"on_hold\"", "expired", Status::Odd),
    ] {
        let body = session("cos-1", &format!(r#","payment_status":{payment},"checkout_status":"{checkout}""#));
        let truth = truth(&settings(), &body).unwrap();
        assert_eq!(
            (truth.status, truth.amount, truth.currency.as_str()),
            (status, Some(125), "XOF"),
            "{payment} {checkout}"
        );
    }
}

#[test]
fn another_session_or_reference_is_no_answer_and_a_missing_reference_is_one() {
    let good = session("cos-1", "");
    assert!(truth(&settings(), &good.replace(&format!("\"{ID}\""), "null")).is_some());
    for body in [session("cos-2", ""), good.replace(ID, "other"), "{}".into(), String::new(), "[]".into()] {
        assert_eq!(truth(&settings(), &body), None, "{body}");
    }
    let wave = settings();
    let wave = Wave::configured(&wave).unwrap();
    for status in [404, 500, 429, 201] {
        assert_eq!(wave.truth(&reference(), &answer(status, &good)), None, "{status}");
    }
    for (amount, read) in [("125", Some(125)), ("\"125.00\"", Some(125)), ("\"125.5\"", None), ("\"-125\"", None)] {
        assert_eq!(truth(&settings(), &good.replace("\"125\"", amount)).unwrap().amount, read, "{amount}");
    }
}

#[test]
fn the_key_names_its_environment_and_else_the_configuration_does() {
    for (key, environment) in [
        ("wave_sn_prod_k", "live"),
        ("wave_ci_test_k", "sandbox"),
        ("wave_test_k", "sandbox"),
        ("wave_k_x_prod", "configured"),
        ("k", "configured"),
    ] {
        let mut settings = settings();
        settings.rails.insert("WAVE_SECRET_KEY", Secret::new(key.into()));
        assert_eq!(truth(&settings, &session("cos-1", "")).unwrap().environment, environment, "{key}");
    }
}

#[test]
fn a_search_finds_the_paid_session_of_this_payment_and_no_other() {
    let settings = settings();
    let wave = Wave::configured(&settings).unwrap();
    let found = |sessions: &[String]| {
        wave.found(&reference(), &answer(200, &format!(r#"{{"result":[{}]}}"#, sessions.join(","))))
    };
    let (open, paid) = (session("cos-1", ""), session("cos-2", r#","payment_status":"succeeded""#));
    assert_eq!(found(&[open.clone(), paid.clone()]).as_deref(), Some("cos-2"));
    assert_eq!(found(std::slice::from_ref(&open)).as_deref(), Some("cos-1"));
    for other in
        [paid.replace(ID, "other"), paid.replace("125", "126"), paid.replace("XOF", "XAF"), session("pi_1", "")]
    {
        assert_eq!(found(std::slice::from_ref(&other)), None, "{other}");
    }
    assert_eq!((found(&[]), wave.found(&reference(), &answer(404, "{}"))), (None, None));
}

#[test]
fn a_signature_covers_time_and_body_and_lives_five_minutes_on_both_sides() {
    let settings = settings();
    let signed = |signature: &str| authentic(&settings, BODY, Some(signature), NOW);
    assert_eq!(signed(&format!("t=1700000000,v1={GOOD}")), Some(true));
    let old = hmac_hex(&Secret::new("old".into()), format!("1700000000{BODY}").as_bytes());
    assert_eq!(signed(&format!("t=1700000000,v1=00,v1={old}")), Some(true));
    for bad in [
        String::new(),
        "t=1700000000".into(),
        format!("v1={GOOD}"),
        format!("t=1700000000,v0={GOOD}"),
        format!("t=1700000001,v1={GOOD}"),
        format!("t=1700000000,v1={}", &GOOD[..63]),
        format!("t=1700000000,v1={}", GOOD.to_uppercase()),
        format!("t=1700000000,v1={}", GOOD.replacen('7', "8", 1)),
        "t=1700000000,v1=".into(),
        // What a dot between them would give.
        format!(
            "t=1700000000,v1={}",
            hmac_hex(&Secret::new("wave_test".into()), format!("1700000000.{BODY}").as_bytes())
        ),
    ] {
        assert_eq!(signed(&bad), Some(false), "{bad}");
    }
    let good = format!("t=1700000000,v1={GOOD}");
    for (now_s, fresh) in [(NOW + 300, true), (NOW - 300, true), (NOW + 301, false), (NOW - 301, false)] {
        assert_eq!(authentic(&settings, BODY, Some(&good), now_s), Some(fresh), "{now_s}");
    }
    assert_eq!(authentic(&settings, &BODY.replace(':', ": "), Some(&good), NOW), Some(false));
    assert_eq!(authentic(&settings, BODY, None, NOW), Some(false));
    for list in ["", "wave_test,"] {
        let mut settings = settings.clone();
        settings.rails.insert("WAVE_WEBHOOK_SECRET", Secret::new(list.into()));
        assert_eq!(authentic(&settings, BODY, Some(&good), NOW), None, "{list:?}");
    }
}

#[test]
fn an_event_is_known_by_its_id_and_names_a_session() {
    let event = |kind: &str, data: &str| format!(r#"{{"id":"AE_1","type":"{kind}","data":{{"id":{data}}}}}"#);
    for kind in EVENTS {
        let found = hint(&event(kind, "\"cos-1\"")).unwrap();
        assert_eq!((found.subject, found.payment_id.as_str(), found.known), (Subject::Payment, "cos-1", true));
        assert_eq!(found.dedupe_key, format!("{kind}|AE_1"));
        for data in ["null", "\"\"", "\"pi_1\"", "\"cos-../x\"", "1", "[]"] {
            assert_eq!(hint(&event(kind, data)), None, "{kind} {data}");
        }
    }
    for (kind, known) in [("test.test_event", true), ("merchant.payment_received", false)] {
        let found = hint(&event(kind, "null")).unwrap();
        assert_eq!((found.subject, found.payment_id.as_str(), found.known), (Subject::Other, "AE_1", known), "{kind}");
    }
    for body in ["", "[]", r#"{"id":null,"type":"x"}"#, r#"{"id":"AE_1"}"#, r#"{"id":"AE_1","id":"AE_2","type":"x"}"#] {
        assert_eq!(hint(body), None, "{body}");
    }
}
