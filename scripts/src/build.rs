//! `cargo xtask build`: one cargo run for all functions, then worker-build turns each library into a bundle.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::house::{self, Function};
use crate::process::{Launch, output, run as run_to_end};
use crate::tools::{self, Tools};
use crate::viewer;

#[derive(clap::Args)]
pub struct Args {
    /// What ships: linked as a whole and optimised for size; much slower to build
    #[arg(long)]
    release: bool,
    /// Functions to build; all of them when none is named
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// For tests and `cargo xtask dev`.
    Fast,
    /// For deployment and benchmarks.
    Release,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Profile::Fast => "fast",
            Profile::Release => "release",
        }
    }
}

/// The bytes of a bundle's WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub raw: u64,
    pub gzip: u64,
}

pub async fn run(args: Args) -> Result<()> {
    let profile = if args.release { Profile::Release } else { Profile::Fast };
    build(&args.names, profile).await?;
    println!("{:<32} {:>10} {:>10}", format!("wasm ({})", profile.name()), "raw", "gzip");
    for function in house::select(&args.names)? {
        let size = size(&function)?;
        println!("{:<32} {:>10} {:>10}", function.name, kilobytes(size.raw), kilobytes(size.gzip));
    }
    Ok(())
}

/// Two at once would write one bundle.
static BUSY: Mutex<()> = Mutex::const_new(());

/// Leaves `functions/<name>/build/{index.js,index_bg.wasm}`; what is fresh is left alone.
pub async fn build(names: &[String], profile: Profile) -> Result<()> {
    let _alone = BUSY.lock().await;
    let functions = house::select(names)?;
    ensure!(!functions.is_empty(), "there is no function to build");
    let tools = tools::ensure().await?;
    compile(&functions, profile).await?;
    let gateway = functions.iter().find(|function| function.is_gateway()).cloned();
    let target = target_dir().await?.join("wasm32-unknown-unknown").join(profile.name());
    let stale: Vec<_> = functions
        .into_iter()
        .map(|function| {
            let stamp = stamp(&target.join(format!("{}.wasm", function.artifact())), profile)?;
            Ok((function, stamp))
        })
        .filter(|pair: &Result<_>| !pair.as_ref().is_ok_and(|(function, stamp)| is_fresh(function, stamp)))
        .collect::<Result<_>>()?;
    bundle_all(stale, profile, tools).await?;
    gateway.iter().try_for_each(viewer::build)
}

pub fn size(function: &Function) -> Result<Size> {
    let file = function.build_dir().join("index_bg.wasm");
    let bytes = fs::read(&file).with_context(|| format!("{} is not built", house::shown(&file)))?;
    Ok(Size { raw: bytes.len() as u64, gzip: gzip(&bytes)? })
}

/// The length after compression, at the strength that a content network uses.
pub fn gzip(bytes: &[u8]) -> Result<u64> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}

pub fn kilobytes(bytes: u64) -> String {
    format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100)
}

/// The cargo that runs us, so that the pinned toolchain stays the same.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

async fn compile(functions: &[Function], profile: Profile) -> Result<()> {
    let mut cargo = Launch::new("cargo build", cargo())
        .args(["build", "--lib", "--target", "wasm32-unknown-unknown", "--profile", profile.name()])
        .dir(house::root());
    for function in functions {
        cargo = cargo.args(["-p", &function.name]);
    }
    ensure!(run_to_end(cargo).await?.success(), "the functions do not compile");
    Ok(())
}

