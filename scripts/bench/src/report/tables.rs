//! The rows as tables: one for each case, the subjects down.

use crate::case::Case;
use crate::ledger;
use crate::report::figures::{Figure, Figures, distinct};

/// A head and its lines.
pub type Table = Vec<Vec<String>>;

pub struct Section {
    pub heading: String,
    pub table: Table,
    /// The commands that measured it.
    pub sources: Vec<String>,
}

/// How a key is called and shown.
type Column = (&'static str, &'static str, fn(f64) -> String);

const WHOLE: fn(f64) -> String = |value| format!("{value:.0}");
const TENTHS: fn(f64) -> String = |value| format!("{value:.1}");
const HUNDREDTHS: fn(f64) -> String = |value| format!("{value:.2}");

/// A suite whose rows are subjects, with whom all are compared in what.
struct Layout {
    suite: &'static str,
    columns: &'static [Column],
    yardsticks: &'static [&'static str],
    compared: &'static str,
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        suite: "edge",
        columns: &[
            ("edge CPU µs", "cpu_us", TENTHS),
            ("±", "spread", |share| format!("{:.0} %", share * 50.0)),
            ("gateway µs", "gateway_cpu_us", TENTHS),
            ("Postgres µs", "pg_cpu_us", TENTHS),
            ("req/s", "rps", WHOLE),
            ("p50 ms", "p50_ms", HUNDREDTHS),
            ("p95 ms", "p95_ms", HUNDREDTHS),
            ("p99 ms", "p99_ms", HUNDREDTHS),
        ],
        yardsticks: &["proxy", "js", "hono"],
        compared: "cpu_us",
    },
    Layout {
        suite: "cold",
        columns: &[
            ("p50 ms", "p50_ms", HUNDREDTHS),
            ("p99 ms", "p99_ms", HUNDREDTHS),
            ("CPU ms", "cpu_ms", HUNDREDTHS),
            ("listens after ms", "listen_ms", HUNDREDTHS),
            ("starts", "starts", WHOLE),
            ("isolates", "isolates", WHOLE),
            ("MiB", "mib", TENTHS),
            ("MiB per isolate", "mib_per_isolate", HUNDREDTHS),
        ],
        yardsticks: &["js"],
        compared: "p99_ms",
    },
    Layout {
        suite: "open",
        columns: &[
            ("load %", "load_percent", WHOLE),
            ("req/s", "rps", WHOLE),
            ("p50 ms", "p50_ms", HUNDREDTHS),
            ("p95 ms", "p95_ms", HUNDREDTHS),
            ("p99 ms", "p99_ms", HUNDREDTHS),
        ],
        yardsticks: &[],
        compared: "p99_ms",
    },
];

/// Suites whose rows are things, one a line: how they are called, and their columns.
const LISTS: [(&str, &str, &[Column]); 4] = [
    ("size", "function", &[("raw bytes", "raw_bytes", WHOLE), ("gzip bytes", "gzip_bytes", WHOLE)]),
    (
        "storage",
        "table",
        &[
            ("rows", "rows", grouped),
            ("table bytes", "table_bytes", grouped),
            ("index bytes", "index_bytes", grouped),
            ("HOT", "hot", HUNDREDTHS),
        ],
    ),
    (
        "partitions",
        "what",
        &[("rows", "rows", grouped), ("touched", "touched", WHOLE), ("of", "of", WHOLE), ("ms", "ms", TENTHS)],
    ),
    (
        "edit",
        "edited",
        &[
            ("p50 s", "p50_s", TENTHS),
            ("longest s", "max_s", TENTHS),
            ("CPU s", "cpu_s", TENTHS),
            ("edits", "runs", WHOLE),
        ],
    ),
];

/// Headings and tables, in order.
pub fn sections(figures: &Figures) -> Vec<Section> {
    let mut sections: Vec<Section> = LAYOUTS.iter().flat_map(|layout| by_case(figures, layout)).collect();
    for (heading, table, rows) in ledger::tables(figures).into_iter().chain(scale(figures)).chain(lists(figures)) {
        sections.push(Section { heading, table, sources: figures.sources(rows) });
    }
    sections.extend(figures.of("soak").map(|row| Section {
        heading: format!("soak, {}", row.case()),
        table: soak(row),
        sources: figures.sources([row]),
    }));
    sections
}

