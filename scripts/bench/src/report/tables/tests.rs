use super::*;

fn figures(rows: &str) -> Figures {
    Figures::parse(&format!("[{rows}]")).expect("rows")
}

fn headings(sections: &[Section]) -> Vec<&str> {
    sections.iter().map(|section| section.heading.as_str()).collect()
}

#[test]
fn everyone_is_compared_with_the_yardsticks_that_took_part() {
    let sections = sections(&figures(
        r#"{"suite":"edge","case":"hello","subject":"js","cpu_us":40.0,"rps":1000.0},
           {"suite":"edge","case":"hello","subject":"cauris","cpu_us":30.0,"rps":1000.0,"spread":0.08}"#,
    ));
    assert_eq!(headings(&sections), ["edge, hello"]);
    let table = &sections[0].table;
    assert_eq!(table[0], ["subject", "edge CPU µs", "±", "req/s", "× js"]);
    assert_eq!(table[1], ["cauris", "30.0", "4 %", "1000", "0.75"]);
    assert_eq!(table[2], ["js", "40.0", "–", "1000", "1.00"]);
}

#[test]
fn what_was_compared_round_by_round_is_no_ratio_of_medians() {
    let figures = Figures::parse(
        r#"[{"suite":"edge","case":"hello","subject":"js","cpu_us":40.0,"over_js":1.0,"over_js_low":1.0,"over_js_high":1.0},
            {"suite":"edge","case":"hello","subject":"cauris","cpu_us":80.0,"over_js":1.25,"over_js_low":1.2,"over_js_high":1.31}]"#,
    )
    .expect("rows");
    let sections = sections(&figures);
    assert_eq!(sections[0].table[1], ["cauris", "80.0", "1.25 (1.20 to 1.31)"]);
}

#[test]
fn where_no_edge_took_part_all_are_compared_with_it_at_the_same_load() {
    let sections = sections(&figures(
        r#"{"suite":"edge","case":"transfer","subject":"direct","cpu_us":0.0,"rps":500.0},
           {"suite":"edge","case":"transfer","subject":"cauris","cpu_us":30.0,"rps":425.0},
           {"suite":"open","case":"transfer","subject":"cauris","load_percent":25,"rps":100.0,"p99_ms":9.5},
           {"suite":"open","case":"transfer","subject":"cauris","load_percent":50,"rps":200.0,"p99_ms":12.0},
           {"suite":"open","case":"transfer","subject":"direct","load_percent":50,"rps":200.0,"p99_ms":10.5}"#,
    ));
    assert_eq!(sections[0].table[0].last().map(String::as_str), Some("req/s × direct"));
    assert_eq!(sections[0].table[1], ["cauris", "30.0", "425", "0.85"]);
    assert_eq!(sections[1].table[0], ["subject", "load %", "req/s", "p99 ms", "p99 ms over direct"]);
    let last: Vec<&str> = sections[1].table.iter().skip(1).filter_map(|line| line.last().map(String::as_str)).collect();
    assert_eq!(last, ["–", "1.50", "0.00"]);
}

#[test]
fn starts_and_memory_share_a_suite_and_no_column() {
    let sections = sections(&figures(
        r#"{"suite":"cold","case":"hello","subject":"cauris","p50_ms":2.0,"p99_ms":3.0,"cpu_ms":1.5,"starts":100},
           {"suite":"cold","case":"hello","subject":"js","p50_ms":1.0,"p99_ms":2.0,"cpu_ms":0.5,"starts":100},
           {"suite":"cold","case":"memory/all","subject":"cauris","isolates":25,"mib":100.0,"mib_per_isolate":4.0}"#,
    ));
    assert_eq!(sections[0].table[1], ["cauris", "2.00", "3.00", "1.50", "100", "1.50"]);
    assert_eq!(
        sections[1].table,
        [["subject", "isolates", "MiB", "MiB per isolate"], ["cauris", "25", "100.0", "4.00"]]
    );
}

#[test]
fn what_grows_is_read_across() {
    let sections = sections(&figures(
        r#"{"suite":"scale","case":"transfer","subject":"cauris","rows":10000000,"p95_ms":2.4,"pg_cpu_us":310.0},
           {"suite":"scale","case":"transfer","subject":"cauris","rows":10000,"p95_ms":2.0,"pg_cpu_us":300.0},
           {"suite":"scale","case":"history","subject":"cauris","rows":10000,"p95_ms":1.0,"pg_cpu_us":200.0}"#,
    ));
    assert_eq!(headings(&sections), ["scale, p95 ms", "scale, Postgres µs"]);
    assert_eq!(sections[0].table[0], ["case", "subject", "10,000 rows", "10,000,000 rows"]);
    assert_eq!(sections[0].table[1], ["transfer", "cauris", "2.00", "2.40"]);
    assert_eq!(sections[0].table[2], ["history", "cauris", "1.00", "–"]);
}

#[test]
fn a_soak_says_whether_memory_grows() {
    let sections = sections(&figures(
        r#"{"suite":"soak","case":"mix","requests":20000,"cpu_us":800.0,"failed":0,"is_zero":false}"#,
    ));
    assert_eq!(sections[0].table[0][4], "5xx");
    assert_eq!(sections[0].table[1][4], "0");
    assert_eq!(sections[0].table[1].last().map(String::as_str), Some("it grows"));
}

#[test]
fn things_are_listed_one_a_line() {
    let sections = sections(&figures(
        r#"{"suite":"size","case":"gateway","raw_bytes":137401,"gzip_bytes":59815},
           {"suite":"storage","case":"ledger.wallets","subject":"before","rows":9,"table_bytes":8192,"index_bytes":0},
           {"suite":"storage","case":"ledger.wallets","subject":"updated","rows":9,"table_bytes":9000,"index_bytes":0,"hot":0.5},
           {"suite":"partitions","case":"turn/job","subject":"ours","rows":9,"touched":2,"of":2,"ms":5.0}"#,
    ));
    assert_eq!(headings(&sections), ["size of the WebAssembly", "storage", "partitions"]);
    assert_eq!(sections[0].table, [["function", "raw bytes", "gzip bytes"], ["gateway", "137401", "59815"]]);
    assert_eq!(sections[1].table[1], ["ledger.wallets, before", "9", "8,192", "0", "–"]);
    assert_eq!(sections[1].table[2].last().map(String::as_str), Some("0.50"));
    assert_eq!(sections[2].table[1], ["turn/job", "9", "2", "2", "5.0"]);
}

#[test]
fn cases_come_as_they_are_read_and_not_as_they_were_combined() {
    let figures = figures(
        r#"{"suite":"edge","case":"wallet-transfer/es256","subject":"js","cpu_us":1},
           {"suite":"edge","case":"of somebody else","subject":"js","cpu_us":1},
           {"suite":"edge","case":"hello","subject":"js","cpu_us":1}"#,
    );
    assert_eq!(cases(figures.of("edge")), ["hello", "wallet-transfer/es256", "of somebody else"]);
}

#[test]
fn long_numbers_have_commas() {
    for (value, text) in [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (10_000_000.0, "10,000,000")] {
        assert_eq!(grouped(value), text);
    }
}
