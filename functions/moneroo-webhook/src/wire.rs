//! For Moneroo, not for you. `X-Moneroo-Signature` is the hex HMAC-SHA256 of the raw body, with or without `sha256=`. The event is
//! stored, then answered, and only then Moneroo is asked: nothing is believed that is written in the body.

use shared::contract::{Contract, Provider};
use shared::error::{BAD_JSON, INVALID_SIGNATURE, NOT_CONFIGURED};
use shared::payments::shown::{Event, Received};
use shared::wire::{Wire, told};

pub const CONTRACT: Contract<Provider> =
    Contract::post("moneroo-webhook").webhook().refuses(&[INVALID_SIGNATURE, BAD_JSON, NOT_CONFIGURED]);
pub const WIRE: Wire = Wire::of::<Event>(&CONTRACT.spec, &[told::<Received>(200)]);
