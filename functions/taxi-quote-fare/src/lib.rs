//! `POST /functions/v1/taxi-quote-fare`: what a ride costs, and for how long we stand by it.
//! The formula and the surge live in Postgres: migrations/20261121094200_ride_fares.sql.

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
    cx.rpc("taxi_quote_fare", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    #[test]
    fn only_the_route_reaches_the_fare_never_a_price() {
        let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
        let body = br#"{"pickup":{"lat":9.5,"lng":-13.7,"x":1},"dropoff":{"lat":9.53,"lng":-13},"total":1,"surge_multiplier":1}"#;
        block_on(handle(alice(&db), shared::json::parse(body).unwrap())).unwrap();
        assert_eq!(
            db.ask(0),
            json!({ "pickup": { "lat": 9.5, "lng": -13.7 }, "dropoff": { "lat": 9.53, "lng": -13.0 } })
        );
    }

    #[test]
    fn legacy_numbers_arrive_under_their_own_names() {
        let ask: Ask = shared::json::parse(br#"{"distanceKm":3.2,"durationMin":12,"lat":9.5,"lng":-13.7}"#).unwrap();
        assert_eq!(
            serde_json::to_value(ask).unwrap(),
            json!({ "distanceKm": 3.2, "durationMin": 12.0, "lat": 9.5, "lng": -13.7 })
        );
    }

    #[test]
    fn a_number_is_a_number() {
        for body in [
            &br#"{"distanceKm":"3.2"}"#[..],
            br#"{"pickup":{"lat":null,"lng":1}}"#,
            br#"{"pickup":{"lat":1}}"#,
            br#"{"dropoff":[1,"2"]}"#,
        ] {
            let no = shared::json::parse::<Ask>(body).err().expect("refused").problem();
            assert_eq!((no.status, no.code.as_str()), (400, "VALIDATION_ERROR"), "{}", String::from_utf8_lossy(body));
        }
    }
}
