//! The corpora of `fuzz/`: hostile inputs written by hand, what longer runs found, and every input that once broke something.
//! Each must leave the property of its target whole. `cargo xtask fuzz` looks for more.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where an edge function must not"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use shared::fuzz::TARGETS;
use xtask::house;

/// Files of one corpus, and bytes of all: they are read on every run and lie in every clone.
const MOST_FILES: usize = 200;
const MOST_BYTES: usize = 1_000_000;

/// The inputs of a target, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = house::root().join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", house::shown(&folder)));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a listed file").path()).collect();
    files.sort();
    let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), fs::read(file).expect("a file of the corpus"))).collect()
}

/// The names in a folder of `fuzz/`, without their endings.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(house::root().join("fuzz").join(folder)).expect("a folder of fuzz/");
    let stem = |path: PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.expect("a listed file").path())).collect()
}

#[test]
fn every_property_holds_for_every_input_of_its_corpus() {
    let mut broken = Vec::new();
    for (target, property) in TARGETS {
        for (name, bytes) in corpus(target) {
            if catch_unwind(|| property(&bytes)).is_err() {
                broken.push(format!("fuzz/corpus/{target}/{name}"));
            }
        }
    }
    assert!(broken.is_empty(), "these inputs break a property; each said why above:\n  {}", broken.join("\n  "));
}

#[test]
fn every_target_has_a_corpus_and_a_binary_and_none_is_left_over() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets, "fuzz/corpus has one folder for each of shared::fuzz::TARGETS");
    assert_eq!(names("fuzz_targets"), targets, "fuzz/fuzz_targets has one file for each of shared::fuzz::TARGETS");
    let manifest = fs::read_to_string(house::root().join("fuzz/Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let bins = manifest["bin"].as_array().expect("a list of binaries");
    let bins: BTreeSet<_> = bins.iter().filter_map(|bin| bin["name"].as_str().map(str::to_owned)).collect();
    assert_eq!(bins, targets, "fuzz/Cargo.toml has one [[bin]] for each of shared::fuzz::TARGETS");
    for target in targets {
        let file = house::root().join("fuzz/fuzz_targets").join(format!("{target}.rs"));
        let text = fs::read_to_string(file).expect("its source");
        assert!(
            text.contains(&format!("shared::fuzz::{target}(data)")),
            "fuzz_targets/{target}.rs runs another target"
        );
    }
}

#[test]
fn what_is_fuzzed_is_what_ships() {
    let versions = |file: &str| -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(house::root().join(file)).expect("a lock file");
        let lock: toml::Table = text.parse().expect("TOML");
        let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let packages = lock["package"].as_array().expect("packages");
        packages.iter().map(|package| (text(package, "name"), text(package, "version"))).collect()
    };
    let (ours, fuzzed) = (versions("Cargo.lock"), versions("fuzz/Cargo.lock"));
    let known: BTreeSet<_> = ours.iter().map(|(name, _)| name).collect();
    let others: Vec<_> = fuzzed.difference(&ours).filter(|(name, _)| known.contains(name)).collect();
    assert!(others.is_empty(), "copy Cargo.lock to fuzz/Cargo.lock and run `cargo xtask fuzz`: {others:?}");
}

#[test]
fn the_corpora_stay_small() {
    let corpora: Vec<_> = TARGETS.iter().map(|(target, _)| (*target, corpus(target))).collect();
    for (target, files) in &corpora {
        assert!((1..MOST_FILES).contains(&files.len()), "fuzz/corpus/{target} has {} files", files.len());
    }
    let bytes: usize = corpora.iter().flat_map(|(_, files)| files).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < MOST_BYTES, "the corpora have {bytes} bytes: keep fewer, or smaller ones");
}
