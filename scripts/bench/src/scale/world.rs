//! A Postgres of its own that grows, as large as a server's is set up to be, and the proof that its books balance.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio_postgres::Client;
use xtask::postgres::{self, PASSWORD, Postgres};
use xtask::process::DataDir;
use xtask::{migrate, rest};

use super::generate::{self, Ground, Step};
use super::texts;
use crate::cpu;
use crate::ledger;

/// A quarter of a small server's memory; our usual 128 MB would measure the system's cache, not Postgres.
const TUNING: &[&str] = &["shared_buffers=3GB", "max_wal_size=2GB", "checkpoint_timeout=30min", "random_page_cost=1.1"];
/// Positions are fresh for a minute.
const FRESH: Duration = Duration::from_secs(25);

pub struct World {
    pub db: Client,
    pub url: String,
    /// The gateway's.
    pub login: String,
    ground: Ground,
    pub users: u64,
    merchants: Vec<i64>,
    /// What has been generated, and what was answered with success since.
    transfers: u64,
    deposits: u64,
    moved: Option<Instant>,
    /// Before the folder that it works in.
    postgres: Postgres,
    dir: DataDir,
}

impl World {
    pub async fn open(folder: &Path) -> Result<Self> {
        let dir = DataDir::open(&folder.join("stack"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?.local_addr()?.port();
        let postgres = Postgres::start_tuned(&dir, port, false, true, TUNING).await?;
        let url = postgres::url(port);
        migrate::apply(&url).await?;
        let db = postgres::connect(&url).await?;
        db.batch_execute(&format!("alter role {} login password '{PASSWORD}'", rest::LOGIN)).await?;
        db.batch_execute("create extension pg_prewarm with schema public; set jit = off").await?;
        ledger::raise_limits(&db).await?;
        let ground = Ground::lay(&db).await?;
        let login = postgres::as_user(&url, rest::LOGIN, PASSWORD)?;
        Ok(Self {
            db,
            url,
            login,
            ground,
            users: 0,
            merchants: Vec::new(),
            transfers: 0,
            deposits: 0,
            moved: None,
            postgres,
            dir,
        })
    }

    /// Of Postgres, every session and worker included.
    pub fn cpu(&self) -> Result<Duration> {
        cpu::used(self.postgres.pid().context("Postgres has ended")?)
    }

    /// Only while it grows may a crash lose something.
    pub async fn grow(&mut self, step: Step, open_payments: u64) -> Result<()> {
        let started = Instant::now();
        self.careful(false).await?;
        generate::grow(&self.url, step, &self.ground, open_payments, || self.cpu()).await?;
        eprintln!("  {} users, payments and rides, {} lines more", step.to - step.from, step.entries());
        self.transfers += step.transfers();
        self.deposits += step.deposits();
        self.users = step.to;
        self.merchants.push(i64::try_from(step.merchant())?);
        let took = started.elapsed().as_secs_f64();
        self.careful(true).await?;
        self.settle().await?;
        let size: String =
            self.db.query_one("select pg_size_pretty(pg_database_size(current_database()))", &[]).await?.get(0);
        eprintln!(
            "{} entries after {took:.0} s, {:.0} s with vacuum: {size}",
            step.rows,
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }

    async fn careful(&self, on: bool) -> Result<()> {
        for setting in ["fsync", "full_page_writes", "autovacuum"] {
            self.db.batch_execute(&format!("alter system set {setting} = {}", if on { "on" } else { "off" })).await?;
        }
        self.db.batch_execute("select pg_reload_conf()").await?;
        Ok(())
    }

    /// Nothing is left to do in the background: statistics are there, hint bits set, pages written, the cache warm.
    pub async fn settle(&mut self) -> Result<()> {
        self.db.batch_execute("vacuum (freeze, analyze)").await?;
        self.db.batch_execute("checkpoint").await?;
        let written = tokio::process::Command::new("sync").status().await.context("sync is missing")?;
        ensure!(written.success(), "sync failed");
        // The largest last, so that what everybody needs is not driven out by what nobody reads.
        let warm = "select count(public.pg_prewarm(c.oid)) from (
            select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'i') and n.nspname in ('auth', 'people', 'ledger', 'payments', 'taxi', 'core')
             order by pg_relation_size(c.oid) desc) c";
        self.db.query_one(warm, &[]).await?;
        self.moved = None;
        Ok(())
    }

    /// Everybody who is online has been seen within the minute that a search looks back.
    pub async fn keep_moving(&mut self) -> Result<()> {
        if self.moved.is_none_or(|at| at.elapsed() > FRESH) {
            self.db.batch_execute(texts::MOVE_DRIVERS).await?;
            self.db.batch_execute("vacuum taxi.driver_positions").await?;
            self.moved = Some(Instant::now());
        }
        Ok(())
    }

    pub fn answered(&mut self, transfers: u64, deposits: u64) {
        self.transfers += transfers;
        self.deposits += deposits;
    }

    /// The ledger agrees with itself, and every transfer and settlement that was answered with success is booked once.
    pub async fn check(&self) -> Result<()> {
        let books: Value = self.db.query_one("select ledger.check_books()", &[]).await?.get(0);
        ensure!(books["ok"] == true, "the books do not balance: {books}");
        let sql = "select count(*) filter (where type = 'transfer'), count(*) filter (where type = 'deposit') from ledger.transactions";
        let row = self.db.query_one(sql, &[]).await?;
        let (transfers, deposits): (i64, i64) = (row.get(0), row.get(1));
        let expected = (i64::try_from(self.transfers)?, i64::try_from(self.deposits)?);
        let booked = (transfers, deposits);
        ensure!(booked == expected, "{expected:?} transfers and deposits were made, {booked:?} are booked");
        self.check_lines().await
    }

    /// Every line of some people and of the merchants says what their wallets held after it: those that were worked out, too.
    async fn check_lines(&self) -> Result<()> {
        let sql = "select count(*) from (
                select e.balance_after <> sum(e.amount) over (partition by e.account_id order by e.created_at, e.transaction_id) as wrong
                  from ledger.entries e where e.account_id in (select md5('scale wallet ' || n)::uuid from (
                      select floor(random() * $1)::bigint from generate_series(1, 500) union select unnest($2::bigint[])) s (n))) lines
             where wrong";
        let users = f64::from(u32::try_from(self.users)?);
        let wrong: i64 = self.db.query_one(sql, &[&users, &self.merchants]).await?.get(0);
        ensure!(wrong == 0, "{wrong} lines do not say what their wallet held");
        Ok(())
    }

    pub async fn version(&self) -> Result<String> {
        let version: String = self.db.query_one("show server_version", &[]).await?.get(0);
        Ok(format!(
            "{} (fsync on, synchronous_commit on, {})",
            version.split(' ').next().unwrap_or_default(),
            TUNING[0]
        ))
    }

    pub async fn close(mut self) {
        drop(self.db);
        self.postgres.stop().await;
        self.dir.forget();
    }
}
