//! `cargo xtask COMMAND`: see `cargo xtask --help`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "not at the edge: here a panic ends one program, with its cause"
)]

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use xtask::process::{Launch, run};
use xtask::{audit, build, check, deploy, dev, fuzz, house, migrate, new, sizes, test, wrangler};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The one command of the house", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything, run the demo story, serve, and rebuild on save
    Dev(dev::Args),
    /// Apply the migrations, under a lock, with checksums
    Migrate(migrate::Args),
    /// Verify books and sealed days on a live database, and print the figures
    Audit(audit::Args),
    /// Everything `check` does, then SQL and end to end on the real stack
    Test(test::Args),
    /// What needs no stack: formatting, lints, unit tests, house rules, fresh generated files
    Check(check::Args),
    /// Compile functions to WebAssembly bundles
    Build(build::Args),
    /// Weigh every function as it is deployed, against docs/sizes.toml
    Sizes(sizes::Args),
    /// Write the generated files: one wrangler.toml per function, docs/openapi.json, clients/ts
    Gen(wrangler::Args),
    /// A new function that compiles, is tested and is served
    New(new::Args),
    /// Deploy every function, gateway last
    Deploy(deploy::Args),
    /// Search for bytes that break what strangers' bytes must leave whole
    Fuzz(fuzz::Args),
    /// Measure ours and the peers', interleaved
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Dropping the command's future ends every process it started: that is all there is to a Ctrl-C.
    let outcome = tokio::select! {
        outcome = dispatch(cli.command) => outcome,
        signal = interrupted() => {
            eprintln!("error: stopped by {signal}; everything started here has ended");
            return ExitCode::from(130);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Test(args) => test::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Build(args) => build::run(args).await,
        Command::Sizes(args) => sizes::run(args).await,
        Command::Gen(args) => wrangler::run(args).await,
        Command::New(args) => new::run(args).await,
        Command::Deploy(args) => deploy::run(args).await,
        Command::Fuzz(args) => fuzz::run(args).await,
        Command::Bench { args } => bench(args).await,
    }
}

/// A package of its own, so that measuring is always optimised and `cargo xtask` stays quick to compile.
async fn bench(args: Vec<String>) -> Result<()> {
    let cargo = Launch::new("bench", std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--profile", "fast", "--package", "bench", "--"])
        .args(args)
        .dir(house::root());
    let status = run(cargo).await?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}

#[cfg(unix)]
async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term), Ok(mut hup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => "Ctrl-C",
        _ = term.recv() => "SIGTERM",
        _ = hup.recv() => "SIGHUP",
    }
}

#[cfg(not(unix))]
async fn interrupted() -> &'static str {
    let _ = tokio::signal::ctrl_c().await;
    "Ctrl-C"
}
