//! Creates a hosted checkout for a priced purpose: a page to send the payer to, or a question on his phone, through any of our
//! providers. The purpose decides the price, not the client. An open payment of the same purpose, price and provider, younger than
//! 30 minutes, is returned again with 200, as is the payment of the same key.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::contract::{Contract, Limit, User};
use shared::error::{NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT, Refusal};
use shared::money::{Amount, Currency, Units};
use shared::payments::Customer;
use shared::payments::checkout::Purpose;
use shared::payments::shown::{PaymentStatus, Shown};
use shared::wire::{Legacy, Told, Wire, Yes, told};
use uuid::Uuid;

pub const PURPOSE_REQUIRED: Refusal = Refusal::new(400, "PURPOSE_REQUIRED", "say what is being paid: purpose");
pub const CARD_DATA_REFUSED: Refusal = Refusal::new(400, "CARD_DATA_REFUSED", "card numbers are never accepted here");
pub const CONTRACT: Contract<User> = Contract::post("moneroo-initialize-payment")
    .user()
    .limit(Limit::Payment)
    .refuses(&[PURPOSE_REQUIRED, CARD_DATA_REFUSED, NOT_CONFIGURED, PROVIDER_ERROR, PROVIDER_TIMEOUT])
    .rpc_refuses(&[
        "ALREADY_PAID",
        "NOT_PAYABLE",
        "AMOUNT_MISMATCH",
        "AMOUNT_OUT_OF_RANGE",
        "AMOUNT_NOT_SUPPORTED",
        "CURRENCY_MISMATCH",
        "WALLET_BLOCKED",
        "RIDE_NOT_PAYABLE",
    ]);
