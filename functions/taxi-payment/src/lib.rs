//! `POST /functions/v1/taxi-payment`: pays a ride once; also `taxi-payment-process`, which says `tripId` for `rideId`.
//! Amount, payer and shares come from the ride, in Postgres: migrations/20261121095500_ride_payments.sql.

use serde::{Deserialize, Serialize};
use shared::edge::{self, Answer, Contract, Cx, Limit, Reply, Request, Response, User};
use uuid::Uuid;
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<User> = Contract::post("taxi-payment").user().limit(Limit::Payment).rpc_refuses(&[
    "RIDE_NOT_PAYABLE",
    "ALREADY_PAID",
    "PAYMENT_IN_PROGRESS",
    "NOT_CASH",
    "INSUFFICIENT_FUNDS",
    "WALLET_BLOCKED",
    "AMOUNT_OUT_OF_RANGE",
    "FRAUD_BLOCKED",
    "MFA_REQUIRED",
]);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Wallet,
    Card,
    OrangeMoney,
    MtnMoney,
    Cash,
}

/// Legacy bodies also carry amounts and ids of others: unknown here, so they go no further.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    #[serde(alias = "tripId", alias = "ride_id", alias = "trip_id")]
    ride_id: Uuid,
    /// May be left out when the driver confirms cash.
    #[serde(alias = "payment_method", skip_serializing_if = "Option::is_none")]
    payment_method: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<bool>,
    /// Legacy: must be the caller.
    #[serde(alias = "customer_id", skip_serializing_if = "Option::is_none")]
    customer_id: Option<Uuid>,
    #[serde(rename = "idempotency_key", alias = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    Ok(edge::serve(req, env, ctx, &CONTRACT, handle).await)
}

async fn handle(cx: Cx<User>, mut ask: Ask) -> Answer<Reply> {
    ask.idempotency_key = cx.idempotency_key(ask.idempotency_key.take())?;
    cx.rpc("taxi_payment", &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{FakeDb, alice, block_on};

    const RIDE: &str = "00000000-0000-4000-8000-00000000000a";

    fn ask(more: &str) -> Answer<Ask> {
        shared::json::parse(format!(r#"{{"tripId":"{RIDE}"{more}}}"#).as_bytes())
    }

    #[test]
    fn amount_and_driver_of_a_legacy_body_go_no_further() {
        let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
        let more =
            r#","paymentMethod":"wallet","amount":1,"driverId":"d","driverShare":1,"idempotencyKey":"alices-key""#;
        block_on(handle(alice(&db), ask(more).unwrap())).unwrap();
        assert_eq!(db.ask(0), json!({ "rideId": RIDE, "paymentMethod": "wallet", "idempotency_key": "alices-key" }));
    }

    #[test]
    fn every_method_of_the_contract_is_known_and_no_other() {
        for method in ["wallet", "card", "orange_money", "mtn_money", "cash"] {
            let ask = ask(&format!(r#","paymentMethod":"{method}""#)).unwrap();
            assert_eq!(serde_json::to_value(ask).unwrap()["paymentMethod"], method);
        }
        assert_eq!(
            ask(r#","paymentMethod":"bitcoin""#).err().expect("refused").problem().details[0]["field"],
            "paymentMethod"
        );
    }

    #[test]
    fn a_refusal_of_the_guard_reaches_the_customer() {
        let db =
            FakeDb::answers(&[(409, json!({ "code": "INSUFFICIENT_FUNDS", "message": "the balance is too low" }))]);
        let mut cx = alice(&db);
        std::rc::Rc::get_mut(&mut cx.world).unwrap().rpc_codes = CONTRACT.spec.rpc_codes;
        let no = block_on(handle(cx, ask(r#","paymentMethod":"wallet""#).unwrap())).unwrap_err().problem();
        assert_eq!((no.status, no.code.as_str()), (409, "INSUFFICIENT_FUNDS"));
    }

    #[test]
    fn a_driver_confirms_cash_without_saying_cash() {
        let ask = ask(r#","confirm":true"#).unwrap();
        assert_eq!(serde_json::to_value(ask).unwrap(), json!({ "rideId": RIDE, "confirm": true }));
    }
}
