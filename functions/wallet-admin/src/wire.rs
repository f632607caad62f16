//! Block, unblock, close, limits, payouts that need a person, money in suspense, figures: for the roles `admin` and `pdg`, read
//! in the transaction of the work. Each call is kept with its reason. No action sets a balance. The action may also stand behind
//! the name: `wallet-admin/stats`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::money::{Amount, Currency, Units};
use shared::wire::{Legacy, Timestamp, Wire, Yes, told};
use uuid::Uuid;

pub const CONTRACT: Contract<User> = Contract::post("wallet-admin").user().rpc_refuses(&[
    "INVALID_STATE",
    "RECIPIENT_UNAVAILABLE",
    "INSUFFICIENT_FUNDS",
    "WALLET_BLOCKED",
]);
pub const WIRE: Wire = Wire::of::<Ask>(
    &CONTRACT.spec,
    &[
        told::<WalletReceipt>(200).to(&["block", "unblock", "close", "set_limits"]),
        told::<PayoutReceipt>(200).to(&["settle_payout"]),
        told::<ReleaseReceipt>(200).to(&["release_suspense"]),
        told::<Stats>(200).to(&["stats"]),
    ],
)
.form::<Form>()
.legacy(&[Legacy::answers("financial-stats", &[told::<Stats>(200)]).asks::<Period>()]);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Block,
    Unblock,
    /// For ever, and only an empty wallet: an addition to the contract.
    Close,
    SetLimits,
    SettlePayout,
    ReleaseSuspense,
    Stats,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Completed,
    Failed,
}

/// What each action needs is decided in Postgres, after the role: a stranger learns that he may not, and no more. The admin is
/// the caller; a body that names one goes no further.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// 3 to 500 characters; kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_limit: Option<Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// What proves that a payout was made; required for `completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_user_id: Option<Uuid>,
    /// As a payout to the number that paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<bool>,
    /// A day or an RFC 3339 time; 30 days before `to` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A day (included) or an RFC 3339 time; now when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header.
    #[serde(alias = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Form {
    /// Nothing moves from this wallet until it is unblocked.
    Block(Named),
    /// Only a blocked wallet is unblocked.
    Unblock(Named),
    /// For ever, and only an empty wallet.
    Close(Named),
    /// The daily one not above the monthly one.
    SetLimits {
        wallet_id: Option<Uuid>,
        user_id: Option<Uuid>,
        currency: Option<Currency>,
        daily_limit: Units,
        monthly_limit: Units,
        reason: String,
        idempotency_key: Option<String>,
    },
    /// A payout that is `manual` or `unknown` ends; failed: amount and fee go back, once.
    SettlePayout {
        payout_id: Uuid,
        result: Outcome,
        provider_reference: Option<String>,
        reason: String,
        idempotency_key: Option<String>,
    },
    /// The whole amount moves once: to a user's wallet, or back to the number that paid.
    ReleaseSuspense {
        entry_id: Uuid,
        to_user_id: Option<Uuid>,
        refund: Option<bool>,
        reason: String,
        idempotency_key: Option<String>,
    },
    /// What the platform earned and holds; at most 366 days.
    Stats(Period),
}

/// A wallet by its id, or by its owner and currency.
#[derive(JsonSchema)]
pub struct Named {
    pub wallet_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub currency: Option<Currency>,
    /// 3 to 500 characters; kept.
    pub reason: String,
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
pub struct Period {
    /// A day or an RFC 3339 time; 30 days before `to` when left out.
    pub from: Option<String>,
    /// A day (included) or an RFC 3339 time; now when left out.
    pub to: Option<String>,
    pub currency: Option<Currency>,
}

#[derive(JsonSchema)]
pub struct WalletReceipt {
    pub success: Yes,
    pub wallet: Wallet,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WalletStatus {
    Active,
    Blocked,
    Closed,
}

/// No balance, and nothing personal. Limits are in minor units of `currency`; null: those of the currency.
#[derive(JsonSchema)]
pub struct Wallet {
    pub id: Uuid,
    pub user_id: Uuid,
    pub currency: Currency,
    pub status: WalletStatus,
    pub blocked_reason: Option<String>,
    pub blocked_at: Option<Timestamp>,
    pub blocked_by: Option<Uuid>,
    pub daily_limit: Option<Units>,
    pub monthly_limit: Option<Units>,
}

#[derive(JsonSchema)]
pub struct PayoutReceipt {
    pub success: Yes,
    pub payout: Payout,
}

/// Amounts are in minor units of `currency`.
#[derive(JsonSchema)]
pub struct Payout {
    pub id: Uuid,
    #[schemars(extend("enum" = ["wallet_withdrawal", "store_withdrawal", "refund"]))]
    pub kind: String,
    pub amount: Amount,
    pub fee: Units,
    pub currency: Currency,
    pub method: String,
    pub status: Outcome,
    pub provider_payout_id: Option<String>,
    pub provider_reference: Option<String>,
}

#[derive(JsonSchema)]
pub struct ReleaseReceipt {
    pub success: Yes,
    pub entry_id: Uuid,
    pub transaction_id: Uuid,
    pub amount: Amount,
    pub currency: Currency,
    pub refund: bool,
}

/// Bare, as it always was. Amounts are in minor units of `currency`. Open payments and payouts, held escrow and suspense are as
/// of now; everything else is of the period.
#[derive(JsonSchema)]
pub struct Stats {
    /// Gross: what was deposited, sent, withdrawn, ridden, bought.
    pub total_revenue: i64,
    /// What the platform gained, after whatever was given back.
    pub total_commission: i64,
    /// The sum of open payments.
    pub pending_payments: i64,
    pub active_wallets: u64,
    pub transactions_count: u64,
    pub revenue_by_service: Vec<Service>,
    pub recent_transactions: Vec<Recent>,
    pub escrow_stats: Escrow,
    pub payouts: Payouts,
    pub suspense: Suspense,
    pub dead_letters: u64,
    pub alerts: u64,
    pub currency: Currency,
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(JsonSchema)]
pub struct Service {
    pub service_name: String,
    pub revenue: i64,
    pub commission: i64,
    pub count: u64,
}

#[derive(JsonSchema)]
pub struct Recent {
    pub id: Uuid,
    pub r#type: String,
    pub amount: Units,
    pub fee: Units,
    pub currency: Currency,
    #[schemars(extend("const" = "completed"))]
    pub status: String,
    pub created_at: Timestamp,
}

#[derive(JsonSchema)]
pub struct Escrow {
    pub total_held: i64,
    pub total_released: i64,
    pub pending_count: u64,
}

/// How many.
#[derive(JsonSchema)]
pub struct Payouts {
    pub pending: u64,
    pub processing: u64,
    pub manual: u64,
    pub unknown: u64,
    pub completed: u64,
    pub failed: u64,
}

#[derive(JsonSchema)]
pub struct Suspense {
    pub total: i64,
    pub open: u64,
}
