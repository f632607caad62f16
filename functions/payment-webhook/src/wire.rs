//! For every provider but Moneroo: `?provider=NAME`, with `&t=TOKEN` where a provider signs nothing and the address is the proof. The
//! event is stored, then answered, and only then the provider is asked. A `GET` only tries the address.

use schemars::JsonSchema;
use shared::contract::{Contract, Provider};
use shared::error::{BAD_JSON, INVALID_SIGNATURE, NOT_CONFIGURED, Refusal};
use shared::payments::shown::{Event, Received};
use shared::wire::{Wire, Yes, told};

pub const NOT_FOUND: Refusal = Refusal::new(404, "NOT_FOUND", "no such provider");
pub const CONTRACT: Contract<Provider> = Contract::post("payment-webhook")
    .or_get()
    .or_put()
    .webhook()
    .refuses(&[INVALID_SIGNATURE, NOT_FOUND, BAD_JSON, NOT_CONFIGURED])
    .rpc_refuses(&["INVALID_SIGNATURE"]);
pub const WIRE: Wire = Wire::of::<Event>(&CONTRACT.spec, &[told::<Received>(200), told::<Tried>(200)]).query::<Query>();

#[derive(JsonSchema)]
pub struct Query {
    /// A name of docs/providers.md, but `moneroo`; the legacy names say it themselves.
    pub provider: Option<String>,
    /// The address's own proof, for a provider that signs nothing.
    pub t: Option<String>,
}

/// The address exists, and its provider is configured.
#[derive(JsonSchema)]
pub struct Tried {
    pub success: Yes,
}
