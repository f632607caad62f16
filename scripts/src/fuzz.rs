//! `cargo xtask fuzz [TARGET…]`: libFuzzer on the properties of `shared::fuzz`, with the pinned toolchain.
//!
//! The flags are those of cargo-fuzz, without its address sanitizer, which needs nightly and has little to find: nothing
//! here is `unsafe`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::house;
use crate::process::{Launch, on_path, output, run as run_to_end};

#[derive(clap::Args)]
pub struct Args {
    /// What to run, by the names in fuzz/corpus; everything, one after the other, when none is named
    names: Vec<String>,
    /// How long each of them runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Add what reached something new to fuzz/corpus, minimised
    #[arg(long)]
    keep: bool,
}

/// Coverage that libFuzzer reads; all but the first are LLVM's own.
const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Longer inputs find nothing here that shorter ones do not.
const MAX_LENGTH: usize = 4096;
/// Inputs that a run may leave in one corpus; tests/fuzz_corpora has the limit for all of them.
const KEPT: usize = 60;

pub async fn run(args: Args) -> Result<()> {
    let targets = targets(&args.names)?;
    let compiler = ["c++", "g++", "clang++"].iter().find_map(|name| on_path(name));
    ensure!(
        compiler.is_some() || std::env::var_os("CXX").is_some(),
        "libFuzzer is C++ and there is no compiler for it: install one (on Debian `apt-get install g++`)"
    );
    let binaries = build(&targets).await?;
    let mut broken = Vec::new();
    for target in &targets {
        let fuzzer = Fuzzer::new(target, &binaries)?;
        match fuzzer.search(args.seconds).await? {
            None if args.keep => fuzzer.keep().await?,
            None => {}
            Some(input) => broken.push(house::shown(&input)),
        }
    }
    ensure!(
        broken.is_empty(),
        "these inputs break a property: {}; mend it, and put them into fuzz/corpus",
        broken.join(", ")
    );
    Ok(())
}

/// Those that are named, or all.
fn targets(names: &[String]) -> Result<Vec<String>> {
    let folder = house::root().join("fuzz/fuzz_targets");
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", house::shown(&folder)))? {
        all.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    let known = all.iter().cloned().collect::<Vec<_>>().join(", ");
    for name in names {
        ensure!(all.contains(name), "there is no target {name}: they are {known}");
    }
    Ok(if names.is_empty() { all.into_iter().collect() } else { names.to_vec() })
}

/// Compiles the targets and returns the folder they are in. A target platform is named, so that build scripts and macros
/// stay as they are.
async fn build(targets: &[String]) -> Result<PathBuf> {
    let version = output(Launch::new("rustc", "rustc").arg("-vV").dir(house::root())).await?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = house::root().join("target/fuzz");
    let mut cargo = Launch::new("cargo build", crate::build::cargo())
        .args(["build", "--quiet", "--release", "--target", host])
        .args(["--manifest-path".as_ref(), house::root().join("fuzz/Cargo.toml").as_os_str()])
        .args(["--target-dir".as_ref(), folder.as_os_str()])
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .dir(house::root());
    for target in targets {
        cargo = cargo.args(["--bin", target]);
    }
    eprintln!("building {} fuzz targets (the first time takes minutes)", targets.len());
    ensure!(run_to_end(cargo).await?.success(), "the fuzz targets do not compile");
    Ok(folder.join(host).join("release"))
}

/// One target, and the folders of its run.
struct Fuzzer<'a> {
    name: &'a str,
    binary: PathBuf,
    /// In the repository: hand-made, and kept from earlier runs.
    corpus: PathBuf,
    /// What runs on this machine have found so far.
    found: PathBuf,
    /// What broke a property.
    broken: PathBuf,
    log: PathBuf,
}

impl<'a> Fuzzer<'a> {
    fn new(name: &'a str, binaries: &Path) -> Result<Self> {
        let scratch = house::root().join("target/fuzz");
        let fuzzer = Self {
            name,
            binary: binaries.join(name),
            corpus: house::root().join("fuzz/corpus").join(name),
            found: scratch.join("found").join(name),
            broken: scratch.join("broken").join(name),
            log: scratch.join(format!("{name}.log")),
        };
        for folder in [&fuzzer.corpus, &fuzzer.found, &fuzzer.broken] {
            fs::create_dir_all(folder)?;
        }
        Ok(fuzzer)
    }

    fn launch(&self) -> Launch {
        Launch::new(self.name, &self.binary).dir(house::root()).log(&self.log).arg(format!("-max_len={MAX_LENGTH}"))
    }

    /// Runs; the input that broke the property, if one did.
    async fn search(&self, seconds: u64) -> Result<Option<PathBuf>> {
        let launch = self
            .launch()
            .arg(format!("-max_total_time={seconds}"))
            .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", self.broken.display()))
            .args([&self.found, &self.corpus]);
        let status = run_to_end(launch).await?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        if status.success() {
            println!("{:<12} {}", self.name, summary(&log));
            return Ok(None);
        }
        let input = written(&log);
        let input =
            input.with_context(|| format!("{} ended ({status}), see {}", self.name, house::shown(&self.log)))?;
        println!("{:<12} broken: {}", self.name, said(&log));
        Ok(Some(input))
    }

