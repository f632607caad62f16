//! What a run leaves behind: flat rows, the same for `--json` and for the page (see `report/figures.rs`).

use std::collections::BTreeMap;

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
    /// How far the rounds' `cpu_us` lie apart, as a share of it.
    pub spread: f64,
    /// `over_js`: the median over the rounds of this subject's CPU beside that of `js` in the same round, with `over_js_low` and
    /// `over_js_high`, between which it lies. `rps_over_direct`: the same of the answers a second.
    #[serde(flatten)]
    pub beside: BTreeMap<String, f64>,
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

/// Suite `cold`: the first call of a process, over many starts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cold {
    pub suite: &'static str,
    pub case: String,
    pub subject: String,
    /// From connecting to the whole answer.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of the process up to that answer: the median.
    pub cpu_ms: f64,
    /// From its start until it listened: the median.
    pub listen_ms: f64,
    pub starts: usize,
}

/// Suite `cold`: what workers hold that have been called once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memory {
    pub suite: &'static str,
    pub case: String,
    pub subject: String,
    pub isolates: usize,
    /// Of the process with all of them.
    pub mib: f64,
    /// What each beyond the first adds.
    pub mib_per_isolate: f64,
}

/// Suite `open`: a subject at a rate that does not wait for it; medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Open {
    pub suite: &'static str,
    pub case: String,
    pub subject: String,
    /// Of what the slower subject answers in a closed loop.
    pub load_percent: u32,
    pub rps: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// A case of suite `scale` at so many ledger entries: medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scale {
    pub suite: &'static str,
    pub case: &'static str,
    pub subject: &'static str,
    pub rows: u64,
    pub p95_ms: f64,
    /// Of Postgres with all its processes, per call.
    pub pg_cpu_us: f64,
}

/// Suite `scale`, as it ends: what rows take on the disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stored {
    pub suite: &'static str,
    pub case: String,
    pub subject: &'static str,
    pub rows: u64,
    pub table_bytes: u64,
    pub index_bytes: u64,
    /// The share of updates that touched no index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot: Option<f64>,
}

/// Suite `scale`, as it ends: how many partitions are read or made, of how many.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Partitions {
    pub suite: &'static str,
    pub case: String,
    pub subject: &'static str,
    pub rows: u64,
    pub touched: usize,
    pub of: usize,
    pub ms: f64,
}

/// Suite `edit`: from saving a source until its new code answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edit {
    pub suite: &'static str,
    pub case: &'static str,
    pub subject: &'static str,
    pub p50_s: f64,
    pub max_s: f64,
    /// Of the development server with everything that it starts: the median.
    pub cpu_s: f64,
    pub runs: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    Cold(Cold),
    Memory(Memory),
    Open(Open),
    Edge(Edge),
    Ledger(Ledger),
    Size(Size),
    Soak(Soak),
    Scale(Scale),
    Stored(Stored),
    Partitions(Partitions),
    Edit(Edit),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_the_keys_that_readers_of_the_file_expect() {
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
            beside: BTreeMap::from([("over_hono".to_owned(), 0.75)]),
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
        let edit =
            Edit { suite: "edit", case: "function", subject: "cauris", p50_s: 4.2, max_s: 4.9, cpu_s: 3.5, runs: 3 };
        let rows = [Row::Edge(edge), Row::Ledger(ledger), Row::Size(size), Row::Edit(edit)];
        let rows = serde_json::to_value(rows).expect("JSON");
        assert_eq!(
            rows,
            json!([
                {"suite": "edge", "case": "hop", "subject": "js", "cpu_us": 75.0, "gateway_cpu_us": 0.0, "pg_cpu_us": 0.5,
                 "rps": 9000.0, "p50_ms": 0.8, "p95_ms": 1.0, "p99_ms": 1.5, "runs": 5, "spread": 0.1,
                 "over_hono": 0.75},
                {"suite": "ledger", "case": "hot/64", "subject": "ours", "tps": 800.0, "pg_cpu_us": 910.5, "p99_ms": 95.25},
                {"suite": "size", "case": "health", "raw_bytes": 90_000, "gzip_bytes": 36_000},
                {"suite": "edit", "case": "function", "subject": "cauris", "p50_s": 4.2, "max_s": 4.9, "cpu_s": 3.5, "runs": 3},
            ])
        );
    }
}
