//! What the house needs beside Rust and Node: looked for first, installed when missing, every version pinned.
//!
//! npm's packages live in `node_modules`, cargo's tools in the user's cache, once for all clones.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::sync::OnceCell;

use crate::house;
use crate::process::{Launch, on_path, output, path_with};

mod npm;
mod progress;

pub use npm::{installed_squawk, squawk};
pub use progress::{Progress, watched};

/// Where every tool is.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The pinned Node, not the system's.
    pub node: PathBuf,
    pub wrangler_js: PathBuf,
    pub workerd: PathBuf,
    pub worker_build: PathBuf,
    pub wasm_bindgen: PathBuf,
    pub esbuild: PathBuf,
    pub wasm_opt: PathBuf,
    /// `postgrest` where there is one, else `postrust`.
    pub rest: PathBuf,
    /// `node_modules/.bin`.
    pub bin: PathBuf,
}

impl Tools {
    /// What worker-build must be told, or it downloads its own copies.
    pub fn build_env(&self) -> Vec<(&'static str, std::ffi::OsString)> {
        vec![
            ("ESBUILD_BIN", self.esbuild.clone().into()),
            ("WASM_OPT_BIN", self.wasm_opt.clone().into()),
            ("WASM_BINDGEN_BIN", self.wasm_bindgen.clone().into()),
            ("PATH", path_with(&self.bin)),
        ]
    }

    pub fn rest_is_postgrest(&self) -> bool {
        self.rest.file_name().is_some_and(|name| name == "postgrest")
    }
}

/// Finds everything, and installs what is missing. Cheap when nothing is.
pub async fn ensure() -> Result<Tools> {
    static FOUND: OnceCell<Tools> = OnceCell::const_new();
    FOUND.get_or_try_init(find_or_install).await.cloned()
}

async fn find_or_install() -> Result<Tools> {
    let root = house::root();
    npm::install(&root).await?;
    wasm_target().await?;
    let bindgen_version = locked_version(&root, "wasm-bindgen")?;
    let worker_build = CargoTool { krate: "worker-build", version: "0.8.7", bin: "worker-build", extra: &[] };
    let wasm_bindgen =
        CargoTool { krate: "wasm-bindgen-cli", version: &bindgen_version, bin: "wasm-bindgen", extra: &[] };
    // Without the feature, objects come back with their keys sorted, which PostgREST does not do.
    let postrust = CargoTool {
        krate: "postrust-server",
        version: "3.1.0",
        bin: "postrust",
        extra: &["--features", "compat-key-order"],
    };
    let worker_build = worker_build.ensure().await?;
    let wasm_bindgen = wasm_bindgen.ensure().await?;
    let rest = match on_path("postgrest") {
        Some(postgrest) => postgrest,
        None => postrust.ensure().await?,
    };
    let modules = root.join("node_modules");
    Ok(Tools {
        node: modules.join("node/bin/node"),
        wrangler_js: modules.join("wrangler/wrangler-dist/cli.js"),
        workerd: modules.join("workerd/bin/workerd"),
        esbuild: modules.join("esbuild/bin/esbuild"),
        wasm_opt: modules.join("binaryen/bin/wasm-opt"),
        bin: modules.join(".bin"),
        worker_build,
        wasm_bindgen,
        rest,
    })
}

/// `$CAURIS_CACHE`, else the user's cache folder.
pub fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("CAURIS_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("cauris")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/cauris")))
        .unwrap_or_else(|| std::env::temp_dir().join("cauris-cache"))
}

/// A binary that cargo compiles once per machine.
struct CargoTool<'a> {
    krate: &'a str,
    version: &'a str,
    bin: &'a str,
    extra: &'a [&'a str],
}

impl CargoTool<'_> {
    async fn ensure(&self) -> Result<PathBuf> {
        let Self { krate, version, bin, .. } = self;
        let tools = cache().join("tools");
        let home = tools.join(format!("{krate}-{version}"));
        let program = home.join("bin").join(bin);
        if program.is_file() {
            return Ok(program);
        }
        let _turn = exclusive(&tools.join(format!(".{krate}-{version}.lock")), &format!("{krate} {version}")).await?;
        if program.is_file() {
            return Ok(program); // Another clone was faster.
        }
        eprintln!("Installing {krate} {version}, once, into {}", home.display());
        let staging = tools.join(format!(".{krate}-{version}.new"));
        if staging.exists() {
            std::fs::remove_dir_all(&staging)?; // Left by an installation that was cut short; the lock is ours.
        }
        // The crate's own lock file first. Some are broken by a yanked dependency: then the newest compatible ones.
        if self.install(&staging, true).await.is_err() {
            self.install(&staging, false).await?;
        }
        if home.exists() {
            std::fs::remove_dir_all(&home)?;
        }
        std::fs::rename(&staging, &home).with_context(|| format!("cannot move {krate} into {}", home.display()))?;
        Ok(program)
    }

    async fn install(&self, staging: &Path, locked: bool) -> Result<()> {
        let Self { krate, version, extra, .. } = self;
        let log = cache().join("logs").join(format!("{krate}-{version}.log"));
        let mut launch = Launch::new(krate, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["install", "--root"])
            .arg(staging)
            .args(["--version", version, krate])
            .args(*extra)
            // Away from the house: its cargo settings are for its own crates.
            .dir(cache().join("tools"));
        if locked {
            launch = launch.arg("--locked");
        }
        watched(&format!("compiling {krate} {version}"), launch, &log).await
    }
}

/// Waits for the lock, and says so when that takes long. The lock goes with the file.
async fn exclusive(path: &Path, what: &str) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    let mut progress = Progress::new(format!("waiting for another installation of {what}"));
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => progress.tick(""),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    progress.done();
    Ok(file)
}

/// The standard library for WebAssembly, which rustup adds and a system's Rust may have.
async fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let root = house::root();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output(Launch::new("rustc", rustc).args(["--print", "sysroot"]).dir(&root)).await?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let Some(rustup) = on_path("rustup") else {
        bail!(
            "Rust's target {TARGET} is missing and there is no rustup to add it: install it with your package manager"
        )
    };
    let launch = Launch::new("rustup", rustup).args(["target", "add", TARGET]).dir(&root);
    watched(&format!("rustup target add {TARGET}"), launch, &root.join(".cauris/logs/rustup.log")).await
}

/// The version of a package in Cargo.lock: the CLI of wasm-bindgen must be the library's, to the last digit.
fn locked_version(root: &Path, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let lock: toml::Value = toml::from_str(&text).context("Cargo.lock is no TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let named = |package: &&toml::Value| package.get("name").and_then(toml::Value::as_str) == Some(name);
    let version = packages.iter().find(named).and_then(|package| package.get("version")?.as_str().map(str::to_owned));
    version.with_context(|| format!("{name} is not in Cargo.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_says_which_wasm_bindgen() {
        let version = locked_version(&house::root(), "wasm-bindgen").expect("a version");
        assert!(version.starts_with("0.2."), "{version}");
    }

    #[tokio::test]
    async fn the_second_taker_of_a_lock_waits_for_the_first() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lock");
        let first = exclusive(&path, "it").await.expect("free");
        let early = tokio::time::timeout(Duration::from_millis(400), exclusive(&path, "it")).await;
        assert!(early.is_err(), "two at once");
        drop(first);
        exclusive(&path, "it").await.expect("free again");
    }
}
