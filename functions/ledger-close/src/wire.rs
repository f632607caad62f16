//! Seals the days that are over into the hash chain, and compares payments that have ended with what their provider says now.
//! Safe at any rate: a sealed day stays sealed, a compared payment is not compared again.

use schemars::JsonSchema;
use serde::Serialize;
use shared::contract::{Clock, Contract};
use shared::wire::{Nothing, Wire, Yes, told};

pub const CONTRACT: Contract<Clock> = Contract::post("ledger-close").cron();
pub const WIRE: Wire = Wire::of::<Nothing>(&CONTRACT.spec, &[told::<Receipt>(200)]);

#[derive(Serialize, JsonSchema)]
pub struct Receipt {
    /// Payments that were compared.
    pub checked: u32,
    pub differences: u32,
    /// The chain's last hash, in hex; null before the first day is over. Note it where the database's owner cannot write.
    pub head: Option<String>,
    /// Days.
    pub sealed: u32,
    /// Their provider gave no usable answer: their turn comes again.
    pub silent: u32,
    pub success: Yes,
}
