//! Asks the provider about the caller's own payment, whichever the provider, at most once in 5 seconds, and settles it. Call it when
//! the payer comes back to your page: that page is no proof of anything.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::contract::{Contract, Limit, User};
use shared::error::NOT_CONFIGURED;
use shared::payments::shown::Shown;
use shared::wire::{Wire, Yes, told};

pub const CONTRACT: Contract<User> =
    Contract::post("moneroo-verify-payment").or_get().user().limit(Limit::Payment).refuses(&[NOT_CONFIGURED]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]).form::<Form>();

#[derive(Deserialize, JsonSchema)]
pub struct Ask {
    /// The provider's, or ours.
    pub payment_id: Option<String>,
}

#[derive(JsonSchema)]
pub struct Form {
    /// The provider's, or ours.
    pub payment_id: String,
}

#[derive(Serialize, JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    #[schemars(with = "Shown")]
    pub payment: Map<String, Value>,
    /// The provider did not answer: this is what we knew before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<Yes>,
}
