//! `cargo xtask bench [SUITE…]`: ours and the peers', interleaved in one run. See docs/benchmarks.md.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "not at the edge: here a panic ends one program, with its cause"
)]

mod case;
mod contract;
mod cpu;
mod edge;
mod load;
mod machine;
mod report;
mod rows;
mod size;
mod stats;
mod subject;
mod traffic;
mod workerd;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::case::{Case, Name};
use crate::machine::Machine;
use crate::rows::Row;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// CPU per request, throughput and latency
    Edge,
    /// Bytes of every function
    Size,
}

/// Ours and the peers', interleaved in one run
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Settings {
    /// What to measure; everything when none is named
    suites: Vec<Suite>,
    /// Write the figures as flat rows
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the figures as Markdown, into the marked part of a page if it has one
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// How often each subject has its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a turn takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long each subject is warmed up before a case
    #[arg(long, default_value_t = 10.0)]
    warm_up: f64,
    /// Requests under way at once
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Users whose wallets the load is spread over
    #[arg(long, default_value_t = 400)]
    callers: usize,
    /// Some cases only
    #[arg(long, value_delimiter = ',', default_values_t = Case::ALL)]
    cases: Vec<Case>,
    /// Some subjects only
    #[arg(long, value_delimiter = ',', default_values_t = Name::ALL)]
    subjects: Vec<Name>,
}

impl Settings {
    fn span(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    fn wants(&self, suite: Suite) -> bool {
        self.suites.is_empty() || self.suites.contains(&suite)
    }

    fn check(&self) -> Result<()> {
        ensure!(self.rounds > 0 && self.connections > 0, "--rounds and --connections start at 1");
        ensure!((0.1..=600.0).contains(&self.seconds), "--seconds is between 0.1 and 600");
        ensure!((0.1..=600.0).contains(&self.warm_up), "--warm-up is between 0.1 and 600");
        ensure!(self.callers >= 2 * self.connections, "--callers is at least two for each of --connections");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    // Dropping the run's future ends every process that it started.
    let outcome = tokio::select! {
        outcome = run(&settings) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped by Ctrl-C; everything started here has ended")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<()> {
    settings.check()?;
    let mut machine = Machine::look()?;
    let mut rows = Vec::new();
    if settings.wants(Suite::Edge) {
        rows.extend(edge::run(settings, &mut machine).await?.into_iter().map(Row::Edge));
    }
    if settings.wants(Suite::Size) {
        rows.extend(size::run().await?.into_iter().map(Row::Size));
    }
    let machine = machine.describe();
    print!("{}", report::terminal(&rows, &machine));
    if let Some(file) = &settings.json {
        rows::write(&rows, file)?;
    }
    if let Some(file) = &settings.markdown {
        report::publish(&report::markdown(&rows, &machine), file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Settings> {
        let settings = Settings::try_parse_from(line.split(' '))?;
        settings.check()?;
        Ok(settings)
    }

    #[test]
    fn suites_are_named_or_all_of_them_run() {
        let some = parse("bench size --json rows.json").expect("it parses");
        assert!(some.wants(Suite::Size) && !some.wants(Suite::Edge));
        let all = parse("bench").expect("it parses");
        assert!(
            all.wants(Suite::Size) && all.wants(Suite::Edge) && all.cases == Case::ALL && all.subjects == Name::ALL
        );
    }

    #[test]
    fn cases_and_subjects_can_be_chosen_by_the_names_of_the_rows() {
        let some = parse("bench edge --cases wallet-transfer/hs256,hop --subjects cauris,js").expect("it parses");
        assert_eq!((some.cases.len(), some.subjects.len()), (2, 2));
    }

    #[test]
    fn a_load_that_cannot_be_is_refused() {
        for line in ["bench --rounds 0", "bench --connections 8 --callers 15", "bench --seconds 0", "bench ledgers"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
