//! Suite `ledger`: what a posting costs Postgres, alone and under contention, beside the least that a transfer can be.
//!
//! No edge and no gateway: the load speaks to Postgres as the gateway does. Everyone has a turn in every round, every
//! second round backwards, and the median over the rounds is the figure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::sleep;
use xtask::tools;

use crate::machine::Machine;
use crate::rows::Ledger;
use crate::stats::{hundredths, median, percentile, tenths};
use crate::{Plan, Settings, Suite};

mod books;
mod drive;
mod leaves;
mod pgbench;
mod table;
mod written;

use books::Books;
pub use books::raise_limits;
use pgbench::Pgbench;
pub use table::{parts, tables};

/// Of any case: each needs accounts of its own.
pub const MOST_CLIENTS: usize = 64;

/// What a posting moves, in GNF: the least that one operation may be.
const AMOUNT: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    /// Nobody's payer or payee is another client's.
    Spread,
    /// All pay one.
    Hot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    pattern: Pattern,
    clients: usize,
}

impl Case {
    const ALL: [Self; 6] = [
        Self::new(Pattern::Spread, 1),
        Self::new(Pattern::Spread, 8),
        Self::new(Pattern::Spread, MOST_CLIENTS),
        Self::new(Pattern::Hot, 1),
        Self::new(Pattern::Hot, 8),
        Self::new(Pattern::Hot, MOST_CLIENTS),
    ];

    const fn new(pattern: Pattern, clients: usize) -> Self {
        Self { pattern, clients }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = match self.pattern {
            Pattern::Spread => "spread",
            Pattern::Hot => "hot",
        };
        write!(f, "{pattern}/{}", self.clients)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// A transfer as a user asks for it, with everything that belongs to it, sent by this program.
    Ours,
    /// The rows that such a transfer leaves and nothing else: the floor of what it promises.
    Rows,
    /// The statements of `ours`, sent by pgbench.
    Pgbench,
    /// Two updates of a plain table, sent by pgbench: the floor of any transfer.
    Bare,
    /// `ledger.post` alone, from a wallet to a wallet, sent by this program.
    Post,
    /// The same, from a wallet to an account without a floor.
    Merchant,
}

impl Subject {
    const ALL: [Self; 6] = [Self::Ours, Self::Rows, Self::Pgbench, Self::Bare, Self::Post, Self::Merchant];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Rows => "rows",
            Self::Pgbench => "pgbench",
            Self::Bare => "bare",
            Self::Post => "post",
            Self::Merchant => "merchant",
        }
    }

    /// A merchant is one: there is nothing to spread. Of a wallet that all pay no client knows the balance without asking.
    fn takes_part(self, case: Case) -> bool {
        match self {
            Self::Merchant => case.pattern == Pattern::Hot,
            Self::Rows => case.pattern == Pattern::Spread,
            Self::Ours | Self::Pgbench | Self::Bare | Self::Post => true,
        }
    }
}

/// Who pays whom in a case: accounts are numbered from zero, and the one that all pay comes after the others.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    callers: usize,
    case: Case,
}

impl Crowd {
    fn share(self) -> usize {
        self.callers / self.case.clients
    }

    /// Payer and payee of a client's turn.
    fn pair(self, client: usize, turn: usize) -> (usize, usize) {
        let at = |turn: usize| client * self.share() + turn % self.share();
        let payee = if self.case.pattern == Pattern::Hot { self.callers } else { at(turn + 1) };
        (at(turn), payee)
    }
}

/// A posting that was answered: when, since the epoch, and after how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    at: Duration,
    took: Duration,
}

/// The part of a turn that counts: after the warm-up, before anyone stops.
struct Window {
    from: Duration,
    to: Duration,
    /// What Postgres and all its processes used in it.
    cpu: Duration,
}

/// One subject's turn.
#[derive(Debug, PartialEq)]
struct Turn {
    tps: f64,
    pg_cpu_us: f64,
    p99_ms: f64,
}

pub async fn run(settings: &Settings, machine: &mut Machine) -> Result<Vec<Ledger>> {
    ensure!(cfg!(target_os = "linux"), "suite ledger reads CPU time from /proc, which only Linux has");
    // Open to all, because Postgres refuses to be root and has to reach it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let dir = tempfile::Builder::new().prefix("cauris-ledger-").permissions(open).tempdir()?;
    tools::ensure().await?;
    let plan = settings.plan(Suite::Ledger);
    let mut books = Books::open(dir.path(), plan.callers).await?;
    machine.postgres = Some(books.version().await?);
    let pgbench = Pgbench::find(dir.path(), &books).await?;
    machine.pgbench = pgbench.as_ref().map(|pgbench| pgbench.version.clone());
    let mut hall = Hall { plan, books: &mut books, pgbench: pgbench.as_ref() };
    let measured = hall.rounds().await;
    let posted = books.posted();
    books.close().await;
    let rows = measured?;
    eprintln!("books balance after {posted} postings");
    Ok(rows)
}

