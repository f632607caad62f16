//! The rows as drawings. A plot without rows is not drawn.

use std::collections::BTreeMap;

use xtask::house;

use crate::ledger;
use crate::plot::{Axis, Bar, Bars, Ink, LIMIT, Lines, Panel, Series, Shape, Sheet};
use crate::report::budgets::sizes::{Kind, kilobytes, kinds};
use crate::report::budgets::{COLD_OVER_JS, OVER_JS, OVER_PROXY};
use crate::report::figures::{Figure, Figures, distinct};
use crate::report::tables::{by_subject, cases};

/// Every name that a sheet may have, in the order of the page: of these, what is not drawn is not left lying.
pub const NAMES: [&str; 7] = ["cpu", "path", "latency", "cold", "size", "ledger", "scale"];

const OURS: &str = "#d55e00";
const THEIRS: &str = "#8fa3b8";
const LIGHT: &str = "#6aa588";
const HEAVY: &str = "#e09f5f";
const PALETTE: [(&str, Shape); 10] = [
    (OURS, Shape::Circle),
    ("#0072b2", Shape::Square),
    ("#009e73", Shape::Diamond),
    ("#a0559a", Shape::Triangle),
    ("#c28e00", Shape::Wedge),
    ("#4b5563", Shape::Circle),
    ("#56a5d8", Shape::Square),
    ("#8a3b12", Shape::Diamond),
    ("#6aa588", Shape::Triangle),
    ("#d98cb8", Shape::Wedge),
];

pub fn sheets(figures: &Figures) -> Vec<Sheet> {
    let all = [cpu, path, latency, cold, size, postings, scale];
    all.into_iter().filter_map(|draw| draw(figures)).collect()
}

fn block(colour: &'static str) -> Ink {
    Ink { colour, shape: Shape::Block }
}

/// One ink for each name; a subject that has its own in one plot has it in all.
fn inks<'a>(names: &[&'a str]) -> BTreeMap<&'a str, Ink> {
    const SUBJECTS: [&str; 7] = ["cauris", "direct", "js", "hono", "proxy", "deno", "bun"];
    let is_subject = names.iter().all(|name| SUBJECTS.contains(name));
    let place = |at: usize, name: &str| {
        if is_subject { SUBJECTS.iter().position(|subject| *subject == name) } else { Some(at) }
    };
    let ink = |(at, name): (usize, &&'a str)| {
        let (colour, shape) = PALETTE[place(at, name).unwrap_or(at) % PALETTE.len()];
        (*name, Ink { colour, shape })
    };
    names.iter().enumerate().map(ink).collect()
}

fn bar(row: &Figure, value: f64) -> Bar {
    let colour = if row.subject() == "cauris" { OURS } else { THEIRS };
    Bar { label: row.subject().to_owned(), parts: vec![(value, block(colour))], limit: None }
}

/// A multiple of a peer's figure, where that peer took part.
fn limit(rows: &[&Figure], peer: &str, times: f64) -> Option<(String, f64)> {
    let other = rows.iter().find(|row| row.subject() == peer)?.number("cpu_us")?;
    Some((format!("{times} × {peer}"), other * times))
}

fn cpu(figures: &Figures) -> Option<Sheet> {
    let panel = |case: &str| {
        let rows = by_subject(figures.of("edge").filter(|row| row.case() == case));
        // Who calls Postgres' own gateway has no edge, and no bar.
        let used =
            rows.iter().filter_map(|row| row.number("cpu_us").filter(|used| *used > 0.0).map(|used| bar(row, used)));
        let over_proxy = limit(&rows, "proxy", OVER_PROXY);
        let limits = over_proxy.or_else(|| limit(&rows, "js", OVER_JS)).into_iter().collect();
        Panel::Bars(Bars { heading: case.to_owned(), unit: "µs", bars: used.collect(), limits })
    };
    let cases = cases(figures.of("edge"));
    let about = "Processor time of the edge runtime for one request; less is better. Red: the budget.";
    sheet(figures, "edge", "cpu", "CPU per request, by subject", about, 2, cases.into_iter().map(panel).collect())
}

