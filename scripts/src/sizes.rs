//! `cargo xtask sizes`: what each function weighs as it is deployed, against its line in docs/sizes.toml.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::build;
use crate::house::{self, Function};
use crate::ships;

/// A line may be passed by this much: compilers and paths differ a little from one machine to the next.
const TOLERANCE_PERCENT: u64 = 5;

const HEAD: &str = "\
# What each function weighs: bytes of its WebAssembly as it is deployed, after gzip.
# `cargo xtask test` fails where one weighs 5 % more. `cargo xtask sizes --write` writes what is measured.

";

#[derive(clap::Args)]
pub struct Args {
    /// Write what is measured into docs/sizes.toml, instead of comparing
    #[arg(long)]
    write: bool,
}

/// Bytes after gzip, by function.
type Weights = BTreeMap<String, u64>;

pub async fn run(args: Args) -> Result<()> {
    if args.write {
        let functions = house::functions()?;
        fs::write(file(), text(&weights(&functions, build::as_it_ships(&functions).await?)?))?;
        println!("{} is written", house::shown(&file()));
        return Ok(());
    }
    check().await
}

/// Builds every function as it is deployed, beside the bundles that are served, starts them, and compares.
pub async fn check() -> Result<()> {
    let functions = house::functions()?;
    let place = build::as_it_ships(&functions).await?;
    ships::check(&functions, &place).await?;
    compared(&weights(&functions, place)?)
}

/// `place` says where a function's bundle lies.
fn weights(functions: &[Function], place: impl Fn(&Function) -> PathBuf) -> Result<Weights> {
    let weighed = functions.iter().map(|function| Ok((function.name.clone(), build::weigh(&place(function))?.gzip)));
    weighed.collect()
}

fn compared(measured: &Weights) -> Result<()> {
    let lines = fs::read_to_string(file()).with_context(|| format!("cannot read {}", house::shown(&file())))?;
    let lines: Weights = toml::from_str(&lines).context("docs/sizes.toml is no list of bytes by function")?;
    println!("{:<32} {:>10} {:>10}", "wasm, gzip", "is", "line");
    for (name, bytes) in measured {
        let line = lines.get(name).map_or_else(|| "none".to_owned(), |line| build::kilobytes(*line));
        println!("{name:<32} {:>10} {line:>10}", build::kilobytes(*bytes));
    }
    let complaints = complaints(&lines, measured);
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

fn file() -> PathBuf {
    house::root().join("docs/sizes.toml")
}

fn text(measured: &Weights) -> String {
    measured.iter().fold(HEAD.to_owned(), |text, (name, bytes)| format!("{text}{name} = {bytes}\n"))
}

/// One sentence for each function that is too heavy, or has no line, and for each line that has no function.
fn complaints(lines: &Weights, measured: &Weights) -> Vec<String> {
    let of_functions = measured.iter().filter_map(|(name, is)| match lines.get(name) {
        None => {
            Some(format!("functions/{name} weighs {is} bytes and has no line: add `{name} = {is}` to docs/sizes.toml"))
        }
        Some(line) if is * 100 > line * (100 + TOLERANCE_PERCENT) => Some(format!(
            "functions/{name} weighs {is} bytes, more than {TOLERANCE_PERCENT} % over its {line}: \
             make it lighter, or write `{name} = {is}` in docs/sizes.toml and say why"
        )),
        Some(_) => None,
    });
    let of_lines = lines.keys().filter(|name| !measured.contains_key(*name));
    let of_lines =
        of_lines.map(|name| format!("docs/sizes.toml has a line for {name}, which is no function: delete it"));
    of_functions.chain(of_lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(of: &[(&str, u64)]) -> Weights {
        of.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    }

    #[test]
    fn a_function_may_weigh_five_percent_more_than_its_line_and_not_a_byte_beyond() {
        let lines = weights(&[("hello", 60_000)]);
        for (bytes, complains) in [(1, false), (60_000, false), (63_000, false), (63_001, true)] {
            let complaints = complaints(&lines, &weights(&[("hello", bytes)]));
            assert_eq!(!complaints.is_empty(), complains, "{complaints:?}");
        }
    }

    #[test]
    fn a_complaint_names_the_function_its_size_its_line_and_what_to_write() {
        let complaints = complaints(&weights(&[("hello", 60_000)]), &weights(&[("hello", 70_123)]));
        let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
        for part in ["functions/hello", "70123 bytes", "its 60000", "`hello = 70123` in docs/sizes.toml"] {
            assert!(complaint.contains(part), "{part} is not in {complaint}");
        }
    }

    #[test]
    fn a_function_without_a_line_and_a_line_without_a_function_are_told() {
        let complaints = complaints(&weights(&[("gone", 1), ("kept", 1)]), &weights(&[("kept", 1), ("new", 5)]));
        let [new, gone] = complaints.as_slice() else { panic!("{complaints:?}") };
        assert!(new.contains("add `new = 5`"), "{new}");
        assert!(gone.contains("a line for gone") && gone.contains("delete it"), "{gone}");
    }

    #[test]
    fn what_is_written_is_read_back_and_complains_of_nothing() {
        let measured = weights(&[("gateway", 60_321), ("taxi-accept-ride", 89_999)]);
        let read: Weights = toml::from_str(&text(&measured)).unwrap();
        assert_eq!(read, measured);
        assert!(complaints(&read, &measured).is_empty());
    }
}
