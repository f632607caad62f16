//! A driver lets an offer go; the search widens, and the next five drivers are told. A repeat changes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> = Contract::post("taxi-refuse-ride").user().rpc_refuses(&["RIDE_NOT_OPEN"]);
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
    /// How many drivers have let this ride go.
    pub drivers_declined: u32,
}
