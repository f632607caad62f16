//! The rows for people: a table for each pattern, the subjects down, the numbers of clients across.

use crate::report::figures::{Figure, Figures, distinct};
use crate::report::tables::Table;

/// A column's key, and how it is called and shown.
type Column = (&'static str, &'static str, fn(f64) -> String);

const COLUMNS: [Column; 3] = [
    ("postings/s", "tps", |value| format!("{value:.0}")),
    ("Postgres µs", "pg_cpu_us", |value| format!("{value:.1}")),
    ("p99 ms", "p99_ms", |value| format!("{value:.2}")),
];

/// Headings and tables with the rows in them, in the order of the rows.
pub fn tables(figures: &Figures) -> Vec<(String, Table, Vec<&Figure>)> {
    let table = |pattern| {
        let rows: Vec<&Figure> = figures.of("ledger").filter(|row| parts(row).0 == pattern).collect();
        (format!("ledger, {pattern}"), table(&rows), rows)
    };
    distinct(figures.of("ledger").map(|row| parts(row).0)).into_iter().map(table).collect()
}

fn table(rows: &[&Figure]) -> Table {
    let clients = distinct(rows.iter().map(|row| parts(row).1));
    let columns: Vec<(&str, &Column)> =
        COLUMNS.iter().flat_map(|column| clients.iter().map(move |count| (*count, column))).collect();
    let mut head = vec!["subject".to_owned()];
    head.extend(columns.iter().map(|(count, (name, ..))| format!("{name}, {count}")));
    let mut table = vec![head];
    for subject in distinct(rows.iter().map(|row| row.subject())) {
        let own = |count: &str| rows.iter().find(|row| row.subject() == subject && parts(row).1 == count);
        let mut line = vec![subject.to_owned()];
        let figure = |count, key, show: fn(f64) -> String| own(count)?.number(key).map(show);
        line.extend(columns.iter().map(|(count, (_, key, show))| figure(count, key, *show).unwrap_or_default()));
        table.push(line);
    }
    table
}

/// `hot/64`: the pattern and the number of clients.
pub fn parts(row: &Figure) -> (&str, &str) {
    row.case().split_once('/').unwrap_or((row.case(), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_a_table_with_the_clients_across() {
        let row = |case, tps| format!(r#"{{"suite":"ledger",{case},"tps":{tps},"pg_cpu_us":300.0,"p99_ms":1.5}}"#);
        let rows = [
            row(r#""case":"spread/1","subject":"ours""#, 100),
            row(r#""case":"spread/64","subject":"ours""#, 900),
            row(r#""case":"hot/64","subject":"merchant""#, 800),
        ];
        let figures = Figures::parse(&format!("[{}]", rows.join(","))).expect("rows");
        let tables = tables(&figures);
        let headings: Vec<&str> = tables.iter().map(|(heading, ..)| heading.as_str()).collect();
        assert_eq!(headings, ["ledger, spread", "ledger, hot"]);
        let (_, spread, rows) = &tables[0];
        assert_eq!(spread[0][..3], ["subject", "postings/s, 1", "postings/s, 64"]);
        assert_eq!(spread[1], ["ours", "100", "900", "300.0", "300.0", "1.50", "1.50"]);
        assert_eq!((rows.len(), tables[1].1[1][0].as_str()), (2, "merchant"));
    }
}
