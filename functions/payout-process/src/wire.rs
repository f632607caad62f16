//! Sends the payouts that are due, at most 50 in a run, each at most once. What no rail takes waits for an admin.

use shared::contract::{Clock, Contract};
use shared::payments::shown::Tally;
use shared::wire::{Nothing, Wire, told};

pub const CONTRACT: Contract<Clock> = Contract::post("payout-process").cron();
pub const WIRE: Wire = Wire::of::<Nothing>(&CONTRACT.spec, &[told::<Tally>(200)]);
