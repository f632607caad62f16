//! The rows for people: a table for each pattern, the subjects down, the numbers of clients across.

use crate::report::Table;
use crate::rows::{Ledger, Row};

/// A column's figure, as it is shown.
type Figure = (&'static str, fn(&Ledger) -> String);

const FIGURES: [Figure; 3] = [
    ("postings/s", |row| format!("{:.0}", row.tps)),
    ("Postgres µs", |row| format!("{:.1}", row.pg_cpu_us)),
    ("p99 ms", |row| format!("{:.2}", row.p99_ms)),
];

/// Headings and tables, in the order of the rows.
pub fn tables(rows: &[Row]) -> Vec<(String, Table)> {
    let rows: Vec<&Ledger> =
        rows.iter().filter_map(|row| if let Row::Ledger(ledger) = row { Some(ledger) } else { None }).collect();
    let patterns = distinct(rows.iter().map(|row| parts(row).0));
    patterns.into_iter().map(|pattern| (format!("ledger, {pattern}"), table(pattern, &rows))).collect()
}

fn table(pattern: &str, rows: &[&Ledger]) -> Table {
    let rows: Vec<&Ledger> = rows.iter().filter(|row| parts(row).0 == pattern).copied().collect();
    let clients = distinct(rows.iter().map(|row| parts(row).1));
    let columns: Vec<(&str, &Figure)> =
        FIGURES.iter().flat_map(|figure| clients.iter().map(move |count| (*count, figure))).collect();
    let mut head = vec!["subject".to_owned()];
    head.extend(columns.iter().map(|(count, (name, _))| format!("{name}, {count}")));
    let mut table = vec![head];
    for subject in distinct(rows.iter().map(|row| row.subject.as_str())) {
        let own = |count: &str| rows.iter().find(|row| row.subject == subject && parts(row).1 == count);
        let mut line = vec![subject.to_owned()];
        line.extend(columns.iter().map(|(count, (_, show))| own(count).map_or_else(String::new, |row| show(row))));
        table.push(line);
    }
    table
}

/// `hot/64`: the pattern and the number of clients.
fn parts(row: &Ledger) -> (&str, &str) {
    row.case.split_once('/').unwrap_or((&row.case, ""))
}

fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_a_table_with_the_clients_across() {
        let row = |case: &str, subject: &str, tps| {
            let (case, subject) = (case.to_owned(), subject.to_owned());
            Row::Ledger(Ledger { suite: "ledger", case, subject, tps, pg_cpu_us: 300.0, p99_ms: 1.5 })
        };
        let rows = [row("spread/1", "ours", 100.0), row("spread/64", "ours", 900.0), row("hot/64", "merchant", 800.0)];
        let tables = tables(&rows);
        assert_eq!(
            tables.iter().map(|(heading, _)| heading.as_str()).collect::<Vec<_>>(),
            ["ledger, spread", "ledger, hot"]
        );
        let (_, spread) = &tables[0];
        assert_eq!(spread[0][..3], ["subject", "postings/s, 1", "postings/s, 64"]);
        assert_eq!(spread[1], ["ours", "100", "900", "300.0", "300.0", "1.50", "1.50"]);
        assert_eq!(tables[1].1[1][0], "merchant");
    }
}
