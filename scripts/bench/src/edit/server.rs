//! `cargo xtask dev` over a copy of the project, with its watcher.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use xtask::build;
use xtask::house;
use xtask::process::{Child, Launch, Stop, output};

use crate::subject::free_port;

/// The first build compiles every dependency.
const PATIENCE: Duration = Duration::from_mins(60);
/// What the server writes once it looks for saved files, after each build, and when one fails.
const SERVING: &str = "Serving. ";
const SERVED: &str = "built and served again";
const FAILED: &str = "not served: ";

pub struct Server {
    child: Child,
    log: PathBuf,
    pub addr: SocketAddr,
}

impl Server {
    /// Its data, its log and what it compiles lie in `dir`.
    pub async fn start(copy: &Path, dir: &Path) -> Result<Self> {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let log = dir.join("dev.log");
        let mut launch = Launch::new("cargo xtask dev", xtask().await?)
            .args(["dev", "--no-story", "--api-port", &addr.port().to_string()])
            .args(["--db-port", "0", "--sandbox-port", "0", "--mail-port", "0", "--data-dir"])
            .arg(dir.join("stack"))
            .dir(copy)
            .log(&log)
            .stop(Stop { patience: Duration::from_secs(30), ..Stop::TERM })
            // As cargo would say it from within the copy: there the project's root is looked for.
            .env("CARGO_MANIFEST_DIR", copy.join("scripts"))
            .env("CARGO_TARGET_DIR", dir.join("target"));
        for name in ["CAURIS_STACK", "DATABASE_URL"] {
            launch = launch.env_remove(name);
        }
        let mut child = launch.spawn()?;
        child.until(PATIENCE, async || text(&log).contains(SERVING)).await?;
        Ok(Self { child, log, addr })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// How often something was built again.
    pub fn served(&self) -> usize {
        text(&self.log).matches(SERVED).count()
    }

    /// Waits until it rests: an answer of the new code may come before its last line.
    pub async fn until_served(&mut self, before: usize) -> Result<()> {
        let deadline = Instant::now() + Duration::from_mins(5);
        while self.served() <= before {
            self.check()?;
            ensure!(Instant::now() < deadline, "the server does not say that it is done{}", self.child.last_words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Fails when it has ended, or could not build.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.status() {
            bail!("it ended ({status}){}", self.child.last_words());
        }
        match failure(&text(&self.log)) {
            Some(line) => Err(anyhow!("{line}")),
            None => Ok(()),
        }
    }

    pub async fn end(self) {
        self.child.end().await;
    }
}

fn text(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

fn failure(log: &str) -> Option<&str> {
    log.lines().find(|line| line.starts_with(FAILED))
}

/// The program behind `cargo xtask`, of the project that we are of ourselves: it works on whatever it is pointed at.
async fn xtask() -> Result<PathBuf> {
    let cargo = Launch::new("cargo build", build::cargo())
        .args(["build", "--quiet", "--package", "xtask", "--message-format", "json"])
        .dir(house::root());
    program(&output(cargo).await?).context("cargo names no program of xtask")
}

/// What cargo says of each thing that it has made; a program is among them.
fn program(said: &str) -> Option<PathBuf> {
    let mut made = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    made.find_map(|thing| thing["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_last_that_cargo_names() {
        let said = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnoise\n\
                    {\"reason\":\"compiler-artifact\",\"executable\":\"/a/xtask\"}\n{\"reason\":\"build-finished\"}";
        assert_eq!(program(said), Some("/a/xtask".into()));
        assert_eq!(program("{}"), None);
    }

    #[test]
    fn a_build_that_failed_is_found_in_the_log() {
        assert_eq!(failure("Serving. Save\nbuilt and served again, 3.1 s\n"), None);
        assert_eq!(failure("Serving.\nnot served: no compile\n"), Some("not served: no compile"));
    }

    /// Reworded there alone, the suite would wait for ever.
    #[test]
    fn the_server_still_says_what_is_waited_for() {
        let dev = std::fs::read_to_string(house::root().join("scripts/src/dev.rs")).expect("the source");
        for said in [SERVING, SERVED, FAILED] {
            assert!(dev.contains(said), "{said}");
        }
    }
}
