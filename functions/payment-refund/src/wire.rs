//! Gives back a settled payment, whole or in part: for the roles `admin` and `pdg`, never about one's own payment. A key is
//! required. Refunds, also pending ones, and chargebacks share one cap: what was captured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, Limit, User};
use shared::money::{Amount, Currency, Units};
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> = Contract::post("payment-refund").user().limit(Limit::Payment).rpc_refuses(&[
    "REFUND_EXCEEDS_CAPTURED",
    "NOT_REFUNDABLE",
    "IN_DISPUTE",
    "INSUFFICIENT_FUNDS",
    "AMOUNT_NOT_SUPPORTED",
    "AMOUNT_OUT_OF_RANGE",
]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(201)]);

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// At once.
    #[default]
    Wallet,
    /// The paying number, or the card.
    Original,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// The provider's, or ours.
    pub payment_id: String,
    /// Minor units; all that remains when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// 3 to 500 characters; kept.
    pub reason: String,
    #[serde(default)]
    pub destination: Destination,
    /// 8 to 255 visible ASCII characters; required, here or in the `Idempotency-Key` header.
    #[serde(alias = "idempotencyKey")]
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    pub refund: Refund,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Until its payout has an end.
    Pending,
    Succeeded,
    Failed,
}

/// Amounts are in minor units of `currency`.
#[derive(JsonSchema)]
pub struct Refund {
    pub id: Uuid,
    pub status: RefundStatus,
    pub amount: Amount,
    /// What of this payment can still be given back.
    pub remaining: Units,
    pub currency: Currency,
    pub destination: Destination,
    pub payment_id: Uuid,
}
