//! The one command of the house, as a library: `tests` and `scripts/bench` start the same stack that
//! `cargo xtask dev` does.
//!
//! Below in reading order: what the house holds, what it needs, how its parts run, what the commands do.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool and its tests may stop where an edge function must not"
)]

pub mod house;
pub mod keys;

pub mod process;
pub mod tools;

pub mod build;
mod bundle;
pub mod capnp;
mod entry;
pub mod openapi;
mod ships;
pub mod slim;
pub mod viewer;
pub mod wrangler;

pub mod audit;
pub mod functions;
pub mod mail;
pub mod migrate;
pub mod postgres;
pub mod rest;
pub mod stack;

pub mod check;
pub mod deploy;
pub mod dev;
pub mod fuzz;
pub mod new;
pub mod sizes;
pub mod story;
pub mod test;
pub mod watch;
