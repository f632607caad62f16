use super::*;

use std::cell::Cell;

use serde_json::Value;
use shared::db::{Body, Local};
use shared::http::Lost;
use shared::metrics::AuthKeys;
use shared::testing::{ALICE, FakeDb, FakeHttp, anyone, block_on};

const OPERATOR: Anyone = Anyone { internal: true, user: None };

/// A platform that says what it is told to say.
struct FakePlant {
    keys: AuthKeys,
    storage: Option<&'static str>,
    limiter: Word,
    totals: Option<Result<&'static str, Lost>>,
}

const BARE: FakePlant = FakePlant { keys: AuthKeys::Inline, storage: None, limiter: Word::NotConfigured, totals: None };

impl Plant for FakePlant {
    fn totals(&self) -> Option<Local<'_, Result<String, Lost>>> {
        let totals = self.totals?;
        Some(Box::pin(async move { totals.map(str::to_owned) }))
    }

    fn limiter(&self) -> Local<'_, Word> {
        Box::pin(async { self.limiter })
    }

    fn auth_keys(&self) -> AuthKeys {
        self.keys.clone()
    }

    fn storage(&self) -> Option<String> {
        self.storage.map(str::to_owned)
    }
}

thread_local! {
    static NOW_MS: Cell<u64> = const { Cell::new(1_800_000_000_007) };
}

/// Where tests run one after the other in one thread, they share an isolate.
fn fresh_isolate() {
    KEPT.take();
    NOW_MS.set(1_800_000_000_007);
}

fn asked(
    caller: Anyone,
    suffix: Option<&str>,
    plant: FakePlant,
    db: &Rc<FakeDb>,
    http: &Rc<FakeHttp>,
) -> Answer<(u16, String)> {
    let cx = anyone(caller, db, http);
    let mut world = Rc::into_inner(cx.world).expect("nobody else has it");
    world.suffix = suffix.map(str::to_owned);
    world.now_ms = NOW_MS.get() - 7;
    let cx = Cx { caller: cx.caller, world: Rc::new(world) };
    let reply = block_on(handle(cx, Ask::default(), || NOW_MS.get(), Rc::new(plant)))?;
    let Body::Text(text) = reply.body else { panic!("health answers text") };
    Ok((reply.status, text))
}