/// Ours first, then the floors, then who else answers; strangers last, as they come.
pub fn by_subject<'a>(rows: impl IntoIterator<Item = &'a Figure>) -> Vec<&'a Figure> {
    const ORDER: [&str; 7] = ["cauris", "direct", "proxy", "js", "hono", "deno", "bun"];
    let mut rows: Vec<&Figure> = rows.into_iter().collect();
    rows.sort_by_key(|row| ORDER.iter().position(|name| *name == row.subject()).unwrap_or(ORDER.len()));
    rows
}

/// The cases of some rows in the order in which they are read; others last, as they come.
pub fn cases<'a>(rows: impl IntoIterator<Item = &'a Figure>) -> Vec<&'a str> {
    let order = Case::ALL.map(|case| case.to_string());
    let mut cases = distinct(rows.into_iter().map(Figure::case));
    cases.sort_by_key(|case| order.iter().position(|name| name == case).unwrap_or(order.len()));
    cases
}

/// With a comma for each thousand.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

fn show(row: &Figure, key: &str, show: fn(f64) -> String) -> String {
    row.number(key).map_or_else(|| "–".to_owned(), show)
}

fn by_case(figures: &Figures, layout: &Layout) -> Vec<Section> {
    let section = |case: &str| {
        let rows = by_subject(figures.of(layout.suite).filter(|row| row.case() == case));
        let heading = format!("{}, {case}", layout.suite);
        Section { heading, table: subjects(&rows, layout), sources: figures.sources(rows) }
    };
    cases(figures.of(layout.suite)).into_iter().map(section).collect()
}

/// A key that no row has is no column, a yardstick that took no part neither.
fn subjects(rows: &[&Figure], layout: &Layout) -> Table {
    let has = |key: &str| rows.iter().any(|row| row.number(key).is_some());
    let columns: Vec<&Column> = layout.columns.iter().filter(|(_, key, _)| has(key)).collect();
    let yardstick = |name: &str| rows.iter().find(|row| row.subject() == name)?.number(layout.compared);
    let yardsticks: Vec<(&str, f64)> =
        layout.yardsticks.iter().filter_map(|name| Some((*name, yardstick(name)?))).collect();
    let mut head = vec!["subject".to_owned()];
    head.extend(columns.iter().map(|(name, ..)| (*name).to_owned()));
    head.extend(yardsticks.iter().map(|(name, _)| format!("× {name}")));
    let mut table = vec![head];
    for row in rows {
        let mut line = vec![row.subject().to_owned()];
        line.extend(columns.iter().map(|(_, key, how)| show(row, key, *how)));
        let own = row.number(layout.compared);
        line.extend(yardsticks.iter().map(|(name, other)| {
            let by_round = paired(row, &format!("over_{name}"));
            by_round.or_else(|| own.map(|own| HUNDREDTHS(own / other))).unwrap_or_else(|| "–".to_owned())
        }));
        table.push(line);
    }
    beside_direct(rows, layout.suite, &mut table);
    table
}

/// What was compared round by round, and between what it lies.
fn paired(row: &Figure, key: &str) -> Option<String> {
    let number = |end: &str| row.number(&format!("{key}{end}"));
    Some(format!("{:.2} ({:.2} to {:.2})", number("")?, number("_low")?, number("_high")?))
}

