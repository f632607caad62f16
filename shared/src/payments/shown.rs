//! A payment as its payer sees it, and what a run over many of them answers.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::money::{Amount, Currency, Units};
use crate::wire::{Timestamp, Yes};

/// Where a payment is. `success` and `refunded` are final; what failed, was cancelled or expired still counts when money
/// comes late.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Initiating,
    Pending,
    /// The provider did not answer when it was begun.
    Unknown,
    Success,
    Failed,
    Cancelled,
    Expired,
    Refunded,
}

/// What came, against what was due.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// No money has come.
    None,
    /// Exactly what was due.
    Settled,
    /// Too little, or another currency: kept aside, not fulfilled.
    Underpaid,
    /// Fulfilled; the difference is in the payer's wallet.
    Overpaid,
    /// Already paid: the whole is in the payer's wallet.
    Surplus,
}

/// The caller's own payment, as `payment_get` gives it. Amounts are in minor units of `currency`.
#[derive(JsonSchema)]
#[schemars(rename = "OwnPayment")]
pub struct Shown {
    /// The provider's, or ours where it has none yet.
    pub id: String,
    pub status: PaymentStatus,
    pub amount: Amount,
    pub fee: Units,
    pub currency: Currency,
    pub created_at: Timestamp,
    pub settlement: Settlement,
}

/// What one run of the clock came to.
#[derive(Serialize, JsonSchema)]
pub struct Tally {
    /// Nothing has changed; their turn comes again.
    pub failed: usize,
    pub processed: usize,
    pub success: Yes,
    /// The provider answered, and it was decided.
    pub successful: usize,
}

/// The event is kept: also when it is a repeat, or of a kind that nobody knows.
#[derive(Serialize, JsonSchema)]
pub struct Received {
    pub success: Yes,
    pub received: Yes,
}

/// As the provider writes it; a hint, and no more.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Event(pub Value);
