use super::axis::{Scale, decades, steps};
use super::*;

const OURS: Ink = Ink { colour: "#d55e00", shape: Shape::Circle };

fn bars() -> Panel {
    let bar = |label: &str, value, limit| Bar { label: label.into(), parts: vec![(value, OURS)], limit };
    let bars = vec![bar("cauris", 83.7, None), bar("a & b <c>", 48.4, Some(90.0))];
    Panel::Bars(Bars { heading: "hello".into(), unit: "µs", bars, limits: vec![("1.3 × js".into(), 62.9)] })
}

fn lines() -> Panel {
    let series = Series { name: "ours".into(), ink: OURS, points: vec![(1e4, 300.0), (1e5, 310.0), (1e7, 330.0)] };
    let (x, y) = (Axis { label: "rows", is_log: true }, Axis { label: "µs", is_log: true });
    Panel::Lines(Lines { heading: "CPU".into(), x, y, series: vec![series] })
}

fn sheet(panels: Vec<Panel>) -> Sheet {
    Sheet {
        name: "cpu",
        title: "CPU \"per\" request".into(),
        about: "Less is better.".into(),
        legend: vec![("ours".into(), OURS)],
        columns: 2,
        panels,
        sources: vec!["`cargo xtask bench edge`, 2026-11-21".into()],
    }
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    let draw = || sheet(vec![bars(), lines()]).svg();
    assert_eq!(draw(), draw());
    assert!(draw().starts_with("<svg ") && draw().ends_with("</svg>\n"));
}

#[test]
fn a_sheet_brings_its_paper_and_says_in_words_what_it_shows() {
    let svg = sheet(vec![bars(), lines()]).svg();
    assert!(svg.contains(r##"fill="#ffffff""##) && svg.contains(r#"role="img""#), "{svg}");
    assert!(svg.contains("hello, in µs: cauris 83.7, a &amp; b &lt;c&gt; 48.4; budget 1.3 × js: 62.9."), "{svg}");
    assert!(svg.contains("ours 300 at 10 k, 310 at 100 k, 330 at 10 M."), "{svg}");
    assert!(svg.contains("Measured by cargo xtask bench edge, 2026-11-21."), "{svg}");
}

#[test]
fn what_a_row_is_called_cannot_break_out_of_its_place() {
    let svg = sheet(vec![bars()]).svg();
    assert!(!svg.contains("a & b") && !svg.contains("<c>"), "{svg}");
}

#[test]
fn nothing_is_drawn_beside_the_paper() {
    for panels in [vec![bars(), bars(), bars()], vec![lines(), lines(), lines(), bars()], vec![]] {
        let svg = sheet(panels).svg();
        let attribute = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}=\""))?;
            rest.split_once('"')?.0.parse::<f64>().ok()
        };
        let height = attribute(&svg, "height").expect("a height");
        for line in svg.lines() {
            for (name, most) in
                [("x", WIDTH), ("x1", WIDTH), ("x2", WIDTH), ("y", height), ("y1", height), ("y2", height)]
            {
                let at = attribute(line, name).unwrap_or_default();
                assert!((0.0..=most).contains(&at), "{name} of {line}");
            }
        }
    }
}

#[test]
fn an_axis_has_round_steps_around_all_that_is_on_it() {
    assert_eq!(steps(84.0, 4.0), [0.0, 25.0, 50.0, 75.0, 100.0]);
    assert_eq!(steps(100.0, 4.0), [0.0, 25.0, 50.0, 75.0, 100.0]);
    assert_eq!(steps(0.0, 4.0), [0.0, 1.0]);
    assert_eq!(decades(140.0, 8_000.0), [100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4]);
    assert_eq!(decades(140.0, 80_000.0), [100.0, 1e3, 1e4, 1e5]);
    assert_eq!(decades(100.0, 100.0), [50.0, 100.0]);
}

#[test]
fn a_value_stands_where_its_share_of_the_axis_is() {
    let line = Scale { low: 0.0, high: 200.0, is_log: false, from: 10.0, to: 110.0 };
    let log = Scale { low: 1e4, high: 1e6, is_log: true, from: 10.0, to: 110.0 };
    for (scale, value, place) in [(line, 50.0, 35.0), (line, 900.0, 110.0), (log, 1e5, 60.0), (log, 0.0, 10.0)] {
        assert!((scale.at(value) - place).abs() < 1e-9, "{value}");
    }
}

#[test]
fn a_long_command_is_broken_between_its_words() {
    let command = "cargo xtask bench edge ".to_owned() + &"--cases wallet-transfer/hs256 ".repeat(6);
    let lines = wrapped(&command, 11.0);
    assert!(lines.len() > 1 && lines.iter().all(|line| width_of(line, 11.0) <= WIDTH - 2.0 * EDGE), "{lines:?}");
    assert_eq!(lines.join(" "), command.trim());
}
