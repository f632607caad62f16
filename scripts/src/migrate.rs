//! `cargo xtask migrate`: applies `migrations/*.sql` in the order of their stamps, each in one transaction, once.
//!
//! What was applied is written down with its checksum in the same transaction, so that a file that was edited,
//! removed or slipped in between is refused and not guessed about.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio_postgres::{Client, Transaction};

use crate::{house, postgres};

mod plan;

pub use plan::{Applied, File};

/// Two migrators of one database take turns.
const LOCK: i64 = 0x0063_6175_7269_7301;

#[derive(clap::Args)]
pub struct Args {
    /// The database to migrate; default: $DATABASE_URL, else the local stack's
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

pub async fn run(args: Args) -> Result<()> {
    let url = args.database_url.or_else(|| std::env::var("DATABASE_URL").ok());
    let url = url.unwrap_or_else(|| postgres::url(54322));
    let applied = apply(&url).await?;
    for name in &applied {
        println!("applied {name}");
    }
    match applied.len() {
        0 => println!("{} is up to date", postgres::without_password(&url)),
        count => println!("{count} applied to {}", postgres::without_password(&url)),
    }
    Ok(())
}

/// Applies what is missing and returns its names.
pub async fn apply(url: &str) -> Result<Vec<String>> {
    apply_from(url, &house::root().join("migrations")).await
}

pub async fn apply_from(url: &str, folder: &Path) -> Result<Vec<String>> {
    let files = plan::read(folder)?;
    let mut client = postgres::connect(url).await?;
    let mut done = Vec::new();
    while let Some(name) = apply_next(&mut client, &files, folder).await? {
        done.push(name);
    }
    // Whoever reads the schema through PostgREST should read the new one.
    client.batch_execute("notify pgrst, 'reload schema'").await.map_err(|error| anyhow!(postgres::causes(&error)))?;
    Ok(done)
}

/// What `apply` would apply; changes nothing.
pub async fn pending(url: &str) -> Result<Vec<String>> {
    let said = |error: tokio_postgres::Error| anyhow!(postgres::causes(&error));
    let mut files = plan::read(&house::root().join("migrations"))?;
    let mut client = postgres::connect(url).await?;
    let transaction = client.build_transaction().read_only(true).start().await.map_err(said)?;
    let listed = transaction.query_one("select to_regclass('cauris_migrations.applied') is not null", &[]).await;
    let applied = if listed.map_err(said)?.get(0) { applied(&transaction).await.map_err(said)? } else { Vec::new() };
    plan::next(&files, &applied)?;
    files.retain(|file| applied.iter().all(|done| done.stamp != file.stamp));
    Ok(files.iter().map(File::file_name).collect())
}

/// One transaction: the lock, the look, the file, the note. The lock ends with the transaction, so that poolers that
/// hand a connection from hand to hand cannot keep it.
async fn apply_next(client: &mut Client, files: &[File], folder: &Path) -> Result<Option<String>> {
    let said = |error: tokio_postgres::Error| anyhow!(postgres::causes(&error));
    let transaction = client.transaction().await.map_err(said)?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(said)?;
    // Behind a statement that waits for a table's lock every other one queues: a migration gives up first.
    transaction.batch_execute("set local lock_timeout = '5s'").await.map_err(said)?;
    transaction.batch_execute(BOOK).await.map_err(said).context("cannot keep the list of migrations")?;
    let applied = applied(&transaction).await.map_err(said)?;
    let Some(file) = plan::next(files, &applied)? else {
        transaction.commit().await.map_err(said)?;
        return Ok(None);
    };
    let shown = house::shown(&folder.join(file.file_name()));
    if let Err(error) = transaction.batch_execute(&file.sql).await {
        bail!("{shown}{}", located(&error, &file.sql));
    }
    transaction
        .execute(
            "insert into cauris_migrations.applied (stamp, name, checksum) values ($1, $2, $3)",
            &[&file.stamp, &file.name, &file.checksum],
        )
        .await
        .map_err(said)
        .with_context(|| format!("{shown} was not noted"))?;
    // A deferred constraint speaks only now.
    transaction.commit().await.map_err(said).with_context(|| format!("{shown} was not applied"))?;
    Ok(Some(file.file_name()))
}

const BOOK: &str = "
    create schema if not exists cauris_migrations;
    create table if not exists cauris_migrations.applied (
        stamp      text        constraint applied_pkey primary key,
        name       text        not null,
        checksum   text        not null,
        applied_at timestamptz not null default now()
    );
    alter table cauris_migrations.applied enable row level security;
    revoke all on schema cauris_migrations from public;
";

async fn applied(transaction: &Transaction<'_>) -> Result<Vec<Applied>, tokio_postgres::Error> {
    let rows =
        transaction.query("select stamp, name, checksum from cauris_migrations.applied order by stamp", &[]).await?;
    Ok(rows.iter().map(|row| Applied { stamp: row.get(0), name: row.get(1), checksum: row.get(2) }).collect())
}

/// `:LINE: MESSAGE`, as compilers say it.
fn located(error: &tokio_postgres::Error, sql: &str) -> String {
    let Some(error) = error.as_db_error() else { return format!(": {}", postgres::causes(error)) };
    let line = match error.position() {
        Some(tokio_postgres::error::ErrorPosition::Original(position)) => {
            let before = sql.chars().take(usize::try_from(*position).unwrap_or(usize::MAX).saturating_sub(1));
            format!(":{}", before.filter(|character| *character == '\n').count() + 1)
        }
        _ => String::new(),
    };
    let extra = [error.detail(), error.hint(), error.where_()].into_iter().flatten();
    let extra: String = extra.map(|text| format!("; {}", text.replace('\n', " "))).collect();
    format!("{line}: {} ({}){extra}", error.message(), error.code().code())
}
