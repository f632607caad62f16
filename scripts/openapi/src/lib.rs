//! `docs/openapi.json` and `clients/ts`, from the Rust types of the wire: what the functions read and answer is what the document
//! says, because it is the same type. A package of its own, so that `cargo xtask` compiles without the functions.
//!
//! Below in reading order: what the functions say, schemas, refusals, one function described, the document, the client.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool and its tests may stop where an edge function must not"
)]

pub mod functions;

mod codes;
mod schemas;

mod describe;

mod client;
mod document;
mod typescript;

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use xtask::house;

pub use describe::{Described, described};

/// The generated files that differ from what they should be, each with the text that it should have.
pub fn stale() -> Result<Vec<(PathBuf, String)>> {
    let functions = described()?;
    let files = [
        ("docs/openapi.json", document::json(&functions)?),
        ("clients/ts/index.d.ts", client::declarations(&functions)?),
        ("clients/ts/index.js", client::runtime(&functions)),
    ];
    let files = files.into_iter().map(|(path, text)| (house::root().join(path), text));
    Ok(files.filter(|(path, text)| fs::read_to_string(path).ok().as_deref() != Some(text)).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_committed_is_what_the_types_say() {
        let stale = super::stale().unwrap_or_else(|error| panic!("{error:#}"));
        let names: Vec<_> = stale.iter().map(|(file, _)| xtask::house::shown(file)).collect();
        assert!(names.is_empty(), "stale: {}; run `cargo xtask gen`", names.join(", "));
    }
}
