//! Runs each file of `tests/sql/` as one test, on a throw-away Postgres or on `TEST_DATABASE_URL`.
//!
//! A file is one transaction that rolls itself back, so the order does not matter and nothing is left behind. They run
//! one after the other: two transactions that never end well may still wait for each other's locks.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where an edge function must not"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::error::{DbError, ErrorPosition};
use xtask::stack::{self, Options, Stack};
use xtask::{house, migrate, postgres};

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let files = files().expect("tests/sql can be listed");
    let matching = |file: &&PathBuf| arguments.filter.as_ref().is_none_or(|filter| name(file).contains(filter));
    if arguments.list || files.iter().find(matching).is_none() {
        libtest_mimic::run(&arguments, trials(&files, |_| Ok(()))).exit(); // Nothing to ask a database for.
    }
    let runtime = Arc::new(Runtime::new().expect("threads for the tests"));
    let (url, ours) = match runtime.block_on(database()) {
        Ok(database) => database,
        Err(error) => {
            eprintln!("error: no database to test on: {error:#}");
            std::process::exit(1);
        }
    };
    let worker = runtime.clone();
    let run = move |file: &Path| worker.block_on(run(&url, file));
    let conclusion = libtest_mimic::run(&arguments, trials(&files, run));
    if let Some((stack, folder)) = ours {
        runtime.block_on(stack.stop());
        drop(folder); // `exit` runs no destructors.
    }
    conclusion.exit();
}

fn trials(files: &[PathBuf], run: impl Fn(&Path) -> Result<(), Failed> + Clone + Send + 'static) -> Vec<Trial> {
    let trial = |file: &PathBuf| {
        let (file, run) = (file.clone(), run.clone());
        Trial::test(name(&file), move || run(&file))
    };
    files.iter().map(trial).collect()
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn files() -> Result<Vec<PathBuf>> {
    let folder = house::root().join("tests/sql");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}

/// The URL of a database with every migration applied; the cluster and its folder, when they end with us.
async fn database() -> Result<(String, Option<(Stack, TempDir)>)> {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        migrate::apply(&url).await?;
        return Ok((url, None));
    }
    let folder = tempfile::Builder::new().prefix("cauris-sql-").tempdir()?;
    let options = Options { runtime: stack::Runtime::None, ..Options::ephemeral(folder.path()) };
    let stack = Stack::start(options).await?;
    Ok((stack.db_url.clone(), Some((stack, folder))))
}

/// One file, in a session of its own: what a failure leaves behind ends with the session.
async fn run(url: &str, file: &Path) -> Result<(), Failed> {
    let (sql, borrowed) = with_includes(file).map_err(|error| format!("{error:#}"))?;
    let client = postgres::connect(url).await.map_err(|error| format!("{error:#}"))?;
    let Err(error) = client.batch_execute(&sql).await else { return Ok(()) };
    let told = error.as_db_error().map_or_else(|| error.to_string(), |error| explain(error, &sql, borrowed));
    Err(format!("{}\n{told}", house::shown(file)).into())
}

/// The file with what it includes, and how many lines longer that makes it. `\ir` is psql's own word, so that a file also
/// runs alone: `psql -f FILE`.
fn with_includes(file: &Path) -> Result<(String, usize)> {
    let text = fs::read_to_string(file)?;
    let mut sql = String::new();
    for line in text.lines() {
        match line.strip_prefix("\\ir ") {
            Some(shared) => {
                let shared = file.with_file_name(shared.trim());
                sql += &fs::read_to_string(&shared).with_context(|| format!("cannot read {}", shared.display()))?;
            }
            None => sql += line,
        }
        sql.push('\n');
    }
    let borrowed = sql.lines().count().saturating_sub(text.lines().count());
    Ok((sql, borrowed))
}

/// What Postgres said, and where: a line of the file, or the stack of functions.
fn explain(error: &DbError, sql: &str, borrowed: usize) -> String {
    let mut told = format!("{} {}: {}", error.severity(), error.code().code(), error.message());
    let extras = [("detail", error.detail()), ("hint", error.hint()), ("context", error.where_())];
    for (label, text) in extras {
        if let Some(text) = text {
            told += &format!("\n  {label}: {}", text.replace('\n', "\n           "));
        }
    }
    match error.position() {
        Some(ErrorPosition::Original(position)) => {
            let before: String = sql.chars().take(*position as usize).collect();
            // What is included stands in the file's second line.
            let line = (before.matches('\n').count() + 1).saturating_sub(borrowed).max(2);
            told += &format!("\n  line {line} of the file");
        }
        Some(ErrorPosition::Internal { query, position }) => told += &format!("\n  at {position} of: {query}"),
        None => {}
    }
    told
}