fn path(figures: &Figures) -> Option<Sheet> {
    const PARTS: [(&str, &str, &str); 3] =
        [("edge", "cpu_us", OURS), ("gateway", "gateway_cpu_us", "#8fa3b8"), ("Postgres", "pg_cpu_us", "#cbd5e1")];
    let is_path = |row: &&Figure| row.number("pg_cpu_us").is_some_and(|used| used >= 1.0);
    let panel = |case: &str| {
        let rows = by_subject(figures.of("edge").filter(|row| row.case() == case));
        let parts = |row: &Figure| PARTS.map(|(_, key, colour)| (row.number(key).unwrap_or_default(), block(colour)));
        let bars =
            rows.iter().map(|row| Bar { label: row.subject().to_owned(), parts: parts(row).into(), limit: None });
        Panel::Bars(Bars { heading: case.to_owned(), unit: "µs", bars: bars.collect(), limits: Vec::new() })
    };
    let cases = cases(figures.of("edge").filter(is_path));
    let about =
        "The same requests with what stands behind the edge: the REST gateway and Postgres. direct has no edge.";
    let panels = cases.into_iter().map(panel).collect();
    let sheet = sheet(figures, "edge", "path", "CPU of the whole path, by subject", about, 2, panels)?;
    let legend = PARTS.map(|(name, _, colour)| (name.to_owned(), block(colour))).into();
    Some(Sheet { legend, ..sheet })
}

fn latency(figures: &Figures) -> Option<Sheet> {
    const KEYS: [(&str, &str); 3] = [("p50_ms", "p50"), ("p95_ms", "p95"), ("p99_ms", "p99")];
    let rows = by_subject(figures.of("open"));
    let subjects = distinct(rows.iter().map(|row| row.subject()));
    let inks = inks(&subjects);
    let mut panels = Vec::new();
    for case in distinct(rows.iter().map(|row| row.case())) {
        for (key, name) in KEYS {
            let series = |subject: &&str| {
                let own = rows.iter().filter(|row| row.case() == case && row.subject() == *subject);
                curve(subject, inks[subject], own, "load_percent", key)
            };
            panels.push(Panel::Lines(Lines {
                heading: format!("{name}, {case}"),
                x: Axis { label: "% of saturation", is_log: false },
                y: Axis { label: "ms", is_log: false },
                series: subjects.iter().map(series).filter(|series| !series.points.is_empty()).collect(),
            }));
        }
    }
    let about = "Requests are sent on time, whether or not the last one was answered, and waiting counts.";
    let sheet = sheet(figures, "open", "latency", "Latency against load", about, 3, panels)?;
    Some(Sheet { legend: legend(&subjects, &inks), ..sheet })
}

fn cold(figures: &Figures) -> Option<Sheet> {
    let starts = || figures.of("cold").filter(|row| row.number("p99_ms").is_some());
    let of = |case| by_subject(starts().filter(move |row| row.case() == case));
    let rows: Vec<&Figure> = cases(starts()).into_iter().flat_map(of).collect();
    let hello = figures.find("cold", "hello", "js").and_then(|row| row.number("p99_ms"));
    let panel = |(key, name): (&str, &str)| {
        let bar = |row: &&Figure| {
            Some(Bar { label: format!("{}, {}", row.case(), row.subject()), ..bar(row, row.number(key)?) })
        };
        let limit = hello.filter(|_| key == "p99_ms").map(|hello| hello * COLD_OVER_JS);
        let limits = limit.map(|limit| (format!("{COLD_OVER_JS} × hello, js"), limit)).into_iter().collect();
        let bars = rows.iter().filter_map(bar).collect();
        Panel::Bars(Bars { heading: format!("first call, {name}"), unit: "ms", bars, limits })
    };
    let panels = if rows.is_empty() { Vec::new() } else { [("p50_ms", "p50"), ("p99_ms", "p99")].map(panel).into() };
    let about = "The first answer of a worker that has just been started; less is better. Red: the budget.";
    sheet(figures, "cold", "cold", "First call of a cold function", about, 2, panels)
}

fn size(figures: &Figures) -> Option<Sheet> {
    let (kinds, lines) = (kinds(), lines_of_functions());
    let panel = |kind: Kind| {
        let own = figures.of("size").filter(|row| kinds.get(row.case()) == Some(&kind));
        let mut sizes: Vec<(f64, &str)> = own.filter_map(|row| Some((kilobytes(row)?, row.case()))).collect();
        sizes.sort_by(|one, other| other.0.total_cmp(&one.0));
        let bars: Vec<Bar> = sizes
            .into_iter()
            .map(|(size, name)| Bar {
                label: name.to_owned(),
                parts: vec![(size, block(if size > kind.limit() { HEAVY } else { LIGHT }))],
                limit: lines.get(name).copied(),
            })
            .collect();
        let limits = vec![(format!("budget {} KB", kind.limit()), kind.limit())];
        (!bars.is_empty()).then(|| Panel::Bars(Bars { heading: kind.name().to_owned(), unit: "KB", bars, limits }))
    };
    let panels = Kind::ALL.into_iter().filter_map(panel).collect();
    let about = "WebAssembly as it is deployed, after gzip.";
    let sheet = sheet(figures, "size", "size", "Size by function", about, 1, panels)?;
    let mut legend = vec![("within its budget".to_owned(), block(LIGHT)), ("over it".to_owned(), block(HEAVY))];
    if !lines.is_empty() {
        let line = Ink { colour: LIMIT, shape: Shape::Bar };
        legend.push(("the function's own line in docs/sizes.toml".to_owned(), line));
    }
    Some(Sheet { legend, ..sheet })
}

