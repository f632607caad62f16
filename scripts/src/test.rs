//! `cargo xtask test [FILTER]`: everything `check` does, then SQL and end to end on the real stack.

use std::io::Write as _;

use anyhow::Result;

use crate::build::{self, Profile};
use crate::{check, house, sizes};

mod tally;

pub use tally::Tally;

#[derive(clap::Args)]
pub struct Args {
    /// Only tests whose name contains this; a function's name also means all of its unit tests
    filter: Option<String>,
}

pub async fn run(args: Args) -> Result<()> {
    let mut tally = Tally::default();
    let filter = args.filter.as_deref();
    match filter {
        None => check::all(&mut tally).await,
        Some(filter) => units(&mut tally, filter).await?,
    }
    // What does not build cannot be called; the SQL is tested all the same.
    println!("\n── functions");
    let built = tally.step("functions", build::build(&[], Profile::Fast).await);
    on_the_stack(&mut tally, "sql", filter).await;
    if built {
        on_the_stack(&mut tally, "e2e", filter).await;
    }
    // Last, because it links everything once more; and not where somebody asks for a few tests.
    if built && filter.is_none() {
        println!("\n── sizes");
        tally.step("sizes", sizes::check().await);
    }
    if let Some(filter) = filter
        && tally == Tally::default()
    {
        println!("no test is called anything like {filter}");
        tally.failed += 1;
    }
    println!("\n{tally}");
    std::io::stdout().flush()?;
    if tally.failed > 0 {
        // The count is the last line, so no error line may follow it. Every child has ended by now.
        std::process::exit(1);
    }
    Ok(())
}

/// The unit tests and house rules that match.
async fn units(tally: &mut Tally, filter: &str) -> Result<()> {
    let names: Vec<_> = house::functions()?.into_iter().map(|function| function.name).collect();
    if names.iter().any(|name| name == filter) {
        tally.cargo(&format!("unit tests of {filter}"), &["test", "--quiet", "-p", filter]).await;
        let rest = ["test", "--quiet", "--workspace", "--exclude", filter, "--no-fail-fast", "--", filter];
        tally.cargo("house rules that match", &rest).await;
    } else {
        let matching = ["test", "--quiet", "--workspace", "--no-fail-fast", "--", filter];
        tally.cargo("unit tests and house rules that match", &matching).await;
    }
    Ok(())
}

/// A target of the package `tests` that starts what it needs and ends it again.
async fn on_the_stack(tally: &mut Tally, target: &str, filter: Option<&str>) {
    let mut args = vec!["test", "--package", "tests", "--test", target];
    // Migrations and their tests are called like the function, in snake_case.
    let snake = filter.map(|filter| filter.replace('-', "_"));
    let filter = if target == "sql" { snake.as_deref() } else { filter };
    if let Some(filter) = filter {
        args.extend(["--", filter]);
    }
    tally.cargo(target, &args).await;
}
