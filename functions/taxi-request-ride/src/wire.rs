//! Orders a ride; the ten nearest free drivers are told, and with none it waits all the same. Both ends are at least 100 m
//! apart. Legacy clients also send a price, a distance and a duration: unknown here, so they go no further.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::rides::{Fare, Place, Status};
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> =
    Contract::post("taxi-request-ride").user().rpc_refuses(&["ACTIVE_RIDE_EXISTS", "QUOTE_EXPIRED", "OUT_OF_AREA"]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(201)]);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    pub pickup: Place,
    pub dropoff: Place,
    /// `moto` when left out.
    #[serde(alias = "vehicle_type", skip_serializing_if = "Option::is_none")]
    pub vehicle_type: Option<String>,
    /// An own, fresh quote for the same points: it fixes the price.
    #[serde(alias = "quote_id", skip_serializing_if = "Option::is_none")]
    pub quote_id: Option<Uuid>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header.
    #[serde(rename = "idempotency_key", alias = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub success: Yes,
    pub ride_id: Uuid,
    /// What people read to each other: `TX00000042`.
    pub ride_code: String,
    pub status: Status,
    pub fare: Fare,
    /// How many drivers got an offer.
    pub notified_drivers: u32,
}
