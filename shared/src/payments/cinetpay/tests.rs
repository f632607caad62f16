use super::*;
use crate::payments::Customer;
use crate::secret::{Secret, hmac_hex};

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";
const BODY: &str = "cpm_site_id=445160&cpm_trans_id=6f1c2d3e-0000-4000-8000-000000000001&cpm_trans_date=2026-11-21+10%3A00%3A00\
    &cpm_amount=1000&cpm_currency=GNF&signature=s1&payment_method=OM&cel_phone_num=620000001&cpm_phone_prefixe=224\
    &cpm_language=fr&cpm_version=V4&cpm_payment_config=SINGLE&cpm_page_action=PAYMENT&cpm_designation=Commande\
    &cpm_error_message=SUCCES";
/// The fields above, decoded, in the order of the documentation; `cpm_custom` is missing and counts as empty.
const SIGNED_TEXT: &str = "4451606f1c2d3e-0000-4000-8000-0000000000012026-11-21 10:00:001000GNFs1OM620000001224frV4SINGLEPAYMENTCommandeSUCCES";

fn settings() -> Settings {
    let rails = [
        ("CINETPAY_URL", "http://provider"),
        ("CINETPAY_API_KEY", "ak"),
        ("CINETPAY_SITE_ID", "445160"),
        ("CINETPAY_WEBHOOK_SECRET", "old,whsec"),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        environment: "live".into(),
        callback_url: "https://us/functions/v1".into(),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn reference() -> Reference {
    Reference { amount: 1000, currency: "GNF".into(), ..Reference::orphan("cinetpay", ID) }
}

fn notice(body: &str, token: Option<&str>) -> Notice {
    let headers = token.map(|token| ("x-token", token.to_owned())).into_iter().collect();
    Notice { body: body.as_bytes().to_vec(), headers, ..Notice::default() }
}

fn authentic(settings: &Settings, body: &str, token: Option<&str>) -> Option<bool> {
    Cinetpay::configured(settings).unwrap().authentic(&notice(body, token))
}

fn hint(body: &str) -> Option<Hint> {
    Cinetpay::configured(&settings()).unwrap().hint(&notice(body, None))
}

#[test]
fn a_payment_is_asked_for_and_checked_under_our_own_id() {
    let settings = settings();
    let cinetpay = Cinetpay::configured(&settings).unwrap();
    let intent = Intent {
        id: ID.into(),
        amount: 1000,
        currency: "GNF".into(),
        description: "Order #12 & more".into(),
        return_url: "https://shop/back".into(),
        customer: Customer { last_name: Some("Diallo".into()), ..Customer::default() },
        ..Intent::default()
    };
    let create = cinetpay.create(&intent);
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/v2/payment"));
    let body = format!(
        r#"{{"apikey":"ak","site_id":"445160","transaction_id":"{ID}","amount":1000,"currency":"GNF","description":"Order 12 more","notify_url":"https://us/functions/v1/payment-webhook?provider=cinetpay","return_url":"https://shop/back","channels":"ALL","customer_name":"Diallo"}}"#
    );
    assert_eq!(create.body.as_deref(), Some(body.as_str()));
    let query = cinetpay.query(&reference()).unwrap();
    assert_eq!((query.method, query.url.as_str()), ("POST", "http://provider/v2/payment/check"));
    let body = format!(r#"{{"apikey":"ak","site_id":"445160","transaction_id":"{ID}"}}"#);
    assert_eq!(query.body.as_deref(), Some(body.as_str()));
    assert_eq!(cinetpay.query(&Reference::default()), None);
}

#[test]
fn a_payment_exists_only_with_its_page() {
    let settings = settings();
    let cinetpay = Cinetpay::configured(&settings).unwrap();
    let intent = Intent { id: ID.into(), ..Intent::default() };
    let made = |status, body: &str| cinetpay.created(&intent, &answer(status, body));
    let page = r#"{"code":"201","message":"CREATED","data":{"payment_token":"p","payment_url":"https://checkout/p"}}"#;
    let open = Created::Open { id: ID.into(), url: Some("https://checkout/p".into()), data: Map::new() };
    assert_eq!((made(200, page), made(201, page)), (open.clone(), open));
    for (status, body) in [
        (200, r#"{"code":"608","message":"MINIMUM_REQUIRED_FIELDS","data":[]}"#),
        (200, r#"{"code":"201","data":{"payment_url":""}}"#),
        (409, page),
        (500, page),
        (200, "oops"),
        (302, ""),
    ] {
        assert!(matches!(made(status, body), Created::Unknown(_)), "{status} {body}");
    }
    for (status, body) in [(400, r#"{"code":"608"}"#), (429, r#"{"code":"429"}"#), (429, page)] {
        assert!(matches!(made(status, body), Created::Refused(_)), "{status} {body}");
    }
}

#[test]
fn every_code_has_one_status_and_what_is_unknown_waits() {
    let settings = settings();
    let cinetpay = Cinetpay::configured(&settings).unwrap();
    for (code, at, status) in [
        ("00", "ACCEPTED", Status::Success),
        ("00", "REFUSED", Status::Odd),
        ("600", "REFUSED", Status::Failed),
        ("602", "REFUSED", Status::Failed),
        ("604", "REFUSED", Status::Failed),
        ("606", "REFUSED", Status::Failed),
        ("627", "REFUSED", Status::Failed),
        ("623", "PENDING", Status::Pending),
        ("662", "PENDING", Status::Pending),
        ("663", "PENDING", Status::Pending),
        ("625", "ACCEPTED", Status::Odd),
        ("000", "ACCEPTED", Status::Odd),
    ] {
        let body = format!(r#"{{"code":"{code}","data":{{"amount":"1000","currency":"GNF","status":"{at}"}}}}"#);
        let truth = cinetpay.truth(&reference(), &answer(200, &body)).unwrap();
        assert_eq!(
            (truth.status, truth.amount, truth.environment.as_str()),
            (status, Some(1000), "live"),
            "{code} {at}"
        );
    }
}

#[test]
fn the_amount_is_text_or_number_and_a_check_that_failed_says_nothing() {
    let settings = settings();
    let cinetpay = Cinetpay::configured(&settings).unwrap();
    for (amount, read) in
        [("1000", Some(1000)), (r#""1000.00""#, Some(1000)), ("1000.5", None), ("1e3", None), ("null", None)]
    {
        let body = format!(r#"{{"code":"00","data":{{"amount":{amount},"currency":"GNF"}}}}"#);
        let truth = cinetpay.truth(&reference(), &answer(200, &body)).unwrap();
        assert_eq!((truth.amount, truth.currency.as_str(), truth.status), (read, "GNF", Status::Success), "{amount}");
    }
    let good = r#"{"code":"00","data":{"amount":"1000","currency":"GNF"}}"#;
    for (status, body) in [
        (500, good),
        (404, good),
        (401, good),
        (200, ""),
        (200, "[]"),
        (200, r#"{"code":"00","data":[]}"#),
        (400, r#"{"code":"609"}"#),
    ] {
        assert_eq!(cinetpay.truth(&reference(), &answer(status, body)), None, "{status} {body}");
    }
}

#[test]
fn a_notification_is_authentic_under_any_live_secret_over_the_decoded_fields() {
    let settings = settings();
    let good = hmac_hex(&Secret::new("whsec".into()), SIGNED_TEXT.as_bytes());
    assert_eq!(authentic(&settings, BODY, Some(&good)), Some(true));
    let old = hmac_hex(&Secret::new("old".into()), SIGNED_TEXT.as_bytes());
    assert_eq!(authentic(&settings, BODY, Some(&old)), Some(true));
    let flipped = if good.starts_with('0') { good.replacen('0', "1", 1) } else { format!("0{}", &good[1..]) };
    for bad in ["", "null", &good[..63], &good.to_uppercase(), &flipped] {
        assert_eq!(authentic(&settings, BODY, Some(bad)), Some(false), "{bad}");
    }
    assert_eq!(authentic(&settings, BODY, None), Some(false));
    let doubled = format!("{BODY}&cpm_custom=&cpm_custom=");
    for body in [BODY.replace("1000", "9000").as_str(), &doubled, "%ff", "", "{}"] {
        assert_eq!(authentic(&settings, body, Some(&good)), Some(false), "{body}");
    }
}

#[test]
fn without_a_secret_nothing_is_heard() {
    for list in ["", "a,,b"] {
        let mut settings = settings();
        settings.rails.insert("CINETPAY_WEBHOOK_SECRET", Secret::new(list.into()));
        assert_eq!(authentic(&settings, BODY, Some("x")), None, "{list:?}");
    }
}

#[test]
fn a_hint_names_our_payment_and_a_hostile_one_names_none() {
    let found = hint(BODY).unwrap();
    assert_eq!((found.payment_id.as_str(), found.subject, found.known), (ID, Subject::Payment, true));
    assert_eq!(found.dedupe_key, format!("payment.notified|{ID}|SUCCES"));
    // The signature cannot tell these two apart; neither says what was paid.
    assert_eq!(hint(&BODY.replace("=1000&cpm_currency=GNF", "=100&cpm_currency=0GNF")), Some(found));
    for body in [
        "",
        "{}",
        "cpm_site_id=445160",
        "cpm_site_id=445160&cpm_trans_id=",
        "cpm_site_id=445160&cpm_trans_id=..%2Fx",
        "cpm_site_id=1&cpm_trans_id=x",
        "cpm_site_id=445160&cpm_trans_id=a&cpm_trans_id=b",
        "cpm_site_id=445160&cpm_trans_id=%ff",
    ] {
        assert_eq!(hint(body), None, "{body}");
    }
}
