//! A session that speaks as the gateway does: begin, who calls, the prepared call, commit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;
use xtask::postgres;

/// What PostgREST and postrust say about a caller: one statement, local to the transaction.
const CLAIMS: &str = "select set_config('role', $1, true), set_config('request.method', $2, true),
    set_config('request.path', $3, true), set_config('request.headers', $4, true), set_config('request.jwt.claims', $5, true)";

/// `GET /rest/v1/wallet_history?order=created_at.desc,id.desc&limit=20`, as the gateway asks it.
const HISTORY: &str = "select row_to_json(t)::text from (select * from api.wallet_history
    order by created_at desc, id desc limit 20) t";

const RPCS: [&str; 9] = [
    "wallet_operations",
    "wallet_statement",
    "payment_event",
    "payment_settle",
    "taxi_request_ride",
    "taxi_accept_ride",
    "taxi_quote_fare",
    "taxi_driver_heartbeat",
    "taxi_update_ride_status",
];

/// In whose name.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    User(Uuid),
    Service,
}

pub struct Gateway {
    db: Client,
    claims: Statement,
    history: Statement,
    rpcs: BTreeMap<&'static str, Statement>,
}

/// What a call came to: the answer, or the code of a refusal; and after how long.
pub struct Answer {
    pub said: Result<Value, String>,
    pub took: Duration,
}

impl Answer {
    /// For calls that nobody may refuse.
    pub fn success(self) -> Result<(Value, Duration)> {
        match self.said {
            // Only answers for people say so; providers' are told what came of it.
            Ok(body) if body["success"] != false && body.get("code").is_none() => Ok((body, self.took)),
            Ok(body) => bail!("refused: {body}"),
            Err(code) => bail!("refused: {code}"),
        }
    }
}

impl Gateway {
    pub async fn open(login: &str) -> Result<Self> {
        let db = postgres::connect(login).await?;
        let claims = db.prepare(CLAIMS).await?;
        // The login may do nothing; only as a caller's role may it name what it calls.
        db.batch_execute("begin; set local role authenticated").await?;
        let history = db.prepare(HISTORY).await?;
        let mut rpcs = BTreeMap::new();
        for name in RPCS {
            rpcs.insert(name, db.prepare(&format!("select api.{name}($1)")).await?);
        }
        db.batch_execute("commit").await?;
        Ok(Self { db, claims, history, rpcs })
    }

    pub async fn call(&mut self, caller: Caller, rpc: &str, ask: &Value) -> Result<Answer> {
        let statement = self.rpcs[rpc].clone();
        let begun = Instant::now();
        let transaction = self.begin(caller, "POST", &format!("/rpc/{rpc}")).await?;
        let said = match transaction.query_one(&statement, &[ask]).await {
            Ok(row) => {
                transaction.commit().await?;
                Ok(row.get(0))
            }
            Err(error) => Err(refusal(&error)?),
        };
        Ok(Answer { said, took: begun.elapsed() })
    }

    /// A page of the caller's history, newest first.
    pub async fn history(&mut self, user: Uuid) -> Result<(Vec<Value>, Duration)> {
        let statement = self.history.clone();
        let begun = Instant::now();
        let transaction = self.begin(Caller::User(user), "GET", "/wallet_history").await?;
        let rows = transaction.query(&statement, &[]).await?;
        transaction.commit().await?;
        let took = begun.elapsed();
        let lines: Result<Vec<Value>, _> = rows.iter().map(|row| serde_json::from_str(row.get(0))).collect();
        Ok((lines?, took))
    }

    async fn begin(&mut self, caller: Caller, method: &str, path: &str) -> Result<tokio_postgres::Transaction<'_>> {
        let (role, token) = match caller {
            Caller::User(id) => {
                ("authenticated", json!({ "aud": "authenticated", "role": "authenticated", "sub": id }))
            }
            Caller::Service => ("service_role", json!({ "role": "service_role" })),
        };
        let headers = json!({ "x-request-id": "scale" }).to_string();
        let claims = self.claims.clone();
        let transaction = self.db.transaction().await?;
        transaction.query_one(&claims, &[&role, &method, &path, &headers, &token.to_string()]).await?;
        Ok(transaction)
    }
}

/// The code of what SQL refused by name; anything else is a fault.
fn refusal(error: &tokio_postgres::Error) -> Result<String> {
    let Some(said) = error.as_db_error() else { return Err(anyhow!(postgres::causes(error))) };
    ensure!(said.code().code() == "PGRST", postgres::causes(error));
    let body: Value = serde_json::from_str(said.message())?;
    Ok(body["code"].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_no_success_however_it_is_said() {
        let answer = |said| Answer { said, took: Duration::ZERO };
        for said in [Ok(json!({ "success": false })), Ok(json!({ "code": "LIMIT_EXCEEDED" })), Err("LOCKED".to_owned())]
        {
            assert!(answer(said).success().is_err());
        }
        for said in [json!({ "success": true }), json!({ "outcome": "settled" }), json!({ "duplicate": false })] {
            assert!(answer(Ok(said)).success().is_ok());
        }
    }
}
