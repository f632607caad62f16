use super::*;

const EDGE: &str = r#"[
  {"suite":"machine","machine":"2 cores","date":"2026-11-21","command":"cargo xtask bench edge"},
  {"suite":"edge","case":"hop","subject":"cauris","cpu_us":80.5,"runs":5},
  {"suite":"edge","case":"hop","subject":"js","cpu_us":75.0,"runs":5}
]
"#;

#[test]
fn rows_are_read_back_as_they_were_written() {
    let figures = Figures::parse(EDGE).expect("rows");
    assert_eq!(figures.json(), EDGE);
    let row = figures.find("edge", "hop", "cauris").expect("the row");
    assert_eq!((row.number("cpu_us"), row.number("rps"), row.text("case")), (Some(80.5), None, "hop"));
    assert_eq!(figures.sources(&figures.rows), ["`cargo xtask bench edge`, 2026-11-21"]);
}

#[test]
fn a_file_begins_with_the_machine_and_the_command_and_has_the_keys_in_their_order() {
    let size = crate::rows::Size { suite: "size", case: "health".into(), raw_bytes: 9, gzip_bytes: 4 };
    let run = Run { machine: "2 cores".into(), date: "2026-11-21".into(), command: "cargo xtask bench size".into() };
    assert_eq!(
        Figures::measured(run, &[Row::Size(size)]).expect("rows").json(),
        concat!(
            "[\n",
            r#"  {"suite":"machine","machine":"2 cores","date":"2026-11-21","command":"cargo xtask bench size"},"#,
            "\n",
            r#"  {"suite":"size","case":"health","raw_bytes":9,"gzip_bytes":4}"#,
            "\n]\n"
        )
    );
}

#[test]
fn rows_of_an_older_program_have_no_head_and_are_read_all_the_same() {
    let figures = Figures::parse(r#"[{"suite":"size","case":"health","gzip_bytes":9,"later":[1]}]"#).expect("rows");
    assert_eq!(figures.rows[0].number("gzip_bytes"), Some(9.0));
    assert_eq!(figures.sources(&figures.rows), ["a run that did not note its command"]);
    assert!(Figures::parse(r#"{"suite":"size"}"#).is_err() && Figures::parse("[1]").is_err());
}

#[test]
fn the_later_of_two_files_counts_where_both_have_measured() {
    let later = r#"[
      {"suite":"machine","machine":"4 cores","date":"2026-11-22","command":"cargo xtask bench edge --rounds 9"},
      {"suite":"edge","case":"hop","subject":"js","cpu_us":70.0}]"#;
    let both = Figures::parse(EDGE).expect("rows").and(Figures::parse(later).expect("rows"));
    let of = |subject| both.find("edge", "hop", subject).expect("the row");
    assert_eq!((of("cauris").number("cpu_us"), of("cauris").run), (Some(80.5), 0));
    assert_eq!((of("js").number("cpu_us"), of("js").run), (Some(70.0), 1));
    assert_eq!(both.rows.len(), 2);
    assert_eq!(Figures::parse(&both.json()).expect("rows"), both);
}

#[test]
fn a_run_of_which_nothing_is_left_is_forgotten_and_the_same_one_is_named_once() {
    let once = Figures::parse(EDGE).expect("rows");
    assert_eq!(once.clone().and(once.clone()), once);
    let later = EDGE.replace("2026-11-21", "2026-11-22");
    let both = once.and(Figures::parse(&later).expect("rows"));
    assert_eq!((both.runs.len(), both.runs[0].date.as_str()), (1, "2026-11-22"));
}

#[test]
fn a_command_is_what_decides_a_figure_and_not_where_it_is_written() {
    let said = |line: &str| command(line.split_whitespace().map(str::to_owned));
    assert_eq!(said(""), "cargo xtask bench");
    assert_eq!(
        said("edge --rounds 3 --json a.json --report --seconds=2 --from=b.json --markdown c.md --report=d.md size"),
        "cargo xtask bench edge --rounds 3 --seconds=2 size"
    );
}
