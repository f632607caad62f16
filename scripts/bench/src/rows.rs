//! What a run leaves behind: flat rows, the same for `--json` and for the tables.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// A case of suite `edge` for one subject: medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    pub suite: &'static str,
    pub case: String,
    pub subject: String,
    pub cpu_us: f64,
    pub gateway_cpu_us: f64,
    pub pg_cpu_us: f64,
    pub rps: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub runs: usize,
    /// How far the rounds' `cpu_us` lie apart; for the table only.
    #[serde(skip)]
    pub spread: f64,
}

/// A case of suite `ledger` for one subject: medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    pub suite: &'static str,
    pub case: String,
    pub subject: String,
    /// Postings per second.
    pub tps: f64,
    /// Of Postgres with all its processes, per posting.
    pub pg_cpu_us: f64,
    pub p99_ms: f64,
}

/// A function as it is deployed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    pub suite: &'static str,
    pub case: String,
    pub raw_bytes: u64,
    pub gzip_bytes: u64,
}

/// Suite `soak`: what so many calls cost, and what they left behind in memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Soak {
    pub suite: &'static str,
    pub case: &'static str,
    pub requests: usize,
    pub cpu_us: f64,
    pub rps: f64,
    /// 4xx, all of them asked for.
    pub refused: usize,
    /// 5xx, and connections that broke.
    pub failed: usize,
    pub first_mib: u64,
    pub last_mib: u64,
    /// The slope of memory, and between what it lies.
    pub mib_per_100k: f64,
    pub low: f64,
    pub high: f64,
    pub is_zero: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    Edge(Edge),
    Ledger(Ledger),
    Size(Size),
    Soak(Soak),
}

pub fn write(rows: &[Row], file: &Path) -> Result<()> {
    let lines: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let text = format!("[\n  {}\n]\n", lines.join(",\n  "));
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn rows_have_the_keys_that_readers_of_the_file_expect() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("rows.json");
        let edge = Edge {
            suite: "edge",
            case: "hop".into(),
            subject: "js".into(),
            cpu_us: 75.0,
            gateway_cpu_us: 0.0,
            pg_cpu_us: 0.5,
            rps: 9000.0,
            p50_ms: 0.8,
            p95_ms: 1.0,
            p99_ms: 1.5,
            runs: 5,
            spread: 0.1,
        };
        let ledger = Ledger {
            suite: "ledger",
            case: "hot/64".into(),
            subject: "ours".into(),
            tps: 800.0,
            pg_cpu_us: 910.5,
            p99_ms: 95.25,
        };
        let size = Size { suite: "size", case: "health".into(), raw_bytes: 90_000, gzip_bytes: 36_000 };
        write(&[Row::Edge(edge), Row::Ledger(ledger), Row::Size(size)], &file).expect("written");
        let rows: Value = serde_json::from_str(&fs::read_to_string(&file).expect("read")).expect("JSON");
        assert_eq!(
            rows,
            json!([
                {"suite": "edge", "case": "hop", "subject": "js", "cpu_us": 75.0, "gateway_cpu_us": 0.0, "pg_cpu_us": 0.5,
                 "rps": 9000.0, "p50_ms": 0.8, "p95_ms": 1.0, "p99_ms": 1.5, "runs": 5},
                {"suite": "ledger", "case": "hot/64", "subject": "ours", "tps": 800.0, "pg_cpu_us": 910.5, "p99_ms": 95.25},
                {"suite": "size", "case": "health", "raw_bytes": 90_000, "gzip_bytes": 36_000},
            ])
        );
    }
}
