//! Bun's program: npm's package for this platform holds it. The package `bun` itself holds a stand-in, which its install
//! script would replace; install scripts are not run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xtask::house;
use xtask::process::on_path;

/// The pinned one, else what is on PATH.
pub fn program() -> Result<PathBuf> {
    let folder = house::root().join("node_modules/@oven");
    let names = packages(std::env::consts::OS, std::env::consts::ARCH, cfg!(target_env = "musl"));
    let pinned = names.iter().map(|name| program_of(&folder, name)).find(|program| program.is_file());
    pinned.or_else(|| on_path("bun")).with_context(|| {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        format!("npm has no bun for {os}-{arch}: put one on PATH, or leave `bun` out of --subjects")
    })
}

fn program_of(folder: &Path, package: &str) -> PathBuf {
    folder.join(package).join("bin/bun")
}

/// What npm calls it, the likeliest first: a static program runs where the other C library is, too.
fn packages(os: &str, arch: &str, musl: bool) -> Vec<String> {
    let os = if os == "macos" { "darwin" } else { os };
    let arch = if arch == "x86_64" { "x64" } else { arch };
    let plain = format!("bun-{os}-{arch}");
    let mut names = vec![plain.clone(), format!("{plain}-musl")];
    if musl {
        names.reverse();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_a_package_of_its_own() {
        for (os, arch, musl, expected) in [
            ("linux", "x86_64", false, "bun-linux-x64"),
            ("linux", "aarch64", false, "bun-linux-aarch64"),
            ("linux", "x86_64", true, "bun-linux-x64-musl"),
            ("macos", "aarch64", false, "bun-darwin-aarch64"),
        ] {
            assert_eq!(packages(os, arch, musl)[0], expected, "{os}-{arch}");
        }
    }

    #[test]
    fn the_program_lies_where_npm_puts_it() {
        assert!(program_of(Path::new("@oven"), "bun-linux-x64").ends_with("@oven/bun-linux-x64/bin/bun"));
    }
}
