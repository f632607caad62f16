//! House rules: what a reviewer would otherwise have to remember. Each message says what to do.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where an edge function must not"
)]

mod files;
mod functions;
mod headers;
mod licences;
mod limits;
mod migrations;
mod requirements;
mod rust;
mod tree;
mod wire;
