//! Where a driver is, and whether he is online; a few times a minute. After 60 s of silence he gets no offers, after 5 minutes he
//! is offline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, Limit, User};
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> =
    Contract::post("taxi-driver-heartbeat").user().limit(Limit::Heartbeat).rpc_refuses(&["ACTIVE_RIDE_EXISTS"]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    #[serde(alias = "isOnline")]
    pub is_online: bool,
    /// Degrees; required while online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Degrees; required while online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lng: Option<f64>,
    /// Degrees, 0 to 359.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// km/h, 0 to 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Legacy: the caller's own driver row, or the caller; anybody else is refused.
    #[serde(rename = "driverId", alias = "driver_id", skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<Uuid>,
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub ok: Yes,
    pub success: Yes,
}
