//! `cargo xtask new NAME`: a function that compiles, is tested and is served; its author then changes what it says.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use crate::house;
use crate::openapi;
use crate::wrangler;

#[derive(clap::Args)]
pub struct Args {
    /// The last part of its URL: lower case letters, digits and hyphens
    name: String,
}

/// The list of functions in the docs; each has a line there.
const DOCS: &str = "docs/README.md";

pub async fn run(args: Args) -> Result<()> {
    let name = &args.name;
    ensure!(house::is_name(name), "{name:?} is no function name: lower case letters, digits and single hyphens");
    if let Some(taken) = house::functions()?.iter().find(|function| function.names().any(|other| other == name)) {
        bail!("{name} is a name of functions/{}", taken.name);
    }
    let root = house::root();
    let files = files(name, &stamp(&root)?);
    for (path, _) in &files {
        ensure!(!root.join(path).exists(), "{path} exists already");
    }
    for (path, text) in &files {
        write(&root.join(path), text)?;
    }
    let line = docs_line(name);
    let docs = root.join(DOCS);
    let page = fs::read_to_string(&docs).with_context(|| format!("cannot read {DOCS}"))?;
    write(&docs, &format!("{}\n{line}\n", page.trim_end()))?;
    for (file, text) in wrangler::stale()? {
        write(&file, &text)?;
    }
    openapi::generate(false).await?;
    report(name, &files);
    Ok(())
}

fn report(name: &str, files: &[(String, String)]) {
    println!("Made, and ready to serve as /functions/v1/{name}:");
    for (path, _) in files {
        println!("  {path}");
    }
    println!(
        "  a line in {DOCS}; generated: functions/{name}/wrangler.toml and the gateway's, docs/openapi.json, clients/ts"
    );
    println!("Try it:   cargo xtask test {name}");
    println!("Weigh it: cargo xtask sizes --write, once it does what it should");
    let migration_and_tests: Vec<_> = files[3..].iter().map(|(path, _)| path.as_str()).collect();
    println!("Undo it:  rm -r functions/{name} {}", migration_and_tests.join(" "));
    println!("          take its line out of {DOCS}, then cargo xtask gen");
}

/// Every file, with its path from the root.
fn files(name: &str, stamp: &str) -> Vec<(String, String)> {
    let snake = name.replace('-', "_");
    let fill = |template: &str| template.replace("{name}", name).replace("{snake}", &snake).replace("{stamp}", stamp);
    [
        (format!("functions/{name}/Cargo.toml"), include_str!("new/manifest.txt")),
        (format!("functions/{name}/src/lib.rs"), include_str!("new/lib.txt")),
        (format!("functions/{name}/src/wire.rs"), include_str!("new/wire.txt")),
        (format!("migrations/{stamp}_{snake}.sql"), include_str!("new/migration.txt")),
        (format!("tests/sql/{stamp}_{snake}.sql"), include_str!("new/sql_test.txt")),
        (format!("tests/clients/{name}.test.mjs"), include_str!("new/client_test.txt")),
    ]
    .into_iter()
    .map(|(path, template)| (path, fill(template)))
    .collect()
}

fn docs_line(name: &str) -> String {
    format!("| `{name}` | user | greets its caller |")
}

/// Now, or a second after the newest migration: migrations run in the order of their stamps.
fn stamp(root: &Path) -> Result<String> {
    let mut stamps = Vec::new();
    for entry in fs::read_dir(root.join("migrations"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        stamps.extend(name.split_once('_').map(|(stamp, _)| stamp.to_string()));
    }
    let now = OffsetDateTime::now_utc();
    next_stamp(PrimitiveDateTime::new(now.date(), now.time()), &stamps)
}

fn next_stamp(now: PrimitiveDateTime, stamps: &[String]) -> Result<String> {
    let format = format_description!("[year][month][day][hour][minute][second]");
    let newest = stamps.iter().filter_map(|stamp| PrimitiveDateTime::parse(stamp, format).ok()).max();
    let next = newest.map_or(now, |newest| now.max(newest + Duration::SECOND));
    Ok(next.format(format)?)
}

fn write(file: &PathBuf, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_new_migration_comes_after_every_other() {
        let (now, stamps) = (datetime!(2026-01-02 03:04:05), |stamp: &str| vec![stamp.to_string()]);
        assert_eq!(next_stamp(now, &[]).unwrap(), "20260102030405");
        assert_eq!(next_stamp(now, &stamps("20251231000000")).unwrap(), "20260102030405");
        assert_eq!(next_stamp(now, &stamps("20260102235959")).unwrap(), "20260103000000");
    }

    #[test]
    fn every_file_of_a_function_carries_its_name_and_no_hole() {
        for (path, text) in files("try-me", "20260102030405") {
            assert!(text.contains("try-me") || text.contains("try_me"), "{path}");
            for hole in ["{name}", "{snake}", "{stamp}"] {
                assert!(!text.contains(hole), "{path} has {hole}");
            }
        }
    }
}
