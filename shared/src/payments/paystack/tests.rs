use super::*;
use crate::payments::Customer;

const ID: &str = "0b5e1d1e-0000-4000-8000-000000000001";

fn settings(keys: &str) -> Settings {
    let rails = [("PAYSTACK_URL", "http://paystack"), ("PAYSTACK_SECRET_KEY", keys)];
    Settings { rails: rails.map(|(name, value)| (name, Secret::new(value.into()))).into(), ..Settings::default() }
}

fn paystack(settings: &Settings) -> Paystack<'_> {
    Paystack::configured(settings).unwrap()
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn intent() -> Intent {
    Intent {
        id: ID.into(),
        amount: 50_000,
        exponent: 2,
        currency: "NGN".into(),
        return_url: "https://app/return".into(),
        customer: Customer { email: Some("a@b.ng".into()), ..Customer::default() },
        ..Intent::default()
    }
}

fn truth(status: u16, body: &str) -> Option<Truth> {
    paystack(&settings("sk")).truth(&Reference::orphan("paystack", ID), &answer(status, body))
}

fn verified(changes: &[(&str, &str)]) -> Option<Truth> {
    let good = format!(
        r#"{{"status":true,"message":"Verification successful","data":{{"id":4099260516,"domain":"test","status":"success","reference":"{ID}","amount":50000,"currency":"NGN","fees":750}}}}"#
    );
    truth(200, &changes.iter().fold(good, |body, (from, to)| body.replace(from, to)))
}

fn heard(body: &str) -> Option<Hint> {
    let notice = Notice { body: body.into(), ..Notice::default() };
    paystack(&settings("sk")).hint(&notice)
}

#[test]
fn a_page_is_asked_for_under_our_reference_with_the_first_key() {
    let settings = settings("sk_new, sk_old");
    let create = paystack(&settings).create(&intent());
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://paystack/transaction/initialize"));
    assert_eq!(
        create.headers,
        [("authorization", "Bearer sk_new".into()), ("content-type", "application/json".into())]
    );
    assert_eq!(
        serde_json::from_str::<Value>(&create.body.unwrap()).unwrap(),
        json!({
            "email": "a@b.ng", "amount": 50_000, "currency": "NGN", "reference": ID,
            "callback_url": "https://app/return",
        })
    );
    let query = paystack(&settings).query(&Reference::orphan("paystack", ID)).unwrap();
    assert_eq!((query.method, query.url), ("GET", format!("http://paystack/transaction/verify/{ID}")));
    assert_eq!(paystack(&settings).query(&Reference::orphan("paystack", "a/../b")), None);
    for keys in ["", ",", "a,"] {
        assert!(Paystack::configured(&self::settings(keys)).is_none(), "{keys}");
    }
}

