use super::*;
use crate::payments::{Customer, PayoutStatus};

fn settings() -> Settings {
    Settings {
        moneroo_url: "http://provider".into(),
        moneroo_secret_key: Secret::new("sk".into()),
        moneroo_webhook_secrets: secrets("whsec_old, whsec_moneroo_test"),
        tag_key: Secret::new("tag".into()),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn reference() -> Reference {
    Reference::orphan("moneroo", "py_1")
}

fn verified(body: &str) -> Option<Truth> {
    Moneroo::configured(&settings()).unwrap().truth(&reference(), &answer(200, body))
}

fn signed(body: &[u8], signature: Option<&str>) -> Notice {
    let headers = signature.map(|text| ("x-moneroo-signature", text.to_owned())).into_iter().collect();
    Notice { body: body.to_vec(), headers, ..Notice::default() }
}

fn heard(body: &[u8]) -> Option<Hint> {
    Moneroo::listening(&settings()).unwrap().hint(&signed(body, None))
}

#[test]
fn a_checkout_exists_only_with_id_and_url_under_data() {
    let settings = settings();
    let moneroo = Moneroo::configured(&settings).unwrap();
    let good = r#"{"message":"ok","data":{"id":"py_1","checkout_url":"https://checkout/py_1"},"errors":null}"#;
    assert_eq!(
        moneroo.created(&Intent::default(), &answer(201, good)),
        Created::Open { id: "py_1".into(), url: Some("https://checkout/py_1".into()), data: Map::new() }
    );
    for (status, body) in [
        (201, r#"{"id":"py_1","checkout_url":"https://x"}"#),
        (200, "{}"),
        (201, r#"{"data":{"id":null,"checkout_url":"https://x"}}"#),
        (500, "oops"),
        (302, ""),
    ] {
        assert!(
            matches!(moneroo.created(&Intent::default(), &answer(status, body)), Created::Unknown(_)),
            "{status} {body}"
        );
    }
    assert!(matches!(moneroo.created(&Intent::default(), &answer(422, "{}")), Created::Refused(_)));
}

#[test]
fn the_currency_is_read_as_text_or_object_and_the_amount_as_whole_units() {
    for (body, amount) in [
        (r#"{"data":{"status":"success","amount":100,"currency":"XOF","environment":"live"}}"#, Some(100)),
        (r#"{"data":{"status":"success","amount":100.0,"currency":{"code":"XOF"},"environment":"live"}}"#, Some(100)),
        (r#"{"data":{"status":"success","amount":100.5,"currency":"XOF","environment":"live"}}"#, None),
        (r#"{"data":{"status":"success","amount":-1,"currency":"XOF","environment":"live"}}"#, None),
        (r#"{"data":{"status":"success","amount":1e30,"currency":"XOF","environment":"live"}}"#, None),
    ] {
        let truth = verified(body).unwrap();
        assert_eq!((truth.amount, truth.currency.as_str(), truth.status), (amount, "XOF", Status::Success), "{body}");
    }
}

#[test]
fn an_unknown_status_is_not_final_and_an_unreadable_answer_is_no_answer() {
    let odd = verified(r#"{"data":{"status":"on_hold","amount":1,"currency":"XOF"}}"#).unwrap();
    assert_eq!((odd.status, odd.environment.as_str()), (Status::Odd, ""));
    assert_eq!(json!([odd.status, PayoutStatus::Odd]), json!(["odd", "odd"]), "the word that payments.settle reports");
    for body in [
        "",
        "[]",
        r#"{"data":{"status":"success"}}"#,
        r#"{"data":{"status":"success","amount":"100","currency":"XOF"}}"#,
    ] {
        assert_eq!(verified(body), None, "{body}");
    }
}

#[test]
fn a_payment_is_asked_for_and_asked_about_as_the_documentation_says() {
    let settings = settings();
    let moneroo = Moneroo::configured(&settings).unwrap();
    let intent = Intent {
        id: "i-1".into(),
        attempt: 2,
        amount: 500,
        currency: "GNF".into(),
        description: "Order".into(),
        return_url: "https://app/return".into(),
        customer: Customer { email: Some("a@b.gn".into()), ..Customer::default() },
        methods: vec!["orange_gn".into()],
        ..Intent::default()
    };
    let create = moneroo.create(&intent);
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/v1/payments/initialize"));
    assert_eq!(create.headers[0], ("authorization", "Bearer sk".into()));
    assert_eq!(
        serde_json::from_str::<Value>(&create.body.unwrap()).unwrap(),
        json!({
            "amount": 500, "currency": "GNF", "description": "Order", "return_url": "https://app/return",
            "customer": { "email": "a@b.gn" }, "methods": ["orange_gn"],
            "metadata": { "intent_id": "i-1", "attempt": "2", "tag": tag(&settings.tag_key, "i-1", 2, 500, "GNF") },
        })
    );
    let query = moneroo.query(&reference()).unwrap();
    assert_eq!((query.method, query.url.as_str()), ("GET", "http://provider/v1/payments/py_1/verify"));
    for id in ["", "../py_1", "py_1?x=1"] {
        assert_eq!(moneroo.query(&Reference::orphan("moneroo", id)), None, "{id}");
    }
}

#[test]
fn the_answer_about_another_payment_is_no_answer() {
    let body = |id: &str| format!(r#"{{"data":{{"id":"{id}","status":"success","amount":1,"currency":"XOF"}}}}"#);
    assert!(verified(&body("py_1")).is_some());
    assert_eq!(verified(&body("py_2")), None);
    let settings = settings();
    assert_eq!(Moneroo::configured(&settings).unwrap().truth(&reference(), &answer(404, &body("py_1"))), None);
}

#[test]
fn the_claim_is_the_metadata_we_gave() {
    let body = r#"{"data":{"status":"pending","amount":500,"currency":"GNF","metadata":{"intent_id":"i-1","attempt":"1","tag":"t"}}}"#;
    let claim = Claim { intent_id: "i-1".into(), attempt: 1, tag: "t".into() };
    assert_eq!(verified(body).unwrap().intent, Some(claim));
    assert_eq!(verified(&body.replace(r#""1""#, "1")).unwrap().intent, None);
}

#[test]
fn a_webhook_is_authentic_under_any_live_secret_and_under_none_it_is_not_heard() {
    let body =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    let good = "1f597a78f1ceb418693700c9403ca10bf74ddee332b6e8a7019cb739caa10e33";
    let settings = settings();
    let moneroo = Moneroo::listening(&settings).unwrap();
    for (signature, verdict) in [
        (Some(good), true),
        (Some(&*format!("sha256={good}")), true),
        (None, false),
        (Some(""), false),
        (Some("sha256="), false),
        (Some(&good[..63]), false),
        (Some(&*good.to_uppercase()), false),
        (Some(&*good.replacen('1', "0", 1)), false),
    ] {
        assert_eq!(moneroo.authentic(&signed(body, signature)), Some(verdict), "{signature:?}");
    }
    assert_eq!(moneroo.authentic(&signed(&body[1..], Some(good))), Some(false));
    for list in ["", "a,,b", ",", "whsec_moneroo_test,"] {
        let settings = Settings { moneroo_webhook_secrets: secrets(list), ..settings.clone() };
        assert!(Moneroo::listening(&settings).is_none(), "{list:?}");
        assert_eq!(Moneroo::configured(&settings).unwrap().authentic(&signed(body, Some(good))), None, "{list:?}");
    }
}

#[test]
fn the_same_news_in_other_bytes_has_the_same_key() {
    let one = heard(br#"{"event":"payment.success","data":{"id":"a","status":"success"}}"#).unwrap();
    let other = heard(br#"{ "data": {"status":"success", "id":"a"}, "event":"payment.success" }"#).unwrap();
    assert_eq!(one, other);
    assert_eq!((one.dedupe_key.as_str(), one.payment_id.as_str()), ("payment.success|a|success", "a"));
    for body in [
        &b"{}"[..],
        br#"{"event":"payment.success","data":{"id":null}}"#,
        br#"{"event":"x","data":{"id":"../a"}}"#,
        br#"{"event":"payment.success","data":{"id":"a","id":"b"}}"#,
        br#"{"event":"two words","data":{"id":"a"}}"#,
        b"\xff",
    ] {
        assert_eq!(heard(body), None, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn an_event_says_what_it_is_about_and_an_unknown_one_is_kept() {
    for (event, subject, known) in [
        ("payment.success", Subject::Payment, true),
        ("payment.disputed", Subject::Payment, false),
        ("payout.failed", Subject::Payout, true),
        ("customer.created", Subject::Other, false),
    ] {
        let hint = heard(format!(r#"{{"event":"{event}","data":{{"id":"a"}}}}"#).as_bytes()).unwrap();
        assert_eq!((hint.subject, hint.known, hint.proof), (subject, known, None), "{event}");
    }
}
