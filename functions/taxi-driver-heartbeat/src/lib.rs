//! `POST /functions/v1/taxi-driver-heartbeat`: where a driver is, and whether he is online.
//! Positions are claims; what is believed of them is decided in Postgres: migrations/20261121094500_ride_dispatch.sql.

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
    cx.rpc("taxi_driver_heartbeat", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    #[test]
    fn a_heartbeat_carries_a_position_and_nothing_else() {
        let db = FakeDb::answers(&[(200, json!({ "ok": true, "success": true }))]);
        let body =
            br#"{"is_online":true,"lat":9.5,"lng":-13.7,"heading":90,"speed":31.5,"status":"on_trip","rating":5}"#;
        block_on(handle(alice(&db), shared::json::parse(body).unwrap())).unwrap();
        assert_eq!(db.ask(0), json!({ "is_online": true, "lat": 9.5, "lng": -13.7, "heading": 90.0, "speed": 31.5 }));
    }

    #[test]
    fn online_is_true_or_false_and_positions_are_numbers() {
        for body in [
            &b"{}"[..],
            br#"{"is_online":1}"#,
            br#"{"is_online":"true"}"#,
            br#"{"is_online":true,"lat":"9.5","lng":-13.7}"#,
        ] {
            let no = shared::json::parse::<Ask>(body).err().expect("refused").problem();
            assert_eq!((no.status, no.code.as_str()), (400, "VALIDATION_ERROR"), "{}", String::from_utf8_lossy(body));
        }
    }
}
