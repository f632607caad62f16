//! A Postgres of its own with all migrations, its people and their money, and the proof that none of it went astray.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;
use xtask::postgres::{self, PASSWORD, Postgres};
use xtask::process::DataDir;
use xtask::{migrate, rest};

use super::Subject;
use crate::cpu;

/// What every account starts with, in GNF.
const FUNDS: i64 = 1_000_000_000;
/// Until pgbench has opened its sessions.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Books {
    pub db: Client,
    pub port: u16,
    /// By number; the last is the one that everybody pays in the hot cases.
    pub wallets: Vec<Uuid>,
    /// The account without a floor.
    pub fees: Uuid,
    transfers: usize,
    purchases: usize,
    /// Before the folder that it works in.
    postgres: Postgres,
    dir: DataDir,
}

/// The user who has an account's number: known beforehand, so that a pgbench script can name him.
pub fn user(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

impl Books {
    pub async fn open(folder: &Path, callers: usize) -> Result<Self> {
        let dir = DataDir::open(&folder.join("stack"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?.local_addr()?.port();
        // Commits wait for the disk, as in production.
        let postgres = Postgres::start(&dir, port, false, true).await?;
        migrate::apply(&postgres::url(port)).await?;
        let db = postgres::connect(&postgres::url(port)).await?;
        db.batch_execute(&format!("alter role {} login password '{PASSWORD}'", rest::LOGIN)).await?;
        raise_limits(&db).await?;
        sign_up(&db, callers + 1).await.context("the callers cannot sign up")?;
        let wallets = fund(&db, callers + 1).await.context("the callers cannot be funded")?;
        let fees = db.query_one("select ledger.platform_account('platform_fees', 'GNF')", &[]).await?.get(0);
        db.batch_execute("vacuum analyze").await?;
        Ok(Self { db, port, wallets, fees, transfers: 0, purchases: 0, postgres, dir })
    }

    /// Of Postgres, every session and worker included.
    pub fn cpu(&self) -> Result<Duration> {
        cpu::used(self.postgres.pid().context("Postgres has ended")?)
    }

    /// So many postings were answered with success.
    pub fn answered(&mut self, subject: Subject, count: usize) {
        match subject {
            Subject::Ours | Subject::Rows | Subject::Pgbench | Subject::Post => self.transfers += count,
            Subject::Merchant => self.purchases += count,
            Subject::Bare => {}
        }
    }

    pub fn posted(&self) -> usize {
        self.transfers + self.purchases
    }

    /// Every success is one booked posting, the ledger agrees with itself, and no money came or went.
    pub async fn check(&self) -> Result<()> {
        let books: Value = self.db.query_one("select ledger.check_books()", &[]).await?.get(0);
        ensure!(books["ok"] == true, "the books do not balance: {books}");
        let sql = "select count(*) filter (where type = 'transfer'), count(*) filter (where type = 'plan_purchase')
            from ledger.transactions";
        let row = self.db.query_one(sql, &[]).await?;
        let booked: (i64, i64) = (row.get(0), row.get(1));
        let answered = (i64::try_from(self.transfers)?, i64::try_from(self.purchases)?);
        ensure!(booked == answered, "{answered:?} postings were answered with success, {booked:?} are booked");
        let sql = "select (select sum(balance) from public.bench_accounts)::bigint,
            (select sum(amount) from ledger.entries where account_id = any ($1))::bigint";
        let row = self.db.query_one(sql, &[&[self.wallets.as_slice(), &[self.fees]].concat()]).await?;
        let funded = FUNDS * i64::try_from(self.wallets.len())?;
        for held in [row.get::<_, i64>(0), row.get(1)] {
            ensure!(held == funded, "{held} held are not the {funded} paid in");
        }
        Ok(())
    }

    /// Until all its sessions are there; or until it has ended, which the caller will find.
    pub async fn await_pgbench<T>(&self, clients: usize, load: &JoinHandle<T>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let sql = "select count(*) from pg_stat_activity where application_name = 'pgbench'";
        while !load.is_finished() {
            let sessions: i64 = self.db.query_one(sql, &[]).await?.get(0);
            if sessions >= i64::try_from(clients)? {
                break;
            }
            ensure!(Instant::now() < end, "pgbench has opened {sessions} of {clients} sessions");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The version, and whether commits wait for the disk: a figure means nothing without it.
    pub async fn version(&self) -> Result<String> {
        let sql = "select current_setting('server_version'), current_setting('fsync'),
            current_setting('synchronous_commit')";
        let row = self.db.query_one(sql, &[]).await?;
        let (version, fsync, commit): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let version = version.split(' ').next().unwrap_or_default();
        Ok(format!("{version} (fsync {fsync}, synchronous_commit {commit})"))
    }

    pub async fn close(mut self) {
        drop(self.db);
        self.postgres.stop().await;
        self.dir.forget();
    }
}

/// By configuration, not by a switch: every limit, rule and score is evaluated on every transfer.
pub async fn raise_limits(db: &Client) -> Result<()> {
    let limits = "update ledger.wallet_limits set default_daily = 1000000000000, default_monthly = 1000000000000
        where currency = 'GNF'";
    let rules = "update ledger.risk_rules set value = 1000000000000000
        where currency = 'GNF' and key not like '%\\_score'";
    let raised = (db.execute(limits, &[]).await?, db.execute(rules, &[]).await?);
    ensure!(raised.0 == 1 && raised.1 > 0, "there are no limits and rules to raise: {raised:?}");
    Ok(())
}

async fn sign_up(db: &Client, count: usize) -> Result<()> {
    let sql = "insert into auth.users (id, email)
        select u::uuid, 'ledger-' || n || '@cauris.test' from unnest($1::text[]) with ordinality as of (u, n)";
    let users: Vec<String> = (0..count).map(user).collect();
    db.execute(sql, &[&users]).await?;
    Ok(())
}

/// Wallets, and the same number of plain accounts. Answers with the wallets by number.
async fn fund(db: &Client, count: usize) -> Result<Vec<Uuid>> {
    let sql = "select ledger.post('deposit', 'GNF', array[row(ledger.wallet_for(u::uuid, 'GNF'), $2::bigint),
        row(ledger.platform_account('provider_clearing', 'GNF'), -$2::bigint)]::ledger.leg[], 'bench', u, $2::bigint)
        from unnest($1::text[]) u";
    let users: Vec<String> = (0..count).map(user).collect();
    db.execute(sql, &[&users, &FUNDS]).await?;
    let plain = format!(
        "create table public.bench_accounts (id bigint primary key, balance bigint not null);
         insert into public.bench_accounts select n, {FUNDS} from generate_series(0, {}) n",
        count - 1
    );
    db.batch_execute(&plain).await?;
    let wallets = db.query("select id from ledger.wallets where currency = 'GNF' order by user_id", &[]).await?;
    ensure!(wallets.len() == count, "{} of {count} wallets exist", wallets.len());
    Ok(wallets.iter().map(|row| row.get(0)).collect())
}
