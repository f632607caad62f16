//! A database grows to so many ledger entries, with the users, payments, drivers and rides that go with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio_postgres::Client;
use uuid::Uuid;
use xtask::postgres;

use super::texts::{self, fill};

/// Statements under way at once.
const LANES: usize = 2;
/// Rows that one statement works out; three lines each, and it sorts them to check that they balance.
const CHUNK: u64 = 50_000;
/// A year of history, up to an hour ago.
const PAST_MONTHS: i32 = 12;

/// What is added: the users from one number to another, and what belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Ledger entries, at least so many when it is done.
    pub rows: u64,
    pub from: u64,
    pub to: u64,
}

impl Step {
    pub fn after(before: u64, rows: u64) -> Self {
        Self { rows, from: before / 10, to: rows / 10 }
    }

    fn users(self) -> u64 {
        self.to - self.from
    }

    /// Who pay the merchant: each user has three lines of his deposit and six of his two transfers, of ten.
    fn payers(self) -> u64 {
        self.users().div_ceil(3)
    }

    /// The user with very many entries: the last of his step, whom a third of it has paid.
    pub fn merchant(self) -> u64 {
        self.to - 1
    }

    pub fn transfers(self) -> u64 {
        2 * self.users() + self.payers()
    }

    pub fn deposits(self) -> u64 {
        self.users()
    }

    pub fn entries(self) -> u64 {
        3 * (self.deposits() + self.transfers())
    }

    /// The side of the box that they drive in, as a share of the country's: its area is their share of 100,000.
    #[expect(clippy::cast_precision_loss, reason = "there are thousands of drivers, not 2^53")]
    fn side(self) -> f64 {
        (self.to as f64 / 1e6).sqrt().min(1.0)
    }
}

/// The accounts that no user has, and the year.
pub struct Ground {
    clearing: Uuid,
    fees: Uuid,
    since: String,
    span: f64,
}

impl Ground {
    /// Past months get partitions from the function that makes all of them, before a row could land in the default one.
    pub async fn lay(db: &Client) -> Result<Self> {
        let months = "select core.add_partition(m.name::regclass, to_char(s.first, 'YYYYMM'), format('for values from (%L) to (%L)',
                s.first || ' UTC', s.first + interval '1 month' || ' UTC'))
            from core.monthly_tables m, generate_series(1, $1::int) back,
                 lateral (select date_trunc('month', now() at time zone 'UTC') - make_interval(months => back) as first) s";
        db.execute(months, &[&PAST_MONTHS]).await.context("past months cannot be made")?;
        let sql = "select ledger.platform_account('provider_clearing', 'GNF'), ledger.platform_account('platform_fees', 'GNF'),
            (now() - interval '360 days')::text, extract(epoch from interval '359 days 23 hours')::float8";
        let row = db.query_one(sql, &[]).await?;
        Ok(Self { clearing: row.get(0), fees: row.get(1), since: row.get(2), span: row.get(3) })
    }
}

/// A part of the work: one text for every chunk of numbers from one to another.
struct Task<'a> {
    text: &'a str,
    first: u64,
    to: u64,
}