/// Where no edge at all took part: what share of its calls a subject answers, and what it adds to their latency at a load.
fn beside_direct(rows: &[&Figure], suite: &str, table: &mut Table) {
    let loaded = |row: &Figure| row.number("load_percent").map(f64::to_bits);
    let direct =
        |like: &Figure| rows.iter().find(|row| row.subject() == "direct" && loaded(row) == loaded(like)).copied();
    let (head, key, beside): (&str, &str, fn(f64, f64) -> f64) = match suite {
        "edge" => ("req/s × direct", "rps", |own, direct| own / direct),
        "open" => ("p99 ms over direct", "p99_ms", |own, direct| own - direct),
        _ => return,
    };
    let compare = |row: &Figure| {
        let by_round = paired(row, "rps_over_direct");
        by_round.or_else(|| Some(HUNDREDTHS(beside(row.number(key)?, direct(row)?.number(key)?))))
    };
    if rows.iter().all(|row| direct(row).is_none()) {
        return;
    }
    let figures = rows.iter().map(|row| compare(row).unwrap_or_else(|| "–".to_owned()));
    for (line, figure) in table.iter_mut().zip(std::iter::once(head.to_owned()).chain(figures)) {
        line.push(figure);
    }
}

/// The cases down, the numbers of rows across.
fn scale(figures: &Figures) -> Vec<(String, Table, Vec<&Figure>)> {
    let rows: Vec<&Figure> = figures.of("scale").collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut sizes: Vec<f64> = distinct(rows.iter().filter_map(|row| row.number("rows")));
    sizes.sort_by(f64::total_cmp);
    let names = distinct(rows.iter().map(|row| (row.case(), row.subject())));
    let columns: [Column; 2] = [("p95 ms", "p95_ms", HUNDREDTHS), ("Postgres µs", "pg_cpu_us", TENTHS)];
    let table = |(heading, key, how): Column| {
        let mut head = vec!["case".to_owned(), "subject".to_owned()];
        head.extend(sizes.iter().map(|size| format!("{} rows", grouped(*size))));
        let mut table = vec![head];
        for name in &names {
            let own = |size: f64| {
                rows.iter().find(|row| (row.case(), row.subject()) == *name && row.number("rows") == Some(size))
            };
            let mut line = vec![name.0.to_owned(), name.1.to_owned()];
            line.extend(sizes.iter().map(|size| own(*size).map_or_else(|| "–".to_owned(), |row| show(row, key, how))));
            table.push(line);
        }
        (format!("scale, {heading}"), table, rows.clone())
    };
    columns.map(table).into()
}

/// Things that differ in their subject alone are told apart by it.
fn lists(figures: &Figures) -> Vec<(String, Table, Vec<&Figure>)> {
    let list = |(suite, thing, columns): &(&'static str, &str, &[Column])| {
        let rows: Vec<&Figure> = figures.of(suite).collect();
        let several = distinct(rows.iter().map(|row| row.subject())).len() > 1;
        let mut table = vec![vec![(*thing).to_owned()]];
        table[0].extend(columns.iter().map(|(name, ..)| (*name).to_owned()));
        for row in &rows {
            let name = if several { format!("{}, {}", row.case(), row.subject()) } else { row.case().to_owned() };
            let mut line = vec![name];
            line.extend(columns.iter().map(|(_, key, how)| show(row, key, *how)));
            table.push(line);
        }
        let heading = if *suite == "size" { "size of the WebAssembly" } else { suite };
        (!rows.is_empty()).then(|| (heading.to_owned(), table, rows))
    };
    LISTS.iter().filter_map(list).collect()
}

fn soak(row: &Figure) -> Table {
    let number = |key, how| show(row, key, how);
    let table = [
        ("requests", number("requests", WHOLE)),
        ("edge CPU µs", number("cpu_us", TENTHS)),
        ("req/s", number("rps", WHOLE)),
        ("4xx, as asked for", number("refused", WHOLE)),
        ("5xx", number("failed", WHOLE)),
        ("memory MiB", format!("{} to {}", number("first_mib", WHOLE), number("last_mib", WHOLE))),
        (
            "MiB per 100k requests",
            format!(
                "{} ({} to {})",
                number("mib_per_100k", HUNDREDTHS),
                number("low", HUNDREDTHS),
                number("high", HUNDREDTHS)
            ),
        ),
        ("slope", if row.is("is_zero") { "zero" } else { "it grows" }.to_owned()),
    ];
    let (head, line) = table.into_iter().map(|(name, figure)| (name.to_owned(), figure)).unzip();
    vec![head, line]
}

#[cfg(test)]
mod tests;
