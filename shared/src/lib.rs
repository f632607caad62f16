//! What two functions need, in reading order: values that cannot be wrong, how we say no, what a function promises,
//! who is asking, the questions to Postgres and to providers, then the domains. `edge` alone knows Workers.

pub mod money;
pub mod secret;
pub mod text;
pub mod time;

pub mod error;

pub mod contract;
pub mod wire;

pub mod auth;
pub mod identity;
pub mod json;
pub mod jwks;

pub mod budget;
pub mod cache;
pub mod crypto;
pub mod cx;
pub mod db;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod resilience;
pub mod trace;

pub mod payments;
pub mod rides;

pub mod edge;

#[cfg(any(test, feature = "testing"))]
pub mod fuzz;

#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a double that is misused fails its test"
)]
pub mod testing;
