//! Moves a ride one step, with the driver, the notices and the money. The same step by the same person again changes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::rides::{Ride, Status};
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> =
    Contract::post("taxi-update-ride-status").user().rpc_refuses(&["INVALID_TRANSITION"]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    #[serde(alias = "tripId", alias = "ride_id")]
    pub ride_id: Uuid,
    pub status: Status,
    /// 1 to 300 characters; required to cancel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    pub ride: Ride,
}
