//! Asks the providers about each payment and payout that is due and each event that waits, and settles. Safe at any rate, and at
//! once. It never begins a payment and never sends a payout.

use shared::contract::{Clock, Contract};
use shared::error::NOT_CONFIGURED;
use shared::payments::shown::Tally;
use shared::wire::{Nothing, Wire, told};

pub const CONTRACT: Contract<Clock> = Contract::post("retry-failed-transactions").cron().refuses(&[NOT_CONFIGURED]);
pub const WIRE: Wire = Wire::of::<Nothing>(&CONTRACT.spec, &[told::<Tally>(200)]);
