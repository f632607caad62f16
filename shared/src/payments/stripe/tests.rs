mod notices;

use serde_json::json;

use super::*;
use crate::payments::Rails;
use crate::secret::Secret;

const ID: &str = "0b5e1d1e-0000-4000-8000-000000000001";

pub fn settings() -> Settings {
    let rails = [
        ("STRIPE_URL", "http://stripe"),
        ("STRIPE_SECRET_KEY", "sk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_old, whsec_test"),
    ];
    Settings {
        rails: rails.map(|(name, value)| (name, Secret::new(value.into()))).into(),
        tag_key: Secret::new("tag".into()),
        ..Settings::default()
    }
}

pub fn answer(status: u16, body: &str) -> Incoming {
    Incoming { status, body: body.into() }
}

fn stripe(settings: &Settings) -> Stripe<'_> {
    Stripe::configured(settings).unwrap()
}

fn intent() -> Intent {
    Intent {
        id: ID.into(),
        attempt: 1,
        amount: 1050,
        exponent: 2,
        currency: "USD".into(),
        description: "Order & more".into(),
        ..Intent::default()
    }
}

fn reference() -> Reference {
    Reference { payment_id: Some(ID.into()), ..Reference::orphan("stripe", "pi_1") }
}

fn paid() -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_x", "status": "succeeded", "amount": 1050,
        "amount_received": 1050, "currency": "usd", "livemode": false,
        "metadata": { "intent_id": ID, "attempt": "1", "tag": tag(&Secret::new("tag".into()), ID, 1, 1050, "USD") },
        "latest_charge": { "id": "ch_1", "amount": 1050, "amount_refunded": 0, "disputed": false, "dispute": null },
    })
}

/// [`paid`] with other values at JSON pointers.
fn truth(changes: &[(&str, Value)]) -> Option<Truth> {
    let mut body = paid();
    for (pointer, value) in changes {
        *body.pointer_mut(pointer).unwrap() = value.clone();
    }
    stripe(&settings()).truth(&reference(), &answer(200, &body.to_string()))
}

#[test]
fn it_is_configured_with_an_address_and_a_key() {
    for name in ["STRIPE_URL", "STRIPE_SECRET_KEY"] {
        let mut settings = settings();
        settings.rails.insert(name, Secret::default());
        assert!(Stripe::configured(&settings).is_none(), "{name}");
    }
    assert!(Stripe::configured(&Settings { rails: Rails::default(), ..settings() }).is_none());
}

