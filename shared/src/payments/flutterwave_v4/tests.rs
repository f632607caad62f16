use serde_json::Map;

use super::*;
use crate::payments::Customer;
use crate::secret::Secret;

const ID: &str = "0b5e1d1e-0000-4000-8000-000000000001";
const TOKEN: &str = "/realms/flutterwave/protocol/openid-connect/token";

fn settings() -> Settings {
    let rails = [
        ("FLUTTERWAVE_V4_URL", "http://v4"),
        ("FLUTTERWAVE_V4_LOGIN_URL", "http://idp"),
        ("FLUTTERWAVE_V4_CLIENT_ID", "client"),
        ("FLUTTERWAVE_V4_CLIENT_SECRET", "s&cret"),
        ("FLUTTERWAVE_V4_WEBHOOK_SECRET", "flw_old,flw_hash"),
    ];
    Settings { rails: rails.map(|(name, value)| (name, Secret::new(value.into()))).into(), ..Settings::default() }
}

fn with(name: &'static str, value: &str) -> Settings {
    let mut settings = settings();
    settings.rails.insert(name, Secret::new(value.into()));
    settings
}

fn v4(settings: &Settings) -> FlutterwaveV4<'_> {
    FlutterwaveV4::configured(settings).unwrap()
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
        return_url: "https://app/return".into(),
        customer: Customer {
            email: Some("a@b.gh".into()),
            first_name: Some("Ama".into()),
            last_name: Some("Oti".into()),
            phone: None,
        },
        methods: vec!["mtn_gh".into()],
        phone: Some("233241234567".into()),
        ..Intent::default()
    }
}

fn reference(exponent: u8) -> Reference {
    Reference { exponent, ..Reference::orphan("flutterwave_v4", ID) }
}

fn charge(status: &str, amount: &str) -> String {
    format!(
        r#"{{"id":"chg_1","amount":{amount},"currency":"GHS","reference":"{ID}","status":"{status}","customer_id":"cus_1","next_action":{{"type":"redirect_url","redirect_url":{{"url":"https://pay/x"}}}}}}"#
    )
}

