use super::*;

/// A row or two of every suite.
pub const ROWS: &str = r#"[
  {"suite":"machine","machine":"2 cores","date":"2026-11-21","command":"cargo xtask bench"},
  {"suite":"edge","case":"hello","subject":"js","cpu_us":48.0,"gateway_cpu_us":0.0,"pg_cpu_us":0.0,"rps":9000.0},
  {"suite":"edge","case":"hello","subject":"cauris","cpu_us":55.0,"gateway_cpu_us":0.0,"pg_cpu_us":0.0,"rps":9000.0},
  {"suite":"edge","case":"wallet-transfer/hs256","subject":"cauris","cpu_us":170.0,"gateway_cpu_us":90.0,"pg_cpu_us":290.0},
  {"suite":"edge","case":"wallet-transfer/hs256","subject":"proxy","cpu_us":130.0,"gateway_cpu_us":90.0,"pg_cpu_us":290.0},
  {"suite":"edge","case":"wallet-transfer/hs256","subject":"direct","cpu_us":0.0,"gateway_cpu_us":90.0,"pg_cpu_us":290.0},
  {"suite":"ledger","case":"spread/1","subject":"ours","tps":500.0,"pg_cpu_us":290.0,"p99_ms":3.0},
  {"suite":"ledger","case":"hot/1","subject":"ours","tps":400.0,"pg_cpu_us":300.0,"p99_ms":4.0},
  {"suite":"size","case":"gateway","raw_bytes":137401,"gzip_bytes":59815},
  {"suite":"size","case":"taxi-accept-ride","raw_bytes":248040,"gzip_bytes":88135},
  {"suite":"soak","case":"mix","requests":1000000,"cpu_us":700.0,"failed":0,"is_zero":true},
  {"suite":"cold","case":"hello","subject":"js","p50_ms":3.0,"p99_ms":4.0,"cpu_ms":2.0,"starts":100},
  {"suite":"cold","case":"memory/all","subject":"cauris","isolates":25,"mib":110.0,"mib_per_isolate":4.4},
  {"suite":"open","case":"wallet-transfer/hs256","subject":"cauris","load_percent":50,"rps":400.0,"p50_ms":2.0,"p95_ms":4.0,"p99_ms":6.0},
  {"suite":"open","case":"wallet-transfer/hs256","subject":"direct","load_percent":50,"rps":400.0,"p50_ms":1.5,"p95_ms":3.0,"p99_ms":5.0},
  {"suite":"scale","case":"transfer","subject":"cauris","rows":10000,"p95_ms":2.0,"pg_cpu_us":280.0},
  {"suite":"scale","case":"transfer","subject":"cauris","rows":10000000,"p95_ms":2.2,"pg_cpu_us":300.0}
]"#;

fn figures() -> Figures {
    Figures::parse(ROWS).expect("rows")
}

#[test]
fn every_plot_is_drawn_where_its_rows_are_and_only_there() {
    let names: Vec<&str> = sheets(&figures()).iter().map(|sheet| sheet.name).collect();
    assert_eq!(names, NAMES);
    assert!(sheets(&Figures::default()).is_empty());
    let rows = r#"[{"suite":"cold","case":"memory/all","subject":"cauris","isolates":25,"mib":110.0}]"#;
    assert!(sheets(&Figures::parse(rows).expect("rows")).is_empty(), "memory is no start");
}

#[test]
fn every_plot_says_which_command_measured_it() {
    for sheet in sheets(&figures()) {
        assert_eq!(sheet.sources, ["`cargo xtask bench`, 2026-11-21"], "{}", sheet.name);
        assert!(sheet.svg().contains("cargo xtask bench"), "{}", sheet.name);
    }
}

#[test]
fn who_has_no_edge_has_no_bar_at_the_edge_and_one_for_the_path() {
    let sheets = sheets(&figures());
    let words = |name: &str| sheets.iter().find(|sheet| sheet.name == name).expect("the plot").svg();
    assert!(!words("cpu").contains("direct"), "{}", words("cpu"));
    assert!(words("path").contains("direct 380"), "{}", words("path"));
}

#[test]
fn a_budget_is_drawn_as_a_multiple_of_the_peer_that_it_is_set_by() {
    let sheets = sheets(&figures());
    let svg = sheets[0].svg();
    assert!(svg.contains("1.3 × js: 62.4") && svg.contains("1.35 × proxy: 176"), "{svg}");
}

#[test]
fn a_case_that_two_have_is_two_lines() {
    let row =
        |subject: &str| format!(r#"{{"suite":"scale","case":"t","subject":"{subject}","rows":10,"pg_cpu_us":5.0}}"#);
    let figures = Figures::parse(&format!("[{},{}]", row("ours"), row("bare"))).expect("rows");
    let legend: Vec<String> = sheets(&figures)[0].legend.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(legend, ["t, ours", "t, bare"]);
}

#[test]
fn a_subject_has_one_colour_in_all_plots_and_two_have_two() {
    let (one, other) = (inks(&["cauris", "js"]), inks(&["direct", "js", "cauris"]));
    assert_eq!((one["js"], one["cauris"]), (other["js"], other["cauris"]));
    let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    assert_eq!(distinct(inks(&many).into_values()).len(), many.len());
}