#[test]
fn a_page_exists_with_its_address_and_a_taken_reference_is_no_refusal() {
    let settings = settings("sk");
    let created = |status, body: &str| paystack(&settings).created(&intent(), &answer(status, body));
    let good = format!(
        r#"{{"status":true,"message":"Authorization URL created","data":{{"authorization_url":"https://checkout.paystack.com/x","access_code":"x","reference":"{ID}"}}}}"#
    );
    let url = Some("https://checkout.paystack.com/x".to_owned());
    assert_eq!(created(200, &good), Created::Open { id: ID.into(), url, data: Map::new() });
    assert!(matches!(created(400, r#"{"status":false,"message":"Invalid amount"}"#), Created::Refused(_)));
    let taken = r#"{"status":false,"message":"Duplicate Transaction Reference","code":"duplicate_reference"}"#;
    for (status, body) in [
        (400, taken),
        (200, &*good.replace(ID, "another")),
        (200, &good.replace("true", "false")),
        (200, &good.replace("https", "javascript")),
        (200, "oops"),
        (500, &good),
        (408, ""),
    ] {
        assert!(matches!(created(status, body), Created::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn only_success_and_failed_are_final() {
    let read = verified(&[]).unwrap();
    assert_eq!((read.status, read.amount, read.currency.as_str()), (Status::Success, Some(50_000), "NGN"));
    assert_eq!((read.environment.as_str(), read.intent, read.refunded, read.dispute), ("sandbox", None, None, None));
    assert_eq!(verified(&[("\"test\"", "\"live\"")]).unwrap().environment, "live");
    assert_eq!(verified(&[("\"test\"", "\"other\"")]).unwrap().environment, "");
    assert_eq!(verified(&[(r#""status":"success""#, r#""status":"failed""#)]).unwrap().status, Status::Failed);
    let told =
        |status: &str| verified(&[(r#""status":"success""#, &format!(r#""status":"{status}""#))]).unwrap().status;
    for status in ["abandoned", "ongoing", "pending", "processing", "queued", "reversed"] {
        assert_eq!(told(status), Status::Pending, "{status}");
    }
    for status in ["SUCCESS", "disputed", ""] {
        assert_eq!(told(status), Status::Odd, "{status}");
    }
}

#[test]
fn an_amount_is_a_whole_number_of_hundredths() {
    for (text, amount) in [
        ("50000.0", Some(50_000)),
        ("\"50000\"", Some(50_000)),
        ("50000.5", None),
        ("-50000", None),
        ("0", None),
        ("5e4", None),
    ] {
        assert_eq!(verified(&[("50000", text)]).unwrap().amount, amount, "{text}");
    }
}

#[test]
fn an_answer_about_another_reference_or_none_is_no_answer() {
    assert_eq!(verified(&[(ID, "another")]), None);
    assert_eq!(verified(&[("true", "false")]), None);
    for (status, body) in [
        (400, r#"{"status":false,"message":"Transaction reference not found"}"#),
        (404, "{}"),
        (200, ""),
        (200, "[]"),
        (200, r#"{"status":true,"data":null}"#),
        (500, ""),
    ] {
        assert_eq!(truth(status, body), None, "{status} {body}");
    }
}

#[test]
fn a_notification_is_signed_with_any_live_api_key() {
    const BODY: &[u8] =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    const GOOD: &str = "2ce5095198f7619885d1cedc6ab95addbc8277044c53d102b08c02871886958a507c8e1a446bbf15c133011b971b2f9b6d4c5dbf47d5b39a162db9fc47306afd";
    let settings = settings("sk_new,sk_test_x");
    let verdict = |body: &[u8], signature: &str| {
        let headers = vec![("x-paystack-signature", signature.to_owned())];
        paystack(&settings).authentic(&Notice { body: body.to_vec(), headers, ..Notice::default() })
    };
    assert_eq!(verdict(BODY, GOOD), Some(true));
    assert_eq!(verdict(&BODY[1..], GOOD), Some(false));
    for bad in ["", &GOOD[..127], &GOOD[..64], &GOOD.to_uppercase(), &GOOD.replacen('2', "3", 1)] {
        assert_eq!(verdict(BODY, bad), Some(false), "{bad}");
    }
    assert_eq!(paystack(&settings).authentic(&Notice { body: BODY.to_vec(), ..Notice::default() }), Some(false));
}

#[test]
fn an_event_says_where_to_look_and_the_same_news_has_the_same_key() {
    for (event, data, known) in [
        ("charge.success", format!(r#"{{"id":9,"reference":"{ID}","status":"success"}}"#), true),
        (
            "charge.dispute.create",
            format!(r#"{{"id":5,"status":"pending","transaction":{{"reference":"{ID}"}}}}"#),
            true,
        ),
        ("refund.processed", format!(r#"{{"status":"processed","transaction_reference":"{ID}"}}"#), true),
        ("charge.new", format!(r#"{{"id":9,"reference":"{ID}"}}"#), false),
    ] {
        let hint = heard(&format!(r#"{{"event":"{event}","data":{data}}}"#)).unwrap();
        assert_eq!((hint.subject, hint.payment_id.as_str(), hint.known), (Subject::Payment, ID, known), "{event}");
        assert_eq!(heard(&format!(r#" {{ "data":{data} ,"event":"{event}"}}"#)).unwrap(), hint);
    }
    let transfer = heard(r#"{"event":"transfer.success","data":{"id":1,"reference":"t-1"}}"#).unwrap();
    assert_eq!((transfer.subject, transfer.known), (Subject::Other, false));
    let other = heard(r#"{"event":"transfer.success","data":{"id":2,"reference":"t-2"}}"#).unwrap();
    assert_ne!(transfer.dedupe_key, other.dedupe_key);
}

#[test]
fn what_is_no_event_is_refused() {
    for body in [
        "",
        "[]",
        r#"{"data":{"reference":"a"}}"#,
        r#"{"event":"charge.success"}"#,
        r#"{"event":"charge.success","data":{"reference":null}}"#,
        r#"{"event":"charge.success","data":{"reference":"../a"}}"#,
        r#"{"event":"charge.success","data":{"reference":"a","reference":"b"}}"#,
        r#"{"event":"two words","data":{"reference":"a"}}"#,
    ] {
        assert_eq!(heard(body), None, "{body}");
    }
}
