//! `GET or POST /functions/v1/health`: whether the service can do its work, and how long each dependency takes to answer.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::edge::{self, Answer, Anyone, Contract, Cx, Reply, Request, Response};
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<Anyone> = Contract::post("health").or_get();

#[derive(Deserialize)]
struct Ask {}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, |cx, ask| handle(cx, ask, edge::now_ms)).await)
}

/// Never says a version, a host or a cause: the log does.
async fn handle(cx: Cx<Anyone>, _: Ask, now_ms: fn() -> u64) -> Answer<Reply> {
    let database = cx.rpc_read::<Value>("health", &()).await;
    let latency_ms = now_ms().saturating_sub(cx.world.now_ms);
    let (status, word) = if database.is_ok() { (200, "ok") } else { (503, "down") };
    let body = json!({
        "success": database.is_ok(), "status": word, "timestamp": shared::time::rfc3339(cx.world.now_ms), "version": env!("CARGO_PKG_VERSION"),
        "dependencies": { "database": { "status": word, "latency_ms": latency_ms } },
    });
    Reply::json(status, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::db::Body;
    use shared::testing::{FakeDb, anyone, block_on};

    fn report(db: &std::rc::Rc<FakeDb>) -> (u16, Value) {
        let reply = block_on(handle(anyone(db), Ask {}, || 1_800_000_000_007)).unwrap();
        let Body::Text(text) = reply.body else { panic!("health answers text") };
        (reply.status, serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_database_that_answers_is_healthy_and_timed() {
        let (status, body) = report(&FakeDb::answers(&[(200, json!({ "database": "ok" }))]));
        assert_eq!(
            (status, &body["status"], &body["dependencies"]["database"]["latency_ms"]),
            (200, &json!("ok"), &json!(7))
        );
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn a_database_that_is_down_is_503_and_says_no_more_than_that() {
        let (status, body) = report(&FakeDb::answers(&[(
            503,
            json!({ "code": "PGRST001", "message": "connection to 10.0.0.5 refused" }),
        )]));
        assert_eq!((status, &body["status"]), (503, &json!("down")));
        assert!(!body.to_string().contains("10.0.0.5"), "{body}");
    }
}
