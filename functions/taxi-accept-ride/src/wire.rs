//! A driver takes a ride; of any number who ask, one wins. The winner asking again gets the same answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::rides::Ride;
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> = Contract::post("taxi-accept-ride").user().rpc_refuses(&[
    "ALREADY_ASSIGNED",
    "DRIVER_NOT_AVAILABLE",
    "DRIVER_DECLINED",
    "DRIVER_TOO_FAR",
    "LOCKED",
]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    #[serde(alias = "tripId", alias = "ride_id")]
    pub ride_id: Uuid,
    /// Legacy: the caller's own driver row, or the caller; anybody else is refused.
    #[serde(alias = "driver_id", skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<Uuid>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub success: Yes,
    pub ride_id: Uuid,
    pub ride: Ride,
}
