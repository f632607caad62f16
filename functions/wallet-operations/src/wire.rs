//! Preview, deposit, withdraw, transfer. The fee comes on top of the amount. With a key, the same request again gives the first
//! answer and moves nothing; without one, an identical transfer or withdrawal within a minute is refused. The operation may also
//! stand in `action`, or behind the name: `wallet-operations/preview`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, Limit, User};
use shared::error::{NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT, Refusal};
use shared::money::{Amount, Currency, Units};
use shared::payments::Customer;
use shared::payments::shown::Settlement;
use shared::wire::{Wire, Yes, told};
use uuid::Uuid;

pub const CASH: Refusal = Refusal::new(409, "METHOD_NOT_AVAILABLE", "cash is credited by an agent, through a transfer");
pub const CONTRACT: Contract<User> = Contract::post("wallet-operations")
    .user()
    .limit(Limit::Payment)
    .refuses(&[CASH, NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT])
    .rpc_refuses(&[
        "AMOUNT_OUT_OF_RANGE",
        "AMOUNT_NOT_SUPPORTED",
        "RECIPIENT_REQUIRED",
        "RECIPIENT_NOT_FOUND",
        "RECIPIENT_UNAVAILABLE",
        "SELF_TRANSFER",
        "INSUFFICIENT_FUNDS",
        "DUPLICATE_SUSPECTED",
        "METHOD_NOT_AVAILABLE",
        "WALLET_BLOCKED",
        "LIMIT_EXCEEDED",
        "FRAUD_BLOCKED",
        "MFA_REQUIRED",
    ]);
pub const WIRE: Wire = Wire::of::<Ask>(
    &CONTRACT.spec,
    &[
        told::<Preview>(200).to(&["preview"]),
        told::<Transfer>(200).to(&["transfer"]),
        told::<Withdrawal>(202).to(&["withdraw"]),
        told::<Deposit>(202).to(&["deposit"]),
        told::<Claim>(202).to(&["deposit"]),
        told::<Claim>(200).to(&["deposit"]),
    ],
)
.form::<Form>();

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Preview,
    Deposit,
    Withdraw,
    Transfer,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Ask {
    pub operation: Option<Operation>,
    /// Legacy: the operation.
    pub action: Option<Operation>,
    /// What the recipient gets, what is paid out, what the wallet is credited.
    pub amount: Option<Amount>,
    pub currency: Option<Currency>,
    /// Of a preview; `transfer` when left out.
    #[serde(rename = "for")]
    pub preview_of: Option<Operation>,
    /// A user's id, or his custom or public id, in any case.
    #[serde(alias = "receiver_id")]
    pub recipient_id: Option<String>,
    /// Legacy: must be the caller.
    pub sender_id: Option<String>,
    /// At most 200 characters.
    pub description: Option<String>,
    /// Of a withdrawal: `orange_money`, `mtn_momo`, …
    pub method: Option<String>,
    /// Of a withdrawal: an international number, `+` or not.
    #[serde(alias = "phoneNumber")]
    pub phone: Option<String>,
    /// Where the payer goes afterwards: https, of an allowed origin.
    pub return_url: Option<String>,
    pub customer: Option<Customer>,
    /// Of a deposit that was begun: it is checked now.
    pub payment_id: Option<String>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header.
    #[serde(alias = "idempotencyKey")]
    pub idempotency_key: Option<String>,
    /// Without a key, the same again within a minute is meant.
    #[serde(default)]
    pub confirm_duplicate: bool,
}

#[derive(JsonSchema)]
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum Form {
    /// What an operation would cost, and whom it would reach. Changes nothing.
    Preview {
        amount: Amount,
        currency: Option<Currency>,
        #[serde(rename = "for")]
        preview_of: Option<Operation>,
        recipient_id: Option<String>,
    },
    /// At once, within one currency.
    Transfer {
        amount: Amount,
        currency: Option<Currency>,
        recipient_id: String,
        description: Option<String>,
        idempotency_key: Option<String>,
        /// Without a key, the same again within a minute is meant.
        #[serde(default)]
        confirm_duplicate: bool,
    },
    /// To mobile money: debited at once, paid out a little later.
    Withdraw {
        amount: Amount,
        currency: Option<Currency>,
        method: String,
        phone: String,
        description: Option<String>,
        idempotency_key: Option<String>,
        /// Without a key, the same again within a minute is meant.
        #[serde(default)]
        confirm_duplicate: bool,
    },
    /// A payment, at Moneroo: nothing is credited until the provider has confirmed it to us.
    Deposit {
        amount: Amount,
        currency: Option<Currency>,
        description: Option<String>,
        customer: Option<Customer>,
        return_url: Option<String>,
        idempotency_key: Option<String>,
    },
    /// Asks the provider about a deposit that was begun, and settles it.
    #[serde(rename = "deposit")]
    Claim { payment_id: String },
}

#[derive(JsonSchema)]
#[schemars(rename = "PreviewReceipt")]
pub struct Preview {
    pub success: Yes,
    #[schemars(extend("const" = "preview"))]
    pub operation: Operation,
    pub amount: Amount,
    pub fee: Units,
    /// `amount` and `fee`.
    pub total: Amount,
    pub currency: Currency,
    pub amount_received: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
}

/// Enough to see who it is: a first name and an initial.
#[derive(JsonSchema)]
pub struct Recipient {
    pub display_name: String,
}

#[derive(JsonSchema)]
#[schemars(rename = "TransferReceipt")]
pub struct Transfer {
    pub success: Yes,
    #[schemars(extend("const" = "transfer"))]
    pub operation: Operation,
    /// The sender's.
    pub new_balance: Units,
    pub transaction_id: Uuid,
    pub transfer_code: String,
    pub amount: Amount,
    pub fee: Units,
    pub total: Amount,
    pub currency: Currency,
}

#[derive(JsonSchema)]
#[schemars(rename = "WithdrawalReceipt")]
pub struct Withdrawal {
    pub success: Yes,
    #[schemars(extend("const" = "withdraw"))]
    pub operation: Operation,
    #[schemars(extend("const" = "pending"))]
    pub status: String,
    pub new_balance: Units,
    pub transaction_id: Uuid,
    pub amount: Amount,
    pub fee: Units,
    pub total: Amount,
    pub currency: Currency,
}

/// A deposit that was begun: the payer goes to `checkout_url`. The balance is still the old one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DepositReceipt")]
pub struct Deposit {
    pub success: Yes,
    #[schemars(extend("const" = "deposit"))]
    pub operation: Operation,
    #[schemars(with = "shared::payments::shown::PaymentStatus")]
    pub status: String,
    #[schemars(with = "Units")]
    pub new_balance: i64,
    /// The provider's.
    pub payment_id: Option<String>,
    pub checkout_url: Option<String>,
    #[schemars(with = "Amount")]
    pub amount: i64,
    #[schemars(with = "Units")]
    pub fee: i64,
    /// What the payer pays.
    #[schemars(with = "Amount")]
    pub total: i64,
    #[schemars(with = "Currency")]
    pub currency: String,
}

/// What became of a deposit.
#[derive(JsonSchema)]
#[schemars(rename = "ClaimReceipt")]
pub struct Claim {
    pub success: Yes,
    #[schemars(extend("const" = "deposit"))]
    pub operation: Operation,
    pub status: Claimed,
    pub new_balance: Units,
    pub payment_id: String,
    pub amount: Amount,
    pub fee: Units,
    pub currency: Currency,
    pub settlement: Settlement,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    Pending,
    Completed,
    Failed,
    Cancelled,
    Expired,
    Refunded,
}