/// Each function's own budget in kilobytes; none where there is no such list.
fn lines_of_functions() -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(house::root().join("docs/sizes.toml")).unwrap_or_default();
    let bytes: BTreeMap<String, f64> = toml::from_str::<BTreeMap<String, toml::Value>>(&text)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, f64::from(u32::try_from(bytes.as_integer()?).ok()?))))
        .collect();
    bytes.into_iter().map(|(name, bytes)| (name, bytes / 1e3)).collect()
}

fn postings(figures: &Figures) -> Option<Sheet> {
    let rows: Vec<&Figure> = figures.of("ledger").collect();
    let subjects = distinct(rows.iter().map(|row| row.subject()));
    let inks = inks(&subjects);
    let clients = |row: &Figure| ledger::parts(row).1.parse::<f64>().ok();
    let panel = |pattern: &str| {
        let series = |subject: &&str| {
            let own = rows.iter().filter(|row| row.subject() == *subject && ledger::parts(row).0 == pattern);
            let points = own.filter_map(|row| Some((clients(row)?, row.number("tps")?))).collect();
            Series { name: (*subject).to_owned(), ink: inks[subject], points }
        };
        Panel::Lines(Lines {
            heading: pattern.to_owned(),
            x: Axis { label: "clients at once", is_log: true },
            y: Axis { label: "postings a second", is_log: true },
            series: subjects.iter().map(series).filter(|series| !series.points.is_empty()).collect(),
        })
    };
    let panels = distinct(rows.iter().map(|row| ledger::parts(row).0)).into_iter().map(panel).collect();
    let about = "Postgres alone; more is better. spread: nothing is contended. hot: all pay one account.";
    let sheet = sheet(figures, "ledger", "ledger", "Postings a second, by clients", about, 2, panels)?;
    Some(Sheet { legend: legend(&subjects, &inks), ..sheet })
}

fn scale(figures: &Figures) -> Option<Sheet> {
    let rows: Vec<&Figure> = figures.of("scale").collect();
    let several = distinct(rows.iter().map(|row| row.subject())).len() > 1;
    let name = |row: &Figure| {
        if several { format!("{}, {}", row.case(), row.subject()) } else { row.case().to_owned() }
    };
    let names = distinct(rows.iter().map(|row| name(row)));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let inks = inks(&names);
    let panel = |(key, heading, label): (&str, &str, &'static str)| {
        let series = |own: &&str| curve(own, inks[own], rows.iter().filter(|row| name(row) == *own), "rows", key);
        Panel::Lines(Lines {
            heading: heading.to_owned(),
            x: Axis { label: "rows", is_log: true },
            y: Axis { label, is_log: true },
            series: names.iter().map(series).filter(|series| !series.points.is_empty()).collect(),
        })
    };
    let keys = [("pg_cpu_us", "CPU of Postgres", "µs for one request"), ("p95_ms", "p95", "ms")];
    let panels = if rows.is_empty() { Vec::new() } else { keys.map(panel).into() };
    let about = "Flat is better: the same request among ever more rows. Both axes are logarithmic.";
    let sheet = sheet(figures, "scale", "scale", "Cost against rows", about, 2, panels)?;
    Some(Sheet { legend: legend(&names, &inks), ..sheet })
}

fn curve<'a>(name: &str, ink: Ink, rows: impl Iterator<Item = &'a &'a Figure>, x: &str, y: &str) -> Series {
    let mut points: Vec<(f64, f64)> = rows.filter_map(|row| Some((row.number(x)?, row.number(y)?))).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    Series { name: name.to_owned(), ink, points }
}

fn legend(names: &[&str], inks: &BTreeMap<&str, Ink>) -> Vec<(String, Ink)> {
    names.iter().map(|name| ((*name).to_owned(), inks[name])).collect()
}

/// None without panels; with the commands of its suite.
fn sheet(
    figures: &Figures,
    suite: &str,
    name: &'static str,
    title: &str,
    about: &str,
    columns: usize,
    panels: Vec<Panel>,
) -> Option<Sheet> {
    let sources = figures.sources(figures.of(suite));
    let (title, about) = (title.to_owned(), about.to_owned());
    (!panels.is_empty()).then_some(Sheet { name, title, about, legend: Vec::new(), columns, panels, sources })
}

#[cfg(test)]
pub mod tests;
