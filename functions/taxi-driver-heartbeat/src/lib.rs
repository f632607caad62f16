//! `POST /functions/v1/taxi-driver-heartbeat`: where a driver is, and whether he is online.
//! Positions are claims; what is believed of them is decided in Postgres: migrations/20261121094500_ride_dispatch.sql.

use serde::{Deserialize, Serialize};
use shared::edge::{self, Answer, Contract, Cx, Limit, Reply, Request, Response, User};
use uuid::Uuid;
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<User> =
    Contract::post("taxi-driver-heartbeat").user().limit(Limit::Heartbeat).rpc_refuses(&["ACTIVE_RIDE_EXISTS"]);

#[derive(Serialize, Deserialize)]
struct Ask {
    #[serde(alias = "isOnline")]
    is_online: bool,
    /// Required while online.
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lng: Option<f64>,
    /// Degrees, 0 to 359.
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<f64>,
    /// km/h, 0 to 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f64>,
    /// Legacy: the caller's own driver row, or the caller; Postgres refuses anybody else.
    #[serde(rename = "driverId", alias = "driver_id", skip_serializing_if = "Option::is_none")]
    driver_id: Option<Uuid>,
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
