//! `GET or POST /functions/v1/health`: whether the service can do its work. With `?detailed=1` and the internal key, or an
//! admin's token: each dependency with its latency. Never a version of a dependency, a host or a cause: the log has those.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::edge::{self, Answer, Anyone, Contract, Cx, Reply, Request, Response};
use shared::payments::moneroo::Moneroo;
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<Anyone> = Contract::post("health").or_get().knows_staff();

#[derive(Default, Deserialize)]
struct Ask {
    /// `1` or `true`, as text in a query.
    detailed: Option<Value>,
}

#[derive(Deserialize)]
struct Database {
    staff: bool,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, |cx, ask| handle(cx, ask, edge::now_ms)).await)
}

async fn handle(cx: Cx<Anyone>, ask: Ask, now_ms: fn() -> u64) -> Answer<Reply> {
    let database = cx.rpc_read::<Database>("health", &()).await;
    let database_ms = now_ms().saturating_sub(cx.world.now_ms);
    let (status, word) = if database.is_ok() { (200, "ok") } else { (503, "down") };
    let timestamp = shared::time::rfc3339(cx.world.now_ms);
    let version = env!("CARGO_PKG_VERSION");
    let may_see = cx.caller.internal || database.is_ok_and(|database| database.staff);
    if !may_see || !wants_details(&cx, &ask) {
        return Reply::json(
            status,
            &json!({ "success": status == 200, "status": word, "timestamp": timestamp, "version": version }),
        );
    }
    let asked_ms = now_ms();
    let provider = provider_word(&cx).await;
    let dependencies = json!({
        "database": { "status": word, "latency_ms": database_ms },
        "payment_provider": { "status": provider, "latency_ms": now_ms().saturating_sub(asked_ms) },
    });
    let body = json!({
        "success": status == 200, "status": word, "timestamp": timestamp, "version": version, "degraded": provider != "ok",
        "dependencies": dependencies,
    });
    Reply::json(status, &body)
}

fn wants_details(cx: &Cx<Anyone>, ask: &Ask) -> bool {
    let asked = ask.detailed.as_ref().is_some_and(|v| [json!("1"), json!("true"), json!(1), json!(true)].contains(v));
    asked || cx.world.suffix.as_deref() == Some("detailed")
}

/// The provider is not essential: without it wallets and rides still work, so it only degrades.
async fn provider_word(cx: &Cx<Anyone>) -> &'static str {
    let Some(moneroo) = Moneroo::configured(&cx.world.settings) else { return "not_configured" };
    let mut question = moneroo.methods();
    question.timeout_ms = 2_000;
    match cx.world.http.send(question).await {
        Ok(answer) if answer.status == 200 => "ok",
        _ => "down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::db::Body;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, anyone, block_on};
    use std::rc::Rc;

    const OPERATOR: Anyone = Anyone { internal: true, user: None };

    fn report(caller: Anyone, ask: Ask, db: &Rc<FakeDb>, http: &Rc<FakeHttp>) -> (u16, Value) {
        let reply = block_on(handle(anyone(caller, db, http), ask, || 1_800_000_000_007)).unwrap();
        let Body::Text(text) = reply.body else { panic!("health answers text") };
        (reply.status, serde_json::from_str(&text).unwrap())
    }

    fn detailed() -> Ask {
        Ask { detailed: Some(json!("1")) }
    }

    #[test]
    fn a_stranger_learns_that_it_works_and_no_more() {
        let db = FakeDb::answers(&[(200, json!({ "database": "ok", "staff": false }))]);
        let (status, body) = report(Anyone::default(), detailed(), &db, &Rc::default());
        assert_eq!((status, &body["status"], body.get("dependencies")), (200, &json!("ok"), None));
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn an_operator_sees_each_dependency_with_its_latency() {
        let db = FakeDb::answers(&[(200, json!({ "database": "ok", "staff": false }))]);
        let (_, body) = report(OPERATOR, detailed(), &db, &FakeHttp::answers(&[Err(Lost::TimedOut)]));
        assert_eq!(body["dependencies"]["database"], json!({ "status": "ok", "latency_ms": 7 }));
        assert_eq!(
            (&body["dependencies"]["payment_provider"]["status"], &body["degraded"]),
            (&json!("down"), &json!(true))
        );
    }

    #[test]
    fn a_database_that_is_down_is_503_and_its_cause_stays_inside() {
        let refused = json!({ "code": "PGRST001", "message": "connection to 10.0.0.5 refused" });
        let (status, body) = report(OPERATOR, Ask::default(), &FakeDb::answers(&[(503, refused)]), &Rc::default());
        assert_eq!((status, &body["status"]), (503, &json!("down")));
        assert!(!body.to_string().contains("10.0.0.5"), "{body}");
    }
}
