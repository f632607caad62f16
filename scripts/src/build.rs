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
    let functions = house::select(names)?;
    bundles(&functions, profile, Function::build_dir).await?;
    functions.iter().filter(|function| function.is_gateway()).try_for_each(viewer::build)
}

/// What ships, bundled into a folder of its own to be measured: what is served meanwhile stays what it is.
pub async fn measured(functions: &[Function]) -> Result<Vec<Size>> {
    let folder = target_dir().await?.join("measured");
    let place = |function: &Function| folder.join(&function.name);
    bundles(functions, Profile::Release, place).await?;
    functions.iter().map(|function| weigh(&place(function))).collect()
}

async fn bundles(functions: &[Function], profile: Profile, place: impl Fn(&Function) -> PathBuf) -> Result<()> {
    let _alone = BUSY.lock().await;
    ensure!(!functions.is_empty(), "there is no function to build");
    let tools = tools::ensure().await?;
    compile(functions, profile).await?;
    let target = target_dir().await?.join("wasm32-unknown-unknown").join(profile.name());
    let bundle = |function: &Function| {
        let stamp = stamp(&target.join(format!("{}.wasm", function.artifact())), profile)?;
        Ok(Bundle { name: function.name.clone(), dir: function.dir.clone(), place: place(function), stamp })
    };
    let all = functions.iter().map(bundle).collect::<Result<Vec<_>>>()?;
    bundle_all(all.into_iter().filter(|bundle| !bundle.is_fresh()).collect(), profile, tools).await
}

pub fn size(function: &Function) -> Result<Size> {
    weigh(&function.build_dir())
}

fn weigh(place: &Path) -> Result<Size> {
    let file = place.join("index_bg.wasm");
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

/// One library on its way into a folder.
struct Bundle {
    name: String,
    /// Of the crate.
    dir: PathBuf,
    place: PathBuf,
    stamp: String,
}

impl Bundle {
    fn stamp_file(&self) -> PathBuf {
        self.place.join(".stamp")
    }

    fn is_fresh(&self) -> bool {
        let built = ["index.js", "index_bg.wasm"].iter().all(|file| self.place.join(file).is_file());
        built && fs::read_to_string(self.stamp_file()).is_ok_and(|last| last == self.stamp)
    }
}

/// Two at a time: wasm-opt and wasm-bindgen use one core each, and small machines have two.
async fn bundle_all(stale: Vec<Bundle>, profile: Profile, tools: Tools) -> Result<()> {
    let places = Arc::new(Semaphore::new(2));
    let tools = Arc::new(tools);
    let total = stale.len();
    let mut bundles = JoinSet::new();
    for stale in stale {
        let (places, tools) = (places.clone(), tools.clone());
        bundles.spawn(async move {
            let _place = places.acquire().await?;
            let started = Instant::now();
            bundle(&stale.dir, &stale.place, profile, &tools).await?;
            fs::write(stale.stamp_file(), &stale.stamp)?;
            anyhow::Ok((stale, started.elapsed()))
        });
    }
    let mut done = 0;
    while let Some(bundle) = bundles.join_next().await {
        let (Bundle { name, place, .. }, took) = bundle??;
        done += 1;
        let size = weigh(&place)?;
        let sizes = format!("{}, {} gzip", kilobytes(size.raw), kilobytes(size.gzip));
        println!("bundled {done}/{total} {name:<28} {sizes}, {:.1} s", took.as_secs_f32());
    }
    Ok(())
}

/// Bundles a worker that is no function: `scripts/bench/fixtures/<name>`, never deployed. The folder of its bundle.
pub async fn fixture(name: &str, profile: Profile) -> Result<PathBuf> {
    let _alone = BUSY.lock().await;
    let dir = house::root().join("scripts/bench/fixtures").join(name);
    let place = dir.join("build");
    bundle(&dir, &place, profile, &tools::ensure().await?).await?;
    Ok(place)
}

/// worker-build asks cargo again, with the same flags: nothing is compiled twice.
async fn bundle(dir: &Path, place: &Path, profile: Profile, tools: &Tools) -> Result<()> {
    let mut worker_build = Launch::new("worker-build", &tools.worker_build).arg("--out-dir").arg(place).dir(dir);
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

    #[test]
    fn a_bundle_is_fresh_until_cargo_writes_again_or_the_profile_changes() {
        let dir = tempfile::tempdir().unwrap();
        let wasm = dir.path().join("hello.wasm");
        fs::write(&wasm, "one").unwrap();
        let place = dir.path().join("build");
        let bundle = |profile| {
            let stamp = stamp(&wasm, profile).unwrap();
            Bundle { name: "hello".into(), dir: dir.path().into(), place: place.clone(), stamp }
        };
        let fast = bundle(Profile::Fast);
        assert!(!fast.is_fresh());
        fs::create_dir(&place).unwrap();
        for (file, text) in [("index.js", ""), ("index_bg.wasm", ""), (".stamp", fast.stamp.as_str())] {
            fs::write(place.join(file), text).unwrap();
        }
        assert!(fast.is_fresh());
        assert!(!bundle(Profile::Release).is_fresh());
        fs::write(&wasm, "three").unwrap();
        assert!(!bundle(Profile::Fast).is_fresh());
    }

    #[test]
    fn a_size_is_read_in_kilobytes() {
        assert_eq!(kilobytes(85_449), "85.4 KB");
        assert!(gzip(&[0; 10_000]).unwrap() < 100);
    }
}
