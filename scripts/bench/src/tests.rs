use super::*;

fn parse(line: &str) -> Result<Settings> {
    let settings = Settings::try_parse_from(line.split(' '))?;
    settings.check()?;
    Ok(settings)
}

#[test]
fn suites_are_named_or_all_of_them_run() {
    let some = parse("bench size --json rows.json").expect("it parses");
    assert!(some.wants(Suite::Size) && !some.wants(Suite::Edge) && !some.wants(Suite::Ledger));
    let soak = parse("bench soak --requests 20000").expect("it parses");
    assert!(soak.wants(Suite::Soak) && soak.requests == 20_000 && !soak.wants(Suite::Edge));
    let all = parse("bench").expect("it parses");
    let long = [Suite::Soak, Suite::Scale, Suite::Edit];
    assert_eq!(long.map(|suite| all.wants(suite)), [false; 3], "what takes long is asked for");
    let edit = parse("bench edit --rounds 1").expect("it parses");
    assert!(edit.wants(Suite::Edit) && !edit.wants(Suite::Edge) && edit.plan(Suite::Edit).rounds == 1);
    let scale = parse("bench scale --rows 10000,100000").expect("it parses");
    assert!(scale.wants(Suite::Scale) && scale.rows == [10_000, 100_000] && !scale.wants(Suite::Edge));
    assert!(
        [Suite::Edge, Suite::Cold, Suite::Open, Suite::Ledger, Suite::Size].map(|suite| all.wants(suite)) == [true; 5]
            && all.cases == Case::ALL
            && all.subjects == Name::ALL
    );
}

#[test]
fn figures_of_earlier_are_rendered_and_nothing_is_measured_unless_it_is_named() {
    let earlier = parse("bench --report --from rows.json --from more.json").expect("it parses");
    assert!(!earlier.measures() && !earlier.wants(Suite::Edge) && earlier.from.len() == 2);
    assert_eq!(earlier.report, Some(report::PAGE.into()));
    let some = parse("bench --report=page.md edge --from rows.json").expect("it parses");
    assert!(some.measures() && some.wants(Suite::Edge) && !some.wants(Suite::Ledger));
    assert_eq!(some.report, Some("page.md".into()));
    assert!(parse("bench").expect("it parses").measures());
}

#[test]
fn cases_and_subjects_can_be_chosen_by_the_names_of_the_rows() {
    let some = parse("bench edge --cases wallet-transfer/hs256,hop --subjects cauris,js").expect("it parses");
    assert_eq!((some.cases.len(), some.subjects.len()), (2, 2));
}

#[test]
fn each_suite_has_its_own_measure_unless_told_otherwise() {
    let own = parse("bench").expect("it parses");
    assert_eq!([Suite::Edge, Suite::Ledger, Suite::Edit].map(|suite| own.plan(suite).rounds), [15, 3, 3]);
    let told = parse("bench ledger --rounds 1 --seconds 2 --warmup 0.5").expect("it parses").plan(Suite::Ledger);
    assert_eq!((told.rounds, told.span.as_millis(), told.warm_up.as_millis(), told.callers), (1, 2000, 500, 2000));
}

#[test]
fn a_load_that_cannot_be_is_refused() {
    for line in [
        "bench --rounds 0",
        "bench edge --connections 8 --callers 15",
        "bench ledger --callers 127",
        "bench --seconds 0",
        "bench soak --requests 999",
        "bench scale --rows 9000",
        "bench soak --callers 15",
        "bench open --callers 99",
        "bench cold --starts 0",
        "bench ledgers",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
