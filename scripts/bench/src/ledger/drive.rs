//! Our own load: one session per client, one posting under way in each. A refusal ends the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokio_postgres::{Client, Statement, Transaction};
use uuid::Uuid;
use xtask::{keys, postgres, rest};

use super::books::{Books, user};
use super::leaves::{self, Leaves};
use super::written::Known;
use super::{AMOUNT, Crowd, Sample, Subject};

/// What PostgREST and postrust say about a caller before they call: one statement, local to the transaction.
fn claims(role: &str) -> String {
    format!(
        "select set_config('role', '{role}', true), set_config('request.method', 'POST', true),
        set_config('request.path', '/rpc/wallet_operations', true), set_config('request.headers', $1, true),
        set_config('request.jwt.claims', $2, true)"
    )
}
const CALL: &str = "select api.wallet_operations($1)";

/// One session and what it does.
pub struct Lane {
    db: Client,
    number: usize,
    crowd: Crowd,
    work: Work,
}

enum Work {
    Transfer(Transfer),
    /// One crossing.
    Post {
        call: Statement,
        accounts: Arc<[Uuid]>,
    },
}

/// Four crossings, as the gateway makes them: begin, claims, call, commit.
struct Transfer {
    claims: Statement,
    call: Statement,
    run: Uuid,
    /// Of `rows`, which asks nothing.
    known: Option<Known>,
}

pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The same legs to a wallet and to an account without a floor.
fn post(subject: Subject) -> String {
    let kind = if subject == Subject::Merchant { "plan_purchase" } else { "transfer" };
    format!(
        "select ledger.post('{kind}', 'GNF', array[row($1::uuid, {}), row($2::uuid, {AMOUNT})]::ledger.leg[], null, null,
        {AMOUNT})",
        -AMOUNT
    )
}

pub async fn open(subject: Subject, crowd: Crowd, books: &Books) -> Result<Vec<Lane>> {
    let owner = postgres::url(books.port);
    let login = postgres::as_user(&owner, rest::LOGIN, postgres::PASSWORD)?;
    let mut accounts = books.wallets.clone();
    if subject == Subject::Merchant {
        accounts[crowd.callers] = books.fees;
    }
    let accounts: Arc<[Uuid]> = accounts.into();
    let known = if subject == Subject::Rows { Some(Known::read(books).await?) } else { None };
    let run = keys::random_uuid();
    let mut lanes = Vec::with_capacity(crowd.case.clients);
    for number in 0..crowd.case.clients {
        let (db, work);
        if subject == Subject::Ours {
            db = postgres::connect(&login).await?;
            let claims = db.prepare(&claims("authenticated")).await?;
            // The login may do nothing; only as the caller's role may it name what it calls.
            db.batch_execute("begin; set local role authenticated").await?;
            work = Work::Transfer(Transfer { claims, call: db.prepare(CALL).await?, run, known: None });
            db.batch_execute("commit").await?;
        } else if let Some(known) = &known {
            // As who owns the functions that a caller may call, and with their plans: nobody else may write these tables.
            db = postgres::connect(&owner).await?;
            db.batch_execute("set plan_cache_mode = force_generic_plan").await?;
            let claims = db.prepare(&claims(postgres::USER)).await?;
            let call = db.prepare(&known.sql()).await?;
            work = Work::Transfer(Transfer { claims, call, run, known: Some(known.clone()) });
        } else {
            db = postgres::connect(&owner).await?;
            work = Work::Post { call: db.prepare(&post(subject)).await?, accounts: Arc::clone(&accounts) };
        }
        lanes.push(Lane { db, number, crowd, work });
    }
    Ok(lanes)
}

/// The rows that a transfer to somebody who was paid before leaves. Nothing of it stays.
pub async fn leaves(subject: Subject, crowd: Crowd, books: &Books) -> Result<Leaves> {
    let mut lanes = open(subject, crowd, books).await?;
    let lane = lanes.first_mut().context("a case without clients")?;
    let Work::Transfer(transfer) = &mut lane.work else { bail!("{} is no transfer", subject.name()) };
    let transaction = lane.db.transaction().await?;
    let mut written = [Leaves::new(), Leaves::new()];
    // Both are of the same two people; the first one also makes them known to each other.
    for (now, turn) in written.iter_mut().zip([0, crowd.share()]) {
        transfer.send(&transaction, crowd, 0, turn).await?;
        *now = leaves::written(&transaction).await?;
    }
    transaction.rollback().await?;
    Ok(leaves::between(&written[0], &written[1]))
}

/// All lanes until told to stop; what is under way then is finished and counted.
pub async fn run(lanes: Vec<Lane>, stop: Arc<AtomicBool>) -> Result<Vec<Sample>> {
    let running: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(lane.run(Arc::clone(&stop)))).collect();
    let mut samples = Vec::new();
    for lane in running {
        samples.extend(lane.await??);
    }
    Ok(samples)
}

impl Lane {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let sent = Instant::now();
            let posted = self.post(samples.len()).await;
            posted.with_context(|| format!("client {} of {}", self.number, self.crowd.case))?;
            samples.push(Sample { at: now(), took: sent.elapsed() });
        }
        Ok(samples)
    }

    async fn post(&mut self, turn: usize) -> Result<()> {
        match &mut self.work {
            Work::Transfer(transfer) => {
                let transaction = self.db.transaction().await.map_err(said)?;
                transfer.send(&transaction, self.crowd, self.number, turn).await?;
                transaction.commit().await.map_err(said)?;
            }
            Work::Post { call, accounts } => {
                let (payer, payee) = self.crowd.pair(self.number, turn);
                self.db.query_one(call, &[&accounts[payer], &accounts[payee]]).await.map_err(said)?;
            }
        }
        Ok(())
    }
}

impl Transfer {
    /// The two crossings between begin and commit.
    async fn send(&mut self, transaction: &Transaction<'_>, crowd: Crowd, number: usize, turn: usize) -> Result<()> {
        let (payer, payee) = crowd.pair(number, turn);
        let request = format!("{number}-{turn}");
        let key = format!("{}-{request}", self.run);
        let headers = json!({ "x-request-id": request }).to_string();
        let token = json!({ "aud": "authenticated", "role": "authenticated", "sub": user(payer) }).to_string();
        transaction.query_one(&self.claims, &[&headers, &token]).await.map_err(said)?;
        if let Some(known) = &mut self.known {
            let pair = (payer, payee);
            let written = known.write(transaction, &self.call, pair, &request, &key).await.map_err(said)?;
            ensure!(written == 1, "{written} keys were written for one transfer");
            return Ok(());
        }
        let ask = json!({ "operation": "transfer", "amount": AMOUNT, "currency": "GNF",
            "recipient_id": user(payee), "idempotency_key": key });
        let answer: Value = transaction.query_one(&self.call, &[&ask]).await.map_err(said)?.get(0);
        ensure!(answer["success"] == true, "refused: {answer}");
        Ok(())
    }
}

fn said(error: tokio_postgres::Error) -> Error {
    anyhow!(postgres::causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_differs_from_the_merchants_in_its_name_alone() {
        let (wallet, merchant) = (post(Subject::Post), post(Subject::Merchant));
        assert!(wallet.contains("-100") && wallet.contains("'transfer'"), "{wallet}");
        assert_eq!(wallet.replace("'transfer'", "'plan_purchase'"), merchant);
    }
}