    /// Adds what reaches code that the corpus does not, as few inputs as possible, and of those as many as there is room for.
    async fn keep(&self) -> Result<()> {
        let merged = empty_beside(&self.found)?;
        let own = inputs(&self.corpus)?;
        for input in &own {
            fs::copy(input, merged.join(name(input)))?;
        }
        // By the edges alone: with counters and comparisons nearly every input is one of a kind.
        let merge = self.launch().args(["-set_cover_merge=1", "-use_counters=0", "-use_cmp=0"]);
        let status = run_to_end(merge.args([&merged, &self.found])).await?;
        ensure!(status.success(), "{} cannot be minimised, see {}", self.name, house::shown(&self.log));
        let mut new: Vec<_> =
            inputs(&merged)?.into_iter().filter(|input| !self.corpus.join(name(input)).exists()).collect();
        new.sort_by_key(|input| fs::metadata(input).map_or(u64::MAX, |file| file.len()));
        let room = KEPT.saturating_sub(own.iter().filter(|input| is_found(input)).count());
        let chosen = spread(&new, room);
        for input in &chosen {
            fs::copy(input, self.corpus.join(name(input)))?;
        }
        println!("{:<12} {} of {} new inputs kept", self.name, chosen.len(), new.len());
        fs::remove_dir_all(merged)?;
        Ok(())
    }
}

/// At most so many of them, from the first to the last alike: small inputs and large ones reach different code.
fn spread<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    let count = all.len().min(most);
    (0..count).map(|n| all[n * all.len() / count].clone()).collect()
}

fn name(input: &Path) -> &std::ffi::OsStr {
    input.file_name().unwrap_or_default()
}

/// An empty folder beside `folder`.
fn empty_beside(folder: &Path) -> Result<PathBuf> {
    let merged = folder.with_extension("merged");
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged)?;
    Ok(merged)
}

fn inputs(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut inputs: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    inputs.sort();
    Ok(inputs)
}

/// libFuzzer names an input by its SHA-1; whoever writes one by hand says what it is.
fn is_found(input: &Path) -> bool {
    let name = name(input).to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How many inputs were tried, and how much of the code they reached.
fn summary(log: &str) -> String {
    let after = |line: &str, word: &str| {
        line.split_once(word).and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned))
    };
    let last = |word: &str| log.lines().rev().find_map(|line| after(line, word)).unwrap_or_else(|| "?".into());
    let (runs, edges, inputs) = (last("number_of_executed_units:"), last(" cov: "), last(" corp: "));
    format!("held for {runs} inputs, {edges} edges reached, {inputs} in the corpus")
}

/// Where libFuzzer has put the input that ended the run.
fn written(log: &str) -> Option<PathBuf> {
    log.lines()
        .rev()
        .find_map(|line| line.split_once("Test unit written to "))
        .map(|(_, path)| PathBuf::from(path.trim()))
}

/// What the property said: the line after Rust's own, or libFuzzer's.
fn said(log: &str) -> String {
    let mut lines = log.lines();
    let panicked = lines.find(|line| line.contains(" panicked at ")).and_then(|_| lines.next());
    let own = || log.lines().find(|line| line.contains("ERROR: libFuzzer"));
    panicked.or_else(own).unwrap_or("see the log").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_and_a_failure_quoted() {
        let log = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#99\tDONE   cov: 38 ft: 67 corp: 35/372b lim: 9\n\
                   stat::number_of_executed_units: 99\n";
        assert_eq!(summary(log), "held for 99 inputs, 38 edges reached, 35/372b in the corpus");
        let log = "x\nthread '<unnamed>' panicked at shared/src/fuzz/money.rs:1:1:\n\"1.\" of 2\nnote: run\n";
        assert_eq!(said(log), "\"1.\" of 2");
        assert_eq!(
            said("==1== ERROR: libFuzzer: timeout after 10 seconds\n"),
            "==1== ERROR: libFuzzer: timeout after 10 seconds"
        );
    }

    #[test]
    fn a_target_that_does_not_exist_is_refused_with_those_that_do() {
        let error = targets(&["moneys".into()]).unwrap_err().to_string();
        assert!(error.contains("moneys") && error.contains("tokens"), "{error}");
        assert_eq!(targets(&["money".into()]).unwrap(), ["money"]);
    }

    #[test]
    fn what_is_kept_is_spread_over_all_of_them() {
        let hundred: Vec<u32> = (0..100).collect();
        assert_eq!(spread(&hundred, 4), [0, 25, 50, 75]);
        assert_eq!((spread(&hundred, 200).len(), spread(&hundred, 0).len(), spread::<u32>(&[], 5).len()), (100, 0, 0));
    }

    #[test]
    fn what_libfuzzer_named_is_told_from_what_a_person_named() {
        assert!(is_found(Path::new("x/da39a3ee5e6b4b0d3255bfef95601890afd80709")));
        assert!(!is_found(Path::new("x/amount-zero")));
    }
}
