//! `cargo xtask bench [SUITE…]`: ours and the peers', interleaved in one run. See docs/benchmarks.md.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "not at the edge: here a panic ends one program, with its cause"
)]

mod case;
mod cold;
mod contract;
mod cpu;
mod edge;
mod edit;
mod ledger;
mod load;
mod machine;
mod open;
mod plot;
mod report;
mod rows;
mod scale;
mod size;
mod soak;
mod stage;
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
use crate::report::figures::{Figures, Run};
use crate::rows::Row;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// CPU per request, throughput and latency
    Edge,
    /// The first call of a new process, and what each worker holds in memory
    Cold,
    /// Latency at a quarter, half and three quarters of the saturation, whoever is slow
    Open,
    /// Postings per second, and what Postgres spends on each
    Ledger,
    /// Bytes of every function
    Size,
    /// A million calls: memory that does not grow, and no 5xx; only when it is named
    Soak,
    /// The same calls at ten thousand and at ten million entries: half an hour; only when it is named
    Scale,
    /// From a saved source to its answer, of one function and of `shared`; only when it is named
    Edit,
}

/// Ours and the peers', interleaved in one run
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Settings {
    /// What to measure; when none is named everything but soak, scale and edit, or with --from nothing
    suites: Vec<Suite>,
    /// Write the figures as flat rows
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the figures as Markdown, into the marked part of a page if it has one
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Render the page of all figures, with its budgets, plots and rows [default: docs/benchmarks.md]
    #[arg(long, value_name = "PAGE", num_args = 0..=1, require_equals = true, default_missing_value = report::PAGE)]
    report: Option<PathBuf>,
    /// Take in what --json wrote earlier; of two figures of one thing the later file's, or the measured one, counts
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// How often each subject has its turn; cold has --starts [default: 5; edge: 15; ledger and edit: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a turn takes [default: 3; open: 5; edge and ledger: 1]
    #[arg(long)]
    seconds: Option<f64>,
    /// How long each subject is warmed up: before a case, in ledger before each turn [default: 10; open: 5; ledger: 0.75]
    #[arg(long, alias = "warmup")]
    warm_up: Option<f64>,
    /// Suites edge, open and soak: requests under way at once; in open, while the saturation is looked for
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Users whose wallets the load is spread over [default: 400; ledger: 2000]
    #[arg(long)]
    callers: Option<usize>,
    /// Suite soak: how many are sent, after a fifth of them to warm up
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
    /// Suite scale: at how many ledger entries the calls are measured
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 10_000_000])]
    rows: Vec<u64>,
    /// Suite cold: processes that are started for each case and subject
    #[arg(long, default_value_t = 100)]
    starts: usize,
    /// Suite open: the same seed, the same arrivals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Suite edge: some cases only
    #[arg(long, value_delimiter = ',', default_values_t = Case::ALL)]
    cases: Vec<Case>,
    /// Suites edge and cold: some subjects only
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
            // Many short rounds: two subjects are compared within each.
            Suite::Edge => (15, 1.0, 10.0, 400),
            Suite::Cold | Suite::Size | Suite::Soak | Suite::Scale => (5, 3.0, 10.0, 400),
            // Of a quarter of the saturation there have to be enough for a p99.
            Suite::Open => (5, 5.0, 5.0, 400),
            // 30 turns a round: less than four minutes.
            Suite::Ledger => (3, 1.0, 0.75, 2000),
            Suite::Edit => (3, 3.0, 10.0, 400),
        };
        Plan {
            rounds: self.rounds.unwrap_or(rounds),
            span: Duration::from_secs_f64(self.seconds.unwrap_or(seconds)),
            warm_up: Duration::from_secs_f64(self.warm_up.unwrap_or(warm_up)),
            callers: self.callers.unwrap_or(callers),
        }
    }

    fn wants(&self, suite: Suite) -> bool {
        let is_long = matches!(suite, Suite::Soak | Suite::Scale | Suite::Edit);
        let is_usual = self.suites.is_empty() && self.from.is_empty() && !is_long;
        is_usual || self.suites.contains(&suite)
    }

    fn measures(&self) -> bool {
        self.from.is_empty() || !self.suites.is_empty()
    }

    fn check(&self) -> Result<()> {
        ensure!(self.rounds != Some(0) && self.connections > 0, "--rounds and --connections start at 1");
        ensure!(self.starts > 0, "--starts starts at 1");
        let in_bounds = |seconds: Option<f64>| seconds.is_none_or(|seconds| (0.1..=600.0).contains(&seconds));
        ensure!(in_bounds(self.seconds), "--seconds is between 0.1 and 600");
        ensure!(in_bounds(self.warm_up), "--warm-up is between 0.1 and 600");
        ensure!(self.requests >= 1_000, "--requests starts at 1000: a slope needs its readings");
        scale::check(&self.rows)?;
        let clients = [
            (Suite::Edge, self.connections),
            (Suite::Soak, self.connections),
            (Suite::Open, self.connections.max(open::fire::LANES)),
            (Suite::Ledger, ledger::MOST_CLIENTS),
        ];
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
    let mut figures = Figures::default();
    for file in &settings.from {
        figures = figures.and(Figures::read(file)?);
    }
    if settings.measures() {
        figures = figures.and(measure(settings).await?);
    }
    print!("{}", report::terminal(&figures));
    if let Some(file) = &settings.json {
        figures.write(file)?;
    }
    if let Some(file) = &settings.markdown {
        report::tables_into(&figures, file)?;
    }
    if let Some(page) = &settings.report {
        report::publish(&figures, &xtask::house::root().join(page))?;
    }
    Ok(())
}

async fn measure(settings: &Settings) -> Result<Figures> {
    let mut machine = Machine::look()?;
    let mut rows = Vec::new();
    if settings.wants(Suite::Edge) {
        rows.extend(edge::run(settings, &mut machine).await?.into_iter().map(Row::Edge));
    }
    if settings.wants(Suite::Cold) {
        rows.extend(cold::run(settings).await?);
    }
    if settings.wants(Suite::Open) {
        rows.extend(open::run(settings, &mut machine).await?.into_iter().map(Row::Open));
    }
    if settings.wants(Suite::Ledger) {
        rows.extend(ledger::run(settings, &mut machine).await?.into_iter().map(Row::Ledger));
    }
    if settings.wants(Suite::Size) {
        rows.extend(size::run().await?.into_iter().map(Row::Size));
    }
    if settings.wants(Suite::Scale) {
        rows.extend(scale::run(settings, &mut machine).await?);
    }
    if settings.wants(Suite::Edit) {
        rows.extend(edit::run(settings).await?.into_iter().map(Row::Edit));
    }
    if settings.wants(Suite::Soak) {
        rows.push(Row::Soak(soak::run(settings, &mut machine).await?));
    }
    Figures::measured(Run::now(&machine, std::env::args().skip(1)), &rows)
}

#[cfg(test)]
mod tests;
