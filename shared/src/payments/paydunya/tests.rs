use super::*;
use crate::payments::callback_token;
use crate::secret::Secret;

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";

fn settings(environment: &str) -> Settings {
    let rails = [
        ("PAYDUNYA_URL", "http://provider"),
        ("PAYDUNYA_MASTER_KEY", "mk"),
        ("PAYDUNYA_PRIVATE_KEY", "pk"),
        ("PAYDUNYA_TOKEN", "tk"),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        tag_key: Secret::new("tag".into()),
        environment: environment.into(),
        callback_url: "https://us/functions/v1".into(),
        ..Settings::default()
    }
}

fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn intent() -> Intent {
    Intent {
        id: ID.into(),
        attempt: 2,
        amount: 5000,
        currency: "XOF".into(),
        description: "Order 4".into(),
        return_url: "https://shop/back".into(),
        ..Intent::default()
    }
}

fn reference() -> Reference {
    Reference { amount: 5000, currency: "XOF".into(), ..Reference::orphan("paydunya", "test_jkEd") }
}

fn confirmed(body: &str) -> Option<Truth> {
    Paydunya::configured(&settings("live")).unwrap().truth(&reference(), &answer(200, body))
}

fn invoice(rest: &str) -> String {
    format!(r#"{{"response_code":"00","invoice":{{"token":"test_jkEd","total_amount":5000}},{rest}}}"#)
}

fn notice(token: Option<&str>, body: &str) -> Notice {
    Notice { body: body.into(), token: token.map(str::to_owned), ..Notice::default() }
}

fn hint(body: &str) -> Option<Hint> {
    Paydunya::configured(&settings("live")).unwrap().hint(&notice(None, body))
}

#[test]
fn an_invoice_is_asked_for_with_our_tag_and_the_environment_chooses_the_path() {
    for (environment, api) in [("live", "api"), ("sandbox", "sandbox-api")] {
        let settings = settings(environment);
        let paydunya = Paydunya::configured(&settings).unwrap();
        let create = paydunya.create(&intent());
        assert_eq!((create.method, create.url), ("POST", format!("http://provider/{api}/v1/checkout-invoice/create")));
        let query = paydunya.query(&reference()).unwrap();
        assert_eq!(
            (query.method, query.url),
            ("GET", format!("http://provider/{api}/v1/checkout-invoice/confirm/test_jkEd"))
        );
        assert_eq!(
            query.headers,
            [
                ("paydunya-master-key", "mk".to_owned()),
                ("paydunya-private-key", "pk".to_owned()),
                ("paydunya-token", "tk".to_owned()),
                ("accept", "application/json".to_owned()),
            ]
        );
        assert_eq!(paydunya.query(&Reference::default()), None);
    }
    let settings = settings("live");
    let key = Secret::new("tag".into());
    let (tag, token) = (tag(&key, ID, 2, 5000, "XOF"), callback_token(&key, "paydunya", ID));
    let body = format!(
        r#"{{"invoice":{{"total_amount":5000,"description":"Order 4"}},"store":{{"name":"Cauris"}},"actions":{{"return_url":"https://shop/back","cancel_url":"https://shop/back","callback_url":"https://us/functions/v1/payment-webhook?provider=paydunya&t={token}"}},"custom_data":{{"intent_id":"{ID}","attempt":"2","tag":"{tag}"}}}}"#
    );
    assert_eq!(Paydunya::configured(&settings).unwrap().create(&intent()).body, Some(body));
}

#[test]
fn a_payer_is_named_only_with_a_way_to_reach_them() {
    let some = |text: &str| Some(text.to_owned());
    let full = Customer { email: some("a@b.c"), first_name: some("Awa"), last_name: some("Ba"), phone: None };
    let payer = |customer: &Customer| super::payer(customer).map(|payer| serde_json::to_string(&payer).unwrap());
    assert_eq!(payer(&full).as_deref(), Some(r#"{"name":"Awa Ba","email":"a@b.c","phone":""}"#));
    assert_eq!(payer(&Customer { email: None, ..full.clone() }), None);
    assert_eq!(payer(&Customer { first_name: None, last_name: None, ..full }), None);
}

#[test]
fn an_invoice_exists_only_with_its_token_and_a_page() {
    let settings = settings("live");
    let paydunya = Paydunya::configured(&settings).unwrap();
    let made = |status, body: &str| paydunya.created(&intent(), &answer(status, body));
    let page = r#"{"response_code":"00","response_text":"https://pay/t1","description":"Created","token":"t1"}"#;
    assert_eq!(
        made(200, page),
        Created::Open { id: "t1".into(), url: Some("https://pay/t1".into()), data: Map::new() }
    );
    for (status, body) in [
        (200, r#"{"response_code":"00","response_text":"https://pay/t1"}"#),
        (200, r#"{"response_code":"00","response_text":"https://pay/t1","token":"../t"}"#),
        (200, r#"{"response_code":"00","response_text":"oops","token":"t1"}"#),
        (200, r#"{"response_code":"01","response_text":"oops","token":"t1"}"#),
        (200, "oops"),
        (409, page),
        (502, page),
    ] {
        assert!(matches!(made(status, body), Created::Unknown(_)), "{status} {body}");
    }
    for (status, body) in
        [(200, r#"{"response_code":"1001","response_text":"Invalid Masterkey"}"#), (400, "{}"), (401, ""), (429, page)]
    {
        assert!(matches!(made(status, body), Created::Refused(_)), "{status} {body}");
    }
}

#[test]
fn every_status_is_read_with_its_amount_and_its_mode() {
    for (status, expected) in [
        ("completed", Status::Success),
        ("failed", Status::Failed),
        ("cancelled", Status::Cancelled),
        ("pending", Status::Pending),
        ("Completed", Status::Odd),
    ] {
        let truth = confirmed(&invoice(&format!(r#""status":"{status}""#))).unwrap();
        assert_eq!((truth.status, truth.amount, truth.currency.as_str()), (expected, Some(5000), "XOF"), "{status}");
    }
    for (mode, environment) in [("\"test\"", "sandbox"), ("\"live\"", "live"), ("null", "live"), ("\"odd\"", "live")] {
        let truth = confirmed(&invoice(&format!(r#""status":"completed","mode":{mode}"#))).unwrap();
        assert_eq!(truth.environment, environment, "{mode}");
    }
    let good = invoice(r#""status":"completed""#);
    for (amount, read) in [("\"5000\"", Some(5000)), ("5000.0", Some(5000)), ("5000.5", None), ("\"\"", None)] {
        assert_eq!(confirmed(&good.replace("5000", amount)).unwrap().amount, read, "{amount}");
    }
    assert_eq!(confirmed(&good.replace("5000", "5000,\"currency\":\"USD\"")).unwrap().currency, "USD");
}

#[test]
fn another_invoice_or_none_is_no_answer() {
    let good = invoice(r#""status":"completed""#);
    for body in [
        "",
        "[]",
        "{}",
        &good.replace("test_jkEd", "other"),
        &good.replace("\"00\"", "\"01\""),
        &good.replace("status", "x"),
    ] {
        assert_eq!(confirmed(body), None, "{body}");
    }
    assert!(confirmed(&good.replace("\"token\":\"test_jkEd\",", "")).is_some());
    let settings = settings("live");
    for status in [404, 500, 201] {
        let paydunya = Paydunya::configured(&settings).unwrap();
        assert_eq!(paydunya.truth(&reference(), &answer(status, &good)), None, "{status}");
    }
}

#[test]
fn our_metadata_comes_back_as_a_claim_or_not_at_all() {
    let key = Secret::new("tag".into());
    let tag = tag(&key, ID, 2, 5000, "XOF");
    for attempt in ["\"2\"", "2"] {
        let body = invoice(&format!(
            r#""status":"completed","custom_data":{{"intent_id":"{ID}","attempt":{attempt},"tag":"{tag}"}}"#
        ));
        let claim = confirmed(&body).unwrap().intent.unwrap();
        assert!(claim.holds(&key, 5000, "XOF") && !claim.holds(&key, 5001, "XOF"), "{attempt}");
    }
    for data in [
        "[]",
        "null",
        "{}",
        r#"{"intent_id":"i","attempt":"x","tag":"t"}"#,
        r#"{"intent_id":["i"],"attempt":1,"tag":"t"}"#,
    ] {
        let truth = confirmed(&invoice(&format!(r#""status":"completed","custom_data":{data}"#))).unwrap();
        assert_eq!(truth.intent, None, "{data}");
    }
}

#[test]
fn a_notification_is_believed_for_its_address_alone_whatever_hash_it_brings() {
    let settings = settings("live");
    let paydunya = Paydunya::configured(&settings).unwrap();
    let good = callback_token(&Secret::new("tag".into()), "paydunya", ID);
    assert_eq!(paydunya.authentic(&notice(Some(&good), "")), Some(true));
    let elsewhere = callback_token(&Secret::new("tag".into()), "mtn_momo", ID);
    for bad in ["", ".", "null", &good[..100], &good.to_uppercase(), &elsewhere] {
        assert_eq!(paydunya.authentic(&notice(Some(bad), "data[hash]=x")), Some(false), "{bad}");
    }
    assert_eq!(paydunya.authentic(&notice(None, "")), Some(false));
    let keyless = Settings { tag_key: Secret::default(), ..settings.clone() };
    assert_eq!(Paydunya::configured(&keyless).unwrap().authentic(&notice(Some(&good), "")), None);
}

#[test]
fn a_hint_names_an_invoice_and_a_hostile_one_names_none() {
    let body =
        "data%5Bresponse_code%5D=00&data%5Bhash%5D=x&data%5Binvoice%5D%5Btoken%5D=test_jkEd&data%5Bstatus%5D=completed";
    let found = hint(body).unwrap();
    assert_eq!((found.payment_id.as_str(), found.subject, found.known), ("test_jkEd", Subject::Payment, true));
    assert_eq!(found.dedupe_key, "invoice.completed|test_jkEd|completed");
    assert_eq!(hint("data[invoice][token]=test_jkEd&data[status]=completed"), Some(found));
    assert!(!hint("data[invoice][token]=a&data[status]=refunded").unwrap().known);
    for body in [
        "",
        "{}",
        "data[status]=completed",
        "data[invoice][token]=a",
        "data[invoice][token]=&data[status]=completed",
        "data[invoice][token]=..%2Fa&data[status]=completed",
        "data[invoice][token]=a&data[invoice][token]=b&data[status]=completed",
        "data[invoice][token]=a&data[status]=a+b",
        "data[invoice][token]=%ff&data[status]=completed",
    ] {
        assert_eq!(hint(body), None, "{body}");
    }
}