/// Where the turns take place.
struct Hall<'a> {
    plan: Plan,
    books: &'a mut Books,
    pgbench: Option<&'a Pgbench>,
}

impl Hall<'_> {
    async fn rounds(&mut self) -> Result<Vec<Ledger>> {
        self.compare().await?;
        let entrants = entrants(self.pgbench.is_some());
        let mut turns: BTreeMap<(Case, Subject), Vec<Turn>> = BTreeMap::new();
        for round in 1..=self.plan.rounds {
            let mut order = entrants.clone();
            if round % 2 == 0 {
                order.reverse();
            }
            for (case, subject) in order {
                let turn = self.fire(case, subject).await?;
                let name = subject.name();
                eprintln!("round {round} of {}: {case} {name} {:.0} a second", self.plan.rounds, turn.tps);
                turns.entry((case, subject)).or_default().push(turn);
            }
            self.books.check().await?;
        }
        Ok(entrants.into_iter().filter_map(|entrant| Some(row(entrant, turns.get(&entrant)?))).collect())
    }

    /// Before anything is timed: a transfer that leaves more than `rows` has another floor.
    async fn compare(&self) -> Result<()> {
        let crowd = Crowd { callers: self.plan.callers, case: Case::new(Pattern::Spread, 1) };
        let ours = drive::leaves(Subject::Ours, crowd, self.books).await?;
        leaves::compare(&ours, &drive::leaves(Subject::Rows, crowd, self.books).await?)
    }

    async fn fire(&mut self, case: Case, subject: Subject) -> Result<Turn> {
        let crowd = Crowd { callers: self.plan.callers, case };
        let stop = Arc::new(AtomicBool::new(false));
        let load = match (subject, self.pgbench) {
            (Subject::Pgbench | Subject::Bare, Some(pgbench)) => {
                let load = tokio::spawn(pgbench.run(subject, crowd, self.plan.warm_up + self.plan.span)?);
                self.books.await_pgbench(case.clients, &load).await?;
                load
            }
            _ => tokio::spawn(drive::run(drive::open(subject, crowd, self.books).await?, Arc::clone(&stop))),
        };
        sleep(self.plan.warm_up).await;
        let (from, before) = (drive::now(), self.books.cpu()?);
        sleep(self.plan.span).await;
        let (to, after) = (drive::now(), self.books.cpu()?);
        stop.store(true, Ordering::Relaxed);
        let early = load.is_finished();
        let samples = load.await??;
        ensure!(!early, "{case} {} ended before its time was over", subject.name());
        self.books.answered(subject, samples.len());
        turn(&samples, &Window { from, to, cpu: after.saturating_sub(before) })
    }
}

fn entrants(with_pgbench: bool) -> Vec<(Case, Subject)> {
    let all = Case::ALL.into_iter().flat_map(|case| Subject::ALL.map(|subject| (case, subject)));
    let present = |subject| with_pgbench || !matches!(subject, Subject::Pgbench | Subject::Bare);
    all.filter(|(case, subject)| subject.takes_part(*case) && present(*subject)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a turn has thousands of postings, not 2^53")]
fn turn(samples: &[Sample], window: &Window) -> Result<Turn> {
    let inside = |sample: &&Sample| sample.at > window.from && sample.at <= window.to;
    let mut latencies: Vec<Duration> = samples.iter().filter(inside).map(|sample| sample.took).collect();
    ensure!(!latencies.is_empty(), "not one posting was answered in {:?}", window.to.saturating_sub(window.from));
    latencies.sort_unstable();
    let done = latencies.len() as f64;
    Ok(Turn {
        tps: done / window.to.saturating_sub(window.from).as_secs_f64(),
        pg_cpu_us: window.cpu.as_secs_f64() * 1e6 / done,
        p99_ms: percentile(&latencies, 99).as_secs_f64() * 1e3,
    })
}

fn row((case, subject): (Case, Subject), turns: &[Turn]) -> Ledger {
    let middle = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    Ledger {
        suite: "ledger",
        case: case.to_string(),
        subject: subject.name().to_owned(),
        tps: middle(|turn| turn.tps).round(),
        pg_cpu_us: tenths(middle(|turn| turn.pg_cpu_us)),
        p99_ms: hundredths(middle(|turn| turn.p99_ms)),
    }
}

#[cfg(test)]
mod tests;
