//! The same rows for people: on the terminal, and as Markdown for docs/benchmarks.md.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::ledger;
use crate::rows::{Edge, Row};

/// The part of a page that a run replaces.
const OPEN: &str = "<!-- figures -->";
const CLOSE: &str = "<!-- /figures -->";

/// Whom the others are compared with.
const YARDSTICKS: [&str; 3] = ["proxy", "js", "hono"];

pub type Table = Vec<Vec<String>>;

/// Headings and tables, in order.
fn tables(rows: &[Row]) -> Vec<(String, Table)> {
    let edge: Vec<&Edge> =
        rows.iter().filter_map(|row| if let Row::Edge(edge) = row { Some(edge) } else { None }).collect();
    let mut cases: Vec<&str> = edge.iter().map(|row| row.case.as_str()).collect();
    cases.dedup();
    let mut tables: Vec<_> = cases.into_iter().map(|case| (case.to_owned(), edge_table(case, &edge))).collect();
    tables.extend(ledger::tables(rows));
    let sizes = size_table(rows);
    if sizes.len() > 1 {
        tables.push(("size of the WebAssembly".to_owned(), sizes));
    }
    tables.extend(rows.iter().filter_map(soak_table));
    tables
}

fn soak_table(row: &Row) -> Option<(String, Table)> {
    let Row::Soak(soak) = row else { return None };
    let zero = if soak.is_zero { "zero" } else { "it grows" };
    let table = [
        ("requests", soak.requests.to_string()),
        ("edge CPU µs", format!("{:.1}", soak.cpu_us)),
        ("req/s", format!("{:.0}", soak.rps)),
        ("4xx, as asked for", soak.refused.to_string()),
        ("5xx", soak.failed.to_string()),
        ("memory MiB", format!("{} to {}", soak.first_mib, soak.last_mib)),
        ("MiB per 100k requests", format!("{:.2} ({:.2} to {:.2})", soak.mib_per_100k, soak.low, soak.high)),
        ("slope", zero.to_owned()),
    ];
    let (head, line) = table.into_iter().map(|(name, figure)| (name.to_owned(), figure)).unzip();
    Some((format!("soak, {}", soak.case), vec![head, line]))
}

fn edge_table(case: &str, rows: &[&Edge]) -> Table {
    let rows: Vec<&&Edge> = rows.iter().filter(|row| row.case == case).collect();
    let yardsticks: Vec<&Edge> =
        YARDSTICKS.iter().filter_map(|name| rows.iter().find(|row| row.subject == *name).map(|row| **row)).collect();
    let mut head: Vec<String> =
        ["subject", "edge CPU µs", "±", "gateway µs", "Postgres µs", "req/s", "p50 ms", "p95 ms", "p99 ms"]
            .map(String::from)
            .into();
    head.extend(yardsticks.iter().map(|yardstick| format!("× {}", yardstick.subject)));
    let mut table = vec![head];
    for row in rows {
        let mut line = vec![
            row.subject.clone(),
            format!("{:.1}", row.cpu_us),
            format!("{:.0} %", row.spread * 50.0),
            format!("{:.1}", row.gateway_cpu_us),
            format!("{:.1}", row.pg_cpu_us),
            format!("{:.0}", row.rps),
            format!("{:.2}", row.p50_ms),
            format!("{:.2}", row.p95_ms),
            format!("{:.2}", row.p99_ms),
        ];
        line.extend(yardsticks.iter().map(|yardstick| format!("{:.2}", row.cpu_us / yardstick.cpu_us)));
        table.push(line);
    }
    table
}

fn size_table(rows: &[Row]) -> Table {
    let mut table = vec![["function", "raw bytes", "gzip bytes"].map(String::from).to_vec()];
    for row in rows {
        if let Row::Size(size) = row {
            table.push(vec![size.case.clone(), size.raw_bytes.to_string(), size.gzip_bytes.to_string()]);
        }
    }
    table
}

pub fn terminal(rows: &[Row], machine: &str) -> String {
    let mut text = format!("{machine}\n");
    for (heading, table) in tables(rows) {
        text += &format!("\n{heading}\n");
        let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for line in &table {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text += &format!("  {}\n", cells.collect::<Vec<_>>().join("  "));
        }
    }
    text
}

pub fn markdown(rows: &[Row], machine: &str) -> String {
    let mut text = format!("Measured on {machine}.\n");
    for (heading, table) in tables(rows) {
        text += &format!("\n### {heading}\n\n");
        for (number, line) in table.iter().enumerate() {
            text += &format!("| {} |\n", line.join(" | "));
            if number == 0 {
                text += &format!("| --- |{}\n", " ---: |".repeat(line.len() - 1));
            }
        }
    }
    text
}

/// Into the marked part of a page; a file without one, or none at all, becomes the figures alone.
pub fn publish(text: &str, file: &Path) -> Result<()> {
    let page = fs::read_to_string(file).unwrap_or_default();
    let parts = page.split_once(OPEN).and_then(|(head, rest)| Some((head, rest.split_once(CLOSE)?.1)));
    let page = match parts {
        Some((head, tail)) => format!("{head}{OPEN}\n{text}{CLOSE}{tail}"),
        None => text.to_owned(),
    };
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Size;

    fn edge(subject: &str, cpu_us: f64) -> Row {
        Row::Edge(Edge {
            suite: "edge",
            case: "hello".into(),
            subject: subject.into(),
            cpu_us,
            gateway_cpu_us: 0.0,
            pg_cpu_us: 0.0,
            rps: 1000.0,
            p50_ms: 1.0,
            p95_ms: 2.0,
            p99_ms: 3.0,
            runs: 5,
            spread: 0.08,
        })
    }

    #[test]
    fn everyone_is_compared_with_the_yardsticks_that_took_part() {
        let text = terminal(&[edge("cauris", 30.0), edge("js", 40.0)], "2 cores");
        assert!(text.contains("× js") && !text.contains("× hono"), "{text}");
        assert!(text.lines().any(|line| line.contains("cauris") && line.ends_with("0.75")), "{text}");
    }

    #[test]
    fn a_page_keeps_everything_around_the_figures() {
        let dir = tempfile::tempdir().expect("dir");
        let page = dir.path().join("page.md");
        fs::write(&page, format!("# Title\n{OPEN}\nold\n{CLOSE}\nend\n")).expect("written");
        let rows = [Row::Size(Size { suite: "size", case: "health".into(), raw_bytes: 9, gzip_bytes: 4 })];
        publish(&markdown(&rows, "2 cores"), &page).expect("published");
        let text = fs::read_to_string(&page).expect("read");
        assert!(text.starts_with("# Title\n") && text.ends_with("\nend\n") && !text.contains("old"), "{text}");
        assert!(text.contains("| health | 9 | 4 |") && text.contains("| --- | ---: | ---: |"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_page_becomes_the_figures() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("new.md");
        publish("figures\n", &file).expect("published");
        assert_eq!(fs::read_to_string(&file).expect("read"), "figures\n");
    }
}
