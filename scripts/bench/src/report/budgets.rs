//! What was promised, beside what was measured. A budget whose rows are missing is not kept: it is not measured.

use crate::report::figures::{Figure, Figures, distinct};
use crate::report::tables::grouped;

pub mod sizes;
mod verdict;

use verdict::{Bound, Line, Unit};

const HS256: &str = "wallet-transfer/hs256";
const ES256: &str = "wallet-transfer/es256";

/// Of a floor or a peer's; the plots draw these too.
pub const OVER_PROXY: f64 = 1.35;
pub const OVER_JS: f64 = 1.3;
pub const COLD_OVER_JS: f64 = 1.5;
const POSTGRES_US: f64 = 300.0;

/// A figure and the rows that it was computed from.
type Measured<'a> = Option<(f64, Vec<&'a Figure>)>;

pub fn lines(figures: &Figures) -> Vec<Line> {
    let mut lines = cpu(figures);
    lines.extend(latency(figures));
    lines.extend(cold(figures));
    lines.extend(sizes::lines(figures));
    lines.extend(postgres(figures));
    lines.extend(scale(figures));
    lines.extend(editing(figures));
    lines
}

/// One key of two rows, the first over the second.
fn ratio<'a>(key: &str, over: Option<&'a Figure>, under: Option<&'a Figure>) -> Measured<'a> {
    let (over, under) = (over?, under?);
    let (above, below) = (over.number(key)?, under.number(key)?);
    (below > 0.0).then(|| (above / below, vec![over, under]))
}

fn alone<'a>(key: &str, row: Option<&'a Figure>) -> Measured<'a> {
    Some((row?.number(key)?, vec![row?]))
}

fn cpu(figures: &Figures) -> Vec<Line> {
    let edge = |case: &str, subject: &str| figures.find("edge", case, subject);
    let beside = |case: &str, peer: &str| alone(&format!("over_{peer}"), edge(case, "cauris"));
    let line = |what: &str, bound, measured| Line::new(what, bound, Unit::Times, measured);
    vec![
        line("edge CPU of a wallet transfer, beside the bare proxy", Bound::AtMost(OVER_PROXY), beside(HS256, "proxy")),
        line("the same, the stretch goal", Bound::AtMost(1.2), beside(HS256, "proxy")),
        line("the same, beside JavaScript by hand", Bound::Below(1.0), beside(HS256, "js")),
        line("the same, beside Hono, jose and postgrest-js", Bound::AtMost(0.75), beside(HS256, "hono")),
        line("the same, beside that TypeScript on Deno", Bound::Below(1.0), beside(HS256, "deno")),
        line("the same, beside that TypeScript on Bun", Bound::Below(1.0), beside(HS256, "bun")),
        line(
            "the same with ES256 tokens, beside HS256",
            Bound::AtMost(1.05),
            ratio("cpu_us", edge(ES256, "cauris"), edge(HS256, "cauris")),
        ),
        line("edge CPU of `hello`, beside JavaScript", Bound::AtMost(OVER_JS), beside("hello", "js")),
        line("edge CPU of one gateway hop, beside JavaScript", Bound::AtMost(OVER_JS), beside("hop", "js")),
        line(
            "transfers a second, beside calling the RPC directly",
            Bound::AtLeast(0.8),
            alone("rps_over_direct", edge(HS256, "cauris")),
        ),
    ]
}

/// p99 over the direct RPC, at half of saturation.
fn latency(figures: &Figures) -> Vec<Line> {
    let half = |subject: &str, case: &str| {
        let at = |row: &&Figure| row.number("load_percent") == Some(50.0) && row.case() == case;
        figures.of("open").find(|row| row.subject() == subject && at(row))
    };
    let over = |case: &str| {
        let (ours, direct) = (half("cauris", case)?, half("direct", case)?);
        Some((ours.number("p99_ms")? - direct.number("p99_ms")?, vec![ours, direct]))
    };
    let cases = distinct(figures.of("open").map(Figure::case));
    let what = "p99 added to the direct RPC, at 50 % of saturation";
    let line = |name: &str, measured| Line::new(name, Bound::AtMost(2.0), Unit::Millis, measured);
    match cases.as_slice() {
        [] => vec![line(what, None)],
        [case] => vec![line(what, over(case))],
        cases => cases.iter().map(|case| line(&format!("{what}: `{case}`"), over(case))).collect(),
    }
}

