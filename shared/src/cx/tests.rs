use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::testing::{FakeDb, alice, block_on};

/// Loses the first answers on the way, then gives one.
struct Lossy {
    silence: Silence,
    lost: Cell<u32>,
    asked: Cell<u32>,
}

impl Db for Lossy {
    fn rpc<'a>(&'a self, _: Call<'a>) -> Local<'a, Result<DbReply, Silence>> {
        self.asked.set(self.asked.get() + 1);
        let silent = self.lost.get() > 0;
        self.lost.set(self.lost.get().saturating_sub(1));
        let silence = self.silence;
        let answer = || DbReply { status: 200, replayed: false, body: Body::Text("{}".into()) };
        Box::pin(async move { if silent { Err(silence) } else { Ok(answer()) } })
    }
}

/// The status of a command whose first `lost` answers are lost, and how often it was asked.
fn outcome(silence: Silence, lost: u32, ask: &serde_json::Value) -> (u16, u32) {
    let db = Rc::new(Lossy { silence, lost: Cell::new(lost), asked: Cell::new(0) });
    let cx = alice(&FakeDb::unreachable());
    let body = json!({ "ask": ask }).to_string();
    let world = World { db: db.clone(), ..bare(&cx) };
    let call = Call { who: As::User("t"), function: "f", body: &body, request_id: "r", unread: true };
    let status = match block_on(world.call(call)) {
        Ok(reply) => reply.status,
        Err(error) => error.problem().status,
    };
    (status, db.asked.get())
}

fn bare(cx: &Cx<User>) -> World {
    let world = &cx.world;
    World {
        request_id: world.request_id.clone(),
        invoked_as: String::new(),
        suffix: None,
        now_ms: world.now_ms,
        settings: Rc::clone(&world.settings),
        identity: Rc::clone(&world.identity),
        trace: world.trace.clone(),
        budget: Rc::clone(&world.budget),
        key: None,
        rpc_codes: &[],
        db: Rc::clone(&world.db),
        http: Rc::clone(&world.http),
        limits: Rc::clone(&world.limits),
        pause: world.pause,
        later: RefCell::default(),
    }
}

#[test]
fn n61_a_command_with_a_key_is_asked_again_when_its_answer_is_lost() {
    let keyed = json!({ "amount": 5, "idempotency_key": "12345678" });
    assert_eq!(outcome(Silence::Unreachable, 2, &keyed), (200, 3));
    assert_eq!(outcome(Silence::Unreachable, 99, &keyed), (503, 4), "three retries and no more");
}

#[test]
fn n61_a_command_without_one_is_asked_once() {
    for ask in
        [json!({ "amount": 5 }), json!({ "idempotency_key": null }), json!({ "note": "\"idempotency_key\":\"x\"" })]
    {
        assert_eq!(outcome(Silence::Unreachable, 1, &ask), (503, 1), "{ask}");
    }
}

#[test]
fn a_time_out_is_not_repeated_because_the_time_is_gone() {
    assert_eq!(outcome(Silence::TimedOut, 1, &json!({ "idempotency_key": "12345678" })), (504, 1));
}

#[test]
fn a_first_request_that_is_still_running_is_waited_for_a_little() {
    let running =
        json!({ "code": "IDEMPOTENCY_IN_PROGRESS", "message": "the first request with this key is still running" });
    let db = FakeDb::answers(&[(409, running.clone()), (409, running.clone()), (200, json!({}))]);
    assert_eq!(block_on(alice(&db).rpc("wallet_operations", &json!({}))).unwrap().status, 200);
    let db = FakeDb::answers(&[(409, running.clone()), (409, running.clone()), (409, running.clone()), (409, running)]);
    assert_eq!(block_on(alice(&db).rpc("wallet_operations", &json!({}))).unwrap_err().problem().status, 409);
}

#[test]
fn n61_what_was_rolled_back_for_a_reason_that_passes_is_asked_again() {
    let deadlock = json!({ "code": "40P01", "message": "deadlock detected" });
    let db = FakeDb::answers(&[(500, deadlock.clone()), (500, deadlock.clone()), (200, json!({}))]);
    assert_eq!(block_on(alice(&db).rpc("wallet_operations", &json!({}))).unwrap().status, 200);
    let db =
        FakeDb::answers(&[(500, deadlock.clone()), (500, deadlock.clone()), (500, deadlock.clone()), (500, deadlock)]);
    assert_eq!(block_on(alice(&db).rpc("wallet_operations", &json!({}))).unwrap_err().problem().status, 503);
}
