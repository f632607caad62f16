//! Rides as clients see them. Everything about them is decided in Postgres: migrations/20261121094000_rides.sql and after.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::{Amount, Currency, Units};
use crate::wire::Timestamp;

/// A point on the map, with what people call it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lng: f64,
    /// At most 300 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Where a ride is; `started` of old clients is `picked_up`.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RideStatus")]
pub enum Status {
    Requested,
    Accepted,
    Arriving,
    #[serde(alias = "started")]
    PickedUp,
    InProgress,
    Completed,
    Cancelled,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RidePaymentStatus")]
pub enum PaymentStatus {
    Pending,
    Processing,
    Paid,
    Failed,
    Refunded,
}

/// How a ride is, or was, paid.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RidePaymentMethod")]
pub enum Method {
    Wallet,
    Card,
    OrangeMoney,
    MtnMoney,
    Cash,
    Moneroo,
    /// Through another provider.
    Online,
}

/// One end of a ride.
#[derive(JsonSchema)]
#[schemars(rename = "RideEnd")]
pub struct End {
    pub lat: f64,
    pub lng: f64,
    pub address: Option<String>,
}

/// A ride, as `taxi.ride_json` writes it. Amounts are in minor units of `currency`.
#[derive(JsonSchema)]
pub struct Ride {
    pub id: Uuid,
    /// What people read to each other: `TX00000042`.
    pub ride_code: String,
    pub customer_id: Uuid,
    pub driver_id: Option<Uuid>,
    pub vehicle_type: String,
    pub status: Status,
    pub payment_status: PaymentStatus,
    pub payment_method: Option<Method>,
    pub pickup: End,
    pub dropoff: End,
    /// Metres.
    pub distance_m: u32,
    /// Seconds.
    pub duration_s: u32,
    /// Kilometres, to two decimals.
    pub distance_km: f64,
    /// Minutes, rounded up.
    pub duration_min: f64,
    /// Percent: 150 is one and a half times the price.
    pub surge_pct: u32,
    pub price_total: Amount,
    pub driver_share: Units,
    pub platform_fee: Units,
    pub cancellation_fee: Units,
    pub currency: Currency,
    pub requested_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub arriving_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
    pub cancel_reason: Option<String>,
}

/// What a ride costs. The three cost lines inform; `total` is rounded once, and decides. Minor units of `currency`.
#[derive(JsonSchema)]
pub struct Fare {
    pub base_fare: Units,
    pub distance_cost: Units,
    pub time_cost: Units,
    /// 1.5 is one and a half times the price.
    pub surge_multiplier: f64,
    pub total: Units,
    pub driver_share: Units,
    pub platform_fee: Units,
    pub currency: Currency,
    /// Metres.
    pub distance_m: u32,
    /// Seconds.
    pub duration_s: u32,
    /// Whether we stand by it.
    pub binding: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The route is the great circle times 1.3, at 25 km/h.
    pub estimated: bool,
}
