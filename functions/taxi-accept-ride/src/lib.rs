//! `POST /functions/v1/taxi-accept-ride`: a driver takes a ride; of any number, one wins.
//! The race is decided by one update in Postgres: migrations/20261121094500_ride_dispatch.sql.

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
    cx.rpc("taxi_accept_ride", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    const RIDE: &str = "00000000-0000-4000-8000-00000000000a";

    #[test]
    fn the_driver_is_the_caller_and_a_named_one_is_left_to_postgres() {
        let db = FakeDb::answers(&[
            (200, json!({ "success": true })),
            (403, json!({ "code": "IDENTITY_MISMATCH", "message": "no" })),
        ]);
        let plain = shared::json::parse(format!(r#"{{"tripId":"{RIDE}","status":"accepted"}}"#).as_bytes()).unwrap();
        block_on(handle(alice(&db), plain)).unwrap();
        assert_eq!(db.ask(0), json!({ "rideId": RIDE }));
        let named = shared::json::parse(format!(r#"{{"rideId":"{RIDE}","driverId":"{RIDE}"}}"#).as_bytes()).unwrap();
        let error = block_on(handle(alice(&db), named)).unwrap_err();
        assert_eq!((error.problem().status, error.problem().code.as_str()), (403, "IDENTITY_MISMATCH"));
        assert_eq!(db.ask(1), json!({ "rideId": RIDE, "driverId": RIDE }));
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
