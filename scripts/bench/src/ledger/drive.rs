//! Our own load: one session per client, one posting under way in each. A refusal ends the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;
use xtask::{keys, postgres, rest};

use super::books::{Books, user};
use super::{AMOUNT, Crowd, Sample, Subject};

/// What PostgREST and postrust say about a caller before they call: one statement, local to the transaction.
const CLAIMS: &str = "select set_config('role', 'authenticated', true), set_config('request.method', 'POST', true),
    set_config('request.path', '/rpc/wallet_operations', true), set_config('request.headers', $1, true),
    set_config('request.jwt.claims', $2, true)";
const CALL: &str = "select api.wallet_operations($1)";

/// One session and what it does.
pub struct Lane {
    db: Client,
    number: usize,
    crowd: Crowd,
    work: Work,
}

enum Work {
    /// Four crossings, as the gateway makes them: begin, claims, call, commit.
    Transfer { claims: Statement, call: Statement, run: Uuid },
    /// One.
    Post { call: Statement, accounts: Arc<[Uuid]> },
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
    let run = keys::random_uuid();
    let mut lanes = Vec::with_capacity(crowd.case.clients);
    for number in 0..crowd.case.clients {
        let (db, work);
        if subject == Subject::Ours {
            db = postgres::connect(&login).await?;
            let claims = db.prepare(CLAIMS).await?;
            // The login may do nothing; only as the caller's role may it name what it calls.
            db.batch_execute("begin; set local role authenticated").await?;
            work = Work::Transfer { claims, call: db.prepare(CALL).await?, run };
            db.batch_execute("commit").await?;
        } else {
            db = postgres::connect(&owner).await?;
            work = Work::Post { call: db.prepare(&post(subject)).await?, accounts: Arc::clone(&accounts) };
        }
        lanes.push(Lane { db, number, crowd, work });
    }
    Ok(lanes)
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
        let (payer, payee) = self.crowd.pair(self.number, turn);
        let said = |error: tokio_postgres::Error| anyhow!(postgres::causes(&error));
        match &self.work {
            Work::Transfer { claims, call, run } => {
                let headers = json!({ "x-request-id": format!("{}-{turn}", self.number) }).to_string();
                let token = json!({ "aud": "authenticated", "role": "authenticated", "sub": user(payer) }).to_string();
                let ask = json!({ "operation": "transfer", "amount": AMOUNT, "currency": "GNF",
                    "recipient_id": user(payee), "idempotency_key": format!("{run}-{}-{turn}", self.number) });
                let transaction = self.db.transaction().await.map_err(said)?;
                transaction.query_one(claims, &[&headers, &token]).await.map_err(said)?;
                let answer: Value = transaction.query_one(call, &[&ask]).await.map_err(said)?.get(0);
                transaction.commit().await.map_err(said)?;
                ensure!(answer["success"] == true, "refused: {answer}");
            }
            Work::Post { call, accounts } => {
                self.db.query_one(call, &[&accounts[payer], &accounts[payee]]).await.map_err(said)?;
            }
        }
        Ok(())
    }
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
