//! Who pays whom: funded callers with tokens, limits raised for the load, and the proof that no money went astray.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;
use xtask::keys::{self, Alg, TokenOptions};
use xtask::postgres;

/// What every caller starts with, in GNF.
const FUNDS: i64 = 1_000_000_000;
/// Less than the smallest transfer and its fee.
const PITTANCE: i64 = 100;

/// A user with a wallet, and a valid token of each kind.
#[derive(Clone, Debug)]
pub struct Caller {
    pub id: Uuid,
    hs256: String,
    es256: String,
}

impl Caller {
    pub fn new(id: Uuid) -> Self {
        // Longer than any run: a token that expires in the middle would be a figure for refusals.
        let token = |alg| keys::user_token(&id, &TokenOptions { alg, expires_in: 86_400, ..TokenOptions::default() });
        Self { id, hs256: token(Alg::Hs256), es256: token(Alg::Es256) }
    }

    pub fn token(&self, alg: Alg) -> &str {
        match alg {
            Alg::Hs256 => &self.hs256,
            Alg::Es256 => &self.es256,
        }
    }

    pub fn expired(&self, alg: Alg) -> String {
        keys::user_token(&self.id, &TokenOptions { alg, expires_in: -3600, ..TokenOptions::default() })
    }
}

pub struct World {
    db: Client,
    /// The load's; everyone pays everyone's neighbour.
    pub callers: Vec<Caller>,
    /// The contract check's.
    pub giver: Caller,
    pub taker: Caller,
    pub poor: Caller,
    funded: i64,
    transfers: i64,
}

impl World {
    pub async fn set_up(url: &str, callers: usize) -> Result<Self> {
        let db = postgres::connect(url).await?;
        raise_limits(&db).await?;
        let mut sign_up = sign_up(&db, callers + 3).await?;
        let mut next = || sign_up.pop().context("everybody has signed up");
        let (giver, taker, poor) = (next()?, next()?, next()?);
        let mut world = Self { db, callers: sign_up, giver, taker, poor, funded: 0, transfers: 0 };
        let rich: Vec<Uuid> =
            world.callers.iter().chain([&world.giver, &world.taker]).map(|caller| caller.id).collect();
        world.fund(&rich, FUNDS).await?;
        world.fund(&[world.poor.id], PITTANCE).await?;
        Ok(world)
    }

    async fn fund(&mut self, users: &[Uuid], amount: i64) -> Result<()> {
        let sql = "select ledger.post('deposit', 'GNF', array[row(ledger.wallet_for(u, 'GNF'), $2::bigint),
            row(ledger.platform_account('provider_clearing', 'GNF'), -$2::bigint)]::ledger.leg[], 'bench', u::text, $2::bigint)
            from unnest($1::uuid[]) u";
        let posted = self.db.execute(sql, &[&users, &amount]).await.context("the callers cannot be funded")?;
        self.funded += amount * i64::try_from(posted)?;
        // Per wallet, as an admin would; what one operation may move stays as it is.
        let limits =
            "update ledger.wallets set daily_limit = $2::bigint, monthly_limit = $2::bigint where user_id = any ($1)";
        self.db.execute(limits, &[&users, &FUNDS]).await?;
        Ok(())
    }

    pub async fn balance(&self, caller: &Caller) -> Result<i64> {
        let sql = "select balance from ledger.wallets where user_id = $1 and currency = 'GNF'";
        Ok(self.db.query_one(sql, &[&caller.id]).await?.get(0))
    }

    /// So many transfers were answered with success.
    pub fn answered(&mut self, transfers: usize) -> Result<()> {
        self.transfers += i64::try_from(transfers)?;
        Ok(())
    }

    /// Every success is one row, all money is accounted for, and the ledger agrees with itself.
    pub async fn check(&self) -> Result<()> {
        let books: Value = self.db.query_one("select ledger.check_books()", &[]).await?.get(0);
        ensure!(books["ok"] == true, "the books do not balance: {books}");
        let sql = "select count(*), coalesce(sum(fee), 0)::bigint from ledger.transactions where type = 'transfer'";
        let row = self.db.query_one(sql, &[]).await?;
        let (moved, fees): (i64, i64) = (row.get(0), row.get(1));
        ensure!(moved == self.transfers, "{} transfers were answered with success, {moved} are booked", self.transfers);
        let held: i64 = self.db.query_one("select sum(balance)::bigint from ledger.wallets", &[]).await?.get(0);
        ensure!(held + fees == self.funded, "{held} held and {fees} in fees are not the {} paid in", self.funded);
        Ok(())
    }

    pub fn transfers(&self) -> i64 {
        self.transfers
    }

    /// As autovacuum would, but not in the middle of somebody's turn.
    pub async fn tidy(&self) -> Result<()> {
        Ok(self.db.batch_execute("vacuum analyze").await?)
    }

    pub async fn version(&self) -> Result<String> {
        let version: String = self.db.query_one("show server_version", &[]).await?.get(0);
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }
}

async fn sign_up(db: &Client, count: usize) -> Result<Vec<Caller>> {
    let sql = "insert into auth.users (id, email)
        select gen_random_uuid(), 'bench-' || n || '@cauris.test' from generate_series(1, $1::bigint) n returning id";
    let rows = db.query(sql, &[&i64::try_from(count)?]).await.context("the callers cannot sign up")?;
    Ok(rows.iter().map(|row| Caller::new(row.get(0))).collect())
}

/// A caller of the load sends more in a minute than a person in a month. The rules stay on and are evaluated on every
/// transfer; only their thresholds move.
async fn raise_limits(db: &Client) -> Result<()> {
    let sql = "update ledger.risk_rules set value = 1000000000 where currency = 'GNF'
        and key in ('suspicious_count', 'suspicious_total', 'high_frequency', 'elevated_frequency', 'high_volume')";
    let raised = db.execute(sql, &[]).await.context("the limits cannot be raised")?;
    ensure!(raised == 5, "{raised} of the 5 thresholds that the load would hit exist");
    Ok(())
}
