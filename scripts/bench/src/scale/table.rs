//! The figures for people, as the run ends: what keeps its budget, and what lies where.

use std::fmt::Write as _;

use crate::rows::{Partitions, Scale, Stored};

/// Of the p95 at the most rows to that at the fewest: design.md §10.
const BUDGET: f64 = 1.2;

/// How a case's p95 has grown, from the fewest rows to the most; none when there is only one step.
pub fn ratios(rows: &[Scale]) -> Vec<(&str, f64)> {
    let (first, last) = (rows.iter().map(|row| row.rows).min(), rows.iter().map(|row| row.rows).max());
    let at =
        |case: &str, step| rows.iter().find(|row| row.case == case && Some(row.rows) == step).map(|row| row.p95_ms);
    let cases = rows.iter().filter(|row| first != last && Some(row.rows) == last).map(|row| row.case);
    cases.filter_map(|case| Some((case, at(case, last)? / at(case, first)?))).collect()
}

pub fn judged(rows: &[Scale]) -> String {
    let mut text = String::new();
    for (case, ratio) in ratios(rows) {
        let verdict = if ratio <= BUDGET { "kept" } else { "missed" };
        let _ = writeln!(text, "  {case:<16} p95 × {ratio:.2} of {BUDGET}: {verdict}");
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "sizes of tables, not 2^53")]
pub fn stored(rows: &[Stored]) -> String {
    let mut text =
        format!("  {:<32} {:<9} {:>10} {:>10} {:>10} {:>8}\n", "table", "", "rows", "table MB", "index MB", "B/row");
    for row in rows.iter().filter(|row| row.case == "transfer" || row.table_bytes >= 1 << 20) {
        let each = (row.table_bytes + row.index_bytes) as f64 / row.rows.max(1) as f64;
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let hot = row.hot.map_or(String::new(), |hot| format!("  HOT {hot:.2}"));
        let (table, index) = (mb(row.table_bytes), mb(row.index_bytes));
        let _ = writeln!(
            text,
            "  {:<32} {:<9} {:>10} {table:>10.1} {index:>10.1} {each:>8.0}{hot}",
            row.case, row.subject, row.rows
        );
    }
    text
}

pub fn partitions(rows: &[Partitions]) -> String {
    rows.iter().fold(String::new(), |mut text, row| {
        let _ = writeln!(text, "  {:<24} {:>3} of {:>3}, {:.1} ms", row.case, row.touched, row.of, row.ms);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &'static str, rows: u64, p95_ms: f64) -> Scale {
        Scale { suite: "scale", case, subject: "ours", rows, p95_ms, pg_cpu_us: 100.0 }
    }

    #[test]
    fn a_case_is_judged_from_the_fewest_rows_to_the_most() {
        let rows = [row("transfer", 10_000, 2.0), row("history", 10_000, 1.0), row("transfer", 100_000, 9.0)];
        let rows = [&rows[..], &[row("transfer", 10_000_000, 2.4), row("history", 10_000_000, 1.3)]].concat();
        let text = judged(&rows);
        assert!(text.lines().any(|line| line.contains("transfer") && line.ends_with("kept")), "{text}");
        assert!(text.lines().any(|line| line.contains("history") && line.ends_with("missed")), "{text}");
    }

    #[test]
    fn one_step_has_nothing_to_be_compared_with() {
        assert!(ratios(&[row("transfer", 10_000, 2.0)]).is_empty());
    }

    #[test]
    fn a_row_s_bytes_are_those_of_its_table_and_its_indexes() {
        let entries = Stored {
            suite: "storage",
            case: "ledger.entries".into(),
            subject: "ours",
            rows: 10_000,
            table_bytes: 2_000_000,
            index_bytes: 1_000_000,
            hot: None,
        };
        let line = stored(&[entries]).lines().nth(1).map(str::to_owned).unwrap_or_default();
        assert!(line.ends_with(" 300") && line.contains("2.0"), "{line}");
    }
}
