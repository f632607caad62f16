//! Whether the service can do its work: to anybody one word, to operators each part that it depends on. Never a version of a
//! dependency, a host or a cause: the log has those.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::contract::{Anyone, Contract};
use shared::error::BAD_KEY;
use shared::metrics::Word;
use shared::wire::{Timestamp, Wire, told};

pub const CONTRACT: Contract<Anyone> = Contract::post("health").or_get().knows_staff().refuses(&[BAD_KEY]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Report>(200), told::<Report>(503)]);

#[derive(Default, Deserialize, JsonSchema)]
pub struct Ask {
    /// `1` or `true`, also as text in a query; for the internal key and administrators. `health/detailed` means the same.
    pub detailed: Option<Value>,
}

#[derive(Clone, Serialize, JsonSchema)]
pub struct Report {
    pub success: bool,
    /// `down`, with 503, when the database does not answer.
    pub status: Word,
    pub timestamp: Timestamp,
    /// Of this service.
    pub version: &'static str,
    /// A part that is not essential is down: wallets and rides still work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Dependencies>,
}

#[derive(Clone, Serialize, JsonSchema)]
pub struct Dependencies {
    pub database: State,
    /// The public keys of access tokens.
    pub auth_keys: State,
    pub limiter: State,
    pub storage: State,
    /// What is sent later: mail, messages, jobs.
    pub queue: State,
    pub payment_provider: State,
    /// `not_configured` until a letter has been sent.
    pub mail: State,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
pub struct State {
    pub status: Word,
    pub latency_ms: u64,
}
