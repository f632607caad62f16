//! `POST /functions/v1/taxi-quote-fare`: what a ride costs, and for how long we stand by it.
//! The formula and the surge live in Postgres: migrations/20261121094200_ride_fares.sql.

use serde::{Deserialize, Serialize};
use shared::edge::{self, Answer, Contract, Cx, Reply, Request, Response, User};
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<User> = Contract::post("taxi-quote-fare").user().rpc_refuses(&["OUT_OF_AREA"]);

#[derive(Serialize, Deserialize)]
struct Point {
    lat: f64,
    lng: f64,
}

/// Two points make a binding quote; the legacy numbers only an estimate. No price is ever read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    #[serde(skip_serializing_if = "Option::is_none")]
    pickup: Option<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropoff: Option<Point>,
    #[serde(alias = "vehicle_type", skip_serializing_if = "Option::is_none")]
    vehicle_type: Option<String>,
    #[serde(alias = "distance_km", skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
    #[serde(alias = "duration_min", skip_serializing_if = "Option::is_none")]
    duration_min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lng: Option<f64>,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, handle).await)
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
