//! What every function has, and what none may have.

use std::collections::BTreeSet;

use xtask::house::{self, Function};
use xtask::wrangler;

use crate::tree::{Text, files, none};

const DRIVERS: [&str; 9] =
    ["tokio-postgres", "postgres", "sqlx", "diesel", "sea-orm", "deadpool-postgres", "rusqlite", "mysql", "redis"];

fn functions() -> Vec<Function> {
    house::functions().expect("every manifest of functions/ is right")
}

fn manifests() -> Vec<(String, toml::Table)> {
    let read = |file: Text| {
        let table = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        (file.path, table)
    };
    files("", &["Cargo.toml"]).into_iter().filter(|file| file.path != "Cargo.toml").map(read).collect()
}

/// The dependencies of a manifest, of every kind: name and declaration.
fn dependencies(manifest: &toml::Table) -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, declared)| (name.clone(), declared.clone())));
            }
            "target" => found.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies)),
            _ => {}
        }
    }
    found
}

#[test]
fn a_function_imports_no_other_function_and_no_database_driver() {
    let names: BTreeSet<_> = functions().into_iter().map(|function| function.name).collect();
    let mut offenders = Vec::new();
    for (path, manifest) in manifests().into_iter().filter(|(path, _)| path.starts_with("functions/")) {
        for (dependency, _) in dependencies(&manifest) {
            if names.contains(&dependency) || DRIVERS.contains(&dependency.as_str()) {
                offenders.push(format!("{path}: {dependency}"));
            }
        }
    }
    none(&offenders, "What two functions need belongs to shared, and Postgres is asked through its RPC");
}

#[test]
fn every_function_is_a_lone_cdylib() {
    let wrong = functions().into_iter().filter(|function| function.crate_types != ["cdylib"]);
    let offenders: Vec<_> = wrong.map(|function| format!("functions/{}", function.name)).collect();
    none(&offenders, "crate-type = [\"cdylib\"] only: an rlib beside it switches LTO off without a word");
}

#[test]
fn every_wrangler_file_is_fresh() {
    let stale = wrangler::stale().expect("every wrangler.toml can be rendered");
    let offenders: Vec<_> = stale.iter().map(|(file, _)| house::shown(file)).collect();
    none(&offenders, "These are generated: run `cargo xtask gen`");
}

#[test]
fn every_member_takes_lints_and_versions_from_the_workspace() {
    let mut offenders = Vec::new();
    for (path, manifest) in manifests() {
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        if lints != Some(true) {
            offenders.push(format!("{path}: add [lints] workspace = true"));
        }
        for (dependency, declared) in dependencies(&manifest) {
            // A crate's own tests may switch on its doubles: that is a dependency on itself.
            let itself = declared.get("path").and_then(toml::Value::as_str) == Some(".");
            if !itself && declared.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                offenders.push(format!("{path}: {dependency} needs workspace = true"));
            }
        }
    }
    none(&offenders, "Versions, features and lints are chosen once, in the root Cargo.toml");
}

#[test]
fn every_function_has_an_end_to_end_test() {
    let mut tests = files("tests/e2e", &[".rs"]);
    tests.extend(files("tests/clients", &[".mjs"]));
    missing(&tests, "A test in tests/e2e or tests/clients calls each function over HTTP, by its name");
}

#[test]
fn every_function_has_a_line_in_the_docs() {
    missing(&files("docs", &[".md"]), "A page of docs/ says what each function does, for people who call it");
}

#[test]
fn the_index_of_the_docs_names_every_page() {
    let pages = files("docs", &[".md"]);
    let index = pages.iter().find(|page| page.path == "docs/README.md").expect("docs/README.md is the index");
    let unlisted = pages.iter().filter(|page| page.path != index.path);
    let unlisted = unlisted.filter(|page| !index.text.contains(page.path.trim_start_matches("docs/")));
    let offenders: Vec<_> = unlisted.map(|page| page.path.clone()).collect();
    none(&offenders, "docs/README.md links every page");
}

/// Functions whose name is nowhere in `texts` as a word of its own: `taxi-pay` is not found in `taxi-payment`.
#[track_caller]
fn missing(texts: &[Text], advice: &str) {
    let absent =
        functions().into_iter().filter(|function| !texts.iter().any(|text| has_word(&text.text, &function.name)));
    let offenders: Vec<_> = absent.map(|function| function.name).collect();
    none(&offenders, advice);
}

fn has_word(text: &str, word: &str) -> bool {
    let part = |character: Option<char>| character.is_some_and(|one| one.is_ascii_alphanumeric() || one == '-');
    text.match_indices(word)
        .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next()))
}

#[test]
fn a_name_is_found_as_a_word_only() {
    for (text, expected) in
        [("call taxi-pay.", true), ("taxi-payment", false), ("old-taxi-pay", false), ("`taxi-pay`", true)]
    {
        assert_eq!(has_word(text, "taxi-pay"), expected, "{text}");
    }
}

#[test]
fn every_variable_of_a_payment_provider_is_a_variable_or_a_secret_of_its_functions() {
    let mut given: Vec<&str> = wrangler::RAIL_VARS.iter().chain(&wrangler::RAIL_SECRETS).copied().collect();
    let mut read = shared::payments::RAILS.to_vec();
    given.sort_unstable();
    read.sort_unstable();
    assert_eq!(given, read, "shared::payments::RAILS, and RAIL_VARS with RAIL_SECRETS in scripts/src/wrangler.rs");
}

/// Balances, payments, access and tokens are asked for each time. Who keeps an answer says here why it is everybody's.
const KEEPERS: [(&str, &str); 1] = [("moneroo-get-payment-methods", "the provider's list, the same for everybody")];

#[test]
fn n57_only_lists_that_are_everybodys_are_cached() {
    let keeps = |file: &Text| file.text.contains("edge::cache()");
    let keepers: BTreeSet<_> = files("functions", &[".rs"]).into_iter().filter(keeps).map(|file| file.path).collect();
    let unknown: Vec<_> = keepers
        .iter()
        .filter(|path| !KEEPERS.iter().any(|(name, _)| path.starts_with(&format!("functions/{name}/"))))
        .cloned()
        .collect();
    none(&unknown, "answers about money, access or a person are never kept; a list for everybody is named in KEEPERS");
    assert_eq!(keepers.len(), KEEPERS.len(), "KEEPERS names a function that keeps nothing");
}
