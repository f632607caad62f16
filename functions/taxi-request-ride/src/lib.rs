//! `POST /functions/v1/taxi-request-ride`: orders a ride; the drivers near it are told.
//! Price, shares and customer are frozen in Postgres: migrations/20261121094400_ride_requests.sql.

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

async fn handle(cx: Cx<User>, mut ask: Ask) -> Answer<Reply> {
    ask.idempotency_key = cx.idempotency_key(ask.idempotency_key.take())?;
    cx.rpc("taxi_request_ride", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    const ROUTE: &str = r#""pickup":{"lat":9.5,"lng":-13.7,"address":"Kaloum"},"dropoff":{"lat":9.53,"lng":-13.68}"#;

    fn ask(more: &str) -> Ask {
        shared::json::parse(format!("{{{ROUTE}{more}}}").as_bytes()).unwrap()
    }

    #[test]
    fn price_distance_and_customer_of_the_body_go_no_further() {
        let db = FakeDb::answers(&[(201, json!({ "success": true }))]);
        let more = r#","estimatedPrice":1,"distanceKm":0.1,"durationMin":1,"customer_id":"c","driver_share":9,"idempotencyKey":"alices-key""#;
        let reply = block_on(handle(alice(&db), ask(more))).unwrap();
        assert_eq!(reply.status, 201);
        assert_eq!(
            db.ask(0),
            json!({
                "pickup": { "lat": 9.5, "lng": -13.7, "address": "Kaloum" }, "dropoff": { "lat": 9.53, "lng": -13.68 },
                "idempotency_key": "alices-key",
            })
        );
    }

    #[test]
    fn a_key_that_is_no_key_is_refused_and_postgres_is_not_asked() {
        let error = block_on(handle(alice(&FakeDb::unreachable()), ask(r#","idempotency_key":"short""#))).unwrap_err();
        assert_eq!(error.problem().details.read()[0]["field"], "idempotency_key");
    }

    #[test]
    fn both_ends_and_a_real_quote_id_are_needed() {
        for body in [r#"{"pickup":{"lat":9.5,"lng":-13.7}}"#, "{}", &format!("{{{ROUTE},\"quoteId\":\"7\"}}")] {
            assert_eq!(
                shared::json::parse::<Ask>(body.as_bytes()).err().expect("refused").problem().code,
                "VALIDATION_ERROR",
                "{body}"
            );
        }
    }
}
