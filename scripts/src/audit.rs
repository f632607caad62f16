//! `cargo xtask audit`: asks a live database whether its books add up and its sealed days are what they were.
//!
//! The questions and the arithmetic are SQL: `ledger.audit` in migrations/…_ledger_audit.sql. Here the answer becomes lines
//! that a person can read, and one sentence when something is wrong. It changes nothing. See docs/audit.md.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::postgres;

mod report;

pub use report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// The database to audit; default: $DATABASE_URL, else the local stack's
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A head of the chain that was noted elsewhere; it must still be the hash of a day
    #[arg(long, value_name = "HEX")]
    head: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Result<()> {
    if let Some(head) = &args.head {
        let hex = head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
        ensure!(hex, "--head is 64 hexadecimal digits, as this command and ledger-close print them");
    }
    let url = args.database_url.or_else(|| std::env::var("DATABASE_URL").ok());
    let url = url.unwrap_or_else(|| postgres::url(54322));
    let figures = ask(&url, args.head.as_deref()).await?;
    let report: Report = serde_json::from_value(figures.clone()).context("the database's answer is not understood")?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        println!("{}", postgres::without_password(&url));
        print!("{}", report.text());
    }
    match report.verdict() {
        None => Ok(()),
        Some(sentence) => bail!(sentence),
    }
}

/// The figures, all of one instant.
pub async fn ask(url: &str, head: Option<&str>) -> Result<Value> {
    let said = |error: tokio_postgres::Error| anyhow!(postgres::causes(&error));
    let client = postgres::connect(url).await?;
    let known =
        client.query_one("select to_regprocedure('ledger.audit(text)') is not null", &[]).await.map_err(said)?;
    ensure!(known.get::<_, bool>(0), "this database has no ledger to audit: run `cargo xtask migrate` first");
    let row = client.query_one("select ledger.audit($1)", &[&head]).await.map_err(said)?;
    Ok(row.get(0))
}
