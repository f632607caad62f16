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
mod ledger;
mod load;
mod machine;
mod report;
mod rows;
mod size;
mod soak;
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
    /// Postings per second, and what Postgres spends on each
    Ledger,
    /// Bytes of every function
    Size,
    /// A million calls: memory that does not grow, and no 5xx; only when it is named
    Soak,
}

/// Ours and the peers', interleaved in one run
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Settings {
    /// What to measure; everything but soak when none is named
    suites: Vec<Suite>,
    /// Write the figures as flat rows
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the figures as Markdown, into the marked part of a page if it has one
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// How often each subject has its turn [default: 5; ledger: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a turn takes [default: 3; ledger: 1]
    #[arg(long)]
    seconds: Option<f64>,
    /// How long each subject is warmed up: before a case, in ledger before each turn [default: 10; ledger: 0.75]
    #[arg(long, alias = "warmup")]
    warm_up: Option<f64>,
    /// Suites edge and soak: requests under way at once
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Users whose wallets the load is spread over [default: 400; ledger: 2000]
    #[arg(long)]
    callers: Option<usize>,
    /// Suite soak: how many are sent, after a fifth of them to warm up
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
    /// Suite edge: some cases only
    #[arg(long, value_delimiter = ',', default_values_t = Case::ALL)]
    cases: Vec<Case>,
    /// Suite edge: some subjects only
    #[arg(long, value_delimiter = ',', default_values_t = Name::ALL)]
    subjects: Vec<Name>,
}

/// How much work a suite is.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    span: Duration,
    warm_up: Duration,
    callers: usize,
}

impl Settings {
    /// What was asked for; what was not is the suite's own.
    fn plan(&self, suite: Suite) -> Plan {
        let (rounds, seconds, warm_up, callers) = match suite {
            Suite::Edge | Suite::Size | Suite::Soak => (5, 3.0, 10.0, 400),
            // 27 turns a round: less than four minutes.
            Suite::Ledger => (3, 1.0, 0.75, 2000),
        };
        Plan {
            rounds: self.rounds.unwrap_or(rounds),
            span: Duration::from_secs_f64(self.seconds.unwrap_or(seconds)),
            warm_up: Duration::from_secs_f64(self.warm_up.unwrap_or(warm_up)),
            callers: self.callers.unwrap_or(callers),
        }
    }

    fn wants(&self, suite: Suite) -> bool {
        (self.suites.is_empty() && suite != Suite::Soak) || self.suites.contains(&suite)
    }

    fn check(&self) -> Result<()> {
        ensure!(self.rounds != Some(0) && self.connections > 0, "--rounds and --connections start at 1");
        let in_bounds = |seconds: Option<f64>| seconds.is_none_or(|seconds| (0.1..=600.0).contains(&seconds));
        ensure!(in_bounds(self.seconds), "--seconds is between 0.1 and 600");
        ensure!(in_bounds(self.warm_up), "--warm-up is between 0.1 and 600");
        ensure!(self.requests >= 1_000, "--requests starts at 1000: a slope needs its readings");
        let clients =
            [(Suite::Edge, self.connections), (Suite::Soak, self.connections), (Suite::Ledger, ledger::MOST_CLIENTS)];
        for (suite, clients) in clients {
            let enough = !self.wants(suite) || self.plan(suite).callers >= 2 * clients;
            ensure!(enough, "--callers is at least two for each of {clients} connections");
        }
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
    if settings.wants(Suite::Ledger) {
        rows.extend(ledger::run(settings, &mut machine).await?.into_iter().map(Row::Ledger));
    }
    if settings.wants(Suite::Size) {
        rows.extend(size::run().await?.into_iter().map(Row::Size));
    }
    if settings.wants(Suite::Soak) {
        rows.push(Row::Soak(soak::run(settings, &mut machine).await?));
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
        assert!(some.wants(Suite::Size) && !some.wants(Suite::Edge) && !some.wants(Suite::Ledger));
        let soak = parse("bench soak --requests 20000").expect("it parses");
        assert!(soak.wants(Suite::Soak) && soak.requests == 20_000 && !soak.wants(Suite::Edge));
        let all = parse("bench").expect("it parses");
        assert!(!all.wants(Suite::Soak), "half an hour is asked for");
        assert!(
            [Suite::Edge, Suite::Ledger, Suite::Size].map(|suite| all.wants(suite)) == [true; 3]
                && all.cases == Case::ALL
                && all.subjects == Name::ALL
        );
    }

    #[test]
    fn cases_and_subjects_can_be_chosen_by_the_names_of_the_rows() {
        let some = parse("bench edge --cases wallet-transfer/hs256,hop --subjects cauris,js").expect("it parses");
        assert_eq!((some.cases.len(), some.subjects.len()), (2, 2));
    }

    #[test]
    fn each_suite_has_its_own_measure_unless_told_otherwise() {
        let own = parse("bench").expect("it parses");
        assert_eq!((own.plan(Suite::Edge).rounds, own.plan(Suite::Ledger).rounds), (5, 3));
        let told = parse("bench ledger --rounds 1 --seconds 2 --warmup 0.5").expect("it parses").plan(Suite::Ledger);
        assert_eq!((told.rounds, told.span.as_millis(), told.warm_up.as_millis(), told.callers), (1, 2000, 500, 2000));
    }

    #[test]
    fn a_load_that_cannot_be_is_refused() {
        for line in [
            "bench --rounds 0",
            "bench edge --connections 8 --callers 15",
            "bench ledger --callers 127",
            "bench --seconds 0",
            "bench soak --requests 999",
            "bench soak --callers 15",
            "bench ledgers",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
