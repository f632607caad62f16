//! `POST /functions/v1/taxi-update-ride-status`: moves a ride one step, with the driver, the notices and the money.
//! Who may take which step is a table in Postgres: migrations/20261121094800_ride_states.sql.

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
    cx.rpc("taxi_update_ride_status", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    const RIDE: &str = "00000000-0000-4000-8000-00000000000a";

    fn parse(status: &str) -> Answer<Ask> {
        shared::json::parse(format!(r#"{{"rideId":"{RIDE}","status":"{status}","price_total":1}}"#).as_bytes())
    }

    #[test]
    fn every_status_has_one_spelling_and_started_is_an_old_one() {
        for (given, sent) in [
            ("arriving", "arriving"),
            ("picked_up", "picked_up"),
            ("started", "picked_up"),
            ("in_progress", "in_progress"),
        ] {
            let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
            block_on(handle(alice(&db), parse(given).unwrap())).unwrap();
            assert_eq!(db.ask(0), json!({ "rideId": RIDE, "status": sent }), "{given}");
        }
    }

    #[test]
    fn a_status_nobody_knows_is_refused_without_repeating_it() {
        let no = parse("teleported").err().expect("refused").problem();
        assert_eq!((no.code.as_str(), &no.details.read()[0]["field"]), ("VALIDATION_ERROR", &"status".into()));
        assert!(!no.details.read().to_string().contains("teleported"), "{:?}", no.details);
    }
}
