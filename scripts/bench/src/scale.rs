//! Suite `scale`: the same calls at 10⁴, 10⁵ and 10⁷ ledger entries. One database grows step by step; at each step every case has
//! its turns, one call after the other, as the gateway sends it. See docs/scale.md.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use xtask::tools;

use crate::machine::Machine;
use crate::rows::{Row, Scale};
use crate::stats::{hundredths, median, tenths};
use crate::{Settings, Suite};

mod gateway;
mod generate;
mod partitions;
mod storage;
mod table;
mod texts;
mod work;
mod world;

use generate::Step;
use work::{Cast, Load};
use world::World;

/// At fewer there are too few drivers to contend.
const FEWEST: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    Transfer,
    /// A page of a user who has as many lines as most.
    History,
    /// Of one who has very many.
    HistoryOfMany,
    /// The same user's statement.
    StatementOfMany,
    /// A notification: stored, then settled.
    Webhook,
    /// The search alone, of a quote: who is near this point.
    Search,
    /// The ten nearest of a circle of 5 km are told of a ride, which is made with it.
    Nearest,
    /// In a town whose drivers grow in number with everything else.
    NearestTown,
    /// Eight of those who were told, at once.
    Accept,
    Heartbeat,
}

impl Case {
    const ALL: [Self; 10] = [
        Self::Transfer,
        Self::History,
        Self::HistoryOfMany,
        Self::StatementOfMany,
        Self::Webhook,
        Self::Search,
        Self::Nearest,
        Self::NearestTown,
        Self::Accept,
        Self::Heartbeat,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::History => "history",
            Self::HistoryOfMany => "history/many",
            Self::StatementOfMany => "statement/many",
            Self::Webhook => "webhook",
            Self::Search => "nearest/search",
            Self::Nearest => "nearest",
            Self::NearestTown => "nearest/town",
            Self::Accept => "accept",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// Calls in a turn. Of notifications fewer: each uses up a payment that the step has made, and the smallest has a thousand.
    fn calls(self) -> usize {
        match self {
            Self::Webhook => WEBHOOKS,
            Self::Nearest | Self::NearestTown => 80,
            _ => 240,
        }
    }

    fn is_ride(self) -> bool {
        matches!(self, Self::Nearest | Self::NearestTown | Self::Accept)
    }
}

/// Notifications in a turn.
const WEBHOOKS: usize = 80;

/// One case's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    p95_ms: f64,
    pg_cpu_us: f64,
}

pub async fn run(settings: &Settings, machine: &mut Machine) -> Result<Vec<Row>> {
    ensure!(cfg!(target_os = "linux"), "suite scale reads CPU time from /proc, which only Linux has");
    // Open to all, because Postgres refuses to be root and has to reach it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let dir = tempfile::Builder::new().prefix("cauris-scale-").permissions(open).tempdir()?;
    tools::ensure().await?;
    let mut world = World::open(dir.path()).await?;
    machine.postgres = Some(world.version().await?);
    let measured = all_steps(&settings.rows, settings.plan(Suite::Scale).rounds, &mut world).await;
    world.close().await;
    measured
}

/// What `--rows` may be: whole thousands, so that every share of them is whole, each more than the one before.
pub fn check(rows: &[u64]) -> Result<()> {
    let grows = rows.is_sorted_by(|less, more| less < more);
    let whole = rows.iter().all(|rows| rows.is_multiple_of(1_000) && (FEWEST..=100_000_000).contains(rows));
    ensure!(grows && whole && !rows.is_empty(), "--rows grow, by whole thousands, from {FEWEST} to 100000000");
    Ok(())
}

async fn all_steps(steps: &[u64], rounds: usize, world: &mut World) -> Result<Vec<Row>> {
    let (mut rows, mut found, mut before) = (Vec::new(), Vec::new(), 0);
    for &count in steps {
        let step = Step::after(before, count);
        eprintln!("growing from {before} entries to {count}");
        world.grow(step, u64::try_from((rounds + 1) * WEBHOOKS)?).await?;
        world.check().await.context("as generated")?;
        let mut load = Load::open(&world.login).await?;
        let mut cast = Cast::draw(world, step).await?;
        rows.extend(all_cases(&mut load, world, &mut cast, count, rounds).await?);
        world.check().await.context("after the calls")?;
        before = count;
        if steps.last() == Some(&count) {
            found = last_looks(&mut load, world, &mut cast, count).await?;
        }
    }
    world.check().await.context("in the end")?;
    eprint!("{}", table::judged(&rows));
    Ok(rows.into_iter().map(Row::Scale).chain(found).collect())
}

async fn all_cases(
    load: &mut Load,
    world: &mut World,
    cast: &mut Cast,
    count: u64,
    rounds: usize,
) -> Result<Vec<Scale>> {
    let mut turns: BTreeMap<Case, Vec<Turn>> = BTreeMap::new();
    // The round before the first warms up.
    for round in 0..=rounds {
        for case in Case::ALL {
            let turn = load.turn(case, case.calls(), world, cast).await?;
            if round > 0 {
                turns.entry(case).or_default().push(turn);
            }
        }
    }
    Ok(turns.iter().map(|(case, turns)| row(*case, count, turns)).collect())
}

fn row(case: Case, rows: u64, turns: &[Turn]) -> Scale {
    let middle = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let (p95_ms, pg_cpu_us) = (hundredths(middle(|turn| turn.p95_ms)), tenths(middle(|turn| turn.pg_cpu_us)));
    eprintln!("  {rows:>9} {:<16} p95 {p95_ms:>7.2} ms  Postgres {pg_cpu_us:>8.1} µs", case.name());
    Scale { suite: "scale", case: case.name(), subject: "ours", rows, p95_ms, pg_cpu_us }
}

/// What is looked at once, where there is most of it.
async fn last_looks(load: &mut Load, world: &mut World, cast: &mut Cast, count: u64) -> Result<Vec<Row>> {
    let mut stored = storage::tables(world).await?;
    stored.push(storage::of_a_transfer(load, world, cast).await?);
    let partitions = partitions::show(world, cast.merchant, count).await?;
    stored.extend(storage::bloat(world, count).await?);
    eprint!("{}{}", table::stored(&stored), table::partitions(&partitions));
    Ok(stored.into_iter().map(Row::Stored).chain(partitions.into_iter().map(Row::Partitions)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_by_whole_thousands() {
        for good in [&[10_000][..], &[10_000, 100_000, 10_000_000]] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        for bad in [&[][..], &[9_000], &[10_500], &[100_000, 10_000], &[10_000, 10_000]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_row_is_the_median_of_its_turns() {
        let turns = [(9.0, 310.04), (2.0, 300.0), (2.126, 290.0)].map(|(p95_ms, pg_cpu_us)| Turn { p95_ms, pg_cpu_us });
        let row = row(Case::Nearest, 10_000, &turns);
        assert_eq!((row.case, row.p95_ms, row.pg_cpu_us), ("nearest", 2.13, 300.0));
    }
}
