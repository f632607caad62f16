//! From cargo's library to a bundle: worker-build runs wasm-bindgen, esbuild and, for what ships, wasm-opt.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::build::{Profile, cargo, kilobytes, weigh};
use crate::entry;
use crate::house;
use crate::process::{Launch, output};
use crate::slim;
use crate::tools::Tools;

/// Where a bundle is made, within the folder that it is served from.
const NEXT: &str = ".next";
const STAMP: &str = ".stamp";
/// Those of worker-build, which names them one by one: a newer wasm-opt knows encodings that workerd does not.
const FEATURES: [&str; 7] = [
    "mutable-globals",
    "sign-ext",
    "nontrapping-float-to-int",
    "bulk-memory",
    "multivalue",
    "reference-types",
    "exception-handling",
];

/// One library on its way into a folder.
pub struct Bundle {
    pub name: String,
    /// Of the crate.
    pub dir: PathBuf,
    pub place: PathBuf,
    pub stamp: String,
}

/// Names one result of cargo by what is in it, and by the entry that it gets: compiled again, most functions are what they were,
/// whatever changed in `shared`.
pub fn stamp(wasm: &Path, profile: Profile) -> Result<String> {
    let bytes = fs::read(wasm).with_context(|| format!("cargo wrote no {}", wasm.display()))?;
    let digest = Sha256::new().chain_update(&bytes).chain_update(entry::SOURCE).finalize();
    Ok(format!("{} {}", profile.name(), hex::encode(digest)))
}

impl Bundle {
    pub fn is_fresh(&self) -> bool {
        let built = ["index.js", "index_bg.wasm"].iter().all(|file| self.place.join(file).is_file());
        built && fs::read_to_string(self.place.join(STAMP)).is_ok_and(|last| last == self.stamp)
    }

    async fn make(&self, profile: Profile, tools: &Tools) -> Result<()> {
        let next = self.place.join(NEXT);
        if next.exists() {
            fs::remove_dir_all(&next)?; // Left by a build that was cut short.
        }
        worker_build(&self.dir, &next, profile, tools).await?;
        fs::write(next.join(STAMP), &self.stamp)?;
        Ok(())
    }

    /// Takes the place of the last one, which is served until then.
    fn publish(&self) -> Result<()> {
        let next = self.place.join(NEXT);
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let target = self.place.join(entry.file_name());
            if target.is_dir() {
                fs::remove_dir_all(&target)?;
            }
            fs::rename(entry.path(), target)?;
        }
        fs::remove_dir(&next).with_context(|| format!("{} stays behind", next.display()))
    }
}

impl Profile {
    /// wasm-opt and wasm-bindgen use one core each, and small machines have two. Without wasm-opt, most of the time is
    /// worker-build's: it ends on a whole second.
    fn at_once(self) -> usize {
        match self {
            Profile::Fast => 6,
            Profile::Release => 2,
        }
    }
}

/// `wrangler dev` starts every function again when one has changed: so all that are served at once change at once. What ships
/// takes minutes, and is kept as it comes.
pub async fn all(stale: Vec<Bundle>, profile: Profile, tools: Tools) -> Result<()> {
    let places = Arc::new(Semaphore::new(profile.at_once()));
    let tools = Arc::new(tools);
    let total = stale.len();
    let mut bundles = JoinSet::new();
    for bundle in stale {
        let (places, tools) = (places.clone(), tools.clone());
        bundles.spawn(async move {
            let _place = places.acquire().await?;
            let started = Instant::now();
            bundle.make(profile, &tools).await?;
            if profile == Profile::Release {
                bundle.publish()?;
            }
            anyhow::Ok((bundle, started.elapsed()))
        });
    }
    let mut made = Vec::new();
    while let Some(bundle) = bundles.join_next().await {
        let (bundle, took) = bundle??;
        let size = match profile {
            // Compressing takes longer than bundling, and this size ships nowhere.
            Profile::Fast => kilobytes(fs::metadata(bundle.place.join(NEXT).join("index_bg.wasm"))?.len()),
            Profile::Release => {
                let size = weigh(&bundle.place)?;
                format!("{}, {} gzip", kilobytes(size.raw), kilobytes(size.gzip))
            }
        };
        made.push(bundle);
        let (done, name) = (made.len(), &made[made.len() - 1].name);
        println!("bundled {done}/{total} {name:<28} {size}, {:.1} s", took.as_secs_f32());
    }
    if profile == Profile::Fast {
        made.iter().try_for_each(Bundle::publish)?;
    }
    Ok(())
}

