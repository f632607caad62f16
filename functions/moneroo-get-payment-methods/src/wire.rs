//! How one can pay, per currency and country: Moneroo's list, of the currencies that are switched on. Remembered for an hour, and
//! for a day while Moneroo is down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Contract, User};
use shared::error::NOT_CONFIGURED;
use shared::money::Currency;
use shared::wire::{Wire, Yes, told};

pub const CONTRACT: Contract<User> =
    Contract::post("moneroo-get-payment-methods").or_get().user().refuses(&[NOT_CONFIGURED]);
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Deserialize, JsonSchema)]
pub struct Ask {
    pub currency: Option<Currency>,
    /// Two letters, ISO 3166; `GN`, and every country of the currency, when left out.
    pub country: Option<String>,
}

#[derive(JsonSchema)]
pub struct Receipt {
    pub success: Yes,
    /// Those of the currency, and of the country when one was named.
    pub methods: Vec<Method>,
    pub all_methods: Vec<Method>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    pub code: String,
    pub name: String,
    #[schemars(with = "Currency")]
    pub currency: String,
    pub countries: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
}