fn told(data: &str) -> String {
    format!(r#"{{"status":"success","message":"Charge created","data":{data}}}"#)
}

fn truth(exponent: u8, status: u16, body: &str) -> Option<Truth> {
    v4(&settings()).truth(&reference(exponent), &answer(status, body))
}

fn heard(body: &str) -> Option<Hint> {
    v4(&settings()).hint(&Notice { body: body.into(), ..Notice::default() })
}

#[test]
fn a_session_is_opened_with_the_credentials_and_its_bearer_is_a_plain_word() {
    for url in ["http://idp", &format!("http://idp{TOKEN}")] {
        let settings = with("FLUTTERWAVE_V4_LOGIN_URL", url);
        let login = v4(&settings).login().unwrap();
        assert_eq!((login.method, login.url), ("POST", format!("http://idp{TOKEN}")));
        assert_eq!(login.headers, [("content-type", "application/x-www-form-urlencoded".to_owned())]);
        let body = "client_id=client&client_secret=s%26cret&grant_type=client_credentials";
        assert_eq!(login.body.as_deref(), Some(body));
    }
    let settings = settings();
    let session = |status, body: &str| v4(&settings).session(&answer(status, body));
    let good = r#"{"access_token":"abc.def","expires_in":600,"refresh_expires_in":0,"token_type":"Bearer"}"#;
    assert_eq!(session(200, good), Some(Session { bearer: "abc.def".into(), lives_s: 600 }));
    for (status, body) in [
        (401, good),
        (500, good),
        (200, ""),
        (200, r#"{"access_token":"","expires_in":600}"#),
        (200, r#"{"access_token":"a b","expires_in":600}"#),
        (200, r#"{"access_token":"a","expires_in":-1}"#),
        (200, r#"{"error":"invalid_client"}"#),
    ] {
        assert_eq!(session(status, body), None, "{status} {body}");
    }
}

#[test]
fn a_charge_is_made_once_under_our_reference_and_its_amount_is_a_number() {
    let settings = settings();
    for (amount, exponent, written) in [(1050, 2, "10.50"), (1500, 0, "1500"), (i64::MAX, 2, "92233720368547758.07")] {
        let create = v4(&settings).create(&intent(amount, exponent, "GHS"));
        assert_eq!((create.method, create.url.as_str()), ("POST", "http://v4/orchestration/direct-charges"));
        // The bearer is put on by the flow.
        let headers = [("content-type", "application/json".to_owned()), ("x-idempotency-key", ID.to_owned())];
        assert_eq!(create.headers, headers);
        let body = create.body.unwrap();
        assert!(body.starts_with(&format!(r#"{{"amount":{written},"currency":"GHS","reference":"{ID}""#)), "{body}");
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["redirect_url"], "https://app/return");
        assert_eq!(
            read["customer"],
            json!({
                "email": "a@b.gh", "name": { "first": "Ama", "last": "Oti" },
                "phone": { "country_code": "233", "number": "241234567" },
            })
        );
        let money = json!({ "country_code": "233", "network": "MTN", "phone_number": "241234567" });
        assert_eq!(read["payment_method"], json!({ "type": "mobile_money", "mobile_money": money }));
    }
}

#[test]
fn a_number_is_split_behind_its_country() {
    for (phone, halves) in [
        ("237650000000", ("237", "650000000")),
        ("27821234567", ("27", "821234567")),
        ("201001234567", ("20", "1001234567")),
        ("12025550100", ("1", "2025550100")),
        ("33612345678", ("33", "612345678")),
        ("2", ("2", "")),
        ("", ("", "")),
    ] {
        assert_eq!(dial(phone), halves, "{phone}");
    }
}

#[test]
fn a_charge_exists_with_their_id_and_our_reference() {
    let settings = settings();
    let created = |status, body: &str| v4(&settings).created(&intent(1050, 2, "GHS"), &answer(status, body));
    let good = told(&charge("pending", "10.50"));
    let data = Map::from_iter([("charge_id".to_owned(), "chg_1".into())]);
    let open = |url: Option<&str>| Created::Open { id: ID.into(), url: url.map(str::to_owned), data: data.clone() };
    assert_eq!(created(201, &good), open(Some("https://pay/x")));
    let instruction = r#"{"type":"payment_instruction","payment_instruction":{"note":"Approve on your phone"}}"#;
    let redirect = r#"{"type":"redirect_url","redirect_url":{"url":"https://pay/x"}}"#;
    assert_eq!(created(201, &good.replace(redirect, instruction)), open(None));
    assert_eq!(created(201, &good.replace(redirect, "null")), open(None));
    assert_eq!(created(201, &good.replace("https://pay", "javascript:pay")), open(None));
    for status in [400, 401, 403, 404, 422, 429] {
        assert!(matches!(created(status, r#"{"status":"failed"}"#), Created::Refused(_)), "{status}");
    }
    for (status, body) in [
        (201, good.replace(ID, "another")),
        (201, good.replace("chg_1", "../1")),
        (201, good.replace("\"success\"", "\"failed\"")),
        (201, String::new()),
        (409, good.clone()),
        (500, good.clone()),
    ] {
        assert!(matches!(created(status, &body), Created::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn it_is_asked_about_by_their_id_and_without_it_by_ours() {
    let settings = settings();
    let url = |payment: &Reference| v4(&settings).query(payment).map(|query| query.url);
    assert_eq!(url(&reference(2)), Some(format!("http://v4/charges?reference={ID}")));
    let mut kept = reference(2);
    kept.data.insert("charge_id".into(), "chg_1".into());
    assert_eq!(url(&kept).as_deref(), Some("http://v4/charges/chg_1"));
    kept.data.insert("charge_id".into(), "../1".into());
    assert_eq!(url(&kept), Some(format!("http://v4/charges?reference={ID}")));
    assert_eq!(url(&Reference::orphan("flutterwave_v4", "a&b")), None);
}

#[test]
fn only_succeeded_failed_and_voided_are_final() {
    for (status, expected) in [
        ("succeeded", Status::Success),
        ("failed", Status::Failed),
        ("pending", Status::Pending),
        ("voided", Status::Cancelled),
        ("successful", Status::Odd),
    ] {
        let one = charge(status, "10.5");
        let other = charge("succeeded", "1").replace(ID, "another");
        for body in [told(&one), told(&format!("[{other},{one}]"))] {
            let read = truth(2, 200, &body).unwrap();
            assert_eq!((read.status, read.amount, read.currency.as_str()), (expected, Some(1050), "GHS"), "{body}");
            assert_eq!((read.environment.as_str(), read.intent, read.refunded), ("sandbox", None, None));
        }
    }
    for (text, exponent, amount) in [
        ("1500", 0, Some(1500)),
        ("1500.5", 0, None),
        ("10.505", 2, None),
        ("\"10.50\"", 2, Some(1050)),
        ("-1", 2, None),
    ] {
        assert_eq!(truth(exponent, 200, &told(&charge("succeeded", text))).unwrap().amount, amount, "{text}");
    }
}

#[test]
fn money_is_real_at_one_address_only() {
    for (url, environment) in [
        ("https://f4bexperience.flutterwave.com", "live"),
        ("https://developersandbox-api.flutterwave.com", "sandbox"),
        ("http://f4bexperience.flutterwave.com.evil", "sandbox"),
    ] {
        let settings = with("FLUTTERWAVE_V4_URL", url);
        let read = v4(&settings).truth(&reference(2), &answer(200, &told(&charge("succeeded", "1")))).unwrap();
        assert_eq!(read.environment, environment, "{url}");
    }
}

#[test]
fn an_answer_about_another_reference_or_none_is_no_answer() {
    let good = told(&charge("succeeded", "10.50"));
    for (status, body) in [
        (200, good.replace(ID, "another")),
        (200, told("[]")),
        (200, told("null")),
        (200, good.replace("\"success\"", "\"failed\"")),
        (200, String::new()),
        (404, good.clone()),
        (500, good.clone()),
    ] {
        assert_eq!(truth(2, status, &body), None, "{status} {body}");
    }
}

#[test]
fn a_notification_is_authentic_under_any_live_secret_in_base64() {
    const BODY: &[u8] =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    const GOOD: &str = "8jpHULdMviGfrIJy88kQfFoktAn+jhkdVHAIstSz5Uw=";
    let verdict = |settings: &Settings, body: &[u8], signature: &str| {
        let headers = vec![("flutterwave-signature", signature.to_owned())];
        v4(settings).authentic(&Notice { body: body.to_vec(), headers, ..Notice::default() })
    };
    let settings = settings();
    assert_eq!(verdict(&settings, BODY, GOOD), Some(true));
    assert_eq!(verdict(&settings, &BODY[1..], GOOD), Some(false));
    // The last is the secret itself, which one copy of their documentation compares with.
    for bad in ["", &GOOD[..43], &GOOD.to_uppercase(), &GOOD.replacen('8', "9", 1), &format!("{GOOD}="), "flw_hash"] {
        assert_eq!(verdict(&settings, BODY, bad), Some(false), "{bad}");
    }
    assert_eq!(v4(&settings).authentic(&Notice::default()), Some(false));
    for list in ["", ",", "flw_hash,"] {
        assert_eq!(verdict(&with("FLUTTERWAVE_V4_WEBHOOK_SECRET", list), BODY, GOOD), None, "{list:?}");
    }
}

#[test]
fn an_event_says_where_to_look_and_what_is_no_event_is_refused() {
    let body = |event: &str| {
        format!(
            r#"{{"webhook_id":"wbk_1","type":"{event}","data":{{"id":"chg_1","reference":"{ID}","status":"succeeded"}}}}"#
        )
    };
    let hint = heard(&body("charge.completed")).unwrap();
    assert_eq!((hint.subject, hint.payment_id.as_str(), hint.known), (Subject::Payment, ID, true));
    assert_eq!(hint.dedupe_key, format!("charge.completed|{ID}|chg_1|succeeded"));
    // A redelivery has another webhook_id.
    assert_eq!(heard(&body("charge.completed").replace("wbk_1", "wbk_2")).unwrap(), hint);
    for (event, subject) in
        [("charge.new", Subject::Payment), ("chargeback.created", Subject::Other), ("refund.completed", Subject::Other)]
    {
        let hint = heard(&body(event)).unwrap();
        assert_eq!((hint.subject, hint.known), (subject, false), "{event}");
    }
    for body in [
        "",
        "[]",
        r#"{"data":{"reference":"a"}}"#,
        r#"{"type":"charge.completed","data":{"reference":null}}"#,
        r#"{"type":"charge.completed","data":{"reference":"../a"}}"#,
        r#"{"type":"charge.completed","data":{"reference":"a"},"data":{"reference":"b"}}"#,
        r#"{"type":"two words","data":{"reference":"a"}}"#,
    ] {
        assert_eq!(heard(body), None, "{body}");
    }
}
