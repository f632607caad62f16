//! What two functions need, in reading order: values that cannot be wrong, how we say no, what a function promises,
//! who is asking, the questions to Postgres and to providers, then the domains. `edge` alone knows Workers.

pub mod money;
pub mod secret;
pub mod time;

pub mod error;

pub mod contract;

pub mod auth;
pub mod json;

pub mod cx;
pub mod db;
pub mod http;

pub mod payments;

pub mod edge;

#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a double that is misused fails its test"
)]
pub mod testing;
