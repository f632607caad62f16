use super::*;
use crate::payments::callback_token;
use crate::secret::Secret;

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";

fn settings() -> Settings {
    let rails = [
        ("AIRTEL_URL", "http://provider"),
        ("AIRTEL_CLIENT_ID", "ci"),
        ("AIRTEL_CLIENT_SECRET", "cs"),
        ("AIRTEL_COUNTRY", "UG"),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        tag_key: Secret::new("tag".into()),
        environment: "live".into(),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn intent() -> Intent {
    Intent {
        id: ID.into(),
        amount: 5000,
        currency: "UGX".into(),
        description: "Order #4".into(),
        phone: Some("256700000001".into()),
        ..Intent::default()
    }
}

fn reference() -> Reference {
    let exponents = [("UGX".to_owned(), 0), ("KES".to_owned(), 2)].into();
    Reference { amount: 5000, currency: "UGX".into(), exponents, ..Reference::orphan("airtel_money", ID) }
}

fn enquired(transaction: &str) -> Option<Truth> {
    let body = format!(r#"{{"data":{{"transaction":{transaction}}},"status":{{"code":"200","success":true}}}}"#);
    AirtelMoney::configured(&settings()).unwrap().truth(&reference(), &answer(200, &body))
}

fn token(provider: &str, payment_id: &str) -> String {
    callback_token(&Secret::new("tag".into()), provider, payment_id)
}

fn notice(token: Option<&str>, body: &str) -> Notice {
    Notice { body: body.into(), token: token.map(str::to_owned), ..Notice::default() }
}

fn hint(token: &str, body: &str) -> Option<Hint> {
    AirtelMoney::configured(&settings()).unwrap().hint(&notice(Some(token), body))
}

#[test]
fn it_logs_in_and_reads_the_end_of_a_session_as_text() {
    let settings = settings();
    let airtel = AirtelMoney::configured(&settings).unwrap();
    let login = airtel.login().unwrap();
    assert_eq!((login.method, login.url.as_str()), ("POST", "http://provider/auth/oauth2/token"));
    let body: Value = serde_json::from_str(&login.body.unwrap()).unwrap();
    assert_eq!(body, json!({ "client_id": "ci", "client_secret": "cs", "grant_type": "client_credentials" }));
    let granted = answer(200, r#"{"access_token":"at","expires_in":"180","token_type":"bearer"}"#);
    assert_eq!(airtel.session(&granted), Some(Session { bearer: "at".into(), lives_s: 180 }));
}

#[test]
fn the_phone_is_asked_without_its_country_under_our_own_id() {
    let settings = settings();
    let airtel = AirtelMoney::configured(&settings).unwrap();
    let create = airtel.create(&intent());
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/merchant/v1/payments/"));
    assert_eq!(
        create.headers,
        [
            ("accept", "application/json".to_owned()),
            ("x-country", "UG".to_owned()),
            ("x-currency", "UGX".to_owned()),
            ("content-type", "application/json".to_owned()),
        ]
    );
    let body = format!(
        r#"{{"reference":"Order 4","subscriber":{{"country":"UG","currency":"UGX","msisdn":"700000001"}},"transaction":{{"amount":5000,"country":"UG","currency":"UGX","id":"{ID}"}}}}"#
    );
    assert_eq!(create.body, Some(body));
    let shillings = Intent { amount: 10_050, exponent: 2, ..intent() };
    assert!(airtel.create(&shillings).body.unwrap().contains(r#""amount":100.50,"#));
    for (phone, dialled) in
        [("256700000001", "700000001"), ("700000001", "700000001"), ("2567001", "2567001"), ("", "")]
    {
        assert_eq!(airtel.msisdn(phone), dialled);
    }
    let query = airtel.query(&reference()).unwrap();
    assert_eq!((query.method, query.url), ("GET", format!("http://provider/standard/v1/payments/{ID}")));
    assert!(query.headers.contains(&("x-currency", "UGX".to_owned())));
    assert_eq!(airtel.query(&Reference::default()), None);
}

#[test]
fn a_request_is_open_when_taken_or_there_already_and_refused_only_for_certain() {
    let settings = settings();
    let airtel = AirtelMoney::configured(&settings).unwrap();
    let open = Created::Open { id: ID.into(), url: None, data: Map::new() };
    let body = |success: bool, code: &str| {
        format!(
            r#"{{"data":{{"transaction":{{"id":false}}}},"status":{{"code":"200","result_code":"{code}","success":{success}}}}}"#
        )
    };
    let made = |status, body: &str| airtel.created(&intent(), &answer(status, body));
    assert_eq!(made(200, &body(true, "ESB000010")), open);
    assert_eq!((made(200, &body(false, "ESB000041")), made(400, &body(false, "ESB000041"))), (open.clone(), open));
    for (status, body) in [
        (200, body(false, "ESB000001")),
        (400, body(false, "ESB000008")),
        (200, body(true, "ESB000004")),
        (200, body(false, "new")),
        (200, "{}".into()),
        (200, String::new()),
        (409, "{}".into()),
        (408, "{}".into()),
        (500, body(true, "ESB000010")),
        (500, body(false, "ESB000041")),
    ] {
        assert!(matches!(made(status, &body), Created::Unknown(_)), "{status} {body}");
    }
    for (status, body) in [
        (200, body(false, "ESB000033")),
        (400, body(false, "ESB000033")),
        (401, "{}".into()),
        (403, String::new()),
        (429, "{}".into()),
    ] {
        assert!(matches!(made(status, &body), Created::Refused(_)), "{status} {body}");
    }
}

#[test]
fn every_status_is_read_and_the_amount_is_what_was_asked_unless_it_says_another() {
    for (status, expected) in [
        ("TS", Status::Success),
        ("TF", Status::Failed),
        ("TE", Status::Cancelled),
        ("TA", Status::Pending),
        ("TIP", Status::Pending),
        ("SUCCESS", Status::Odd),
        ("ts", Status::Odd),
    ] {
        let truth = enquired(&format!(r#"{{"id":"{ID}","status":"{status}","airtel_money_id":"C1"}}"#)).unwrap();
        let facts = (truth.status, truth.amount, truth.currency.as_str(), truth.environment.as_str());
        assert_eq!(facts, (expected, Some(5000), "UGX", "live"), "{status}");
    }
    for (rest, amount, currency) in [
        (r#""amount":4000"#, Some(4000), "UGX"),
        (r#""amount":"5000.00","currency":"KES""#, Some(500_000), "KES"),
        (r#""currency":"KES""#, None, "KES"),
        (r#""amount":"5000.5""#, None, "UGX"),
        (r#""amount":null"#, Some(5000), "UGX"),
    ] {
        let truth = enquired(&format!(r#"{{"status":"TS",{rest}}}"#)).unwrap();
        assert_eq!((truth.amount, truth.currency.as_str()), (amount, currency), "{rest}");
    }
}

#[test]
fn another_transaction_or_none_is_no_answer() {
    for transaction in
        ["null", "{}", r#"{"status":null}"#, r#"{"id":"other","status":"TS"}"#, r#"{"id":1,"status":"TS"}"#]
    {
        assert_eq!(enquired(transaction), None, "{transaction}");
    }
    let settings = settings();
    let airtel = AirtelMoney::configured(&settings).unwrap();
    let good = r#"{"data":{"transaction":{"status":"TS"}}}"#;
    for (status, body) in
        [(404, good), (500, good), (200, ""), (200, r#"{"data":null,"status":{"result_code":"ESB000045"}}"#)]
    {
        assert_eq!(airtel.truth(&reference(), &answer(status, body)), None, "{status} {body}");
    }
    assert_eq!(airtel.truth(&Reference::orphan("airtel_money", ID), &answer(200, good)).unwrap().amount, None);
}

#[test]
fn a_callback_is_believed_for_its_address_alone() {
    let settings = settings();
    let airtel = AirtelMoney::configured(&settings).unwrap();
    let good = token("airtel_money", ID);
    for good in [&good, &token("airtel_money", PORTAL)] {
        assert_eq!(airtel.authentic(&notice(Some(good), "")), Some(true), "{good}");
    }
    for bad in ["", ".", "portal", "portal.", ID, &good[..100], &good.to_uppercase(), &token("mtn_momo", ID)] {
        assert_eq!(airtel.authentic(&notice(Some(bad), "")), Some(false), "{bad}");
        assert_eq!(hint(bad, r#"{"transaction":{"id":"x","status_code":"TS"}}"#), None, "{bad}");
    }
    assert_eq!(airtel.authentic(&notice(None, "")), Some(false));
    let keyless = Settings { tag_key: Secret::default(), ..settings.clone() };
    assert_eq!(AirtelMoney::configured(&keyless).unwrap().authentic(&notice(Some(&good), "")), None);
}

#[test]
fn the_address_of_one_payment_names_it_and_that_of_the_portal_lets_the_body_do_it() {
    let body = r#"{"transaction":{"id":"victim","message":"Paid","status_code":"TS","airtel_money_id":"MP1"}}"#;
    let own = hint(&token("airtel_money", ID), body).unwrap();
    assert_eq!((own.payment_id.as_str(), own.event.as_str(), own.known), (ID, "payment.ts", true));
    assert_eq!((own.dedupe_key, own.proof), (format!("payment.ts|{ID}|TS"), None));
    let portal = token("airtel_money", PORTAL);
    assert_eq!(hint(&portal, body).unwrap().payment_id, "victim");
    assert!(!hint(&portal, &body.replace("TS", "TX")).unwrap().known);
    for body in [
        "",
        "[]",
        "{}",
        r#"{"transaction":{"status_code":"TS"}}"#,
        r#"{"transaction":{"id":null,"status_code":"TS"}}"#,
        r#"{"transaction":{"id":"../x","status_code":"TS"}}"#,
        r#"{"transaction":{"id":"x","status_code":null}}"#,
        r#"{"transaction":{"id":"x","id":"y","status_code":"TS"}}"#,
    ] {
        assert_eq!(hint(&portal, body), None, "{body}");
    }
}