const ENVELOPED: &[Told] = &[
    told::<Enveloped>(201).to(&["create_payment", "create_checkout"]),
    told::<Enveloped>(200).to(&["create_payment", "create_checkout"]),
    told::<Looked>(200).to(&["get_payment", "verify_payment"]),
];
const SWITCHED: &[Told] = &[told::<Switched>(201), told::<Switched>(200)];
pub const WIRE: Wire =
    Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(201), told::<Receipt>(200)]).form::<Form>().legacy(&[
        Legacy::answers("create-payment", &[told::<Bought>(201), told::<Bought>(200)]).asks::<Ask>(),
        Legacy::answers("moneroo", ENVELOPED).asks::<Envelope>(),
        Legacy::answers("paydunya", ENVELOPED).asks::<Envelope>(),
        Legacy::answers("mtn-momo", SWITCHED).asks::<Switch>(),
        Legacy::answers("airtel-money", SWITCHED).asks::<Switch>(),
        Legacy::answers("card-payment", SWITCHED).asks::<Switch>(),
    ]);

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Ask {
    pub purpose: Option<Purpose>,
    pub purpose_id: Option<String>,
    pub amount: Option<Amount>,
    pub currency: Option<Currency>,
    /// `moneroo` when left out; the others are in docs/providers.md.
    pub provider: Option<String>,
    /// Whom a request to a phone asks: an international number, `+` or not.
    #[serde(alias = "phoneNumber")]
    pub phone: Option<String>,
    /// An own open payment that is to be paid in another way.
    #[serde(alias = "reference")]
    pub transaction_id: Option<String>,
    /// 1 to 500 characters.
    pub description: Option<String>,
    #[serde(default)]
    pub customer: Customer,
    /// Legacy: `customer.email`.
    pub customer_email: Option<String>,
    /// Legacy: split at the last space.
    pub customer_name: Option<String>,
    /// Where the payer goes afterwards: https, of an allowed origin.
    pub return_url: Option<String>,
    /// At most 10 codes of moneroo-get-payment-methods, to narrow the choice.
    #[serde(default)]
    pub methods: Vec<String>,
    /// At most 10 texts of 200 characters, for your own use: nothing is decided by them.
    #[serde(default, deserialize_with = "shared::json::object")]
    pub metadata: Map<String, Value>,
    pub plan_id: Option<String>,
    pub test_id: Option<String>,
    /// Legacy: must be the caller.
    #[serde(alias = "userId")]
    pub user_id: Option<String>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header.
    #[serde(alias = "idempotencyKey")]
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Form {
    /// The wallet gets `amount`; the fee comes on top.
    WalletDeposit {
        amount: Amount,
        currency: Option<Currency>,
        #[serde(flatten)]
        how: How,
    },
    /// What is due for a ride.
    Ride {
        purpose_id: Uuid,
        /// Must be what is due, when it is said.
        amount: Option<Amount>,
        currency: Option<Currency>,
        #[serde(flatten)]
        how: How,
    },
    /// An entitlement, at the price of its plan.
    PlanPurchase {
        plan_id: String,
        test_id: Option<Uuid>,
        amount: Option<Amount>,
        currency: Option<Currency>,
        #[serde(flatten)]
        how: How,
    },
    /// An own open payment, to be paid through another provider. The old one stays watched.
    #[serde(untagged)]
    Switch {
        transaction_id: Uuid,
        amount: Option<Amount>,
        currency: Option<Currency>,
        #[serde(flatten)]
        how: How,
    },
}

/// By whom, for whom, and where to afterwards.
#[derive(JsonSchema)]
pub struct How {
    /// `moneroo` when left out.
    pub provider: Option<Provider>,
    /// Whom a request to a phone asks: an international number, `+` or not.
    pub phone: Option<String>,
    /// 1 to 500 characters.
    pub description: Option<String>,
    #[serde(default)]
    pub customer: Customer,
    /// Where the payer goes afterwards: https, of an allowed origin.
    pub return_url: Option<String>,
    /// At most 10 codes of moneroo-get-payment-methods, to narrow the choice.
    #[serde(default)]
    pub methods: Vec<String>,
    /// At most 10 texts of 200 characters, for your own use: nothing is decided by them.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// 8 to 255 visible ASCII characters; or the `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    Moneroo,
    Stripe,
    Paystack,
    Flutterwave,
    FlutterwaveV4,
    Cinetpay,
    Wave,
    OrangeMoney,
    MtnMomo,
    AirtelMoney,
    Paydunya,
}

/// A payment that waits for its payer: on `checkout_url`, in Stripe's own form with `client_secret`, or on his phone.
#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    /// The provider's.
    pub payment_id: Option<String>,
    pub status: PaymentStatus,
    /// What is bought, in minor units of `currency`.
    pub amount: Amount,
    pub fee: Units,
    /// What the payer pays.
    pub total: Amount,
    pub currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-null" = true))]
    pub checkout_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(JsonSchema)]
pub struct Bought {
    #[serde(flatten)]
    pub payment: Receipt,
    /// Ours.
    pub transaction_id: Uuid,
    pub payment_url: Option<String>,
}

#[derive(JsonSchema)]
pub struct Switched {
    #[serde(flatten)]
    pub payment: Receipt,
    /// Ours.
    pub transaction_id: Uuid,
    /// The provider's.
    pub reference: Option<String>,
}

#[derive(JsonSchema)]
pub struct Switch {
    /// An own open payment.
    #[serde(alias = "reference")]
    pub transaction_id: Uuid,
    pub phone: Option<String>,
    pub amount: Option<Amount>,
    pub currency: Option<Currency>,
}

/// The legacy envelope. `refund_payment` and `cancel_payment` are 403.
#[derive(JsonSchema)]
#[serde(tag = "action", content = "data", rename_all = "snake_case")]
pub enum Envelope {
    CreatePayment(Box<Ask>),
    CreateCheckout(Box<Ask>),
    GetPayment(Look),
    VerifyPayment(Look),
}

#[derive(JsonSchema)]
pub struct Look {
    /// The provider's, or ours.
    pub payment_id: String,
}

#[derive(JsonSchema)]
pub struct Enveloped {
    pub success: Yes,
    pub data: Receipt,
}

#[derive(JsonSchema)]
pub struct Looked {
    pub success: Yes,
    pub data: Shown,
}