fn report(
    caller: Anyone,
    suffix: Option<&str>,
    plant: FakePlant,
    db: &Rc<FakeDb>,
    http: &Rc<FakeHttp>,
) -> (u16, Value) {
    let (status, text) = asked(caller, suffix, plant, db, http).unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

fn alive() -> (u16, Value) {
    (200, json!({ "database": "ok", "staff": false }))
}

fn staff() -> (u16, Value) {
    (200, json!({ "database": "ok", "staff": true }))
}

fn queue(mail: &str) -> (u16, Value) {
    (200, json!({ "mail": mail }))
}

fn alice() -> Anyone {
    Anyone { internal: false, user: Some(shared::contract::User::for_tests(ALICE)) }
}

#[test]
fn a_stranger_learns_that_it_works_and_no_more() {
    fresh_isolate();
    let (status, body) =
        report(Anyone::default(), Some("detailed"), BARE, &FakeDb::answers(&[alive()]), &Rc::default());
    assert_eq!((status, &body["status"], body.get("dependencies")), (200, &json!("ok"), None));
    assert_eq!(body["timestamp"], "2027-01-15T08:00:00Z");
}

#[test]
fn n26_an_operator_sees_each_dependency_with_its_latency() {
    fresh_isolate();
    let plant = FakePlant {
        keys: AuthKeys::Published("http://auth/jwks".into()),
        storage: Some("http://project/storage/v1/status"),
        limiter: Word::Ok,
        totals: None,
    };
    let http = FakeHttp::answers(&[Ok((200, json!({ "keys": [] }))), Ok((200, json!({}))), Err(Lost::TimedOut)]);
    let db = FakeDb::answers(&[alive(), queue("not_configured")]);
    let (status, body) = report(OPERATOR, Some("detailed"), plant, &db, &http);
    assert_eq!((status, &body["degraded"]), (200, &json!(true)));
    for (name, word) in [
        ("database", "ok"),
        ("auth_keys", "ok"),
        ("limiter", "ok"),
        ("storage", "ok"),
        ("queue", "ok"),
        ("payment_provider", "down"),
        ("mail", "not_configured"),
    ] {
        assert_eq!(body["dependencies"][name], json!({ "status": word, "latency_ms": 0 }), "{name}");
    }
    let sent = http.sent.borrow();
    assert!(sent.len() == 3 && sent.iter().all(|question| question.timeout_ms == 2_000), "{sent:?}");
}

#[test]
fn n26_what_is_not_there_is_not_down() {
    fresh_isolate();
    let http = FakeHttp::answers(&[Ok((200, json!({})))]);
    let db = FakeDb::answers(&[alive(), queue("not_configured")]);
    let (_, body) = report(OPERATOR, Some("detailed"), BARE, &db, &http);
    assert_eq!(
        (&body["degraded"], &body["dependencies"]["storage"]["status"]),
        (&json!(false), &json!("not_configured"))
    );
}

#[test]
fn n26_an_administrator_is_asked_for_each_time_and_nobody_sees_what_he_was_told() {
    fresh_isolate();
    let http = FakeHttp::answers(&[Ok((200, json!({})))]);
    let db = FakeDb::answers(&[staff(), alive(), queue("ok"), alive(), alive()]);
    let (_, his) = report(alice(), Some("detailed"), BARE, &db, &http);
    assert_eq!(his["dependencies"]["queue"]["status"], "ok");
    let (_, hers) = report(alice(), Some("detailed"), BARE, &db, &http);
    assert_eq!(hers.get("dependencies"), None, "no longer staff: {hers}");
    assert_eq!(db.asked.borrow().len(), 5);
}

#[test]
fn n26_an_answer_is_kept_for_five_seconds_whatever_it_says() {
    fresh_isolate();
    let db =
        FakeDb::answers(&[(503, json!({ "code": "PGRST001", "message": "connection to 10.0.0.5 refused" })), alive()]);
    let ask = || report(Anyone::default(), None, BARE, &db, &Rc::default());
    let (status, body) = ask();
    assert_eq!((status, &body["status"], &body["success"]), (503, &json!("down"), &json!(false)));
    assert!(!body.to_string().contains("10.0.0.5"), "{body}");
    NOW_MS.set(NOW_MS.get() + 5_006);
    assert_eq!(ask(), (status, body), "still the first answer");
    NOW_MS.set(NOW_MS.get() + 1);
    assert_eq!(ask().0, 200);
    assert_eq!(db.asked.borrow().len(), 2);
}

#[test]
fn n81_metrics_are_for_the_internal_key_alone() {
    for caller in [Anyone::default(), alice()] {
        let no = asked(caller, Some("metrics"), BARE, &FakeDb::unreachable(), &Rc::default()).unwrap_err();
        assert_eq!(no, BAD_KEY.into());
    }
}

#[test]
fn n81_metrics_are_what_the_isolates_counted_and_what_postgres_holds() {
    let totals = Some(Ok(r#"{"counters":{"cauris_slow_total{function=\"a\"}":7},"dropped":0.0}"#));
    let db = FakeDb::answers(&[(200, json!({ "cauris_ledger_sum{currency=\"XOF\"}": 0, "cauris_payouts_manual": 2 }))]);
    let (status, text) = asked(OPERATOR, Some("metrics"), FakePlant { totals, ..BARE }, &db, &Rc::default()).unwrap();
    assert_eq!(status, 200);
    for line in [
        "cauris_slow_total{function=\"a\"} 7",
        "cauris_ledger_sum{currency=\"XOF\"} 0",
        "cauris_payouts_manual 2",
        "cauris_meter_up 1",
        "cauris_database_up 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
}

#[test]
fn n81_metrics_say_what_they_do_not_know() {
    for totals in [None, Some(Err(Lost::TimedOut)), Some(Ok("no JSON"))] {
        let db = FakeDb::answers(&[(503, json!({ "code": "PGRST001", "message": "down" }))]);
        let (status, text) =
            asked(OPERATOR, Some("metrics"), FakePlant { totals, ..BARE }, &db, &Rc::default()).unwrap();
        assert_eq!(status, 200);
        assert!(text.contains("\ncauris_meter_up 0\n") && text.contains("\ncauris_database_up 0\n"), "{text}");
    }
}
