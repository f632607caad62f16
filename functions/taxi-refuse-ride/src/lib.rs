//! `POST /functions/v1/taxi-refuse-ride`: a driver lets an offer go, and the next ones are told.
//! A refusal is a row per driver in Postgres: migrations/20261121094500_ride_dispatch.sql.

pub mod wire;

use shared::edge::{self, Answer, Cx, Reply, Request, Response, User};
use wire::{Ask, CONTRACT};
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, handle).await
    }
}

async fn handle(cx: Cx<User>, ask: Ask) -> Answer<Reply> {
    cx.rpc("taxi_refuse_ride", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    const RIDE: &str = "00000000-0000-4000-8000-00000000000a";

    #[test]
    fn only_the_ride_and_the_callers_own_name_are_sent() {
        let db = FakeDb::answers(&[(200, json!({ "success": true, "driversDeclined": 1 }))]);
        let ask =
            shared::json::parse(format!(r#"{{"rideId":"{RIDE}","driverId":"{RIDE}","reason":"far"}}"#).as_bytes())
                .unwrap();
        block_on(handle(alice(&db), ask)).unwrap();
        assert_eq!(db.ask(0), json!({ "rideId": RIDE, "driverId": RIDE }));
    }

    #[test]
    fn a_ride_is_named_by_its_uuid() {
        for body in ["{}", r#"{"rideId":7}"#, r#"{"rideId":"7"}"#, r#"{"rideId":null}"#] {
            assert_eq!(
                shared::json::parse::<Ask>(body.as_bytes()).err().expect("refused").problem().code,
                "VALIDATION_ERROR",
                "{body}"
            );
        }
    }
}
