use super::*;

fn figures(rows: &[&str]) -> Figures {
    Figures::parse(&format!("[{}]", rows.join(","))).expect("rows")
}

/// Budget, measured and verdict of the line that begins so.
fn line(figures: &Figures, what: &str) -> [String; 3] {
    let lines = lines(figures);
    let line = lines.iter().find(|line| line.what.starts_with(what)).unwrap_or_else(|| panic!("no line {what}"));
    [line.budget(), line.measured(), line.verdict(figures)]
}

#[test]
fn what_no_row_shows_is_not_measured_and_not_kept() {
    let none = Figures::default();
    for line in lines(&none) {
        assert_eq!((line.measured().as_str(), line.verdict(&none).as_str()), ("–", "not measured"), "{}", line.what);
    }
}

#[test]
fn a_ratio_is_held_against_its_budget_and_says_by_how_much_it_is_missed() {
    let figures = figures(&[
        r#"{"suite":"edge","case":"wallet-transfer/hs256","subject":"cauris","cpu_us":180.0,"pg_cpu_us":290,
            "over_proxy":1.286,"over_js":1.0,"rps_over_direct":0.69}"#,
        r#"{"suite":"edge","case":"wallet-transfer/es256","subject":"cauris","cpu_us":189.0}"#,
    ]);
    assert_eq!(line(&figures, "edge CPU of a wallet transfer"), ["≤ 1.35 ×", "1.29 ×", "kept"]);
    assert_eq!(line(&figures, "the same, the stretch goal"), ["≤ 1.20 ×", "1.29 ×", "**missed by 7.2 %**"]);
    assert_eq!(line(&figures, "the same, beside JavaScript"), ["< 1.00 ×", "1.00 ×", "**missed, by less than 0.1 %**"]);
    assert_eq!(line(&figures, "the same with ES256"), ["≤ 1.05 ×", "1.05 ×", "kept"]);
    assert_eq!(line(&figures, "transfers a second"), ["≥ 0.80 ×", "0.69 ×", "**missed by 14 %**"]);
    assert_eq!(line(&figures, "CPU of Postgres for a transfer"), ["≤ 300 µs", "290 µs", "kept"]);
    assert_eq!(line(&figures, "edge CPU of `hello`")[2], "not measured");
}

#[test]
fn a_ratio_across_two_runs_says_so() {
    let run = |subject: &str, date: &str| {
        format!(
            r#"{{"suite":"machine","machine":"2 cores","date":"{date}","command":"cargo xtask bench cold"}},
               {{"suite":"cold","case":"hello","subject":"{subject}","p99_ms":9.0}}"#
        )
    };
    let figures = figures(&[&run("js", "2026-11-20"), &run("cauris", "2026-11-21")]);
    assert_eq!(line(&figures, "first call of a cold `hello`")[2], "kept, but across 2 runs");
    let text = markdown(&figures);
    assert!(text.ends_with("`cargo xtask bench cold`, 2026-11-20; `cargo xtask bench cold`, 2026-11-21.\n"), "{text}");
}

#[test]
fn latency_is_what_is_added_at_half_the_load() {
    let row = |subject: &str, load: u8, p99: f64| {
        format!(r#"{{"suite":"open","case":"t","subject":"{subject}","load_percent":{load},"p99_ms":{p99}}}"#)
    };
    let rows = [row("cauris", 25, 90.0), row("cauris", 50, 6.5), row("direct", 50, 4.0), row("direct", 75, 1.0)];
    let figures = figures(&rows.each_ref().map(String::as_str));
    assert_eq!(line(&figures, "p99 added"), ["≤ 2.00 ms", "2.50 ms", "**missed by 25 %**"]);
}

#[test]
fn every_cold_function_is_held_against_the_hello_of_javascript() {
    let figures = figures(&[
        r#"{"suite":"cold","case":"hello","subject":"js","p99_ms":4.0}"#,
        r#"{"suite":"cold","case":"hello","subject":"cauris","p99_ms":5.0}"#,
        r#"{"suite":"cold","case":"wallet-operations","subject":"cauris","p99_ms":8.0}"#,
        r#"{"suite":"cold","case":"memory/all","subject":"cauris","isolates":25,"mib":99.0}"#,
    ]);
    assert_eq!(line(&figures, "first call of a cold `hello`")[1..], ["1.25 ×", "kept"]);
    assert_eq!(line(&figures, "first call of a cold `wallet-operations`")[1..], ["2.00 ×", "**missed by 33 %**"]);
    assert_eq!(cold(&figures).len(), 2);
}

#[test]
fn growth_is_the_most_rows_beside_the_fewest() {
    let row = |case: &str, rows: u32, p95: f64| {
        format!(
            r#"{{"suite":"scale","case":"{case}","subject":"cauris","rows":{rows},"p95_ms":{p95},"pg_cpu_us":4200.0}}"#
        )
    };
    let rows = [
        row("transfer", 10_000_000, 2.2),
        row("transfer", 10_000, 2.0),
        row("transfer", 100_000, 9.0),
        row("nearest", 100_000, 7.0),
    ];
    let figures = figures(&rows.each_ref().map(String::as_str));
    assert_eq!(line(&figures, "p95 of `transfer`, 10,000,000 rows beside 10,000")[1..], ["1.10 ×", "kept"]);
    assert_eq!(line(&figures, "p95 of `nearest`")[2], "not measured", "one size is no growth");
    assert_eq!(
        line(&figures, "CPU of Postgres for the nearest of 100,000 drivers: `nearest`"),
        ["≤ 5.00 ms", "4.20 ms", "kept"]
    );
}

#[test]
fn a_function_is_held_against_the_budget_of_its_kind() {
    let kinds = sizes::kinds();
    for (name, kind) in [
        ("gateway", sizes::Kind::Plain),
        ("taxi-accept-ride", sizes::Kind::Rpc),
        ("wallet-operations", sizes::Kind::More),
    ] {
        assert_eq!(kinds.get(name), Some(&kind), "{name}");
    }
    let figures = figures(&[
        r#"{"suite":"size","case":"taxi-accept-ride","gzip_bytes":89000}"#,
        r#"{"suite":"size","case":"taxi-quote-fare","gzip_bytes":99000}"#,
    ]);
    let what = "WebAssembly, gzip, of functions that ask RPCs and nothing else; the heaviest is `taxi-quote-fare`";
    assert_eq!(line(&figures, what), ["≤ 90.0 KB", "99.0 KB", "**missed by 10 %**"]);
}

#[test]
fn an_edit_is_held_against_what_a_developer_waits_for() {
    let figures = figures(&[
        r#"{"suite":"edit","case":"function","subject":"cauris","p50_s":4.43,"max_s":9.0,"cpu_s":3.0,"runs":3}"#,
        r#"{"suite":"edit","case":"shared","subject":"cauris","p50_s":66.0,"max_s":70.0,"cpu_s":50.0,"runs":3}"#,
    ]);
    assert_eq!(line(&figures, "one function edited"), ["≤ 5 s", "4.4 s", "kept"]);
    assert_eq!(line(&figures, "`shared` edited"), ["≤ 60 s", "66 s", "**missed by 10 %**"]);
}

#[test]
fn the_table_begins_with_how_many_are_kept() {
    let figures = figures(&[
        r#"{"suite":"size","case":"gateway","gzip_bytes":50000}"#,
        r#"{"suite":"size","case":"taxi-quote-fare","gzip_bytes":99000}"#,
    ]);
    let text = markdown(&figures);
    assert!(text.starts_with("1 kept, 1 missed, 19 not measured.\n\n| What |"), "{text}");
}
