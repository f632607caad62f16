//! What a ride costs, and for how long we stand by it. Two points make a binding quote for this caller and route; the legacy
//! numbers only an estimate. No price is ever read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::rides::Fare;
use shared::wire::{Wire, Yes, told};

pub const CONTRACT: Contract<User> = Contract::post("taxi-quote-fare").user().rpc_refuses(&["OUT_OF_AREA"]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]).form::<Form>();

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lng: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickup: Option<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropoff: Option<Point>,
    /// `moto` when left out.
    #[serde(alias = "vehicle_type", skip_serializing_if = "Option::is_none")]
    pub vehicle_type: Option<String>,
    /// Kilometres.
    #[serde(alias = "distance_km", skip_serializing_if = "Option::is_none")]
    pub distance_km: Option<f64>,
    /// Minutes.
    #[serde(alias = "duration_min", skip_serializing_if = "Option::is_none")]
    pub duration_min: Option<f64>,
    /// Where the ride would begin, for the estimate's surge. Degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lng: Option<f64>,
}

#[derive(JsonSchema)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Form {
    /// A quote that binds us for five minutes.
    Quote { pickup: Point, dropoff: Point, vehicle_type: Option<String> },
    /// Legacy: an estimate, `binding: false`.
    Estimate {
        /// Kilometres.
        distance_km: f64,
        /// Minutes.
        duration_min: f64,
        lat: Option<f64>,
        lng: Option<f64>,
        vehicle_type: Option<String>,
    },
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    #[serde(flatten)]
    pub fare: Fare,
}
