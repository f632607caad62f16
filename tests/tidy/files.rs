//! Length, and what no file may hold.

use crate::tree::{Text, files, none};

const WALL: usize = 300;

/// How much shorter than its entry a file may be before the entry has to follow.
const SLACK: usize = 20;

/// Files above the wall, each with the length it may not pass. Entries only shrink: whoever shortens a file lowers its
/// number, and whoever gets below the wall removes it. A merged migration cannot be split, so those stay.
const LONGER: [(&str, usize); 1] = [("migrations/20261121090000_platform.sql", 367)];

fn code() -> Vec<Text> {
    let endings = [".rs", ".sql", ".mjs", ".js", ".ts", ".toml"];
    let by_hand = |file: &Text| !file.text.starts_with("// Written by `cargo xtask gen`");
    let not_ours =
        |file: &Text| !file.path.ends_with("Cargo.toml") && !file.path.ends_with("wrangler.toml") && by_hand(file);
    files("", &endings).into_iter().filter(not_ours).collect()
}

#[test]
fn a_file_fits_on_a_few_screens() {
    let mut offenders = Vec::new();
    for file in code() {
        let lines = file.text.lines().count();
        let allowed = LONGER.iter().find(|(path, _)| *path == file.path).map(|(_, lines)| *lines);
        match allowed {
            None if lines > WALL => offenders.push(format!("{} has {lines} lines: split it at {WALL}", file.path)),
            Some(allowed) if lines > allowed => {
                offenders.push(format!("{} grew to {lines} lines: it may have {allowed}", file.path))
            }
            Some(_) if lines <= WALL => {
                offenders.push(format!("{} has {lines} lines: take it off the list", file.path))
            }
            Some(allowed) if lines + SLACK < allowed => {
                offenders.push(format!("{} has {lines} lines: lower its entry", file.path))
            }
            _ => {}
        }
    }
    let gone = LONGER.iter().filter(|(path, _)| !xtask::house::root().join(path).is_file());
    offenders.extend(gone.map(|(path, _)| format!("{path} is gone: take it off the list")));
    none(&offenders, "Long files grew by small honest steps; the list is in tests/tidy/files.rs");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore"), concat!("to", "do!(")];
    let skips = ["test.skip(", "test.todo(", "test.only(", "it.skip(", "describe.skip(", "skip: true"];
    let mut offenders = Vec::new();
    for file in files("", &[".rs", ".sql", ".mjs", ".js", ".ts", ".toml", ".md"]) {
        let is_script = [".mjs", ".js", ".ts"].iter().any(|ending| file.path.ends_with(ending));
        let marks = marks.iter().chain(skips.iter().filter(|_| is_script));
        offenders.extend(marks.filter(|mark| file.text.contains(**mark)).map(|mark| format!("{}: {mark}", file.path)));
    }
    none(&offenders, "Do it, or write an issue; a test that fails today asserts today's answer and says why");
}

#[test]
fn no_file_names_a_machine() {
    let machines = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/t", "mp/"),
        concat!("C:", "\\"),
    ];
    let mut offenders = Vec::new();
    for file in files("", &[]) {
        for (index, line) in file.text.lines().enumerate() {
            let at = |what: &str| format!("{}:{}: {what}", file.path, index + 1);
            offenders.extend(machines.iter().filter(|machine| line.contains(**machine)).map(|machine| at(machine)));
            offenders.extend(mirrors(line).map(at));
        }
    }
    none(&offenders, "What is true on one machine only does not enter the repository");
}

/// Package registries that are not the public ones: they come from somebody's own settings.
fn mirrors(line: &str) -> impl Iterator<Item = &str> {
    const PUBLIC: [&str; 4] = ["registry.npmjs.org", "index.crates.io", "static.crates.io", "crates.io"];
    let hosts = line.split("://").skip(1).filter_map(|rest| rest.split(['/', '"', '\'', ' ', ')', '>']).next());
    let registry = |host: &&str| ["registry", "artifactory", "nexus", "mirror"].iter().any(|word| host.contains(word));
    hosts.filter(registry).filter(|host| !PUBLIC.contains(host))
}

#[test]
fn a_mirror_is_told_from_a_public_registry() {
    let found = |line| mirrors(line).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(found("resolved https://registry.npmjs.org/x"), Vec::<String>::new());
    assert_eq!(found(concat!("see http:/", "/npm-registry.corp.example/x")), ["npm-registry.corp.example"]);
}