#[test]
fn a_payment_intent_is_made_once_under_our_id_with_the_tag_that_finds_it_again() {
    let settings = settings();
    let create = stripe(&settings).create(&intent());
    assert_eq!((create.method, create.url.as_str()), ("POST", "http://stripe/v1/payment_intents"));
    let headers = [
        ("authorization", "Bearer sk_test_1"),
        ("stripe-version", "2024-06-20"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("idempotency-key", ID),
    ];
    assert_eq!(create.headers, headers.map(|(name, value)| (name, value.to_owned())));
    let tag = tag(&settings.tag_key, ID, 1, 1050, "USD");
    let body = format!(
        "amount=1050&currency=usd&description=Order+%26+more&payment_method_types%5B%5D=card&metadata%5Bintent_id%5D={ID}\
         &metadata%5Battempt%5D=1&metadata%5Btag%5D={tag}"
    );
    assert_eq!(create.body, Some(body));
}

#[test]
fn it_exists_with_id_and_client_secret_and_the_secret_never_stands_before_the_hash() {
    let mut settings = settings();
    let data = Map::from_iter([("client_secret".to_owned(), "pi_1_secret_x".into())]);
    let good = answer(200, &paid().to_string());
    let open = |url: Option<&str>| Created::Open { id: "pi_1".into(), url: url.map(str::to_owned), data: data.clone() };
    assert_eq!(stripe(&settings).created(&intent(), &good), open(None));
    for (page, url) in [
        ("https://app/card", "https://app/card?payment_intent=pi_1#pi_1_secret_x"),
        ("https://app/card?l=fr", "https://app/card?l=fr&payment_intent=pi_1#pi_1_secret_x"),
    ] {
        settings.rails.insert("CARD_PAGE_URL", Secret::new(page.into()));
        assert_eq!(stripe(&settings).created(&intent(), &good), open(Some(url)));
    }
}

#[test]
fn only_a_clear_no_refuses_and_anything_else_may_exist() {
    let settings = settings();
    let created = |status, body: &str| stripe(&settings).created(&intent(), &answer(status, body));
    for status in [400, 401, 402, 403, 404, 429] {
        assert!(matches!(created(status, r#"{"error":{"type":"card_error"}}"#), Created::Refused(_)), "{status}");
    }
    let no_secret = paid().to_string().replace("client_secret", "secret");
    let reused = r#"{"error":{"type":"idempotency_error"}}"#;
    for (status, body) in [
        (200, ""),
        (200, "[]"),
        (200, &no_secret),
        (200, &paid().to_string().replace("pi_1\"", "../1\"")),
        (302, ""),
        (400, reused),
        (409, ""),
        (500, "{}"),
        (503, ""),
    ] {
        assert!(matches!(created(status, body), Created::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn every_status_but_succeeded_and_canceled_is_open() {
    let query = stripe(&settings()).query(&reference()).unwrap();
    assert_eq!((query.method, query.body), ("GET", None));
    assert_eq!(query.url, "http://stripe/v1/payment_intents/pi_1?expand%5B%5D=latest_charge.dispute");
    for (status, expected) in [
        ("succeeded", Status::Success),
        ("canceled", Status::Cancelled),
        ("requires_payment_method", Status::Pending),
        ("requires_confirmation", Status::Pending),
        ("requires_action", Status::Pending),
        ("requires_capture", Status::Pending),
        ("processing", Status::Pending),
        ("paid_in_full", Status::Odd),
    ] {
        let read = truth(&[("/status", json!(status))]).unwrap();
        assert_eq!((read.status, read.amount, read.currency.as_str()), (expected, Some(1050), "USD"), "{status}");
        assert_eq!((read.refunded, read.dispute), (Some(0), None));
        assert!(read.intent.unwrap().holds(&settings().tag_key, 1050, "USD"));
    }
}

#[test]
fn what_counts_is_what_was_received_in_the_mode_it_was_received_in() {
    for (received, amount) in [(json!(1049), Some(1049)), (json!(0), None), (json!(-5), None), (json!(null), None)] {
        assert_eq!(truth(&[("/amount_received", received.clone())]).unwrap().amount, amount, "{received}");
    }
    assert_eq!(truth(&[]).unwrap().environment, "sandbox");
    assert_eq!(truth(&[("/livemode", json!(true))]).unwrap().environment, "live");
    for (pointer, value) in [
        ("/amount_received", json!(1050.5)),
        ("/amount", json!("1050")),
        ("/livemode", json!(null)),
        ("/status", json!(null)),
        ("/id", json!("pi_2")),
    ] {
        assert_eq!(truth(&[(pointer, value)]), None, "{pointer}");
    }
    for (status, body) in [(200, ""), (200, "[]"), (404, "{}"), (500, &*paid().to_string())] {
        assert_eq!(stripe(&settings()).truth(&reference(), &answer(status, body)), None, "{status} {body}");
    }
    assert_eq!(stripe(&settings()).query(&Reference::orphan("stripe", "../x")), None);
}

#[test]
fn refunds_and_disputes_are_read_from_the_charge() {
    let refunded = |value: Value| truth(&[("/latest_charge/amount_refunded", value)]).unwrap().refunded;
    assert_eq!((refunded(json!(300)), refunded(json!(null)), refunded(json!(-1))), (Some(300), None, None));
    let unexpanded = truth(&[("/latest_charge", json!("ch_1"))]).unwrap();
    assert_eq!((unexpanded.refunded, unexpanded.dispute), (None, None));
    for (status, state) in [
        ("needs_response", DisputeState::Open),
        ("under_review", DisputeState::Open),
        ("warning_needs_response", DisputeState::Open),
        ("warning_under_review", DisputeState::Open),
        ("new", DisputeState::Open),
        ("lost", DisputeState::Lost),
        ("won", DisputeState::Won),
        ("warning_closed", DisputeState::Won),
        ("prevented", DisputeState::Won),
    ] {
        let dispute = json!({ "id": "dp_1", "status": status, "amount": 1000 });
        let read = truth(&[("/latest_charge/dispute", dispute)]).unwrap().dispute;
        assert_eq!(read, Some(Dispute { id: "dp_1".into(), state, amount: 1000 }), "{status}");
    }
    let only_an_id = truth(&[("/latest_charge/dispute", json!("dp_1"))]).unwrap().dispute;
    assert_eq!(only_an_id, Some(Dispute { id: "dp_1".into(), state: DisputeState::Open, amount: 1050 }));
}

#[test]
fn a_lost_payment_is_found_by_our_id_and_only_with_our_tag() {
    let settings = settings();
    let rail = stripe(&settings);
    let lost = Reference { payment_id: Some(ID.into()), ..Reference::default() };
    let search = rail.search(&lost).unwrap();
    let query = "metadata%5B%27intent_id%27%5D%3A%27";
    assert_eq!(search.url, format!("http://stripe/v1/payment_intents/search?query={query}{ID}%27"));
    assert_eq!(rail.search(&Reference { payment_id: Some("x' OR '".into()), ..Reference::default() }), None);
    let found = |items: Value| rail.found(&lost, &answer(200, &json!({ "data": items }).to_string()));
    let mut forged = paid();
    forged["metadata"]["tag"] = "0".repeat(64).into();
    let mut dearer = paid();
    dearer["amount"] = 1.into();
    assert_eq!(found(json!([forged, dearer, paid()])).as_deref(), Some("pi_1"));
    for items in [json!([]), json!([forged]), json!([dearer]), json!(null)] {
        assert_eq!(found(items.clone()), None, "{items}");
    }
    let other = Reference { payment_id: Some("i-2".into()), ..Reference::default() };
    assert_eq!(rail.found(&other, &answer(200, &json!({ "data": [paid()] }).to_string())), None);
    assert_eq!(rail.found(&lost, &answer(500, "")), None);
}
