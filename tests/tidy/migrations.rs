//! Migrations and the tests that belong to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Text, files, none};

fn migrations() -> Vec<Text> {
    files("migrations", &[".sql"])
}

/// The text of every function and of `shared`: where contracts are.
fn contracts() -> String {
    let mut all = files("functions", &[".rs"]);
    all.extend(files("shared/src", &[".rs"]));
    all.into_iter().map(|file| file.text).collect()
}

#[test]
fn every_migration_has_a_stamp_of_its_own() {
    let mut stamps = BTreeMap::new();
    let mut offenders = Vec::new();
    for migration in migrations() {
        let stem = migration.stem().to_string();
        let (stamp, subject) = stem.split_once('_').unwrap_or((&stem, ""));
        let named = stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit()) && !subject.is_empty();
        if !named {
            offenders.push(format!("{}: the name is YYYYMMDDHHMMSS_subject.sql", migration.path));
        }
        if let Some(other) = stamps.insert(stamp.to_string(), migration.path.clone()) {
            offenders.push(format!("{}: {other} has the same stamp", migration.path));
        }
    }
    none(&offenders, "Migrations run in the order of their stamps; `cargo xtask new` makes one");
}

#[test]
fn every_migration_has_an_sql_test_of_the_same_name() {
    let names =
        |folder: &str| -> BTreeSet<_> { files(folder, &[".sql"]).iter().map(|file| file.stem().to_string()).collect() };
    let (migrations, mut tests) = (names("migrations"), names("tests/sql"));
    // What has no stamp is about all migrations together: rules of the catalogue, and what runs across domains.
    tests.retain(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    let untested: Vec<_> =
        migrations.difference(&tests).map(|name| format!("tests/sql/{name}.sql is missing")).collect();
    let orphans = tests.difference(&migrations).map(|name| format!("migrations/{name}.sql is missing"));
    none(&untested.into_iter().chain(orphans).collect::<Vec<_>>(), "A migration and its test have the same name");
}

#[test]
fn the_head_of_a_migration_answers_four_questions() {
    let mut offenders = Vec::new();
    for migration in migrations() {
        let head: Vec<_> = migration.text.lines().take_while(|line| line.starts_with("--")).collect();
        for question in ["Why:", "Locks:", "Old code:", "Undo:"] {
            let answered = head.iter().any(|line| {
                line.trim_start_matches("--")
                    .trim()
                    .strip_prefix(question)
                    .is_some_and(|answer| !answer.trim().is_empty())
            });
            if !answered {
                offenders.push(format!("{}: {question}", migration.path));
            }
        }
    }
    none(&offenders, "The comment at the top says why, which locks, whether old code survives, and how to undo");
}

#[test]
fn an_sql_test_is_one_transaction_that_leaves_nothing() {
    let mut offenders = Vec::new();
    for test in files("tests/sql", &[".sql"]) {
        let lines: Vec<_> =
            test.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
        let begins = lines.first().is_some_and(|line| line.eq_ignore_ascii_case("begin;"));
        let rolls_back = lines.last().is_some_and(|line| line.to_lowercase().ends_with("rollback;"));
        if !begins || !rolls_back {
            offenders.push(test.path);
        }
    }
    none(&offenders, "The first statement is `begin;` and the last one `rollback;`");
}

#[test]
fn every_code_that_sql_can_refuse_is_in_a_contract() {
    let contracts = contracts();
    let mut offenders = Vec::new();
    for migration in migrations() {
        for code in codes(&migration.text) {
            if !contracts.contains(&format!("\"{code}\"")) {
                offenders.push(format!("{}: {code}", migration.path));
            }
        }
    }
    none(&offenders, "The contract of the function that can hit it lists it in rpc_refuses");
}

/// What `core.refuse('CODE', …)` and bodies with `'code', 'CODE'` say.
fn codes(sql: &str) -> BTreeSet<&str> {
    let after = |opening: &'static str| {
        sql.match_indices(opening).filter_map(move |(at, _)| {
            let rest = sql[at + opening.len()..].trim_start().strip_prefix('\'')?;
            rest.split_once('\'').map(|(code, _)| code)
        })
    };
    let is_code = |code: &&str| {
        code.len() > 2 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    };
    after("core.refuse(").chain(after("'code',")).filter(is_code).collect()
}

#[test]
fn every_rpc_that_a_function_calls_exists_in_the_exposed_schema() {
    let sql: String = migrations().into_iter().map(|migration| migration.text).collect();
    let mut offenders = Vec::new();
    for file in files("functions", &[".rs"]) {
        for (at, opening) in file.text.match_indices(".rpc(\"") {
            let name = file.text[at + opening.len()..].split('"').next().unwrap_or_default();
            let created = [format!("function api.{name}("), format!("FUNCTION api.{name}(")];
            if !created.iter().any(|created| sql.contains(created)) {
                offenders.push(format!("{}: api.{name}", file.path));
            }
        }
    }
    none(&offenders, "A migration creates what a handler calls, in schema api");
}

#[test]
fn codes_are_read_wherever_they_are_written() {
    let sql = "perform core.refuse('NOT_FOUND', 404, 'x'); core.refuse(\n  'GONE', 410); jsonb_build_object('code', 'WALLET_BLOCKED'); core.refuse(code, 1)";
    assert_eq!(codes(sql).into_iter().collect::<Vec<_>>(), ["GONE", "NOT_FOUND", "WALLET_BLOCKED"]);
}