/// worker-build asks cargo again, with the same flags: nothing is compiled twice.
pub async fn worker_build(dir: &Path, place: &Path, profile: Profile, tools: &Tools) -> Result<()> {
    let mut worker_build = Launch::new("worker-build", &tools.worker_build).arg("--out-dir").arg(place).dir(dir);
    worker_build = match profile {
        Profile::Fast => worker_build.args(["--profile", "fast", "--no-opt"]),
        Profile::Release => worker_build.args(["--release", "--no-opt"]),
    };
    worker_build = worker_build.env("CARGO", cargo());
    for (name, value) in tools.build_env() {
        worker_build = worker_build.env(name, value);
    }
    if profile == Profile::Release {
        worker_build = slim::linker().into_iter().fold(worker_build, |build, (name, value)| build.env(name, value));
    }
    output(worker_build).await.with_context(|| format!("{} cannot be bundled", house::shown(dir)))?;
    if profile == Profile::Release {
        optimise(place, tools).await?;
        slim::shorten(place)?;
    }
    entry::put(place, &tools.esbuild).await
}

/// As worker-build would, with one exception. It makes a function that has one caller a part of it, whatever its size, and V8
/// compiles a function whole when it first runs: with everything that the first caller does not need.
async fn optimise(place: &Path, tools: &Tools) -> Result<()> {
    let [module, new] = ["index_bg.wasm", "index_bg.new.wasm"].map(|file| place.join(file));
    let wasm_opt = Launch::new("wasm-opt", &tools.wasm_opt)
        .args(["-O", "--one-caller-inline-max-function-size=50"])
        .args(FEATURES.map(|feature| format!("--enable-{feature}")))
        .arg(&module)
        .arg("-o")
        .arg(&new);
    output(wasm_opt).await.with_context(|| format!("{} cannot be optimised", house::shown(&module)))?;
    fs::rename(&new, &module)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(place: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            let file = place.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }

    #[test]
    fn a_bundle_is_fresh_until_cargo_writes_something_else_or_the_profile_changes() {
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
        write(&place, &[("index.js", ""), ("index_bg.wasm", ""), (STAMP, &fast.stamp)]);
        assert!(fast.is_fresh());
        fs::write(&wasm, "one").unwrap();
        assert!(bundle(Profile::Fast).is_fresh(), "compiled again, it is what it was");
        assert!(!bundle(Profile::Release).is_fresh());
        fs::write(&wasm, "two").unwrap();
        assert!(!bundle(Profile::Fast).is_fresh());
    }

    #[test]
    fn a_bundle_takes_the_place_of_the_last_one_and_leaves_the_rest_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = Bundle { name: "a".into(), dir: "a".into(), place: dir.path().into(), stamp: "new".into() };
        write(dir.path(), &[("index.js", "old"), ("worker/shim.mjs", "old"), ("docs/index.html", "kept")]);
        write(&dir.path().join(NEXT), &[("index.js", "new"), ("index_bg.wasm", "new"), ("worker/shim.mjs", "new")]);
        bundle.publish().unwrap();
        let texts = ["index.js", "index_bg.wasm", "worker/shim.mjs", "docs/index.html"];
        let texts = texts.map(|file| fs::read_to_string(dir.path().join(file)).unwrap());
        assert_eq!(texts, ["new", "new", "new", "kept"]);
        assert!(!dir.path().join(NEXT).exists());
    }
}