/// `cpu`: what Postgres has used so far; of a stage, the one figure that neighbours do not change.
pub async fn grow(
    url: &str,
    step: Step,
    ground: &Ground,
    open_payments: u64,
    cpu: impl Fn() -> Result<Duration>,
) -> Result<()> {
    let (from, to, users, payers) = (step.from, step.to, step.users(), step.payers());
    let counted: Vec<String> = (0..3).map(texts::transfers).collect();
    let (rides, under_way) = (texts::rides(), texts::rides_under_way());
    let stages = [
        ("users", Task { text: texts::USERS, first: from, to }),
        ("wallets", Task { text: texts::WALLETS, first: from, to }),
        ("deposits", Task { text: texts::DEPOSITS, first: from, to }),
        ("transfers", Task { text: &counted[0], first: 0, to: users }),
        ("transfers", Task { text: &counted[1], first: 0, to: users }),
        ("a merchant's takings", Task { text: &counted[2], first: 0, to: payers }),
        ("drivers", Task { text: texts::DRIVERS, first: from, to }),
        ("rides", Task { text: &rides, first: from, to }),
        ("rides under way", Task { text: &under_way, first: from, to }),
        ("open payments", Task { text: texts::OPEN_PAYMENTS, first: from, to: from + open_payments }),
    ];
    for (name, task) in stages {
        let (started, before) = (Instant::now(), cpu()?);
        let (near, far) = (users / 7 + 1, users / 3 + 1);
        let text = fill(
            task.text,
            &[
                ("from", &from),
                ("users", &users),
                ("payers", &payers),
                ("near", &near),
                ("far", &far),
                ("clearing", &ground.clearing),
                ("fees", &ground.fees),
                ("since", &ground.since),
                ("span", &ground.span),
                ("side", &step.side()),
            ],
        );
        let chunks = Chunks { next: AtomicU64::new(task.first), to: task.to };
        in_lanes(url, text, chunks).await.with_context(|| format!("cannot insert {name}"))?;
        let used = cpu()?.saturating_sub(before).as_secs_f64();
        eprintln!("  {name}: {:.1} s, {used:.1} s of processor time", started.elapsed().as_secs_f64());
    }
    let db = session(url).await?;
    db.batch_execute(&fill(texts::PLACE_DRIVERS, &[("side", &step.side())])).await?;
    Ok(())
}

/// Ranges of numbers, handed out one after the other. They begin at whole hundreds, as the drivers' numbers do.
struct Chunks {
    next: AtomicU64,
    to: u64,
}

impl Chunks {
    /// The next range, both ends included.
    fn take(&self) -> Option<(u64, u64)> {
        let first = self.next.fetch_add(CHUNK, Ordering::Relaxed);
        (first < self.to).then(|| (first, (first + CHUNK).min(self.to) - 1))
    }
}

async fn in_lanes(url: &str, text: String, chunks: Chunks) -> Result<()> {
    let (text, chunks) = (Arc::new(text), Arc::new(chunks));
    let mut lanes = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        let (text, chunks, url) = (Arc::clone(&text), Arc::clone(&chunks), url.to_owned());
        lanes.push(tokio::spawn(async move {
            let db = session(&url).await?;
            while let Some((first, last)) = chunks.take() {
                let text = fill(&text, &[("first", &first), ("last", &last)]);
                db.batch_execute(&text).await?;
            }
            anyhow::Ok(())
        }));
    }
    for lane in lanes {
        lane.await??;
    }
    Ok(())
}

/// Room to sort a chunk, and no wait for the disk: what is generated is thrown away.
async fn session(url: &str) -> Result<Client> {
    let db = postgres::connect(url).await?;
    db.batch_execute("set work_mem = '128MB'; set synchronous_commit = off; set jit = off").await?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_as_many_entries_as_its_rows_say_and_a_few_more() {
        for (before, rows) in [(0, 10_000), (10_000, 100_000), (100_000, 10_000_000)] {
            let step = Step::after(before, rows);
            let added = step.entries();
            assert!((rows - before..rows - before + 3).contains(&added), "{step:?} adds {added}");
            assert_eq!(step.users() * 10, rows - before);
        }
    }

    #[test]
    fn the_merchant_is_none_of_his_own_payers_and_drives_nobody() {
        let step = Step::after(0, 10_000);
        assert!(step.merchant() - step.from >= step.payers() && !step.merchant().is_multiple_of(10));
    }

    #[test]
    fn chunks_cover_every_number_once() {
        let chunks = Chunks { next: AtomicU64::new(100), to: 100_100 };
        let taken: Vec<_> = std::iter::from_fn(|| chunks.take()).collect();
        assert_eq!(taken, [(100, 50_099), (50_100, 100_099)]);
        assert_eq!(chunks.take(), None);
    }

    #[test]
    fn drivers_stay_as_far_apart_whatever_their_number() {
        let side = |rows| Step::after(0, rows).side();
        assert!((side(10_000_000) - 1.0).abs() < 1e-9 && (side(100_000) - 0.1).abs() < 1e-9);
    }
}