async fn target_dir() -> Result<PathBuf> {
    let cargo = Launch::new("cargo metadata", cargo())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .dir(house::root());
    let metadata: serde_json::Value = serde_json::from_str(&output(cargo).await?)?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Names one result of cargo. Cargo leaves the file alone when nothing changed, so its time tells.
fn stamp(wasm: &Path, profile: Profile) -> Result<String> {
    let metadata = fs::metadata(wasm).with_context(|| format!("cargo wrote no {}", wasm.display()))?;
    let time = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(format!("{} {time} {}", profile.name(), metadata.len()))
}

fn stamp_file(function: &Function) -> PathBuf {
    function.build_dir().join(".stamp")
}

fn is_fresh(function: &Function, stamp: &str) -> bool {
    let built = ["index.js", "index_bg.wasm"].iter().all(|file| function.build_dir().join(file).is_file());
    built && fs::read_to_string(stamp_file(function)).is_ok_and(|last| last == stamp)
}

/// Two at a time: wasm-opt and wasm-bindgen use one core each, and small machines have two.
async fn bundle_all(stale: Vec<(Function, String)>, profile: Profile, tools: Tools) -> Result<()> {
    let places = Arc::new(Semaphore::new(2));
    let tools = Arc::new(tools);
    let total = stale.len();
    let mut bundles = JoinSet::new();
    for (function, stamp) in stale {
        let (places, tools) = (places.clone(), tools.clone());
        bundles.spawn(async move {
            let _place = places.acquire().await?;
            let started = Instant::now();
            bundle(&function.dir, profile, &tools).await?;
            fs::write(stamp_file(&function), stamp)?;
            anyhow::Ok((function, started.elapsed()))
        });
    }
    let mut done = 0;
    while let Some(bundle) = bundles.join_next().await {
        let (function, took) = bundle??;
        done += 1;
        let size = size(&function)?;
        let sizes = format!("{}, {} gzip", kilobytes(size.raw), kilobytes(size.gzip));
        println!("bundled {done}/{total} {:<28} {sizes}, {:.1} s", function.name, took.as_secs_f32());
    }
    Ok(())
}

/// Bundles a worker that is no function: `scripts/bench/fixtures/<name>`, never deployed. The folder of its bundle.
pub async fn fixture(name: &str, profile: Profile) -> Result<PathBuf> {
    let _alone = BUSY.lock().await;
    let dir = house::root().join("scripts/bench/fixtures").join(name);
    bundle(&dir, profile, &tools::ensure().await?).await?;
    Ok(dir.join("build"))
}

/// worker-build asks cargo again, with the same flags: nothing is compiled twice.
async fn bundle(dir: &Path, profile: Profile, tools: &Tools) -> Result<()> {
    let mut worker_build = Launch::new("worker-build", &tools.worker_build).dir(dir);
    worker_build = match profile {
        Profile::Fast => worker_build.args(["--profile", "fast", "--no-opt"]),
        Profile::Release => worker_build.arg("--release"),
    };
    worker_build = worker_build.env("CARGO", cargo());
    for (name, value) in tools.build_env() {
        worker_build = worker_build.env(name, value);
    }
    output(worker_build).await.with_context(|| format!("{} cannot be bundled", house::shown(dir)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{Auth, Limit};

    #[test]
    fn a_bundle_is_fresh_until_cargo_writes_again_or_the_profile_changes() {
        let dir = tempfile::tempdir().unwrap();
        let wasm = dir.path().join("hello.wasm");
        fs::write(&wasm, "one").unwrap();
        let function = Function {
            name: "hello".into(),
            dir: dir.path().into(),
            auth: Auth::Public,
            limit: Limit::None,
            bindings: vec![],
            aliases: vec![],
            crons: vec![],
            crate_types: vec!["cdylib".into()],
            durable: vec![],
        };
        let fast = stamp(&wasm, Profile::Fast).unwrap();
        assert!(!is_fresh(&function, &fast));
        fs::create_dir(function.build_dir()).unwrap();
        for (file, text) in [("index.js", ""), ("index_bg.wasm", ""), (".stamp", fast.as_str())] {
            fs::write(function.build_dir().join(file), text).unwrap();
        }
        assert!(is_fresh(&function, &fast));
        assert!(!is_fresh(&function, &stamp(&wasm, Profile::Release).unwrap()));
        fs::write(&wasm, "three").unwrap();
        assert!(!is_fresh(&function, &stamp(&wasm, Profile::Fast).unwrap()));
    }

    #[test]
    fn a_size_is_read_in_kilobytes() {
        assert_eq!(kilobytes(85_449), "85.4 KB");
        assert!(gzip(&[0; 10_000]).unwrap() < 100);
    }
}
