use super::*;
use crate::payments::callback_token;
use crate::secret::Secret;

const ID: &str = "6f1c2d3e-0000-4000-8000-000000000001";

fn settings(target: &str) -> Settings {
    let rails = [
        ("MTN_URL", "http://provider"),
        ("MTN_SUBSCRIPTION_KEY", "sub"),
        ("MTN_API_USER", "user"),
        ("MTN_API_KEY", "key"),
        ("MTN_TARGET_ENVIRONMENT", target),
    ];
    Settings {
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        tag_key: Secret::new("tag".into()),
        environment: "live".into(),
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
        amount: 1000,
        currency: "GNF".into(),
        description: "L'achat n° 4".into(),
        phone: Some("224620000001".into()),
        ..Intent::default()
    }
}

fn reference() -> Reference {
    Reference { amount: 1000, currency: "GNF".into(), ..Reference::orphan("mtn_momo", ID) }
}

fn told(target: &str, body: &str) -> Option<Truth> {
    MtnMomo::configured(&settings(target)).unwrap().truth(&reference(), &answer(200, body))
}

fn status(rest: &str) -> String {
    format!(r#"{{"amount":"1000","currency":"GNF","externalId":"{ID}",{rest}}}"#)
}

fn notice(token: Option<&str>, body: &str) -> Notice {
    Notice { body: body.into(), token: token.map(str::to_owned), ..Notice::default() }
}

fn token() -> String {
    callback_token(&Secret::new("tag".into()), "mtn_momo", ID)
}

#[test]
fn it_logs_in_with_user_key_and_subscription_and_without_a_body() {
    let settings = settings("mtnguineaconakry");
    let login = MtnMomo::configured(&settings).unwrap().login().unwrap();
    assert_eq!((login.method, login.url.as_str(), login.body), ("POST", "http://provider/collection/token/", None));
    let basic = ("authorization", "Basic dXNlcjprZXk=".to_owned());
    assert_eq!(login.headers, [basic, ("ocp-apim-subscription-key", "sub".to_owned())]);
    let granted = answer(200, r#"{"access_token":"at","token_type":"access_token","expires_in":3600}"#);
    let session = MtnMomo::configured(&settings).unwrap().session(&granted);
    assert_eq!(session, Some(Session { bearer: "at".into(), lives_s: 3600 }));
}

#[test]
fn the_phone_is_asked_under_our_own_id() {
    let settings = settings("mtnguineaconakry");
    let mtn = MtnMomo::configured(&settings).unwrap();
    let create = mtn.create(&intent());
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://provider/collection/v1_0/requesttopay"));
    assert_eq!(
        create.headers,
        [
            ("ocp-apim-subscription-key", "sub".to_owned()),
            ("x-target-environment", "mtnguineaconakry".to_owned()),
            ("x-reference-id", ID.to_owned()),
            ("x-callback-url", format!("https://us/functions/v1/payment-webhook?provider=mtn_momo&t={}", token())),
            ("content-type", "application/json".to_owned()),
        ]
    );
    let body: Value = serde_json::from_str(&create.body.unwrap()).unwrap();
    let expected = json!({
        "amount": "1000", "currency": "GNF", "externalId": ID,
        "payer": { "partyIdType": "MSISDN", "partyId": "224620000001" },
        "payerMessage": "L achat n 4", "payeeNote": "L achat n 4",
    });
    assert_eq!(body, expected);
    let query = mtn.query(&reference()).unwrap();
    assert_eq!((query.method, query.url), ("GET", format!("http://provider/collection/v1_0/requesttopay/{ID}")));
    assert_eq!(query.headers.len(), 2);
    assert_eq!(mtn.query(&Reference::default()), None);
}

#[test]
fn a_request_that_was_there_already_is_open_too() {
    let settings = settings("sandbox");
    let mtn = MtnMomo::configured(&settings).unwrap();
    let made = |status, body: &str| mtn.created(&intent(), &answer(status, body));
    let open = Created::Open { id: ID.into(), url: None, data: Map::new() };
    let exists = r#"{"code":"RESOURCE_ALREADY_EXIST","message":"Duplicated reference id."}"#;
    assert_eq!((made(202, ""), made(409, exists)), (open.clone(), open));
    for (status, body) in
        [(409, ""), (409, r#"{"code":"OTHER"}"#), (408, ""), (200, exists), (302, ""), (500, exists), (503, "")]
    {
        assert!(matches!(made(status, body), Created::Unknown(_)), "{status} {body}");
    }
    for status in [400, 401, 403, 404, 429] {
        assert!(matches!(made(status, "{}"), Created::Refused(_)), "{status}");
    }
}

#[test]
fn every_status_is_read_with_its_reason() {
    for (rest, expected) in [
        (r#""status":"SUCCESSFUL""#, Status::Success),
        (r#""status":"PENDING""#, Status::Pending),
        (r#""status":"FAILED""#, Status::Failed),
        (r#""status":"FAILED","reason":"NOT_ENOUGH_FUNDS""#, Status::Failed),
        (r#""status":"FAILED","reason":{"code":"APPROVAL_REJECTED","message":"no"}"#, Status::Cancelled),
        (r#""status":"FAILED","reason":"EXPIRED""#, Status::Cancelled),
        (r#""status":"FAILED","reason":{"code":"EXPIRED"}"#, Status::Cancelled),
        (r#""status":"SUCCESSFUL","reason":"EXPIRED""#, Status::Success),
        (r#""status":"successful""#, Status::Odd),
        (r#""status":"CREATED","reason":null"#, Status::Odd),
    ] {
        let truth = told("mtnguineaconakry", &status(rest)).unwrap();
        let facts = (truth.status, truth.amount, truth.currency.as_str(), truth.environment.as_str());
        assert_eq!(facts, (expected, Some(1000), "GNF", "live"), "{rest}");
    }
}

#[test]
fn another_order_or_no_order_at_all_is_no_answer() {
    let good = status(r#""status":"SUCCESSFUL""#);
    for body in [
        "",
        "[]",
        "{}",
        &good.replace(ID, "other"),
        &good.replace(&format!("\"{ID}\""), "12"),
        &good.replace("GNF\"", ""),
    ] {
        assert_eq!(told("sandbox", body), None, "{body}");
    }
    let settings = settings("sandbox");
    for status in [202, 404, 429, 500] {
        let mtn = MtnMomo::configured(&settings).unwrap();
        assert_eq!(mtn.truth(&reference(), &answer(status, &good)), None, "{status}");
    }
    for (amount, read) in [("1000", Some(1000)), ("\"1000.0\"", Some(1000)), ("\"1000.5\"", None), ("\"\"", None)] {
        assert_eq!(told("sandbox", &good.replace("\"1000\"", amount)).unwrap().amount, read, "{amount}");
    }
}

#[test]
fn the_sandbox_pays_in_euros_that_stand_for_ours_and_is_never_live() {
    let settings = settings("sandbox");
    let body = MtnMomo::configured(&settings).unwrap().create(&intent()).body.unwrap();
    assert!(body.contains(r#""currency":"EUR""#), "{body}");
    let good = status(r#""status":"SUCCESSFUL""#);
    for (target, currency, read, environment) in [
        ("sandbox", "EUR", "GNF", "sandbox"),
        ("sandbox", "XOF", "XOF", "sandbox"),
        ("mtnguineaconakry", "GNF", "GNF", "live"),
        ("mtnguineaconakry", "EUR", "EUR", "live"),
    ] {
        let truth = told(target, &good.replace("GNF", currency)).unwrap();
        assert_eq!((truth.currency.as_str(), truth.environment.as_str()), (read, environment), "{target} {currency}");
    }
}

#[test]
fn a_callback_is_believed_for_its_address_alone() {
    let settings = settings("sandbox");
    let mtn = MtnMomo::configured(&settings).unwrap();
    let good = token();
    assert_eq!(mtn.authentic(&notice(Some(&good), "")), Some(true));
    let elsewhere = callback_token(&Secret::new("tag".into()), "airtel_money", ID);
    let flipped = if good.ends_with('0') { format!("{}1", &good[..100]) } else { format!("{}0", &good[..100]) };
    for bad in ["", ".", "null", ID, &good[..good.len() - 1], &good.to_uppercase(), &elsewhere, &flipped] {
        assert_eq!(mtn.authentic(&notice(Some(bad), "")), Some(false), "{bad}");
        assert_eq!(mtn.hint(&notice(Some(bad), r#"{"status":"SUCCESSFUL"}"#)), None, "{bad}");
    }
    assert_eq!(mtn.authentic(&notice(None, "")), Some(false));
    let keyless = Settings { tag_key: Secret::default(), ..settings.clone() };
    assert_eq!(MtnMomo::configured(&keyless).unwrap().authentic(&notice(Some(&good), "")), None);
}

#[test]
fn a_hint_is_about_the_payment_of_its_address_whatever_its_body_names() {
    let settings = settings("sandbox");
    let mtn = MtnMomo::configured(&settings).unwrap();
    let body = r#"{"externalId":"victim","status":"SUCCESSFUL","amount":"9"}"#;
    let found = mtn.hint(&notice(Some(&token()), body)).unwrap();
    assert_eq!(
        (found.payment_id.as_str(), found.subject, found.known, found.proof),
        (ID, Subject::Payment, true, None)
    );
    assert_eq!(found.dedupe_key, format!("requesttopay.successful|{ID}|SUCCESSFUL"));
    assert!(!mtn.hint(&notice(Some(&token()), r#"{"status":"TIMEOUT"}"#)).unwrap().known);
    for body in ["", "[]", "{}", r#"{"status":null}"#, r#"{"status":"A","status":"B"}"#, r#"{"status":"a b"}"#] {
        assert_eq!(mtn.hint(&notice(Some(&token()), body)), None, "{body}");
    }
}
