//! Pays a ride once; also `taxi-payment-process`, which says `tripId` for `rideId`. Amount, payer and shares come from the ride.
//! By the customer or an admin, from `accepted` on; cash is confirmed by the driver.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, Limit, User};
use shared::error::{NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT};
use shared::money::{Amount, Currency, Units};
use shared::rides;
use shared::wire::{Timestamp, Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> = Contract::post("taxi-payment")
    .user()
    .limit(Limit::Payment)
    .refuses(&[NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT])
    .rpc_refuses(&[
        "RIDE_NOT_PAYABLE",
        "ALREADY_PAID",
        "PAYMENT_IN_PROGRESS",
        "NOT_CASH",
        "INSUFFICIENT_FUNDS",
        "WALLET_BLOCKED",
        "AMOUNT_OUT_OF_RANGE",
        "FRAUD_BLOCKED",
        "MFA_REQUIRED",
        "NOT_PAYABLE",
        "AMOUNT_NOT_SUPPORTED",
    ]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Wallet,
    Card,
    OrangeMoney,
    MtnMoney,
    Cash,
}

/// Legacy bodies also carry amounts and ids of others: unknown here, so they go no further.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    #[serde(alias = "tripId", alias = "ride_id", alias = "trip_id")]
    pub ride_id: Uuid,
    /// May be left out when the driver confirms cash.
    #[serde(alias = "payment_method", skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Method>,
    /// `true`, by the driver of the ride: the cash is in his hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<bool>,
    /// Legacy: must be the caller.
    #[serde(alias = "customer_id", skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Uuid>,
    /// Of the payer, for mobile money: an international number, `+` or not.
    #[serde(alias = "phoneNumber", skip_serializing)]
    pub phone: Option<String>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. Belongs to one ride and method.
    #[serde(rename = "idempotency_key", alias = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    pub transaction: Transaction,
    pub payment: Payment,
    /// The same was asked before; this is what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Yes>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    Pending,
    Processing,
    Completed,
    Failed,
    Refunded,
}

/// Amounts are in minor units of `currency`.
#[derive(JsonSchema)]
pub struct Transaction {
    pub id: Uuid,
    pub ride_id: Uuid,
    pub amount: Amount,
    pub currency: Currency,
    pub payment_method: rides::Method,
    pub status: TransactionStatus,
    pub driver_share: Units,
    pub platform_fee: Units,
    pub created_at: Timestamp,
}

/// What the payer does now, by card and mobile money; elsewhere only how it stands.
#[derive(Serialize, JsonSchema)]
pub struct Payment {
    pub success: Yes,
    #[schemars(with = "rides::Method")]
    pub method: Option<Method>,
    #[schemars(with = "TransactionStatus")]
    pub status: &'static str,
    /// The provider's; ask moneroo-verify-payment with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// For Stripe's own form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
