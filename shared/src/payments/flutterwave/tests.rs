use serde_json::Value;

use super::*;
use crate::payments::Customer;
use crate::secret::Secret;

const ID: &str = "0b5e1d1e-0000-4000-8000-000000000001";

fn settings(key: &str, hashes: &str) -> Settings {
    let rails = [
        ("FLUTTERWAVE_URL", "http://flutterwave"),
        ("FLUTTERWAVE_SECRET_KEY", key),
        ("FLUTTERWAVE_WEBHOOK_SECRET", hashes),
    ];
    Settings { rails: rails.map(|(name, value)| (name, Secret::new(value.into()))).into(), ..Settings::default() }
}

fn sandbox() -> Settings {
    settings("FLWSECK_TEST-1-X", "hash_old,hash_new")
}

fn flutterwave(settings: &Settings) -> Flutterwave<'_> {
    Flutterwave::configured(settings).unwrap()
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn intent(amount: i64, exponent: u8, currency: &str) -> Intent {
    Intent {
        id: ID.into(),
        amount,
        exponent,
        currency: currency.into(),
        description: "Order".into(),
        return_url: "https://app/return".into(),
        customer: Customer {
            email: Some("a@b.ng".into()),
            first_name: Some("Ada".into()),
            last_name: Some("Obi".into()),
            phone: None,
        },
        phone: Some("2348012345678".into()),
        ..Intent::default()
    }
}

fn reference(exponent: u8) -> Reference {
    Reference { exponent, ..Reference::orphan("flutterwave", ID) }
}

fn truth(exponent: u8, status: u16, body: &str) -> Option<Truth> {
    flutterwave(&sandbox()).truth(&reference(exponent), &answer(status, body))
}

fn verified(status: &str, amount: &str) -> String {
    format!(
        r#"{{"status":"success","message":"Transaction fetched successfully","data":{{"id":288200108,"tx_ref":"{ID}","amount":{amount},"currency":"NGN","charged_amount":1521,"status":"{status}"}}}}"#
    )
}

fn heard(body: &str) -> Option<Hint> {
    flutterwave(&sandbox()).hint(&Notice { body: body.into(), ..Notice::default() })
}

