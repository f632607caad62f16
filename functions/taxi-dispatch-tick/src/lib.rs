//! `POST /functions/v1/taxi-dispatch-tick`, every minute by the platform's clock: offers waiting rides to the next drivers,
//! closes rides that nobody takes, rests silent drivers. All of it is one command: migrations/20261121094600_ride_tick.sql.

pub mod wire;

use serde_json::json;
use shared::edge::{self, Answer, Clock, Cx, Reply, Request, Response};
use shared::wire::Nothing;
use wire::{CONTRACT, Moved};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, |cx, _: Nothing| run(cx)).await
    }
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, ctx: ScheduleContext) {
    edge::tick(env, ctx, &CONTRACT, run).await;
}

async fn run(cx: Cx<Clock>) -> Answer<Reply> {
    let moved: Moved = cx.service("taxi_dispatch_tick", &json!({})).await?;
    Reply::json(200, &moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::{FakeDb, block_on, tick};
    use std::rc::Rc;

    #[test]
    fn a_tick_is_one_command_and_answers_what_it_moved() {
        let body = json!({ "success": true, "widened": 2, "expired": 1, "drivers_offline": 3, "drivers_released": 0 });
        let db = FakeDb::answers(&[(200, body.clone())]);
        let reply = block_on(run(tick(&db, &Rc::default()))).unwrap();
        assert_eq!(db.asked.borrow().len(), 1);
        let shared::db::Body::Text(text) = reply.body else { panic!("unread") };
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), body);
    }

    #[test]
    fn a_tick_that_failed_does_not_pretend() {
        let db = FakeDb::answers(&[(500, json!({ "code": "XX000", "message": "broken" }))]);
        assert_eq!(block_on(run(tick(&db, &Rc::default()))).unwrap_err().problem().status, 500);
    }
}
