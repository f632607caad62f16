//! `cargo xtask build`: one cargo run for all functions, then worker-build turns each library into a bundle.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::sync::{Mutex, OnceCell};

use crate::bundle::{self, Bundle};
use crate::house::{self, Function};
use crate::process::{Launch, output, run as run_to_end};
use crate::{slim, tools, viewer};

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

/// What ships, bundled into a folder of its own to be looked at: what is served meanwhile stays what it is. Says where.
pub async fn as_it_ships(functions: &[Function]) -> Result<impl Fn(&Function) -> PathBuf + use<>> {
    let folder = target_dir().await?.join("measured");
    let place = move |function: &Function| folder.join(&function.name);
    bundles(functions, Profile::Release, &place).await?;
    Ok(place)
}

async fn bundles(functions: &[Function], profile: Profile, place: impl Fn(&Function) -> PathBuf) -> Result<()> {
    let _alone = BUSY.lock().await;
    ensure!(!functions.is_empty(), "there is no function to build");
    let tools = tools::ensure().await?;
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let libraries = compile(&names, profile).await?;
    let bundle = |(function, library): (&Function, PathBuf)| {
        let stamp = bundle::stamp(&library, profile)?;
        Ok(Bundle { name: function.name.clone(), dir: function.dir.clone(), place: place(function), stamp })
    };
    let all = functions.iter().zip(libraries).map(bundle).collect::<Result<Vec<_>>>()?;
    bundle::all(all.into_iter().filter(|bundle| !bundle.is_fresh()).collect(), profile, tools).await
}

pub fn size(function: &Function) -> Result<Size> {
    weigh(&function.build_dir())
}

pub fn weigh(place: &Path) -> Result<Size> {
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

/// Where the libraries lie, in the order of the names.
async fn compile(names: &[&str], profile: Profile) -> Result<Vec<PathBuf>> {
    let mut cargo = Launch::new("cargo build", cargo())
        .args(["build", "--lib", "--target", "wasm32-unknown-unknown", "--profile", profile.name()])
        .dir(house::root());
    for name in names {
        cargo = cargo.args(["-p", name]);
    }
    if profile == Profile::Release {
        cargo = slim::linker().into_iter().fold(cargo, |cargo, (name, value)| cargo.env(name, value));
    }
    ensure!(run_to_end(cargo).await?.success(), "the functions do not compile");
    let target = target_dir().await?.join("wasm32-unknown-unknown").join(profile.name());
    let libraries: Vec<_> = names.iter().map(|name| target.join(name.replace('-', "_") + ".wasm")).collect();
    if profile == Profile::Release {
        libraries.iter().try_for_each(|library| slim::slim(library))?;
    }
    Ok(libraries)
}

async fn target_dir() -> Result<PathBuf> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    let find = async || {
        let cargo = Launch::new("cargo metadata", cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .dir(house::root());
        let metadata: serde_json::Value = serde_json::from_str(&output(cargo).await?)?;
        let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
        anyhow::Ok(PathBuf::from(folder))
    };
    FOUND.get_or_try_init(find).await.cloned()
}

/// Bundles a worker that is no function: `scripts/bench/fixtures/<name>`, never deployed. The folder of its bundle.
pub async fn fixture(name: &str, profile: Profile) -> Result<PathBuf> {
    let _alone = BUSY.lock().await;
    let dir = house::root().join("scripts/bench/fixtures").join(name);
    let place = dir.join("build");
    compile(&[&format!("bench-{name}")], profile).await?;
    bundle::worker_build(&dir, &place, profile, &tools::ensure().await?).await?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_kilobytes() {
        assert_eq!(kilobytes(85_449), "85.4 KB");
        assert!(gzip(&[0; 10_000]).unwrap() < 100);
    }
}
