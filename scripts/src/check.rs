//! `cargo xtask check`: what needs no stack.

use anyhow::{Result, ensure};

use crate::house;
use crate::test::Tally;
use crate::wrangler;

mod squawk;

#[derive(clap::Args)]
pub struct Args {}

pub async fn run(_args: Args) -> Result<()> {
    let mut tally = Tally::default();
    all(&mut tally).await;
    println!("\n{tally}");
    ensure!(tally.failed == 0, "the check failed");
    Ok(())
}

/// Formatting, lints, generated files, migrations, unit tests and house rules. Goes on after a failure: one run names them all.
pub async fn all(tally: &mut Tally) {
    tally.cargo("formatting", &["fmt", "--all", "--check"]).await;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    tally.cargo("lints", &lints).await;
    tally.step("generated files", fresh());
    println!("\n── squawk");
    tally.step("squawk", squawk::lint().await);
    tally.cargo("unit tests and house rules", &["test", "--workspace", "--no-fail-fast"]).await;
}

fn fresh() -> Result<()> {
    let stale: Vec<_> = wrangler::stale()?.iter().map(|(file, _)| house::shown(file)).collect();
    ensure!(stale.is_empty(), "stale: {}; run `cargo xtask gen`", stale.join(", "));
    Ok(())
}
