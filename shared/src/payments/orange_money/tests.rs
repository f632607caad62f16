use serde_json::{Map, json};

use super::*;

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";

fn settings(country: &str) -> Settings {
    let rails = [
        ("ORANGE_URL", "http://provider"),
        ("ORANGE_MERCHANT_KEY", "mk"),
        ("ORANGE_AUTHORIZATION", "Basic YTpi"),
        ("ORANGE_COUNTRY", country),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        tag_key: Secret::new("tag".into()),
        environment: "live".into(),
        return_url: "https://shop/default".into(),
        callback_url: "https://api.example.org/functions/v1".into(),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn reference() -> Reference {
    let known = Reference { amount: 5000, currency: "GNF".into(), ..Reference::orphan("orange_money", ID) };
    Reference { data: Map::from_iter([("pay_token".to_owned(), json!("pt"))]), ..known }
}

fn intent() -> Intent {
    Intent {
        id: ID.into(),
        amount: 5000,
        currency: "GNF".into(),
        return_url: "https://shop/back".into(),
        ..Intent::default()
    }
}

fn truth(country: &str, body: &str) -> Option<Truth> {
    OrangeMoney::configured(&settings(country)).unwrap().truth(&reference(), &answer(201, body))
}

fn notice(token: Option<&str>, body: &str) -> Notice {
    Notice { body: body.into(), token: token.map(str::to_owned), ..Notice::default() }
}

fn ours() -> String {
    OrangeMoney::configured(&settings("gn")).unwrap().short_token(ID).unwrap()
}

fn authentic(token: Option<&str>) -> Option<bool> {
    OrangeMoney::configured(&settings("gn")).unwrap().authentic(&notice(token, "{}"))
}

fn hint(token: &str, body: &str) -> Option<Hint> {
    OrangeMoney::configured(&settings("gn")).unwrap().hint(&notice(Some(token), body))
}

#[test]
fn an_order_is_our_id_in_thirty_characters_and_reads_back_as_it() {
    for id in [ID, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        let order = order_id(id);
        assert!(order.len() <= 25 && order.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{order}");
        assert_eq!(Uuid::from_u128(u128::from_str_radix(&order, 36).unwrap()).to_string(), id);
    }
    assert_eq!(order_id("no uuid"), "no uuid");
}

#[test]
fn it_logs_in_with_the_basic_value_however_that_is_written() {
    for written in ["Basic YTpi", "YTpi"] {
        let mut settings = settings("gn");
        settings.rails.insert("ORANGE_AUTHORIZATION", Secret::new(written.into()));
        let login = OrangeMoney::configured(&settings).unwrap().login().unwrap();
        assert_eq!((login.method, login.url.as_str()), ("POST", "http://provider/oauth/v3/token"));
        assert_eq!(login.headers.first(), Some(&("authorization", "Basic YTpi".to_owned())));
        assert_eq!(login.body.as_deref(), Some("grant_type=client_credentials"));
    }
}

#[test]
fn a_session_has_a_bearer_and_an_end() {
    for expires in ["7776000", "\"7776000\""] {
        let body = format!(r#"{{"token_type":"Bearer","access_token":"at","expires_in":{expires}}}"#);
        let session = Some(Session { bearer: "at".into(), lives_s: 7_776_000 });
        assert_eq!(oauth_session(&answer(200, &body)), session, "{expires}");
        assert_eq!(oauth_session(&answer(401, &body)), None);
    }
    for body in [
        "",
        "{}",
        r#"{"access_token":"","expires_in":1}"#,
        r#"{"access_token":"a\nb","expires_in":1}"#,
        r#"{"access_token":"a","expires_in":-1}"#,
        r#"{"access_token":"a"}"#,
        r#"{"access_token":null,"expires_in":1}"#,
    ] {
        assert_eq!(oauth_session(&answer(200, body)), None, "{body}");
    }
}

#[test]
fn a_page_is_asked_for_within_the_limits_of_orange() {
    let settings = settings("gn");
    let orange = OrangeMoney::configured(&settings).unwrap();
    let create = orange.create(&intent());
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/orange-money-webpay/gn/v1/webpayment"));
    let order = order_id(ID);
    let notif = format!("https://api.example.org/functions/v1/payment-webhook?provider=orange_money&t={}", ours());
    assert!(notif.len() <= LONGEST && settings.callback_url.len() + 2 <= 38, "{notif}");
    let body = format!(
        r#"{{"merchant_key":"mk","currency":"GNF","order_id":"{order}","amount":5000,"return_url":"https://shop/back","cancel_url":"https://shop/back","notif_url":"{notif}","lang":"fr","reference":"{order}"}}"#
    );
    assert_eq!(create.body, Some(body));
    let long = Intent { return_url: format!("https://shop/{}", "a".repeat(120)), ..intent() };
    assert!(orange.create(&long).body.unwrap().contains(r#""return_url":"https://shop/default""#));
    let query = orange.query(&reference()).unwrap();
    assert_eq!(query.url, "http://provider/orange-money-webpay/gn/v1/transactionstatus");
    assert_eq!(query.body, Some(format!(r#"{{"order_id":"{order}","amount":5000,"pay_token":"pt"}}"#)));
}

#[test]
fn without_its_pay_token_a_payment_cannot_be_asked_about() {
    let settings = settings("gn");
    let orange = OrangeMoney::configured(&settings).unwrap();
    for data in [json!({}), json!({ "pay_token": null }), json!({ "pay_token": "" }), json!({ "pay_token": 1 })] {
        let payment = Reference { data: data.as_object().unwrap().clone(), ..reference() };
        assert_eq!(orange.query(&payment), None, "{data}");
    }
    assert_eq!(orange.query(&Reference { provider_payment_id: None, ..reference() }), None);
}

#[test]
fn what_a_page_needs_later_is_kept_with_it() {
    let settings = settings("gn");
    let orange = OrangeMoney::configured(&settings).unwrap();
    let made = |status, body: &str| orange.created(&intent(), &answer(status, body));
    let page = r#"{"status":201,"message":"OK","pay_token":"pt","payment_url":"https://pay/pt","notif_token":"nt"}"#;
    let data = json!({ "pay_token": "pt", "notif_token": "nt" }).as_object().unwrap().clone();
    assert_eq!(made(201, page), Created::Open { id: ID.into(), url: Some("https://pay/pt".into()), data });
    for (status, body) in [
        (201, r#"{"pay_token":"","payment_url":"https://pay/pt"}"#),
        (201, r#"{"pay_token":null,"payment_url":"https://pay/pt"}"#),
        (201, r#"{"pay_token":"pt","payment_url":"javascript:1"}"#),
        (200, "{}"),
        (409, page),
        (408, page),
        (500, page),
    ] {
        assert!(matches!(made(status, body), Created::Unknown(_)), "{status} {body}");
    }
    for (status, body) in [(400, r#"{"code":23}"#), (429, r#"{"code":53}"#), (429, page)] {
        assert!(matches!(made(status, body), Created::Refused(_)), "{status} {body}");
    }
}

#[test]
fn every_status_is_read_and_the_amount_is_what_was_asked_unless_it_says_another() {
    for (status, expected) in [
        ("SUCCESS", Status::Success),
        ("FAILED", Status::Failed),
        ("EXPIRED", Status::Cancelled),
        ("INITIATED", Status::Pending),
        ("PENDING", Status::Pending),
        ("success", Status::Odd),
    ] {
        let truth =
            truth("gn", &format!(r#"{{"status":"{status}","order_id":"{}","txnid":"MP1"}}"#, order_id(ID))).unwrap();
        let facts = (truth.status, truth.amount, truth.currency.as_str(), truth.environment.as_str());
        assert_eq!(facts, (expected, Some(5000), "GNF", "live"), "{status}");
    }
    for (amount, read) in [("4000", Some(4000)), ("\"5000.0\"", Some(5000)), ("\"x\"", None), ("null", Some(5000))] {
        let truth = truth("gn", &format!(r#"{{"status":"SUCCESS","amount":{amount}}}"#)).unwrap();
        assert_eq!(truth.amount, read, "{amount}");
    }
    for body in ["", "[]", "{}", r#"{"status":null}"#, r#"{"status":"SUCCESS","order_id":"other"}"#] {
        assert_eq!(truth("gn", body), None, "{body}");
    }
    let settings = settings("gn");
    let orange = OrangeMoney::configured(&settings).unwrap();
    assert_eq!(orange.truth(&reference(), &answer(404, r#"{"status":"SUCCESS"}"#)), None);
    let unknown = Reference::orphan("orange_money", ID);
    assert_eq!(orange.truth(&unknown, &answer(200, r#"{"status":"SUCCESS"}"#)).unwrap().amount, None);
}

#[test]
fn the_country_dev_pays_in_its_own_money_and_is_never_live() {
    let settings = settings("dev");
    let create = OrangeMoney::configured(&settings).unwrap().create(&intent());
    assert!(create.url.contains("/dev/v1/") && create.body.unwrap().contains(r#""currency":"OUV""#));
    for (told, read) in [("", "GNF"), (r#","currency":"OUV""#, "GNF"), (r#","currency":"XOF""#, "XOF")] {
        let truth = truth("dev", &format!(r#"{{"status":"SUCCESS"{told}}}"#)).unwrap();
        assert_eq!((truth.currency.as_str(), truth.environment.as_str()), (read, "sandbox"), "{told}");
    }
}

#[test]
fn a_token_is_ours_in_both_spellings_and_in_no_other() {
    let ours = ours();
    let usual = callback_token(&Secret::new("tag".into()), NAME, ID);
    assert_eq!((authentic(Some(&ours)), authentic(Some(&usual))), (Some(true), Some(true)));
    let other = format!("{}{}", &ours[..MAC], order_id("6f1c2d3e-0000-4000-8000-000000000002"));
    let flipped = if ours.starts_with('0') { ours.replacen('0', "1", 1) } else { format!("0{}", &ours[1..]) };
    let elsewhere = callback_token(&Secret::new("tag".into()), "mtn_momo", ID);
    let padded = format!("{}0{}", &ours[..MAC], &ours[MAC..]);
    for bad in [
        "",
        ".",
        "null",
        &ours[1..],
        &ours[..MAC],
        &ours.to_uppercase(),
        &other,
        &flipped,
        &elsewhere,
        &padded,
        "ééééééééééééé",
    ] {
        assert_eq!(authentic(Some(bad)), Some(false), "{bad}");
    }
    assert_eq!(authentic(None), Some(false));
    let keyless = Settings { tag_key: Secret::default(), ..settings("gn") };
    assert_eq!(OrangeMoney::configured(&keyless).unwrap().authentic(&notice(Some(&ours), "{}")), None);
}

#[test]
fn a_notification_must_bring_its_proof_and_is_about_the_payment_of_its_address() {
    let found = hint(&ours(), r#"{"status":"SUCCESS","notif_token":"nt","txnid":"MP1","order_id":"another"}"#).unwrap();
    assert_eq!((found.payment_id.as_str(), found.proof.as_deref(), found.known), (ID, Some("nt"), true));
    assert_eq!(
        (found.event.as_str(), found.dedupe_key.as_str()),
        ("webpayment.success", "webpayment.success|nt|SUCCESS")
    );
    assert!(!hint(&ours(), r#"{"status":"REVERSED","notif_token":"nt"}"#).unwrap().known);
    for body in [
        "",
        "{}",
        r#"{"status":"SUCCESS"}"#,
        r#"{"status":"SUCCESS","notif_token":null}"#,
        r#"{"status":"SUCCESS","notif_token":""}"#,
        r#"{"status":"SUCCESS","notif_token":["nt"]}"#,
        r#"{"status":"SUCCESS","notif_token":"nt","notif_token":"other"}"#,
        r#"{"status":"SUCCESS","notif-token":"nt"}"#,
        r#"{"status":null,"notif_token":"nt"}"#,
        r#"{"status":"a b","notif_token":"nt"}"#,
    ] {
        assert_eq!(hint(&ours(), body), None, "{body}");
    }
    assert_eq!(hint("forged", r#"{"status":"SUCCESS","notif_token":"nt"}"#), None);
}
