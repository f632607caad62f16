//! docs/requirements.md: every requirement that has a number says where it is shown, and what it names exists.

use std::collections::BTreeSet;

use crate::tree::{files, none};

/// The numbers of limits, caching, resilience, security and observability, and the lines of the client's conformance list.
fn ids() -> Vec<String> {
    let numbers = [30..=42, 50..=57, 60..=65, 70..=79, 80..=83];
    let ids = numbers.into_iter().flatten().map(|n| format!("N{n}"));
    ids.chain((1..=12).map(|c| format!("C{c:02}"))).collect()
}

/// The rows of the page: the id, and what stands in backticks in the last column.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = files("docs", &["requirements.md"]).pop().expect("docs/requirements.md").text;
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    page.lines()
        .filter(|line| line.starts_with("| N") || line.starts_with("| C"))
        .map(cells)
        .map(|cells| {
            let shown = cells.last().expect("a row has cells");
            let named = shown.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (cells[0].clone(), named)
        })
        .collect()
}

#[test]
fn every_numbered_requirement_says_where_it_is_shown() {
    let rows = rows();
    let missing = ids().into_iter().filter(|id| !rows.iter().any(|(row, named)| row == id && !named.is_empty()));
    none(&missing.collect::<Vec<_>>(), "give each a row in docs/requirements.md that names a test, a metric or a page");
}

#[test]
fn what_the_requirements_name_exists() {
    let code: String = ["shared", "functions", "tests", "scripts", "fuzz"]
        .into_iter()
        .flat_map(|folder| files(folder, &[".rs", ".mjs", ".sql"]))
        .filter(|file| file.path != "tests/tidy/requirements.rs")
        .map(|file| file.text)
        .collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let exists = |name: &str| {
        let is_path = name.contains('/') || name.ends_with(".toml") || name.ends_with(".yml");
        let is_sentence = name.contains(' ');
        match (is_path, is_sentence) {
            (true, _) => xtask::house::root().join(name).exists(),
            (false, true) => code.contains(name),
            (false, false) => words.contains(name),
        }
    };
    let gone: Vec<String> = rows()
        .into_iter()
        .flat_map(|(id, named)| named.into_iter().map(move |name| (id.clone(), name)))
        .filter(|(_, name)| !exists(name))
        .map(|(id, name)| format!("{id}: {name}"))
        .collect();
    none(&gone, "docs/requirements.md names what is not there");
}