#[test]
fn a_page_is_asked_for_under_our_reference_and_in_decimals_of_the_currency() {
    let settings = sandbox();
    for (amount, exponent, currency, written) in
        [(150_050, 2, "NGN", "1500.50"), (1500, 0, "XAF", "1500"), (5, 2, "USD", "0.05")]
    {
        let create = flutterwave(&settings).create(&intent(amount, exponent, currency));
        assert_eq!((create.method, create.url.as_str()), ("POST", "http://flutterwave/v3/payments"));
        let headers = [("authorization", "Bearer FLWSECK_TEST-1-X"), ("content-type", "application/json")];
        assert_eq!(create.headers, headers.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(
            serde_json::from_str::<Value>(&create.body.unwrap()).unwrap(),
            json!({
                "tx_ref": ID, "amount": written, "currency": currency, "redirect_url": "https://app/return",
                "customizations": { "description": "Order" },
                "customer": { "email": "a@b.ng", "name": "Ada Obi", "phonenumber": "2348012345678" },
            })
        );
    }
}

#[test]
fn it_is_asked_about_by_our_reference() {
    let settings = sandbox();
    let query = flutterwave(&settings).query(&reference(2)).unwrap();
    let url = format!("http://flutterwave/v3/transactions/verify_by_reference?tx_ref={ID}");
    assert_eq!((query.method, query.url, query.body), ("GET", url, None));
    assert_eq!(flutterwave(&settings).query(&Reference::orphan("flutterwave", "a&b")), None);
    assert!(Flutterwave::configured(&self::settings("", "h")).is_none());
}

#[test]
fn a_page_exists_with_its_link_alone() {
    let settings = sandbox();
    let created = |status, body: &str| flutterwave(&settings).created(&intent(1, 0, "XAF"), &answer(status, body));
    let good = r#"{"status":"success","message":"Hosted Link","data":{"link":"https://checkout.flutterwave.com/x"}}"#;
    let url = Some("https://checkout.flutterwave.com/x".to_owned());
    assert_eq!(created(200, good), Created::Open { id: ID.into(), url, data: Map::new() });
    for status in [400, 401, 403, 422, 429] {
        assert!(matches!(created(status, r#"{"status":"error","data":null}"#), Created::Refused(_)), "{status}");
    }
    for (status, body) in [
        (200, r#"{"status":"success","data":null}"#),
        (200, r#"{"status":"error","data":{"link":"https://x"}}"#),
        (200, r#"{"status":"success","data":{"link":"javascript:x"}}"#),
        (200, "oops"),
        (302, ""),
        (409, "{}"),
        (502, good),
    ] {
        assert!(matches!(created(status, body), Created::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn only_successful_and_failed_are_final() {
    for (status, expected) in [
        ("successful", Status::Success),
        ("failed", Status::Failed),
        ("pending", Status::Pending),
        ("success", Status::Odd),
        ("cancelled", Status::Odd),
        ("", Status::Odd),
    ] {
        let read = truth(2, 200, &verified(status, "1500.5")).unwrap();
        assert_eq!((read.status, read.amount, read.currency.as_str()), (expected, Some(150_050), "NGN"), "{status}");
        assert_eq!((read.intent, read.refunded, read.dispute), (None, None, None));
    }
}

#[test]
fn an_amount_is_read_exactly_in_the_exponent_of_the_payment() {
    for (text, exponent, amount) in [
        ("1500", 0, Some(1500)),
        ("1500", 2, Some(150_000)),
        ("1500.00", 0, Some(1500)),
        ("\"1500.50\"", 2, Some(150_050)),
        ("1500.5", 0, None),
        ("1500.505", 2, None),
        ("-1500", 2, None),
        ("1.5e3", 2, None),
        ("null", 2, None),
    ] {
        assert_eq!(truth(exponent, 200, &verified("successful", text)).unwrap().amount, amount, "{text} {exponent}");
    }
}

#[test]
fn the_mode_is_that_of_the_key() {
    for (key, environment) in
        [("FLWSECK-1-X", "live"), ("FLWSECK_TEST-1-X", "sandbox"), ("FLWSECK_TEST1", "sandbox"), ("other", "sandbox")]
    {
        let settings = settings(key, "");
        let read = flutterwave(&settings).truth(&reference(2), &answer(200, &verified("successful", "1"))).unwrap();
        assert_eq!(read.environment, environment, "{key}");
    }
}

#[test]
fn an_answer_about_another_reference_or_none_is_no_answer() {
    let good = verified("successful", "1500");
    for (status, body) in [
        (200, good.replace(ID, "another")),
        (200, good.replace("\"success\"", "\"error\"")),
        (200, r#"{"status":"success","data":null}"#.to_owned()),
        (200, String::new()),
        (200, "[]".to_owned()),
        (400, r#"{"status":"error","message":"No transaction was found for this id","data":null}"#.to_owned()),
        (404, good.clone()),
        (500, good.clone()),
    ] {
        assert_eq!(truth(2, status, &body), None, "{status} {body}");
    }
}

#[test]
fn a_notification_shows_any_live_hash_letter_by_letter() {
    let settings = sandbox();
    for (hash, verdict) in [
        ("hash_old", true),
        ("hash_new", true),
        ("", false),
        ("hash", false),
        ("HASH_OLD", false),
        ("hash_old ", false),
        ("hash_old,hash_new", false),
    ] {
        let notice = Notice { headers: vec![("verif-hash", hash.to_owned())], ..Notice::default() };
        assert_eq!(flutterwave(&settings).authentic(&notice), Some(verdict), "{hash}");
    }
    assert_eq!(flutterwave(&settings).authentic(&Notice::default()), Some(false));
    for hashes in ["", ",", "hash_old,"] {
        let settings = self::settings("k", hashes);
        let notice = Notice { headers: vec![("verif-hash", "hash_old".to_owned())], ..Notice::default() };
        assert_eq!(flutterwave(&settings).authentic(&notice), None, "{hashes:?}");
    }
}

#[test]
fn an_event_says_where_to_look_and_the_same_news_has_the_same_key() {
    let body = |event: &str, status: &str| {
        format!(
            r#"{{"event":"{event}","data":{{"id":285959875,"tx_ref":"{ID}","status":"{status}"}},"event.type":"CARD_TRANSACTION"}}"#
        )
    };
    let hint = heard(&body("charge.completed", "successful")).unwrap();
    assert_eq!((hint.subject, hint.payment_id.as_str(), hint.known), (Subject::Payment, ID, true));
    assert_eq!(hint.dedupe_key, format!("charge.completed|{ID}|285959875|successful"));
    assert_eq!(heard(&body("charge.completed", "successful").replace(':', " : ")).unwrap(), hint);
    assert_ne!(heard(&body("charge.completed", "failed")).unwrap().dedupe_key, hint.dedupe_key);
    let new = heard(&body("charge.reversed", "reversed")).unwrap();
    assert_eq!((new.subject, new.known), (Subject::Payment, false));
    let transfer = heard(r#"{"event":"transfer.completed","data":{"id":1,"reference":"t","tx_ref":"x"}}"#).unwrap();
    assert_eq!((transfer.subject, transfer.known), (Subject::Other, false));
}

#[test]
fn what_is_no_event_is_refused() {
    for body in [
        "",
        "[]",
        r#"{"data":{"tx_ref":"a"}}"#,
        r#"{"event":"charge.completed"}"#,
        r#"{"event":"charge.completed","data":{"tx_ref":null}}"#,
        r#"{"event":"charge.completed","data":{"tx_ref":"../a"}}"#,
        r#"{"event":"charge.completed","data":{"tx_ref":"a"},"event":"charge.failed"}"#,
        r#"{"event":"two words","data":{"tx_ref":"a"}}"#,
    ] {
        assert_eq!(heard(body), None, "{body}");
    }
}
