//! npm's packages: installed as `package-lock.json` names them, and what is looked up among them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use super::{exclusive, watched};
use crate::house;
use crate::process::{Launch, on_path};

/// Installs what `package-lock.json` names, when it is not what is there.
pub async fn install(root: &Path) -> Result<()> {
    let stamp = root.join("node_modules/.cauris-stamp");
    let wanted = fingerprint(root)?;
    let is_fresh = || std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted);
    if is_fresh() {
        return Ok(());
    }
    let is_pinned = installed_as_pinned(root)?;
    let turn = exclusive(&root.join(".cauris/npm.lock"), "the npm packages").await;
    if is_pinned && turn.is_err() {
        return Ok(()); // A clone that we may only read, and that has all it needs.
    }
    let _turn = turn?;
    if is_fresh() {
        return Ok(());
    }
    if !is_pinned {
        let Some(npm) = on_path("npm") else {
            bail!("npm is not on PATH: install Node.js (any version from 20 on; the pinned one is installed for you)")
        };
        eprintln!("Installing the npm packages into {}", root.join("node_modules").display());
        run(root, &npm).await?;
    }
    std::fs::write(&stamp, wanted).context("cannot write node_modules/.cauris-stamp")
}

/// `npm ci`, and `npm install` where that refuses: a lock file written on one platform may lack the optional packages
/// of another. The lock file stays as it is committed.
async fn run(root: &Path, npm: &Path) -> Result<()> {
    let lock = root.join("package-lock.json");
    let committed = std::fs::read(&lock).ok();
    let log = root.join(".cauris/logs/npm.log");
    let launch = |command: &str| {
        Launch::new("npm", npm).args([command, "--no-audit", "--no-fund", "--loglevel=error"]).dir(root)
    };
    if committed.is_some() && watched("npm ci", launch("ci"), &log).await.is_ok() {
        return Ok(());
    }
    let installed = watched("npm install", launch("install"), &log).await;
    if let Some(committed) = committed {
        std::fs::write(&lock, committed).context("cannot restore package-lock.json")?;
    }
    installed
}

fn fingerprint(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(std::fs::read(root.join("package.json")).context("cannot read package.json")?);
    hash.update(std::fs::read(root.join("package-lock.json")).unwrap_or_default());
    Ok(hex::encode(hash.finalize()))
}

/// Whether somebody ran npm by hand, and it did what we would do.
fn installed_as_pinned(root: &Path) -> Result<bool> {
    let read = |path: PathBuf| -> Option<serde_json::Value> { serde_json::from_slice(&std::fs::read(path).ok()?).ok() };
    let Some(package) = read(root.join("package.json")) else { bail!("package.json is no JSON") };
    let pinned = package["devDependencies"].as_object().cloned().unwrap_or_default();
    let modules = root.join("node_modules");
    let same = |name: &str, wanted: &serde_json::Value| {
        let version = wanted.as_str().map(version_of);
        read(modules.join(name).join("package.json")).is_some_and(|found| found["version"].as_str() == version)
    };
    let scripts_ran = ["node/bin/node", "workerd/bin/workerd"].iter().all(|file| modules.join(file).is_file());
    Ok(scripts_ran && pinned.iter().all(|(name, version)| same(name, version)))
}

/// `2.119.0`, also of `npm:@supabase/supabase-js@2.119.0`, by which a package is there under another name.
fn version_of(wanted: &str) -> &str {
    wanted.rsplit('@').next().unwrap_or(wanted)
}

/// The linter of migrations, after installing what is missing. The error says why there is none; whoever asks decides how
/// bad that is.
pub async fn squawk() -> Result<PathBuf> {
    let installed = install(&house::root()).await;
    match (installed_squawk(), installed) {
        (Some(program), _) => Ok(program),
        (None, Err(error)) => Err(error.context("npm could not install squawk-cli, and no squawk is on PATH")),
        (None, Ok(())) => bail!(
            "npm has no squawk for {}-{}: `pip install squawk-cli`, or put one on PATH",
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    }
}

/// npm's package for this platform, which is pinned, else what is on PATH.
pub fn installed_squawk() -> Option<PathBuf> {
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        "x86_64" => "x64",
        other => other,
    };
    let package = house::root().join(format!("node_modules/@squawk-cli/{platform}-{processor}"));
    Some(package.join("bin/squawk")).filter(|program| program.is_file()).or_else(|| on_path("squawk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_under_another_name_has_the_version_of_its_own() {
        assert_eq!(version_of("22.23.3"), "22.23.3");
        assert_eq!(version_of("npm:@supabase/supabase-js@2.109.0"), "2.109.0");
    }
}
