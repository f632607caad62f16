//! Offers waiting rides to the next drivers, closes rides that nobody takes, rests silent drivers. Safe at any rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Clock, Contract};
use shared::wire::{Nothing, Wire, told};

pub const CONTRACT: Contract<Clock> = Contract::post("taxi-dispatch-tick").cron();
pub const WIRE: Wire = Wire::of::<Nothing>(&CONTRACT.spec, &[told::<Moved>(200)]);

/// How many rides and drivers one tick moved.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    #[schemars(extend("const" = true))]
    pub success: bool,
    pub widened: u32,
    pub expired: u32,
    pub drivers_offline: u32,
    pub drivers_released: u32,
}
