//! Scores a money movement from 0 to 100: what the guard of an outgoing operation would say now. A user asks about himself, and
//! the answer is advice; with the internal key anybody may be asked about. Nobody else is answered.

use schemars::JsonSchema;
use serde::Deserialize;
use shared::contract::{Anyone, Contract, Limit};
use shared::error::{IDENTITY_MISMATCH, UNAUTHENTICATED};
use shared::json::Object;
use shared::money::Amount;
use shared::wire::{Wire, told};
use uuid::Uuid;

pub const CONTRACT: Contract<Anyone> =
    Contract::post("fraud-detection").limit(Limit::Advice).knows_staff().refuses(&[UNAUTHENTICATED, IDENTITY_MISMATCH]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Advice>(200)]);

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// Required with the internal key; with a token it must be the caller.
    pub user_id: Option<Uuid>,
    /// At most 1,000,000,000.
    pub amount: Amount,
    pub recipient_id: Uuid,
    /// 1 to 50 characters.
    pub method: String,
    /// At most 2 KiB.
    pub transaction_id: Option<String>,
    /// Only `currency` counts; the rest is the caller's own note. At most 2 KiB.
    pub metadata: Option<Object>,
}

/// Bare, as it always was.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// 0 to 100.
    #[schemars(range(max = 100))]
    pub score: u8,
    pub risk_level: Level,
    pub flags: Vec<Flag>,
    /// Sentences for a person.
    pub recommendations: Vec<String>,
    #[serde(rename = "requiresMFA")]
    pub requires_mfa: bool,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    HighAmount,
    ElevatedAmount,
    HighFrequency,
    ElevatedFrequency,
    HighVolume,
    NewRecipient,
    FailedLogins,
    BalanceDrain,
}
