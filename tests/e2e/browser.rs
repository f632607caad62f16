//! A browser for the one test that needs one. It comes from the system's packages; playwright only drives it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser on PATH, or the line that says how to get one.
pub fn chromium() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).flat_map(|dir| NAMES.map(|name| dir.join(name))).find(|file| file.is_file());
    found.ok_or_else(|| "no chromium on PATH: install it, on Debian with `apt-get install -y chromium`".into())
}

/// Installs Debian's package where that is ours to do: as root, when no browser is there. Elsewhere the test says what
/// is missing.
pub fn install_if_root_on_debian() {
    let debian = PathBuf::from("/etc/debian_version").is_file();
    // What `id -u` says; a process may be root by several ways.
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if chromium().is_ok() || !debian || !root {
        return;
    }
    eprintln!("installing chromium for the browser test (Debian's package, once)");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let install = || apt(&["install", "-y", "--no-install-recommends", "chromium"]);
    if !install() && apt(&["update"]) && !install() {
        eprintln!("chromium could not be installed; the browser test will say so");
    }
}
