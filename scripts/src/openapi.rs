//! docs/openapi.json and clients/ts: written by the package `openapi`, which compiles the functions' own types into it.

use anyhow::{Result, ensure};

use crate::build::cargo;
use crate::house;
use crate::process::{Launch, run};

/// Writes what is stale; with `check` only says so, and fails.
pub async fn generate(check: bool) -> Result<()> {
    let flag = check.then_some("--check");
    let cargo = Launch::new("openapi", cargo())
        .args(["run", "--quiet", "--package", "openapi", "--"])
        .args(flag)
        .dir(house::root());
    ensure!(run(cargo).await?.success(), "docs/openapi.json and clients/ts: the reason is above");
    Ok(())
}