/// p99 of a first call over that of JavaScript's hello.
fn cold(figures: &Figures) -> Vec<Line> {
    let line = |what: &str, measured| Line::new(what, Bound::AtMost(COLD_OVER_JS), Unit::Times, measured);
    let starts = figures.of("cold").filter(|row| row.subject() == "cauris" && row.number("p99_ms").is_some());
    let hello = figures.find("cold", "hello", "js");
    let lines: Vec<Line> = starts
        .map(|row| {
            let what = format!("first call of a cold `{}`, p99, beside JavaScript's `hello`", row.case());
            line(&what, ratio("p99_ms", Some(row), hello))
        })
        .collect();
    let none = || vec![line("first call of a cold function, p99, beside JavaScript's `hello`", None)];
    if lines.is_empty() { none() } else { lines }
}

fn postgres(figures: &Figures) -> Vec<Line> {
    let full = alone("pg_cpu_us", figures.find("edge", HS256, "cauris"));
    let posting = alone("pg_cpu_us", figures.find("ledger", "spread/8", "ours"));
    let line = |what: &str, measured| Line::new(what, Bound::AtMost(POSTGRES_US), Unit::Micros, measured);
    vec![
        line("CPU of Postgres for a transfer, through the full path", full),
        line("the same without an edge (`ledger`, `spread/8`)", posting),
    ]
}

/// The most rows that a case was measured with, beside the fewest.
fn scale(figures: &Figures) -> Vec<Line> {
    let rows = |row: &&Figure| row.number("rows").unwrap_or_default();
    let names = distinct(figures.of("scale").map(|row| (row.case(), row.subject())));
    let of = |name: (&'_ str, &'_ str)| {
        let mut own: Vec<&Figure> = figures.of("scale").filter(|row| (row.case(), row.subject()) == name).collect();
        own.sort_by(|one, other| rows(one).total_cmp(&rows(other)));
        own
    };
    let mut lines = Vec::new();
    for name in &names {
        let own = of(*name);
        let ends = own.first().zip(own.last()).filter(|(least, most)| rows(least) < rows(most));
        let span = ends
            .map_or(String::new(), |ends| format!(", {} rows beside {}", grouped(rows(ends.1)), grouped(rows(ends.0))));
        let growth = ends.and_then(|(least, most)| ratio("p95_ms", Some(*most), Some(*least)));
        lines.push(Line::new(&format!("p95 of `{}`{span}", name.0), Bound::AtMost(1.2), Unit::Times, growth));
    }
    if lines.is_empty() {
        lines.push(Line::new("p95 with 10,000,000 rows, beside 10,000", Bound::AtMost(1.2), Unit::Times, None));
    }
    lines.extend(nearest(names.iter().filter(|name| name.0.starts_with("nearest")).map(|name| of(*name))));
    lines
}

/// Each way to ask who is near, where there are most.
fn nearest<'a>(ways: impl Iterator<Item = Vec<&'a Figure>>) -> Vec<Line> {
    let what = "CPU of Postgres for the nearest of 100,000 drivers";
    let line = |what: &str, measured| Line::new(what, Bound::AtMost(5.0), Unit::Millis, measured);
    let lines: Vec<Line> = ways
        .filter_map(|mut rows| {
            let row = rows.pop()?;
            let used = row.number("pg_cpu_us").map(|used| (used / 1e3, vec![row]));
            Some(line(&format!("{what}: `{}`", row.case()), used))
        })
        .collect();
    if lines.is_empty() { vec![line(what, None)] } else { lines }
}

/// What a developer waits for.
fn editing(figures: &Figures) -> [Line; 2] {
    [("one function", "function", 5.0), ("`shared`", "shared", 60.0)].map(|(what, case, limit)| {
        let measured = alone("p50_s", figures.find("edit", case, "cauris"));
        Line::new(&format!("{what} edited → served again"), Bound::AtMost(limit), Unit::Seconds, measured)
    })
}

pub fn markdown(figures: &Figures) -> String {
    let lines = lines(figures);
    let count = |outcome| lines.iter().filter(|line| line.is_kept() == outcome).count();
    let [kept, missed, unknown] = [Some(true), Some(false), None].map(count);
    let mut text = format!("{kept} kept, {missed} missed, {unknown} not measured.\n\n");
    text += "| What | Budget | Measured | Verdict |\n| --- | ---: | ---: | --- |\n";
    let mut rows = Vec::new();
    for line in &lines {
        text += &format!("| {} | {} | {} | {} |\n", line.what, line.budget(), line.measured(), line.verdict(figures));
        rows.extend(line.rows());
    }
    let sources = figures.sources(&rows);
    if !sources.is_empty() {
        text += &format!("\nComputed from the figures below: {}.\n", sources.join("; "));
    }
    text
}

#[cfg(test)]
mod tests;
